"""A model's Gelu, computed with the gate that relevance reads of it: one error function instead of two."""

from __future__ import annotations

from typing import Any

import numpy as np
import onnx
from onnx import helper, numpy_helper


def share_gates(graph: onnx.GraphProto, dtype: np.dtype[Any]) -> None:
    """Write ``Gelu(x)`` as ``x (erf(x / sqrt 2) + 1) / 2`` wherever ``erf(x / sqrt 2) + 1`` is in the graph.

    The half comes last: onnxruntime takes it into the product that follows.

    Parameters
    ----------
    graph : onnx.GraphProto
        Changed in place; its nodes need not be in order afterwards.
    dtype : numpy dtype
        Of the arithmetic.
    """
    values = _Values(graph)
    made: dict[int, list[onnx.NodeProto]] = {}
    for at, node in enumerate(graph.node):
        gate = values.gate(node.input[0]) if _is_exact_gelu(node) else None
        if gate is None:
            continue
        (x,), (y,) = node.input, node.output
        half = f"{y}/onnxplain/half"
        graph.initializer.append(numpy_helper.from_array(np.asarray(0.5, dtype), half))
        made[at] = [
            helper.make_node("Mul", [x, gate], [f"{y}/onnxplain/double"], name=f"{node.name}/onnxplain/gate"),
            helper.make_node("Mul", [f"{y}/onnxplain/double", half], [y], name=node.name),
        ]
    if made:
        nodes = [n for at, node in enumerate(graph.node) for n in made.get(at, [node])]
        copies = onnx.GraphProto(node=nodes)
        del graph.node[:]
        graph.node.extend(copies.node)


def _is_exact_gelu(node: onnx.NodeProto) -> bool:
    """Whether it is the Gelu of the error function."""
    if node.op_type != "Gelu" or node.domain not in ("", "ai.onnx"):
        return False
    return all(a.name != "approximate" or a.s in (b"", b"none") for a in node.attribute)


class _Values:
    """Who reads what, and which values are a number."""

    def __init__(self, graph: onnx.GraphProto) -> None:
        self._numbers = {t.name: t for t in graph.initializer if not t.dims or list(t.dims) == [1]}
        self._readers: dict[str, list[onnx.NodeProto]] = {}
        for node in graph.node:
            for name in node.input:
                self._readers.setdefault(name, []).append(node)

    def gate(self, x: str) -> str | None:
        """``erf(x / sqrt 2) + 1``, where the graph has it."""
        scaled = self._after(x, "Mul", 0.5**0.5)
        erf = next((n.output[0] for n in self._readers.get(scaled or "", ()) if n.op_type == "Erf"), None)
        return None if erf is None else self._after(erf, "Add", 1.0)

    def _number(self, name: str) -> float | None:
        found = self._numbers.get(name)
        return None if found is None else float(numpy_helper.to_array(found).reshape(()))

    def _after(self, name: str, op: str, value: float) -> str | None:
        """What comes of a value and a number."""
        for node in self._readers.get(name, ()):
            other = [self._number(i) for i in node.input if i != name]
            known = [o for o in other if o is not None]
            if node.op_type == op and len(other) == 1 and known and np.isclose(known[0], value, rtol=1e-6):
                return str(node.output[0])
        return None
