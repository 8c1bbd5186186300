"""onnxruntime's own fused operators, written out in elementary ones."""

from __future__ import annotations

from ..emit import Emit, apply
from ..workspace import Workspace
from . import activation, attention, blocked, linear, normalization, quantised
from .table import NCHWC, Fused, writer_of

_FAMILIES = (activation, attention, blocked, linear, normalization, quantised)  # each registers its own


def run(work: Workspace) -> bool:
    """Write out every fused operator that is known; whether there were any.

    Raises
    ------
    UnsupportedOperator
        One has a form that is not supported.
    """
    found = {i: node for i, node in enumerate(work.nodes) if writer_of(node) is not None}
    if not found:
        return False
    work.observe(v for node in found.values() for v in node.input if v)
    made: dict[int, Emit] = {}
    for i, node in found.items():
        writer = writer_of(node)
        assert writer is not None
        emit = made[i] = Emit(work, node)
        fused = Fused(emit, node)
        values = writer(fused)
        for k in range(len(values), len(node.output)):
            if node.output[k]:
                raise fused.refuse(f"output {node.output[k]!r}")
        emit.give({o: v for o, v in zip(node.output, values, strict=False) if o})
    if any(node.domain == NCHWC for node in found.values()):
        work.forget()  # values between such nodes have another order of elements now
    apply(work, made)
    return True
