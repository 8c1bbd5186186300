"""Relevance by independent component: a partition, known sources, and whose eyes a model reads."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import mne
import numpy as np
import pytest

from onnxplain.eeg import views
from onnxplain.eeg.components import CLASSES, components
from onnxplain.eeg.explained import Explained
from onnxplain.eeg.run import explain_recording
from onnxplain.eeg.windows import Windows, to_model_layout
from onnxplain.engine.contract import InputContract
from onnxplain.engine.errors import InputError
from onnxplain.models import demo_file

NAMES = ("Fp1", "Fp2", "C3", "Cz", "C4", "Pz", "O1", "O2", "AUX")
Array = np.ndarray


def explained_of(signal: Array, m: Array, left: Array | None = None) -> Explained:
    """An explanation with a given signal in microvolt and multiplier, [epoch, channel, time]."""
    n = signal.shape[-1]
    contract = InputContract(
        input="x", channels=NAMES, sfreq=200, window=n, scale=0.01, highpass=1.0, classes=("a", "b")
    )
    x = signal * 0.01
    windows = Windows(
        data=to_model_layout(x, contract), signal=signal, channels=NAMES, times=np.arange(n) / 200,
        onsets=np.arange(len(x)) * n / 200, labels=(None,) * len(x), sfreq=200.0, decisions=(),
    )  # fmt: skip
    relevance = x * m + (0 if left is None else left)
    dataset = views.to_dataset(
        windows, contract, relevance=to_model_layout(relevance, contract),
        multiplier=to_model_layout(m, contract),
        unassigned=None if left is None else to_model_layout(left, contract),
        explained=relevance.sum((1, 2)),
    )  # fmt: skip
    return Explained(dataset, windows, contract, {})


@pytest.fixture(scope="module")
def mixed() -> tuple[Array, Array, Array]:
    """Six independent sources, not Gaussian, on nine electrodes; the mixing, and the windows."""
    rng = np.random.default_rng(0)
    sources = rng.laplace(size=(6, 40 * 400))
    mixing = rng.normal(size=(9, 6))
    mixing -= mixing.mean(0)
    signal = (mixing @ sources) * 10 + 0.01 * rng.normal(size=(9, sources.shape[1]))
    return mixing, sources, signal.reshape(9, 40, 400).swapaxes(0, 1)


def test_components_and_residual_are_the_electrodes(mixed: tuple[Array, Array, Array]) -> None:
    _, _, signal = mixed
    rng = np.random.default_rng(1)
    e = explained_of(signal, rng.normal(size=signal.shape), left=rng.normal(size=signal.shape))
    for n in (None, 4):
        found = components(e, n_components=n)
        data = found.dataset
        whole = data["relevance"].sum("component") + data["residual"] + data["unassigned"]
        want = e.relevance.sum(1)
        assert np.abs(whole.values - want).max() <= 1e-6 * np.abs(want).max()
        by_class = found.by_class()
        assert np.abs(by_class.sum("class").values - want.sum(-1)).max() <= 1e-6 * np.abs(want).max()
        shares = found.shares()
        assert [s.name for s in shares] == [*CLASSES, "residual", "unassigned"]
        assert sum(s.share for s in shares) == pytest.approx(1)
        assert sum(s.components for s in shares) == found.dataset.sizes["component"]


def test_the_component_that_is_read(mixed: tuple[Array, Array, Array]) -> None:
    """A multiplier that reads one source, through the pseudo-inverse of the mixing."""
    mixing, sources, signal = mixed
    heads = mixing[:8] - mixing[:8].mean(0)  # what has a place on the head, in common average reference
    reads = np.append(np.linalg.pinv(heads)[2], 0.0)
    m = reads[None, :, None] * np.sign(sources[2]).reshape(40, 1, 400)
    found = components(explained_of(signal, m), n_components=6)
    units = np.abs(found.dataset["relevance"].sum("time").values)
    share = (units / units.sum(-1, keepdims=True)).mean(0)
    best = int(share.argmax())
    assert share[best] > 0.9
    topography = found.dataset["map"].values[best]
    planted = mixing[[NAMES.index(c) for c in found.dataset["channel"].values], 2]
    planted = planted - planted.mean()
    assert abs(np.corrcoef(topography, planted)[0, 1]) > 0.99


def test_a_decomposition_of_ones_own(mixed: tuple[Array, Array, Array]) -> None:
    _, _, signal = mixed
    e = explained_of(signal, np.ones_like(signal))
    first, again = components(e, n_components=5, seed=3), components(e, n_components=5, seed=3)
    np.testing.assert_array_equal(first.dataset["relevance"], again.dataset["relevance"])
    given = components(e, ica=first.ica)
    np.testing.assert_allclose(given.dataset["relevance"], first.dataset["relevance"], atol=1e-9)
    other: Any = first.ica.copy()
    mne.rename_channels(other.info, {"Cz": "CPz"})
    other.ch_names = other.info["ch_names"]
    with pytest.raises(InputError, match="CPz"):
        components(e, ica=other)


def test_what_cannot_be_decomposed(mixed: tuple[Array, Array, Array]) -> None:
    _, _, signal = mixed
    e = explained_of(signal, np.ones_like(signal))
    with pytest.raises(InputError, match="no multiplier"):
        components(replace(e, dataset=e.dataset.drop_vars("multiplier")))
    few = replace(e, windows=replace(e.windows, channels=("Cz", *(f"A{i}x" for i in range(8)))))
    with pytest.raises(InputError, match="5 are needed"):
        components(few)


def test_whose_eyes_the_demo_models_read() -> None:
    eyes: dict[str, float] = {}
    ica = None
    for name in ("honest", "shortcut"):
        e = explain_recording(demo_file(f"{name}.onnx"), demo_file("recording.edf"), events="left,right")
        found = components(e, ica=ica)
        ica = found.ica  # one recording, one decomposition
        want = e.relevance.sum(1, dtype=np.float64)
        data = found.dataset
        whole = (data["relevance"].sum("component") + data["residual"]).values
        assert np.abs(whole - want).max() <= 1e-6 * np.abs(want).max()
        shares = {s.name: s for s in found.shares()}
        eyes[name] = shares["eye"].share
        assert shares["eye"].components >= 1
    assert eyes["shortcut"] > 0.5
    assert eyes["honest"] < 0.25
