"""Operators that move numbers: shapes, cuts, copies, look-ups."""

from __future__ import annotations

import numpy as np

from .build import Graph, UnfitError
from .table import grows


@grows("Flatten")
def flatten(g: Graph) -> str:
    return g.node("Flatten", g.pick(least=2), axis=1)


@grows("Reshape", weight=2)
def reshape(g: Graph) -> str:
    x = g.pick(least=2)
    rest = int(np.prod(g.shape(x)[1:]))
    first = g.one_of([n for n in range(1, rest + 1) if rest % n == 0])
    keep = 0 if g.is_open or g.chance() else g.batch
    return g.node("Reshape", x, g.ints(keep, first, g.one_of((-1, rest // first))))


@grows("Transpose", weight=1.5)
def transpose(g: Graph) -> str:
    x = g.pick(least=3)
    return g.node("Transpose", x, perm=[0, *(1 + g.rng.permutation(g[x].ndim - 1)).tolist()])


@grows("Samples behind", weight=0.8)
def samples_behind(g: Graph) -> str:
    """Samples along another axis for a while."""
    x = g.pick(least=3)
    perm = [*range(1, g[x].ndim)]
    at = g.integer(1, len(perm))
    perm.insert(at, 0)
    y = g.node("Transpose", x, perm=perm)
    if at < g[y].ndim - 1:
        y = g.node("MatMul", y, g.const(g.normal(g.shape(y)[-1], 3, scale=0.5)))
    y = g.node(g.one_of(("Tanh", "Relu", "Neg")), y)
    return g.node("Transpose", y, perm=[at, *(i for i in range(g[y].ndim) if i != at)])


@grows("Samples in rows", weight=0.8)
def samples_in_rows(g: Graph) -> str:
    """Samples and tokens on one axis, as exports of linear layers have it."""
    x = g.pick(rank=3)
    _, tokens, n = g.shape(x)
    y = g.node("Reshape", x, g.ints(-1, n))
    y = g.node("Gemm", y, g.const(g.normal(n, 3, scale=0.5)), g.const(g.normal(3)))
    return g.node("Reshape", y, g.ints(-1, tokens, 3))


@grows("Unsqueeze and Squeeze")
def unsqueeze(g: Graph) -> str:
    x = g.pick(where=lambda v: v.ndim < 4)
    axis = g.integer(1, g[x].ndim)
    y = g.axes_node("Unsqueeze", x, [axis], 13)
    if g.chance():
        y = g.node("Tanh", y)
    return g.axes_node("Squeeze", y, [axis], 13) if g.chance() else y


@grows("Slice", weight=1.5)
def cut(g: Graph) -> str:
    x = g.pick(least=2, where=lambda v: v.shape[-1] > 1)
    axis = g.one_of([i for i in range(1, g[x].ndim) if g.shape(x)[i] > 1])
    n = g.shape(x)[axis]
    if g.chance(0.3):
        return g.node("Slice", x, g.ints(-1), g.ints(-n - 1), g.ints(axis), g.ints(-g.integer(1, 2)))
    start = g.integer(0, n - 2)
    return g.node("Slice", x, g.ints(start), g.ints(2**40), g.ints(axis), g.ints(g.integer(1, 2)))


@grows("Split")
def split(g: Graph) -> str:
    x = g.pick(least=2, where=lambda v: v.shape[-1] > 1)
    n = g.shape(x)[-1]
    first = g.integer(1, n - 1)
    if g.opset < 13:
        a, b = g.node("Split", x, outputs=2, axis=-1, split=[first, n - first])
    else:
        a, b = g.node("Split", x, g.ints(first, n - first), outputs=2, axis=-1)
    g.offer(a)
    return b


@grows("Concat", weight=2)
def concat(g: Graph) -> str:
    x = g.pick(least=2)
    axis = g.integer(1, g[x].ndim - 1)
    shape = g.shape(x)

    def fits(v: np.ndarray[tuple[int, ...], np.dtype[np.floating]]) -> bool:
        return v.ndim == len(shape) and all(v.shape[i] == n for i, n in enumerate(shape) if i != axis)

    parts = [x, g.pick(where=fits)]
    if g.chance(0.3) and not g.is_open:
        parts.append(g.const(g.normal(*shape[:axis], 1, *shape[axis + 1 :])))
    return g.node("Concat", *parts, axis=axis)


@grows("Pad")
def pad(g: Graph) -> str:
    x = g.pick(least=2, where=lambda v: v.shape[-1] > 2)
    mode = g.one_of(("constant", "constant", "reflect", "edge"))
    low, high = g.integer(0, 2), g.integer(-1, 2)
    pads = [*[0] * (g[x].ndim - 1), low, *[0] * (g[x].ndim - 1), high]
    value = [g.const(g.one_of((0.0, 0.7)))] if mode == "constant" and g.chance() else []
    return g.node("Pad", x, g.ints(*pads), *value, mode=mode)


@grows("Tile")
def tile(g: Graph) -> str:
    x = g.pick(least=2)
    return g.node("Tile", x, g.ints(1, *(g.integer(1, 2) for _ in g.shape(x)[1:])))


@grows("Expand")
def expand(g: Graph) -> str:
    x = g.axes_node("Unsqueeze", g.pick(where=lambda v: v.ndim < 4), [1], 13)
    return g.node("Expand", x, g.ints(1, g.integer(2, 3), *[1] * (g[x].ndim - 2)))


@grows("Expand to a shape that is read", weight=0.7)
def expand_read(g: Graph) -> str:
    x = g.pick(least=2)
    one = g.axes_node("ReduceMean", x, [-1], 18, keepdims=1)
    return g.node("Expand", one, g.node("Shape", x))


@grows("Reshape to a shape that is read", weight=0.7)
def reshape_read(g: Graph) -> str:
    x = g.pick(least=3)
    first = g.node("Gather", g.node("Shape", x), g.ints(0), axis=0)
    return g.node("Reshape", x, g.node("Concat", first, g.ints(-1), axis=0))


@grows("DepthToSpace", weight=0.6)
def depth_to_space(g: Graph) -> str:
    x = g.pick(rank=4, where=lambda v: v.shape[1] % 4 == 0)
    return g.node("DepthToSpace", x, blocksize=2, mode=g.one_of(("DCR", "CRD")))


@grows("SpaceToDepth", weight=0.6)
def space_to_depth(g: Graph) -> str:
    x = g.pick(rank=4, where=lambda v: v.shape[2] % 2 == 0 and v.shape[3] % 2 == 0)
    return g.node("SpaceToDepth", x, blocksize=2)


@grows("Gather", weight=1.5)
def gather(g: Graph) -> str:
    x = g.pick(least=2)
    axis = g.integer(1, g[x].ndim - 1)
    picks = g.rng.integers(-1, g.shape(x)[axis], size=g.one_of(((3,), (2, 2), (1,))))
    return g.node("Gather", x, g.const(picks, np.int64), axis=axis)


@grows("Gather of one", weight=0.7)
def gather_one(g: Graph) -> str:
    x = g.pick(least=3)
    return g.node("Gather", x, g.const(0, np.int64), axis=g.integer(1, g[x].ndim - 1))


@grows("GatherElements", since=11)
def gather_elements(g: Graph) -> str:
    x = g.pick(least=2)
    if g.is_open:
        raise UnfitError
    picks = g.rng.integers(0, g.shape(x)[-1], size=(*g.shape(x)[:-1], 2))
    return g.node("GatherElements", x, g.const(picks, np.int64), axis=-1)


@grows("GatherND", since=12, weight=0.8)
def gather_nd(g: Graph) -> str:
    x = g.pick(least=2)
    if g.is_open:
        raise UnfitError
    picks = g.rng.integers(0, g.shape(x)[1], size=(g.batch, 2, 1))
    return g.node("GatherND", x, g.const(picks, np.int64), batch_dims=1)


@grows("ScatterElements", since=11, weight=0.8)
def scatter_elements(g: Graph) -> str:
    x = g.pick(least=2)
    if g.is_open:
        raise UnfitError
    shape = (*g.shape(x)[:-1], 1)
    picks = g.const(g.rng.integers(0, g.shape(x)[-1], size=shape), np.int64)
    updates = g.node("Slice", g.alike(x), g.ints(0), g.ints(1), g.ints(-1))
    how = {"reduction": "add"} if g.opset >= 16 and g.chance(0.4) else {}
    return g.node("ScatterElements", x, picks, updates, axis=-1, **how)


@grows("ScatterND", since=11, weight=0.8)
def scatter_nd(g: Graph) -> str:
    x = g.pick(least=2)
    if g.is_open:
        raise UnfitError
    row = g.integer(0, g.shape(x)[1] - 1)
    where = np.array([[[i, row]] for i in range(g.batch)])
    updates = g.node("Slice", g.alike(x), g.ints(0), g.ints(1), g.ints(1))
    if g.chance(0.3):
        updates = g.const(np.zeros(g.shape(updates)))
    return g.node("ScatterND", x, g.const(where, np.int64), updates)


@grows("Trilu", since=14)
def trilu(g: Graph) -> str:
    return g.node("Trilu", g.pick(least=3), g.const(g.integer(-1, 1), np.int64), upper=int(g.chance()))


@grows("TopK", since=11, weight=0.8)
def top(g: Graph) -> str:
    x = g.pick(least=2, where=lambda v: v.shape[-1] > 1)
    y, _ = g.node("TopK", x, g.ints(g.integer(1, g.shape(x)[-1])), outputs=2, largest=int(g.chance(0.7)))
    return y


@grows("ReverseSequence", weight=0.6)
def reverse(g: Graph) -> str:
    x = g.pick(least=2)
    if g.is_open:
        raise UnfitError
    lengths = g.const(g.rng.integers(1, g.shape(x)[1] + 1, size=g.batch), np.int64)
    return g.node("ReverseSequence", x, lengths, batch_axis=0, time_axis=1)


@grows("Compress", weight=0.6)
def compress(g: Graph) -> str:
    x = g.pick(least=2)
    n = g.shape(x)[-1]
    kept = g.rng.random(n) < 0.6
    kept[g.integer(0, n - 1)] = True
    return g.node("Compress", x, g.const(kept, np.bool_), axis=g[x].ndim - 1)


@grows("CumSum", since=11)
def cumsum(g: Graph) -> str:
    x = g.pick(least=2)
    return g.node("CumSum", x, g.const(-1, np.int64), exclusive=int(g.chance()), reverse=int(g.chance(0.3)))


@grows("OneHot", weight=0.5)
def one_hot(g: Graph) -> str:
    x = g.pick(rank=2)
    n = g.shape(x)[-1]
    best = g.node("ArgMax", x, axis=-1, keepdims=0)
    hot = g.node("OneHot", best, g.ints(n), g.const([0.0, 1.0]))
    return g.node("Mul", x, hot)


@grows("Look-up", weight=0.6)
def look_up(g: Graph) -> str:
    """A table read at the place of the largest number: a constant for small changes."""
    x = g.pick(rank=2)
    best = g.node("ArgMin" if g.chance(0.4) else "ArgMax", x, axis=-1, keepdims=1)
    rows = g.node("Gather", g.const(g.normal(g.shape(x)[-1], 3)), best, axis=0)
    return g.axes_node("Squeeze", rows, [1], 13)
