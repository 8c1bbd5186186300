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
    constants = {t.name: t for t in graph.initializer if not t.dims or list(t.dims) == [1]}
    readers: dict[str, list[onnx.NodeProto]] = {}
    for node in graph.node:
        for name in node.input:
            readers.setdefault(name, []).append(node)

    def number(name: str) -> float | None:
        found = constants.get(name)
        return None if found is None else float(numpy_helper.to_array(found).reshape(()))

    def after(name: str, op: str, value: float) -> str | None:
        """What comes of a value and a number."""
        for node in readers.get(name, ()):
            other = [number(i) for i in node.input if i != name]
            known = [o for o in other if o is not None]
            if node.op_type == op and len(other) == 1 and known and np.isclose(known[0], value, rtol=1e-6):
                return str(node.output[0])
        return None

    made: dict[int, list[onnx.NodeProto]] = {}
    for at, node in enumerate(graph.node):
        if node.op_type != "Gelu" or node.domain not in ("", "ai.onnx"):
            continue
        if any(a.name == "approximate" and a.s not in (b"", b"none") for a in node.attribute):
            continue
        (x,), (y,) = node.input, node.output
        scaled = after(x, "Mul", 0.5**0.5)
        erf = next((n.output[0] for n in readers.get(scaled or "", ()) if n.op_type == "Erf"), None)
        gate = None if erf is None else after(erf, "Add", 1.0)
        if gate is None:
            continue
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
