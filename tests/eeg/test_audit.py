"""An audit of data where the truth is known: a cue in one thing, in nothing, in time, in people."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import mne
import numpy as np
import pytest

from onnxplain.eeg.electrodes.positions import Electrodes
from onnxplain.eeg.recording.options import WindowOptions
from onnxplain.eeg.reports.audit import write
from onnxplain.eeg.studies.audit import Audit, audit
from onnxplain.eeg.studies.audit_windows import audit_of
from onnxplain.engine.errors import InputError

NAMES = ("Fp1", "Fp2", "F7", "F8", "Fz", "C3", "Cz", "C4", "T7", "T8", "Pz", "O1", "O2")
SFREQ, SAMPLES, WINDOWS = 160.0, 320, 80
DRIFTING = ("offset", "drift", "first", "last")


def windows(seed: int = 0, n: int = WINDOWS) -> np.ndarray[Any, Any]:
    """Slow and fast noise over electrodes, offsets that wander from window to window, mains."""
    rng = np.random.default_rng(seed)
    x = 0.4 * np.cumsum(rng.normal(0, 5, (n, len(NAMES), SAMPLES)), -1)
    x -= x.mean(-1, keepdims=True)
    x += rng.normal(0, 4, x.shape) + rng.normal(0, 6, (n, 1, SAMPLES))
    t = np.arange(SAMPLES) / SFREQ
    x += rng.uniform(1, 3, (n, 1, 1)) * np.sin(2 * np.pi * 50 * t + rng.uniform(0, 6, (n, 1, 1)))
    return np.asarray(x + np.cumsum(rng.normal(0, 1, (n, len(NAMES))), 0)[..., None])


def by_chance(seed: int = 0, n: int = WINDOWS) -> np.ndarray[Any, Any]:
    return np.random.default_rng([seed, 1]).permutation(np.arange(n) % 2)


def audited(x: np.ndarray[Any, Any], y: Any, **more: Any) -> Audit:
    labels = [("left", "right")[k] for k in y] if np.asarray(y).dtype.kind == "i" else y
    return audit(x, SFREQ, Electrodes(NAMES), labels, **more)


def row(found: Audit, name: str) -> Any:
    (one,) = [r for r in found.rows if r.name == name]
    return one


def offered(found: Audit) -> set[str]:
    return {r.name for r in found.offered}


@pytest.mark.parametrize("seed", range(3))
def test_nothing(seed: int) -> None:
    found = audited(windows(seed), by_chance(seed))
    assert not found.offered
    assert found.said() == "No shortcut was found in what could be looked at."
    assert (found.chance, found.measure) == (0.5, "balanced accuracy")
    assert dict(found.counts) == {"left": 40, "right": 40}


def test_an_offset_and_nothing_else() -> None:
    x, y = windows(), by_chance()
    x[y == 1, NAMES.index("T7")] += 25.0
    found = audited(x, y)
    assert offered(found) == {"offset"}
    assert found.rows[0].name == "offset"
    d = found.rows[0].decoded
    assert d is not None
    assert d.value > 0.9
    assert d.p == pytest.approx(1 / 500)
    assert d.low > 0.8
    assert "unless the task's own signal" in found.rows[0].verdict


def gain(x: np.ndarray[Any, Any], of: np.ndarray[Any, Any]) -> None:
    x[of] *= 1.6


def quantised(x: np.ndarray[Any, Any], of: np.ndarray[Any, Any]) -> None:
    x[of] = np.round(x[of] / 4.0) * 4.0


def referenced(x: np.ndarray[Any, Any], of: np.ndarray[Any, Any]) -> None:
    x[of] -= x[of].mean(1, keepdims=True)


def swapped(x: np.ndarray[Any, Any], of: np.ndarray[Any, Any]) -> None:
    x[of, NAMES.index("O1")] *= -1


def held(x: np.ndarray[Any, Any], of: np.ndarray[Any, Any]) -> None:
    x[of, 3, 100:200] = x[of, 3, 99:100]


def hum(x: np.ndarray[Any, Any], of: np.ndarray[Any, Any]) -> None:
    x[of] += 6 * np.sin(2 * np.pi * 50 * np.arange(SAMPLES) / SFREQ)


def click(x: np.ndarray[Any, Any], of: np.ndarray[Any, Any]) -> None:
    x[of, :, :3] += 30.0


def trend(x: np.ndarray[Any, Any], of: np.ndarray[Any, Any]) -> None:
    x[of] += np.linspace(-60, 60, SAMPLES)


@pytest.mark.parametrize(
    ("plant", "name"),
    [(gain, "gain"), (quantised, "resolution"), (referenced, "reference"), (held, "repeats"), (hum, "line"),
     (click, "first"), (trend, "drift")],
)  # fmt: skip
def test_what_a_machine_leaves(plant: Callable[..., None], name: str) -> None:
    x, y = windows(), by_chance()
    plant(x, y == 1)
    assert name in offered(audited(x, y))


def test_polarity() -> None:
    rng, y = np.random.default_rng(0), by_chance()
    shared = np.cumsum(rng.normal(0, 5, (WINDOWS, 1, SAMPLES)), -1)  # what neighbours have in common
    x = shared - shared.mean(-1, keepdims=True) + rng.normal(0, 2, (WINDOWS, len(NAMES), SAMPLES))
    swapped(x, y == 1)
    assert "order" in offered(audited(x, y))


def test_a_rhythm_is_no_shortcut() -> None:
    x, y = windows(), by_chance()
    t = np.arange(SAMPLES) / SFREQ
    x[y == 1, NAMES.index("C3")] += 25 * np.sin(2 * np.pi * 10 * t)
    found = audited(x, y)
    assert row(found, "alpha").tells
    assert not found.offered
    assert row(found, "alpha").verdict.endswith("no shortcut by itself")


def test_time() -> None:
    y = (np.arange(WINDOWS) >= WINDOWS // 2).astype(int)
    found = audited(windows(), y)
    assert offered(found) == {"time", "before"}
    assert "2 blocks" in row(found, "offset").why_not
    assert row(found, "offset").verdict.startswith("could not be looked at: labels come in 2 blocks")


def test_turns_are_told_by_the_label_before() -> None:
    found = audited(windows(), np.arange(WINDOWS) % 2)
    assert offered(found) == {"before"}


def test_drifting_offsets_are_no_cue_of_blocks() -> None:
    """Labels in blocks, offsets that wander: by chance they go together, and shuffled blocks know it."""
    for seed in range(3):
        x = windows(seed, 120)
        x += np.cumsum(np.random.default_rng(seed).normal(0, 3, (120, len(NAMES))), 0)[..., None]
        y = np.repeat(np.random.default_rng([seed, 2]).permutation(np.arange(24) % 2), 5)
        found = audited(x, y)
        assert "before" in offered(found)
        assert not offered(found) & set(DRIFTING)
        assert any("blocks of one label" in n for n in found.notes)


def test_class_is_the_subject() -> None:
    y = np.repeat([0, 1], WINDOWS // 2)
    found = audited(windows(), y, subjects=["a"] * 40 + ["b"] * 40)
    assert offered(found) == {"subject"}
    assert "2 subjects have one label each" in row(found, "offset").why_not
    assert row(found, "time").why_not


def test_a_cue_of_many_people_with_one_label_each() -> None:
    who = np.repeat(np.arange(16), 10)
    y, x = who % 2, windows(n=160)
    x[y == 1, 3] += 25.0
    found = audited(x, y, subjects=[f"s{k}" for k in who])
    assert offered(found) == {"subject", "offset"}
    assert any("one label only" in n for n in found.notes)


def test_a_cue_that_people_share() -> None:
    who = np.repeat(np.arange(4), 25)
    x, y = windows(n=100), by_chance(n=100)
    x[y == 1, 3] += 25.0
    found = audited(x, y, subjects=[f"s{k}" for k in who])
    assert offered(found) == {"offset"}
    assert any("other subjects" in n for n in found.notes)


def test_the_machine_that_a_file_names() -> None:
    y = np.repeat([0, 1, 0, 1], 20)
    recordings = np.repeat(["1", "2", "3", "4"], 20).tolist()
    machines = {"machine": ("headers", ["A" if k else "B" for k in y])}
    found = audited(windows(), y, recordings=recordings, groups=machines)
    assert {"recording", "machine"} <= offered(found)


def test_numbers() -> None:
    x, y = windows(n=120), np.random.default_rng(0).normal(size=120)
    assert not audited(x, y).offered
    x[:, 3] += 8 * y[:, None]
    found = audited(x, y)
    assert (found.measure, found.chance) == ("correlation", 0.0)
    assert offered(found) == {"offset"}
    assert not found.counts


@pytest.mark.parametrize(
    ("labels", "said"),
    [
        ([None] * WINDOWS, "no window has a label"),
        (["left"] * WINDOWS, "labels are left: 80"),
        (["left"] * 75 + ["right"] * 5, "two classes of 10 windows"),
    ],
)
def test_labels_that_are_none(labels: list[Any], said: str) -> None:
    with pytest.raises(InputError, match=said) as caught:
        audited(windows(), labels)
    assert "\n" not in str(caught.value)


def test_windows_without_a_label_and_rare_ones_are_left_out() -> None:
    labels = [("left", "right")[k] for k in by_chance()]
    labels[:3] = ["pause", "pause", None]  # type: ignore[list-item]
    found = audited(windows(), labels)
    assert found.windows == WINDOWS - 3
    assert any("fewer than 10 windows left out: pause" in n for n in found.notes)


def test_two_runs_say_the_same_and_seeds_are_kept() -> None:
    x, y = windows(), by_chance()
    assert audited(x, y, seed=3).to_dict() == audited(x, y, seed=3).to_dict()


def recording(
    path: Path, *, shift: float = 0.0, names: tuple[str, ...] = NAMES, seed: int = 0, sfreq: float = SFREQ
) -> Path:
    """A FIF file with 30 events a class, 2 s apart; one class has an offset on T7."""
    y = by_chance(seed, 60)
    x = windows(seed, 60)
    x[y == 1, NAMES.index("T7")] += shift
    signal = np.concatenate(list(x[:, [NAMES.index(n) for n in names]]), axis=-1) * 1e-6
    raw = mne.io.RawArray(signal, mne.create_info(list(names), sfreq, "eeg"), verbose="error")
    seconds = SAMPLES / sfreq
    raw.set_annotations(mne.Annotations(np.arange(60) * seconds, 0, [("left", "right")[k] for k in y]))
    raw.save(path, overwrite=True, verbose="error")
    return path


def test_a_recording_without_a_model(tmp_path: Path) -> None:
    found = audit_of(recording(tmp_path / "a_raw.fif", shift=25.0))
    assert offered(found) == {"offset"}
    assert (found.about["seconds"], found.about["sfreq"]) == (2.0, SFREQ)
    assert (found.windows, found.subjects, found.recordings) == (60, 1, 1)


def test_a_recording_as_a_model_has_it(tmp_path: Path, make_contract: Any) -> None:
    path = recording(tmp_path / "a_raw.fif", shift=25.0)
    wanted = make_contract(("C3", "Cz", "T7", "T8"), sfreq=80.0, window=80, patch=None)
    found = audit_of(path, contract=wanted)
    assert offered(found) == {"offset"}
    assert found.about["seconds"] == 1.0
    # The model's highpass takes the offset away, and a model without T7 has no cue.
    filtered = audit_of(path, contract=wanted.model_copy(update={"highpass": 1.0}))
    assert "offset" not in offered(filtered)
    elsewhere = make_contract(("C3", "Cz", "T8"), sfreq=80.0, window=80, patch=None)
    assert not audit_of(path, contract=elsewhere).offered


def test_a_folder(tmp_path: Path) -> None:
    for i in range(3):
        recording(tmp_path / f"p{i}_raw.fif", shift=25.0, seed=i, names=NAMES[:-1] if i else NAMES)
    (tmp_path / "broken.edf").write_bytes(b"0 nothing")
    found = audit_of(tmp_path)
    assert (found.windows, found.subjects) == (180, 3)
    assert "offset" in offered(found)
    assert any("1 channel that some recordings lack" in n for n in found.notes)
    assert any(n.startswith("Left out: ") and "broken.edf" in n for n in found.notes)
    assert any("4 recordings count as subjects by the file's name" in n for n in found.notes)
    (tmp_path / "broken.edf").unlink()
    told = audit_of(tmp_path, subject="{subject}?_raw.fif")
    assert (told.windows, told.subjects) == (180, 1)
    assert not any("count as subjects" in n for n in told.notes)


def test_events_and_a_table_of_labels(tmp_path: Path) -> None:
    path = recording(tmp_path / "a_raw.fif", shift=25.0)
    table = tmp_path / "labels.csv"
    y = by_chance(0, 60)
    table.write_text("onset,label\n" + "".join(f"{2 * i},{'ab'[k]}\n" for i, k in enumerate(y)))
    found = audit_of(path, options=WindowOptions(labels=table, window=1.5))
    assert dict(found.counts) == {"a": 30, "b": 30}
    assert found.about["seconds"] == 1.5
    named = audit_of(path, options=WindowOptions(events="left,right"))
    assert dict(named.counts) == {"left": 30, "right": 30}


def test_arrays(tmp_path: Path) -> None:
    x, y = windows(), by_chance()
    x[y == 1, 3] += 25.0
    path = tmp_path / "windows.npz"
    np.savez(path, x=x * 1e-6, y=y, sfreq=SFREQ, channels=np.array(NAMES))
    found = audit_of(path)
    assert offered(found) == {"offset"}
    assert "x was taken as volt, by its size." in found.notes


def test_what_is_written(tmp_path: Path) -> None:
    x, y = windows(), by_chance()
    x[y == 1, 3] += 25.0
    found = audit(x, SFREQ, Electrodes(NAMES), [("<b>l", "r")[k] for k in y])
    files = write(found, tmp_path)
    assert [f.name for f in files] == ["audit.json", "report.html"]
    page = files[1].read_text(encoding="utf-8")
    assert "offset" in page
    assert "<b>l" not in page
    assert "What it cannot see" in page


def test_epochs(tmp_path: Path) -> None:
    raw = mne.io.read_raw_fif(recording(tmp_path / "a_raw.fif", shift=25.0), preload=True, verbose="error")
    events, kinds = mne.events_from_annotations(raw, verbose="error")
    epochs = mne.Epochs(raw, events, kinds, 0.0, 1.0, baseline=None, preload=True, verbose="error")
    epochs.save(tmp_path / "a-epo.fif", verbose="error")
    found = audit_of(tmp_path / "a-epo.fif")
    assert offered(found) == {"offset"}
    assert found.about["seconds"] == pytest.approx(161 / SFREQ)
    assert dict(found.counts) == {"left": 30, "right": 30}
