"""Electrodes as a value, and a cap whose channels have names of its own: the recording's positions count."""

from __future__ import annotations

import pickle
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import mne
import numpy as np
import pytest

from onnxplain.eeg.artefacts.events import blinks, saccades
from onnxplain.eeg.electrodes import regions
from onnxplain.eeg.electrodes.names import fiducials, template_positions
from onnxplain.eeg.electrodes.positions import Electrodes, series, together
from onnxplain.eeg.electrodes.region_file import Regions
from onnxplain.eeg.explanation import dataset as views
from onnxplain.eeg.explanation.explained import Explained
from onnxplain.eeg.explanation.to_mne import to_epochs
from onnxplain.eeg.recording.read import Recording, read
from onnxplain.eeg.recording.windows import cut
from onnxplain.eeg.reports.recording_figures import head_figure
from onnxplain.eeg.reports.write import write
from onnxplain.eeg.run import explain_recording
from onnxplain.engine.errors import InputError

TEN_TWENTY = ("Fp1", "Fp2", "F7", "F8", "C3", "Cz", "C4", "T7", "T8", "Pz", "O1", "O2")
OWN = tuple(f"E{i}" for i in range(1, 13))
# A row of a cap with 128: A1, C1 to C4 are spelt like electrodes that lie elsewhere.
LETTERS = ("C29", "C16", "D7", "C3", "D19", "A1", "C4", "A2", "B26", "A19", "A15", "A28")
NUMBERS = tuple(map(str, range(1, 13)))
Make = Callable[..., Any]


# --- the value


def test_a_sequence_of_names_that_knows_where_they_lie() -> None:
    place = (-0.03, 0.08, 0.0)
    found = Electrodes(["EEG T3-REF", "E1", "AUX"], {"E1": place, "gone": place})
    assert list(found) == ["EEG T3-REF", "E1", "AUX"]
    assert (found.index("AUX"), len(found), "E1" in found, found[0]) == (2, 3, True, "EEG T3-REF")
    assert dict(found.measured) == {"E1": place}
    assert set(found.positions) == {"EEG T3-REF", "E1"}
    np.testing.assert_array_equal(found.positions["EEG T3-REF"], template_positions(["T7"])["T7"])
    assert found.nowhere == ("AUX",)
    assert (found.key("EEG T3-REF"), found.key("AUX")) == ("T7", "aux")
    assert found.nearest("E1") == found.key("E1") == "Fp1"
    assert found.nearest("AUX") is None
    assert found[1:] == found.some(["E1", "AUX"])
    assert found == Electrodes(found.names, found.measured)
    assert hash(found) == hash(Electrodes(found.names, found.measured))
    assert found != Electrodes(found.names)
    assert pickle.loads(pickle.dumps(found)) == found


def test_names_of_electrodes_lie_where_the_template_has_them() -> None:
    """A position in the file counts where the name is no known electrode's, and only there."""
    far = (0.0, -0.1, 0.0)
    found = Electrodes(["Fp1", "E1"], {"Fp1": far, "E1": far})
    assert dict(found.measured) == {"E1": far}
    assert regions.unknown(found) == ()  # it lies somewhere, whatever it is called
    np.testing.assert_array_equal(found.positions["Fp1"], template_positions(["Fp1"])["Fp1"])


def test_a_series_past_ten_is_a_caps_own() -> None:
    """A1 to A32 are no ears, and C1 to C32 no central electrodes; C1 to C6 are."""
    assert series(["A1", "A2", "C3", "Fp1", "T10", "Cz"]) == frozenset()
    assert series(["A1", "A32", "C3", "eeg a2"]) == {"A1", "A32", "eeg a2"}
    cz = tuple(map(float, template_positions(["Cz"])["Cz"]))
    cap = Electrodes(["A1", "A2", "A32", "C3"], {"A1": cz})
    assert cap.key("A1") == "Cz"
    assert regions.members("cardiac-prone", cap) == ()
    assert regions.members(["C3", "A2"], cap) == ("C3",)
    assert regions.unknown(cap) == ("A2", "A32")
    assert regions.said_unknown(cap) == "No place on the head is known of A2, A32."
    assert regions.said_unknown(cap.some(["A1", "C3"])) == ""
    # What is picked out of the cap stays the cap's own.
    assert cap.some(["A1", "A2"]).nowhere == ("A2",)


def test_heads_of_several_recordings() -> None:
    one = Electrodes(["E1", "E2", "Cz"], {"E1": (0.0, 0.08, 0.0), "E2": (0.01, 0.0, 0.1)})
    two = Electrodes(["E1", "E2", "Cz"], {"E1": (0.0, 0.09, 0.0)})
    assert together([one, two]).measured == {
        "E1": (0.0, pytest.approx(0.085), 0.0),
        "E2": (0.01, 0.0, 0.1),
    }


# --- a cap with names of its own, from the file to the report


def cap_raw(make_raw: Make, names: Sequence[str] = OWN, **more: Any) -> Any:
    raw = make_raw(TEN_TWENTY, **more)
    places = template_positions(TEN_TWENTY)
    raw.set_montage(mne.channels.make_dig_montage(places, **fiducials(), coord_frame="mri"))
    raw.rename_channels(dict(zip(TEN_TWENTY, names, strict=True)))
    return raw


@pytest.fixture(params=[OWN, LETTERS, NUMBERS], ids=["E1", "A1 to D32", "numbers"])
def cap(
    request: pytest.FixtureRequest, make_raw: Make, make_contract: Make, make_model: Make, tmp_path: Path
) -> Explained:
    """The same head under both kinds of names; the model knows the cap's."""
    path = tmp_path / "cap_raw.fif"
    cap_raw(make_raw, request.param).save(path, verbose="error")
    return explain_recording(make_model(make_contract(request.param, reference="average")), path)


def test_channels_lie_where_the_recording_says(cap: Explained) -> None:
    names = cap.electrodes.names
    assert set(cap.electrodes.measured) == set(names)
    template = template_positions(TEN_TWENTY)
    for own, name in zip(names, TEN_TWENTY, strict=True):
        # MNE fits a head of its own between the ears: some millimetres.
        assert np.linalg.norm(np.array(cap.electrodes.measured[own]) - template[name]) < 0.012
    assert [cap.electrodes.nearest(n) for n in names] == list(TEN_TWENTY)


def test_regions_sets_and_reference_know_them(cap: Explained) -> None:
    summary = cap.summary()
    names = cap.electrodes.names
    sets = {s["name"]: s["electrodes"] for s in summary["shares"]}
    assert sets["frontal-ocular"] == names[:4]
    assert sets["sensorimotor"] == names[4:7]
    assert sets["cardiac-prone"] == ()
    parts = {r["name"]: r["electrodes"] for r in summary["regions"]}
    assert parts["occipital"] == names[-2:]
    assert "other" not in parts
    said = " ".join(cap.windows.decisions)
    assert "12 channels whose names are no known electrode's lie where the recording says" in said
    assert "Re-referenced to the average of 12 electrodes." in said
    assert "No place" not in said


@pytest.mark.parametrize("cap", [LETTERS], indirect=True, ids=["A1 to D32"])
def test_figures_and_mne_have_them(cap: Explained, tmp_path: Path) -> None:
    out = tmp_path / "out"
    out.mkdir()
    assert "head_maps.png" in {p.name for p in write(cap, out)}
    places = to_epochs(cap).info["chs"]
    assert all(np.isfinite(ch["loc"][:3]).all() and np.any(ch["loc"][:3]) for ch in places)
    assert views.electrodes(views.load(out / "relevance.nc")) == cap.electrodes


def test_names_without_a_position_stay_other_and_it_is_said(
    make_raw: Make, make_contract: Make, make_model: Make, tmp_path: Path
) -> None:
    path = tmp_path / "bare_raw.fif"
    make_raw(OWN).save(path, verbose="error")
    found = explain_recording(make_model(make_contract(OWN)), path)
    assert dict(found.electrodes.measured) == {}
    assert [r["name"] for r in found.summary()["regions"]] == ["other"]
    said = " ".join(found.windows.decisions)
    assert "No place on the head is known of 12 channels" in said
    assert "E1, E2" in said


def test_channels_are_interpolated_on_a_cap_of_its_own(
    make_raw: Make, make_contract: Make, make_model: Make, tmp_path: Path
) -> None:
    """A flat channel is made from the others, as it is under 10-20 names."""
    made = {}
    for names in (TEN_TWENTY, OWN):
        raw = cap_raw(make_raw, names, seed=3)
        raw._data[5] = 0.0
        path = tmp_path / f"{names[0]}_raw.fif"
        raw.save(path, verbose="error")
        model = make_model(make_contract(names), f"{names[0]}.onnx")
        made[names] = explain_recording(model, path, interpolate_missing=True).windows
        assert made[names].interpolated == (names[5],)
    # The measured head differs from the template's by millimetres.
    a, b = (made[n].signal[:, 5].ravel() for n in (TEN_TWENTY, OWN))
    assert np.corrcoef(a, b)[0, 1] > 0.98


def test_a_model_of_10_20_names_on_a_cap_of_its_own(
    make_raw: Make, make_contract: Make, make_model: Make, tmp_path: Path
) -> None:
    """A channel that the user says another one is lies where the model's name says."""
    path = tmp_path / "cap_raw.fif"
    cap_raw(make_raw).save(path, verbose="error")
    mapping = dict(zip(TEN_TWENTY, OWN, strict=True))
    found = explain_recording(make_model(make_contract(TEN_TWENTY)), path, channels=mapping)
    assert dict(found.electrodes.measured) == {}
    back = {own: name for name, own in mapping.items()}
    path = tmp_path / "named_raw.fif"
    make_raw(TEN_TWENTY).save(path, verbose="error")  # without any position in it
    turned = explain_recording(make_model(make_contract(OWN), "own.onnx"), path, channels=back)
    assert [turned.electrodes.nearest(n) for n in OWN] == list(TEN_TWENTY)


def test_sets_of_ones_own_by_place(
    make_raw: Make, make_contract: Make, make_model: Make, tmp_path: Path
) -> None:
    path = tmp_path / "cap_raw.fif"
    cap_raw(make_raw).save(path, verbose="error")
    sets = Regions({"front": ("Fp1", "Fp2"), "mine": ("E1", "E5")})
    found = explain_recording(make_model(make_contract(OWN)), path, regions=sets).summary()["shares"]
    assert {s["name"]: s["electrodes"] for s in found} == {"front": ("E1", "E2"), "mine": ("E1", "E5")}


def test_events_are_found_on_a_cap_of_its_own(make_raw: Make, tmp_path: Path) -> None:
    """Blinks and saccades are looked for on the electrodes that see them, by place."""
    t = np.arange(6000) / 100.0
    data = np.random.default_rng(0).normal(0, 3e-6, (12, 6000))
    for at in range(3, 57, 6):
        data[:2] += 150e-6 * np.exp(-0.5 * ((t - at) / 0.1) ** 2)
        data[2] += 60e-6 * ((t > at + 2) & (t < at + 4))
        data[3] -= 60e-6 * ((t > at + 2) & (t < at + 4))
    path = tmp_path / "cap_raw.fif"
    cap_raw(make_raw, data=data).save(path, verbose="error")
    recording = read(path)
    np.testing.assert_allclose(blinks(recording), np.arange(3, 57, 6), atol=0.1)
    assert len(saccades(recording)) >= 16


# --- the electrodes of a 10-20 model on a cap whose places are measured


@pytest.mark.parametrize("kind", ["GSN-HydroCel-65_1.0", "biosemi128"])
@pytest.mark.parametrize("called", ["its own names", "numbers"])
@pytest.mark.parametrize("reference", ["as recorded", "average", "Cz"])
def test_interpolated_from_measured_places(
    make_contract: Make, kind: str, called: str, reference: str
) -> None:
    """A field that runs from left to right, read where the model's electrodes lie."""
    places = mne.channels.make_standard_montage(kind).get_positions()["ch_pos"]
    own = [n for n in places if n != "Cz"]
    shown = own if called == "its own names" else [str(i) for i in range(1, len(own) + 1)]
    source = np.random.default_rng(0).normal(size=2000)
    x = np.stack([places[n][0] / 0.09 * source for n in own]) * 2e-5
    raw = mne.io.RawArray(x, mne.create_info(shown, 100.0, "eeg"), verbose="error")
    montage = {s: places[n] for s, n in zip(shown, own, strict=True)}
    raw.set_montage(mne.channels.make_dig_montage(montage, coord_frame="head"))
    contract = make_contract(["C3", "T8", "F7", "P4"], patch=None, reference=reference)
    with pytest.raises(InputError, match=r"4 of the model's 4 channels are missing: C3 \(nearest: "):
        cut(Recording.of(raw), contract)
    found = cut(Recording.of(raw), contract, interpolate=True)
    assert found.interpolated == ("C3", "T8", "F7", "P4")
    for signal, sign in zip(found.signal[0], (-1, 1, -1, 1), strict=True):
        assert np.corrcoef(signal, sign * source[:200])[0, 1] > 0.95


def test_what_was_interpolated_is_named_and_hatched(
    make_raw: Make, make_contract: Make, make_model: Make, tmp_path: Path
) -> None:
    raw = make_raw(TEN_TWENTY)
    path = tmp_path / "few_raw.fif"
    raw.drop_channels(["Cz", "O2"]).save(path, verbose="error")
    model = make_model(make_contract(TEN_TWENTY))
    found = explain_recording(model, path, interpolate_missing=True, against="none")
    (line,) = [text for what, text in found.lines() if what == "interpolated"]
    assert line.startswith("Cz, O2: ")
    assert line.endswith("% of the relevance lies there")
    figure, said = head_figure(found)
    assert figure is not None
    assert "Hatched: interpolated" in said
    for axis in figure.axes[:2]:
        assert sum(bool(p.get_hatch()) for p in axis.patches) == 2


@pytest.mark.parametrize("holes", [False, True])
def test_differences_of_interpolated_electrodes(make_contract: Make, holes: bool) -> None:
    """Derivations on a cap of its own, and where one end is recorded; a hole that all channels have."""
    places = mne.channels.make_standard_montage("GSN-HydroCel-65_1.0").get_positions()["ch_pos"]
    own = [n for n in places if n != "Cz"]
    source = np.random.default_rng(0).normal(size=2000)
    x = np.stack([places[n][0] / 0.09 * source for n in own]) * 2e-5
    if holes:
        x[:, 450:500] = np.nan
    raw = mne.io.RawArray(x, mne.create_info(own, 100.0, "eeg"), verbose="error")
    raw.set_montage(mne.channels.make_dig_montage({n: places[n] for n in own}, coord_frame="head"))
    contract = make_contract(["C4-C3", "Fp1", "T7-T8"], patch=None, reference="average")
    with pytest.raises(InputError, match="3 of the model's 3 channels are missing: C4-C3"):
        cut(Recording.of(raw), contract)
    found = cut(Recording.of(raw), contract, interpolate=True)
    assert set(found.interpolated) == {"C4-C3", "Fp1", "T7-T8"}
    assert len(found) == (9 if holes else 10)
    for i, sign in enumerate((1, -1, -1)):
        assert np.corrcoef(found.signal[0, i], sign * source[:200])[0, 1] > 0.95
    ends = [cut(Recording.of(raw), make_contract([n], patch=None), interpolate=True) for n in ("C4", "C3")]
    want = ends[0].signal[0, 0] - ends[1].signal[0, 0]
    # The sphere that splines live on is fitted to all places, those that are made among them.
    np.testing.assert_allclose(found.signal[0, 0], want, atol=0.03 * np.abs(want).max())


def test_a_difference_with_one_end_recorded(make_raw: Make, make_contract: Make) -> None:
    raw = make_raw(TEN_TWENTY)
    contract = make_contract(["C3-Fz", "O1"], patch=None)
    found = cut(Recording.of(raw), contract, interpolate=True)
    assert found.interpolated == ("C3-Fz",)
    fz = cut(Recording.of(raw), make_contract(["Fz"], patch=None), interpolate=True).signal[:, 0]
    c3 = cut(Recording.of(raw), make_contract(["C3"], patch=None)).signal[:, 0]
    np.testing.assert_allclose(found.signal[:, 0], c3 - fz, atol=1e-4)
    with pytest.raises(InputError, match="it needs M2, which is not; C3 is recorded"):
        cut(Recording.of(raw), make_contract(["C3-M2"], patch=None), interpolate=True)
