"""The maps of zennit, LXT and captum, from the ONNX file alone."""

from __future__ import annotations

import pytest
from references import MAPS, measure, references

REFERENCES = references()


@pytest.mark.parametrize("name", sorted(REFERENCES))
def test_same_map(name):
    reference = REFERENCES[name]
    found = measure(reference)
    assert found.error <= reference.bound
    assert found.closure <= 1e-5


def test_every_network_is_used():
    assert {p.stem for p in MAPS.glob("*.onnx")} == {r.network for r in REFERENCES.values()}
    assert {p.stem for p in MAPS.glob("*.npz")} == {r.network for r in REFERENCES.values()}


def test_bounds_are_tight():
    """Nothing but LXT's explicit form, and captum's own noise at epsilon 1e-9, is allowed more than 2e-5."""
    loose = {n for n, r in REFERENCES.items() if r.bound > 2e-5}
    assert loose == {
        "captum__mlp__gamma",
        *(f"lxt_explicit_{r}__{n}like" for r in ("attnlrp", "cplrp") for n in ("labram", "bert", "llama")),
    }
