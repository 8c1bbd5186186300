"""A cap whose channels have names of its own: the recording's positions count."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import mne
import numpy as np
import pytest

from onnxplain.eeg import views
from onnxplain.eeg.channels import fiducials, nearest, positions
from onnxplain.eeg.convert import to_epochs
from onnxplain.eeg.explained import Explained
from onnxplain.eeg.measured import measured, places_now
from onnxplain.eeg.reports.write import write
from onnxplain.eeg.run import explain_recording

TEN_TWENTY = ("Fp1", "Fp2", "F7", "F8", "C3", "Cz", "C4", "T7", "T8", "Pz", "O1", "O2")
OWN = tuple(f"E{i}" for i in range(1, 13))


@pytest.fixture
def cap(make_raw: Callable[..., Any], make_contract: Any, make_model: Any, tmp_path: Path) -> Explained:
    """The same head under both kinds of names; the model knows the cap's."""
    raw = make_raw(TEN_TWENTY)
    raw.set_montage(mne.channels.make_dig_montage(positions(TEN_TWENTY), **fiducials(), coord_frame="mri"))
    raw.rename_channels(dict(zip(TEN_TWENTY, OWN, strict=True)))
    path = tmp_path / "cap_raw.fif"
    raw.save(path, verbose="error")
    return explain_recording(make_model(make_contract(OWN, reference="average")), path)


def test_channels_lie_where_the_recording_says(cap: Explained) -> None:
    assert set(cap.windows.places) == set(OWN)
    template = positions(TEN_TWENTY)
    for own, name in zip(OWN, TEN_TWENTY, strict=True):
        # MNE fits a head of its own between the ears: some millimetres.
        assert np.linalg.norm(np.array(cap.windows.places[own]) - template[name]) < 0.012
    with measured(cap.windows.places):
        assert [nearest(n) for n in OWN] == list(TEN_TWENTY)
    assert places_now() == {}
    assert nearest("E1") is None


def test_regions_sets_and_reference_know_them(cap: Explained) -> None:
    summary = cap.summary()
    sets = {s["name"]: s["electrodes"] for s in summary["shares"]}
    assert sets["frontal-ocular"] == ("E1", "E2", "E3", "E4")
    parts = {r["name"]: r["electrodes"] for r in summary["regions"]}
    assert parts["occipital"] == ("E11", "E12")
    assert "other" not in parts
    said = " ".join(cap.windows.decisions)
    assert "12 channels whose names are no known electrode's lie where the recording says" in said
    assert "average of 12 electrodes that the model takes" in said


def test_figures_and_mne_have_them(cap: Explained, tmp_path: Path) -> None:
    out = tmp_path / "out"
    out.mkdir()
    assert "head_maps.png" in {p.name for p in write(cap, out)}
    places = to_epochs(cap).info["chs"]
    assert all(np.isfinite(ch["loc"][:3]).all() and np.any(ch["loc"][:3]) for ch in places)
    assert views.places(views.load(out / "relevance.nc")) == dict(cap.windows.places)


def test_names_without_a_position_stay_other(
    make_raw: Any, make_contract: Any, make_model: Any, tmp_path: Path
) -> None:
    path = tmp_path / "bare_raw.fif"
    make_raw(OWN).save(path, verbose="error")
    found = explain_recording(make_model(make_contract(OWN)), path)
    assert found.windows.places == {}
    assert [r["name"] for r in found.summary()["regions"]] == ["other"]
