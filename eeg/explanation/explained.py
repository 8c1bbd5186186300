"""What an explanation of a recording is, and the numbers that sum it up."""

from __future__ import annotations

import json
import platform
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from importlib import metadata
from typing import TYPE_CHECKING, Any

import numpy as np
import xarray as xr
from numpy.typing import NDArray

from ... import __version__
from ...engine.contract import InputContract
from ...engine.errors import InputError
from ..electrodes.positions import Electrodes
from ..electrodes.region_file import Regions
from ..recording.windows import Windows, as_input
from ..text import listed, plain
from . import dataset as views
from . import shares

if TYPE_CHECKING:
    from ..views.clusters import Spray
    from ..views.event_locked import Locked
    from ..views.network import Inside

_VERSIONED = ("numpy", "scipy", "mne", "onnx", "onnxruntime-gpu", "onnxruntime", "xarray")


@dataclass(frozen=True)
class Explained:
    """The explanation of a recording.

    Attributes
    ----------
    dataset : xarray.Dataset
        Everything by name (see `views.to_dataset`).
    windows : Windows
    contract : InputContract
    provenance : dict
        Files, hashes, options, versions; anything JSON can hold.
    notes : tuple of str
        What the engine had to say.
    components : tuple of mapping
        Shares of the classes of independent components (`components.ClassShare`), where they were asked for.
    baselines : mapping
        What stands beside (`extras.with_baselines`), where it was asked for.
    regions : Regions
        The electrode sets and regions it is read by.
    inside : Inside or None
    clusters : Spray or None
    locked : dict of str to Locked
        By event. These three where they were asked for.
    """

    dataset: xr.Dataset
    windows: Windows
    contract: InputContract
    provenance: Mapping[str, Any]
    notes: tuple[str, ...] = ()
    unit: str = field(default="logit")
    components: tuple[Mapping[str, Any], ...] = ()
    baselines: Mapping[str, Any] = field(default_factory=dict)
    regions: Regions = field(default_factory=Regions)
    inside: Inside | None = None
    clusters: Spray | None = None
    locked: Mapping[str, Locked] = field(default_factory=dict)

    @property
    def electrodes(self) -> Electrodes:
        """Names of the channels, in the model's order, and where they lie."""
        return self.windows.channels

    @property
    def relevance(self) -> NDArray[Any]:
        """Relevance, shape (window, channel, time)."""
        return self.dataset["relevance"].values

    def summary(self) -> dict[str, Any]:
        """The numbers of summary.json: shares, ledger, closure, accuracy, decisions, provenance."""
        data = self.dataset
        found = data["explained"].values
        out: dict[str, Any] = {
            **self.provenance,
            "what": said_target(self),
            "unit": self.unit,
            "windows": len(self.windows),
            "windows_dropped": self.windows.dropped,
            "labels": dict(Counter(label for label in self.windows.labels if label is not None)),
            "accuracy": accuracy(self),
            "explained": {"mean": float(found.mean()), "min": float(found.min()), "max": float(found.max())},
            "reached_input": float(self.relevance.sum((-2, -1), dtype=np.float64).mean()),
            "ledger": {str(k): float(v) for k, v in data["ledger"].mean("epoch").to_series().items()}
            if "ledger" in data
            else {},
            "closure": float(data["closure"].max()) if "closure" in data else None,
            "shares": [asdict(s) for s in shares.by_set(self.relevance, self.electrodes, self.regions.sets)],
            "regions": [
                asdict(s)
                for s in shares.by_region(
                    self.relevance, self.electrodes, self.regions.partition(self.electrodes)
                )
            ],
            "bands": self._bands(),
            "components": [dict(c) for c in self.components],
            "baselines": dict(self.baselines),
            "inside": None if self.inside is None else self.inside.summary(self),
            "clusters": None if self.clusters is None else self.clusters.summary(),
            "locked": {name: found.summary() for name, found in self.locked.items()},
            "splined": list(self.windows.splined),
            "decisions": list(self.windows.decisions),
            "notes": list(self.notes),
        }
        if "unassigned" in data:
            out["unassigned"] = float(data["unassigned"].sum(("channel", "time")).mean())
        return out

    def _bands(self) -> list[dict[str, Any]]:
        """Shares of the frequency bands; none where relevance has no multiplier."""

        return [asdict(s) for s in shares.by_band(self.dataset["bands"])] if "bands" in self.dataset else []

    def lines(self) -> list[tuple[str, str]]:
        """The summary in a few lines, as (what, text)."""
        s = self.summary()
        value: dict[str, float] = s["explained"]
        right = s["accuracy"]
        kept = ", ".join(f"{kind} {amount:.3g}" for kind, amount in list(s["ledger"].items())[:3])
        spread = f"{value['min']:.4g} to {value['max']:.4g}"
        rows = [
            ("model", f"{s['model']['file']}  (sha256 {s['model']['sha256'][:12]})"),
            ("recording", f"{s['data']['file']}: {s['windows']} windows of {self.contract.seconds:g} s"),
            ("explained", f"{s['what']}: mean {value['mean']:.4g} {self.unit}, {spread}"),
        ]
        if right is not None:
            rows.append(("accuracy", f"{right['correct']} of {right['of']} labelled windows"))
        for share in s["shares"]:
            if share["electrodes"]:
                on = f"on {share['of_electrodes']:.0%} of the electrodes"
                rows.append((share["name"], f"{share['share']:.0%} of the relevance {on}"))
        if s["bands"]:
            most = sorted(s["bands"], key=lambda b: -b["share"])[:3]
            rows.append(("bands", ", ".join(f"{b['name']} {b['share']:.0%}" for b in most)))
        if s["components"]:
            most = sorted(s["components"], key=lambda c: -c["share"])[:3]
            rows.append(("components", ", ".join(f"{c['name']} {c['share']:.0%}" for c in most)))
        if s["baselines"]:
            alike = ", ".join(f"{k} {v['cosine']:.2f}" for k, v in s["baselines"]["agreement"].items())
            rows.append(("beside", f"{alike} (cosine of the electrodes' shares)"))
        for name, found in s["locked"].items():
            rows.append(("locked", f"{name}: {found['said']}"))
        if self.clusters is not None:
            rows.append(("strategies", self.clusters.text))
        embedding = s["inside"] and s["inside"]["positions"]
        if embedding:
            rows.append(("embedding", f"{embedding['part']:.0%} of what signal and position embedding get"))
        rows.append(("kept back", f"{kept} (mean)" if kept else "nothing"))
        if s["closure"] is not None:
            rows.append(("closure", f"{s['closure']:.1e} (relevance and ledger against what was explained)"))
        return [*rows, *(("note", note) for note in self.notes)]


def restored(dataset: xr.Dataset, contract: InputContract) -> Explained:
    """An explanation that was read back, with the windows that the model saw.

    Parameters
    ----------
    dataset : xarray.Dataset
        As `views.explanation` reads it.
    contract : InputContract
        The model's; the length of a window is taken from the dataset.

    Returns
    -------
    Explained
        Without notes, components and baselines.

    Raises
    ------
    InputError
        The contract has other electrodes or another rate, or cannot have windows of this length.
    """
    channels, n = views.electrodes(dataset), dataset.sizes["time"]
    if channels.names != contract.channels or dataset.attrs.get("sfreq") != contract.sfreq:
        raise InputError(
            f"the explanation has other electrodes ({listed(channels, 4)}) or another rate than the contract"
        )
    if contract.patch and n % contract.patch:
        raise InputError(f"the explanation's windows of {n} samples are no multiple of {contract.patch}")
    contract = contract.model_copy(update={"window": n})
    signal = np.asarray(dataset["signal"].values, dtype=np.float32)
    windows = Windows(
        data=as_input(signal, contract),
        signal=signal,
        channels=channels,
        times=dataset["time"].values,
        onsets=dataset["onset"].values,
        labels=tuple(str(label) or None for label in dataset["label"].values),
        sfreq=contract.sfreq,
        decisions=tuple(map(str, json.loads(dataset.attrs.get("decisions", "[]")))),
        splined=tuple(map(str, json.loads(dataset.attrs.get("splined", "[]")))),
    )
    return Explained(
        dataset, windows, contract, views.provenance(dataset), unit=contract.output_unit or "logit"
    )


def truth(labels: tuple[str | None, ...], classes: tuple[str, ...]) -> NDArray[np.int64]:
    """Class index that each label names with one of its tags ("left/agree" is "left"); -1 for none.

    Parameters
    ----------
    labels : tuple of (str or None)
    classes : tuple of str

    Returns
    -------
    ndarray of int, shape (len(labels),)
    """
    folded = {c.casefold(): i for i, c in enumerate(classes)}
    out = []
    for label in labels:
        tags = [] if label is None else [label.casefold(), *label.casefold().split("/")]
        found = {folded[t] for t in tags if t in folded}
        out.append(found.pop() if len(found) == 1 else -1)
    return np.array(out, dtype=np.int64)


def predictions(explained: Explained) -> NDArray[np.int64] | None:
    """Class with the largest output in each window; None where the output has no class axis."""
    if "output" not in explained.dataset or "class" not in explained.dataset["output"].dims:
        return None
    out: NDArray[np.int64] = explained.dataset["output"].values.argmax(-1)
    return out


def accuracy(explained: Explained) -> dict[str, Any] | None:
    """How often the model was right where a label names a class; None where no label does."""
    guess = predictions(explained)
    real = truth(explained.windows.labels, explained.contract.classes)
    if guess is None or not (real >= 0).any():
        return None
    known = real >= 0
    correct = int((guess[known] == real[known]).sum())
    return {"correct": correct, "of": int(known.sum()), "accuracy": correct / int(known.sum())}


def said_target(explained: Explained) -> str:
    """What was explained, in words."""
    return said(explained.dataset, explained.provenance, explained.contract.classes)


def said(dataset: xr.Dataset, provenance: Mapping[str, Any], classes: Sequence[str]) -> str:
    """What was explained, in words, of an explanation in its parts."""
    target, contrast = provenance.get("target"), provenance.get("contrast")
    if isinstance(target, Mapping):
        text = ", ".join(f"{weight:+g} {plain(name)}" for name, weight in target.items())
    elif target == "predicted":
        text = "the predicted class" if classes else "the largest output"
    elif isinstance(target, int) and 0 <= target < len(classes):
        text = f"class {plain(classes[target])}"
    else:
        text = f"class {plain(target)}"
    output = dataset.get("output")
    alone = output is not None and output.ndim > 1 and output.shape[-1] == 1
    against = contrast == "rest" and not isinstance(target, Mapping)  # weights are their own contrast
    return "the output" if alone else text + (" against the mean of the others" if against else "")


def versions() -> dict[str, str]:
    """Versions of onnxplain and what it computes with."""
    found = {"onnxplain": __version__, "python": platform.python_version()}
    for name in _VERSIONED:
        try:
            found[name.removesuffix("-gpu")] = metadata.version(name)
        except metadata.PackageNotFoundError:
            continue
    return found
