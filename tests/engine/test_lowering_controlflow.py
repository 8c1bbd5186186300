"""If, Loop and Scan as the nodes that run."""

from __future__ import annotations

import numpy as np
import onnx
import pytest
from lowered import check, model, normal, operators, same, session
from onnx import TensorProto, helper

from onnxplain.engine.errors import LimitError
from onnxplain.engine.lowering import controlflow, lower

THREE = ["batch", 3]


def feed(batch):
    return {"x": normal(batch, 3)}


def test_if_on_a_value(tmp_path):
    """Each branch when it is taken; the condition is there to be checked."""
    source = model(
        """
        s = ReduceSum<keepdims = 0>(x)
        c = Greater(s, zero)
        [choose] h = If(c) <
            then_branch = yes () => (a) { [inner] t = Mul(x, two)  a = Tanh(t) },
            else_branch = no () => (a) { a = Sigmoid(x) }
        >
        y = Mul(h, two)
        """,
        {"x": THREE},
        {"zero": np.float32(0), "two": np.float32(2)},
    )
    for sign, operator in ((1, "Tanh"), (-1, "Sigmoid")):
        x = {"x": sign * np.abs(normal(1, 3))}
        made = lower(source, x, where="source")
        assert operators(made.proto) == {"ReduceSum", "Greater", operator, "Mul"}
        assert made.decisions == (("c", np.array(sign > 0)),)
        same(session(made.proto).run(None, x), session(source).run(None, x))
    assert [n.name for n in lower(source, {"x": normal(1, 3) ** 2}, where="").proto.graph.node][2] == "inner"
    check(source, lambda b: {"x": normal(b, 3) ** 2 + 0.1}, "If", tmp_path)


def test_if_by_rank_is_no_decision(tmp_path):
    """A rank never changes, so it is nothing to check."""
    source = model(
        """
        s = Shape(x)
        r = Shape(s)
        c = Equal(r, two)
        y = If(c) <
            then_branch = yes () => (a) { a = Relu(x) },
            else_branch = no () => (a) { t = Neg(x)  a = Relu(t) }
        >
        """,
        {"x": THREE},
        {"two": np.array([2])},
    )
    made = check(source, feed, "If", tmp_path, smooth=False)
    assert made.decisions == ()


def test_nested_if_with_the_same_names(tmp_path):
    """Branches that use each other's names, constants in them, and an output that nothing in them makes."""
    source = model(
        """
        c = Constant<value = bool {1}>()
        y, z, w = If(c) <
            then_branch = yes () => (a, b, d) {
                t = Mul(x, k)
                a = If(c) <
                    then_branch = deep () => (u) {
                        one = Constant<value = float {1}>()
                        v = Add(t, one)
                        u = Tanh(v)
                    },
                    else_branch = other () => (u) { u = Identity(t) }
                >
                b = Identity(t)
                d = Constant<value = float {5}>()
            },
            else_branch = no () => (a, b, d) {
                t = Neg(x)
                a = Identity(t)
                b = Identity(t)
                d = Constant<value = float {3}>()
            }
        >
        e = If(c) <
            then_branch = yes2 () => (a) { t = Sin(z) a = Mul(t, t) },
            else_branch = no2 () => (a) { a = Identity(z) }
        >
        """,
        {"x": THREE},
        {"k": np.float32(2)},
        outputs=["e", "y", "z", "w"],
    )
    made = check(source, feed, "If", tmp_path)
    assert made.decisions == ()


def test_if_with_an_initialiser_in_the_branch(tmp_path):
    source = model(
        "c = Constant<value = bool {0}>() y, z = If(c)",
        {"x": THREE},
        outputs=["y", "z"],
    )
    weight = onnx.numpy_helper.from_array(normal(3, 2), "w")
    value = helper.make_tensor_value_info("a", TensorProto.FLOAT, None)
    branch = helper.make_graph([helper.make_node("MatMul", ["x", "w"], ["a"])], "b", [], [value], [weight])
    branch.output.append(helper.make_tensor_value_info("w", TensorProto.FLOAT, None))
    source.graph.node[1].attribute.append(helper.make_attribute("then_branch", branch))
    source.graph.node[1].attribute.append(helper.make_attribute("else_branch", branch))
    check(source, feed, "If", tmp_path)


def test_only_what_needs_it_is_touched():
    source = model(
        """
        [first] a = Mul(x, x)
        c = Constant<value = bool {1}>()
        b = If(c) < then_branch = t () => (o) { o = Neg(a) }, else_branch = e () => (o) { o = Abs(a) } >
        [last] y = Add(a, b)
        """,
        {"x": THREE},
    )
    source.metadata_props.add(key="k", value="v")
    made = lower(source, feed(2), where="source").proto
    assert [n.SerializeToString() for n in (made.graph.node[0], made.graph.node[3])] == [
        n.SerializeToString() for n in (source.graph.node[0], source.graph.node[3])
    ]
    assert made.metadata_props == source.metadata_props
    assert made.graph.input == source.graph.input
    assert made.graph.output == source.graph.output


LOOP = """
    y, steps = Loop({head}, x) <body = b (int64 i, bool c, float[N, 3] h) => (cond, next, kept) {{
        k = Constant<value = float {{0.2}}>()
        f = Cast<to = 1>(i)
        g = Mul(f, k)
        s = MatMul(h, w)
        t = Add(s, g)
        next = Tanh(t)
        kept = Mul(next, x)
        {cond}
    }}>
    y2 = Transpose<perm = [1, 0, 2]>(steps)
"""


def test_loop_by_trip_count(tmp_path):
    source = model(
        LOOP.format(head="m, ", cond="cond = Identity(c)"),
        {"x": THREE},
        {"m": np.int64(4), "w": normal(3, 3)},
        outputs=["y", "y2"],
    )
    made = check(source, feed, "Loop", tmp_path)
    assert made.decisions == ()
    assert sum(n.op_type == "Constant" for n in made.proto.graph.node) == 1  # the same in every iteration


def test_loop_by_condition(tmp_path):
    """As long as the sum stays small: every iteration's condition is a decision."""
    source = model(
        """
        go = Constant<value = bool {1}>()
        y = Loop(, go, x) <body = b (int64 i, bool c, float[N, 3] h) => (cond, next) {
            next = Mul(h, grow)
            a = Abs(next)
            s = ReduceMax<keepdims = 0>(a)
            cond = Less(s, limit)
        }>
        """,
        {"x": THREE},
        {"grow": np.float32(1.5), "limit": np.float32(20)},
    )
    made = check(source, feed, "Loop", tmp_path, open_batch=False)
    values = [bool(v) for _, v in made.decisions]
    assert values == [True] * (len(values) - 1) + [False]
    x = {"x": np.full((2, 3), 0.01, np.float32)}
    other = lower(source, x, where="source")
    assert len(other.decisions) > len(made.decisions)
    same(session(other.proto).run(None, x), session(source).run(None, x))


def test_loop_over_an_inputs_length():
    """The trip count comes from a shape, and is a decision."""
    source = model(
        """
        s = Shape(x)
        m = Gather<axis = 0>(s, one)
        start = ReduceMean<axes = [1], keepdims = 1>(x)
        y, r = Loop(m, , start) <body = b (int64 i, bool c, float[N, 1] h) => (cond, next, out) {
            cond = Identity(c)
            col = Gather<axis = 1>(x, i)
            u = Unsqueeze(col, axes)
            next = Add(h, u)
            out = Identity(next)
        }>
        """,
        {"x": ["batch", "time"]},
        {"one": np.int64(1), "axes": np.array([1])},
        outputs=["y", "r"],
    )
    for length in (1, 5):
        x = {"x": normal(2, length)}
        made = lower(source, x, where="source")
        assert made.decisions == (("m", np.array(length)),)
        same(session(made.proto).run(None, x), session(source).run(None, x))


@pytest.mark.parametrize("head", ["zero, ", ", never"])
def test_loop_of_no_iteration(head):
    source = model(
        LOOP.format(head=head, cond="cond = Identity(c)"),
        {"x": THREE},
        {"zero": np.int64(0), "never": np.array(False), "w": normal(3, 3)},
        outputs=["y", "steps"],
    )
    del source.graph.node[-1]
    made = lower(source, feed(1), where="source")
    assert "Loop" not in operators(made.proto)
    got, want = (session(p).run(None, feed(1)) for p in (made.proto, source))
    same(got, want)


def test_loop_in_loop_with_if(tmp_path):
    """Captures over two levels, the inner trip count from the outer iteration, an If inside."""
    source = model(
        """
        y = Loop(m, , x) <body = outer (int64 i, bool c, float[N, 3] h) => (cond, out) {
            cond = Identity(c)
            trips = Add(i, one)
            even0 = Mod(i, m)
            even = Equal(even0, one)
            z = Loop(trips, , h) <body = inner (int64 j, bool d, float[N, 3] g) => (cond2, next) {
                cond2 = Identity(d)
                a = Mul(g, k)
                b = Mul(x, k)
                next = Add(a, b)
            }>
            out = If(even) <
                then_branch = t () => (o) { o = Tanh(z) },
                else_branch = e () => (o) { q = Sigmoid(z) o = Mul(q, h) }
            >
        }>
        """,
        {"x": THREE},
        {"m": np.int64(3), "one": np.int64(1), "k": np.float32(0.6)},
    )
    made = check(source, feed, "Loop", tmp_path)
    assert "If" not in operators(made.proto)
    assert made.decisions == ()


def test_swapped_states(tmp_path):
    """Outputs that are inputs, in another order, and one given twice."""
    source = model(
        """
        a, b, c = Loop(m, , x, z, x) <body = l (int64 i, bool c, float[N, 3] p, float[N, 3] q, float[N, 3] r)
                => (cond, p2, q2, r2) {
            cond = Identity(c)
            p2 = Identity(q)
            q2 = Mul(p, q)
            r2 = Identity(p2)
        }>
        y = Sum(a, b, c)
        """,
        {"x": THREE, "z": THREE},
        {"m": np.int64(3)},
        outputs=["y", "a", "b", "c"],
    )
    body = source.graph.node[0].attribute[0].g
    body.output[1].name = "q"  # handed on without an Identity
    body.output[3].name = "q2"
    del body.node[3], body.node[1]
    check(source, lambda n: {"x": normal(n, 3), "z": normal(n, 3, seed=1)}, "Loop", tmp_path)


@pytest.mark.row("M14")
def test_loop_that_is_too_long(monkeypatch):
    source = model(
        LOOP.format(head="m, ", cond="cond = Identity(c)"),
        {"x": THREE},
        {"m": np.int64(400), "w": normal(3, 3)},
        outputs=["y", "y2"],
    )
    source.graph.node[0].name = "long"
    monkeypatch.setattr(controlflow, "MAX_NODES", 1000)
    with pytest.raises(LimitError, match=r"source: node 'long' \(Loop\): 400 iterations of 8 nodes"):
        lower(source, feed(1), where="source")


@pytest.mark.parametrize("opset", [9, 11, 16, 21])
def test_scan(opset, tmp_path):
    """A sum along time forwards, and a product backwards, in one."""
    source = model(
        """
        xt = Transpose<perm = [1, 0, 2]>(x)
        start = ReduceMean<axes = [0], keepdims = 0>(xt)
        last, r, s = Scan<num_scan_inputs = 2, scan_input_axes = [0, 1], scan_input_directions = [0, 1],
                          scan_output_axes = [0, 1], scan_output_directions = [1, 0],
                          body = b (float[N, 3] h, float[N, 3] u, float[N, 3] v) => (next, p, q) {
            a = Add(h, u)
            m = MatMul(a, w)
            next = Tanh(m)
            p = Mul(next, v)
            q = Identity(a)
        }>(start, xt, x)
        rt = Transpose<perm = [1, 0, 2]>(r)
        """
        if opset < 18
        else """
        xt = Transpose<perm = [1, 0, 2]>(x)
        start = Gather<axis = 0>(xt, first)
        last, r, s = Scan<num_scan_inputs = 2, scan_input_axes = [-3, -2], scan_input_directions = [0, 1],
                          scan_output_axes = [-3, -2], scan_output_directions = [1, 0],
                          body = b (float[N, 3] h, float[N, 3] u, float[N, 3] v) => (next, p, q) {
            a = Add(h, u)
            m = MatMul(a, w)
            next = Tanh(m)
            p = Mul(next, v)
            q = Identity(a)
        }>(start, xt, x)
        rt = Transpose<perm = [1, 0, 2]>(r)
        """,
        {"x": ["batch", 4, 3]},
        {"w": normal(3, 3), **({"first": np.int64(0)} if opset >= 18 else {})},
        outputs=["last", "rt", "s"],
        opset=opset,
    )
    made = check(source, lambda n: {"x": normal(n, 4, 3)}, "Scan", tmp_path)
    assert {int(v) for _, v in made.decisions} == {4}


def test_scan_without_states():
    source = model(
        """
        y = Scan<num_scan_inputs = 1, body = b (float[3] u) => (p) { p = Mul(u, u) }>(x)
        """,
        {"x": THREE},
    )
    for batch in (1, 3):
        made = lower(source, feed(batch), where="source").proto
        same(session(made).run(None, feed(batch)), session(source).run(None, feed(batch)))


# -- sequences ----------------------------------------------------------------------------------------


def test_sequence_made_in_a_loop(tmp_path):
    """As exporters write a list that grows in a for loop."""
    source = model(
        """
        empty = SequenceEmpty<dtype = 1>()
        s, h = Loop(m, , empty, x) <body = l (int64 i, bool c, seq(float[N, 3]) s0, float[N, 3] h0)
                => (cond, s1, h1) {
            cond = Identity(c)
            h1 = Tanh(h0)
            s1 = SequenceInsert(s0, h1)
        }>
        stacked = ConcatFromSequence<axis = -1, new_axis = 1>(s)
        one = SequenceAt(s, last)
        n = SequenceLength(s)
        f = Cast<to = 1>(n)
        u = Unsqueeze(one, axes)
        t = Mul(stacked, u)
        y = Div(t, f)
        """,
        {"x": THREE},
        {"m": np.int64(3), "last": np.int64(-1), "axes": np.array([2])},
    )
    made = check(source, feed, "Loop", tmp_path)
    assert not any("Sequence" in name for name in operators(made.proto))
    assert made.decisions == ()


@pytest.mark.parametrize("split", ["", ", two", ", sizes"])
def test_split_to_sequence(split, tmp_path):
    source = model(
        f"""
        s = SplitToSequence<axis = 1, keepdims = 1>(x{split})
        e = SequenceErase(s, zero)
        a = SequenceAt(e, zero)
        i = SequenceInsert(e, a, zero)
        y = ConcatFromSequence<axis = -1>(i)
        """,
        {"x": ["batch", 5]},
        {"zero": np.int64(0), "two": np.int64(2), "sizes": np.array([1, 4])},
    )
    made = check(source, lambda n: {"x": normal(n, 5)}, "SplitToSequence", tmp_path)
    assert not any("Sequence" in name for name in operators(made.proto))
    assert [int(v) for _, v in made.decisions] == [5]


@pytest.mark.row("M22")
def test_sequence_that_is_an_output_stays():
    source = model("s = SequenceConstruct(x, x) y = SequenceAt(s, one)", {"x": THREE}, {"one": np.int64(1)})
    kind = helper.make_tensor_type_proto(TensorProto.FLOAT, None)
    source.graph.output.append(helper.make_value_info("s", helper.make_sequence_type_proto(kind)))
    made = lower(source, feed(2), where="source").proto
    assert operators(made) == {"SequenceConstruct", "Identity"}
    got, want = (session(p).run(None, feed(2)) for p in (made, source))
    same(got[1], want[1])


def test_optional():
    source = model(
        """
        o = Optional(x)
        s = SequenceConstruct(x, x)
        p = Optional(s)
        a = OptionalGetElement(o)
        t = OptionalGetElement(p)
        b = SequenceAt(t, one)
        y = Add(a, b)
        """,
        {"x": THREE},
        {"one": np.int64(1)},
        opset=18,
    )
    made = lower(source, feed(2), where="source").proto
    assert operators(made) == {"Identity", "Add"}
    same(session(made).run(None, feed(2)), session(source).run(None, feed(2)))
