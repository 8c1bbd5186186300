"""Range of signals, and the logarithm of a sum."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from .table import Fused, writes


@writes("Range")
def numbers(o: Fused) -> Sequence[str]:
    """``start + i delta``, for as many as there are on this input."""
    emit = o.emit
    start, limit, delta = (float(o.value(i).reshape(())) for i in range(3))
    count = max(int(np.ceil((limit - start) / delta)), 0)
    for i in range(3):
        emit.work.decide(o.operand(i), o.value(i), emit.reason)
    steps = emit.const(np.arange(count), dtype=o.dtype)
    first, by = (emit.reshape(o.operand(i), (1,), what="number") for i in (0, 2))
    return [emit.op("Add", first, emit.op("Mul", by, steps, what="Mul"), what="Add")]


@writes("ReduceLogSum", when=lambda work, node: work.version() < 18)
def reduce_log_sum(o: Fused) -> Sequence[str]:
    """The logarithm of a sum, as the standard defines it from opset 18 on."""
    axes = o.attr("axes") or range(o.rank(0))
    kept = int(o.attr("keepdims", 1))
    total = o.emit.reduce("ReduceSum", o.operand(0), *(int(a) for a in axes), keepdims=kept, what="total")
    return [o.emit.op("Log", total, what="Log")]
