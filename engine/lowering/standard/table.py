"""Which function writes out which operator of the standard, and in which of its forms."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

import onnx

from ..microsoft import table
from ..microsoft.table import Fused, Writer
from ..workspace import Workspace

__all__ = ["TABLE", "Decomposition", "Fused", "write_out", "writer_of", "writes"]

When = Callable[[Workspace, onnx.NodeProto], bool]


@dataclass(frozen=True)
class Decomposition:
    """How an operator is written out.

    Attributes
    ----------
    writer : callable
    when : callable or None
        ``when(work, node)``: the forms that are; all of them where it is None.
    """

    writer: Writer
    when: When | None


TABLE: dict[str, Decomposition] = {}


def writes(*op_types: str, when: When | None = None) -> Callable[[Writer], Writer]:
    """Register a function for operators of the standard."""

    def register(writer: Writer) -> Writer:
        for op_type in op_types:
            if op_type in TABLE:
                raise ValueError(f"{op_type} is written out twice")
            TABLE[op_type] = Decomposition(writer, when)
        return writer

    return register


def writer_of(work: Workspace, node: onnx.NodeProto) -> Writer | None:
    """The function for a node of the standard's domain."""
    entry = TABLE.get(node.op_type)
    if entry is None or (entry.when is not None and not entry.when(work, node)):
        return None
    return entry.writer


def write_out(work: Workspace, found: Mapping[int, onnx.NodeProto]) -> None:
    """Write out the nodes at these positions."""
    table.write_out(work, found, lambda node: TABLE[node.op_type].writer)
