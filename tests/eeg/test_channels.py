import pytest

from onnxplain.eeg.electrodes.matching import match
from onnxplain.eeg.electrodes.names import normalise, parse, parse_mapping, template_positions
from onnxplain.eeg.electrodes.positions import Electrodes, head_positions
from onnxplain.engine.errors import InputError


@pytest.mark.row("E6")
@pytest.mark.parametrize(
    ("name", "key"),
    [
        ("Fp1", "Fp1"),
        ("FP1", "Fp1"),
        ("fp1", "Fp1"),
        ("Fp1.", "Fp1"),
        ("Fc5..", "FC5"),
        ("EEG Fp1-REF", "Fp1"),
        ("EEG FP1-REF", "Fp1"),
        ("EEG Fp1", "Fp1"),
        ("EEGFp1", "Fp1"),
        ("POL Fp2", "Fp2"),
        ("EEG C3-LE", "C3"),
        ("C4-AVG", "C4"),
        ("O1/Ref", "O1"),
        ("O2_REF", "O2"),
        ("C3-A2", "C3"),
        ("C3-M2", "C3"),
        ("T3", "T7"),
        ("t4", "T8"),
        ("EEG T5-LE", "P7"),
        ("T6", "P8"),
        ("cz", "Cz"),
        ("AFZ", "AFz"),
        ("AFP3H", "AFp3h"),
        ("FCC5h", "FCC5h"),
        ("EEG A1-REF", "A1"),
        ("Fp1-0", "Fp1"),
        ("C3M2", "C3"),
        ("FpzA1", "Fpz"),
        ("O1-(A1+A2)/2", "O1"),
    ],
)
def test_electrodes_have_one_spelling(name: str, key: str) -> None:
    assert parse(name).key == key
    assert parse(name).kind == "electrode"


@pytest.mark.row("E6")
@pytest.mark.parametrize(
    ("name", "key"),
    [
        ("Fp1-F7", "Fp1-F7"),
        ("EEG Fpz-Cz", "Fpz-Cz"),
        ("T3-T5", "T7-P7"),
        ("T7-P8-1", "T7-P8"),
        ("A1-A2", "A1-A2"),
        ("Fp1 Cz", "Fp1-Cz"),
        ("FPZCZ", "Fpz-Cz"),
    ],
)
def test_two_electrodes_are_bipolar(name: str, key: str) -> None:
    assert parse(name).kind == "bipolar"
    assert parse(name).key == key


@pytest.mark.parametrize("name", ["EOG", "ECG", "EMG Chin", "STI 014", "X1", "E12", "001", "", "..."])
def test_others_stay_themselves(name: str) -> None:
    assert parse(name).kind == "other"


def test_numbers_of_other_channels_count() -> None:
    assert parse("STI 014").key != parse("STI 015").key


@pytest.mark.row("E6", "E7")
def test_match_reorders_and_tells() -> None:
    found = match(["Fp1", "T7", "Cz"], ["EEG T3-REF", "EEG CZ-REF", "EEG FP1-REF", "EOG"])
    assert dict(found.names) == {"Fp1": "EEG FP1-REF", "T7": "EEG T3-REF", "Cz": "EEG CZ-REF"}
    said = " ".join(found.said)
    assert "T7 from 'EEG T3-REF'" in said
    assert "REF" in said
    assert "order" in said
    assert "EOG" in said


@pytest.mark.row("E7")
def test_missing_channels_are_all_named() -> None:
    with pytest.raises(InputError) as caught:
        match(["Fp1", "C3", "O9", "Cz"], ["Fp1", "Cz"], where="a.edf")
    assert str(caught.value).startswith("a.edf: 2 of the model's 4 channels are missing: C3, O9")
    assert "\n" not in str(caught.value)


def test_missing_channel_gets_the_nearest_left_over() -> None:
    with pytest.raises(InputError, match=r"AF7 \(nearest: F7, Oz\)"):
        match(["AF7", "Cz"], ["Oz", "F7", "Cz"])


@pytest.mark.row("E6")
def test_bipolar_is_never_one_electrode() -> None:
    with pytest.raises(InputError, match=r"Fp1 \(only in bipolar Fp1-F7\)"):
        match(["Fp1"], ["Fp1-F7", "F7-T3"])


def test_bipolar_models_find_bipolar_channels() -> None:
    assert dict(match(["T7-P7"], ["EEG T3-T5"]).names) == {"T7-P7": "EEG T3-T5"}


@pytest.mark.row("E6")
@pytest.mark.parametrize(
    "recorded",
    [["EEG Fp1-LE", "EEG Fp1-REF"], ["Fp1-0", "Fp1-1"], ["C3-A1", "C3-A2"], ["EEG T3", "POL T7"]],
)
def test_ambiguous_channels_are_refused(recorded: list[str]) -> None:
    with pytest.raises(InputError, match="several channels mean the same electrode"):
        match([normalise(recorded[0])], recorded)


@pytest.mark.parametrize(
    ("wanted", "recorded", "taken"),
    [
        ("Fp1", ["EEG Fp1-REF", "Fp1"], "Fp1"),
        ("T7", ["T3", "T7"], "T7"),
        ("O2-M1", ["O2-M2", "O2", "EEG O2-M1"], "EEG O2-M1"),
        ("C4", ["C4-A1", "EEG C4-REF"], "EEG C4-REF"),
        ("fz", ["EEG Fz", "FZ"], "FZ"),
    ],
)
def test_the_very_name_comes_first(wanted: str, recorded: list[str], taken: str) -> None:
    assert dict(match([wanted], recorded).names) == {wanted: taken}


def test_user_decides_what_names_leave_open() -> None:
    found = match(["Fp1", "Cz"], ["Fp1", "EEG Fp1-REF", "vertex"], given="Fp1=Fp1,Cz=vertex")
    assert dict(found.names) == {"Fp1": "Fp1", "Cz": "vertex"}
    assert dict(match(["Fp1", "Cz"], ["a", "b"], given=["b", "a"]).names) == {"Fp1": "b", "Cz": "a"}


@pytest.mark.row("E6")
@pytest.mark.parametrize(
    ("given", "reason"),
    [
        (["a"], "1 names are given and the model takes 2"),
        ("Oz=a", "no channel Oz"),
        ("a,Cz=b", "not both"),
        ("Cz=nowhere", "no channel nowhere"),
        (["a", "a"], "one recorded channel"),
    ],
)
def test_what_users_say_is_checked(given: object, reason: str) -> None:
    with pytest.raises(InputError, match=reason):
        match(["Fp1", "Cz"], ["a", "b", "Fp1", "Cz"], given=given)  # type: ignore[arg-type]


def test_mapping_text() -> None:
    assert parse_mapping(" T7 = left ear , Cz=v", ["T7", "Cz"]) == {"T7": "left ear", "Cz": "v"}


@pytest.mark.row("E7")
def test_interpolation_needs_a_position() -> None:
    found = match(["AF7", "Cz"], ["Cz", "F7"], interpolate=True)
    assert found.interpolated == ("AF7",)
    assert any("interpolated" in s and "AF7" in s for s in found.said)
    with pytest.raises(InputError, match="X7; there is no known position"):
        match(["X7", "Cz"], ["Cz"], interpolate=True)


@pytest.mark.row("M21")
def test_names_of_a_hostile_file_stay_in_one_line() -> None:
    with pytest.raises(InputError) as caught:
        match(["Fp1"], ["Fp\n1", "\u202etxt"])
    assert str(caught.value).isprintable()


def test_positions() -> None:
    found = template_positions(["EEG T3-REF", "T7", "Fp1-F7", "EOG", "Cz"])
    assert set(found) == {"EEG T3-REF", "T7", "Cz"}
    assert (found["T7"] == found["EEG T3-REF"]).all()
    flat = head_positions(Electrodes(["T7", "T8", "Cz", "Fpz", "Oz"]), radius=1.0)
    assert flat["T7"][0] < -0.7
    assert flat["T8"][0] > 0.7
    assert flat["Fpz"][1] > 0.7
    assert flat["Oz"][1] < -0.7
    assert abs(flat["Cz"][0]) < 0.1
    assert all(x * x + y * y < 1 for x, y in flat.values())
