"""Whether a rewritten model still says what its source says."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
import onnx
import onnxruntime as ort

from ..errors import ModelError, RunError
from ..file.runtime import Runtime

Array = np.ndarray[Any, Any]

# How far the instrumented forward may be from the file's own, relative to the output's size:
# onnxruntime fuses other nodes once inner values are asked for, and rounds differently.
PARITY = 1e-3
# Where numbers are rounded to 8 or 16 bits, at once. Beyond it the file's own output is looked at: one
# step of 8 bits in one layer is several in those after it, and a deep network may know its own output
# no better than that (LaBraM base in QDQ: 0.2 of its size, between two of onnxruntime's optimisations).
PARITY_ROUNDED = 2e-2
# The file's own output is moved by this part of an input's spread: a hundredth of a step of 8 bits.
_NUDGE, _NUDGES = 1e-4, 4
# And this is how much further a rewritten one may be than the furthest of those few.
_MARGIN = 2.0

Spread = Callable[[], Mapping[str, float]]


def disagreement(
    own: Mapping[str, Any], values: Mapping[str, Any], spread: Spread | None
) -> tuple[str, float] | None:
    """An output that is another one, and how far it is from the source's, relative to its size.

    Parameters
    ----------
    own : dict of str to ndarray
        What the source gives.
    values : dict of str to ndarray
        What the rewritten model gives.
    spread : callable, optional
        How far the source's outputs are from themselves (see `spread_of`), where numbers are rounded to 8
        or 16 bits; it is called only where that matters.

    Returns
    -------
    (str, float) or None
        None where all outputs agree.
    """
    for name, y in own.items():
        if not isinstance(y, np.ndarray) or y.dtype.kind != "f":
            continue
        if y.shape != values[name].shape:
            return name, float("inf")
        apart = gap(values[name], y)
        bound = PARITY if spread is None else PARITY_ROUNDED
        if spread is not None and not apart <= bound:
            bound = max(bound, _MARGIN * spread().get(name, 0.0))
        if not apart <= bound:
            return name, apart
    return None


def check_parity(
    own: Mapping[str, Any],
    values: Mapping[str, Any],
    where: str,
    spread: Spread | None = None,
) -> None:
    """The instrumented forward must give what the file gives, or nothing is explained.

    Raises
    ------
    ModelError
        It does not.
    """
    found = disagreement(own, values, spread)
    if found is not None:
        raise ModelError(
            f"{where}: output {found[0]!r} changes by {found[1]:.1e} of its size when inner values "
            "are read; refused"
        )


def spread_of(
    session: ort.InferenceSession, proto: onnx.ModelProto, feed: Mapping[str, Array], runtime: Runtime
) -> dict[str, float]:
    """How far a model's outputs are from themselves: unoptimised, and with an input hardly moved.

    Parameters
    ----------
    session : onnxruntime.InferenceSession
    proto : onnx.ModelProto
        What it is of.
    feed : dict of str to ndarray
    runtime : Runtime

    Returns
    -------
    dict of str to float
        By output, relative to its size.
    """
    names = [o.name for o in session.get_outputs()]
    own = runtime.run(session, names, feed)
    plain = runtime.on_cpu().session(proto, optimise=False)
    others = [runtime.run(plain, names, feed)]
    rng = np.random.default_rng(0)
    for _ in range(_NUDGES):
        moved = dict(feed)
        for name, x in feed.items():
            if x.dtype.kind == "f":
                size = _NUDGE * float(np.std(x, dtype=np.float64))
                moved[name] = (x + size * rng.standard_normal(x.shape)).astype(x.dtype)
        try:
            others.append(runtime.run(session, names, moved))
        except RunError:  # what was moved were indices
            break
    return {
        name: max(gap(other[i], y) for other in others)
        for i, (name, y) in enumerate(zip(names, own, strict=True))
        if isinstance(y, np.ndarray) and y.dtype.kind == "f"
    }


def gap(a: Array, y: Array, least: float = 0.0) -> float:
    """The largest difference, in units of the largest value, or of `least` where that is more."""
    if a.shape != y.shape:
        return float("inf")
    finite = np.isfinite(y)
    size = max(float(np.abs(y[finite]).max(initial=0.0)), least) or 1.0
    return float(np.abs(a[finite].astype(np.float64) - y[finite]).max(initial=0.0)) / size
