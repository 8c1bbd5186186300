"""The graph of nodes and values: its order, and who makes and reads a value."""

from __future__ import annotations

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper

import onnxplain as ox
from onnxplain.engine.file.graph import Graph, Node, from_model
from onnxplain.engine.file.protobuf import every_graph, every_node


def _node(name: str, *inputs: str) -> Node:
    return Node(name, "", "Sum", 13, inputs, (name,))


def test_nodes_that_are_out_of_order_are_put_into_one():
    a, b, c, d = _node("a", "x"), _node("b", "a"), _node("c", "x"), _node("d", "b", "c")
    assert Graph([d, c, a, b], ["x"], ["d"], {}).nodes == [c, a, b, d]
    assert Graph([a, c, b, d], ["x"], ["d"], {}).nodes == [a, c, b, d]


@pytest.mark.row("M11")
def test_a_cycle_is_refused():
    with pytest.raises(ox.ModelError, match="cycle"):
        Graph([_node("a", "b"), _node("b", "a")], ["x"], ["b"], {})


def test_readers_come_in_order_and_once():
    a, b, c = _node("a", "x"), _node("b", "a", "a"), _node("c", "b", "a")
    graph = Graph([a, b, c], ["x"], ["c"], {})
    assert list(graph.readers("a")) == [b, c]
    assert list(graph.readers("c")) == []
    assert graph.producer["b"] is b


def _nested() -> onnx.ModelProto:
    """An If with branches that read what is outside: in a node, as an output, in an If of their own."""

    def graph(name: str, *nodes: onnx.NodeProto, output: str) -> onnx.GraphProto:
        return helper.make_graph(
            nodes, name, [], [helper.make_tensor_value_info(output, TensorProto.FLOAT, None)]
        )

    inner = helper.make_node(
        "If",
        ["c"],
        ["i"],
        then_branch=graph("deep", helper.make_node("Neg", ["h"], ["n"]), output="n"),
        else_branch=graph("plain", output="w"),
    )
    body = [
        helper.make_node("Abs", ["x"], ["h"]),
        helper.make_node("Neg", ["x"], ["w"]),
        helper.make_node(
            "If",
            ["c"],
            ["y"],
            then_branch=graph("then", inner, output="i"),
            else_branch=graph("else", helper.make_node("Relu", ["x"], ["r"]), output="r"),
        ),
    ]
    inputs = [helper.make_tensor_value_info("x", TensorProto.FLOAT, ["b", 3])]
    outputs = [helper.make_tensor_value_info("y", TensorProto.FLOAT, None)]
    true = numpy_helper.from_array(np.array(True), "c")
    made = helper.make_graph(body, "main", inputs, outputs, [true])
    return helper.make_model(made, opset_imports=[helper.make_opsetid("", 20)], ir_version=9)


def test_what_subgraphs_read_is_read_by_their_node():
    graph = from_model(_nested())
    branch = graph.producer["y"]
    assert branch.captures == ("c", "h", "w", "x")
    assert list(graph.readers("w")) == [branch]
    assert "y" in graph.made_of(["h"])


def test_every_graph_comes_before_those_inside_it():
    proto = _nested()
    assert [g.name for g in every_graph(proto.graph)] == ["main", "else", "then", "plain", "deep"]
    assert [n.op_type for n in every_node(proto.graph)] == ["Abs", "Neg", "If", "Relu", "If", "Neg"]
