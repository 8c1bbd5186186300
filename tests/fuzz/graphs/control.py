"""Control flow and recurrent layers."""

from __future__ import annotations

from typing import Any

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

from .build import Graph, UnfitError
from .table import add, grows


def _branch(g: Graph, op: str, x: str) -> onnx.GraphProto:
    out = g.fresh("b")
    return helper.make_graph(
        [helper.make_node(op, [x], [out], f"{op}_{out}")],
        f"branch_{out}",
        [],
        [helper.make_tensor_value_info(out, TensorProto.FLOAT, None)],
    )


@grows("If", weight=0.8)
def if_constant(g: Graph) -> str:
    x = g.pick()
    then, other = _branch(g, "Tanh", x), _branch(g, "Neg", x)
    condition = g.const(g.chance(), np.bool_)
    return g.node("If", condition, captures=[x], then_branch=then, else_branch=other)


@grows("If by a value", weight=0.6)
def if_value(g: Graph) -> str:
    """The way depends on the whole batch: files with an open batch would mix samples."""
    if g.is_open and g.batch > 1:
        raise UnfitError
    x = g.pick()
    if g.batch > 1:
        raise UnfitError
    total = g.node("ReduceSum", x, keepdims=0)
    condition = g.node("Greater", total, g.const(0.0))
    then, other = _branch(g, g.one_of(("Tanh", "Abs")), x), _branch(g, "Neg", x)
    return g.node("If", condition, captures=[x], then_branch=then, else_branch=other)


@grows("Loop", since=13, weight=0.8)
def loop(g: Graph) -> str:
    x = g.pick()
    i, go, h, w, u, out, on = (g.fresh("l") for _ in range(7))
    body = helper.make_graph(
        [
            helper.make_node("Mul", [h, w], [u]),
            helper.make_node(g.one_of(("Tanh", "Sin", "Softsign")), [u], [out]),
            helper.make_node("Identity", [go], [on]),
        ],
        f"body_{i}",
        [
            helper.make_tensor_value_info(i, TensorProto.INT64, []),
            helper.make_tensor_value_info(go, TensorProto.BOOL, []),
            helper.make_tensor_value_info(h, TensorProto.FLOAT, None),
        ],
        [
            helper.make_tensor_value_info(on, TensorProto.BOOL, []),
            helper.make_tensor_value_info(out, TensorProto.FLOAT, None),
        ],
        [numpy_helper.from_array(np.float32(1.3), w)],
    )
    times, always = g.const(g.integer(1, 3), np.int64), g.const(True, np.bool_)
    return g.node("Loop", times, always, x, body=body)


@grows("Scan", since=11, weight=0.8)
def scan(g: Graph) -> str:
    """A running sum over time, each step squashed."""
    x = g.pick(rank=3)
    steps = g.node("Transpose", x, perm=[1, 0, 2])
    h, s, u, out, each = (g.fresh("s") for _ in range(5))
    body = helper.make_graph(
        [
            helper.make_node("Add", [h, s], [u]),
            helper.make_node("Tanh", [u], [out]),
            helper.make_node("Identity", [out], [each]),
        ],
        f"body_{h}",
        [helper.make_tensor_value_info(n, TensorProto.FLOAT, None) for n in (h, s)],
        [helper.make_tensor_value_info(n, TensorProto.FLOAT, None) for n in (out, each)],
    )
    zero = g.node("Mul", g.axes_node("ReduceSum", x, [1], 13, keepdims=0), g.const(0.0))
    last, all_of_them = g.node("Scan", zero, steps, outputs=2, body=body, num_scan_inputs=1)
    return last if g.chance() else g.node("Transpose", all_of_them, perm=[1, 0, 2])


def _recurrent(op: str, gates: int) -> Any:
    def build(g: Graph) -> str:
        x = g.pick(rank=3)
        n, hidden = g.shape(x)[2], 3
        direction = g.one_of(("forward", "reverse", "bidirectional"))
        two = 2 if direction == "bidirectional" else 1
        w = g.const(g.normal(two, gates * hidden, n, scale=n**-0.5))
        r = g.const(g.normal(two, gates * hidden, hidden, scale=hidden**-0.5))
        bias = [g.const(g.normal(two, 2 * gates * hidden, scale=0.3))] if g.chance(0.7) else []
        given: dict[str, Any] = {"hidden_size": hidden, "direction": direction}
        if op == "GRU":
            given["linear_before_reset"] = int(g.chance())
        steps = g.node("Transpose", x, perm=[1, 0, 2])
        outputs = 3 if op == "LSTM" else 2
        y, last, *_ = g.node(op, steps, w, r, *bias, outputs=outputs, **given)
        if g.chance(0.4):
            return g.node("Reshape", g.node("Transpose", last, perm=[1, 0, 2]), g.ints(-1, two * hidden))
        ahead = g.node("Transpose", y, perm=[2, 0, 1, 3])
        return str(g.node("Reshape", ahead, g.ints(0, 0, -1)))

    return build


for _op, _gates in (("LSTM", 4), ("GRU", 3), ("RNN", 1)):
    add(_op, _recurrent(_op, _gates), weight=0.7)
