"""Windows that are scaled by what they are themselves: z-scores, percentiles, clipping."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import mne
import numpy as np
import pytest
import xarray as xr

from onnxplain.eeg.explanation.explained import restored
from onnxplain.eeg.explanation.pairs import mean_of
from onnxplain.eeg.recording.read import read
from onnxplain.eeg.recording.windows import as_input, cut, from_model_layout
from onnxplain.eeg.run import explain_recording
from onnxplain.engine.contract import InputContract
from onnxplain.engine.errors import InputError

Settings = Callable[..., InputContract]
WAYS: dict[str, dict[str, Any]] = {
    "z": {"by": "zscore"},
    "z of the window": {"by": "zscore", "over": "window", "clip": 2},
    "z of the recording": {"by": "zscore", "over": "recording", "clip": 15},
    "percentile": {"by": "percentile"},
    "90th, of the window": {"by": "percentile", "percentile": 90, "over": "window"},
    "percentile of the recording": {"by": "percentile", "over": "recording"},
}


def by_hand(raw: Any, unit: float, way: dict[str, Any]) -> Any:
    """Windows of two seconds at 100 Hz, written out; `raw` in volt."""
    data = raw.get_data() * unit
    axis: Any = {"channel": -1, "window": (-2, -1)}.get(way.get("over", "channel"))
    x = data[:, :2000].reshape(len(data), -1, 200).swapaxes(0, 1)
    source, along = (x, axis) if axis else (data[None], -1)
    if way["by"] == "zscore":
        x = (x - source.mean(along, keepdims=True)) / source.std(along, keepdims=True)
    else:
        q = way.get("percentile", 95) / 100
        x = x / (np.quantile(np.abs(source), q, method="linear", axis=along, keepdims=True) + 1e-8)
    clip = way.get("clip", np.inf)
    return np.clip(x, -clip, clip)


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("unit", ["uV", "mV"])
def test_as_written_out(way: str, unit: str, make_contract: Settings, recorded: Callable[..., Path]) -> None:
    path = recorded()
    windows = cut(read(path), make_contract(unit=unit, scale=1.0, scaling=WAYS[way]))
    raw = mne.io.read_raw_fif(path, preload=True, verbose="error")
    want = by_hand(raw, {"uV": 1e6, "mV": 1e3}[unit], WAYS[way])
    np.testing.assert_allclose(windows.data.reshape(want.shape), want, rtol=2e-4, atol=1e-5)
    # The signal stays what it was.
    np.testing.assert_allclose(windows.signal[1], raw.get_data()[:, 200:400] * 1e6, rtol=1e-5)
    assert any("as the contract says" in d for d in windows.decisions)
    assert windows.contract is not None
    np.testing.assert_allclose(as_input(windows.signal, windows.contract), windows.data, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("against", ["other", "none"])
def test_products_stay(
    way: str,
    against: str,
    make_contract: Settings,
    make_model: Any,
    recorded: Callable[..., Path],
    tmp_path: Path,
) -> None:
    settings = make_contract(scaling=WAYS[way])
    found = explain_recording(make_model(settings), recorded(), against=against)
    assert found.summary()["closure"] < 1e-3
    relevance = found.relevance.astype(np.float64)
    for microvolt in (False, True):
        from onnxplain.eeg.explanation.pairs import pairs

        parts = [x * m for x, m in pairs(found, "bands", microvolt=microvolt)]
        np.testing.assert_allclose(np.mean(parts, axis=0), relevance, rtol=1e-3, atol=1e-5)
    assert mean_of(found, lambda x, m: x * m).shape == relevance.shape
    found.save(tmp_path / "out", report=False)
    with xr.open_dataset(tmp_path / "out" / "relevance.nc", engine="h5netcdf") as data:
        again = restored(data.load(), settings)
    np.testing.assert_allclose(again.windows.data, found.windows.data, rtol=1e-4, atol=1e-5)


def test_a_map_ignores_an_amplifiers_gain(
    make_contract: Settings, make_model: Any, make_raw: Callable[..., Any]
) -> None:
    settings = make_contract(scaling={"by": "zscore"})
    model, raw = make_model(settings), make_raw()
    louder = raw.copy().apply_function(lambda x: 3 * x, verbose="error")
    a, b = (explain_recording(model, r) for r in (raw, louder))
    np.testing.assert_allclose(a.relevance, b.relevance, rtol=1e-2, atol=1e-4)


def test_a_flat_channel_is_not_divided_by_zero(make_contract: Settings) -> None:
    signal = np.ones((1, 12, 200)) * 7
    for by in ("zscore", "percentile"):
        settings = make_contract(scaling={"by": by, "over": "channel"})
        assert np.isfinite(as_input(signal, settings)).all()
    assert np.abs(as_input(signal, make_contract(scaling={"by": "zscore"}))).max() < 1e-6


def test_what_is_refused(make_contract: Settings) -> None:
    plain = make_contract().model_dump(exclude_defaults=True)
    for wrong in ({"by": "log"}, {"by": "zscore", "clip": 0}, {"by": "percentile", "percentile": 101}, {}):
        with pytest.raises(InputError, match="scaling"):
            InputContract.parse({**plain, "scaling": wrong}, where="c")
    with pytest.raises(InputError, match="known for windows of a recording alone"):
        as_input(np.zeros((1, 12, 200)), make_contract(scaling={"by": "zscore", "over": "recording"}))
    made = make_contract(scaling={"by": "zscore", "clip": 15})
    assert InputContract.from_metadata(made.to_metadata()) == made
    assert from_model_layout(as_input(np.ones((2, 12, 200)), made), made).shape == (2, 12, 200)
