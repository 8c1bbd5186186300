"""What a cohort found: a row for each recording, and what they say together."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import stats

from ..electrodes import regions
from ..electrodes.positions import Electrodes, Place, together
from ..electrodes.region_file import Regions
from ..text import counted, plain
from . import statistics
from .scores import correlation


@dataclass(frozen=True)
class CohortRow:
    """What became of one recording.

    Attributes
    ----------
    name, subject : str
    said : str
        Why it was refused; empty where it was explained.
    windows : int
    channels : tuple of str
    share : tuple of float
        Relevance share of each electrode.
    accuracy : float or None
    fit : dict or None
        Of an output that is a number, with labels that are: as `explained.fit` gives it.
    places : dict of str to (float, float, float)
        Measured positions of channels with names of their own, in metre.
    random : float or None
        Correlation over electrodes of the shares with those of random weights, where `--baselines` was asked
        for.
    """

    name: str
    subject: str
    said: str
    windows: int = 0
    channels: tuple[str, ...] = ()
    share: tuple[float, ...] = ()
    accuracy: float | None = None
    fit: Mapping[str, Any] | None = None
    places: Mapping[str, Place] = field(default_factory=dict)
    random: float | None = None


@dataclass(frozen=True)
class CohortSubject:
    """One subject of a cohort.

    Attributes
    ----------
    name : str
    recordings, windows : int
    accuracy : float or None
        Mean over recordings.
    correlation : float or None
        Of its map (shares of electrodes) with the mean of the others' (Pearson); None for a single subject.
    random : float or None
        Of its map with that of random weights.
    most : tuple of str
        The three electrodes with most.
    """

    name: str
    recordings: int
    windows: int
    accuracy: float | None
    correlation: float | None
    random: float | None
    most: tuple[str, ...]


@dataclass(frozen=True)
class Cohort:
    """What became of a dataset.

    Attributes
    ----------
    rows : tuple of CohortRow
        In order of the recordings' names.
    kept : int
        Of them, those that the store had already.
    whose : str
        Where their subjects are from, in words.
    regions : Regions
        The electrode sets and regions it is read by.
    """

    rows: tuple[CohortRow, ...]
    kept: int
    whose: str = ""
    regions: Regions = field(default_factory=Regions)

    @property
    def good(self) -> tuple[CohortRow, ...]:
        """Those that were explained."""
        return tuple(r for r in self.rows if not r.said)

    def maps(self) -> dict[str, NDArray[np.float64]]:
        """Relevance share of each electrode by subject: the mean over the subject's recordings."""
        found: dict[str, list[tuple[float, ...]]] = {}
        for r in self.good:
            found.setdefault(r.subject, []).append(r.share)
        return {s: np.mean(each, axis=0) for s, each in found.items()}

    @property
    def electrodes(self) -> Electrodes:
        """The model's channels; positions of those with names of their own are means over recordings."""
        return together([Electrodes(r.channels, r.places, own=r.places) for r in self.good])

    def _sets(self) -> dict[str, tuple[str, ...]]:
        """The electrode sets that have channels here."""
        channels = self.electrodes
        found = {n: regions.members(list(wanted), channels) for n, wanted in self.regions.sets.items()}
        return {name: there for name, there in found.items() if there}

    def subjects(self) -> list[CohortSubject]:
        """What is known of each subject, and how like the others' mean its map is."""
        maps = self.maps()
        stack = np.stack(list(maps.values())) if maps else np.empty((0, 0))
        found = []
        for i, name in enumerate(maps):
            rows = [r for r in self.good if r.subject == name]
            right = [r.accuracy for r in rows if r.accuracy is not None]
            near = [r.random for r in rows if r.random is not None]
            others = np.delete(stack, i, axis=0)
            found.append(
                CohortSubject(
                    name=name,
                    recordings=len(rows),
                    windows=sum(r.windows for r in rows),
                    accuracy=float(np.mean(right)) if right else None,
                    correlation=correlation(stack[i], others.mean(0)) if len(others) else None,
                    random=float(np.mean(near)) if near else None,
                    most=tuple(self.electrodes[int(j)] for j in np.argsort(-stack[i])[:3]),
                )
            )
        return found

    def answer(self) -> list[str]:
        """Where most is over subjects, in whom the model is right least, and how alike subjects are."""
        maps = self.maps()
        if not maps:
            return []
        channels, stack = self.electrodes, np.stack(list(maps.values()))
        mean = stack.mean(0)
        best = ", ".join(f"{plain(channels[int(i)], 20)} {mean[i]:.0%}" for i in np.argsort(-mean)[:3])
        parts = {n: np.isin(channels, e) for n, e in self.regions.partition(channels).items()}
        name = max(parts, key=lambda n: mean[parts[n]].sum() - parts[n].mean())
        each, even = stack[:, parts[name]].sum(1), float(parts[name].mean())
        low = float(each.mean() - even) - _reach(each)
        over = counted(len(maps), "subject")
        on = f"{each.mean():.0%} over {over}, which are {even:.0%} of the electrodes"
        said = (
            f"Most relevance beyond an even spread is on {name} electrodes: {on}. Of single electrodes: "
            f"{best} (even {1 / len(channels):.0%})."
            if low > 0
            else f"No region stands out: most beyond an even spread is on {name} electrodes, {on}, and "
            "subjects differ by more than that."
        )
        return [said, *self._right(), *self._alike(stack)]

    def _right(self) -> list[str]:
        known = [(s.accuracy, s.name) for s in self.subjects() if s.accuracy is not None]
        if not known:
            return []
        worst, who = min(known)
        mean = float(np.mean([a for a, _ in known]))
        least = f"; least in subject {plain(who, 40)}, {worst:.0%}" if worst < max(known)[0] else ""
        return [f"The model is right in {mean:.0%} of labelled windows, mean of subjects{least}."]

    def _alike(self, stack: NDArray[np.float64]) -> list[str]:
        alike = statistics.consistency(stack)
        if alike is None:
            return ["How alike subjects are is not told for fewer than three."]
        return [
            f"Subjects' maps correlate by {alike.value:.2f} on average (95 % interval {alike.low:.2f} to "
            f"{alike.high:.2f})."
        ]

    def summary(self) -> dict[str, Any]:
        """Shares of regions and sets over subjects, how consistent subjects are, and every recording."""
        maps = self.maps()
        out: dict[str, Any] = {
            "recordings": len(self.good),
            "refused": len(self.rows) - len(self.good),
            "kept": self.kept,
            "subjects": len(maps),
            "subjects_from": self.whose,
            "answer": self.answer(),
            "by_subject": [vars(s) for s in self.subjects()],
            "regions": [],
            "sets": [],
            "consistency": None,
            "fit": self._fit(),
            "runs": [],
            "rows": [
                {k: v for k, v in vars(r).items() if k not in ("share", "channels", "places")}
                for r in self.rows
            ],
        }
        if not maps:
            return out
        channels = self.electrodes
        stack = np.stack(list(maps.values()))
        for kind, named in (("regions", self.regions.partition(channels)), ("sets", self._sets())):
            for name, electrodes in named.items():
                inside = np.isin(channels, electrodes)
                each = stack[:, inside].sum(1)
                out[kind].append(
                    {
                        "name": name,
                        "share": float(each.mean()),
                        "spread": float(each.std(ddof=1)) if len(each) > 1 else None,
                        "of_electrodes": float(inside.mean()),
                    }
                )
        alike = statistics.consistency(stack)
        out["consistency"] = None if alike is None else vars(alike)
        out["runs"] = self._runs()
        return out

    def _fit(self) -> dict[str, Any] | None:
        """How a number goes with labels, over subjects and within recordings."""
        found: dict[str, list[Mapping[str, Any]]] = {}
        for r in self.good:
            if r.fit is not None:
                found.setdefault(r.subject, []).append(r.fit)
        if not found:
            return None
        said, true = (
            np.array([np.mean([f[what] for f in fits]) for fits in found.values()])
            for what in ("said", "labelled")
        )
        within = [f["r"] for fits in found.values() for f in fits if f["r"] is not None]
        apart = len(said) > 2 and said.std() and true.std()
        return {
            "subjects": len(found),
            "r": float(np.corrcoef(said, true)[0, 1]) if apart else None,
            "mae": float(np.abs(said - true).mean()),
            "within": float(np.median(within)) if within else None,
            "unit": next(iter(found.values()))[0]["unit"],
            "by_subject": {
                name: {"said": float(a), "labelled": float(b)}
                for name, a, b in zip(found, said, true, strict=True)
            },
        }

    def lines(self) -> list[tuple[str, str]]:
        """The summary in a few lines, as (what, text)."""
        s = self.summary()
        kept = f" ({s['kept']} of them from before)" if s["kept"] else ""
        rows = [
            (
                "explained",
                f"{counted(s['recordings'], 'recording')} of {counted(s['subjects'], 'subject')}{kept}",
            )
        ]
        rows += [("subjects", self.whose)] if self.whose else []
        rows += [("answer" if i == 0 else "", sentence) for i, sentence in enumerate(s["answer"][:2])]
        for each in s["sets"]:
            spread = "" if each["spread"] is None else f", standard deviation {each['spread']:.0%}"
            on = f"on {each['of_electrodes']:.0%} of the electrodes{spread}"
            rows.append((each["name"], f"{each['share']:.0%} of the relevance {on}"))
        if s["fit"] is not None:
            rows.append(("fit", _said_fit(s["fit"])))
        alike = s["consistency"]
        if alike is not None:
            interval = f"{alike['low']:.2f} to {alike['high']:.2f}"
            rows.append(("consistency", f"correlation of subjects {alike['value']:.2f} ({interval})"))
        elif s["recordings"]:
            rows.append(("consistency", "not told for fewer than three subjects"))
        rows += [
            (f"runs, {r['name']}", f"ICC {r['value']:.2f} ({r['low']:.2f} to {r['high']:.2f})")
            for r in s["runs"]
        ]
        return [*rows, *(("refused", f"{plain(r.name, 60)}: {r.said}") for r in self.rows if r.said)]

    def _runs(self) -> list[dict[str, Any]]:
        """Whether a subject's runs give the same share of a set: ICC(2,1), over as many runs as all have."""
        by_subject: dict[str, list[CohortRow]] = {}
        for r in self.good:
            by_subject.setdefault(r.subject, []).append(r)
        runs = min(map(len, by_subject.values()))
        if runs < 2 or len(by_subject) < 2:
            return []
        channels, found = self.electrodes, []
        for name, electrodes in self._sets().items():
            inside = np.isin(channels, electrodes)
            each = np.array(
                [[np.array(r.share)[inside].sum() for r in rows[:runs]] for rows in by_subject.values()]
            )
            if np.ptp(each) > 0:
                found.append({"name": name, "runs": runs, **vars(statistics.icc(each))})
        return found


def _reach(values: NDArray[np.float64]) -> float:
    """Half of the 95 % interval of a mean over subjects (t); 0 for fewer than three, which give none."""
    if len(values) < 3:
        return 0.0
    return float(stats.t.ppf(0.975, len(values) - 1) * values.std(ddof=1) / np.sqrt(len(values)))


def _said_fit(fit: Mapping[str, Any]) -> str:
    """How a number goes with labels, in words."""
    r = "" if fit["r"] is None else f"r = {fit['r']:.2f}, "
    within = "" if fit["within"] is None else f"; within recordings r = {fit['within']:.2f} (median)"
    off = f"mean absolute error {fit['mae']:.3g} {plain(fit['unit'], 20)}".rstrip()
    return f"{r}{off} over {counted(fit['subjects'], 'subject')}{within}"
