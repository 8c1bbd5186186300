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
CLEARLY, LOW = 0.05, 0.8
DRAWS = 2000

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
    text = [HEAD, _networks(found.values()), "\n## All together\n", SPACE, _summary(cells), ""]
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
    """95 % of the mean mass in space when networks are drawn anew within each cell."""
    rng = np.random.default_rng(0)
    draws = []
    for cell in cells:
        values = cell.values(method, "space")
        if values is not None:
            draws.append(values[rng.integers(len(values), size=(DRAWS, len(values))), 0].mean(1))
    low, high = np.percentile(np.mean(draws, axis=0), [2.5, 97.5])
    return f"{low:.2f} to {high:.2f}"


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
    """Where the difference falls short: low ranks, no more than chance, and LRP against zero sharper."""
    low, sharper, blind = [], [], []
    for cell in cells:
        own = cell.mean("difference", "space")
        bar, chance = cell.mean("exchange of electrodes", "space"), cell.mean("random difference", "space")
        if own is None or bar is None or chance is None:
            continue
        if own[1] < LOW:
            low.append(f"* {cell}: rank {own[1]:.2f}, exchange of electrodes {bar[1]:.2f}")
        if own[0] <= chance[0]:
            blind.append(f"* {cell}: mass {own[0]:.2f}, random difference {chance[0]:.2f}")
        others = {n: v[0] for n in AGAINST_ZERO if (v := cell.mean(n, "space")) is not None}
        name = max(others, key=others.__getitem__)
        if others[name] > own[0] + CLEARLY:
            sharper.append(f"* {cell}: mass {own[0]:.2f}, {name} {others[name]:.2f}")
    of = f"of {len(cells)}"
    parts = [
        (f"Rank of `difference` in space below {LOW} ({len(low)} {of}):", low),
        (f"Mass of `difference` in space not above that of a random multiplier ({len(blind)} {of}):", blind),
        (
            f"The best of the four LRP composites against zero is sharper in space by more than {CLEARLY} "
            f"({len(sharper)} {of}):",
            sharper,
        ),
    ]
    return "\n\n".join(f"{title}\n\n" + ("\n".join(lines) or "* none") for title, lines in parts)


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
