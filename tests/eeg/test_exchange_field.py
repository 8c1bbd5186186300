"""Whose field goes with the decision: named where it is somebody's, and nobody's where it is not."""

from __future__ import annotations

import mne
import numpy as np
import pytest

from onnxplain.eeg.electrodes.positions import Electrodes
from onnxplain.eeg.exchange.field import NO_SOURCE, Field, disorder, eyes_like, field_of, likeness

TEN20 = (
    *("Fp1", "Fp2", "F7", "F3", "Fz", "F4", "F8", "T7", "C3", "Cz", "C4", "T8"),
    *("P7", "P3", "Pz", "P4", "P8", "O1", "O2"),
)
WITH_EDGE = (*TEN20, "TP9", "TP10", "PO9", "PO10", "FC1", "FC2", "CP1", "CP2")


def named(names: tuple[str, ...], own: bool) -> Electrodes:
    """A cap by the system's names, or the same places under names of its own."""
    known = Electrodes(names)
    if not own:
        return known
    places = {f"E{i + 1}": tuple(map(float, known.positions[n])) for i, n in enumerate(names)}
    return Electrodes(tuple(places), places, own=tuple(places))


# How far the potentials of blinks and of a look to the right reach, of what is at Fp1 or F8: roughly what
# recordings against an ear show (their topographies: Lins et al. 1993, Brain Topography 6).
BLINK = {
    **{
        "Fp1": 1.0,
        "Fp2": 1.0,
        "F7": 0.4,
        "F8": 0.4,
        "F3": 0.35,
        "F4": 0.35,
        "Fz": 0.33,
        "T7": 0.1,
        "T8": 0.1,
    },
    **{"C3": 0.13, "C4": 0.13, "Cz": 0.13, "P7": 0.04, "P8": 0.04, "P3": 0.06, "P4": 0.06, "Pz": 0.07},
    **{"O1": 0.03, "O2": 0.03},
}
TO_THE_RIGHT = {
    **{"Fp1": -0.4, "Fp2": 0.4, "F7": -1.0, "F8": 1.0, "F3": -0.35, "F4": 0.35, "T7": -0.4, "T8": 0.4},
    **{"C3": -0.12, "C4": 0.12, "P7": -0.12, "P8": 0.12, "P3": -0.05, "P4": 0.05, "O1": -0.02, "O2": 0.02},
}
SEEN = {"blinks": BLINK, "to the side": TO_THE_RIGHT}


def eyes(kind: str, names: tuple[str, ...] = TEN20) -> np.ndarray:
    """What eyes put on electrodes."""
    return np.array([SEEN[kind].get(name, 0.0) for name in names])


def dipole(cap: Electrodes, where: np.ndarray, moment: np.ndarray) -> np.ndarray:
    """A dipole in a conductor without any bounds, which is not how the product has its eyes."""
    r = np.array([cap.positions[name] for name in cap]) - where
    return r @ moment / np.linalg.norm(r, axis=1) ** 3


def windows(
    rng: np.random.Generator, field: np.ndarray, size: np.ndarray, course: np.ndarray, n: int = 100
) -> np.ndarray:
    """Noise that neighbours share, and a field with a course, larger or smaller in each window."""
    noise = rng.normal(0, 1, (n, len(field), len(course)))
    noise += rng.normal(0, 1, (n, 1, len(course)))
    return noise + size[:, None, None] * field[:, None] * course / np.abs(field).max()


def classes(rng: np.random.Generator, n: int = 100) -> tuple[np.ndarray, np.ndarray]:
    """Decisions, and outputs that say them."""
    d = rng.permutation(np.arange(n) % 2)
    return d, np.eye(2)[d]


@pytest.mark.parametrize("own", [False, True], ids=["system", "own names"])
@pytest.mark.parametrize("said", SEEN)
def test_eyes_are_named(own: bool, said: str) -> None:
    rng, cap = np.random.default_rng(1), named(TEN20, own)
    d, outputs = classes(rng)
    step = np.linspace(0, 1, 60) > 0.4
    x = windows(rng, eyes(said), 3.0 * (2 * d - 1), step.astype(float))
    field = field_of(x, outputs, rng)
    assert field is not None
    assert field.kind == "course"
    assert said in likeness(field, cap)
    assert not likeness(field, cap, fast=True)


def test_power_counts_too() -> None:
    """A movement to either side, with one class alone: its mean is nothing."""
    rng, cap = np.random.default_rng(2), Electrodes(TEN20)
    d, outputs = classes(rng)
    x = windows(rng, eyes("to the side"), 5.0 * d * rng.choice([-1, 1], 100), np.ones(60))
    field = field_of(x - x.mean(-1, keepdims=True), outputs, rng)
    assert field is None  # all of it was in the mean
    field = field_of(x, outputs, rng)
    assert field is not None
    assert field.kind == "power"
    assert "to the side" in likeness(field, cap)


def test_sources_of_the_cortex_are_nobodys() -> None:
    """But for the frontal pole, right behind the forehead, which blinks cannot be told from by a field."""
    rng, cap = np.random.default_rng(3), Electrodes(TEN20)
    centre = np.array([0.0, 0.0, 0.04])
    found = []
    for _ in range(300):
        toward = rng.normal(size=3)
        toward /= np.linalg.norm(toward)
        if toward[2] < -0.3:
            continue
        u = dipole(cap, centre + 0.05 * toward, toward + rng.normal(0, 0.35, 3))
        found.append((toward[1], likeness(Field(u / u[np.abs(u).argmax()], "power", 9.0), cap)))
    back = [said for y, said in found if y < 0.6]
    assert len(back) > 100
    assert np.mean(["eye" in said for said in back]) < 0.03
    assert not any("to the side" in said for _, said in found)


def test_a_small_cue_beside_large_blinks() -> None:
    """Blinks that come by chance are fifty times as large in power: what goes with the decision is named."""
    rng, cap = np.random.default_rng(4), Electrodes(WITH_EDGE)
    d, outputs = classes(rng)
    x = windows(rng, eyes("blinks", WITH_EDGE), 40.0 * (rng.random(100) < 0.3), np.hanning(60))
    below = np.isin(list(cap), ["TP9", "TP10"]) * 1.0 + np.isin(list(cap), ["PO9", "PO10"]) * 0.6
    pulse = np.sin(np.arange(60))
    x += (3.0 * d * rng.choice([-1, 1], 100))[:, None, None] * below[:, None] * pulse
    field = field_of(x, outputs, rng)
    assert field is not None
    assert "lower edge" in likeness(field, cap)
    assert "heart" in likeness(field, cap)


def test_one_electrode_and_all_of_them() -> None:
    rng, cap = np.random.default_rng(5), Electrodes(TEN20)
    d, outputs = classes(rng)
    one = windows(rng, np.arange(19) == 14, 3.0 * d, np.sin(np.arange(60) / 3))
    field = field_of(one, outputs, rng)
    assert field is not None
    assert likeness(field, cap) == "on one electrode alone, Pz"
    every = windows(rng, np.ones(19), 3.0 * d, np.sin(np.arange(60) / 3))
    field = field_of(every, outputs, rng)
    assert field is not None
    assert "the same on all electrodes" in likeness(field, cap)


def test_a_number_goes_with_its_field() -> None:
    rng, cap = np.random.default_rng(6), Electrodes(TEN20)
    y = rng.normal(size=100)
    x = windows(rng, eyes("to the side"), 4.0 * y, np.ones(60))
    field = field_of(x, y[:, None], rng)
    assert field is not None
    assert "to the side" in likeness(field, cap)


def test_of_three_classes_the_one_that_differs() -> None:
    rng, cap = np.random.default_rng(7), Electrodes(TEN20)
    d = rng.permutation(np.arange(99) % 3)
    x = windows(rng, eyes("to the side"), 4.0 * (d == 2), np.ones(60), 99)
    field = field_of(x, np.eye(3)[d], rng)
    assert field is not None
    assert "to the side" in likeness(field, cap)


def test_chance_has_no_field() -> None:
    """Answers that go with nothing: in hardly any of 40 data sets does a field stand out."""
    found = 0
    for seed in range(40):
        rng = np.random.default_rng(100 + seed)
        _, outputs = classes(rng, 60)
        x = windows(rng, np.ones(19), 5.0 * (rng.random(60) < 0.3), np.hanning(40), 60)
        found += field_of(x, outputs, rng) is not None
    assert found <= 1


def test_nothing_there() -> None:
    rng = np.random.default_rng(8)
    assert field_of(np.zeros((20, 19, 30)), np.eye(2)[np.arange(20) % 2], rng) is None


def test_without_places_nothing_is_said_of_eyes() -> None:
    cap = Electrodes([f"X{i}" for i in range(19)])
    u = np.zeros(19)
    u[:4] = [1, -1, 0.8, -0.8]
    assert eyes_like(u, cap) == {}
    assert likeness(Field(u, "course", 9.0), cap) == ""


def patches(cap: Electrodes, skull: float, n: int = 200) -> np.ndarray:
    """What patches of cortex of about a centimetre put on electrodes, under a skull of a conductivity."""
    info = mne.create_info(list(cap), 100.0, "eeg")
    places = {name: cap.positions[name] for name in cap}
    info.set_montage(mne.channels.make_dig_montage(places, coord_frame="head"), verbose="error")
    sphere = mne.make_sphere_model("auto", "auto", info, sigmas=(0.33, 1.0, skull, 0.33), verbose="error")
    rng = np.random.default_rng(9)
    toward = rng.normal(size=(n, 3))
    toward[:, 2] = np.abs(toward[:, 2]) - 0.2
    spots = toward[None] / np.linalg.norm(toward, axis=1)[:, None] + rng.normal(0, 0.1, (7, n, 3))
    spots /= np.linalg.norm(spots, axis=2)[..., None]
    at = np.asarray(sphere["r0"]) + 0.85 * float(sphere["layers"][0]["rad"]) * spots.reshape(-1, 3)
    source = mne.setup_volume_source_space(
        pos={"rr": at, "nn": np.tile([0.0, 0.0, 1.0], (len(at), 1))}, sphere_units="m", verbose="error"
    )
    forward = mne.make_forward_solution(
        info, None, source, sphere, meg=False, eeg=True, mindist=0, verbose="error"
    )
    gain = forward["sol"]["data"].reshape(len(cap), len(at), 3)
    tilt = spots.reshape(-1, 3) + rng.normal(0, 0.35, (len(at), 3))
    return np.einsum("cdk,dk->dc", gain, tilt).reshape(7, n, -1).sum(0)


@pytest.mark.parametrize("skull", [0.004, 0.013], ids=["80 times less", "25 times less"])
@pytest.mark.parametrize("names", [TEN20, WITH_EDGE], ids=["19", "27"])
def test_sources_in_the_head_are_in_order(names: tuple[str, ...], skull: float) -> None:
    """Of another skull than the product's, and nearer to it: hardly any field is one that no source has."""
    cap = Electrodes(names)
    fields = patches(cap, skull)
    assert np.mean([disorder(u, cap) >= NO_SOURCE for u in fields]) <= 0.02
    # Of any reference.
    u = fields[0] / np.abs(fields[0]).max()
    assert disorder(u, cap) == pytest.approx(disorder(u - u.mean(), cap), rel=0.15)


@pytest.mark.parametrize("names", [TEN20, WITH_EDGE], ids=["19", "27"])
def test_cables_and_contacts_are_not(names: tuple[str, ...]) -> None:
    """Each electrode as it comes: most of the fields are ones that hardly a source in the head has."""
    rng, cap = np.random.default_rng(10), Electrodes(names)
    found = np.array([disorder(rng.normal(size=len(cap)), cap) for _ in range(100)])
    assert np.mean(found >= NO_SOURCE) > 0.6
    assert np.mean(found >= 1) > 0.9


def test_where_places_are_unknown_nothing_is_said_of_order() -> None:
    assert disorder(np.ones(19), Electrodes([f"X{i}" for i in range(19)])) == 0.0


def test_a_fields_part_is_one_course_on_all_electrodes() -> None:
    """And its projection leaves nothing more when it is made again."""
    rng, cap = np.random.default_rng(11), Electrodes(TEN20)
    d, outputs = classes(rng)
    x = windows(rng, rng.normal(size=19), 3.0 * d, np.sin(np.arange(60) / 3))
    field = field_of(x, outputs, rng)
    assert field is not None
    part = field.project(x)
    np.testing.assert_allclose(field.project(part), part, atol=1e-8 * np.abs(part).max())
    assert np.linalg.matrix_rank(part[0], tol=1e-6 * np.abs(part[0]).max()) == 1
    assert disorder(field.values, cap) >= NO_SOURCE
