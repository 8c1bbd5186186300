"""From recordings to windows: units, rates, filters, references, events, and what is refused."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import mne
import numpy as np
import pytest

from onnxplain.eeg.recording.conditioning import SignalPiece, amplitude, condition
from onnxplain.eeg.recording.read import read
from onnxplain.eeg.recording.slicing import tagged
from onnxplain.eeg.recording.windows import cut, from_model_layout, to_model_layout
from onnxplain.engine.contract import InputContract
from onnxplain.engine.errors import InputError

Make = Callable[..., Any]
MakeContract = Callable[..., InputContract]
Recorded = Callable[..., Path]


def said(windows: Any) -> str:
    return " ".join(windows.decisions)


# -- layout ---------------------------------------------------------------------------------------


@pytest.mark.parametrize("patch", [None, 50, 200])
def test_layout_and_its_inverse(make_contract: MakeContract, patch: int | None) -> None:
    contract = make_contract(patch=patch)
    x = np.random.default_rng(0).normal(size=(3, 12, 200)).astype(np.float32)
    there = to_model_layout(x, contract)
    assert there.shape == (3, *contract.shape)
    assert (from_model_layout(there, contract) == x).all()
    if patch == 50:
        assert there[1, 4, 2, 7] == x[1, 4, 2 * 50 + 7]
    with pytest.raises(InputError, match="does not end in"):
        from_model_layout(there[..., :-1], contract)


# -- values ---------------------------------------------------------------------------------------


def test_values_reach_the_model_in_its_unit(make_contract: MakeContract, recorded: Recorded) -> None:
    path = recorded(seconds=21.3)
    raw = mne.io.read_raw_fif(path, preload=True, verbose="error").get_data()
    windows = cut(read(path), make_contract())
    assert windows.data.shape == (10, 12, 4, 50)
    assert windows.data.dtype == windows.signal.dtype == np.float32
    np.testing.assert_allclose(windows.signal[3], raw[:, 600:800] * 1e6, rtol=1e-6)
    np.testing.assert_allclose(windows.data.reshape(10, 12, 200), windows.signal * 0.01, rtol=1e-6)
    np.testing.assert_allclose(windows.onsets, np.arange(10) * 2.0)
    assert windows.labels == (None,) * 10
    volts = cut(read(path), make_contract(unit="V", scale=1.0))
    np.testing.assert_allclose(volts.data.reshape(10, 12, 200), windows.signal * 1e-6, rtol=1e-6)


@pytest.mark.row("E7")
def test_channels_come_in_the_models_order(make_contract: MakeContract, recorded: Recorded) -> None:
    path = recorded(names=("EOG", "EEG O1-REF", "EEG T3-REF", "EEG FP1-REF"))
    windows = cut(read(path), make_contract(("Fp1", "T7", "O1")))
    raw = mne.io.read_raw_fif(path, preload=True, verbose="error").get_data()
    np.testing.assert_allclose(windows.signal[0], raw[[3, 2, 1], :200] * 1e6, rtol=1e-6)
    assert "T7 from 'EEG T3-REF'" in said(windows)


@pytest.mark.row("E8")
@pytest.mark.parametrize(("source", "target"), [(500.0, 200.0), (256.0, 100.0), (100.0, 200.0)])
def test_resampling_keeps_a_sine(
    make_contract: MakeContract, make_raw: Make, tmp_path: Path, source: float, target: float
) -> None:
    t = np.arange(round(20 * source)) / source
    data = 20e-6 * np.sin(2 * np.pi * 11 * t + np.arange(3)[:, None])
    raw = make_raw(("Fp1", "Cz", "O1"), data=data, sfreq=source)
    raw.save(tmp_path / "sine_raw.fif", verbose="error")
    contract = make_contract(("Fp1", "Cz", "O1"), sfreq=target, window=int(2 * target), patch=None)
    windows = cut(read(tmp_path / "sine_raw.fif"), contract)
    inner = windows.signal[1:-1]
    when = windows.onsets[1:-1, None, None] + windows.times
    want = 20 * np.sin(2 * np.pi * 11 * when + np.arange(3)[None, :, None])
    np.testing.assert_allclose(inner, want, atol=0.1)
    assert f"Resampled from {source:g} to {target:g} Hz" in said(windows)


def test_filters_pass_and_stop(make_contract: MakeContract, make_raw: Make, tmp_path: Path) -> None:
    t = np.arange(4000) / 100
    parts = {f: 30e-6 * np.sin(2 * np.pi * f * t) for f in (0.2, 10.0, 45.0)}
    raw = make_raw(("Fp1", "Cz"), data=np.tile(sum(parts.values()), (2, 1)))  # type: ignore[arg-type]
    raw.save(tmp_path / "a_raw.fif", verbose="error")
    contract = make_contract(("Fp1", "Cz"), highpass=2.0, lowpass=30.0, patch=None)
    windows = cut(read(tmp_path / "a_raw.fif"), contract)
    power = np.abs(np.fft.rfft(windows.signal[5:-5, 0])).mean(0) / 100
    assert power[20] == pytest.approx(30, rel=0.02)
    assert power[90] < 0.3
    assert power[:2].max() < 1.0
    assert "Band-pass 2.0 to 30.0 Hz" in said(windows)


def test_filters_that_change_nothing_are_left_out(make_contract: MakeContract) -> None:
    piece = SignalPiece(0.0, np.random.default_rng(0).normal(size=(2, 4000)))
    contract = make_contract(("Fp1", "Cz"), highpass=0.5, lowpass=60.0, notch=60.0)
    out, sentences = condition([piece], 100.0, contract, recorded=(3.0, 40.0))
    assert (out[0].data == piece.data).all()
    text = " ".join(sentences)
    assert "No high-pass at 0.5 Hz: the recording was made with 3 Hz" in text
    assert "No low-pass at 60 Hz: the recording, at 100 Hz, holds nothing above 50 Hz" in text
    assert "No notch at 60 Hz" in text
    narrow = make_contract(("Fp1", "Cz"), lowpass=45.0)
    assert "was made with 40 Hz" in " ".join(condition([piece], 100.0, narrow, recorded=(0.0, 40.0))[1])


def test_windows_know_what_was_recorded(
    make_contract: MakeContract, recorded: Recorded, tmp_path: Path
) -> None:
    raw = mne.io.read_raw_fif(recorded(names=("Fp1", "Cz")), preload=True, verbose="error")
    raw.filter(0.5, 40.0, verbose="error")
    raw.save(tmp_path / "narrow_raw.fif", verbose="error")
    windows = cut(read(tmp_path / "narrow_raw.fif"), make_contract(("Fp1", "Cz"), highpass=0.1, lowpass=60.0))
    assert windows.band == (0.5, 40.0)
    assert "was made with 0.5 Hz" in said(windows)


def test_average_reference(make_contract: MakeContract, recorded: Recorded) -> None:
    path = recorded(names=("Fp1", "Cz", "O1", "EOG"))
    raw = mne.io.read_raw_fif(path, preload=True, verbose="error").get_data() * 1e6
    windows = cut(read(path), make_contract(("Fp1", "Cz"), reference="average"))
    want = raw[:2] - raw[:3].mean(0)  # the eye channel is no electrode of the average
    np.testing.assert_allclose(windows.signal[0], want[:, :200], atol=1e-4)
    assert "average of 3 electrodes" in said(windows)
    windows = cut(read(path), make_contract(("Fp1", "Cz"), reference=("O1",)))
    np.testing.assert_allclose(windows.signal[0], (raw[:2] - raw[2])[:, :200], atol=1e-4)
    with pytest.raises(InputError, match="reference that the model expects is missing: A1"):
        cut(read(path), make_contract(("Fp1", "Cz"), reference=("A1", "O1")))


def test_a_broken_channel_stays_out_of_the_average(
    make_contract: MakeContract, make_raw: Make, tmp_path: Path
) -> None:
    raw = make_raw(("Fp1", "Cz", "O1", "Pz"))
    data = raw.get_data()
    data[3, 7] = np.nan
    make_raw(("Fp1", "Cz", "O1", "Pz"), data=data).save(tmp_path / "a_raw.fif", fmt="double", verbose="error")
    windows = cut(read(tmp_path / "a_raw.fif"), make_contract(("Fp1", "Cz"), reference="average"))
    want = (data[:2] - data[:3].mean(0)) * 1e6
    np.testing.assert_allclose(windows.signal[0], want[:, :200], atol=1e-4)


def test_splinters_between_breaks(make_contract: MakeContract, recorded: Recorded) -> None:
    marks = [(5.0, 0.0, "boundary"), (5.01, 0.0, "boundary"), (5.05, 0.0, "boundary")]
    windows = cut(read(recorded(marks=marks)), make_contract())
    np.testing.assert_allclose(windows.onsets, [0, 2, *np.arange(5.05, 18, 2)])


# -- units and broken channels (E3, E4, E9) -----------------------------------------------------------


@pytest.mark.row("E4")
@pytest.mark.parametrize("factor", [1e3, 1e6, 1e-3])
def test_impossible_amplitudes_are_refused(
    make_contract: MakeContract, make_raw: Make, tmp_path: Path, factor: float
) -> None:
    raw = make_raw()
    good = raw.get_data() * 1e6
    raw.apply_function(lambda x: x * factor)
    raw.save(tmp_path / "a_raw.fif", verbose="error")
    recording = read(tmp_path / "a_raw.fif")
    with pytest.raises(InputError, match=r"a_raw\.fif: a typical amplitude of .* is no EEG"):
        cut(recording, make_contract())
    unit = {1e3: "mV", 1e6: "uV"}.get(factor)
    if unit:
        windows = cut(recording, make_contract(), unit=unit)
        np.testing.assert_allclose(windows.signal[0], good[:, :200], rtol=1e-4)
        assert f"taken as {unit}" in said(windows)


@pytest.mark.row("E4")
def test_unit_overrides_what_an_edf_header_says(make_contract: MakeContract, recorded: Recorded) -> None:
    path = recorded("a.edf")
    want = cut(read(path), make_contract()).signal
    whole = bytearray(path.read_bytes())
    at = 256 + 13 * 96
    for channel in range(12):
        assert whole[at + channel * 8 : at + channel * 8 + 2] == b"uV"
        whole[at + channel * 8 : at + channel * 8 + 8] = b"mV      "
    path.write_bytes(whole)
    with pytest.raises(InputError, match="unit in the header: mV"):
        cut(read(path), make_contract())
    np.testing.assert_allclose(cut(read(path), make_contract(), unit="uV").signal, want, rtol=1e-5)
    with pytest.raises(InputError, match="V, mV or uV"):
        cut(read(path), make_contract(), unit="T")


@pytest.mark.row("E4")
def test_offset_and_drift_do_not_count_as_amplitude() -> None:
    t = np.arange(6000) / 100
    x = np.random.default_rng(0).normal(size=(2, 6000)) * 10
    drifting = x + np.array([[40_000.0], [-9_000.0]]) + 80 * t
    np.testing.assert_allclose(amplitude(drifting, 100.0), amplitude(x, 100.0), rtol=0.02)


@pytest.mark.row("E4")
def test_one_channel_in_another_unit_is_refused(
    make_contract: MakeContract, make_raw: Make, tmp_path: Path
) -> None:
    data = make_raw().get_data()
    data[4] *= 1e3
    make_raw(data=data).save(tmp_path / "a_raw.fif", verbose="error")
    with pytest.raises(InputError, match=r"C3 \(.* uV\) of implausible amplitude"):
        cut(read(tmp_path / "a_raw.fif"), make_contract())


@pytest.mark.row("E9")
@pytest.mark.parametrize("value", [0.0, 5e-6, np.nan, np.inf])
def test_dead_channels_are_refused_or_interpolated(
    make_contract: MakeContract, make_raw: Make, tmp_path: Path, value: float
) -> None:
    data = make_raw().get_data()
    data[5, : None if np.isfinite(value) else 1500] = value
    path = tmp_path / "a_raw.fif"
    make_raw(data=data).save(path, fmt="double", verbose="error")
    reason = "flat" if np.isfinite(value) else "values that are not numbers"
    with pytest.raises(InputError, match=f"unusable channels: Cz .*{reason}|unusable channels: Cz {reason}"):
        cut(read(path), make_contract())
    windows = cut(read(path), make_contract(), interpolate=True)
    assert windows.interpolated == ("Cz",)
    assert np.isfinite(windows.data).all()
    assert windows.signal[:, 5].std() > 1
    assert "interpolated" in said(windows)


@pytest.mark.row("E3")
def test_channel_without_a_scale_in_the_header(make_contract: MakeContract, recorded: Recorded) -> None:
    path = recorded("a.edf")
    whole = bytearray(path.read_bytes())
    low, high = (256 + 13 * offset + 5 * 8 for offset in (104, 112))
    whole[high : high + 8] = whole[low : low + 8]
    path.write_bytes(whole)
    with pytest.raises(InputError, match="Cz with equal minimum and maximum in the header"):
        cut(read(path), make_contract())
    others = make_contract([n for n in make_contract().channels if n != "Cz"])
    assert len(cut(read(path), others)) == 10


@pytest.mark.row("E9")
def test_clipped_channels_are_listed(make_contract: MakeContract, make_raw: Make, tmp_path: Path) -> None:
    data = make_raw().get_data()
    data[0] = np.clip(data[0], -15e-6, 15e-6)
    make_raw(data=data).save(tmp_path / "a_raw.fif", fmt="double", verbose="error")
    assert "Clipped at the amplifier's limit, used all the same: Fp1" in said(
        cut(read(tmp_path / "a_raw.fif"), make_contract())
    )


def test_bad_channels_are_listed_or_interpolated(
    make_contract: MakeContract, make_raw: Make, tmp_path: Path
) -> None:
    raw = make_raw()
    raw.info["bads"] = ["Cz"]
    raw.save(tmp_path / "a_raw.fif", verbose="error")
    recording = read(tmp_path / "a_raw.fif")
    assert "Marked bad in the recording, used all the same: Cz" in said(cut(recording, make_contract()))
    assert cut(recording, make_contract(), interpolate=True).interpolated == ("Cz",)


@pytest.mark.row("E7")
def test_spline_of_a_smooth_field_is_near_it(
    make_contract: MakeContract, make_raw: Make, tmp_path: Path
) -> None:
    from onnxplain.eeg.electrodes.names import template_positions

    names = ("Fp1", "Fp2", "F3", "Fz", "F4", "C3", "Cz", "C4", "T7", "T8", "P3", "Pz", "P4", "O1", "O2")
    where = np.array(list(template_positions(names).values()))
    t = np.arange(2000) / 100
    data = 1e-4 * (where[:, :1] + 0.1) / 0.1 * np.sin(2 * np.pi * 7 * t)
    keep = [i for i, n in enumerate(names) if n != "Cz"]
    make_raw([names[i] for i in keep], data=data[keep]).save(tmp_path / "a_raw.fif", verbose="error")
    contract = make_contract(names, patch=None)
    with pytest.raises(InputError, match="missing: Cz"):
        cut(read(tmp_path / "a_raw.fif"), contract)
    windows = cut(read(tmp_path / "a_raw.fif"), contract, interpolate=True)
    assert windows.interpolated == ("Cz",)
    np.testing.assert_allclose(windows.signal[0, 6], data[6, :200] * 1e6, atol=12)
    np.testing.assert_allclose(windows.signal[0, 5], data[5, :200] * 1e6, atol=1e-3)


# -- which windows (E10, E12) --------------------------------------------------------------------------


MARKS = [
    (1.0, 0.0, "left/agree"),
    (5.0, 0.0, "right/contradict"),
    (9.0, 0.0, "left/contradict"),
    (12.0, 0.2, "blink"),
]


def test_windows_at_events(make_contract: MakeContract, recorded: Recorded) -> None:
    recording = read(recorded(marks=MARKS))
    windows = cut(recording, make_contract(), events="left, right")
    assert windows.labels == ("left/agree", "right/contradict", "left/contradict")
    np.testing.assert_allclose(windows.onsets, [1, 5, 9])
    raw = recording.data.get_data() * 1e6
    np.testing.assert_allclose(windows.signal[1], raw[:, 500:700], rtol=1e-6)
    assert cut(recording, make_contract(), events="contradict/left").labels == ("left/contradict",)
    assert len(cut(recording, make_contract(), events="annotations")) == 4
    with pytest.raises(InputError, match=r"no event middle; there are: left/agree"):
        cut(recording, make_contract(), events="left,middle")


@pytest.mark.row("O1")
def test_events_of_a_recording_without_any(make_contract: MakeContract, recorded: Recorded) -> None:
    recording = read(recorded())
    for events in ("annotations", "left"):
        with pytest.raises(InputError, match="annotations"):
            cut(recording, make_contract(), events=events)


@pytest.mark.parametrize(
    ("description", "wanted", "is_it"),
    [
        ("left/agree", "left", True),
        ("left/agree", "agree", True),
        ("left/agree", "left/agree", True),
        ("left/agree", "agree/left", True),
        ("Left", "left", True),
        ("left/agree", "lef", False),
        ("leftover", "left", False),
        ("left", "left/agree", False),
    ],
)
def test_tags(description: str, wanted: str, is_it: bool) -> None:
    assert tagged(description, wanted) is is_it


@pytest.mark.row("E10")
def test_bad_stretches_and_the_end_are_dropped_and_counted(
    make_contract: MakeContract, recorded: Recorded
) -> None:
    marks = [(2.5, 1.0, "BAD muscle"), (6.0, 0.0, "left"), (19.0, 0.0, "left")]
    recording = read(recorded(marks=marks))
    windows = cut(recording, make_contract())
    np.testing.assert_allclose(windows.onsets, [0, 4, 6, 8, 10, 12, 14, 16, 18])
    assert windows.dropped == 1
    assert "1 window dropped: over the annotation BAD muscle." in said(windows)
    windows = cut(recording, make_contract(), events="left")
    np.testing.assert_allclose(windows.onsets, [6])
    assert "1 window dropped: past the end of the signal." in said(windows)


@pytest.mark.row("E10")
def test_no_window_spans_a_break(make_contract: MakeContract, recorded: Recorded) -> None:
    recording = read(
        recorded(seconds=10, marks=[(5.0, 0.0, "boundary"), (4.0, 0.0, "left"), (6.0, 0.0, "left")])
    )
    np.testing.assert_allclose(cut(recording, make_contract()).onsets, [0, 2, 5, 7])
    np.testing.assert_allclose(cut(recording, make_contract(), events="left").onsets, [6])


@pytest.mark.row("E9")
def test_flat_stretches_are_dropped(make_contract: MakeContract, make_raw: Make, tmp_path: Path) -> None:
    data = make_raw().get_data()
    data[3, 390:610] = 0
    make_raw(data=data).save(tmp_path / "a_raw.fif", verbose="error")
    windows = cut(read(tmp_path / "a_raw.fif"), make_contract(highpass=1.0))
    np.testing.assert_allclose(windows.onsets, [0, 2, 6, 8, 10, 12, 14, 16, 18])
    assert "1 window dropped: flat at F8." in said(windows)


@pytest.mark.row("E10")
def test_too_short(make_contract: MakeContract, recorded: Recorded) -> None:
    with pytest.raises(
        InputError, match=r"no window of 2 s is left: the longest uninterrupted signal has 1.5 s"
    ):
        cut(read(recorded(seconds=1.5)), make_contract())
    with pytest.raises(InputError, match="10 windows over the annotation BAD all"):
        cut(read(recorded(marks=[(0.0, 20.0, "BAD all")])), make_contract())


def test_epochs(make_contract: MakeContract, make_raw: Make, tmp_path: Path) -> None:
    raw = make_raw(seconds=20)
    events = np.array([[300, 0, 1], [700, 0, 2], [1100, 0, 1]])
    kinds = {"left": 1, "right": 2}
    for tmin, tmax, start in ((-0.5, 2.5, 0.0), (-1.5, 1.0, -1.5), (0.0, 2.0, 0.0)):
        epochs = mne.Epochs(raw, events, kinds, tmin, tmax, baseline=None, preload=True, verbose="error")
        epochs.save(tmp_path / "a-epo.fif", overwrite=True, verbose="error")
        windows = cut(read(tmp_path / "a-epo.fif"), make_contract())
        assert windows.labels == ("left", "right", "left")
        np.testing.assert_allclose(windows.onsets, np.array([3, 7, 11]) + start)
        first = round((3 + start) * 100)
        np.testing.assert_allclose(windows.signal[0], raw.get_data()[:, first : first + 200] * 1e6, rtol=1e-4)
        assert cut(read(tmp_path / "a-epo.fif"), make_contract(), events="right").labels == ("right",)
    epochs = mne.Epochs(raw, events, kinds, 0, 1.0, baseline=None, preload=True, verbose="error")
    epochs.save(tmp_path / "a-epo.fif", overwrite=True, verbose="error")
    with pytest.raises(InputError, match="no window of 2 s is left: 3 windows shorter than a window"):
        cut(read(tmp_path / "a-epo.fif"), make_contract())


@pytest.mark.row("E5")
def test_slow_channels_are_told(make_contract: MakeContract, tmp_path: Path) -> None:
    import edfio

    rng = np.random.default_rng(0)
    signals = [
        edfio.EdfSignal(
            rng.normal(size=rate * 20) * 15, sampling_frequency=rate, label=name, physical_dimension="uV"
        )
        for name, rate in (("Fp1", 100), ("Cz", 50))
    ]
    edfio.Edf(signals).write(tmp_path / "a.edf")
    windows = cut(read(tmp_path / "a.edf"), make_contract(("Fp1", "Cz")))
    assert "Recorded at a lower rate, brought to 100 Hz by the reader: Cz (50 Hz)" in said(windows)


@pytest.mark.row("E4")
def test_edf_without_a_unit(make_contract: MakeContract, tmp_path: Path) -> None:
    import edfio

    rng = np.random.default_rng(0)
    signals = [
        edfio.EdfSignal(rng.normal(size=2000) * 15, sampling_frequency=100, label=name)
        for name in ("Fp1", "Cz")
    ]
    edfio.Edf(signals).write(tmp_path / "a.edf")
    contract = make_contract(("Fp1", "Cz"))
    with pytest.raises(InputError, match="unit in the header: n/a"):
        cut(read(tmp_path / "a.edf"), contract)
    assert cut(read(tmp_path / "a.edf"), contract, unit="uV").signal.std() == pytest.approx(15, rel=0.05)
