"""Two maps in float32 that say the same: as near to each other as on most CPUs, or as near to float64.

How a sum is rounded depends on the CPU: on its kernels, and on how many threads share it. A bound that two
roundings keep on one of them is no bound on the next, and a looser one would let errors through.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import onnx
from float64 import Double

Array = np.ndarray[Any, Any]

# Of the map that another is compared with: no rounding is as much, and a rule that is wrong is more.
LARGEST = 1e-4
# Roundings that are none to speak of.
FLOOR = 8 * float(np.finfo(np.float32).eps)


def error(got: Array, want: Array) -> float:
    """The largest difference, in units of the largest value."""
    return float(np.abs(got - want).max() / max(np.abs(want).max(), 1e-9))


def in_double(compiled: Path, feed: Mapping[str, Array], output: str) -> Array:
    """An output of a compiled file in float64."""
    given = {n: v.astype(np.float64) if v.dtype.kind == "f" else v for n, v in feed.items()}
    return Double(onnx.load(compiled), output, {})(given)


def assert_same(got: Array, want: Array, bound: float, truth: Callable[[], Array], what: object = "") -> None:
    """Hold that a map is another.

    Parameters
    ----------
    got, want : ndarray
    bound : float
        What they may be apart without more ado, in units of the largest value.
    truth : callable
        The map in float64, asked for where they are further apart: `got` may then be at most twice as far
        from it as `want`, and `want` no further than rounding takes it.
    """
    apart = error(got, want)
    if not apart <= bound:
        exact = truth()
        own, other = error(want, exact), error(got, exact)
        said = f"{what} {apart:.1e} apart; from float64 {other:.1e}, the other {own:.1e}"
        assert own <= LARGEST, said
        assert other <= 2 * own + FLOOR, said
