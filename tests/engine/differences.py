"""Pairs of inputs for the composite `difference`, and what is to hold for an explanation of one."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

import onnxplain as ox

Feed = dict[str, np.ndarray]

# What onnxruntime's own rounding leaves of a float32 output, as a part of it.
EPS = {np.dtype(np.float32): 2e-6, np.dtype(np.float64): 4e-15}


def other(inputs: Mapping[str, np.ndarray], far: float) -> Feed:
    """Inputs part of the way to others that the operator takes too: the same numbers in other places.

    Parameters
    ----------
    far : float
        1 for the others. Integers are others from half of the way on.
    """
    made = {}
    for name, x in inputs.items():
        moved = np.roll(x.reshape(-1), 1 + x.size // 3).reshape(x.shape)
        if x.dtype.kind == "f":
            made[name] = (x + far * (moved - x)).astype(x.dtype)
        else:
            made[name] = moved if far >= 0.5 else x
    return made


def as_set(*references: Mapping[str, np.ndarray]) -> Feed:
    """References one after the other, [n, *shape of the input]."""
    return {n: np.stack([r[n] for r in references]) for n in references[0]}


def seed_of(explain: ox.Explainer, x: Any) -> np.ndarray:
    """Something random to explain, of the output's shape."""
    y = explain.predict(x)["y"]
    return np.random.default_rng(3).standard_normal(y.shape).astype(y.dtype if y.dtype.kind == "f" else "f4")


def left_over(a: ox.Attribution) -> float:
    """What of the difference is neither relevance nor in the ledger."""
    return float(np.abs(a.ledger.total() + sum(a.reached.values()) - a.explained).max())


def size(a: ox.Attribution) -> float:
    """All relevance there is, at the inputs and in the ledger."""
    there = sum(float(np.abs(r).sum()) for r in a.relevance.values())
    return there + sum(float(np.abs(e.relevance).sum()) for e in a.ledger)


def rounding(y: np.ndarray) -> float:
    """What the rounding of two outputs of that size leaves of their difference."""
    return float(EPS[y.dtype] * np.abs(y).max() * np.sqrt(y.size)) if y.dtype in EPS else 0.0


def kinds(a: ox.Attribution) -> set[str]:
    """Kinds of what is in the ledger and is not nothing."""
    return {e.kind for e in a.ledger if np.any(e.relevance)}


def in_double(x: Mapping[str, np.ndarray]) -> Feed:
    """The same numbers in float64."""
    return {n: v.astype(np.float64) if v.dtype.kind == "f" else v for n, v in x.items()}
