"""What data offer before there is any model: can labels be read from what is no brain signal?

A model that is trained on such data has had the chance to learn it. Nothing is said of any model here.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from functools import partial
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ...engine.steps import step
from ..electrodes.positions import Electrodes
from ..text import counted, listed
from .audit_features import AuditFeatures, features
from .audit_labels import labels_of
from .decoding import Decoded, Design, balanced, correlations, decode, interval, part_above

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]

MAX_P, MARGIN = 0.01, 0.05

# What an audit has no account of.
CANNOT_SEE = (
    "Cues in the shape of the signal: phases, latencies, what two electrodes or rhythms do together. What is "
    "read here are sizes and levels, by a small linear decoder.",
    "Cues inside of rhythms: muscle in beta, eyes in delta and theta. The gate looks for them with a model "
    "(`onnxplain validate`).",
    "Cues that all windows of this data share, and people, devices and sites that are not in it.",
    "Whether a slow or a fast signal is the brain's: a readiness potential is drift, gamma is fast. "
    "Only who knows the task can say.",
    "Chance: of some twenty lines each is held to p < 0.01, so that now and then one is by chance.",
)


@dataclass(frozen=True)
class AuditRow:
    """One thing that labels were decoded from.

    Attributes
    ----------
    name, said : str
        Short, and in words.
    decoded : Decoded or None
        None where it could not be looked at, or windows do not differ in it.
    why_not : str
        Why it could not be looked at; empty where it could.
    rhythm : bool
        Whether it is a rhythm, which is no shortcut by itself.
    maybe_brain : bool
        Whether a task's own signal may be in it.
    """

    name: str
    said: str
    decoded: Decoded | None = None
    why_not: str = ""
    rhythm: bool = False
    maybe_brain: bool = False

    @property
    def tells(self) -> bool:
        """Whether labels can be read from it."""
        d = self.decoded
        return d is not None and d.p < MAX_P and d.low > d.chance + MARGIN

    @property
    def offers(self) -> bool:
        """Whether it is a shortcut that the data offer."""
        return self.tells and not self.rhythm

    @property
    def verdict(self) -> str:
        """In words."""
        if self.why_not:
            return f"could not be looked at: {self.why_not}"
        if self.decoded is None:
            return "windows do not differ in it"
        if self.rhythm:
            return (
                "tells labels, as tasks do: no shortcut by itself" if self.tells else "does not tell labels"
            )
        if not self.tells:
            return "no shortcut"
        return "offers a shortcut" + (", unless the task's own signal is there" if self.maybe_brain else "")

    def to_dict(self) -> dict[str, Any]:
        """Plain data."""
        numbers = {} if self.decoded is None else asdict(self.decoded)
        return {
            "name": self.name, "said": self.said, **numbers, "offers": self.offers, "rhythm": self.rhythm,
            "maybe_brain": self.maybe_brain, "verdict": self.verdict,
        }  # fmt: skip


@dataclass(frozen=True)
class Audit:
    """What data offer.

    Attributes
    ----------
    rows : tuple of AuditRow
        Best told first; what could not be looked at last.
    measure : str
        "balanced accuracy", or "correlation" for labels that are numbers.
    chance : float
    counts : mapping of str to int
        Windows of each class.
    windows, subjects, recordings : int
    notes : tuple of str
        How windows were cut, how labels were shuffled, what was left out.
    cannot_see : tuple of str
    about : mapping
        Of what: file, channels, rate, seconds.
    """

    rows: tuple[AuditRow, ...]
    measure: str
    chance: float
    counts: Mapping[str, int]
    windows: int
    subjects: int
    recordings: int
    notes: tuple[str, ...] = ()
    cannot_see: tuple[str, ...] = CANNOT_SEE
    about: Mapping[str, Any] = field(default_factory=dict)

    @property
    def offered(self) -> tuple[AuditRow, ...]:
        """Shortcuts that the data offer, best told first."""
        return tuple(r for r in self.rows if r.offers)

    def said(self) -> str:
        """The answer as a sentence."""
        if not self.offered:
            looked = any(r.decoded is not None and not r.rhythm for r in self.rows)
            return (
                "No shortcut was found in what could be looked at."
                if looked
                else "Nothing could be looked at."
            )
        said = ", ".join(r.said for r in self.offered)
        return f"Labels can be read from what need be no brain signal: {said}."

    def number(self, value: float) -> str:
        """An accuracy, or a correlation, as it is shown."""
        return f"{value:.2f}" if self.measure == "correlation" else f"{value:.0%}"

    def sentence(self, row: AuditRow) -> str:
        """A line in words, without a full stop."""
        d = row.decoded
        if d is None:
            return f"Labels told from {row.said}: {row.verdict}"
        value, low, high, chance = map(self.number, (d.value, d.low, d.high, d.chance))
        return (
            f"Labels told from {row.said}: {value} ({low} to {high}; chance {chance}, p = {d.p:.2g}): "
            f"{row.verdict}"
        )

    def cells(self, row: AuditRow) -> tuple[str, ...]:
        """A line of the table: what, the number, its interval, p, the verdict."""
        d = row.decoded
        if d is None:
            return row.said, "", "", "", row.verdict
        low, high = self.number(d.low), self.number(d.high)
        return row.said, self.number(d.value), f"{low} to {high}", f"{d.p:.2g}", row.verdict

    def lines(self) -> list[tuple[str, str]]:
        """What was looked at in a few lines, without the table."""
        many = [
            counted(self.windows, "window"),
            counted(self.subjects, "subject"),
            counted(self.recordings, "recording"),
        ]
        found = [("data", ", ".join(many))]
        if self.counts:
            found.append(("classes", listed((f"{k}: {v}" for k, v in self.counts.items()), 20)))
        found.append(("measure", f"{self.measure}, cross-validated; chance {self.number(self.chance)}"))
        return [*found, ("answer", self.said()), *(("note", n) for n in self.notes)]

    def to_dict(self) -> dict[str, Any]:
        """Plain data, ready for JSON."""
        return {
            "said": self.said(), "offered": [r.name for r in self.offered], "measure": self.measure,
            "chance": self.chance, "counts": dict(self.counts), "windows": self.windows,
            "subjects": self.subjects, "recordings": self.recordings,
            "rows": [r.to_dict() for r in self.rows], "notes": list(self.notes),
            "cannot_see": list(self.cannot_see), "about": dict(self.about),
        }  # fmt: skip


def audit(
    signal: NDArray[np.floating],
    sfreq: float,
    electrodes: Electrodes,
    labels: Sequence[str | float | None] | NDArray[Any],
    *,
    onsets: NDArray[np.floating] | None = None,
    subjects: Sequence[str] | None = None,
    recordings: Sequence[str] | None = None,
    groups: Mapping[str, tuple[str, Sequence[str]]] | None = None,
    seed: int = 0,
    notes: Sequence[str] = (),
    about: Mapping[str, Any] | None = None,
) -> Audit:
    """Whether labels can be read from what is no brain signal.

    Parameters
    ----------
    signal : ndarray, shape (window, channel, time)
        Microvolt.
    sfreq : float
        Hz.
    electrodes : Electrodes
    labels : sequence of (str, float or None), one a window
        More than ten unlike numbers are numbers, anything else classes. Windows without one are left out.
    onsets : ndarray, shape (window,), optional
        Seconds in the recording; by default windows come in order of time.
    subjects : sequence of str, optional
        Whose each window is; one person by default.
    recordings : sequence of str, optional
        By default one a subject, and another one where onsets go back.
    groups : mapping of str to (str, sequence of str), optional
        More that windows may have in common: a name, what it is in words, and which of them each window has.
    seed : int
    notes : sequence of str
        Kept.
    about : mapping, optional
        Kept.

    Returns
    -------
    Audit

    Raises
    ------
    InputError
        There are too few labels, or of one class only.
    """
    n = len(signal)
    who = np.array(["one"] * n if subjects is None else [str(s) for s in subjects])
    at = np.arange(n, dtype=np.float64) if onsets is None else np.asarray(onsets, dtype=np.float64)
    which = _recordings(who, at) if recordings is None else np.array([str(r) for r in recordings])
    y, classes, known, left = labels_of(labels)
    subject, recording = (np.unique(v[known], return_inverse=True)[1] for v in (who, which))
    design = Design(y, classes, subject, recording, at[known], seed)
    rows = [*_of_design(design, {k: (s, np.array(v)[known]) for k, (s, v) in (groups or {}).items()})]
    x = np.asarray(signal, dtype=np.float64)[known]
    step("looking at what windows have")
    for found in features(x, sfreq, electrodes):
        rows.append(_row(design, found))
    held = "other subjects" if design.by_subject else "other segments of the recording"
    said = [
        f"Windows are guessed from those of {held}; for what chance gives, labels are shuffled by "
        f"{design.said_units}."
    ]
    if design.by_subject and design.one_each:
        said.append("Each subject has one label only: whatever tells people apart tells labels apart.")
    rows.sort(key=lambda r: (r.decoded is None, bool(r.why_not), -(r.decoded.value if r.decoded else 0.0)))
    return Audit(
        tuple(rows),
        "balanced accuracy" if classes else "correlation",
        design.chance,
        {c: int((y == i).sum()) for i, c in enumerate(classes)},
        len(y), len(np.unique(who[known])), len(np.unique(which[known])),
        (*notes, *left, *said), about=dict(about or {}),
    )  # fmt: skip


def _row(design: Design, found: AuditFeatures) -> AuditRow:
    """What labels can be told from some numbers."""
    made = partial(AuditRow, found.name, found.said, rhythm=found.rhythm, maybe_brain=found.maybe_brain)
    x = found.x
    if x is None:
        return made(why_not=found.why_not)
    x = x[:, np.isfinite(x).all(0)]
    x = x[:, np.ptp(x, axis=0) > 1e-9 * np.maximum(np.abs(x).max(0), 1e-12)]
    if not x.shape[1]:
        return made()
    if design.why_not:
        return made(why_not=design.why_not)
    return made(decoded=decode(design, x))


def _of_design(design: Design, groups: Mapping[str, tuple[str, NDArray[Any]]]) -> Iterator[AuditRow]:
    """What the order of windows, and whose they are, say of labels."""
    said = "the time in the recording"
    if design.one_each:
        yield AuditRow("time", said, why_not="each subject has one label only")
    else:
        yield AuditRow("time", said, decode(design, _times(design), of_time=True))
    if len(design.following) and not design.one_each:
        yield AuditRow("before", "the label of the window before", _told_by(design, None))
    seen = [np.zeros(len(design), np.int64)]
    all_groups = {
        "subject": ("the subject", design.subjects),
        "recording": ("the recording", design.recordings), **groups,
    }  # fmt: skip
    for name, (words, values) in all_groups.items():
        of = np.unique(values, return_inverse=True)[1]
        if not any(_same_partition(of, other) for other in seen):
            yield AuditRow(name, words, _told_by(design, of))
        seen.append(of)


def _times(design: Design) -> Floats:
    """Onset and rank in the recording, from 0 to 1, and their powers."""
    out = np.zeros((len(design), 2))
    for recording in np.unique(design.recordings):
        rows = design.order[design.recordings[design.order] == recording]
        at = design.onsets[rows] - design.onsets[rows].min()
        out[rows, 0] = at / max(float(at.max()), 1e-12)
        out[rows, 1] = np.arange(len(rows)) / max(len(rows) - 1, 1)
    return np.concatenate([out, out**2, out**3], axis=1)


def _told_by(design: Design, groups: Ints | None) -> Decoded:
    """How well other windows of a group tell a window's label; by default those after the same label."""
    every = np.concatenate([design.y[None], design.freely(across=groups is not None)])
    guesses = np.stack(
        [_others(design, row, _before(design, row) if groups is None else groups) for row in every]
    )
    if design.of_classes:
        scores = balanced(guesses, every, len(design.classes))
    else:
        scores = correlations(guesses.astype(float), every.astype(float))
    low, high = interval(design, guesses[0], windows=True)
    return Decoded(float(scores[0]), low, high, design.chance, part_above(scores))


def _before(design: Design, y: NDArray[Any]) -> Ints:
    """The group of windows whose window before has the same label; numbers in tenths of their range."""
    a, b = design.following.T
    if not design.of_classes:
        y = np.searchsorted(np.quantile(y, np.linspace(0, 1, 11)[1:-1]), y)
    out = np.full(len(design), int(y.max()) + 1, np.int64)
    out[b] = y[a]
    return out


def _others(design: Design, y: NDArray[Any], groups: Ints) -> NDArray[Any]:
    """A guess of each window's label by the other windows of its group."""
    if not design.of_classes:
        n, total = np.bincount(groups)[groups], np.bincount(groups, weights=y)[groups]
        return np.asarray(np.where(n > 1, (total - y) / np.maximum(n - 1, 1), y.mean()))
    k = len(design.classes)
    table = np.zeros((int(groups.max()) + 1, k))
    np.add.at(table, (groups, y), 1)
    own = np.eye(k)[y]
    # Of each class, the part of its other windows that the group has: frequent classes do not win by that.
    return np.asarray(((table[groups] - own) / np.maximum(table.sum(0) - own, 1)).argmax(1))


def _same_partition(a: Ints, b: Ints) -> bool:
    return len(np.unique(np.stack([a, b]), axis=1).T) == len(np.unique(a)) == len(np.unique(b))


def _recordings(who: NDArray[Any], at: Floats) -> Ints:
    """Another recording where the subject changes or time goes back."""
    return np.concatenate([[0], np.cumsum((who[1:] != who[:-1]) | (np.diff(at) < 0))])
