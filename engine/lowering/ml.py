"""Models of ai.onnx.ml, as scikit-learn's exporters write them, in elementary operators: linear ones,
support vectors, and what comes before them."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import onnx
from onnx import TensorProto, helper

from ..file.protobuf import domain_of
from . import trees
from .emit import Emit, apply
from .workspace import Workspace

DOMAIN = "ai.onnx.ml"
# Their first output is a label, the second the scores.
_CLASSIFIERS = ("LinearClassifier", "TreeEnsembleClassifier")


def run(work: Workspace) -> bool:
    """Write out every such model and what prepares its features; whether there were any.

    Raises
    ------
    ModelError
        One has a form that is not supported.
    """
    made: dict[int, Emit] = {}
    for i, node in enumerate(work.nodes):
        writer = WRITERS.get(node.op_type) if domain_of(node) == DOMAIN else None
        if writer is None or _label_only(work, node) or not any(work.varies(v) for v in node.input):
            continue
        emit = Emit(work, node)
        attributes = {a.name: helper.get_attribute_value(a) for a in node.attribute}
        x = emit.op("Cast", node.input[0], what="float", to=TensorProto.FLOAT)
        y = writer(emit, attributes, x)
        if node.op_type in _CLASSIFIERS:
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
    if node.op_type not in _CLASSIFIERS or len(node.output) < 2 or not node.output[1]:
        return node.op_type in _CLASSIFIERS
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


def _extracted(emit: Emit, attributes: dict[str, Any], x: str) -> str:
    picked = emit.op("Gather", x, emit.node.input[1], axis=-1)
    rank = emit.work.observe([emit.node.input[0]])[emit.node.input[0]].ndim
    return emit.op("Unsqueeze", picked, emit.ints(0)) if rank == 1 else picked


def _binarised(emit: Emit, attributes: dict[str, Any], x: str) -> str:
    above = emit.op("Greater", x, emit.const(np.float32(attributes.get("threshold", 0.0)), "threshold"))
    return emit.op("Cast", above, to=TensorProto.FLOAT)


def _imputed(emit: Emit, attributes: dict[str, Any], x: str) -> str:
    # Only floats can be missing in this way: the relevance of what is put in is a constant's.
    missing = float(attributes.get("replaced_value_float", 0.0))
    values = np.array(attributes.get("imputed_value_floats", [0.0]), dtype=np.float32)
    if np.isnan(missing):
        gone = emit.op("IsNaN", x)
    else:
        gone = emit.op("Equal", x, emit.const(np.float32(missing), "missing"))
    return emit.op("Where", gone, emit.const(values, "imputed"), x)


def _joined(emit: Emit, attributes: dict[str, Any], x: str) -> str:
    names = list(emit.node.input)
    values = emit.work.observe(names)
    widths = [values[n].shape[-1] for n in names]
    if any(values[n].ndim != 2 for n in names) or widths != list(attributes.get("inputdimensions", widths)):
        raise emit.work.refuse(emit.node, "features that are cut or filled up are not supported")
    return emit.concat([emit.op("Cast", n, what="float", to=TensorProto.FLOAT) for n in names], 1)


def _one_hot(emit: Emit, attributes: dict[str, Any], x: str) -> str:
    if attributes.get("cats_strings"):
        raise emit.work.refuse(emit.node, "categories that are text are not supported")
    known = np.array(attributes.get("cats_int64s", []), np.int64)
    index = emit.op("Cast", emit.node.input[0], what="index", to=TensorProto.INT64)
    same = emit.op("Equal", emit.unsqueeze(index, -1, what="column"), emit.const(known, "categories"))
    return emit.op("Cast", same, to=TensorProto.FLOAT)


def _support_vectors(emit: Emit, attributes: dict[str, Any], x: str) -> str:
    weight = np.array(attributes["coefficients"], np.float32)
    vectors = np.array(attributes.get("support_vectors", []), np.float32)
    kernel = _text(attributes.get("kernel_type", "LINEAR"))
    count = int(attributes.get("n_supports", 0))
    gamma, shift, degree = (float(v) for v in attributes.get("kernel_params") or (0.0, 0.0, 3.0))
    if count == 0:
        z = emit.op("MatMul", x, emit.const(weight.reshape(-1, 1), "weight"))
        return emit.op("Add", z, emit.const(np.float32(attributes["rho"][0]), "rho"))
    rows = vectors.reshape(count, -1)
    if kernel == "RBF":
        apart = emit.op("Sub", emit.unsqueeze(x, 1, what="column"), emit.const(rows, "vectors"))
        far = emit.reduce("ReduceSum", emit.op("Mul", apart, apart), 2, keepdims=0, what="distance")
        k = emit.op("Exp", emit.op("Mul", far, emit.const(np.float32(-gamma), "gamma")))
    else:
        k = emit.op("MatMul", x, emit.const(np.ascontiguousarray(rows.T), "vectors"))
        if kernel != "LINEAR":
            k = emit.op("Mul", k, emit.const(np.float32(gamma), "gamma"))
            k = emit.op("Add", k, emit.const(np.float32(shift), "shift"))
            k = (
                emit.op("Tanh", k)
                if kernel == "SIGMOID"
                else emit.op("Pow", k, emit.const(np.float32(degree)))
            )
    z = emit.op("MatMul", k, emit.const(weight.reshape(-1, 1), "weight"))
    z = emit.op("Add", z, emit.const(np.float32(attributes["rho"][0]), "rho"))
    if attributes.get("one_class", 0) or _text(attributes.get("post_transform", "NONE")) != "NONE":
        raise emit.work.refuse(emit.node, "a class in place of a number is not supported")
    return z


def _text(value: Any) -> str:
    return value.decode() if isinstance(value, bytes) else str(value)


WRITERS: dict[str, Callable[[Emit, dict[str, Any], str], str]] = {
    "ArrayFeatureExtractor": _extracted,
    "Binarizer": _binarised,
    "FeatureVectorizer": _joined,
    "Imputer": _imputed,
    "LinearClassifier": _linear_classifier,
    "LinearRegressor": _linear_regressor,
    "Scaler": _scaler,
    "Normalizer": _normalizer,
    "OneHotEncoder": _one_hot,
    "SVMRegressor": _support_vectors,
    "TreeEnsemble": trees.ensemble,
    "TreeEnsembleClassifier": trees.classifier,
    "TreeEnsembleRegressor": trees.regressor,
}
