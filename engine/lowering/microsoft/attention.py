"""Attention in one operator: projections, masks, scores, softmax, values."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from ..emit import Emit
from ..quantised import integer_product
from .table import Fused, writes


@dataclass(frozen=True)
class ProjectedHeads:
    """Queries, keys and values, [batch, heads, length, size]."""

    q: str
    k: str
    v: str
    size: int


def to_heads(o: Fused, x: str, heads: int, what: str) -> str:
    """[batch, length, heads * size] to [batch, heads, length, size]."""
    split = o.emit.reshape(x, (0, 0, heads, -1), what=f"{what}/Reshape")
    return o.emit.transpose(split, (0, 2, 1, 3), what=f"{what}/Transpose")


def attend(o: Fused, given: ProjectedHeads, masks: Sequence[str], size_of_output: int) -> str:
    """``softmax(q k^T scale + masks) v``, heads side by side again."""
    emit = o.emit
    scale = float(o.attr("scale", 0.0)) or 1 / np.sqrt(given.size)
    turned = emit.transpose(given.k, (0, 1, 3, 2), what="keys/turned")
    scores = emit.op("MatMul", given.q, turned, what="scores")
    scores = emit.op("Mul", scores, emit.const(scale, dtype=np.float32), what="scale")
    for i, mask in enumerate(masks):
        scores = emit.op("Add", scores, mask, what=f"mask_{i}")
    y = emit.op("MatMul", emit.softmax(scores, what="Softmax"), given.v, what="values/weighed")
    y = emit.transpose(y, (0, 2, 1, 3), what="heads/Transpose")
    return emit.reshape(y, (0, 0, size_of_output), what="heads/Reshape")


def padding(o: Fused, mask: str, shape: tuple[int, ...], batch: int, keys: int) -> str:
    """The additive form of a mask of whole numbers, for scores [batch, heads, queries, keys]."""
    emit, hidden = o.emit, float(o.attr("mask_filter_value", -10000.0))
    kind = o.emit.work.observe([mask])[mask].dtype
    if len(shape) == 1 and shape[0] == batch:  # how many keys count
        row = emit.const(np.arange(keys, dtype=kind)[None], "keys")
        seen = emit.op("Less", row, emit.unsqueeze(mask, 1, what="lengths"), what="seen")
        axes: tuple[int, ...] = (1, 2)
    elif len(shape) in (2, 3) and shape[-1] == keys:
        seen = emit.op("Greater", mask, emit.const(0, dtype=kind), what="seen")
        axes = (1, 2) if len(shape) == 2 else (1,)
    else:
        raise o.refuse(f"a mask of shape {list(shape)}")
    added = emit.op(
        "Where",
        seen,
        emit.const(0, dtype=np.float32),
        emit.const(hidden, dtype=np.float32),
        what="padding",
    )
    return emit.unsqueeze(added, *axes, what="padding/Unsqueeze")


def causal(o: Fused, queries: int, keys: int) -> str:
    """The additive mask that hides later keys."""
    later = np.arange(keys)[None] > np.arange(queries)[:, None] + keys - queries
    return o.emit.const(np.where(later, np.finfo(np.float32).min, 0).astype(np.float32), "causal")


def _masks(o: Fused, mask: int, bias: int, batch: int, queries: int, keys: int) -> list[str]:
    found = []
    if o.operand(mask):
        found.append(padding(o, o.operand(mask), o.value(mask).shape, batch, keys))
    if o.attr("unidirectional", 0):
        later = causal(o, queries, keys)
        # Both at once would leave the range of floats; the later keys are hidden whatever the padding.
        if found:
            lowest = o.emit.const(np.finfo(np.float32).min, dtype=np.float32)
            found[0] = o.emit.op("Max", o.emit.op("Add", found[0], later, what="both"), lowest, what="masks")
        else:
            found.append(later)
    if bias >= 0 and o.operand(bias):
        found.append(o.operand(bias))
    return found


@writes("Attention")
def attention(o: Fused) -> Sequence[str]:
    """Self-attention: input, weights, bias, mask, past, bias of the scores."""
    emit = o.emit
    x = emit.op("MatMul", o.operand(0), o.operand(1), what="projections/MatMul")
    if o.operand(2):
        x = emit.op("Add", x, o.operand(2), what="projections/Add")
    return _self_attention(o, x, columns=o.value(1).shape[1], mask=3, past=4, bias=5)


@writes("QAttention")
def quantised_attention(o: Fused) -> Sequence[str]:
    """Self-attention with integer projections: input, weights, bias, scales, mask, zeros, past."""
    emit = o.emit
    factors, scales = (o.operand(0), o.operand(1)), (o.operand(3), o.operand(4))
    x = integer_product(emit, factors, scales, (o.operand(6), o.operand(7)), "projections")
    x = emit.op("Add", x, o.operand(2), what="projections/Add")
    return _self_attention(o, x, columns=o.value(1).shape[1], mask=5, past=8, bias=-1)


def _self_attention(o: Fused, x: str, *, columns: int, mask: int, past: int, bias: int) -> list[str]:
    emit, heads = o.emit, int(o.attr("num_heads"))
    if o.attr("do_rotary", 0) or o.attr("past_present_share_buffer", 0):
        raise o.refuse("rotary embedding or a shared buffer for the past")
    batch, queries = o.value(0).shape[:2]
    sizes = o.attr("qkv_hidden_sizes") or [columns // 3] * 3
    parts = emit.split(x, sizes, 2, what="projections/Split")
    q, k, v = (to_heads(o, p, heads, n) for p, n in zip(parts, ("queries", "keys", "values"), strict=True))
    keys, made = queries, []
    if o.operand(past):
        before = emit.split(o.operand(past), (1, 1), 0, what="past/Split")
        k, v = (
            emit.op("Concat", emit.squeeze(b, 0, what="past/Squeeze"), now, what="past/Concat", axis=2)
            for b, now in zip(before, (k, v), strict=True)
        )
        keys += o.value(past).shape[3]
        emit.note_size(o.operand(past), 3, keys - queries)
    if o.wants(1):
        both = [emit.unsqueeze(p, 0, what="present/Unsqueeze") for p in (k, v)]
        made = [emit.concat(both, 0, what="present")]
    if o.operand(mask) or o.attr("unidirectional", 0):
        emit.note_size(o.operand(0), 1, queries)
    masks = _masks(o, mask, bias, batch, queries, keys)
    return [attend(o, ProjectedHeads(q, k, v, sizes[0] // heads), masks, sizes[2]), *made]


@writes("MultiHeadAttention")
def multi_head_attention(o: Fused) -> Sequence[str]:
    """Attention of given queries, keys and values: their bias, a mask, a bias of the scores, the past."""
    emit, heads = o.emit, int(o.attr("num_heads"))
    if o.rank(0) != 3 or not o.operand(1) or not o.operand(2) or any(o.operand(i) for i in (8, 9)):
        raise o.refuse("packed queries, keys and values, or a buffer for the past")
    shapes = [o.value(i).shape for i in range(3)]
    sizes = [s[1] * s[3] if len(s) == 4 else s[2] for s in shapes]
    ends = np.cumsum(sizes)
    parts = []
    for i, what in enumerate(("queries", "keys", "values")):
        x = o.operand(i)
        if len(shapes[i]) == 4:  # heads already
            parts.append(x)
            continue
        if o.operand(3):
            bias = o.constant(3)
            start, end = int(ends[i] - sizes[i]), int(ends[i])
            share = (
                emit.slice(o.operand(3), start, end, 0, what=f"{what}/bias")
                if bias is None
                else emit.const(bias[start:end], f"{what}/bias")
            )
            x = emit.op("Add", x, share, what=f"{what}/Add")
        parts.append(to_heads(o, x, heads, what))
    queries, keys, made = shapes[0][1], shapes[1][2 if len(shapes[1]) == 4 else 1], []
    for i, past in ((1, 6), (2, 7)):
        if o.operand(past):
            parts[i] = emit.op("Concat", o.operand(past), parts[i], what="past/Concat", axis=2)
    if o.operand(6):
        before = o.value(6).shape[2]
        emit.note_size(o.operand(6), 2, before)
        keys += before
    if o.wants(1) or o.wants(2):
        made = parts[1:]
    if o.operand(4) or o.attr("unidirectional", 0):
        emit.note_size(o.operand(0), 1, queries)
        emit.note_size(
            o.operand(1), 2 if len(shapes[1]) == 4 else 1, shapes[1][2 if len(shapes[1]) == 4 else 1]
        )
    masks = _masks(o, 4, 5, shapes[0][0], queries, keys)
    return [
        attend(o, ProjectedHeads(parts[0], parts[1], parts[2], sizes[0] // heads), masks, sizes[2]),
        *made,
    ]


@writes("RotaryEmbedding")
def rotary_embedding(o: Fused) -> Sequence[str]:
    """Pairs of features turned by an angle that grows with the position."""
    emit = o.emit
    rank, shape, half = o.rank(0), o.value(0).shape, o.value(2).shape[1]
    heads = int(o.attr("num_heads", 0)) or (shape[1] if rank == 4 else shape[2] // (2 * half))
    turned = int(o.attr("rotary_embedding_dim", 0)) or 2 * half
    x = to_heads(o, o.operand(0), heads, "heads") if rank == 3 else o.operand(0)
    size = shape[3] if rank == 4 else shape[2] // heads
    rest = None
    if turned != size:
        x, rest = emit.split(x, (turned, size - turned), 3, what="turned")
    places = o.operand(1)
    length = shape[2] if rank == 4 else shape[1]
    if o.value(1).ndim == 1 and o.value(1).size == 1:  # where the first one is
        emit.note_size(o.operand(0), 2 if rank == 4 else 1, length)
        places = emit.op("Add", places, emit.const(np.arange(length, dtype=np.int64)[None]), what="places")
    cos, sin = (
        emit.unsqueeze(
            emit.op("Gather", o.operand(i), places, what=what, axis=0), 1, what=f"{what}/Unsqueeze"
        )
        for i, what in ((2, "cos"), (3, "sin"))
    )
    y = turned_by(emit, x, (cos, sin), half, interleaved=bool(o.attr("interleaved", 0)))
    if rest is not None:
        y = emit.concat([y, rest], 3, what="whole")
    if rank == 3:
        y = emit.transpose(y, (0, 2, 1, 3), what="output/Transpose")
        y = emit.reshape(y, (0, 0, heads * size), what="output/Reshape")
    return [y]


def turned_by(emit: Emit, x: str, waves: tuple[str, str], half: int, *, interleaved: bool) -> str:
    """Pairs of features [..., length, 2 * half] turned by angles, of which these are cosine and sine."""
    cos, sin = waves
    if interleaved:
        pairs = emit.reshape(x, (0, 0, 0, half, 2), what="pairs")
        a, b = (emit.squeeze(p, 4) for p in emit.split(pairs, (1, 1), 4, what="pairs/Split"))
    else:
        a, b = emit.split(x, (half, half), 3, what="halves")
    first = emit.op("Sub", emit.op("Mul", a, cos), emit.op("Mul", b, sin), what="first")
    second = emit.op("Add", emit.op("Mul", a, sin), emit.op("Mul", b, cos), what="second")
    if not interleaved:
        return emit.concat([first, second], 3, what="turned/Concat")
    both = emit.concat([emit.unsqueeze(p, 4) for p in (first, second)], 4, what="pairs/Concat")
    return emit.reshape(both, (0, 0, 0, 2 * half), what="turned/Reshape")
