"""Plans kept on disk: the second explanation of a model needs no preparation, and says the same."""

from __future__ import annotations

import hashlib
import json
import os
import shutil
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


# -- plans that somebody has changed -------------------------------------------------------------------------


def _place(kept):
    (place,) = kept.iterdir()
    return place


def _rewritten(place, change) -> None:
    """Change what a plan says of itself, with a hash that is right again."""
    about = json.loads((place / "plan.json").read_bytes())
    del about["sha256"]
    change(about)
    about["sha256"] = cache._digest(about)
    (place / "plan.json").write_text(json.dumps(about))


def _another_model(place) -> None:
    """A model that says something else, under its own hash."""
    path = place / "forward.onnx"
    model = onnx.load(path)
    for tensor in model.graph.initializer:
        if tensor.data_type == onnx.TensorProto.FLOAT:
            array = onnx.numpy_helper.to_array(tensor)
            tensor.CopyFrom(onnx.numpy_helper.from_array(array + 1, tensor.name))
    path.write_bytes(model.SerializeToString())


def _outside(name: str, sparse: bool = False):
    """Weights in a file outside, whose hash in the plan is right: onnxruntime would read them."""

    def change(place) -> None:
        path = place / name
        model = onnx.load(path, load_external_data=False)
        if sparse:
            about = model.graph.sparse_initializer.add()
            about.dims.extend([4])
            tensor = about.values
            about.indices.CopyFrom(onnx.numpy_helper.from_array(np.arange(4), "indices"))
        else:
            tensor = model.graph.initializer.add()
        tensor.CopyFrom(onnx.TensorProto(name="more", data_type=1, dims=[4]))
        tensor.data_location = onnx.TensorProto.EXTERNAL
        tensor.external_data.add(key="location", value="more.bin")
        (place / "more.bin").write_bytes(bytes(16))
        path.write_bytes(model.SerializeToString())
        digest = hashlib.sha256(path.read_bytes()).hexdigest()
        _rewritten(place, lambda about: about["graphs"].update({name: digest}))

    return change


def _link(name: str, hard: bool = False):
    """A graph that lies somewhere else, with the same content."""

    def change(place) -> None:
        there = place.parents[1] / "elsewhere"
        shutil.move(place / name, there)
        os.link(there, place / name) if hard else (place / name).symlink_to(there)

    return change


def _fifo(place) -> None:
    (place / "back.1.onnx").unlink()
    os.mkfifo(place / "back.1.onnx")


def _whole_link(place) -> None:
    there = place.parents[1] / "all"
    shutil.move(place, there)
    place.symlink_to(there)


def _about(place) -> None:
    """Another order of what the forward graph is asked for, without the right hash."""
    about = json.loads((place / "plan.json").read_bytes())
    about["facts"]["notes"] = ["trust me"]
    (place / "plan.json").write_text(json.dumps(about))


TAMPERED = {
    "another forward graph": (_another_model, "forward.onnx is not what was kept"),
    "one byte of a graph back": (
        lambda p: (p / "back.1.onnx").open("ab").write(b"\0"), "back.1.onnx is not what was kept"
    ),
    "what it says of itself": (_about, "plan.json is not what was kept"),
    "a path for a name": (
        lambda p: _rewritten(p, lambda a: a["graphs"].update({"../x": "0"})), "plan.json is not what was kept"
    ),
    "no hash": (
        lambda p: _rewritten(p, lambda a: a["graphs"].pop("forward.onnx")), "plan.json is not what was kept"
    ),
    "external weights": (_outside("forward.onnx"), "forward.onnx has data in another file"),
    "external sparse weights back": (_outside("back.1.onnx", True), "back.1.onnx has data in another file"),
    "a link": (_link("forward.onnx"), "forward.onnx is a link"),
    "a link for what it says": (_link("plan.json"), "plan.json is a link"),
    "a hard link": (_link("back.1.onnx", hard=True), "back.1.onnx is a link"),
    "a FIFO": (_fifo, "back.1.onnx is no plain file"),
    "missing": (lambda p: (p / "back.1.onnx").unlink(), "back.1.onnx is missing"),
    "others may write a file": (lambda p: (p / "forward.onnx").chmod(0o666), "may write its forward.onnx"),
    "others may use its folder": (lambda p: p.chmod(0o755), "mode 755, not 700"),
    "a link for the folder": (_whole_link, "it is a link"),
    "deep": (lambda p: (p / "plan.json").write_text("[" * 200_000), "cannot be read"),
}  # fmt: skip


@pytest.mark.skipif(os.name == "nt", reason="links and modes are POSIX")
@pytest.mark.parametrize("kind", TAMPERED)
def test_a_changed_plan_is_made_anew_with_a_note(kept, prepared, tmp_path, kind):
    change, why = TAMPERED[kind]
    path = _model(tmp_path)
    want = ox.Explainer(path)(X, target=0)
    assert not want.notes
    place = _place(kept)
    change(place)
    got = ox.Explainer(path)(X, target=0)
    np.testing.assert_array_equal(got.outputs["y"], want.outputs["y"])
    np.testing.assert_array_equal(got.relevance["x"], want.relevance["x"])
    (note,) = got.notes
    assert note.startswith("A cached plan was not used, and is made anew: ")
    assert why in note
    assert len(prepared) == 2
    # What was made takes its place.
    assert not place.is_symlink()
    assert not ox.Explainer(path)(X, target=0).notes
    assert len(prepared) == 2


@pytest.mark.skipif(os.name == "nt", reason="links and modes are POSIX")
@pytest.mark.parametrize("mode", [0o755, 0o770, 0o1777])
def test_a_folder_that_others_may_use_is_not_used(kept, prepared, tmp_path, mode):
    path = _model(tmp_path)
    ox.Explainer(path)(X)
    before = {p: p.stat().st_mtime_ns for p in kept.rglob("*")}
    kept.chmod(mode)
    for _ in range(2):
        (note,) = ox.Explainer(path)(X).notes
        assert "Cached plans are not used" in note
        assert f"mode {mode:o}" in note
    ox.Explainer(path, composite="gamma")(X)
    assert len(prepared) == 4
    assert before == {p: p.stat().st_mtime_ns for p in kept.rglob("*")}


@pytest.mark.skipif(os.name == "nt", reason="links and modes are POSIX")
def test_a_folder_that_is_a_link_or_of_another_user(kept, prepared, tmp_path, monkeypatch):
    path = _model(tmp_path)
    ox.Explainer(path)(X)
    shutil.move(kept, tmp_path / "theirs")
    kept.symlink_to(tmp_path / "theirs")
    assert "it is a link" in ox.Explainer(path)(X).notes[0]
    kept.unlink()
    shutil.move(tmp_path / "theirs", kept)
    monkeypatch.setattr(os, "geteuid", lambda: os.getuid() + 1)
    assert "it belongs to another user" in ox.Explainer(path)(X).notes[0]
    assert len(prepared) == 3


@pytest.mark.skipif(os.name == "nt", reason="links and modes are POSIX")
def test_nobody_else_can_read_what_is_kept(kept, tmp_path):
    before = os.umask(0)
    try:
        for target in (0, "all"):
            ox.Explainer(_model(tmp_path))(X, target=target)
    finally:
        os.umask(before)
    assert kept.stat().st_mode & 0o777 == 0o700
    assert _place(kept).stat().st_mode & 0o777 == 0o700
    assert {p.stat().st_mode & 0o777 for p in _place(kept).iterdir()} == {0o600}
    assert {"back.1.onnx", "back.3.onnx"} <= {p.name for p in _place(kept).iterdir()}


def test_a_changed_graph_for_more_targets_is_made_anew(kept, prepared, tmp_path):
    path = _model(tmp_path)
    ox.Explainer(path)(X)
    want = ox.Explainer(path)(X, target="all").relevance["x"]
    made = len(prepared)
    (_place(kept) / "back.3.onnx").write_bytes(b"")
    got = ox.Explainer(path)(X, target="all")
    np.testing.assert_array_equal(got.relevance["x"], want)
    assert "back.3.onnx is not what was kept" in got.notes[0]
    assert len(prepared) > made
