"""Resize: every axis is a matrix, which onnxruntime itself tells."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import numpy as np
import onnx
from onnx import TensorProto, helper

from ..file import runtime
from ..ops.base import Array, Expr, Ops
from .node import NodeContext
from .registry import rule

# Attributes that say which axes and how far, not how to interpolate.
_NOT_HOW = frozenset({"axes", "scales", "keep_aspect_ratio_policy", "extrapolation_value"})


@rule("Resize", "Upsample", kind="reduce", carry="move")
def resize(op: Ops, node: NodeContext, m: Expr) -> list[Expr | None]:
    """The transpose of the resampling matrix of each axis, as onnxruntime itself resamples."""
    rank = node.rank()
    how = {k: v for k, v in node.node.attributes.items() if k not in _NOT_HOW}
    how = {k: tuple(v) if isinstance(v, list) else v for k, v in how.items()}
    crops = how.get("coordinate_transformation_mode") == "tf_crop_and_resize"
    scales, roi, kept = _scales(node), _roi(node) if crops else {}, _proportions(node)
    inside, whole = op.const(1.0), m
    for axis in range(rank):
        size, wide = node.shape(0)[axis], node.out_shape()[axis]
        if size == wide and not (crops and roi.get(axis, (0.0, 1.0)) != (0.0, 1.0)):
            continue
        if not isinstance(size, int) or not isinstance(wide, int):
            raise node.refuse("it resizes the batch")
        key = tuple(sorted(how.items()))
        how_far = kept if kept is not None else scales.get(axis, wide / size)
        matrix = _resampling(size, wide, how_far, key, roi.get(axis), node.node.version)
        perm = [i for i in range(rank) if i != axis] + [axis]
        turned = op.matmul(op.transpose(m, perm), op.const(matrix))
        m = op.transpose(turned, [perm.index(i) for i in range(rank)])
        if crops:
            there = (np.abs(matrix.sum(1)) > 0.5).astype(np.float32)
            inside = op.mul(inside, op.const(there.reshape(-1, *[1] * (rank - axis - 1))))
    outside = float(node.attr("extrapolation_value", 0.0))
    if crops and (outside or node.moves_relevance):
        node.absorb("constant", op.mul(whole, op.sub(1.0, inside)), op.const(outside))
    return [m, *[None] * (node.count - 1)]


def _axes(node: NodeContext) -> list[int]:
    rank = node.rank()
    return [int(a) % rank for a in node.attr("axes") or range(rank)]


def _scales(node: NodeContext) -> dict[int, float]:
    """The scale of each axis where it is told."""
    newer = node.node.version >= 11 and node.node.op_type == "Resize"
    value = node.const(2 if newer else 1) if node.has(2 if newer else 1) else None
    if value is None and node.attr("scales"):
        value = np.asarray(node.attr("scales"), dtype=np.float32)
    if value is None or not value.size:
        return {}
    return dict(zip(_axes(node), (float(v) for v in value.reshape(-1)), strict=True))


@dataclass(frozen=True)
class Proportions:
    """A resize that keeps an image's proportions: the axis that says how far, and whether it is the most.

    Attributes
    ----------
    size, wide : int
        Of that axis.
    policy : str
    """

    size: int
    wide: int
    policy: str


def _proportions(node: NodeContext) -> Proportions | None:
    policy = node.attr("keep_aspect_ratio_policy", "stretch")
    if policy == "stretch" or not node.has(3):
        return None
    wanted = node.needs_const(3, "sizes").reshape(-1)
    before = [node.shape(0)[a] for a in _axes(node)]
    pairs = [(int(s), d) for s, d in zip(wanted, before, strict=True) if isinstance(d, int)]
    wide, size = (min if policy == "not_larger" else max)(pairs, key=lambda p: p[0] / p[1])
    return Proportions(size, wide, str(policy))


def _roi(node: NodeContext) -> dict[int, tuple[float, float]]:
    """Start and end of what is cropped along each axis, in parts of it."""
    axes, value = _axes(node), node.needs_const(1, "region").reshape(-1)
    return {a: (float(value[i]), float(value[len(axes) + i])) for i, a in enumerate(axes)}


@lru_cache(maxsize=256)
def _resampling(
    size: int,
    wide: int,
    scale: float | Proportions,
    attributes: tuple[tuple[str, Any], ...],
    roi: tuple[float, float] | None,
    version: int,
) -> Array:
    """The matrix [wide, size] by which onnxruntime resizes one axis."""
    # Four axes, for which every mode is implemented; each column of the matrix is one image.
    inputs, rows = ["x", "roi", "", "by"], 1
    more: dict[str, Any] = {}
    if isinstance(scale, Proportions):
        # Beside the axis that says how far, this one is free.
        free = 1 if scale.policy == "not_smaller" else wide + 1
        by = helper.make_tensor("by", TensorProto.INT64, [2], [scale.wide, free])
        rows, more = scale.size, {"keep_aspect_ratio_policy": scale.policy, "axes": [2, 3]}
        inputs[1] = ""
    elif roi is not None:
        by = helper.make_tensor("by", TensorProto.INT64, [4], [1, size, 1, wide])
    else:
        inputs = ["x", "", "by"]
        by = helper.make_tensor("by", TensorProto.FLOAT, [4], [1.0, 1.0, 1.0, scale])
    region = [0.0, 0.0, 0.0, roi[0], 1.0, 1.0, 1.0, roi[1]] if roi else [0.0] * 4 + [1.0] * 4
    graph = helper.make_graph(
        [helper.make_node("Resize", inputs, ["y"], **dict(attributes), **more)],
        "resampling",
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, [1, size, rows, size])],
        [helper.make_tensor_value_info("y", TensorProto.FLOAT, None)],
        [by, helper.make_tensor("roi", TensorProto.FLOAT, [8], region)],
    )
    opset = helper.make_opsetid("", min(max(version, 13), 19))
    model = helper.make_model(graph, opset_imports=[opset], ir_version=8)
    opened = runtime.session(
        onnx.ModelProto.FromString(model.SerializeToString()), where="Resize", optimise=False
    )
    eye = np.ascontiguousarray(np.eye(size, dtype=np.float32)[None, :, None, :].repeat(rows, 2))
    out: Array = runtime.run(opened, ["y"], {"x": eye}, where="Resize")[0][0, :, 0, :].T
    return np.ascontiguousarray(out[:wide])
