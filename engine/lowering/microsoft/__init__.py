"""onnxruntime's own fused operators, written out in elementary ones."""

from __future__ import annotations

from ..workspace import Workspace
from . import activation, attention, blocked, grouped, linear, normalisation, quantised
from .table import NCHWC, TABLE, write_out, writer_of

_FAMILIES = (
    activation,
    attention,
    blocked,
    grouped,
    linear,
    normalisation,
    quantised,
)  # each registers its own


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
    write_out(work, found, lambda node: TABLE[node.domain, node.op_type])
    if any(node.domain == NCHWC for node in found.values()):
        work.forget()  # values between such nodes have another order of elements now
    return True
