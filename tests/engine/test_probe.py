"""What is found out about shapes, constants and samples by running a model."""

from __future__ import annotations

import numpy as np
import pytest
from cases import BATCH, Case, ints, normal

from onnxplain.engine.analysis.probe import probe
from onnxplain.engine.analysis.runs import SamplesMix
from onnxplain.engine.analysis.shapes import Batch, Layout, broadcast_axes
from onnxplain.engine.file.graph import from_model


def _probe(body: str, x: np.ndarray, **weights):
    proto = Case("probe", body, {"x": x}, {k: np.asarray(v) for k, v in weights.items()}).model()
    graph = from_model(proto)
    return graph, probe(proto, graph, {"x": x}, {"x": 0}, where="probe")


def test_shape_arithmetic_is_folded_and_what_depends_on_values_is_not():
    body = (
        "s = Shape(x) n = Gather(s, two) u = Unsqueeze(n, zero) t = Concat<axis = 0>(minus, u) "
        "r = Reshape(x, t) e = Exp(r) b = Reshape(e, s) a = ArgMax<axis = 1>(x) f = Cast<to = 1>(a) "
        "y = Add(b, f)"
    )
    x = np.zeros((BATCH, 5, 4), np.float32)
    x[:, 2] = 9  # the same argmax in every run
    _, found = _probe(body, x, two=np.int64(2), zero=ints(0), minus=ints(-1))
    np.testing.assert_array_equal(found.constants["t"], [-1, 4])
    assert "a" not in found.constants
    assert "s" not in found.constants  # it has the batch in it
    assert found.shapes["r"] == (Batch(5), 4)


def test_layouts():
    body = (
        "t = Transpose<perm = [1, 0, 2]>(x) m = Reshape(x, k) c = Concat<axis = 0>(x, x) "
        "e = Exp(t) g = Exp(m) h = Exp(c) r = ReduceSum<keepdims = 0>(x, a) y = Neg(r)"
    )
    _, found = _probe(body, normal(BATCH, 5, 4), k=ints(-1, 4), a=ints(1, 2))
    assert found.layouts["x"] == found.layouts["y"].__class__(-3, 1, 1)
    assert found.layouts["e"] == Layout(-2, 1, 1)
    assert found.layouts["g"] == Layout(-2, 1, 5)
    assert found.layouts["h"] == Layout(-3, 2, 1)
    assert found.layouts["y"] == Layout(-1, 1, 1)


def test_a_value_that_never_changes_still_has_its_batch():
    _, found = _probe("n = Abs(x) m = Neg(n) r = Relu(m) y = Add(r, x)", normal(BATCH, 4))
    assert found.layouts["r"] == Layout(-2, 1, 1)


def test_rows_that_depend_on_one_another():
    with pytest.raises(SamplesMix):
        _probe("m = ReduceMax(x, a) y = Sub(x, m)", normal(BATCH, 4), a=ints(0))


@pytest.mark.parametrize(
    ("shape", "to", "axes"),
    [
        ((4,), (Batch(), 5, 4), (-3, -2)),
        ((5, 1), (Batch(), 5, 4), (-3, -1)),
        ((Batch(), 1, 4), (Batch(), 5, 4), (-2,)),
        ((Batch(), 5, 4), (Batch(), 5, 4), ()),
        ((1, 1), (1, 4), (-1,)),
    ],
)
def test_broadcast_axes(shape, to, axes):
    assert broadcast_axes(shape, to) == axes
