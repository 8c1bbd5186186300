"""Attention whose heads share keys and values in groups, as onnxruntime's builders write it."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from .attention import to_heads, turned_by
from .table import Fused, writes

# Operands of GroupQueryAttention.
_PAST, _LENGTHS, _COS, _PLACES, _BIAS, _SINK, _SCALES, _NORMS = 3, 5, 7, 9, 10, 11, 12, 14


@writes("GroupQueryAttention")
def group_query_attention(o: Fused) -> Sequence[str]:
    """Queries by groups of heads; the past, rotation, a window, a cap and a sink of the scores."""
    emit, heads, groups = o.emit, int(o.attr("num_heads")), int(o.attr("kv_num_heads"))
    if o.operand(_SCALES) or o.attr("sliding_window_cache", 0) or o.attr("kv_cache_bit_width", 0):
        raise o.refuse("a quantised or sliding buffer for the past")
    parts, size = _heads(o, heads, groups)
    length = o.value(0).shape[1]
    totals = np.asarray(o.value(_LENGTHS)).reshape(-1) + 1
    before = 0
    if o.operand(_PAST) and o.value(_PAST).shape[2]:
        before = _past_length(o, totals, length)
    emit.note_size(o.operand(0), 1, length)
    emit.note(emit.op("Identity", o.operand(_LENGTHS), what="lengths"), o.value(_LENGTHS))
    if o.operand(_NORMS):
        eps = emit.const(o.attr("qk_norm_epsilon", 1e-6), dtype=np.float32)
        for i in (0, 1):
            parts[i] = _rms_norm(o, parts[i], o.operand(_NORMS + i), eps)
    if o.attr("do_rotary", 0):
        parts[:2] = [_rotated(o, x, before, length, size) for x in parts[:2]]
    if before:
        for i in (1, 2):
            past = emit.slice(o.operand(_PAST + i - 1), 0, before, 2, what="past/Slice")
            parts[i] = emit.op("Concat", past, parts[i], what="past/Concat", axis=2)
    k, v = (_for_each_query(o, x, heads, groups, size) for x in parts[1:])
    hidden = _hidden(o, before, length, totals)
    weights = _weights(o, parts[0], k, size, before + length, hidden)
    y = emit.op("MatMul", weights, v, what="values/weighed")
    y = emit.reshape(emit.transpose(y, (0, 2, 1, 3)), (0, 0, heads * size), what="heads/Reshape")
    return [y, parts[1], parts[2]]


def _heads(o: Fused, heads: int, groups: int) -> tuple[list[str], int]:
    """Queries, keys and values, [batch, heads, length, size], and the size of a head."""
    emit, width = o.emit, o.value(0).shape[2]
    if o.operand(1):
        given, size = [o.operand(i) for i in range(3)], width // heads
    else:
        size = width // (heads + 2 * groups)
        given = emit.split(o.operand(0), [heads * size, groups * size, groups * size], 2, what="packed")
    names, counts = ("queries", "keys", "values"), (heads, groups, groups)
    parts = []
    for x, name, count, i in zip(given, names, counts, range(3), strict=True):
        by_heads = o.operand(1) and o.value(i).ndim == 4
        parts.append(x if by_heads else to_heads(o, x, count, name))
    return parts, size


def _past_length(o: Fused, totals: np.ndarray[tuple[int], np.dtype[np.integer]], length: int) -> int:
    """How much of the buffer for the past counts."""
    if len(set(totals.tolist())) > 1:
        raise o.refuse("a past of another length in each sample")
    return int(totals[0]) - length


def _rms_norm(o: Fused, x: str, weight: str, eps: str) -> str:
    emit = o.emit
    square = emit.reduce("ReduceMean", emit.op("Mul", x, x, what="norm/Mul"), 3, what="norm/mean")
    root = emit.op("Sqrt", emit.op("Add", square, eps, what="norm/Add"), what="norm/Sqrt")
    return emit.op("Mul", emit.op("Div", x, root, what="norm/Div"), weight, what="norm/scale")


def _rotated(o: Fused, x: str, before: int, length: int, size: int) -> str:
    """Turned by the positions, which go on from the past's."""
    emit, half = o.emit, o.value(_COS).shape[1]
    places = emit.const(np.arange(before, before + length, dtype=np.int64), "places")
    if o.operand(_PLACES):
        places = emit.unsqueeze(o.operand(_PLACES), 1, what="places")
    cos, sin = (emit.op("Gather", o.operand(_COS + i), places, what="waves", axis=0) for i in (0, 1))
    rest: list[str] = []
    if 2 * half < size:
        x, *rest = emit.split(x, (2 * half, size - 2 * half), 3, what="turned")
    y = turned_by(emit, x, (cos, sin), half, interleaved=bool(o.attr("rotary_interleaved", 0)))
    return emit.concat([y, *rest], 3, what="whole")


def _for_each_query(o: Fused, x: str, heads: int, groups: int, size: int) -> str:
    """Keys or values, once for each head of its group."""
    if heads == groups:
        return x
    each = np.array([1, 1, heads // groups, 1, 1], np.int64)
    wide = o.emit.op("Expand", o.emit.unsqueeze(x, 2, what="group"), o.emit.const(each), what="group/Expand")
    return o.emit.reshape(wide, (0, heads, -1, size), what="group/Reshape")


def _hidden(
    o: Fused, before: int, length: int, totals: np.ndarray[tuple[int], np.dtype[np.integer]]
) -> str | None:
    """The additive mask: later keys, those outside the window, and what fills a sample up."""
    keys = np.arange(before + length)
    queries = np.arange(length)[:, None] + before
    gone = np.zeros((length, before + length), bool)
    if o.attr("causal", 1):
        gone |= keys > queries
        window = int(o.attr("local_window_size", -1))
        if window > 0:
            gone |= keys <= queries - window
    if (totals < before + length).any():
        gone = gone | (keys >= totals[:, None])[:, None, None, :]
    if not gone.any():
        return None
    return o.emit.const(np.where(gone, np.finfo(np.float32).min, 0).astype(np.float32), "hidden")


def _weights(o: Fused, q: str, k: str, size: int, keys: int, hidden: str | None) -> str:
    """``softmax(cap(q k^T scale) + bias + mask)``, with the sink's share left out."""
    emit = o.emit
    scale = float(o.attr("scale", 0.0)) or 1 / np.sqrt(size)
    scores = emit.op("MatMul", q, emit.transpose(k, (0, 1, 3, 2), what="keys/turned"), what="scores")
    scores = emit.op("Mul", scores, emit.const(scale, dtype=np.float32), what="scale")
    if cap := float(o.attr("softcap", 0.0)):
        bound = emit.const(cap, dtype=np.float32)
        scores = emit.op("Mul", emit.op("Tanh", emit.op("Div", scores, bound), what="cap"), bound)
    for more in (o.operand(_BIAS), hidden or ""):
        if more:
            scores = emit.op("Add", scores, more, what="mask")
    sink = o.operand(_SINK)
    if not sink and o.attr("smooth_softmax", 0) != 1:
        return emit.softmax(scores, what="Softmax")
    # One more key, whose score is the sink's and whose value is 0.
    scores = emit.op("Pad", scores, emit.ints(0, 0, 0, 1, 0, 0, 0, 0), what="sink/Pad")
    if sink:
        own = emit.reshape(sink, (1, -1, 1, 1), what="sink/Reshape")
        more = emit.ints(0, 0, 0, 0, 0, 0, 0, keys)
        scores = emit.op("Add", scores, emit.op("Pad", own, more, what="sink/Pad"), what="sink/Add")
    weights = emit.softmax(scores, what="Softmax")
    return emit.slice(weights, 1, np.iinfo(np.int64).max, 3, what="weights")
