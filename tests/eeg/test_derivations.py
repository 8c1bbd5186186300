"""Channels of a model that are differences of electrodes: derived from what was recorded, or refused."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from onnxplain.eeg.electrodes.matching import match
from onnxplain.eeg.recording.read import read
from onnxplain.eeg.recording.windows import cut
from onnxplain.engine.errors import InputError

Make = Callable[..., Any]


@pytest.mark.parametrize(
    ("wanted", "recorded", "weights"),
    [
        ("F4-M1", ["F4", "M2", "M1"], {"F4": 1, "M1": -1}),
        ("O2-A1", ["EEG O2-REF", "EEG A1-REF", "EEG A2-REF"], {"EEG O2-REF": 1, "EEG A1-REF": -1}),
        ("Fpz-Cz", ["Cz", "Fpz"], {"Fpz": 1, "Cz": -1}),
        ("T3-T5", ["EEG T7-LE", "EEG P7-LE"], {"EEG T7-LE": 1, "EEG P7-LE": -1}),
        ("F7-Fp1", ["Fp1-F7"], {"Fp1-F7": -1}),
        ("Fp1-T7", ["Fp1-F7", "F7-T3"], {"Fp1-F7": 1, "F7-T3": 1}),
        ("C4-M2", ["C4-M1", "M2-M1"], {"C4-M1": 1, "M2-M1": -1}),
        ("C4-M1", ["C4A1"], {"C4A1": 1}),
        ("E1-M2", ["C3", "E1", "M2"], {"E1": 1, "M2": -1}),
        ("LOC-A2", ["EOG", "LOC", "A2"], {"LOC": 1, "A2": -1}),
        ("Cz-AVG", ["Cz", "C3", "EMG"], {"Cz": 0.5, "C3": -0.5}),
        ("O1-A1A2", ["O1", "A1", "A2"], {"O1": 1, "A1": -0.5, "A2": -0.5}),
        ("Cz-AVG", ["Cz", "C3", "C4", "Pz"], {"Cz": 0.75, "C3": -0.25, "C4": -0.25, "Pz": -0.25}),
    ],
)
def test_what_a_derivation_is_made_of(wanted: str, recorded: list[str], weights: Mapping[str, float]) -> None:
    found = match([wanted], recorded)
    assert dict(found.names) == {}
    assert dict(found.derived[wanted].weights) == pytest.approx(weights)
    assert any(s.startswith(f"Derived from recorded channels: {wanted} = ") for s in found.said)


@pytest.mark.parametrize(
    ("wanted", "recorded", "lacks"),
    [
        ("C3-M2", ["C3", "M1"], "it needs M2, which is not; C3 is recorded"),
        ("C3-M2", ["C3-M1"], "it needs M2, which is not"),
        ("C3-M2", ["C3-0", "C3-1", "M2"], "several recorded channels are one part of it: C3-0, C3-1"),
        ("E1-M2", ["E1", "M1"], "it needs M2, which is not; e1 is recorded"),
        ("C3-M2", ["EEG C3-REF", "M2-LE"], "not against one reference"),
        ("O1-M1M2", ["O1", "M1"], "it needs M2"),
    ],
)
@pytest.mark.parametrize("interpolate", [False, True])
def test_what_is_missing_is_named(wanted: str, recorded: list[str], lacks: str, interpolate: bool) -> None:
    """One electrode alone, or another ear, is never taken, and an ear is not interpolated."""
    with pytest.raises(InputError, match=lacks) as caught:
        match([wanted], recorded, interpolate=interpolate)
    assert f"the recording has {', '.join(recorded)}" in str(caught.value)


def test_electrodes_of_the_scalp_are_interpolated_on_request() -> None:
    with pytest.raises(InputError, match="it needs F7, which is not; Fp1 is recorded"):
        match(["Fp1-F7"], ["Fp1", "Cz"])
    found = match(["Fp1-F7"], ["Fp1", "Cz"], interpolate=True)
    assert dict(found.spanned) == {"Fp1-F7": ("Fp1", "F7")}
    assert (dict(found.names), found.interpolated) == ({}, ())


def test_the_user_may_say_what_a_derivation_is() -> None:
    assert dict(match(["C3-M2"], ["C3"], given="C3-M2=C3").names) == {"C3-M2": "C3"}


def test_a_caps_own_names_are_no_electrodes() -> None:
    """C3 of C1 to C32 lies elsewhere, unless the model takes the cap's channels as they are called."""
    cap = [f"C{i}" for i in range(1, 33)]
    with pytest.raises(InputError, match="2 of the model's 2 channels are missing"):
        match(["C3", "Cz"], cap, own=cap)
    assert dict(match(["C3", "C20"], cap, own=cap).names) == {"C3": "C3", "C20": "C20"}


def test_windows_of_derivations(make_contract: Make, make_raw: Make, tmp_path: Path) -> None:
    """Their values, whatever the contract's reference: no reference changes a difference."""
    raw = make_raw(["EEG F3-REF", "EEG A2-REF", "EEG C4-REF", "EEG A1-REF"])
    path = tmp_path / "night_raw.fif"
    raw.save(path, verbose="error")
    x = raw.get_data() * 1e6
    settings = {"patch": None, "window": 100, "reference": "average"}
    windows = cut(read(path), make_contract(["C4-M1", "F3-M2"], **settings))
    want = np.stack([x[2] - x[3], x[0] - x[1]])[:, :100]
    np.testing.assert_allclose(windows.signal[0], want, atol=1e-3)
    assert "F3-M2 = EEG F3-REF - EEG A2-REF" in " ".join(windows.decisions)


def test_a_flat_electrode_is_no_reference(make_contract: Make, make_raw: Make, tmp_path: Path) -> None:
    """C3 less a mastoid that was not connected is C3 against something else."""
    raw = make_raw(["C3", "O1", "M2"])
    raw._data[2] = 0
    path = tmp_path / "loose_raw.fif"
    raw.save(path, verbose="error")
    contract = make_contract(["C3-M2", "O1-M2"], patch=None)
    for interpolate in (False, True):
        with pytest.raises(InputError, match="M2"):
            cut(read(path), contract, interpolate=interpolate)


def test_a_reference_that_the_channels_have_already(
    make_contract: Make, make_raw: Make, tmp_path: Path
) -> None:
    raw = make_raw(["C3-A2", "O1-A2"])
    path = tmp_path / "referenced_raw.fif"
    raw.save(path, verbose="error")
    windows = cut(read(path), make_contract(["C3", "O1"], patch=None, reference="A2"))
    np.testing.assert_allclose(windows.signal[0], raw.get_data()[:, :200] * 1e6, rtol=1e-5)
    assert "Recorded against A2 already." in windows.decisions
