"""`ox.gradient` and the gradients of compiled files against float64 autograd."""

from __future__ import annotations

import json
import subprocess
import sys
import warnings
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import onnxruntime as ort
import pytest
import torch
from cases import Case, normal
from networks import frozen_double
from torch import nn

import onnxplain as ox
from onnxplain.models import demo_file

BOUND = 2e-6  # of the largest derivative


class Attention(nn.Module):
    """A block of attention and feed-forward, as transformers have it."""

    def __init__(self) -> None:
        super().__init__()
        self.block = nn.TransformerEncoderLayer(8, 2, 16, batch_first=True, activation="gelu")
        self.last = nn.Linear(8, 3)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Logits of sequences."""
        made: torch.Tensor = self.last(self.block(x).mean(1))
        return made


class Recurrent(nn.Module):
    """A GRU, its last state read out."""

    def __init__(self) -> None:
        super().__init__()
        self.cells, self.last = nn.GRU(5, 6, batch_first=True), nn.Linear(6, 3)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Logits of sequences."""
        made: torch.Tensor = self.last(self.cells(x)[0][:, -1])
        return made


def _convolution() -> nn.Module:
    norm = nn.BatchNorm1d(6)
    for values in (norm.running_mean, norm.weight.data, norm.bias.data):
        assert values is not None
        values.normal_()
    return nn.Sequential(
        nn.Conv1d(4, 6, 5, padding=2), norm, nn.ELU(), nn.AvgPool1d(2), nn.Flatten(), nn.Linear(48, 3)
    )


NETWORKS: dict[str, tuple[Callable[[], nn.Module], tuple[int, ...]]] = {
    "tanh": (lambda: nn.Sequential(nn.Linear(7, 9), nn.Tanh(), nn.Linear(9, 4)), (7,)),
    "probabilities": (
        lambda: nn.Sequential(nn.Linear(7, 9), nn.Tanh(), nn.Linear(9, 4), nn.Softmax(-1)),
        (7,),
    ),
    "convolution": (_convolution, (4, 16)),
    "attention": (Attention, (6, 8)),
    "recurrent": (Recurrent, (7, 5)),
    "layer norm": (
        lambda: nn.Sequential(nn.Linear(7, 9), nn.LayerNorm(9), nn.Sigmoid(), nn.Linear(9, 3)),
        (7,),
    ),
}


@dataclass(frozen=True)
class Known:
    """A network's file, an input with zeros in it, and its Jacobian in float64, [K, batch, ...]."""

    path: Path
    x: np.ndarray
    jacobian: np.ndarray


@pytest.fixture(params=NETWORKS)
def known(request: pytest.FixtureRequest, tmp_path: Path) -> Known:
    """One network, exported."""
    torch.manual_seed(3)
    make, shape = NETWORKS[request.param]
    network = make().eval()
    x = torch.randn(3, *shape)
    x[0] = 0
    x[1].view(-1)[::2] = 0
    axes = {"x": {0: "batch"}, "y": {0: "batch"}}
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        torch.onnx.export(
            network, (x,), tmp_path / "model.onnx", input_names=["x"], output_names=["y"],
            dynamic_axes=axes, dynamo=False,
        )  # fmt: skip
    double = frozen_double(network)

    def one(row: torch.Tensor) -> torch.Tensor:
        made: torch.Tensor = double(row[None])[0]
        return made

    rows = [torch.autograd.functional.jacobian(one, row) for row in x.double()]
    return Known(tmp_path / "model.onnx", x.numpy(), torch.stack(rows, 1).numpy())


def _error(got: np.ndarray, want: np.ndarray) -> float:
    assert got.shape == want.shape
    return float(np.abs(got - want).max() / np.abs(want).max())


def _run(path: Path, feed: dict[str, Any]) -> dict[str, Any]:
    session = ort.InferenceSession(str(path), providers=["CPUExecutionProvider"])
    names = [o.name for o in session.get_outputs()]
    return dict(zip(names, session.run(names, feed), strict=True))


def test_the_jacobian_is_autograds(known: Known) -> None:
    assert np.abs(known.jacobian[:, known.x == 0]).max() > 0.01  # which input x gradient would lose
    assert _error(ox.gradient(known.path, known.x, target="all"), known.jacobian) <= BOUND


def test_a_compiled_jacobian_is_autograds(known: Known, tmp_path: Path) -> None:
    k, batch = known.jacobian.shape[:2]
    path = ox.compile(known.path, tmp_path / "g.onnx", "gradient", targets=k, logits=False)
    seed = np.broadcast_to(np.eye(k, dtype=np.float32)[:, None], (k, batch, k))
    got = _run(path, {"x": known.x, "seed": seed})
    assert _error(got["gradient.x"], known.jacobian) <= BOUND
    np.testing.assert_allclose(got["relevance.x"], got["gradient.x"] * known.x, rtol=1e-5, atol=1e-7)


def test_one_number_a_sample_and_weights(known: Known) -> None:
    every, x = known.jacobian, known.x
    explain = ox.Explainer(known.path, "gradient", logits=False)
    assert _error(ox.gradient(explain, x, target=[2, 0, 1]), every[[2, 0, 1], range(3)]) <= BOUND
    predicted = explain.predict(x)["y"].argmax(-1)
    assert _error(ox.gradient(explain, x), every[predicted, range(3)]) <= BOUND
    weights = np.random.default_rng(0).standard_normal((5, 3, len(every))).astype(np.float32)
    want = np.einsum("jbk,kb...->jb...", weights, every)
    assert _error(ox.gradient(explain, x, target=weights[0]), want[0]) <= BOUND
    assert _error(ox.gradient(explain, x, target=weights), want) <= BOUND
    assert _error(ox.gradient(explain, x, target={1: 2.0, 2: -1.0}), 2 * every[1] - every[2]) <= BOUND


@pytest.mark.parametrize("known", ["tanh", "convolution", "recurrent"], indirect=True)
def test_finite_differences(known: Known) -> None:
    """The file's own outputs, moved along a random direction."""
    rng, step = np.random.default_rng(0), 1e-2
    towards = rng.standard_normal(known.x.shape).astype(np.float32)
    up, down = (_run(known.path, {"x": known.x + s * towards})["y"] for s in (step, -step))
    axes = tuple(range(2, known.jacobian.ndim))
    along = (ox.gradient(known.path, known.x, target="all") * towards).sum(axes).T
    assert np.abs((up - down) / (2 * step) - along).max() < 5e-3 * np.abs(known.jacobian).max()


def test_logits_where_they_are_asked_for(tmp_path: Path) -> None:
    x, w = normal(3, 4), normal(4, 3)
    path = Case("soft", "z = MatMul(x, w) y = Softmax(z)", {"x": x}, {"w": w}).save(tmp_path)
    p = np.exp(x.astype(float) @ w)
    p /= p.sum(-1, keepdims=True)
    of_output = p[:, 1, None] * (w[:, 1] - p @ w.T)
    of_logit = np.broadcast_to(w[:, 1], x.shape)
    assert _error(ox.gradient(path, x, target=1), of_output) <= BOUND
    assert _error(ox.gradient(path, x, target=1, logits=True), of_logit) <= BOUND
    # An explainer of logits is opened anew for what it is not.
    explain = ox.Explainer(path, "gradient")
    assert _error(explain(x, target=1).multiplier["x"], of_logit) <= BOUND
    assert _error(ox.gradient(explain, x, target=1), of_output) <= BOUND
    assert ox.Explainer(path, "attnlrp", logits=False)(x, target=1).output == "y"
    seed = np.eye(3, dtype=np.float32)[[1, 1, 1]]
    for logits, want in ((True, of_logit), (False, of_output)):
        made = ox.compile(path, tmp_path / "g.onnx", "gradient", logits=logits)
        assert _error(_run(made, {"x": x, "seed": seed})["gradient.x"], want) <= BOUND


def test_the_command_line_says_what_is_derived(tmp_path: Path) -> None:
    x, w = normal(3, 4), normal(4, 3)
    path = Case("soft", "z = MatMul(x, w) y = Softmax(z)", {"x": x}, {"w": w}).save(tmp_path)
    made = {}
    for option, explained in (("--logits", "z"), ("--no-logits", "y")):
        out = tmp_path / f"{explained}.onnx"
        command = [sys.executable, "-m", "onnxplain", "compile", str(path), "-o", str(out), "--json"]
        command += ["--composite", "gradient", "--targets", "2", option]
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stderr
        about = json.loads(done.stdout)
        assert (about["explained"], about["outputs"]) == (explained, ["y", "relevance.x", "gradient.x"])
        seed = np.broadcast_to(np.eye(2, 3, dtype=np.float32)[:, None], (2, 3, 3))
        made[explained] = _run(out, {"x": x, "seed": seed})["gradient.x"]
    assert _error(made["z"], np.broadcast_to(w.T[:2, None], (2, 3, 4))) <= BOUND
    assert _error(made["y"], ox.gradient(path, x, target="all")[:2]) <= BOUND


def test_plans_of_logits_and_outputs_are_kept_apart(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from onnxplain.engine.plan import cache

    monkeypatch.setenv(cache.VARIABLE, str(tmp_path / "cache"))
    monkeypatch.setattr(cache, "WORTH", 0.0)
    x = normal(2, 4)
    path = Case("soft", "z = MatMul(x, w) y = Softmax(z)", {"x": x}, {"w": normal(4, 3)}).save(tmp_path)
    of = [ox.gradient(path, x, target=1, logits=logits) for logits in (True, False, True)]
    assert np.array_equal(of[0], of[2])
    assert np.abs(of[0] - of[1]).max() > 0.01


def test_several_inputs_and_outputs(tmp_path: Path) -> None:
    a, b = normal(3, 4), normal(3, 4)
    path = Case("two", "z = Mul(a, b) y = Tanh(z) v = MatMul(a, w)", {"a": a, "b": b}, {"w": normal(4, 2)})
    file = path.save(tmp_path)
    every = ox.gradient(file, {"a": a, "b": b}, target="all", output="y")
    slope = 1 - np.tanh(a * b) ** 2
    for name, other in (("a", b), ("b", a)):
        want = np.eye(4)[:, None] * (slope * other)[None]
        assert _error(every[name], want) <= BOUND
    with pytest.raises(ox.InputError, match="no output 'q'"):
        ox.gradient(file, {"a": a, "b": b}, output="q")
    with pytest.raises(ox.InputError, match="give a dict"):
        ox.gradient(file, a)


def test_whole_numbers_have_no_derivative(tmp_path: Path) -> None:
    ids, table = np.array([[0, 2, 1], [3, 3, 0]]), normal(4, 5)
    body = "e = Gather(table, ids) t = Tanh(e) s = ReduceSum<keepdims = 0>(t, axis) y = MatMul(s, w)"
    constants = {"table": table, "w": normal(5, 2), "axis": np.array([1])}
    path = Case("tokens", body, {"ids": ids}, constants).save(tmp_path)
    with pytest.raises(ox.InputError, match="input 'ids' is of whole numbers"):
        ox.gradient(path, ids)
    found = ox.gradient(path, ids, target=1, at="e")
    assert list(found) == ["e"]
    want = (1 - np.tanh(table[ids]) ** 2) * constants["w"][:, 1]
    assert _error(found["e"], want) <= BOUND
    masked = Case(
        "masked", "f = Cast<to = 1>(n) z = Mul(x, f) y = MatMul(z, w)", {"x": normal(2, 5), "n": ids[:, :1]},
        {"w": constants["w"]},
    )  # fmt: skip
    assert list(ox.gradient(masked.save(tmp_path), masked.inputs)) == ["x"]


def test_decisions_have_no_slope(tmp_path: Path) -> None:
    """What is compared, or counted in whole numbers, changes nothing nearby."""
    x, v, w, u = normal(5, 4), normal(4, 3), normal(3, 2), normal(4, 2)
    body = (
        "h = MatMul(x, v) g = Greater(h, o) c = Cast<to = 1>(g) i = Cast<to = 7>(h) f = Cast<to = 1>(i) "
        "s = Add(c, f) p = Softmax(s) q = MatMul(p, w) r = MatMul(x, u) y = Add(q, r)"
    )
    constants = {"v": v, "o": np.float32(0), "w": w, "u": u}
    path = Case("decides", body, {"x": x}, constants).save(tmp_path)
    want = np.broadcast_to(u.T[:, None], (2, 5, 4))
    assert _error(ox.gradient(path, x, target="all"), want) <= BOUND
    assert (ox.Explainer(path, "gradient")(x).closure() < 1e-5).all()
    assert _error(ox.gradient(path, x, target=1, at="r")["x"], want[1]) <= BOUND


def test_nothing_but_decisions(tmp_path: Path) -> None:
    """Relevance of the bits, which the map has, is no slope."""
    x, v = normal(5, 4), normal(4, 3)
    body = "s = MatMul(x, v) h = Softmax(s) g = Greater(h, o) c = Cast<to = 1>(g) y = MatMul(c, w)"
    path = Case("decides", body, {"x": x}, {"v": v, "o": np.float32(0.3), "w": normal(3, 2)}).save(tmp_path)
    for backend in ("numpy", "onnx"):
        explain = ox.Explainer(path, "gradient", backend, logits=False)
        assert not ox.gradient(explain, x, target="all").any()
        assert (explain(x).closure() < 1e-5).all()
    made = ox.compile(path, tmp_path / "g.onnx", "gradient", ledger=True)
    got = _run(made, {"x": x, "seed": np.ones((5, 2), np.float32)})
    assert not got["gradient.x"].any()


def test_a_network_of_eeg_in_a_batch_and_alone() -> None:
    explain = ox.Explainer(demo_file("honest.onnx"), "gradient", logits=False)
    assert explain.contract is not None
    x = np.random.default_rng(0).standard_normal((4, *explain.contract.shape)).astype(np.float32)
    whole = ox.gradient(explain, x, target="left")
    each = np.concatenate([ox.gradient(explain, row[None], target="left") for row in x])
    assert _error(whole, each) <= BOUND
    x[:, 3] = 0
    assert np.abs(ox.gradient(explain, x, target="left")[:, 3]).max() > 1e-3 * np.abs(whole).max()


def test_rows_that_are_run_one_by_one(tmp_path: Path) -> None:
    """Where the file has a batch of one, each row has its own weights."""
    text = (
        '<ir_version: 8, opset_import: ["" : 18]> g (float[1, 4] x) => (float[1, 3] y) '
        "{ t = Tanh(x) y = MatMul(t, w) }"
    )
    model, w, x = onnx.parser.parse_model(text), normal(4, 3), normal(5, 4)
    model.graph.initializer.append(onnx.numpy_helper.from_array(w, "w"))
    path = tmp_path / "one.onnx"
    onnx.save(model, path)
    slope = 1 - np.tanh(x.astype(float)) ** 2
    seeds = normal(2, 5, 3)
    assert _error(ox.gradient(path, x, target=seeds), (seeds @ w.T) * slope) <= BOUND
    assert _error(ox.gradient(path, x, target="all"), w.T[:, None] * slope) <= BOUND
    assert _error(ox.gradient(path, x, target=[0, 1, 2, 1, 0]), w.T[[0, 1, 2, 1, 0]] * slope) <= BOUND
    with pytest.raises(ox.InputError, match="for 5 samples"):
        ox.gradient(path, x, target=seeds[:, :4])


def test_each_branch_has_its_own(tmp_path: Path) -> None:
    text = (
        '<ir_version: 8, opset_import: ["" : 18]> g (float[N, 4] x) => (float[N, 4] y) <float zero = {0.0}> '
        "{ s = ReduceSum<keepdims = 0>(x) c = Greater(s, zero) y = If (c) "
        "<then_branch = a () => (float[N, 4] p) { p = Tanh(x) }, "
        "else_branch = b () => (float[N, 4] q) { q = Mul(x, x) }> }"
    )
    path = tmp_path / "branches.onnx"
    onnx.save(onnx.parser.parse_model(text), path)
    made = ox.compile(path, tmp_path / "g.onnx", "gradient")
    x, seed = np.abs(normal(1, 4)), normal(1, 4)
    for value, slope in ((x, 1 - np.tanh(x) ** 2), (-x, -2 * x)):
        assert _error(ox.gradient(path, value, target=seed), seed * slope) <= BOUND
        assert _error(_run(made, {"x": value, "seed": seed})["gradient.x"], seed * slope) <= BOUND


def test_weights_that_do_not_fit(tmp_path: Path) -> None:
    x = normal(3, 4)
    path = Case("net", "y = MatMul(x, w)", {"x": x}, {"w": normal(4, 2)}).save(tmp_path)
    with pytest.raises(ox.InputError, match=r"shape \[3, 2\] \(or K of them: \[K, ...\]\), not \[2, 3, 4\]"):
        ox.gradient(path, x, target=np.zeros((2, 3, 4)))
