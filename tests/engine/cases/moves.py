"""What only moves or resamples."""

from __future__ import annotations

import numpy as np

from .core import BATCH, IMAGE, TOKENS, case, ints, normal, positive

# -- moves ------------------------------------------------------------------------------------------
case("Reshape", "y = Reshape(x, s)", x=normal(*TOKENS), s=ints(-1, 20))
case(
    "Reshape-merged",
    "z = Reshape(x, s) e = Exp(z) y = Reshape(e, t)",
    x=normal(*TOKENS),
    s=ints(-1, 4),
    t=ints(-1, 5, 4),
)
case("Flatten", "y = Flatten(x)", x=normal(*TOKENS))
case("Squeeze", "y = Squeeze(x, a)", x=normal(BATCH, 1, 4), a=ints(1))
case("Unsqueeze", "y = Unsqueeze(x, a)", a=ints(1))
case("Transpose", "y = Transpose<perm = [0, 3, 1, 2]>(x)", x=normal(*IMAGE))
case(
    "Transpose-batch-last",
    "t = Transpose<perm = [2, 1, 0]>(x) e = Exp(t) y = Transpose<perm = [2, 0, 1]>(e)",
    x=normal(*TOKENS),
)
case("Expand", "u = Unsqueeze(x, a) y = Expand(u, s)", a=ints(1), s=ints(1, 3, 1))
case("Concat", "r = Relu(x) y = Concat<axis = 1>(x, r, x)")
case(
    "Concat-constant",
    "s = Shape<end = 1>(x) t = Concat<axis = 0>(s, k) c = Expand(v, t) y = Concat<axis = 1>(c, x)",
    x=normal(*TOKENS),
    k=ints(1, 4),
    v=normal(1, 1, 4),
)
case(
    "Split",
    "a, b = Split<axis = 1>(x, s) e = Exp(a) y = Concat<axis = 1>(b, e)",
    x=normal(*TOKENS),
    s=ints(2, 3),
)
case(
    "Split-unused",
    "a, b, c = Split<axis = -1, num_outputs = 3>(x) y = Exp(b)",
    x=normal(BATCH, 2, 6),
    opset=18,
)
case(
    "Slice",
    "y = Slice(x, s, e, a, t)",
    x=normal(*IMAGE),
    s=ints(1, -1),
    e=ints(100, -100),
    a=ints(1, 2),
    t=ints(2, -2),
)
case("Slice-9", "y = Slice<starts = [1, 0], ends = [4, -1], axes = [1, 2]>(x)", x=normal(*TOKENS), opset=9)
case("Gather", "y = Gather<axis = 1>(x, i)", x=normal(*TOKENS), i=np.array([[0, -1], [2, 0]]))
case("Gather-scalar", "y = Gather<axis = 1>(x, i)", x=normal(*TOKENS), i=np.array(2))
_TURN = "t = Transpose<perm = [1, 2, 0]>(x) "  # the batch last: indices are of what is in a sample
case(
    "GatherND",
    _TURN + "g = GatherND(t, i) y = Transpose(g)",
    x=normal(*TOKENS),
    i=np.array([[0, 1], [2, -1], [0, 1]]),
)
case(
    "GatherND-slices",
    _TURN + "g = GatherND(t, i) y = Transpose<perm = [2, 0, 1]>(g)",
    x=normal(*TOKENS),
    i=np.array([[0], [-1]]),
)
case(
    "GatherND-batch-dims",
    "t = Transpose<perm = [1, 2, 0]>(x) g = GatherND<batch_dims = 1>(t, i) y = Transpose(g)",
    x=normal(*TOKENS),
    i=np.array([[0], [1], [3], [-1], [0]]),
)
case(
    "ScatterND",
    _TURN + "g = GatherND(t, i) e = Exp(g) u = ScatterND(t, j, e) y = Transpose(u)",
    x=normal(*TOKENS),
    i=np.array([[0, 1], [2, -1]]),
    j=np.array([[1, 1], [4, 0]]),
)
case(
    "ScatterND-data",
    _TURN + "z = Shape(t) k = Expand(c, z) g = GatherND(t, i) u = ScatterND(k, i, g) y = Transpose(u)",
    x=normal(*TOKENS),
    i=np.array([[0, 1], [2, -1]]),
    c=normal(5, 4, 1),
)
case(
    "ScatterND-constant",
    "y = ScatterND(x, i, u)",
    x=normal(1, 4),
    i=np.array([[0, 2]]),
    u=normal(1),
    fixed=True,
)
case(
    "ScatterND-add",
    _TURN + 'g = GatherND(t, i) u = ScatterND<reduction = "add">(t, j, g) y = Transpose(u)',
    x=normal(*TOKENS),
    i=np.array([[0, 1], [2, -1]]),
    j=np.array([[1, 1], [1, 1]]),
)

# -- more moves -------------------------------------------------------------------------------------
case("Pad", "y = Pad(x, p)", x=normal(*TOKENS), p=ints(0, 1, 2, 0, 0, 3))
case("Pad-value", "y = Pad(x, p, v, a)", x=normal(*TOKENS), p=ints(1, 2), v=np.float32(3), a=ints(-1))
case("Pad-negative", "y = Pad(x, p)", x=normal(*TOKENS), p=ints(0, -1, 2, 0, 1, -1), by_runtime=True)
case("Pad-reflect", 'y = Pad<mode = "reflect">(x, p)', x=normal(*TOKENS), p=ints(0, 2, 1, 0, 1, 0))
case("Pad-edge", 'y = Pad<mode = "edge">(x, p)', x=normal(*TOKENS), p=ints(0, 2, 1, 0, 1, 0))
case("Pad-2", "y = Pad<pads = [0, 1, 0, 0, 0, 2], value = 1.5>(x)", x=normal(*TOKENS), opset=2 + 7)
case("Tile", "y = Tile(x, r)", x=normal(*TOKENS), r=ints(1, 2, 3))
case("DepthToSpace", "y = DepthToSpace<blocksize = 2>(x)", x=normal(BATCH, 8, 2, 3))
case("DepthToSpace-crd", 'y = DepthToSpace<blocksize = 2, mode = "CRD">(x)', x=normal(BATCH, 8, 2, 3))
case("SpaceToDepth", "y = SpaceToDepth<blocksize = 2>(x)", x=normal(BATCH, 2, 4, 6))
case("Trilu", "y = Trilu<upper = 0>(x, k)", x=normal(*TOKENS), k=np.array(1))
case("Compress", "y = Compress<axis = 1>(x, c)", x=normal(*TOKENS), c=np.array([True, False, True]))
case(
    "GatherElements",
    "y = GatherElements<axis = 2>(x, i)",
    x=normal(1, 3, 4),
    i=np.array([[[0, -1], [2, 2]]]),
    fixed=True,
    by_runtime=True,
)
case(
    "ScatterElements",
    "e = Exp(x) u = Slice(e, s, t, a) y = ScatterElements<axis = 2>(x, i, u)",
    x=normal(1, 2, 4),
    i=np.array([[[0, 3], [2, 1]]]),
    s=ints(0),
    t=ints(2),
    a=ints(2),
    fixed=True,
)
case(
    "ScatterElements-add",
    'u = Slice(x, s, t, a) y = ScatterElements<axis = 2, reduction = "add">(x, i, u)',
    x=normal(1, 2, 4),
    i=np.array([[[0, 0], [2, 1]]]),
    s=ints(0),
    t=ints(2),
    a=ints(2),
    fixed=True,
)
case(
    "ScatterElements-constant",
    "y = ScatterElements<axis = 1>(x, i, u)",
    x=normal(1, 4),
    i=np.array([[0, 2]]),
    u=normal(1, 2),
    fixed=True,
)
case(
    "Scatter",
    "e = Exp(x) y = Scatter<axis = 1>(x, i, e)",
    x=normal(1, 3),
    i=np.array([[2, 0, 1]]),
    opset=9,
    fixed=True,
    by_runtime=True,
)
case(
    "ReverseSequence",
    "y = ReverseSequence<batch_axis = 0, time_axis = 1>(x, n)",
    x=normal(1, 5, 4),
    n=ints(3),
    fixed=True,
)
case(
    "ReverseSequence-time-first",
    "t = Transpose<perm = [1, 0, 2]>(x) y = ReverseSequence(t, n)",
    x=normal(1, 5, 4),
    n=ints(4),
    fixed=True,
)
case(
    "Resize-nearest",
    'y = Resize<mode = "nearest", coordinate_transformation_mode = "asymmetric", '
    'nearest_mode = "floor">(x, , s)',
    x=normal(*IMAGE),
    s=np.array([1, 1, 2, 3], np.float32),
)
case(
    "Resize-linear",
    'y = Resize<mode = "linear">(x, , , z)',
    x=normal(1, 4, 6, 5),
    z=ints(1, 4, 3, 8),
    fixed=True,
)
case(
    "Resize-cubic",
    'y = Resize<mode = "cubic", coordinate_transformation_mode = "align_corners">(x, , s)',
    x=normal(*IMAGE),
    s=np.array([1, 1, 1.5, 2], np.float32),
)
case(
    "Upsample",
    'y = Upsample<mode = "nearest">(x, s)',
    x=normal(*IMAGE),
    s=np.array([1, 1, 2, 2], np.float32),
    opset=9,
)

# -- Fourier ----------------------------------------------------------------------------------------
case("DFT", "y = DFT<onesided = 1>(x, , a)", x=normal(BATCH, 8, 1), a=np.array(1))
case("DFT-complex", "y = DFT(x, n, a)", x=normal(BATCH, 6, 3, 2), n=np.array(8), a=np.array(1))
case("DFT-inverse", "y = DFT<inverse = 1>(x, n, a)", x=normal(BATCH, 6, 2), n=np.array(4), a=np.array(1))
case("DFT-17", "y = DFT<axis = 2, onesided = 1>(x)", x=normal(BATCH, 2, 7, 1), opset=17)
case("STFT", "y = STFT(x, h, w)", x=normal(BATCH, 20, 1), h=np.array(3), w=positive(8), opset=17)
case(
    "STFT-whole",
    "y = STFT<onesided = 0>(x, h, , n)",
    x=normal(BATCH, 20),
    h=np.array(4),
    n=np.array(6),
    opset=17,
    by_runtime=True,
)
