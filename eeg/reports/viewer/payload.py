"""What the viewer has of an explanation: all windows coarsely, some finely, in so many bytes."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ...drawing.figures import order
from ...electrodes.positions import head_positions
from ...electrodes.regions import regions_of
from ...explanation.explained import Explained, numbers, predictions, truth
from ...text import plain
from ...views.spectral import band_time
from . import packing
from .artefact_share import ArtefactShare, artefact_share, some
from .head_weights import head_weights

Floats = NDArray[np.floating]

# Points of the signal in a second below which a window says nothing, and below which rhythms are lost.
LEAST_RATE = 12.0
COARSE = 0.75  # of the bytes, where not all windows can be fine
_BLOCK = 8  # windows at a time
_TRIED = 6  # windows that are packed to learn how large they are


class Packer:
    """Packs windows of an explanation, at any level."""

    def __init__(self, explained: Explained, artefact: ArtefactShare | None) -> None:
        self.explained = explained
        self.artefact = artefact
        self.edges = _edges(explained)
        self._fine = packing.fine_bin(explained.windows.sfreq)
        # Relevance in the finest bins, which coarser ones are sums of, since it takes long to make.
        self._made: dict[int, tuple[Floats, Floats | None, Floats | None]] = {}

    def window(self, i: int, level: packing.Level) -> dict[str, Any]:
        """One window: its text, the level, and the steps of its numbers."""
        if i not in self._made:
            self._make(slice(i - i % _BLOCK, min(i - i % _BLOCK + _BLOCK, len(self.explained.windows))))
        binned, parts, bands = (
            None if one is None else packing.sums(one, level.bin // self._fine) for one in self._made[i]
        )
        assert binned is not None
        signal = packing.means(self.explained.windows.signal[i], level.samples)
        full = level.full
        step, by = packing.signal_step(signal, full), packing.relevance_step(binned, full)
        arrays = []
        if full and parts is not None and self.artefact is not None:
            own = packing.means(self.artefact.signal[i], level.samples)
            step = max(step, float(np.abs(own).max()) / packing.LARGEST)
            by = max(by, packing.relevance_step(parts))
            arrays = [packing.of_signal(own, step), packing.of_relevance(parts, by)]
        arrays = [packing.of_signal(signal, step), packing.of_relevance(binned, by), *arrays]
        steps = [step, by]
        if bands is not None:
            steps.append(packing.relevance_step(bands, full))
            arrays.append(packing.of_relevance(bands, steps[2]))
        return {
            "samples": level.samples,
            "bin": level.bin,
            "steps": steps,
            "parts": full and self.artefact is not None,
            "data": packing.packed(arrays),
        }

    def _make(self, picked: slice) -> None:
        """Relevance of some windows in the finest bins: of all, of artefact parts, and of bands."""
        n = picked.stop - picked.start
        few = some(self.explained, picked)
        whole = packing.sums(few.relevance, self._fine)
        parts = bands = None
        if self.artefact is not None:
            parts = packing.sums(self.artefact.relevance(self.explained, picked), self._fine)
        if self.edges is not None:
            bands = packing.sums(band_time(few, self.edges).values.sum(1), self._fine)
        for k in range(n):
            self._made[picked.start + k] = (
                whole[k], None if parts is None else parts[k], None if bands is None else bands[k]
            )  # fmt: skip


def _edges(explained: Explained) -> Mapping[str, tuple[float, float]] | None:
    """The bands of the explanation; None where it has none."""
    bands = explained.dataset.get("bands")
    if bands is None or "multiplier" not in explained.dataset:
        return None
    found = zip(bands["band"].values.tolist(), bands["lower"].values, bands["upper"].values, strict=True)
    return {str(n): (float(a), float(b)) for n, a, b in found if np.isfinite(a) and np.isfinite(b)} or None


def payload(explained: Explained, size: int) -> dict[str, Any]:
    """Everything that the viewer shows, as JSON can hold it.

    Parameters
    ----------
    explained : Explained
    size : int
        Bytes that its windows may take.

    Returns
    -------
    dict
        See `viewer.js`.
    """
    artefact, why_not = artefact_share(explained)
    packer = Packer(explained, artefact)
    verdicts = verdicts_of(explained)
    shown, said = chosen(packer, verdicts, size)
    kept = sorted(shown)
    windows, data = explained.windows, explained.dataset
    whole = explained.relevance[kept].sum(-1, dtype=np.float64)
    names = explained.contract.classes
    guess, number = predictions(explained), numbers(explained)
    value = data["explained"].values
    target = data["target"].values if "target" in data else None

    def class_name(k: int) -> str:
        return plain(names[k], 40) if 0 <= k < len(names) else f"class {k}"

    def model_said(i: int) -> str:
        if number is not None and not names:
            return f"{number[i]:.4g}"
        return "" if guess is None else class_name(int(guess[i]))

    def about(i: int) -> dict[str, Any]:
        return {
            "number": i,
            "onset": float(windows.onsets[i]),
            "label": plain(windows.labels[i] or "", 60),
            "said": model_said(i),
            "target": "" if target is None or not names else class_name(int(target[i])),
            "verdict": verdicts[i],
            "explained": float(value[i]) if np.isfinite(value[i]) else None,
            **shown[i],
        }

    channels = explained.electrodes
    flat, regions = head_positions(channels), regions_of(channels)
    found: dict[str, Any] = {
        "unit": plain(explained.unit, 20),
        "classes": [plain(n, 40) for n in names],
        "sfreq": float(windows.sfreq),
        "samples": int(explained.relevance.shape[-1]),
        "tmin": float(windows.tmin),
        "channels": [
            {"name": plain(c, 12), "place": flat.get(c), "region": plain(regions[i], 24),
             "made": c in windows.interpolated}
            for i, c in enumerate(channels)
        ],
        "order": order(channels),
        "head": head_weights([flat.get(c) for c in channels]),
        "windows": [about(i) for i in kept],
        "of": len(windows),
        "sums": packing.floats(whole),
        "parts": [] if artefact is None else list(artefact.how),
        "said": [*said, *([why_not] if why_not else [])],
        "bands": _bands(packer),
    }  # fmt: skip
    return found


def _bands(packer: Packer) -> list[dict[str, Any]]:
    """Names and edges of the bands, in the order of their rows."""
    if packer.edges is None:
        return []
    names = band_time(some(packer.explained, slice(0, 1)), packer.edges)
    rows = zip(names["band"].values.tolist(), names["lower"].values, names["upper"].values, strict=True)
    return [{"name": plain(n, 24), "edges": [float(a), float(b)] if a == a else None} for n, a, b in rows]


def verdicts_of(explained: Explained) -> list[str]:
    """Of each window "right", "wrong", or nothing where no label names a class."""
    guess, classes = predictions(explained), explained.contract.classes
    real = truth(explained.windows.labels, classes)
    if guess is None:
        return [""] * len(real)
    return ["" if r < 0 else "right" if g == r else "wrong" for g, r in zip(guess, real, strict=True)]


def chosen(packer: Packer, verdicts: Sequence[str], size: int) -> tuple[dict[int, dict[str, Any]], list[str]]:
    """Which windows are in the page, packed, and what to say of it.

    All at the full rate where they fit. Else all at the finest rate that fits into a part of the bytes, and
    as many as the rest has room for at the full rate, those that the model has wrong first. Where even
    `LEAST_RATE` does not fit, windows are left out, evenly over the recording, those that are wrong last.
    """
    explained = packer.explained
    n, sfreq = len(explained.windows), explained.windows.sfreq
    probes = np.unique(np.linspace(0, n - 1, min(n, _TRIED)).round().astype(int)).tolist()

    def mean_size(samples: int) -> float:
        level = packing.level(samples, sfreq)
        return float(np.mean([len(packer.window(i, level)["data"]) for i in probes])) + 150

    fine = packing.level(1, sfreq)
    full = mean_size(1)
    if n * full * 1.05 <= size:
        return {i: packer.window(i, fine) for i in range(n)}, []
    samples = 2
    most = max(2, int(sfreq / LEAST_RATE))
    while (each := mean_size(samples)) * n * 1.05 > COARSE * size and samples < most:
        samples = min(most, samples + max(1, samples // 4))
    coarse = packing.level(samples, sfreq)
    inside = _spread(verdicts, int(COARSE * size / (each * 1.05)))
    found = {i: packer.window(i, coarse) for i in inside}
    room = size - sum(len(w["data"]) + 150 for w in found.values())
    sharp = 0
    for i in _first(explained, verdicts, inside):
        made = packer.window(i, fine)
        room -= len(made["data"]) - len(found[i]["data"])
        if room < 0:
            break
        found[i], sharp = made, sharp + 1
    first = "those that the model has wrong first" if "wrong" in verdicts else "those with most explained"
    said = [
        f"To keep the page small, signals are drawn at {sfreq / samples:.3g} points a second (means of "
        f"{samples} samples; what is faster than {sfreq / samples / 2:.2g} Hz is not in the picture). "
        "Relevance of an electrode in a window is whole everywhere, and relevance.nc has every sample. "
        f"{sharp} windows, {first}, are at the full {sfreq:g} Hz."
    ]
    if packer.artefact is not None:
        said[0] += " Artefact parts are shown of these windows."
    if len(inside) < n:
        said.append(f"{len(inside)} of {n} windows are here; all are in relevance.nc.")
    return found, said


def _spread(verdicts: Sequence[str], most: int) -> list[int]:
    """At most so many windows: the wrong ones first, then others, each evenly over the recording."""
    wrong = [i for i, v in enumerate(verdicts) if v == "wrong"]
    others = [i for i, v in enumerate(verdicts) if v != "wrong"]
    share = _evenly(wrong, most // 2 if others else most)
    return sorted([*share, *_evenly(others, most - len(share))])


def _evenly(indices: Sequence[int], most: int) -> list[int]:
    if len(indices) <= most:
        return list(indices)
    places = np.linspace(0, len(indices) - 1, max(most, 1)).round().astype(int)
    return [indices[k] for k in np.unique(places)]


def _first(explained: Explained, verdicts: Sequence[str], inside: Sequence[int]) -> list[int]:
    """Windows in the order in which they get the full rate: wrong ones, then by how much is explained."""
    value: NDArray[Any] = np.abs(explained.dataset["explained"].values)
    return sorted(inside, key=lambda i: (verdicts[i] != "wrong", -float(value[i])))
