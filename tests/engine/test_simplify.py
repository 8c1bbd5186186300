"""The algebra on a recorded walk changes no number, and leaves out what it says it leaves out."""

from __future__ import annotations

import numpy as np
import pytest
from cases import Case, ints

import onnxplain as ox
from onnxplain.engine.ops import numpy as kernels

TOKENS, WIDTH = 12, 8
RNG = np.random.default_rng(5)  # its own: what is compared is rounding, which depends on the numbers


def normal(*shape: int) -> np.ndarray:
    return RNG.standard_normal(shape).astype(np.float32)


X = normal(3, TOKENS, 6)
W = {
    "w": normal(6, WIDTH), "wqkv": normal(WIDTH, 3 * WIDTH), "bqkv": normal(3 * WIDTH),
    "wo": normal(WIDTH, WIDTH), "w1": normal(WIDTH, 16), "b1": normal(16), "w2": normal(16, WIDTH),
    "g": normal(WIDTH), "b": normal(WIDTH), "wc": normal(WIDTH, 3),
    "heads": ints(0, TOKENS, 3, 2, 4), "flat": ints(0, TOKENS, WIDTH),
}  # fmt: skip
BLOCK = (
    "h = MatMul(x, w) n0 = LayerNormalization(h, g, b) a0 = MatMul(n0, wqkv) a1 = Add(a0, bqkv) "
    "a2 = Reshape(a1, heads) a3 = Transpose<perm = [2, 0, 3, 1, 4]>(a2) "
    "q = Gather<axis = 0>(a3, i0) k = Gather<axis = 0>(a3, i1) v = Gather<axis = 0>(a3, i2) "
    "kt = Transpose<perm = [0, 1, 3, 2]>(k) s = MatMul(q, kt) p = Softmax<axis = -1>(s) o0 = MatMul(p, v) "
    "o1 = Transpose<perm = [0, 2, 1, 3]>(o0) o2 = Reshape(o1, flat) o3 = MatMul(o2, wo) r = Add(h, o3) "
    "n1 = LayerNormalization(r, g, b) m0 = MatMul(n1, w1) m1 = Add(m0, b1) m2 = Gelu(m1) m3 = MatMul(m2, w2) "
    "z = Add(r, m3) "
)
NUMBERS = {f"i{i}": np.asarray(i) for i in range(3)}
# What reads one token, one with its axis kept, a few, and the mean of all.
ENDS = {
    "one token": ("c = Gather<axis = 1>(z, i0) y = MatMul(c, wc)", {}),
    "the last token, its axis kept": ("c0 = Gather<axis = 1>(z, last) c = Squeeze(c0, one) y = MatMul(c, wc)",
                                      {"last": ints(-1), "one": ints(1)}),
    "two tokens": ("c = Slice(z, from, to, one) l = MatMul(c, wc) y = ReduceSum<keepdims = 0>(l, one)",
                   {"from": ints(3), "to": ints(5), "one": ints(1)}),
    "all tokens": ("c = ReduceMean<keepdims = 0>(z, one) y = MatMul(c, wc)", {"one": ints(1)}),
}  # fmt: skip


@pytest.fixture(params=ENDS)
def case(request) -> Case:
    end, more = ENDS[request.param]
    return Case(request.param, BLOCK + end, {"x": X}, {**W, **NUMBERS, **more})


@pytest.mark.parametrize("composite", ["attnlrp", "cplrp", "gradient", "gamma", "zplus"])
def test_the_same_numbers(case, composite, tmp_path, monkeypatch):
    source = case.save(tmp_path)
    a = ox.Explainer(source, composite, backend="numpy", at=["v", "r"])(case.inputs, target="all")
    monkeypatch.setattr("onnxplain.engine.plan.recipe.simplified", lambda trace, shapes: trace)
    b = ox.Explainer(source, composite, backend="numpy", at=["v", "r"])(case.inputs, target="all")
    size = float(np.abs(b.relevance["x"]).max())
    assert np.abs(a.relevance["x"] - b.relevance["x"]).max() <= 1e-5 * size
    for name, relevance in b.at.items():
        assert np.abs(a.at[name] - relevance).max() <= 1e-5 * max(size, float(np.abs(relevance).max()))
    kinds, mine = b.ledger.by_kind(), a.ledger.by_kind()
    assert set(kinds) == set(mine)
    for kind, amount in kinds.items():
        assert np.abs(mine[kind] - amount).max() <= 1e-4 * max(size, float(np.abs(amount).max()))


def _multiplied(case, composite, tmp_path, monkeypatch) -> list[tuple[tuple[int, ...], tuple[int, ...]]]:
    """Shapes of the products in the backward pass, without the axis K."""
    explain = ox.Explainer(case.save(tmp_path), composite, backend="numpy", ledger=False)
    explain(case.inputs, target=0)
    seen = []
    run = kernels.run

    def watched(op, args, attrs, context):
        if op == "matmul":
            seen.append((args[0].shape[-2:], args[1].shape[-2:]))
        return run(op, args, attrs, context)

    monkeypatch.setattr(kernels, "run", watched)
    explain(case.inputs, target=0)
    return seen


def test_one_token_is_carried_as_one(tmp_path, monkeypatch):
    end, more = ENDS["one token"]
    case = Case("cls", BLOCK + end, {"x": X}, {**W, **NUMBERS, **more})
    products = _multiplied(case, "attnlrp", tmp_path, monkeypatch)
    assert ((1, WIDTH), (WIDTH, 16)) in products
    assert ((1, 16), (16, WIDTH)) in products
    assert ((TOKENS, WIDTH), (WIDTH, 16)) not in products


def test_zeros_are_not_multiplied(tmp_path, monkeypatch):
    """Under CP-LRP nothing goes to queries and keys, and their weights are not needed."""
    end, more = ENDS["all tokens"]
    case = Case("mean", BLOCK + end, {"x": X}, {**W, **NUMBERS, **more})
    products = _multiplied(case, "cplrp", tmp_path, monkeypatch)
    assert ((TOKENS, WIDTH), (WIDTH, WIDTH)) in products
    assert not any(b == (3 * WIDTH, WIDTH) for _, b in products)
