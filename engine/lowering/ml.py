"""Models of ai.onnx.ml, as scikit-learn's exporters write them, in elementary operators: linear ones,
support vectors, and what comes before them."""

from __future__ import annotations

from collections.abc import Callable
from itertools import combinations
from typing import Any

import numpy as np
import onnx
from onnx import TensorProto, helper

from ..file.graph import SCORE
from ..file.protobuf import Array, domain_of
from . import trees
from .emit import Emit, apply
from .workspace import Workspace

DOMAIN = "ai.onnx.ml"
# Their first output is a label, the second the scores.
_CLASSIFIERS = ("LinearClassifier", "SVMClassifier", "TreeEnsembleClassifier")


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
        if (
            writer is None
            or _label_only(work, node)
            or work.has_score(node)
            or not any(work.varies(v) for v in node.input)
        ):
            continue
        emit = Emit(work, node)
        attributes = {a.name: helper.get_attribute_value(a) for a in node.attribute}
        x = emit.op("Cast", node.input[0], what="float", to=TensorProto.FLOAT)
        y = writer(emit, attributes, x)
        if f"/{SCORE}" in y:
            # The output itself stays: the score stands beside it (see `ends`).
            emit.nodes.insert(0, _copy(node))
        elif node.op_type in _CLASSIFIERS:
            # The label is nothing that relevance is asked of: the node stays for it.
            label = _copy(node)
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


def _copy(node: onnx.NodeProto) -> onnx.NodeProto:
    made = onnx.NodeProto()
    made.CopyFrom(node)
    return made


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


def _kernel(emit: Emit, attributes: dict[str, Any], x: str, rows: Array) -> str:
    """The kernel of a signal with each support vector, [samples, vectors]."""
    kernel = _text(attributes.get("kernel_type", "LINEAR"))
    gamma, shift, degree = (float(v) for v in attributes.get("kernel_params") or (0.0, 0.0, 3.0))
    if kernel == "RBF":
        apart = emit.op("Sub", emit.unsqueeze(x, 1, what="column"), emit.const(rows, "vectors"))
        far = emit.reduce("ReduceSum", emit.op("Mul", apart, apart), 2, keepdims=0, what="distance")
        return emit.op("Exp", emit.op("Mul", far, emit.const(np.float32(-gamma), "gamma")))
    k = emit.op("MatMul", x, emit.const(np.ascontiguousarray(rows.T), "vectors"))
    if kernel == "LINEAR":
        return k
    k = emit.op("Mul", k, emit.const(np.float32(gamma), "gamma"))
    k = emit.op("Add", k, emit.const(np.float32(shift), "shift"))
    return emit.op("Tanh", k) if kernel == "SIGMOID" else emit.op("Pow", k, emit.const(np.float32(degree)))


def _support_vectors(emit: Emit, attributes: dict[str, Any], x: str) -> str:
    weight = np.array(attributes["coefficients"], np.float32)
    vectors = np.array(attributes.get("support_vectors", []), np.float32)
    count = int(attributes.get("n_supports", 0))
    rho = emit.const(np.float32(attributes["rho"][0]), "rho")
    k = _kernel(emit, attributes, x, vectors.reshape(count, -1)) if count else x
    z = emit.op("Add", emit.op("MatMul", k, emit.const(weight.reshape(-1, 1), "weight")), rho)
    refused = attributes.get("one_class", 0) or _text(attributes.get("post_transform", "NONE")) != "NONE"
    if refused and count:
        raise emit.work.refuse(emit.node, "a class in place of a number is not supported")
    return z


def _decisions(emit: Emit, attributes: dict[str, Any], x: str) -> str:
    """What each pair of classes decides, positive for the first of the two, [samples, pairs]."""
    counts = [int(n) for n in attributes.get("vectors_per_class") or []]
    if not counts:
        raise emit.work.refuse(emit.node, "classes without support vectors are not supported")
    total, ends = sum(counts), np.cumsum([0, *counts])
    rows = np.array(attributes["support_vectors"], np.float32).reshape(total, -1)
    given = np.array(attributes["coefficients"], np.float32).reshape(len(counts) - 1, total)
    pairs = list(combinations(range(len(counts)), 2))
    weight = np.zeros((total, len(pairs)), np.float32)
    for column, (i, j) in enumerate(pairs):
        # A vector has one coefficient against each of the other classes, its own left out.
        for own, row in ((i, j - 1), (j, i)):
            at = slice(ends[own], ends[own + 1])
            weight[at, column] = given[row, at]
    rho = np.array(attributes["rho"], np.float32)[: len(pairs)]
    z = emit.op("MatMul", _kernel(emit, attributes, x, rows), emit.const(weight, "weight"))
    return emit.op("Add", z, emit.const(rho, "rho"))


def _support_classifier(emit: Emit, attributes: dict[str, Any], x: str) -> str:
    z = _decisions(emit, attributes, x)
    classes, transform = len(attributes["vectors_per_class"]), _text(attributes.get("post_transform", "NONE"))
    slopes: list[float] = attributes.get("prob_a") or []
    if not slopes:
        if classes > 2:
            return _transformed(emit, z, transform)
        if transform == "NONE":
            return emit.op("Concat", emit.op("Neg", z), z, axis=1)
    if transform != "NONE":
        raise emit.work.refuse(emit.node, f"post_transform {transform} is not supported here")
    # Probabilities are found by iteration, to a few digits, from the pairs': p of the first of two classes is
    # 1 / (1 + exp(a z + b)) (Platt). What is explained is a class's log-odds against all others, added up.
    line = emit.op("Mul", z, emit.const(-np.array(slopes, np.float32), "slopes"))
    z = emit.op("Sub", line, emit.const(np.array(attributes["prob_b"], np.float32), "shifts"))
    signs = np.zeros((len(slopes), classes), np.float32)
    for row, (i, j) in enumerate(combinations(range(classes), 2)):
        signs[row, i], signs[row, j] = 1, -1
    return emit.op("MatMul", z, emit.const(signs, "signs"), what=SCORE)


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
    "SVMClassifier": _support_classifier,
    "SVMRegressor": _support_vectors,
    "TreeEnsemble": trees.ensemble,
    "TreeEnsembleClassifier": trees.classifier,
    "TreeEnsembleRegressor": trees.regressor,
}
