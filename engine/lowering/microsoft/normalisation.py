"""Layer and RMS normalisation, with what is added before, and embeddings."""

from __future__ import annotations

from collections.abc import Sequence

from onnx import TensorProto

from .table import Fused, writes


def _root(o: Fused, x: str, axes: Sequence[int], epsilon: float, like: int) -> str:
    """The root of the mean square, kept from zero."""
    emit = o.emit
    mean = emit.reduce("ReduceMean", emit.op("Mul", x, x, what="square"), *axes, what="mean_square")
    return emit.op("Sqrt", emit.op("Add", mean, o.number(epsilon, like), what="epsilon"), what="root")


def _scaled(o: Fused, x: str, gamma: str, beta: str) -> str:
    y = o.emit.op("Mul", x, gamma, what="scale") if gamma else x
    return o.emit.op("Add", y, beta, what="shift") if beta else y


def layer_norm(
    o: Fused, x: str, gamma: str, beta: str, *, last: int, like: int, statistics: bool
) -> list[str]:
    """LayerNorm over the last axis: the output; the mean and one over the deviation, where wanted."""
    emit, epsilon = o.emit, float(o.attr("epsilon", 1e-12))
    if emit.opset >= 17 and not statistics:
        operands = (x, gamma, beta) if beta else (x, gamma)
        return [emit.op("LayerNormalization", *operands, what="LayerNorm", axis=-1, epsilon=epsilon)]
    mean = emit.reduce("ReduceMean", x, last, what="mean")
    centred = emit.op("Sub", x, mean, what="centred")
    root = _root(o, centred, (last,), epsilon, like)
    y = _scaled(o, emit.op("Div", centred, root, what="normal"), gamma, beta)
    return [y, mean, emit.op("Reciprocal", root, what="inverse")] if statistics else [y]


def rms_norm(o: Fused, x: str, gamma: str, beta: str, axis: int, epsilon: float) -> list[str]:
    """RMSNorm over the axes from `axis` on: the output, and one over the root."""
    rank = o.rank(0)
    root = _root(o, x, range(axis % rank, rank), epsilon, 0)
    y = _scaled(o, o.emit.op("Div", x, root, what="normal"), gamma, beta)
    return [y, o.emit.op("Reciprocal", root, what="inverse")] if o.wants(1) or o.wants(2) else [y]


def _sum(o: Fused, *more: int) -> str:
    x = o.operand(0)
    for i in more:
        if o.operand(i):
            x = o.emit.op("Add", x, o.operand(i), what=f"sum_{i}")
    return x


def _with_sum(o: Fused, made: Sequence[str], total: str) -> list[str]:
    """The sum is the fourth output."""
    if not o.wants(3):
        return list(made)
    return [*made, *([total] * (4 - len(made)))]


@writes("SkipLayerNormalization")
def skip_layer_norm(o: Fused) -> Sequence[str]:
    """LayerNorm of a sum: input, skip, gamma, beta, bias."""
    total = _sum(o, 4, 1)
    statistics = o.wants(1) or o.wants(2)
    last = o.rank(0) - 1
    made = layer_norm(o, total, o.operand(2), o.operand(3), last=last, like=0, statistics=statistics)
    return _with_sum(o, made, total)


@writes("SkipSimplifiedLayerNormalization")
def skip_rms_norm(o: Fused) -> Sequence[str]:
    """RMSNorm of a sum: input, skip, gamma, bias."""
    total = _sum(o, 3, 1)
    made = rms_norm(o, total, o.operand(2), "", -1, float(o.attr("epsilon", 1e-12)))
    return _with_sum(o, [made[0], *made[1:] * 2], total)


@writes("SimplifiedLayerNormalization")
@writes("SimplifiedLayerNormalization", domain="")
def simplified(o: Fused) -> Sequence[str]:
    """RMSNorm, as onnxruntime calls it."""
    axis, epsilon = int(o.attr("axis", -1)), float(o.attr("epsilon", 1e-5))
    return rms_norm(o, o.operand(0), o.operand(1), "", axis, epsilon)


@writes("EmbedLayerNormalization")
def embed_layer_norm(o: Fused) -> Sequence[str]:
    """LayerNorm of word, position and segment embeddings."""
    emit = o.emit
    ids, segments, words, positions, kinds, gamma, beta, mask, places = (o.operand(i) for i in range(9))
    total = emit.op("Gather", words, ids, what="words", axis=0)
    if places:
        at = emit.op("Gather", positions, places, what="positions", axis=0)
    else:
        length = emit.slice(emit.op("Shape", ids, what="Shape"), 1, 2, 0, what="length")
        at = emit.op("Slice", positions, emit.ints(0), length, emit.ints(0), what="positions")
    total = emit.op("Add", total, at, what="with_positions")
    if segments:
        kind = emit.op("Gather", kinds, segments, what="segments", axis=0)
        total = emit.op("Add", total, kind, what="with_segments")
    (made,) = layer_norm(o, total, gamma, beta, last=2, like=5, statistics=False)
    counted = ""
    if o.wants(1):
        ones = mask or emit.op("Mul", ids, emit.const(0, dtype=o.dtype), what="no_mask")
        counted = emit.op(
            "Cast",
            emit.reduce("ReduceSum", ones, 1, keepdims=0, what="mask"),
            what="count",
            to=TensorProto.INT32,
        )
    return [made, counted, total]
