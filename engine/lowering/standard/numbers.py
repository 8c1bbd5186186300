"""Range of signals."""

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
