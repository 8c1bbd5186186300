"""Third parties' models as they ship them: EEG, speech, images, text, chemistry; float, half, int8.

Downloaded at the first run and kept in a folder of the user's cache (see fetch.py). Without a network,
ONNXPLAIN_OFFLINE=1 skips what is not there yet.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from fetch import Entry, FetchError, entries, feed, fetch
from zoo_measure import compiled, explained, floating_outputs, held, multiplies_bytes, saturates

import onnxplain as ox

MODELS = entries()
# What `make test` looks at: a small one of each kind. `make test-long` has the others.
QUICK = {
    "iclabel", "silero_vad_half", "namaste_wakeword", "ppocr_cls", "khmersm", "attacut_sc", "arname_encoder",
    "logreg_iris", "surfaces_mlp", "surfaces_validity",
}  # fmt: skip
# How far float32 may be from float64 along a direction, where the manifest names no reason for more.
GRADIENT = 1e-2
# How far a compiled file may be from the numpy backend without more ado. Each rounds in float32 in its own
# way, another on each kind of CPU: where they are further apart, float64 says whether the file rounds worse.
COMPILED = 3e-6
# Looked at in float64 wherever the tests run: EEG, and the one that is furthest apart.
IN_DOUBLE = ("iclabel", "ddddocr_common")
# How far the numpy backend may be from float64: no rounding is as much, and a file that is wrong is more.
ROUNDING = 1e-4


def over(applies: Callable[[Entry], object]) -> pytest.MarkDecorator:
    names = [n for n, e in MODELS.items() if applies(e)]
    return pytest.mark.parametrize(
        "name", [pytest.param(n, marks=[] if n in QUICK else [pytest.mark.long]) for n in names]
    )


def model(entry: Entry) -> Path:
    try:
        return fetch(entry)
    except FetchError as e:
        if os.environ.get("ONNXPLAIN_OFFLINE") == "1":
            pytest.skip(f"ONNXPLAIN_OFFLINE=1 and not in the cache: {e}")
        pytest.fail(f"{e}; without a network, set ONNXPLAIN_OFFLINE=1", pytrace=False)


@over(lambda e: "refused" not in e)
def test_explained(name):
    entry = MODELS[name]
    path = model(entry)
    outputs = floating_outputs(path)
    assert outputs
    reached = set()
    for output in outputs:
        found = explained(path, feed(entry), output)
        assert found.coverage == 1.0, output
        assert found.finite, output
        assert max(found.closure.values()) <= 1e-4, output
        assert found.depth <= 1e-4, output
        reached |= set(found.reached)
        bound = entry.get("gradient_bound", GRADIENT)
        assert found.gradient, output
        # Where sums of bytes are cut off float64 is of another function than what is run.
        if not (saturates() and multiplies_bytes(path)):
            assert max(found.gradient.values()) <= bound, output
    assert reached


@over(lambda e: "refused" not in e)
def test_held_against_another(name):
    """Under the composite `difference`, with the same map by both backends."""
    entry = MODELS[name]
    path = model(entry)
    found = [held(path, feed(entry), feed(entry, seed=1), output) for output in floating_outputs(path)]
    for each in found:
        assert each.finite
        assert each.closure <= 1e-4 or each.part <= 1e-6
        assert each.apart <= 5e-6
        # Where layers are quantised, rounding to integers keeps some.
        assert each.kinds <= {"decision", "rounding"}
    assert any(each.reached for each in found)


@over(lambda e: "refused" not in e and "compiled" not in e)
def test_compiled(name, tmp_path):
    """One file with relevance in it, for the first output; docs/correctness.md has all of them."""
    entry = MODELS[name]
    path = model(entry)
    made = compiled(path, feed(entry), floating_outputs(path)[0], tmp_path)
    if made.apart > COMPILED or name in IN_DOUBLE:
        for own, other in made.errors().values():
            assert own <= ROUNDING, made.apart
            assert other <= 2 * own + 8 * float(np.finfo(np.float32).eps), made.apart


@over(lambda e: "refused" not in e and "compiled" in e)
def test_no_one_graph(name, tmp_path):
    """Where the input's values decide more than a branch."""
    entry = MODELS[name]
    path = model(entry)
    with pytest.raises(ox.ModelError, match=entry["compiled"]):
        ox.compile(path, tmp_path / "c.onnx", output=floating_outputs(path)[0], example=feed(entry))


@over(lambda e: "refused" in e)
def test_refused(name):
    entry = MODELS[name]
    path = model(entry)
    with pytest.raises(ox.OnnxplainError) as caught:
        ox.Explainer(path)(feed(entry))
    message = str(caught.value)
    assert "\n" not in message
    assert entry["refused"] in message


def test_the_quick_ones_are_models_of_the_zoo():
    assert set(MODELS) > QUICK


def test_looser_bounds_have_a_reason():
    for entry in MODELS.values():
        assert ("gradient_bound" in entry) == ("why" in entry)
