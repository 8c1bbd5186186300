"""docs/ground-truth.md of what studies/ground_truth.py measured."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from architectures import RECIPES
from correctness import machine, table
from ground_truth_text import FOOT, HEAD, SPACE, TRIED
from maps import METHODS
from numpy.typing import NDArray
from scipy import stats
from sources import SCENES

from onnxplain.eeg.explanation.bands import BANDS

COORDINATES = ("space", "time", "band")
# Of the tables by scene; the summaries have all.
MAIN = (
    "difference", "difference, any class", "expected gradients", "exchange of electrodes",
    "attnlrp", "cplrp_pooled", "occlusion", "random difference",
)  # fmt: skip
AGAINST_ZERO = ("attnlrp", "attnlrp_pooled", "cplrp", "cplrp_pooled")
ONE_PASS = ("difference", "difference, any class", *AGAINST_ZERO, "gradient x input")
BAR = "exchange of electrodes"
CLEARLY, LOW, NEAR = 0.05, 0.8, 0.15
FREE = 10  # degrees of freedom that an interval has at least

Measured = Mapping[str, Any]


@dataclass(frozen=True)
class Cell:
    """Networks of one scene and architecture, in one reading."""

    scene: str
    architecture: str
    reading: str
    networks: Sequence[Measured]

    def __str__(self) -> str:
        return f"{self.scene}, {self.architecture}, {self.reading}"

    def values(self, method: str, coordinate: str) -> NDArray[np.float64] | None:
        """Mass and rank accuracy, [network, 2]; None where the method or the scene has none."""
        each = [m[method][self.reading].get(coordinate) for m in self.networks if method in m]
        found = [v for v in each if v is not None]
        return np.array(found) if found else None

    def mean(self, method: str, coordinate: str) -> NDArray[np.float64] | None:
        """Mass and rank accuracy, means over networks."""
        values = self.values(method, coordinate)
        return None if values is None else np.asarray(values.mean(0))

    def even(self, coordinate: str) -> float:
        """The mass accuracy of relevance that is spread evenly: the truth's part of all units."""
        if coordinate == "band":
            return len(next(s.band for s in SCENES if s.name == self.scene)) / (len(BANDS) + 1)
        return float(np.mean([m["even"][coordinate] for m in self.networks]))


def written(found: Mapping[str, Measured], tried: Mapping[str, Measured]) -> str:
    """The document.

    Parameters
    ----------
    found, tried : mapping of str to what was measured of one network
        Of the methods, and of what was tried beside them on other seeds.
    """
    cells = cells_of(found.values())
    seeds = sorted({m["seed"] for m in found.values()})
    text = [HEAD, _networks(found.values()), ""]
    text.append(f"{len(found)} networks have been measured, of seeds {seeds[0]} to {seeds[-1]}.")
    text += ["\n## All together\n", SPACE, _summary(cells), ""]
    text += [_coordinates(cells), "", _said(cells)]
    for coordinate in COORDINATES:
        if any(c.values("random", coordinate) is not None for c in cells):
            text += [f"\n## In {coordinate}\n", _by_cell(cells, coordinate)]
    if any(c.values("random", "beside") is not None for c in cells):
        text += ["\n## The second source\n", _beside(cells)]
    if tried:
        text += ["\n## What was tried to be sharper\n", TRIED, _tried(cells_of(tried.values())), ""]
    return "\n".join([*text, FOOT, "", machine(), ""])


def cells_of(every: Iterable[Measured]) -> list[Cell]:
    """Networks that count, by scene, architecture and reading."""
    counted = [m for m in every if m["counts"]]
    made = []
    for scene in SCENES:
        for architecture in RECIPES:
            own = [m for m in counted if (m["scene"], m["architecture"]) == (scene.name, architecture)]
            if own:
                names = ("contrast",) if scene.contrast else ("there", "absent")
                made += [Cell(scene.name, architecture, reading, own) for reading in names]
    return made


def _networks(every: Iterable[Measured]) -> str:
    """How many networks count, how often they are right, and how often without the source."""
    rows = []
    for scene in SCENES:
        row = []
        for architecture in RECIPES:
            own = [m for m in every if (m["scene"], m["architecture"]) == (scene.name, architecture)]
            good = [m for m in own if m["counts"]]
            right = f", {np.mean([m['accuracy'] for m in good]):.2f}" if good else ""
            blind = f" ({np.mean([m['without'] for m in good]):.2f})" if good else ""
            row.append(f"{len(good)} of {len(own)}{right}{blind}")
        rows.append((scene.name, *row))
    return table(("scene", *RECIPES), rows)


def _mean(cells: Sequence[Cell], method: str, coordinate: str, of: int) -> float | None:
    """The mean over cells, each of which counts the same."""
    each = [v for c in cells if (v := c.mean(method, coordinate)) is not None]
    return float(np.mean([v[of] for v in each])) if each else None


def _interval(cells: Sequence[Cell], method: str) -> str:
    """95 % of the mean mass in space over other networks of the same cells.

    By t with the variance within cells, pooled: many cells have few networks.
    """
    each = [v[:, 0] for c in cells if (v := c.values(method, "space")) is not None]
    free = sum(len(v) - 1 for v in each)
    if free < FREE:
        return "-"
    variance = sum(float(((v - v.mean()) ** 2).sum()) for v in each) / free
    error = np.sqrt(sum(variance / len(v) for v in each)) / len(each)
    return f"± {stats.t.ppf(0.975, free) * error:.3f}"


def _summary(cells: Sequence[Cell]) -> str:
    """Space: by architecture and reading, all together, and the lowest."""
    groups: list[tuple[str, Callable[[Cell], bool]]] = [
        *((f"there, {a}", lambda c, a=a: c.reading == "there" and c.architecture == a) for a in RECIPES),
        ("contrast", lambda c: c.reading == "contrast"),
        ("absent", lambda c: c.reading == "absent"),
    ]
    rows = []
    for method, entry in METHODS.items():
        row: list[str] = [method, str(entry.passes)]
        for _, belongs in groups:
            own = [c for c in cells if belongs(c)]
            mass, rank = (_mean(own, method, "space", i) for i in (0, 1))
            row.append("-" if mass is None else f"{mass:.2f} ({rank:.2f})")
        lowest = min((float(v[1]), str(c)) for c in cells if (v := c.mean(method, "space")) is not None)
        mass, rank = (_mean(cells, method, "space", i) for i in (0, 1))
        row += [f"{mass:.2f} ({rank:.2f})", _interval(cells, method), f"{lowest[0]:.2f}"]
        rows.append(row)
    header = ("method", "passes", *(g for g, _ in groups), f"all {len(cells)}", "95 %", "lowest rank")
    return table(header, rows)


def _coordinates(cells: Sequence[Cell]) -> str:
    """Space, time and band: means over the cells that have one."""
    rows = []
    for method in METHODS:
        row = [method]
        for coordinate in COORDINATES:
            mass, rank = (_mean(cells, method, coordinate, i) for i in (0, 1))
            row.append("-" if mass is None else f"{mass:.2f} ({rank:.2f})")
        rows.append(row)
    return table(("method", *COORDINATES), rows)


def _said(cells: Sequence[Cell]) -> str:
    """What the tables come to, and where the difference falls short."""
    lists: dict[str, list[str]] = {"low": [], "blind": [], "sharper": [], "far": []}
    for cell in cells:
        own, bar, chance = (cell.mean(m, "space") for m in ("difference", BAR, "random difference"))
        if own is None or bar is None or chance is None:
            continue
        if own[1] < LOW:
            lists["low"].append(f"* {cell}: {own[1]:.2f} (exchange {bar[1]:.2f})")
        if own[0] <= chance[0]:
            lists["blind"].append(f"* {cell}: {own[0]:.2f} (random difference {chance[0]:.2f})")
        if bar[0] > own[0] + NEAR:
            lists["far"].append(f"* {cell}: {own[0]:.2f} (exchange {bar[0]:.2f})")
        others = {n: v[0] for n in AGAINST_ZERO if (v := cell.mean(n, "space")) is not None}
        name = max(others, key=others.__getitem__)
        if others[name] > own[0] + CLEARLY:
            lists["sharper"].append(f"* {cell}: {own[0]:.2f} ({name} {others[name]:.2f})")
    titles = {
        "low": f"Rank in space below {LOW}",
        "blind": "Mass in space no more than that of a random multiplier times the difference",
        "sharper": f"Mass in space {CLEARLY} or more below the best of the four LRP composites against zero",
        "far": f"Mass in space more than {NEAR} below that of the exchange of electrodes",
    }
    parts = [
        f"{title} ({len(lists[k])} of {len(cells)}):\n\n" + ("\n".join(lists[k]) or "* none")
        for k, title in titles.items()
    ]
    return "\n\n".join([_best(cells), _pairs(cells), "Cells in which `difference` falls short.", *parts])


def _best(cells: Sequence[Cell]) -> str:
    """Which of the methods that take a pass or two has the best mean rank in each coordinate."""
    said = []
    for coordinate in COORDINATES:
        ranks = {m: v for m in ONE_PASS if (v := _mean(cells, m, coordinate, 1)) is not None}
        if ranks:
            first, second = sorted(ranks, key=ranks.__getitem__, reverse=True)[:2]
            said.append(f"in {coordinate} {first} ({ranks[first]:.3f}) before {second} ({ranks[second]:.3f})")
    return (
        "Best mean rank of the methods that take few passes (`difference`, LRP, gradient x input): "
        + "; ".join(said)
        + "."
    )


def _pairs(cells: Sequence[Cell]) -> str:
    """Networks and readings in which the difference has more mass in space than another method."""
    said = []
    for method in ("expected gradients", BAR, "attnlrp", "cplrp_pooled", "occlusion"):
        apart = np.concatenate(
            [
                a[:, 0] - b[:, 0]
                for c in cells
                if (a := c.values("difference", "space")) is not None
                and (b := c.values(method, "space")) is not None
            ]
        )
        said.append(f"{method} {100 * (apart > 0).mean():.0f} % ({apart.mean():+.2f})")
    return (
        f"Of {len(apart)} networks and readings `difference` has more mass in space than another method in "
        "(and by how much on average): " + ", ".join(said) + "."
    )


def _by_cell(cells: Sequence[Cell], coordinate: str) -> str:
    """Every cell: mass with half of its 95 % interval over networks, and rank."""
    rows, able = [], [m for m in MAIN if any(c.mean(m, coordinate) is not None for c in cells)]
    for cell in cells:
        if cell.values("random", coordinate) is None:
            continue
        shown = [_shown(cell.values(m, coordinate)) for m in able]
        count = str(len(cell.networks))
        even = f"{cell.even(coordinate):.2f}"
        rows.append((cell.scene, cell.architecture, cell.reading, count, *shown, even))
    return table(("scene", "network", "windows", "n", *able, "even"), rows)


def _shown(values: NDArray[np.float64] | None) -> str:
    if values is None:
        return "-"
    mass, rank = values.T
    n, width = len(mass), ""
    if n > 1:
        width = f" ± {stats.t.ppf(0.975, n - 1) * mass.std(ddof=1) / np.sqrt(n):.2f}"
    return f"{mass.mean():.2f}{width} ({rank.mean():.2f})"


def _beside(cells: Sequence[Cell]) -> str:
    """Relevance on the electrodes of the source that does not decide."""
    rows = []
    for cell in cells:
        if cell.values("random", "beside") is None:
            continue
        shown = [f"{float(v[0]):.2f}" if (v := cell.mean(m, "beside")) is not None else "-" for m in MAIN]
        rows.append((cell.architecture, cell.reading, str(len(cell.networks)), *shown))
    return BESIDE + table(("network", "windows", "n", *MAIN), rows)


BESIDE = """In *suppressor* a network has to subtract the second source to see the first, and does so with the
electrodes where the second is seen alone. That is what the network computes, though nothing there goes with
the class: relevance on these electrodes is true of the network and false of the brain (Haufe et al. 2014).
The part of |relevance| on electrodes of the second source that are none of the first:

"""


def _tried(cells: Sequence[Cell]) -> str:
    """What was tried: means over cells, and where a source is there, by network."""
    methods = list(dict.fromkeys(k for c in cells for m in c.networks for k in m if _is_method(m[k])))
    rows = []
    for method in methods:
        row = [method]
        for belongs in (
            *((lambda c, a=a: c.reading == "there" and c.architecture == a) for a in RECIPES),
            lambda c: c.reading == "contrast",
            lambda c: c.reading == "absent",
            lambda c: True,
        ):
            own = [c for c in cells if belongs(c)]
            mass, rank = (_mean(own, method, "space", i) for i in (0, 1))
            row.append("-" if mass is None else f"{mass:.3f} ({rank:.2f})")
        for coordinate in ("time", "band"):
            mass, rank = (_mean(cells, method, coordinate, i) for i in (0, 1))
            row.append("-" if mass is None else f"{mass:.3f} ({rank:.2f})")
        ranks = [float(v[1]) for c in cells if (v := c.mean(method, "space")) is not None]
        rows.append([*row, f"{min(ranks):.2f}"])
    groups = (*(f"there, {a}" for a in RECIPES), "contrast", "absent", f"all {len(cells)}", "time", "band")
    return table(("method", *groups, "lowest rank"), rows)


def _is_method(value: Any) -> bool:
    return isinstance(value, dict) and any(r in value for r in ("there", "contrast"))
