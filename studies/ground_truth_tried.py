"""What might be sharper than `difference` where a source is simply there, on seeds of its own.

    python studies/ground_truth_tried.py            seeds 1000 and on; goes on where build/ has some

Nothing here is tried on seeds of docs/ground-truth.md's tables; studies/ground_truth.py --page writes what
was found into it.
"""

from __future__ import annotations

import argparse
import os
import sys
import time
import warnings
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from functools import partial
from typing import Any

import numpy as np
from architectures import RECIPES
from ground_truth import TEST, TRAIN, TRIED, measured
from maps import (
    REFERENCES,
    Array,
    Asked,
    Map,
    Method,
    by_band,
    difference,
    exchange,
    flat,
    less_same,
    of_difference,
    only,
    rules,
    steady,
    unlike_same,
)
from sources import SCENES, plant

import onnxplain as ox
from onnxplain.engine.ops.base import Expr, Ops
from onnxplain.engine.rules.normalisation import per_channel
from onnxplain.engine.rules.softmax import softmax_axes
from onnxplain.engine.secants import registry
from onnxplain.engine.secants.pair import PairContext

FIRST, MOST = 1000, 16


# --- norms and softmax as products ------------------------------------------------------------------


def product_norm(op: Ops, node: PairContext, x: Expr, g: Expr, axes: tuple[int, ...], eps: float) -> Expr:
    """``y = c u`` with ``u = 1/sd``, in the place of ``c = sd y``."""
    c, u = op.sub(x, op.mean(x, axes)), op.inverse_std(x, axes, eps)
    both = op.mul(u, op.reference(u))
    per = op.div(op.mul(both, both), op.add(u, op.reference(u)))
    pulled = op.mul(op.mean(op.mul(g, node.middle(c)), axes), per)
    mixed = op.sub(op.mul(g, node.middle(u)), op.mul(pulled, op.add(c, op.reference(c))))
    return op.sub(mixed, op.mean(mixed, axes))


def product_layer_norm(op: Ops, node: PairContext, m: Expr) -> list[Expr | None]:
    """LayerNorm as a product."""
    axes = tuple(range(node.negative(int(node.attr("axis", -1))), 0))
    g = op.mul(m, node.here(1))
    back = product_norm(op, node, node.here(0), g, axes, float(node.attr("epsilon", 1e-5)))
    return [back, None, None][: node.count]


def product_instance_norm(op: Ops, node: PairContext, m: Expr) -> list[Expr | None]:
    """GroupNorm as it is exported, as a product."""
    axes = tuple(range(2 - node.rank(), 0))
    g = op.mul(m, per_channel(op, node, 1))
    return [product_norm(op, node, node.here(0), g, axes, float(node.attr("epsilon", 1e-5))), None, None]


def product_softmax(op: Ops, node: PairContext, m: Expr) -> list[Expr | None]:
    """``y = e u`` with ``u = 1/sum(e)``, one maximum for both passes."""
    axes = softmax_axes(node)
    a, b, top = node.here(0), node.there(0), op.max(node.here(0), axes)
    most = op.maximum(top, op.reference(top))
    a, b = op.sub(a, most), op.sub(b, most)
    e, f, half = op.exp(a), op.exp(b), op.mul(op.sub(a, b), 0.5)
    s, t, zero = op.sum(e, axes), op.sum(f, axes), op.less(op.abs(half), 1e-3)
    steep = op.where(zero, 1.0, op.div(op.tanh(half), op.where(zero, 1.0, half)))
    slope = op.mul(op.mul(op.add(e, f), 0.5), steep)
    mean_e, mean_u = op.mul(op.add(e, f), 0.5), op.mul(op.add(op.div(1.0, s), op.div(1.0, t)), 0.5)
    pulled = op.div(op.sum(op.mul(m, mean_e), axes), op.mul(s, t))
    return [op.mul(slope, op.sub(op.mul(m, mean_u), pulled))]


NORMS: Mapping[tuple[str, str], registry.SecantFunction] = {
    ("", "LayerNormalization"): product_layer_norm,
    ("", "InstanceNormalization"): product_instance_norm,
}
SOFTMAX: Mapping[tuple[str, str], registry.SecantFunction] = {("", "Softmax"): product_softmax}


@contextmanager
def secants(changed: Mapping[tuple[str, str], registry.SecantFunction]) -> Iterator[None]:
    """Other secants for some operators, for a while."""
    known = registry._SECANTS
    before = dict(known)
    known.update(changed)
    try:
        yield
    finally:
        known.clear()
        known.update(before)


def as_products(changed: Mapping[tuple[str, str], registry.SecantFunction], asked: Asked) -> Map:
    """The difference with some secants taken as products."""
    references = asked.other[:REFERENCES]
    with secants(changed):
        explain = ox.Explainer(asked.path, "difference", threads=1, ledger=False)
        a = explain(asked.x, reference=references[:, None], **asked.target)
    off = np.abs(flat(only(a.relevance)).sum((1, 2)) - a.explained)
    if (off > 1e-3 * np.maximum(np.abs(a.explained), 1)).any():
        raise RuntimeError(f"the products are not exact: off by {off.max():.1e}")
    return of_difference(a, asked.x, references)


# --- other uses of references -------------------------------------------------------------------------


def multiplier_times_difference(composite: str, asked: Asked) -> Map:
    """LRP's multiplier against zero, times the difference."""
    references = asked.other[:REFERENCES]
    m = only(asked.explainer(composite)(asked.x, **asked.target).multiplier)
    apart = asked.x - references.mean(0)
    return Map(flat(m * apart), by_band(apart, m))


def less_references(composite: str, asked: Asked) -> Map:
    """LRP against zero, less that of the references."""
    explain, references = asked.explainer(composite), asked.other[:REFERENCES]
    here, there = (rules_of(explain, x, asked.target) for x in (asked.x, references))
    assert here.bands is not None
    assert there.bands is not None
    return Map(here.relevance - there.relevance.mean(0), here.bands - there.bands.mean(0))


def rules_of(explain: ox.Explainer, x: Array, target: dict[str, Any]) -> Map:
    """The map of one composite against zero."""
    a = explain(x, **target)
    return Map(flat(only(a.relevance)), by_band(x, only(a.multiplier)))


def mean_of(first: Method, second: Method, asked: Asked) -> Map:
    """The mean of two maps, each as large as its own |relevance|."""
    maps = [first(asked), second(asked)]
    sizes = [np.abs(m.relevance.sum(-1)).sum(-1) for m in maps]
    relevance = sum(m.relevance / s[:, None, None] for m, s in zip(maps, sizes, strict=True))
    parts = [m.bands / s[:, None] for m, s in zip(maps, sizes, strict=True) if m.bands is not None]
    return Map(np.asarray(relevance), np.asarray(sum(parts)))


def sharpened(method: Method, asked: Asked) -> Map:
    """Each electrode by how it stands out of the map, ``r^2 / (r^2 + mean r^2)``.

    A control: any filter that lowers small values makes a map peaked, whether it knows of noise or not.
    """
    made = method(asked)
    square = made.relevance.sum(-1) ** 2
    kept = square / (square + square.mean(-1, keepdims=True))
    return Map(made.relevance * kept[:, :, None], None)


def median(count: int, asked: Asked) -> Map:
    """The median over references, of each electrode's sum: a map in space only."""
    a = asked.explainer("difference")(asked.x, reference=asked.other[:count][:, None], **asked.target)
    sums = np.stack([flat(only(one.relevance)).sum(-1) for one in a.per_reference])
    return Map(np.median(sums, axis=0)[:, :, None], None)


METHODS: Mapping[str, Callable[[Asked], Map]] = {
    "difference 4": difference,
    "difference 1": partial(difference, count=1),
    "difference 8": partial(difference, count=8),
    "difference 16": partial(difference, count=16),
    "4, norms as products": partial(as_products, NORMS),
    "4, softmax as products": partial(as_products, SOFTMAX),
    "4, both as products": partial(as_products, {**NORMS, **SOFTMAX}),
    "4, less 4 of the same class": less_same,
    "16, less 16 of the same class": partial(less_same, count=MOST),
    "4, by steadiness": steady,
    "16, by steadiness": partial(steady, count=MOST),
    "4, where unlike 4 of the same class": unlike_same,
    "16, where unlike 16 of the same class": partial(unlike_same, count=MOST),
    "4, sharpened without references": partial(sharpened, difference),
    "attnlrp, sharpened without references": partial(sharpened, partial(rules, "attnlrp")),
    "16, median": partial(median, 16),
    "multiplier of attnlrp times the difference": partial(multiplier_times_difference, "attnlrp"),
    "multiplier of attnlrp_pooled times the difference": partial(
        multiplier_times_difference, "attnlrp_pooled"
    ),
    "attnlrp less that of 4 references": partial(less_references, "attnlrp"),
    "mean of difference 4 and attnlrp": partial(mean_of, difference, partial(rules, "attnlrp")),
    "attnlrp": partial(rules, "attnlrp"),
    "exchange of electrodes": exchange,
}


def main() -> None:
    """Measure what is missing."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("scenes", nargs="*", help=", ".join(s.name for s in SCENES))
    parser.add_argument("--seeds", type=int, default=2)
    asked = parser.parse_args()
    warnings.simplefilter("ignore")
    os.environ["ONNXPLAIN_CACHE"] = "off"  # a kept plan would not know of other secants
    for seed in range(FIRST, FIRST + asked.seeds):
        for scene in SCENES:
            missing = [a for a in RECIPES if f"{scene.name} {a} {seed}" not in TRIED.read()]
            if not missing or (asked.scenes and scene.name not in asked.scenes):
                continue
            both = plant(scene, TRAIN + TEST, seed)
            for architecture in missing:
                begun = time.monotonic()
                made = measured(scene, both, architecture, seed, METHODS, MOST)
                TRIED.add(f"{scene.name} {architecture} {seed}", made)
                print(
                    scene.name,
                    architecture,
                    seed,
                    made["counts"],
                    f"{time.monotonic() - begun:.0f} s",
                    file=sys.stderr,
                )


if __name__ == "__main__":
    main()
