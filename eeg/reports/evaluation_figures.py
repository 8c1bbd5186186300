"""Which figures an evaluation has: curves, scores, agreement, and layers made random."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from ...engine.evaluation.curves import RANDOM_NAME, Curves
from ...engine.evaluation.intervals import Estimate
from ...engine.evaluation.measure import POWER_NAME
from ..drawing import figures
from ..drawing.heads import INK
from ..studies.evaluate import Evaluation
from ..text import plain
from .html import Drawing

# Okabe & Ito's: told apart by colour-blind readers, and by their lines in grey.
MOST, LEAST, CHANCE = "#D55E00", "#0072B2", "#777777"
MARKS = ("o", "s", "^", "D")


def draw(found: Evaluation, out: Path) -> tuple[list[Drawing], list[Drawing]]:
    """Draw and write the figures.

    Parameters
    ----------
    found : Evaluation
    out : Path
        A folder that exists.

    Returns
    -------
    curves, others : list of Drawing
        Those of removal, which belong to the answer; agreement and layers made random.
    """
    return list(_removal(found, out)), list(_others(found, out))


def _removal(found: Evaluation, out: Path) -> Iterator[Drawing]:
    unit, kind = found.sample.unit, found.sample.kind
    for replacement, curves in found.measured.curves.items():
        figure = curves_figure(curves, found.measured.methods, unit=unit, what=kind)
        yield Drawing(
            figures.save(figure, out / f"curves_{replacement}.png"),
            f"Curves by {replacement}",
            f"What is explained while {kind} are replaced by {replacement}, mean over "
            "windows: the most relevant first (orange), the least relevant first (blue, broken), random "
            "orders (dotted). The area between orange and blue is ABPC.",
        )
    scores = {r: {m: f.abpc for m, f in each.items()} for r, each in found.measured.faithfulness.items()}
    yield Drawing(
        figures.save(scores_figure(scores, unit=unit), out / "abpc.png"),
        "Area between the curves",
        "ABPC of each method with its interval (95 %, bootstrap over windows). Random orders have 0.",
    )


def _others(found: Evaluation, out: Path) -> Iterator[Drawing]:
    pairs, sane = found.measured.agreement, found.measured.sanity
    yield Drawing(
        figures.save(matrix_figure(pairs.matrix(), pairs.methods), out / "agreement.png"),
        "Agreement between methods",
        f"Spearman's correlation of |relevance| over {found.sample.kind}, mean over windows.",
    )
    if sane.stages:
        figure = cascade_figure(
            {s.random: s.similarity.rank for s in sane.stages},
            {name: s.rank for name, s in sane.references.items()},
        )
        yield Drawing(
            figures.save(figure, out / "cascade.png"),
            "With ever more layers random",
            f"Rank correlation of {plain(sane.method)}'s map with the trained model's, as layers are "
            "made random from the output on; lines: where random relevance and the signal's power are.",
        )


def curves_figure(curves: Mapping[str, Curves], methods: tuple[str, ...], *, unit: str, what: str) -> Figure:
    """Curves of each method and of power in a panel each, with those of random orders.

    Parameters
    ----------
    curves : dict of str to Curves
    methods : tuple of str
    unit, what : str
        Of what is explained; the features' kind.
    """
    names = [*methods, POWER_NAME]
    columns = min(3, len(names))
    lines = -(-len(names) // columns)
    figure = Figure(figsize=(3.3 * columns + 0.4, 2.7 * lines + 0.5), layout="constrained")
    axes = np.atleast_1d(figure.subplots(lines, columns, sharex=True, sharey=True)).ravel()
    chance = curves[RANDOM_NAME]
    for axis, name in zip(axes, names, strict=False):
        c = curves[name]
        most, least = c.most.mean(0), c.least.mean(0)
        between = (chance.most.mean(0) + chance.least.mean(0)) / 2
        axis.fill_between(c.gone, most, least, color="#dddddd", lw=0)
        axis.plot(c.gone, between, ":", color=CHANCE, lw=1.2, label="random")
        axis.plot(c.gone, most, "-o", color=MOST, ms=3, lw=1.5, label="most relevant first")
        axis.plot(c.gone, least, "--s", color=LEAST, ms=3, lw=1.5, label="least relevant first")
        title = "power (no map of the model)" if name == POWER_NAME else plain(name, 40)
        axis.set_title(f"{title}\nABPC {c.abpc.mean():.3g}", fontsize=9, color=INK, parse_math=False)
        _tidy(axis)
    for axis in axes[len(names) :]:
        axis.set_visible(False)
    handles, labels = axes[0].get_legend_handles_labels()
    figure.legend(handles, labels, loc="outside upper center", ncols=3, fontsize=8, frameon=False)
    figure.supxlabel(f"part of the {plain(what, 20)} that is gone", fontsize=9)
    figure.supylabel(f"explained ({plain(unit, 20)})", fontsize=9)
    return figure


def scores_figure(scores: Mapping[str, Mapping[str, Estimate]], *, unit: str) -> Figure:
    """An estimate and its interval for each method, and replacement.

    Parameters
    ----------
    scores : dict of str to dict of str to Estimate
        By replacement, then by method.
    unit : str
    """
    names = list(next(iter(scores.values())))
    figure = Figure(figsize=(7, 1.1 + 0.4 * len(names)), layout="constrained")
    axis = figure.subplots()
    axis.axvline(0, color="0.4", lw=0.8, ls=":")
    for i, (replacement, each) in enumerate(scores.items()):
        at = np.arange(len(names)) + 0.22 * (i - (len(scores) - 1) / 2)
        colour = (MOST, LEAST)[i % 2]
        for y, name in zip(at, names, strict=True):
            axis.plot([each[name].low, each[name].high], [y, y], "-", color=colour, lw=1.6)
        axis.plot(
            [each[n].value for n in names], at, MARKS[i % len(MARKS)], color=colour, ms=5, label=replacement
        )
    axis.set_yticks(range(len(names)), [plain(n, 30) for n in names], fontsize=8, parse_math=False)
    axis.invert_yaxis()
    axis.set_xlabel(f"area between the curves, ABPC ({plain(unit, 20)})", fontsize=9)
    figure.legend(loc="outside upper center", ncols=2, fontsize=8, frameon=False)
    _tidy(axis)
    return figure


def matrix_figure(matrix: Any, names: tuple[str, ...]) -> Figure:
    """A matrix of correlations, with the numbers in it.

    Parameters
    ----------
    matrix : ndarray, shape (method, method)
    names : tuple of str
    """
    n = len(names)
    figure = Figure(figsize=(2.4 + 0.62 * n, 1.7 + 0.5 * n), layout="constrained")
    axis = figure.subplots()
    image = axis.imshow(matrix, cmap=figures.SIGNED, vmin=-1, vmax=1)
    for i in range(n):
        for j in range(n):
            ink = "white" if abs(matrix[i, j]) > 0.7 else INK
            axis.text(j, i, f"{matrix[i, j]:.2f}", ha="center", va="center", fontsize=7, color=ink)
    labels = [plain(name, 24) for name in names]
    axis.set_xticks(range(n), labels, rotation=40, ha="right", fontsize=8, parse_math=False)
    axis.set_yticks(range(n), labels, fontsize=8, parse_math=False)
    bar = figure.colorbar(image, ax=axis, fraction=0.05, pad=0.03)
    bar.set_label("rank correlation", fontsize=8)
    figures.tidy(bar)
    return figure


def cascade_figure(stages: Mapping[float, Estimate], references: Mapping[str, Estimate]) -> Figure:
    """Similarity against the part of the layers that is random.

    Parameters
    ----------
    stages : dict of float to Estimate
        0 to 1 to rank correlation.
    references : dict of str to Estimate
        Drawn as lines across.
    """
    figure = Figure(figsize=(5.4, 3.2), layout="constrained")
    axis = figure.subplots()
    x = [0.0, *stages]
    axis.plot(x, [1.0, *(e.value for e in stages.values())], "-o", color=MOST, ms=5, lw=1.5)
    for part, e in stages.items():
        axis.plot([part, part], [e.low, e.high], "-", color=MOST, lw=1.2)
    for (name, e), style in zip(references.items(), (":", "--", "-."), strict=False):
        axis.axhline(e.value, color=CHANCE, lw=1.1, ls=style)
        axis.annotate(
            plain(name, 20), (0.01, e.value), xycoords=("axes fraction", "data"), fontsize=7, color="0.35",
            ha="left", va="bottom",
        )  # fmt: skip
    axis.set_xlabel("part of the layers that is random, from the output on", fontsize=9)
    axis.set_ylabel("rank correlation", fontsize=9)
    axis.set_ylim(min(-0.25, *(e.value for e in (*stages.values(), *references.values()))) - 0.05, 1.05)
    _tidy(axis)
    return figure


def _tidy(axis: Axes) -> None:
    axis.tick_params(labelsize=8)
    axis.spines[["top", "right"]].set_visible(False)
