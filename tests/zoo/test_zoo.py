"""Third parties' models as they ship them: EEG, speech, images, text, chemistry; float, half, int8.

Downloaded at the first run and kept in a folder of the user's cache (see fetch.py). Without a network,
ONNXPLAIN_OFFLINE=1 skips what is not there yet.
"""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from fetch import Entry, FetchError, entries, feed, fetch
from zoo_measure import compiled_error, explained, floating_outputs

import onnxplain as ox

MODELS = entries()
# How far float32 may be from float64 along a direction, where the manifest names no reason for more.
GRADIENT = 1e-2
# How far a compiled file may be from the numpy backend: both round in float32.
COMPILED = 3e-6


def model(entry: Entry) -> Path:
    try:
        return fetch(entry)
    except FetchError as e:
        if os.environ.get("ONNXPLAIN_OFFLINE") == "1":
            pytest.skip(f"ONNXPLAIN_OFFLINE=1 and not in the cache: {e}")
        pytest.fail(f"{e}; without a network, set ONNXPLAIN_OFFLINE=1", pytrace=False)


@pytest.mark.parametrize("name", [n for n, e in MODELS.items() if "refused" not in e])
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
        assert max(found.gradient.values()) <= bound, output
    assert reached


@pytest.mark.parametrize("name", [n for n, e in MODELS.items() if "refused" not in e])
def test_compiled(name, tmp_path):
    """One file with relevance in it, for the first output; docs/correctness.md has all of them."""
    entry = MODELS[name]
    path = model(entry)
    output = floating_outputs(path)[0]
    if "compiled" in entry:  # the input's values decide more than a branch
        with pytest.raises(ox.ModelError, match=entry["compiled"]):
            ox.compile(path, tmp_path / "c.onnx", output=output, example=feed(entry))
        return
    assert compiled_error(path, feed(entry), output, tmp_path) <= COMPILED


@pytest.mark.parametrize("name", [n for n, e in MODELS.items() if "refused" in e])
def test_refused(name):
    entry = MODELS[name]
    path = model(entry)
    with pytest.raises(ox.OnnxplainError) as caught:
        ox.Explainer(path)(feed(entry))
    message = str(caught.value)
    assert "\n" not in message
    assert entry["refused"] in message


def test_looser_bounds_have_a_reason():
    for entry in MODELS.values():
        assert ("gradient_bound" in entry) == ("why" in entry)
