"""What a task may use: the presets against the literature, names, edges, and mistakes in one line."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest

from onnxplain.eeg.electrodes.positions import Electrodes
from onnxplain.engine.errors import PolicyError
from onnxplain.models import demo_file
from onnxplain.validation import Gate, Policy
from onnxplain.validation.expects import ALSO, PRESETS, Expects, edges

CAP = (
    *("Fp1", "Fpz", "Fp2", "AF7", "AF3", "AF4", "AF8", "F7", "F3", "Fz", "F4", "F8", "FT7", "FC3", "FCz"),
    *("FC4", "FT8", "T7", "C3", "C1", "Cz", "C2", "C4", "T8", "TP7", "CP3", "CPz", "CP4", "TP8", "P7", "P3"),
    *("Pz", "P4", "P8", "PO7", "PO3", "POz", "PO4", "PO8", "O1", "Oz", "O2"),
)  # fmt: skip
FOREHEAD = ("Fp1", "Fpz", "Fp2", "AF7", "AF3", "AF4", "AF8", "F7", "F8")
EVERYWHERE = ("Fp1", "F7", "Fz", "C3", "Cz", "T8", "Pz", "O2")


@dataclass(frozen=True)
class Known:
    """What the literature says of a task.

    Attributes
    ----------
    bands : tuple of (float, float)
        Where it is found, in Hz.
    not_bands : tuple of (float, float)
        What has nothing to do with it.
    electrodes, not_electrodes : tuple of str
        The same of electrodes.
    artefacts : tuple of str
        That are part of how the task is defined.
    """

    bands: tuple[tuple[float, float], ...]
    not_bands: tuple[tuple[float, float], ...]
    electrodes: tuple[str, ...]
    not_electrodes: tuple[str, ...]
    artefacts: tuple[str, ...] = ()


# Written down from what each preset cites, and from nothing in the code.
LITERATURE = {
    # Mu 8 to 13 Hz and beta up to 30 Hz, over the hands (C3, C4) and the feet (Cz), seen in the rows beside.
    "motor-imagery": Known(
        ((8, 13), (13, 30)), ((0, 4), (45, 60)), ("C3", "C1", "Cz", "C2", "C4", "FC3", "FC4", "CP3", "CP4"),
        (*FOREHEAD, "O1", "Oz", "O2", "PO7", "PO8"),
    ),
    # Delta and theta, largest at Pz, told at the midline's Fz, Cz and Pz; N1 and N2 are occipital.
    "p300": Known(
        ((0.5, 4), (4, 8)), ((20, 60),), ("Fz", "Cz", "CPz", "P3", "Pz", "P4", "PO7", "PO8", "Oz"),
        (*FOREHEAD, "T7", "T8"),
    ),
    # Slow waves 0.5 to 2 Hz, theta, alpha, spindles 11 to 16 Hz; eye movements and the chin are rules of it.
    "sleep-staging": Known(
        ((0.5, 2), (4, 8), (8, 13), (11, 16)), ((50, 60),), EVERYWHERE, (), ("eyes", "muscle"),
    ),
    "resting-alpha": Known(
        ((8, 13),), ((0, 4), (25, 60)), ("P3", "Pz", "P4", "POz", "O1", "Oz", "O2"), FOREHEAD,
    ),
    # Rhythmic patterns from 0.5 Hz on, and fast activity at the onset, wherever the focus lies.
    "seizure": Known(((0.5, 4), (4, 30)), ((0, 0.1), (50, 60)), EVERYWHERE, ()),
    "arousal": Known(((4, 8), (8, 13), (13, 30), (30, 45)), ((0, 0.2), (50, 60)), EVERYWHERE, ()),
}  # fmt: skip


@pytest.mark.parametrize("task", PRESETS)
def test_presets_hold_what_the_literature_finds(task: str) -> None:
    known, expects = LITERATURE[task], Expects(task=task)
    sfreq, n = 250.0, 1000
    here = expects.on(Electrodes(CAP), sfreq, n)
    f = np.arange(n) * sfreq / (2 * n)
    inside = here.frequencies if here.frequencies is not None else np.ones(n, bool)
    for low, high in known.bands:
        assert inside[(f >= low) & (f <= high)].all(), f"{task} is found from {low} to {high} Hz"
    for low, high in known.not_bands:
        assert not inside[(f >= low) & (f <= high)].any(), f"{task} has nothing from {low} to {high} Hz"
    rows = here.electrodes if here.electrodes is not None else np.ones(len(CAP), bool)
    allowed = {c for c, may in zip(CAP, rows, strict=True) if may}
    assert set(known.electrodes) <= allowed
    assert not set(known.not_electrodes) & allowed
    assert set(expects.all_artefacts) == set(known.artefacts)
    assert "doi:" in PRESETS[task].literature


def test_every_preset_is_held_against_the_literature() -> None:
    assert set(PRESETS) == set(LITERATURE)
    assert set(ALSO.values()) <= set(PRESETS)
    assert not set(ALSO) & set(PRESETS)


@pytest.mark.parametrize(
    ("name", "preset"),
    [
        ("motor-imagery", "motor-imagery"),
        ("Motor Imagery", "motor-imagery"),
        ("motor_imagery", "motor-imagery"),
        (" MI ", "motor-imagery"),
        ("P300", "p300"),
        ("ERP", "p300"),
        ("sleep stages", "sleep-staging"),
        ("Seizure_Detection", "seizure"),
    ],
)
def test_names_of_presets(name: str, preset: str) -> None:
    assert Expects(task=name).preset is PRESETS[preset]


@pytest.mark.parametrize(
    ("band", "low", "high"),
    [
        ("alpha", 8, 13), ("mu", 8, 13), ("alpha/mu", 8, 13), ("Alpha/Mu", 8, 13),
        ("beta", 13, 30), ("slow", 0, 1), ("high-gamma", 52, 150), ("HIGH_GAMMA", 52, 150),
        ((4, 8), 4, 8), ((0, 0.5), 0, 0.5), ("8-12", 8, 12), ("8-12 Hz", 8, 12), ("0.5-4Hz", 0.5, 4),
    ],
)  # fmt: skip
def test_names_and_edges_of_bands(band: object, low: float, high: float) -> None:
    assert edges(band) == (low, high)


def test_what_is_said_beside_a_task_takes_the_presets_place() -> None:
    asked = Expects(task="motor-imagery", bands=("beta",), artefacts=("heart",))
    assert asked.all_bands == ((13.0, 30.0),)
    assert asked.all_regions == PRESETS["motor-imagery"].regions
    assert asked.all_artefacts == ("heart",)
    assert asked.said() == (
        "motor-imagery; 13 to 30 Hz; sensorimotor, central, frontocentral, centroparietal; the heart"
    )
    free = Expects(task="my own task", seconds=(0.2, 0.5))
    assert (free.preset, free.all_bands, free.all_regions, free.all_artefacts) == (None, None, None, ())
    assert free.said() == "my own task; any frequency; any electrode; 0.2 to 0.5 s"


def test_seconds_of_a_window() -> None:
    here = Expects(seconds=(0.25, 0.75)).on(Electrodes(("C3", "C4")), 100.0, 100)
    assert here.gate is not None
    assert here.gate[50] == 1
    assert here.gate[[0, 10, 90, 99]].max() == 0
    # Only within the window, and its own ends are not faded.
    long = Expects(seconds=(0, 9)).on(Electrodes(("C3", "C4")), 100.0, 100)
    assert long.gate is not None
    assert long.gate.min() == 1


def test_a_band_that_begins_at_zero_has_the_offset() -> None:
    cap = Electrodes(("C3", "C4"))
    for low, offset in ((0, True), (0.5, False), (8, False)):
        inside = Expects(bands=((low, 12),)).on(cap, 100.0, 200).frequencies
        assert inside is not None
        assert inside[0] == offset


def test_regions_sets_and_electrodes() -> None:
    cap = Electrodes(("Fp1", "C3", "Cz", "O1", "EEG T3-REF"))
    for regions, rows in (
        (("central",), [1, 2]), (("sensorimotor",), [1, 2]), (("C3",), [1]), (("T7", "occipital"), [3, 4]),
        (("ocular-prone",), [0]), (("c3", "FP1"), [0, 1]),
    ):  # fmt: skip
        found = Expects(regions=regions).rows(cap)
        assert found is not None
        assert np.flatnonzero(found).tolist() == rows
    # No electrode of this model lies there: none may be used. Where places are not known, any may.
    nowhere = Expects(regions=("parietal",)).rows(cap)
    assert nowhere is not None
    assert not nowhere.any()
    assert Expects(task="motor-imagery").rows(Electrodes(("E1", "E2"))) is None


def test_names_of_the_caps_own() -> None:
    own = Electrodes(("E1", "E2"), {"E1": (-0.07, -0.01, 0.05), "E2": (0.0, 0.09, 0.0)})
    found = Expects(regions=("E1",)).rows(own)
    assert found is not None
    assert found.tolist() == [True, False]


@pytest.mark.parametrize("region", ["frontla", "C3.", "E7", "Zz", "two\nlines"])
def test_a_region_that_is_neither_a_region_nor_an_electrode(region: str) -> None:
    asked = Expects(regions=("central", region))
    with pytest.raises(PolicyError, match=r"expects\.regions: no region") as caught:
        asked.on(Electrodes(("C4", "Cz")), 100.0, 100)
    assert "\n" not in str(caught.value)
    assert "sensorimotor" in str(caught.value)


def test_the_gate_begins_nothing_with_such_a_region() -> None:
    policy = Policy.from_text("version: 1\nexpects: {regions: [frontla]}")
    with pytest.raises(PolicyError, match="no region 'frontla'"):
        Gate(policy).run(demo_file("honest.onnx"), Path(demo_file("recording.edf")))


@pytest.mark.parametrize(
    ("said", "why"),
    [
        ("{}", "says nothing: give a task"),
        ("{task: knitting}", "task 'knitting' is no preset; there are motor-imagery, p300"),
        ("{tasks: p300}", "expects.tasks: there is no such key"),
        ("{bands: [alhpa]}", "no band 'alhpa'; did you mean alpha"),
        ("{bands: [[30, 8]]}", "from 30 to 8 Hz is no band"),
        ("{bands: [[-1, 8]]}", "from -1 to 8 Hz is no band"),
        ("{bands: [[8, .inf]]}", "is no band"),
        ("{bands: [[8, 12, 30]]}", "expects.bands"),
        ("{bands: ['8-x']}", "no band '8-x'"),
        ("{regions: ['']}", "regions: a name is empty"),
        ("{regions: central}", "expects.regions"),
        ("{seconds: [0.5, 0.2]}", "seconds: from 0.5 to 0.2 is no stretch"),
        ("{seconds: [-1, 0.2]}", "seconds: from -1 to 0.2"),
        ("{seconds: [.nan, 1]}", "seconds"),
        ("{artefacts: [eye]}", "expects.artefacts"),
        ("{artefacts: [electrode]}", "expects.artefacts"),
        ("motor-imagery", "expects"),
    ],
)
def test_mistakes_are_one_line(said: str, why: str) -> None:
    with pytest.raises(PolicyError, match=why) as caught:
        Policy.from_text(f"version: 1\nexpects: {said}", "p.yaml")
    assert str(caught.value).startswith("p.yaml: expects")
    assert "\n" not in str(caught.value)
