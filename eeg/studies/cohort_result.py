"""What a cohort found: a row for each recording, and what they say together."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..electrodes import regions
from ..electrodes.positions import Electrodes, Place, together
from ..text import counted, plain
from . import statistics


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


@dataclass(frozen=True)
class Cohort:
    """What became of a dataset.

    Attributes
    ----------
    rows : tuple of CohortRow
        In order of the recordings' names.
    kept : int
        Of them, those that the store had already.
    """

    rows: tuple[CohortRow, ...]
    kept: int

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

    def summary(self) -> dict[str, Any]:
        """Shares of sets over subjects, how consistent subjects are, and every recording."""
        maps = self.maps()
        out: dict[str, Any] = {
            "recordings": len(self.good),
            "refused": len(self.rows) - len(self.good),
            "kept": self.kept,
            "subjects": len(maps),
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
        for name, electrodes in regions.SETS.items():
            inside = np.isin(channels, regions.members(list(electrodes), channels))
            if inside.any():
                each = stack[:, inside].sum(1)
                out["sets"].append(
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
        for name, electrodes in regions.SETS.items():
            inside = np.isin(channels, regions.members(list(electrodes), channels))
            each = np.array(
                [[np.array(r.share)[inside].sum() for r in rows[:runs]] for rows in by_subject.values()]
            )
            if inside.any() and np.ptp(each) > 0:
                found.append({"name": name, "runs": runs, **vars(statistics.icc(each))})
        return found


def _said_fit(fit: Mapping[str, Any]) -> str:
    """How a number goes with labels, in words."""
    r = "" if fit["r"] is None else f"r = {fit['r']:.2f}, "
    within = "" if fit["within"] is None else f"; within recordings r = {fit['within']:.2f} (median)"
    off = f"mean absolute error {fit['mae']:.3g} {plain(fit['unit'], 20)}".rstrip()
    return f"{r}{off} over {counted(fit['subjects'], 'subject')}{within}"
