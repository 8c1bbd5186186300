"""One side of a comparison: what `explain` or `cohort` wrote, and what is known of how its model does."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import xarray as xr
from numpy.typing import NDArray

from ...engine.errors import InputError
from ..electrodes.names import normalise
from ..electrodes.positions import NEAR, Electrodes, together
from ..explanation import dataset as views
from ..text import counted, listed, plain, squashed
from .cohort_store import is_store, subjects_of
from .scores import accuracy, fit, labels_of, near_random


@dataclass(frozen=True)
class Side:
    """One side of a comparison.

    Attributes
    ----------
    label : str
    subjects : dict of str to Dataset
        What `explain` wrote, by the name of its folder; one, or one for each subject of a cohort.
    by_place : bool
        Whether channels with names of their own stand for the electrodes of the 10-10 system nearest to them,
        to be held beside a side whose channels have other names.
    notes : tuple of str
        What was left out of it.
    """

    label: str
    subjects: Mapping[str, xr.Dataset]
    by_place: bool = False
    notes: tuple[str, ...] = ()

    def keys(self, data: xr.Dataset) -> list[str]:
        """What each channel of one of its recordings is matched by."""
        electrodes = views.electrodes(data)
        keys = [normalise(c) for c in electrodes]
        return _by_place(electrodes, keys) if self.by_place else keys

    @property
    def channels(self) -> dict[str, str]:
        """Electrodes that all its recordings have: what they are matched by, to the name as given."""
        found: dict[str, str] | None = None
        for data in self.subjects.values():
            own = dict(zip(self.keys(data), data["channel"].values.tolist(), strict=True))
            found = own if found is None else {k: v for k, v in found.items() if k in own}
        return found or {}

    @property
    def explain(self) -> set[str]:
        """Whether its explanations are of a "value" (against zero) or of a "difference"."""
        return {str(data.attrs.get("explains", "value")) for data in self.subjects.values()}

    @property
    def electrodes(self) -> Electrodes:
        """Channels of its first recording; measured positions are means over its recordings."""
        return together([views.electrodes(d) for d in self.subjects.values()])

    def units(self, data: xr.Dataset, common: Sequence[str]) -> NDArray[np.float64]:
        """Relevance of a recording summed within electrode and window, shape (window, electrode)."""
        own = self.keys(data)
        total = np.asarray(data["relevance"].sum("time", dtype=np.float64).values)
        return np.asarray(total[:, [own.index(k) for k in common]])


@dataclass(frozen=True)
class SideScore:
    """How a side's model does, and how close its map is to that of random weights.

    Attributes
    ----------
    label : str
    recordings, windows : int
    accuracy : float or None
        Part of the labelled windows in which the model is right, mean over recordings; None where no label
        names a class.
    labelled : int
        How many windows that is of.
    r : float or None
        Correlation of a model's number with labels that are numbers, mean over recordings.
    random : float or None
        Correlation over electrodes (Pearson) of the shares with those of copies with random weights, mean
        over recordings; None where `explain` was not asked for `--baselines`.
    explained : dict of str to int
        Windows by the class that was explained in them; empty where classes have no names.
    """

    label: str
    recordings: int
    windows: int
    accuracy: float | None
    labelled: int
    r: float | None
    random: float | None
    explained: Mapping[str, int]

    @property
    def said_accuracy(self) -> str:
        """In words."""
        if self.accuracy is not None:
            return f"{self.accuracy:.0%} of {counted(self.labelled, 'labelled window')}"
        return "not known" if self.r is None else f"r = {self.r:.2f} with its labels"

    @property
    def said_random(self) -> str:
        """In words."""
        return "not known" if self.random is None else f"{self.random:.2f}"


def read_side(path: Path, label: str | None = None) -> Side:
    """Read what `explain` wrote (its folder, or a folder of such folders, one for each subject) or `cohort`.

    Raises
    ------
    InputError
        There is no explanation in it, or it cannot be read.
    """
    if is_store(path):
        return Side(label or plain(path.stem, 40), subjects_of(path))
    single = path if path.suffix == ".nc" else path / views.RESULT
    files = {path.name: single} if single.is_file() else {}
    if not files and path.is_dir():
        files = {p.parent.name: p for p in sorted(path.glob(f"*/{views.RESULT}"))}
    subjects = {name: views.explanation(file) for name, file in (files or {path.name: path}).items()}
    return Side(label or plain(path.name, 40), subjects)


def by_label(side: Side, labels: Sequence[str]) -> list[Side]:
    """The windows of one side by their label: a side for each.

    Parameters
    ----------
    side : Side
    labels : sequence of str
        Two or more. A window has a label that is spelt so or has it for a tag: "target/hit" is "target".

    Returns
    -------
    list of Side
        Of subjects that have every label, so that subjects stand in pairs.

    Raises
    ------
    InputError
        Fewer than two labels; nobody has windows of all of them.
    """
    if len(labels) < 2:
        raise InputError(f"by label: {listed(labels)} is one label; name two or more")
    rows = {name: [_labelled(data, label) for label in labels] for name, data in side.subjects.items()}
    whole = [name for name, found in rows.items() if all(len(i) for i in found)]
    if not whole:
        known = Counter(label for data in side.subjects.values() for label in labels_of(data) if label)
        there = f"there are {listed(known, 20)}" if known else "its windows have no labels"
        raise InputError(f"{side.label}: no recording has windows of each of {listed(labels)}; {there}")
    lost = [name for name in rows if name not in whole]
    note = f"Without windows of each label, and left out: {listed(lost)}."
    return [
        Side(
            plain(label, 40),
            {name: side.subjects[name].isel(epoch=rows[name][i]) for name in whole},
            notes=(note,) if lost and i == 0 else (),
        )
        for i, label in enumerate(labels)
    ]


def _labelled(data: xr.Dataset, label: str) -> NDArray[np.intp]:
    """Windows with a label, or with a tag of that name."""
    wanted = squashed(label)
    found = [wanted in {squashed(text), *map(squashed, text.split("/"))} for text in labels_of(data)]
    return np.flatnonzero(found)


def score(side: Side, label: str) -> SideScore:
    """What its datasets say of how its model does."""
    right = [a for data in side.subjects.values() if (a := accuracy(data)) is not None]
    fits = [r for data in side.subjects.values() if (r := fit(data)) is not None]
    near = [r for data in side.subjects.values() if (r := near_random(data)) is not None]
    explained: Counter[str] = Counter()
    for data in side.subjects.values():
        if "target_class" in data.coords:
            explained.update(plain(name, 40) for name in data["target_class"].values.tolist())
    return SideScore(
        label=label,
        recordings=len(side.subjects),
        windows=sum(int(data.sizes["epoch"]) for data in side.subjects.values()),
        accuracy=float(np.mean([part for part, _ in right])) if right else None,
        labelled=sum(n for _, n in right),
        r=float(np.mean(fits)) if fits else None,
        random=float(np.mean(near)) if near else None,
        explained=dict(explained),
    )


def matched(sides: Sequence[Side]) -> tuple[list[Side], list[str]]:
    """The sides, matched by name or by place, and what their common channels are matched by.

    By place where that gives more electrodes: a cap with names of its own beside 10-20 names, or two caps
    that give one name to different places.
    """
    found = []
    for by_place in (False, True):
        made = [replace(s, by_place=by_place) for s in sides]
        common = [k for k in made[0].channels if all(k in s.channels for s in made)]
        found.append(
            (made, [k for k in common if by_place or _one_place([s.channels[k] for s in made], made)])
        )
    return max(found, key=lambda f: len(f[1]))  # by name where both give as many


def _by_place(electrodes: Electrodes, keys: Sequence[str]) -> list[str]:
    """The 10-10 electrode nearest to each channel with a measured position, where no other is nearer."""
    found = list(keys)
    best: dict[str, tuple[float, int]] = {}
    for i, name in enumerate(electrodes):
        near = electrodes.nearest(name)
        if near is not None and near not in keys:
            away = np.linalg.norm(electrodes.positions[name] - Electrodes([near]).positions[near])
            best[near] = min(best.get(near, (np.inf, i)), (float(away), i))
    for near, (_, i) in best.items():
        found[i] = near
    return found


def _one_place(names: Sequence[str], sides: Sequence[Side]) -> bool:
    """Whether channels of one name lie together, where all have a measured position."""
    each = [s.electrodes for s in sides]
    if not all(n in e.measured for n, e in zip(names, each, strict=True)):
        return True
    places = np.array([e.positions[n] for n, e in zip(names, each, strict=True)])
    return bool((np.linalg.norm(places - places[0], axis=1) < NEAR).all())
