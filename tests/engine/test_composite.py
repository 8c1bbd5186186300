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
        held = {"reference": 0.5 * X[::-1]} if name == "difference" else {}
        a = ox.Explainer(network, composite=name)(X, target=0, **held)
        assert np.isfinite(a.relevance["x"]).all()
        assert (a.closure() < 1e-4).all(), name
        assert about


@pytest.mark.parametrize(
    ("preset", "rule", "parameters"),
    [
        ("attnlrp", "epsilon", {}),
        ("epsilon", "epsilon", {"epsilon": 1e-6}),
        ("zplus", "zplus", {}),
        ("alpha2_beta1", "alpha_beta", {"alpha": 2.0, "beta": 1.0}),
        ("gamma", "gamma", {"gamma": 0.25}),
        ("gamma_positive", "gamma_positive", {"gamma": 0.25}),
    ],
)
def test_a_preset_is_the_rule_that_it_is_named_for(network, preset, rule, parameters):
    """test_dense_rules.py has the rules."""
    spelt = ox.Composite("spelt", variants={"linear": rule}, parameters=parameters)
    a, b = (ox.Explainer(network, composite=c)(X, target=1) for c in (preset, spelt))
    np.testing.assert_array_equal(a.relevance["x"], b.relevance["x"])


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


@pytest.mark.row("O2")
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
