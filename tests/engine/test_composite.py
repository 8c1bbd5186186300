"""Composites as data: presets, YAML, rules for single layers."""

from __future__ import annotations

import re

import numpy as np
import pytest
from cases import Case, normal

import onnxplain as ox

X, W, B, V = normal(4, 5), normal(5, 6), normal(6), normal(6, 3)
PRESETS = (
    "attnlrp cplrp epsilon gamma gamma_positive zplus alpha2_beta1 epsilon_plus epsilon_plus_flat "
    "epsilon_gamma_box epsilon_alpha2_beta1 epsilon_alpha2_beta1_flat gradient"
)


@pytest.fixture
def network(tmp_path):
    """Two dense layers."""
    body = "h = Gemm(x, w, b) r = Relu(h) y = MatMul(r, v)"
    return Case("net", body, {"x": X}, {"w": W, "b": B, "v": V}).save(tmp_path)


def _yaml(folder, text):
    path = folder / "mine.yaml"
    path.write_text(text)
    return path


def test_presets_are_what_is_promised(network):
    assert set(PRESETS.split()) <= set(ox.composites())
    for name, about in ox.composites().items():
        a = ox.Explainer(network, composite=name)(X, target=0)
        assert np.isfinite(a.relevance["x"]).all()
        assert (a.closure() < 1e-4).all(), name
        assert about


def _signed(x, w, q):
    """Dense contributions x_i w_ij, positive and negative part."""
    z = x[:, :, None] * w[None]
    return np.maximum(z, 0), np.minimum(z, 0)


@pytest.mark.parametrize("bias", [True, False])
def test_layer_rules_from_their_definitions(tmp_path, bias):
    """Every rule of a dense layer re-derived with explicit contributions in float64."""
    b = B if bias else np.zeros_like(B)
    path = Case("one", "y = Gemm(x, w, b)", {"x": X}, {"w": W, "b": b}).save(tmp_path)
    x, w, b = (v.astype(np.float64) for v in (X, W, b))
    seed = normal(4, 6)
    y = x @ w + b
    r = seed * y
    pos, neg = _signed(x, w, r)
    up, down, b_up, b_down = pos.sum(1), neg.sum(1), np.maximum(b, 0), np.minimum(b, 0)

    def shared(parts, whole):
        return (parts * (np.where(whole == 0, 0, r / np.where(whole == 0, 1, whole)))[:, None]).sum(2)

    g, low, high = 0.3, -2.0, 3.0
    side = (y > 0)[:, None]
    favoured = np.where(side, pos, neg)
    box = x[:, :, None] * w[None] - low * np.maximum(w, 0) - high * np.minimum(w, 0)
    wanted = {
        ("zplus", ()): shared(pos, up + b_up),
        ("alpha2_beta1", ()): 2 * shared(pos, up + b_up) - shared(neg, down + b_down),
        ("gamma", (("gamma", g),)): shared(
            x[:, :, None] * w + g * favoured, y + g * (favoured.sum(1) + np.where(y > 0, b_up, b_down))
        ),
        ("gamma_positive", (("gamma", g),)): shared(
            x[:, :, None] * (w + g * np.maximum(w, 0)), x @ (w + g * np.maximum(w, 0)) + b
        ),
        ("rules: {linear: wsquare}", ()): shared((w**2)[None] * np.ones((4, 1, 1)), (w**2).sum(0) + b**2),
        ("rules: {linear: flat}", ()): shared(np.ones((4, 5, 6)), np.full((4, 6), 5.0)),
        ("rules: {linear: zbox}", (("low", low), ("high", high))): shared(box, box.sum(1)),
    }
    for (name, parameters), want in wanted.items():
        chosen = _yaml(tmp_path, name) if ":" in name else name
        a = ox.Explainer(path, composite=chosen, **dict(parameters))(X, target=seed)
        np.testing.assert_allclose(a.relevance["x"], want, rtol=2e-3, atol=2e-4, err_msg=name)
        total = a.ledger.total() + a.relevance["x"].sum(1)
        np.testing.assert_allclose(total, r.sum(1), rtol=1e-4, atol=1e-3, err_msg=name)


def test_yaml_with_a_base_first_layers_and_names(network, tmp_path):
    path = _yaml(
        tmp_path,
        """
        name: mine
        base: epsilon
        parameters: {epsilon: 0.1}
        first: {rule: gamma, gamma: 0.5}
        layers:
          - {op: MatMul, rule: zplus}
        """,
    )
    mine = ox.Explainer(network, composite=path)
    assert mine.composite.name == "mine"
    rules = [(r.rule, r.op, r.position, dict(r.parameters)) for r in mine.composite.layers]
    assert rules == [("zplus", "MatMul", "", {}), ("gamma", "", "first", {"gamma": 0.5})]
    same = ox.Composite(
        "same",
        layers=(
            ox.Composite.from_file(path).layers[1],
            ox.Composite.from_file(path).layers[0],
        ),
        parameters={"epsilon": 0.1, "stabilizer": 1e-6},
    )
    other = ox.Explainer(network, composite=same)
    np.testing.assert_allclose(mine(X, target=0).relevance["x"], other(X, target=0).relevance["x"], rtol=1e-6)
    assert not np.allclose(
        mine(X, target=0).relevance["x"], ox.Explainer(network)(X, target=0).relevance["x"], rtol=1e-2
    )


def test_a_product_is_chosen_by_its_operator_with_a_bias_and_without(tmp_path):
    body = "z = MatMul(x, w) h = Add(z, b) r = Relu(h) y = MatMul(r, v)"
    path = Case("net", body, {"x": X}, {"w": W, "b": B, "v": V}).save(tmp_path)
    by_operator = _yaml(tmp_path, "layers: [{op: MatMul, rule: zplus}]")
    a = ox.Explainer(path, composite=by_operator)(X, target=0)
    b = ox.Explainer(path, composite="zplus")(X, target=0)
    np.testing.assert_allclose(a.relevance["x"], b.relevance["x"], rtol=1e-6)


def test_a_first_layer_of_one_kind(tmp_path):
    """Zennit's z-box is for the first convolution, and a dense layer before it is none."""
    body = "h = MatMul(x, w) r = Relu(h) c = Conv(r, k) q = Relu(c) y = Conv(q, l)"
    x, k, q = normal(4, 2, 5), normal(3, 2, 2), normal(3, 3, 2)
    path = Case("net", body, {"x": x}, {"w": normal(5, 6), "k": k, "l": q}).save(tmp_path)
    named = "{op: Conv, name: '%s', rule: zbox}"
    first = next(n.name for n in ox.inspect(path).nodes if n.op_type == "Conv")
    spelt = _yaml(tmp_path, f"base: epsilon_plus\nrules: {{conv: gamma}}\nlayers: [{named % first}]")
    seed = normal(4, 3, 4)
    a = ox.Explainer(path, composite="epsilon_gamma_box")(x, target=seed)
    b = ox.Explainer(path, composite=spelt)(x, target=seed)
    np.testing.assert_allclose(a.relevance["x"], b.relevance["x"], rtol=1e-4, atol=1e-5)
    dense = Case("net", "h = MatMul(x, w) r = Relu(h) y = MatMul(r, v)", {"x": X}, {"w": W, "v": V})
    path = dense.save(tmp_path)
    a = ox.Explainer(path, composite="epsilon_gamma_box")(X, target=0)
    b = ox.Explainer(path, composite="epsilon_plus")(X, target=0)
    np.testing.assert_allclose(a.relevance["x"], b.relevance["x"], rtol=1e-5)


@pytest.mark.parametrize(
    ("text", "word"),
    [
        ("rules: {conv: nonsense}", "nonsense"),
        ("rules: {convolution: epsilon}", "convolution"),
        ("colour: red", "colour"),
        ("base: nothing", "nothing"),
        ("layers: [{op: Conv}]", "rule"),
        ("layers: [{rule: gamma, gama: 1}]", "gama"),
        ("first: magic", "magic"),
        ("layers: [{rule: gamma, kind: softmax}]", "softmax"),
        ("parameters: {epsilon: -1}", "epsilon"),
        ("parameters: {epsilon: .nan}", "epsilon"),
        ("parameters: {alpha: 3}", "alpha"),
        ("parameters: {low: 2, high: 1}", "low"),
        ("layers: [{rule: gamma, name: 're:['}]", "regular expression"),
        ("[1, 2", "YAML"),
        ("- a", "keys"),
    ],
)
def test_yaml_that_is_refused(network, tmp_path, text, word):
    with pytest.raises(ox.InputError, match=word) as caught:
        ox.Explainer(network, composite=_yaml(tmp_path, text))
    assert "\n" not in str(caught.value)


def test_a_missing_file(network):
    with pytest.raises(ox.InputError, match="cannot be read"):
        ox.Explainer(network, composite="no/such.yaml")


@pytest.mark.parametrize(
    ("body", "like"),
    [
        ("y = LayerNormalization(z, g, b)", "attnlrp"),
        ("y = LayerNormalization<axis = 1>(z, gs, bs)", "gradient"),
        ("y = InstanceNormalization(z, gc, bc)", "gradient"),
        ("y = GroupNormalization<num_groups = 1>(z, gg, bg)", "gradient"),
    ],
    ids=["features of a token", "tokens and features", "instance", "group"],
)
def test_pooled_takes_the_derivative_of_norms_over_more_than_a_token(tmp_path, body, like):
    """The signal goes through nothing else, so the map is one of the two to the last digit."""
    constants = {
        "g": normal(5), "b": normal(5), "gs": normal(3, 5), "bs": normal(3, 5),
        "gc": normal(3), "bc": normal(3), "gg": normal(1), "bg": normal(1),
    }  # fmt: skip
    used = {k: v for k, v in constants.items() if re.search(rf"\b{k}\b", body)}
    path = Case("norm", f"{body}", {"z": normal(4, 3, 5)}, used).save(tmp_path)
    x, seed = normal(4, 3, 5), normal(4, 3, 5)
    maps = {
        c: ox.Explainer(path, composite=c)(x, target=seed).relevance["z"]
        for c in ("attnlrp", "gradient", "attnlrp_pooled", "cplrp_pooled")
    }
    other = "gradient" if like == "attnlrp" else "attnlrp"
    for pooled in ("attnlrp_pooled", "cplrp_pooled"):
        assert np.array_equal(maps[pooled], maps[like])
        assert np.abs(maps[pooled] - maps[other]).max() > 1e-2
