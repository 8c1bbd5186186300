"""LSTM, GRU and RNN step by step give what onnxruntime's own give."""

from __future__ import annotations

import numpy as np
import onnx
import pytest
from lowered import check, model, normal, operators, same, session, well_formed
from onnx import TensorProto, helper, numpy_helper
from onnx.reference import ReferenceEvaluator

from onnxplain.engine import lowering
from onnxplain.engine.errors import LimitError, ModelError
from onnxplain.engine.lowering import lower

TIME, FEATURES, HIDDEN = 5, 4, 3
GATES = {"RNN": 1, "GRU": 3, "LSTM": 4}


def layer(kind: str, opset: int = 17, *, dynamic: bool = False, used: str = "yhc", **options):
    """A recurrent layer between Transposes, [batch, time, features] to [batch, ...]."""
    both = 2 if options.get("direction") == "bidirectional" else 1
    rows = GATES[kind] * HIDDEN
    operands = {"B": options.pop("B", True), "len": options.pop("len", False), "h0": options.pop("h0", False)}
    operands |= {"c0": options.pop("c0", False), "P": options.pop("P", False)}
    weights = {
        "W": 0.7 * normal(both, rows, FEATURES, seed=1),
        "R": 0.7 * normal(both, rows, HIDDEN, seed=2),
        "B": 0.5 * normal(both, 2 * rows, seed=3),
        "P": 0.5 * normal(both, 3 * HIDDEN, seed=4),
    }
    given = [n if operands.get(n, True) else "" for n in ("W", "R", "B", "len", "h0t", "c0t", "P")]
    given[3] = "len" if operands["len"] else ""
    given[4] = "h0t" if operands["h0"] else ""
    given[5] = "c0t" if operands["c0"] else ""
    given = given if kind == "LSTM" else given[:5]
    while not given[-1]:
        given.pop()
    inputs = {"x": ["batch", TIME, FEATURES]}
    types = {}
    nodes = [helper.make_node("Transpose", ["x"], ["xt"], perm=[1, 0, 2])]
    for n in ("h0", "c0"):
        if operands[n]:
            inputs[n] = ["batch", both, HIDDEN]
            nodes.append(helper.make_node("Transpose", [n], [n + "t"], perm=[1, 0, 2]))
    if operands["len"]:
        inputs["len"] = ["batch"]
        types["len"] = TensorProto.INT32
    if dynamic:  # weights that are computed from an input
        inputs["s"] = ["one"]
        nodes += [helper.make_node("Mul", [w, "s"], [w + "_s"]) for w in ("W", "R", "B")]
        given[:3] = ["W_s", "R_s", "B_s"]
    made = ["Y" if "y" in used else "", "Y_h" if "h" in used else ""]
    made += ["Y_c" if "c" in used else ""] if kind == "LSTM" else []
    node = helper.make_node(kind, ["xt", *given], made, name="layer", hidden_size=HIDDEN, **options)
    nodes.append(node)
    outputs = []
    if made[0]:
        nodes.append(helper.make_node("Transpose", ["Y"], ["y"], perm=[2, 0, 1, 3]))
        outputs.append("y")
    for n in made[1:]:
        if n:
            nodes.append(helper.make_node("Transpose", [n], [n.lower()], perm=[1, 0, 2]))
            outputs.append(n.lower())
    base = model("", inputs, weights, outputs=outputs, opset=opset, types=types)
    base.graph.node.extend(nodes)
    return base


def feed_of(proto, lengths=(TIME, 2, 4)):
    """Inputs by batch size."""

    def feed(batch):
        made = {}
        for i in proto.graph.input:
            if i.name == "len":
                made["len"] = np.array(lengths[-batch:] if batch > 1 else lengths[1:2], np.int32)
            elif i.name == "s":
                made["s"] = np.full(1, 0.9, np.float32)
            else:
                shape = [d.dim_value for d in i.type.tensor_type.shape.dim][1:]
                made[i.name] = normal(batch, *shape, seed=len(i.name))
        return made

    return feed


EVERY = [{"direction": d} for d in ("forward", "reverse", "bidirectional")]
EVERY += [
    {"B": False},
    {"h0": True},
    {"h0": True, "direction": "bidirectional"},
    {"len": True},
    {"len": True, "direction": "reverse"},
    {"len": True, "h0": True, "direction": "bidirectional"},
    {"used": "y"},
    {"used": "h"},
    {"used": "h", "direction": "bidirectional"},
    {"clip": 0.4},
    {"opset": 7},
    {"opset": 8, "len": True, "h0": True, "direction": "bidirectional"},
    {"opset": 11, "len": True, "h0": True},
    {"opset": 13},
    {"opset": 22},
    {"dynamic": True},
    {"dynamic": True, "direction": "bidirectional", "opset": 11},
]
CASES = [(kind, options) for kind in GATES for options in EVERY]
CASES += [("GRU", {"linear_before_reset": 1, **options}) for options in EVERY]
CASES += [
    ("LSTM", {"h0": True, "c0": True}),
    ("LSTM", {"c0": True, "direction": "bidirectional"}),
    ("LSTM", {"used": "c"}),
    ("LSTM", {"P": True}),
    ("LSTM", {"P": True, "c0": True, "direction": "bidirectional"}),
    ("LSTM", {"P": True, "c0": True, "clip": 0.3}),
    ("LSTM", {"input_forget": 1, "c0": True}),
    ("LSTM", {"input_forget": 1, "activations": ["HardSigmoid", "Tanh", "Tanh"]}),
    ("LSTM", {"len": True, "c0": True, "h0": True, "direction": "reverse"}),
    ("LSTM", {"activations": ["HardSigmoid", "Softsign", "Relu"], "activation_alpha": [0.3],
              "activation_beta": [0.4]}),
    ("LSTM", {"activations": ["Sigmoid", "LeakyRelu", "Elu"], "activation_alpha": [0.1, 0.7]}),
    ("LSTM", {"direction": "bidirectional",
              "activations": ["Sigmoid", "Tanh", "Tanh", "Sigmoid", "Relu", "ScaledTanh"],
              "activation_alpha": [0.8], "activation_beta": [0.9]}),
    ("GRU", {"activations": ["HardSigmoid", "Softplus"], "h0": True}),
    ("GRU", {"activations": ["Sigmoid", "Affine"], "activation_alpha": [0.5], "activation_beta": [0.1]}),
    ("GRU", {"activations": ["sigmoid", "ThresholdedRelu"], "activation_alpha": [0.2]}),
    ("RNN", {"activations": ["Relu"]}),
    ("RNN", {"activations": ["Affine"], "activation_alpha": [0.5], "activation_beta": [0.1]}),
    ("RNN", {"direction": "bidirectional", "activations": ["Tanh", "LeakyRelu"], "activation_alpha": [0.3]}),
]  # fmt: skip


def _id(case):
    kind, options = case
    return "-".join([kind, *(f"{k}={v}" for k, v in options.items())])


def _smooth(options):
    rough = {"Relu", "LeakyRelu", "ThresholdedRelu", "HardSigmoid", "Elu"}
    return "clip" not in options and not rough & set(options.get("activations", []))


@pytest.mark.parametrize("case", CASES, ids=_id)
def test_layer(case, tmp_path):
    kind, options = case
    source = layer(kind, **options)
    # Rules read gates through Where, which opset 7 has not.
    explain = options.get("opset", 17) >= 9
    check(source, feed_of(source), kind, tmp_path, smooth=_smooth(options), explain=explain)


@pytest.mark.parametrize("kind", GATES)
def test_empty_sequences(kind, tmp_path):
    source = layer(kind, len=True, h0=True, direction="bidirectional")
    check(source, feed_of(source, (0, 0, 3)), kind, tmp_path, explain=False)


@pytest.mark.parametrize("kind", GATES)
def test_batch_first(kind):
    """onnxruntime does not run layout 1; onnx's reference does."""
    operands = ["x", "W", "R", "B", "", "h0"]
    node = helper.make_node(kind, operands, ["y", "h"], hidden_size=HIDDEN, layout=1, name="layer")
    rows = GATES[kind] * HIDDEN
    weights = {"W": normal(1, rows, FEATURES), "R": normal(1, rows, HIDDEN), "B": normal(1, 2 * rows)}
    shapes = {"x": ["batch", TIME, FEATURES], "h0": ["batch", 1, HIDDEN]}
    source = model("", shapes, weights, outputs=["y", "h"])
    source.graph.node.append(node)
    x = {"x": normal(2, TIME, FEATURES), "h0": normal(2, 1, HIDDEN)}
    made = lower(source, x, where="source").proto
    well_formed(made, x)
    assert kind not in operators(made)
    same(session(made).run(None, x), _timewise(source, x))


def _timewise(source, x):
    """What the layer gives with the axes ordered by hand around it."""
    weights = {t.name: numpy_helper.to_array(t) for t in source.graph.initializer}
    feed = {"x": x["x"].transpose(1, 0, 2), "h0": x["h0"].transpose(1, 0, 2)}
    shapes = {"x": [TIME, "batch", FEATURES], "h0": [1, "batch", HIDDEN]}
    twin = model("", shapes, weights, outputs=["y", "h"])
    node = onnx.NodeProto()
    node.CopyFrom(source.graph.node[0])
    del node.attribute[:]
    node.attribute.extend(a for a in source.graph.node[0].attribute if a.name != "layout")
    twin.graph.node.append(node)
    y, h = session(twin).run(None, feed)
    return y.transpose(2, 0, 1, 3), h.transpose(1, 0, 2)


def test_nothing_to_do():
    source = model("y = Relu(x)", {"x": ["batch", 3]})
    made = lower(source, {"x": normal(2, 3)}, where="source")
    assert made.proto is source
    assert made.decisions == ()


def test_length_is_a_decision():
    source = layer("LSTM")
    source.graph.input[0].type.tensor_type.shape.dim[1].dim_param = "time"
    made = lower(source, {"x": normal(2, TIME, FEATURES)}, where="source")
    ((name, value),) = made.decisions
    made.proto.graph.output.append(onnx.ValueInfoProto(name=name))
    assert session(made.proto).run([name], {"x": normal(3, TIME, FEATURES)})[0] == value == TIME


def test_too_many_steps(monkeypatch):
    monkeypatch.setattr(lowering.recurrent, "MAX_NODES", 40)
    with pytest.raises(LimitError, match=r"source: node 'layer' \(LSTM\): 5 steps"):
        lower(layer("LSTM"), {"x": normal(2, TIME, FEATURES)}, where="source")


def test_unknown_activation():
    source = layer("RNN", activations=["Cubic"])
    with pytest.raises(ModelError, match="'layer' \\(RNN\\): activation 'cubic' is not known"):
        lower(source, {"x": normal(2, TIME, FEATURES)}, where="source")


@pytest.mark.parametrize("per_channel", [False, True])
@pytest.mark.parametrize("direction", ["forward", "bidirectional"])
def test_integer_weights(per_channel, direction, tmp_path):
    both = 2 if direction == "bidirectional" else 1
    rng = np.random.default_rng(0)
    scale = (both, 4 * HIDDEN) if per_channel else (both,)
    weights = {
        "W": rng.integers(-60, 60, (both, FEATURES, 4 * HIDDEN)).astype(np.int8),
        "R": rng.integers(-60, 60, (both, HIDDEN, 4 * HIDDEN)).astype(np.int8),
        "B": 0.3 * normal(both, 8 * HIDDEN),
        "ws": rng.uniform(0.005, 0.01, scale).astype(np.float32),
        "rs": rng.uniform(0.005, 0.01, scale).astype(np.float32),
        "z": np.zeros(scale, np.int8),
    }
    body = f"""
        xt = Transpose<perm=[1, 0, 2]>(x)
        [layer] Y, Y_h, Y_c = com.microsoft.DynamicQuantizeLSTM
            <hidden_size={HIDDEN}, direction="{direction}">(xt, W, R, B, , , , , ws, z, rs, z)
        y = Transpose<perm=[2, 0, 1, 3]>(Y)
        h = Transpose<perm=[1, 0, 2]>(Y_h)
    """
    source = model(
        body, {"x": ["batch", TIME, FEATURES]}, weights, outputs=["y", "h"], domains={"com.microsoft": 1}
    )
    check(source, feed_of(source), "com.microsoft.DynamicQuantizeLSTM", tmp_path, explain=False)


def test_reference_agrees():
    """onnx's own reference is a second witness, where it is right."""
    source = layer("LSTM", h0=True, c0=True, P=True)
    x = feed_of(source)(2)
    made = lower(source, x, where="source").proto
    same(session(made).run(None, x), ReferenceEvaluator(source).run(None, x))
