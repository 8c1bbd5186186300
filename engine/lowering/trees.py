"""Ensembles of trees as sums over their branches, so that each branch has its own relevance.

A tree's value is its root's, and from there on what each branch on the way to the leaf changes: the value of
the side that was taken less that of the node (Saabas 2014; path-dependent, as TreeSHAP's expectations
are). The value of a node is the mean of its sides, weighted by how many samples took each where the file
says so. What a branch changes is the relevance of the feature that it looks at, whole; which branches are
reached is a decision, and carries none. The roots' values are the ensemble's constant.

All nodes of one depth are done at once: as many operators as the deepest tree has levels, times ten.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from onnx import TensorProto, helper, numpy_helper

from ..file.graph import BRANCH, REACHED
from ..file.protobuf import Array
from .emit import Emit

MOST = 250_000  # nodes: what is larger takes minutes to write out, and more memory than a laptop has
_MODES = ("BRANCH_LEQ", "BRANCH_LT", "BRANCH_GTE", "BRANCH_GT", "BRANCH_EQ", "BRANCH_NEQ")
_COMPARE = {
    "BRANCH_LEQ": "LessOrEqual",
    "BRANCH_LT": "Less",
    "BRANCH_GTE": "GreaterOrEqual",
    "BRANCH_GT": "Greater",
    "BRANCH_EQ": "Equal",
    "BRANCH_NEQ": "Equal",
}

# What is true where the other is not.
_WITHOUT_EQUAL = {"LessOrEqual": "Greater", "GreaterOrEqual": "Less"}


@dataclass
class Branch:
    """A node of a tree.

    Attributes
    ----------
    value : ndarray, shape (targets,)
        Of a leaf its own, of a branch the mean of its sides.
    weight : float
        How many samples came here, where that is known.
    feature, mode, threshold
        What is compared; mode is "" for a leaf.
    sides : list of Branch
        Where it is true, and where it is not.
    """

    value: Array
    weight: float = 0.0
    feature: int = 0
    mode: str = ""
    threshold: float = 0.0
    sides: list[Branch] = field(default_factory=list)


@dataclass(frozen=True)
class Ensemble:
    """Trees whose values are added up.

    Attributes
    ----------
    roots : list of Branch
    base : ndarray, shape (targets,)
    """

    roots: list[Branch]
    base: Array


def classifier(emit: Emit, attributes: dict[str, Any], x: str) -> str:
    """The scores of a TreeEnsembleClassifier."""
    labels = attributes.get("classlabels_int64s") or attributes.get("classlabels_strings") or []
    ids = [int(i) for i in attributes.get("class_ids", ())]
    one = len(labels) == 2 and len(set(ids)) == 1
    ensemble = _by_lists(emit, attributes, "class", 1 if one else max(len(labels), 1), one)
    z = _summed(emit, ensemble, x)
    transform = _text(attributes.get("post_transform", "NONE"))
    if not one:
        return _transformed(emit, z, transform)
    if min(_numbers(attributes, "class_weights")) >= 0:  # the weights are probabilities
        first = emit.op("Sub", emit.const(np.float32(1)), z)
        return emit.op("Concat", first, z, axis=1)
    both = emit.op("Concat", emit.op("Neg", z), z, axis=1)
    return _transformed(emit, both, transform if transform == "LOGISTIC" else "NONE")


def regressor(emit: Emit, attributes: dict[str, Any], x: str) -> str:
    """The values of a TreeEnsembleRegressor."""
    ensemble = _by_lists(emit, attributes, "target", int(attributes.get("n_targets", 1)))
    z = _summed(emit, ensemble, x)
    return _transformed(emit, z, _text(attributes.get("post_transform", "NONE")))


def ensemble(emit: Emit, attributes: dict[str, Any], x: str) -> str:
    """The values of a TreeEnsemble, the operator that took the place of both."""
    z = _summed(emit, _by_tensors(emit, attributes), x)
    transforms = ("NONE", "SOFTMAX", "LOGISTIC", "SOFTMAX_ZERO", "PROBIT")
    return _transformed(emit, z, transforms[int(attributes.get("post_transform", 0))])


# -- what is in the attributes -----------------------------------------------------------------------------


def _by_lists(emit: Emit, attributes: dict[str, Any], kind: str, targets: int, one: bool = False) -> Ensemble:
    """Trees as TreeEnsembleClassifier and TreeEnsembleRegressor have them: leaves are nodes too."""
    _check_size(emit, len(attributes["nodes_treeids"]))
    scale = _scale(emit, _text(attributes.get("aggregate_function", "SUM")), attributes["nodes_treeids"])
    keys = list(zip(attributes["nodes_treeids"], attributes["nodes_nodeids"], strict=True))
    modes = [_text(m) for m in attributes["nodes_modes"]]
    hits = _numbers(attributes, "nodes_hitrates") or [0.0] * len(keys)
    thresholds = _numbers(attributes, "nodes_values")
    features = attributes["nodes_featureids"]
    nodes = {
        key: Branch(np.zeros(targets), hits[i], int(features[i]), modes[i] if modes[i] != "LEAF" else "")
        for i, key in enumerate(keys)
    }
    children: set[tuple[int, int]] = set()
    for i, key in enumerate(keys):
        nodes[key].threshold = thresholds[i]
        if nodes[key].mode:
            ids = (attributes["nodes_truenodeids"][i], attributes["nodes_falsenodeids"][i])
            nodes[key].sides = [nodes[key[0], side] for side in ids]
            children.update((key[0], side) for side in ids)
    places = zip(
        attributes[f"{kind}_treeids"],
        attributes[f"{kind}_nodeids"],
        attributes[f"{kind}_ids"],
        _numbers(attributes, f"{kind}_weights"),
        strict=True,
    )
    for tree, node, target, weight in places:
        nodes[tree, node].value[0 if one else target] += weight * scale
    base = np.zeros(targets)
    given = _numbers(attributes, "base_values")
    if given:
        base += given[-1] if one else given
    return Ensemble([nodes[k] for k in keys if k not in children], base)


def _by_tensors(emit: Emit, attributes: dict[str, Any]) -> Ensemble:
    """Trees as TreeEnsemble has them: branches and leaves apart."""
    modes = numpy_helper.to_array(attributes["nodes_modes"]).astype(int)
    _check_size(emit, len(modes))
    splits = numpy_helper.to_array(attributes["nodes_splits"]).astype(float)
    weights = numpy_helper.to_array(attributes["leaf_weights"]).astype(float)
    hits = attributes.get("nodes_hitrates")
    rates = np.zeros(len(modes)) if hits is None else numpy_helper.to_array(hits).astype(float)
    names = ("MIN", "MAX")
    aggregate = int(attributes.get("aggregate_function", 1))
    how = ("AVERAGE", "SUM", *names)[aggregate]
    roots = [int(r) for r in attributes["tree_roots"]]
    scale = _scale(emit, how, roots)
    if (modes >= len(_MODES)).any():
        raise emit.work.refuse(emit.node, "branches by membership are not supported")
    targets = int(attributes.get("n_targets", 1))
    leaves = []
    for i, weight in zip(attributes["leaf_targetids"], weights, strict=True):
        value = np.zeros(targets)
        value[i] = weight * scale
        leaves.append(Branch(value))
    nodes = [
        Branch(np.zeros(targets), rates[i], int(attributes["nodes_featureids"][i]), _MODES[m], splits[i])
        for i, m in enumerate(modes)
    ]
    for i, node in enumerate(nodes):
        for side in ("true", "false"):
            at = int(attributes[f"nodes_{side}nodeids"][i])
            node.sides.append(leaves[at] if attributes[f"nodes_{side}leafs"][i] else nodes[at])
    # A tree that is a leaf has one node, whose sides are that leaf.
    found = [nodes[r].sides[0] if nodes[r].sides[0] is nodes[r].sides[1] else nodes[r] for r in roots]
    return Ensemble(found, np.zeros(targets))


def _check_size(emit: Emit, nodes: int) -> None:
    if nodes > MOST:
        raise emit.work.refuse(
            emit.node, f"its trees have {nodes:,} nodes; ensembles of up to {MOST:,} are explained"
        )


def _scale(emit: Emit, how: str, trees: Sequence[int]) -> float:
    if how not in ("SUM", "AVERAGE"):
        raise emit.work.refuse(emit.node, f"aggregate_function {how} is not supported")
    return 1 / len(set(trees)) if how == "AVERAGE" else 1.0


def _numbers(attributes: dict[str, Any], name: str) -> list[float]:
    """A list of numbers, of either precision."""
    tensor = attributes.get(f"{name}_as_tensor")
    given = attributes.get(name) or [] if tensor is None else numpy_helper.to_array(tensor)
    return [float(v) for v in given]


def _text(value: Any) -> str:
    return value.decode() if isinstance(value, bytes) else str(value)


# -- as operators -------------------------------------------------------------------------------------------


def _levels(roots: Sequence[Branch]) -> list[list[Branch]]:
    """Branches by their depth, with their values worked out from the leaves."""
    levels: list[list[Branch]] = []
    level = [r for r in roots if r.mode]
    while level:
        levels.append(sorted(level, key=lambda b: b.mode))
        level = [side for b in levels[-1] for side in b.sides if side.mode]
    for level in reversed(levels):
        for branch in level:
            weights = [side.weight for side in branch.sides]
            if min(weights) <= 0:
                weights = [1.0, 1.0]
            branch.value = np.average([side.value for side in branch.sides], axis=0, weights=weights)
    return levels


def _summed(emit: Emit, trees: Ensemble, x: str) -> str:
    """``base + sum of the roots + what each branch that is reached changes``, [samples, targets]."""
    # A double input is compared in double, as onnxruntime does.
    own = emit.node.input[0]
    dtype = emit.work.observe([own])[own].dtype
    dtype, x = (dtype, own) if dtype == np.float64 else (np.dtype(np.float32), x)
    levels = _levels(trees.roots)
    base = trees.base + np.sum([r.value for r in trees.roots], axis=0)
    parts: list[str] = []
    reached: str | None = None
    bits = ""
    before: dict[int, tuple[int, bool]] = {}
    for level in levels:
        if before:
            reached = _reached(emit, level, before, bits, reached)
        bits = _bits(emit, level, x, dtype)
        parts.append(_changes(emit, level, bits, reached, dtype))
        before = {id(side): (i, k == 0) for i, b in enumerate(level) for k, side in enumerate(b.sides)}
    constant = emit.const(base.astype(dtype), "base")
    if not parts:
        parts = [emit.op("Mul", emit.slice(x, 0, 1, 1), emit.const(0, dtype=dtype))]
    z = emit.op("Add", parts[0] if len(parts) == 1 else emit.op("Sum", *parts), constant)
    if dtype == np.float64 and emit.node.op_type != "TreeEnsemble":
        return emit.op("Cast", z, to=TensorProto.FLOAT)
    return z


def _bits(emit: Emit, level: Sequence[Branch], x: str, dtype: np.dtype[Any]) -> str:
    """Whether each branch's comparison holds, [samples, branches]."""
    found = []
    for mode in sorted({b.mode for b in level}):
        group = [b for b in level if b.mode == mode]
        column = emit.op("Gather", x, emit.ints(*(b.feature for b in group)), what="features", axis=1)
        limits = emit.const(np.array([b.threshold for b in group], dtype), "thresholds")
        kind = _COMPARE[mode]
        turned = mode == "BRANCH_NEQ"
        if emit.opset < 12 and kind in _WITHOUT_EQUAL:  # the operators came with opset 12
            kind, turned = _WITHOUT_EQUAL[kind], True
        bit = emit.op(kind, column, limits, what=BRANCH)
        found.append(emit.op("Not", bit, what=BRANCH) if turned else bit)
    return found[0] if len(found) == 1 else emit.op("Concat", *found, what=BRANCH, axis=1)


def _reached(
    emit: Emit,
    level: Sequence[Branch],
    before: dict[int, tuple[int, bool]],
    bits: str,
    reached: str | None,
) -> str:
    """Whether a sample comes to each branch: it came to the one above, and took this side."""
    above = emit.ints(*(before[id(b)][0] for b in level))
    side = emit.const(np.array([before[id(b)][1] for b in level]), "sides")
    taken = emit.op("Gather", bits, above, what=REACHED, axis=1)
    here = emit.op("Not", emit.op("Xor", taken, side, what=REACHED), what=REACHED)
    if reached is None:
        return here
    return emit.op("And", emit.op("Gather", reached, above, what=REACHED, axis=1), here, what=REACHED)


def _changes(
    emit: Emit, level: Sequence[Branch], bits: str, reached: str | None, dtype: np.dtype[Any]
) -> str:
    """What the branches of one depth change, added up, [samples, targets]."""
    sides = [np.array([b.sides[k].value - b.value for b in level], dtype) for k in (0, 1)]
    amounts = [emit.const(s, "changes") for s in sides]
    if reached is not None:
        kind = helper.np_dtype_to_tensor_dtype(dtype)
        here = emit.op("Cast", emit.unsqueeze(reached, 2, what=REACHED), what=REACHED, to=kind)
        amounts = [emit.op("Mul", here, a, what=REACHED) for a in amounts]
    changed = emit.op("Where", emit.unsqueeze(bits, 2, what=BRANCH), *amounts, what="changed")
    return emit.reduce("ReduceSum", changed, 1, keepdims=0, what="changes")


def _transformed(emit: Emit, z: str, transform: str) -> str:
    if transform == "NONE":
        return z
    if transform in ("SOFTMAX", "LOGISTIC"):
        return emit.op("Softmax", z, axis=1) if transform == "SOFTMAX" else emit.op("Sigmoid", z)
    raise emit.work.refuse(emit.node, f"post_transform {transform} is not supported")
