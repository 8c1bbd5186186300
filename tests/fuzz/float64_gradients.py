"""The gradient of a random model in float64, by central differences along random directions.

No operator is written a second time for it: ONNX's own reference evaluator computes the forward pass, in
double. A kink between two points shows as two step sizes that disagree; such directions say nothing, and are
counted.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import onnx
from float64 import Double
from graphs import Made

Array = np.ndarray[Any, Any]
DIRECTIONS = 3
STEPS = (1e-5, 2.5e-6)
# Layers that round to 8 bits have no gradient to compare with: what runs in double does not round.
ROUNDS = frozenset({"QuantizeLinear", "DynamicQuantizeLinear"})
# Two steps that say the same, and a gradient in float32 that is right, relative to the longest slope.
AGREE, RIGHT = 1e-4, 1e-3
# Of the output: a slope that is less is what is left of sums that cancel (an average of what was normalised).
NOTHING = 1e-3


@dataclass(frozen=True)
class Slopes:
    """How a gradient compares.

    Attributes
    ----------
    compared, left_out : int
        Directions of single samples.
    error : float
        The largest, relative to the length of the gradient; 0 where nothing was compared.
    why : str
        Why nothing could be.
    """

    compared: int = 0
    left_out: int = 0
    error: float = 0.0
    why: str = ""


def slopes(
    made: Made,
    output: str,
    seed: Array,
    explained: Array,
    gradient: dict[str, Array],
    rng: np.random.Generator,
) -> Slopes:
    """Compare a gradient with differences.

    Parameters
    ----------
    made : Made
    output : str
        The tensor that was explained.
    seed : ndarray
        Its weights, in its shape.
    explained : ndarray, shape (batch,)
        What they pick out of it. Where double gives another number (the reference evaluator takes a softmax
        of opset 12 for one of 13), nothing is compared.
    gradient : dict of str to ndarray
        In the shapes of the inputs.
    rng : numpy.random.Generator
        Of the directions.
    """
    if any(n.op_type in ROUNDS for n in made.model.graph.node):
        return Slopes(why="rounds to 8 bits")
    x = {n: v.astype(np.float64) for n, v in made.feed.items()}
    try:
        run = Double(onnx.ModelProto.FromString(made.model.SerializeToString()), output, {})
        value = run(x)
    except Exception as e:  # the reference evaluator has no one class for what it does not know
        return Slopes(why=f"not in double: {str(e).splitlines()[0][:60] if str(e) else type(e).__name__}")
    own = value.astype(np.float64)
    if own.shape != seed.shape or not np.isfinite(own).all():
        return Slopes(why="another value in double")
    if np.abs(_sums(own * seed) - explained).max() > 1e-3 * max(np.abs(own).max(), 1e-3):
        return Slopes(why="another value in double")
    compared = left_out = 0
    worst = 0.0
    size = np.sqrt(sum(_sums(g.astype(np.float64) ** 2) for g in gradient.values()))
    for _ in range(DIRECTIONS):
        way = {n: rng.standard_normal(v.shape) for n, v in x.items()}
        coarse, fine = (_difference(run, x, way, seed, h) for h in STEPS)
        mine = sum(_sums(gradient[n].astype(np.float64) * way[n]) for n in x)
        scale = np.maximum(np.maximum(size, np.abs(fine)), NOTHING * np.abs(own).max())
        agree = np.abs(coarse - fine) <= AGREE * scale
        compared, left_out = compared + int(agree.sum()), left_out + int((~agree).sum())
        if agree.any():
            worst = max(worst, float((np.abs(mine - fine) / scale)[agree].max()))
    return Slopes(compared, left_out, worst)


def _difference(run: Double, x: dict[str, Array], way: dict[str, Array], seed: Array, h: float) -> Array:
    up, down = (run({n: v + s * h * way[n] for n, v in x.items()}) for s in (1, -1))
    return _sums((up - down) * seed) / (2 * h)


def _sums(v: Array) -> Array:
    """Of each sample."""
    return np.asarray(v.reshape(len(v), -1).sum(axis=1))
