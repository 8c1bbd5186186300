"""Plans kept on disk: the second explanation of a model needs no preparation, and says the same."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

import numpy as np
import onnx
import pytest

import onnxplain as ox
from onnxplain.engine.plan import build, cache

TEXT = """
<ir_version: 8, opset_import: ["" : 17]>
f (float[batch, 4] x) => (float[batch, 3] y)
<float[4, 3] W = {1, -2, 3, 0.5, 1, -1, 2, 0.25, -0.5, 1, 1, 2}, float[3] b = {0.1, -0.2, 0.3}>
{
    z = MatMul(x, W)
    s = Add(z, b)
    r = Relu(s)
    y = Mul(r, r)
}
"""
BRANCHES = """
<ir_version: 8, opset_import: ["" : 17]>
f (float[batch, 4] x, bool twice) => (float[batch, 4] y)
{
    y = If (twice) <
        then_branch = g () => (float[batch, 4] t) { t = Add(x, x) },
        else_branch = h () => (float[batch, 4] e) { e = Neg(x) }
    >
}
"""


@pytest.fixture
def kept(tmp_path, monkeypatch):
    """A cache of its own that keeps every plan."""
    monkeypatch.setenv(cache.VARIABLE, str(tmp_path / "cache"))
    monkeypatch.setattr(cache, "WORTH", 0.0)
    return tmp_path / "cache" / "plans"


@pytest.fixture
def prepared(monkeypatch):
    """How often a plan was made."""
    made = []
    real = build.build
    monkeypatch.setattr(build, "build", lambda *a: made.append(1) or real(*a))
    return made


def _model(folder, text: str = TEXT):
    path = folder / "model.onnx"
    onnx.save(onnx.parser.parse_model(text), path)
    return path


X = np.random.default_rng(0).standard_normal((6, 4)).astype(np.float32)


def test_the_second_time_nothing_is_prepared(kept, prepared, tmp_path):
    path = _model(tmp_path)
    first = ox.Explainer(path)(X, target=1)
    again = ox.Explainer(path)(X[:2], target=1)
    assert len(prepared) == 1
    assert len(list(kept.iterdir())) == 1
    np.testing.assert_array_equal(again.relevance["x"], first.relevance["x"][:2])
    assert [(e.node, e.kind) for e in again.ledger] == [(e.node, e.kind) for e in first.ledger]
    assert (again.closure() <= 1e-6).all()


def test_several_targets_are_added(kept, prepared, tmp_path):
    path = _model(tmp_path)
    want = ox.Explainer(path, backend="numpy")(X, target="all")
    ox.Explainer(path)(X)
    for _ in range(2):
        got = ox.Explainer(path)(X, target="all")
        np.testing.assert_allclose(got.relevance["x"], want.relevance["x"], rtol=1e-5, atol=1e-6)
    assert len(prepared) == 3  # numpy's, the first, and once more for three targets
    (place,) = kept.iterdir()
    assert {p.name for p in place.glob("back.*")} == {"back.1.onnx", "back.3.onnx"}


@pytest.mark.parametrize(
    "change",
    [{"composite": "gamma"}, {"composite": "epsilon", "epsilon": 0.1}, {"ledger": False}, {"at": ["r"]}],
)
def test_another_question_is_another_plan(kept, prepared, tmp_path, change):
    path = _model(tmp_path)
    ox.Explainer(path)(X)
    ox.Explainer(path, **change)(X)
    assert len(prepared) == 2
    assert len(list(kept.iterdir())) == 2


def test_another_model_under_the_same_name(kept, tmp_path):
    path = _model(tmp_path)
    ox.Explainer(path)(X)
    _model(tmp_path, TEXT.replace("-0.2", "-0.7"))
    got, want = (ox.Explainer(path, backend=b)(X, target=1) for b in ("onnx", "numpy"))
    np.testing.assert_allclose(got.relevance["x"], want.relevance["x"], rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("name", ["plan.json", "forward.onnx", "back.1.onnx"])
def test_a_damaged_plan_is_made_anew(kept, prepared, tmp_path, name):
    path = _model(tmp_path)
    want = ox.Explainer(path)(X, target=0)
    (place,) = kept.iterdir()
    (place / name).write_bytes(b"{}")
    got = ox.Explainer(path)(X, target=0)
    np.testing.assert_array_equal(got.relevance["x"], want.relevance["x"])
    assert len(prepared) == 2


def test_the_branch_that_is_taken(kept, tmp_path):
    path = _model(tmp_path, BRANCHES)
    for _ in range(2):
        for twice, sign in ((True, 2.0), (False, -1.0)):
            a = ox.Explainer(path)({"x": X, "twice": np.array(twice)}, target=np.ones_like(X))
            np.testing.assert_allclose(a.relevance["x"], sign * X, rtol=1e-6)


def test_two_at_once(kept, tmp_path):
    path = _model(tmp_path)
    with ThreadPoolExecutor(4) as pool:
        maps = list(pool.map(lambda _: ox.Explainer(path)(X, target=2).relevance["x"], range(8)))
    assert all(np.array_equal(m, maps[0]) for m in maps)
    assert [p.name for p in kept.iterdir() if p.name.startswith(".")] == []


def test_off_and_too_fast(tmp_path, monkeypatch):
    path = _model(tmp_path)
    monkeypatch.setenv(cache.VARIABLE, "off")
    assert cache.folder() is None
    ox.Explainer(path)(X)
    monkeypatch.setenv(cache.VARIABLE, str(tmp_path / "cache"))
    ox.Explainer(path)(X)  # made in less than a second
    assert not (tmp_path / "cache").exists()


def test_room_is_made(kept, tmp_path, monkeypatch):
    path = _model(tmp_path)
    ox.Explainer(path)(X)
    monkeypatch.setattr(cache, "LIMIT", 0)
    ox.Explainer(path, composite="gamma")(X)
    assert list(kept.iterdir()) == []
