"""Linear models of ai.onnx.ml, as scikit-learn's exporters write them, in elementary operators."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import onnx
from onnx import TensorProto, helper

from .emit import Emit, apply
from .graphs import domain_of
from .workspace import Workspace

DOMAIN = "ai.onnx.ml"


def run(work: Workspace) -> bool:
    """Write out every linear model, scaler and normaliser; whether there were any.

    Raises
    ------
    ModelError
        One has a form that is not supported.
    """
    made: dict[int, Emit] = {}
    for i, node in enumerate(work.nodes):
        writer = _WRITERS.get(node.op_type) if domain_of(node) == DOMAIN else None
        if writer is None or _label_only(work, node):
            continue
        emit = Emit(work, node)
        attributes = {a.name: helper.get_attribute_value(a) for a in node.attribute}
        x = emit.op("Cast", node.input[0], what="float", to=TensorProto.FLOAT)
        y = writer(emit, attributes, x)
        if node.op_type == "LinearClassifier":
            # The label is nothing that relevance is asked of: the node stays for it.
            label = onnx.NodeProto()
            label.CopyFrom(node)
            label.output[1] = work.fresh(f"{node.output[1]}/unread")
            emit.nodes.append(label)
            emit.give({node.output[1]: y})
        else:
            emit.give({node.output[0]: y})
        made[i] = emit
    if not made:
        return False
    apply(work, made)
    return True


def _label_only(work: Workspace, node: onnx.NodeProto) -> bool:
    """Whether nobody reads a classifier's scores."""
    if node.op_type != "LinearClassifier" or len(node.output) < 2 or not node.output[1]:
        return node.op_type == "LinearClassifier"
    read = {v for n in work.nodes for v in n.input} | {o.name for o in work.proto.graph.output}
    return node.output[1] not in read


def _linear_classifier(emit: Emit, attributes: dict[str, Any], x: str) -> str:
    labels = attributes.get("classlabels_ints") or attributes.get("classlabels_strings") or []
    rows = len(attributes.get("intercepts", ())) or len(labels)
    z = _gemm(emit, attributes, x, rows)
    transform = _text(attributes.get("post_transform", "NONE"))
    if rows == 1 and len(labels) == 2:
        if transform == "LOGISTIC":
            p = emit.op("Sigmoid", z)
            return emit.op("Concat", emit.op("Sub", emit.const(np.float32(1)), p), p, axis=1)
        return _transformed(emit, emit.op("Concat", emit.op("Neg", z), z, axis=1), transform)
    return _transformed(emit, z, transform)


def _linear_regressor(emit: Emit, attributes: dict[str, Any], x: str) -> str:
    z = _gemm(emit, attributes, x, int(attributes.get("targets", 1)))
    return _transformed(emit, z, _text(attributes.get("post_transform", "NONE")))


def _gemm(emit: Emit, attributes: dict[str, Any], x: str, rows: int) -> str:
    # onnxruntime goes by the number of features it is given, and reads as many coefficients as it needs.
    source = emit.node.input[0]
    features = emit.work.observe([source])[source].shape[-1]
    flat = np.array(attributes["coefficients"], dtype=np.float32)
    if flat.size < rows * features:
        raise emit.work.refuse(emit.node, f"{flat.size} coefficients for {rows} x {features}")
    weight = flat[: rows * features].reshape(rows, features)
    bias = np.array(attributes.get("intercepts") or [0.0] * rows, dtype=np.float32)
    return emit.op("Gemm", x, emit.const(weight, "weight"), emit.const(bias, "bias"), transB=1)


def _transformed(emit: Emit, z: str, transform: str) -> str:
    if transform == "NONE":
        return z
    if transform == "SOFTMAX":
        return emit.op("Softmax", z, axis=1)
    if transform == "LOGISTIC":
        return emit.op("Sigmoid", z)
    raise emit.work.refuse(emit.node, f"post_transform {transform} is not supported")


def _scaler(emit: Emit, attributes: dict[str, Any], x: str) -> str:
    offset = emit.const(np.array(attributes.get("offset", [0.0]), dtype=np.float32), "offset")
    scale = emit.const(np.array(attributes.get("scale", [1.0]), dtype=np.float32), "scale")
    return emit.op("Mul", emit.op("Sub", x, offset), scale)


def _normalizer(emit: Emit, attributes: dict[str, Any], x: str) -> str:
    norm = _text(attributes.get("norm", "MAX"))
    size = emit.op("Abs", x) if norm != "L2" else emit.op("Mul", x, x)
    if norm == "MAX":
        total = emit.reduce("ReduceMax", x, 1, what="largest")
    else:
        total = emit.reduce("ReduceSum", size, 1, what="total")
    return emit.op("Div", x, emit.op("Sqrt", total) if norm == "L2" else total)


def _text(value: Any) -> str:
    return value.decode() if isinstance(value, bytes) else str(value)


_WRITERS: dict[str, Callable[[Emit, dict[str, Any], str], str]] = {
    "LinearClassifier": _linear_classifier,
    "LinearRegressor": _linear_regressor,
    "Scaler": _scaler,
    "Normalizer": _normalizer,
}
