"""What windows are held against, relevance of the difference, and what an exchange says of it."""

from __future__ import annotations

import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from onnxplain.eeg.exchange.confirm import Confirmed, Way, confirm
from onnxplain.eeg.explanation.bands import bands
from onnxplain.eeg.explanation.dataset import explanation
from onnxplain.eeg.explanation.explained import Explained, predictions, restored
from onnxplain.eeg.explanation.references import ReferenceOptions, ReferenceWindows, references_for
from onnxplain.eeg.reports.write import write
from onnxplain.eeg.run import explain_recording
from onnxplain.eeg.studies.compare import Side, compare
from onnxplain.eeg.views.components import components
from onnxplain.eeg.views.spectral import band_time, time_frequency
from onnxplain.engine.contract import InputContract
from onnxplain.engine.errors import InputError
from onnxplain.engine.explainer import Explainer

sys.path.insert(0, str(Path(__file__).parent))

from explanations import made

Make = Callable[..., Any]
MARKS = [(1.0 * i, 0.0, ["left", "right", "rest/open"][i % 3]) for i in range(18)]


@pytest.fixture
def files(make_contract: Callable[..., InputContract], make_model: Make, recorded: Make) -> tuple[Path, Path]:
    data = recorded(marks=MARKS)
    for seed in range(20):  # until it calls some windows one thing, and some another
        model = make_model(make_contract(), f"m{seed}.onnx", seed=seed)
        if len(set(predictions(explain_recording(model, data, against="none")).tolist())) > 1:  # type: ignore[union-attr]
            return model, data
    raise AssertionError("no network tells these windows apart")


def held(e: Explained) -> ReferenceWindows:
    assert e.references is not None
    return e.references


def test_relevance_is_of_the_difference(files: tuple[Path, Path]) -> None:
    model, data = files
    e = explain_recording(model, data, references=3, batch_size=3)
    explain, refs, x = Explainer(model, "difference"), held(e), e.windows.data
    assert refs.index.shape == (len(x), 3)
    for i in range(len(x)):
        rows = refs.data[refs.index[i]]
        a = explain(x[i : i + 1], reference=rows[:, None], target="predicted", contrast="rest")
        own = e.dataset["relevance"].values[i].reshape(a.relevance["x"][0].shape)
        np.testing.assert_allclose(own, a.relevance["x"][0], atol=1e-6 * np.abs(own).max())
        # By the model's outputs alone.
        f = [explain.predict(v)["y"] for v in (x[i : i + 1], rows)]
        c = int(f[0][0].argmax())
        apart = f[0][0] - f[1].mean(0)
        assert e.dataset["explained"].values[i] == pytest.approx(
            apart[c] - np.delete(apart, c).mean(), abs=1e-5
        )
    total = e.relevance.sum((1, 2), dtype=np.float64)
    np.testing.assert_allclose(
        total, e.dataset["explained"], atol=1e-5 * np.abs(e.relevance).sum((1, 2)).max()
    )
    assert "ledger" not in e.dataset or not e.dataset["ledger"].values.any()


def test_others_are_those_that_the_model_calls_otherwise(files: tuple[Path, Path]) -> None:
    e = explain_recording(*files)
    guess, at = predictions(e), {round(float(t), 6): i for i, t in enumerate(e.windows.onsets)}
    assert guess is not None
    assert len(set(guess)) == 2
    which = np.array([at[round(float(t), 6)] for t in held(e).onsets])
    for i, row in enumerate(held(e).index):
        assert (guess[which[row]] != guess[i]).all()
        assert len(set(row)) == min(4, int((guess != guess[i]).sum()))
    assert "that the model calls otherwise" in e.summary()["what"]


def test_any_others_are_never_the_window_itself(files: tuple[Path, Path]) -> None:
    e = explain_recording(*files, against="any", references=5)
    refs = held(e)
    for i, row in enumerate(refs.index):
        assert len(set(row)) == 5
        assert not (refs.onsets[row] == e.windows.onsets[i]).any()
    again = explain_recording(*files, against="any", references=5)
    other = explain_recording(*files, against="any", references=5, seed=1)
    assert (held(again).onsets == refs.onsets).all()
    assert held(other).onsets.tolist() != refs.onsets.tolist()


@pytest.mark.parametrize("events", [None, "left,right"], ids=["all windows", "rest is not explained"])
def test_against_a_label(files: tuple[Path, Path], events: str | None) -> None:
    """Also one whose windows are not among those explained; tags count."""
    e = explain_recording(*files, against="rest", references=3, events=events)
    assert set(held(e).labels) == {"rest/open"} or events is None
    assert held(e).index.shape[1] == 3
    assert "labelled rest" in held(e).how


def test_against_a_file(files: tuple[Path, Path], recorded: Make, tmp_path: Path) -> None:
    model, data = files
    e = explain_recording(model, data, references=2)
    np.save(tmp_path / "held.npy", e.windows.data[:5])
    of_arrays = explain_recording(model, data, against=tmp_path / "held.npy", references=2)
    inside = [(of_arrays.references.data[k] == e.windows.data[:5]).all((1, 2)).any() for k in range(2)]  # type: ignore[union-attr]
    assert all(inside)
    of_recording = explain_recording(model, data, against=str(data), references=2)
    assert held(of_recording).how.endswith(data.name)
    np.save(tmp_path / "wrong.npy", np.zeros((3, 2, 7)))
    with pytest.raises(InputError, match="references have the model's layout"):
        explain_recording(model, data, against=tmp_path / "wrong.npy")


def test_what_is_no_reference(files: tuple[Path, Path]) -> None:
    with pytest.raises(InputError, match="against nowhere: no such label, and no such file"):
        explain_recording(*files, against="nowhere")
    with pytest.raises(InputError, match="against none there is none"):
        explain_recording(*files, composite="difference", against="none")
    with pytest.raises(InputError, match="references 0: at least 1"):
        explain_recording(*files, references=0)


def test_one_window_is_held_against_nothing(files: tuple[Path, Path], recorded: Make) -> None:
    model, data = files
    e = explain_recording(model, data, events="left", window_options=None)
    one = replace(
        e.windows, data=e.windows.data[:1], signal=e.windows.signal[:1], onsets=e.windows.onsets[:1],
        labels=e.windows.labels[:1],
    )  # fmt: skip
    explainer = Explainer(model)
    with pytest.raises(InputError, match="one window only"):
        references_for(explainer, one, e.contract, ReferenceOptions())
    assert references_for(explainer, one, e.contract, ReferenceOptions(against="none")) is None


def test_windows_that_are_called_alike(files: tuple[Path, Path]) -> None:
    model, data = files
    e = explain_recording(model, data)
    guess = predictions(e)
    assert guess is not None
    same = np.flatnonzero(guess == guess[0])
    w = replace(
        e.windows, data=e.windows.data[same], signal=e.windows.signal[same], onsets=e.windows.onsets[same],
        labels=tuple(e.windows.labels[i] for i in same),
    )  # fmt: skip
    found = references_for(Explainer(model), w, e.contract, ReferenceOptions(references=2))
    assert found is not None
    assert "calls all" in found.notes[0]
    assert "any others" in found.notes[0]


def test_views_add_up(files: tuple[Path, Path]) -> None:
    """Bands, time and frequency, and components are of the difference."""
    e = explain_recording(*files, references=2)
    size = np.abs(e.relevance.sum(-1)).max()
    assert np.abs(bands(e).sum("band").values - e.relevance.sum(-1)).max() < 1e-5 * size
    assert np.abs(band_time(e).sum("band").values - e.relevance).max() < 1e-5 * np.abs(e.relevance).max()
    whole = time_frequency(e, seconds=0.5).sum(("frame", "frequency")).values
    assert np.abs(whole - e.relevance.sum(-1)).max() < 1e-5 * size
    found = components(e, label=False).dataset
    total = found["relevance"].sum("component") + found["residual"]
    assert np.abs(total.values - e.relevance.sum(1)).max() < 1e-5 * np.abs(e.relevance).max()


def test_zero_stands_beside(files: tuple[Path, Path]) -> None:
    e = explain_recording(*files, references=2)
    plain = explain_recording(*files, against="none")
    assert plain.references is None
    assert plain.summary()["zero"] is None
    assert (e.dataset["relevance_zero"].values == plain.relevance).all()
    said = e.summary()["zero"]
    assert said["composite"] == "attnlrp"
    assert "attnlrp" in said["said"]
    assert [d.dataset.attrs["explains"] for d in (plain, e)] == ["value", "difference"]


def test_an_explanation_reads_back_with_its_references(files: tuple[Path, Path], tmp_path: Path) -> None:
    e = explain_recording(*files, references=2)
    write(e, tmp_path, report=False)
    back = restored(explanation(tmp_path), e.contract)
    assert (held(back).index == held(e).index).all()
    assert np.abs(bands(back).values - bands(e).values).max() < 1e-6 * np.abs(bands(e).values).max()


def test_values_and_differences_are_not_compared(files: tuple[Path, Path]) -> None:
    one, other = explain_recording(*files), explain_recording(*files, against="none")
    with pytest.raises(InputError, match="some of these explanations are of differences"):
        compare([Side("a", {"s": one.dataset}), Side("b", {"s": other.dataset})])


class Planted:
    """What `confirm` asks of an Explainer: a score of one electrode's power in a band."""

    def __init__(self, electrode: int, low: float, high: float, sfreq: float) -> None:
        self.electrode, self.band, self.sfreq = electrode, (low, high), sfreq

    def value(self, x: Any, target: Any, contrast: Any) -> np.ndarray:
        (signal,) = x.values()
        spectrum = np.abs(np.fft.rfft(signal[:, self.electrode])) ** 2
        f = np.fft.rfftfreq(signal.shape[-1], 1 / self.sfreq)
        power = np.log(spectrum[:, (f >= self.band[0]) & (f < self.band[1])].sum(-1))
        return np.where(np.asarray(target) == 0, power, -power)


def planted(electrode: int, n: int = 40) -> Explained:
    """Windows with a rhythm of 10 Hz at the second electrode in every other one; the map says `electrode`."""
    rng = np.random.default_rng(0)
    signal = rng.normal(size=(n, 6, 200))
    label = np.arange(n) % 2
    signal[label == 0, 1] += 6 * np.sin(2 * np.pi * 10 * np.arange(200) / 100)
    relevance = 0.01 * rng.normal(size=signal.shape)
    relevance[:, electrode] += 1.0
    e = made(("Fp1", "C3", "C4", "O1", "O2", "Pz"), signal=signal, relevance=relevance, target=label)
    output = np.stack([1.0 - label, label], -1)
    dataset = e.dataset.assign(output=(("epoch", "class"), output))
    index = np.array([[1], [0]])[label]
    refs = ReferenceWindows(
        e.windows.data[:2], signal[:2], index, e.windows.onsets[:2], (None, None), "1 window called otherwise"
    )
    return replace(e, dataset=dataset, references=refs)


def test_an_exchange_confirms_what_decides() -> None:
    score: Any = Planted(1, 8.0, 13.0, 100.0)
    right = confirm(planted(1), score)
    assert right is not None
    assert (right.electrodes, right.verdict) == (("C3",), "confirmed")
    assert right.whole.way == pytest.approx(1.0, abs=1e-6)
    assert right.control.way == pytest.approx(0.0, abs=1e-6)
    wrong = confirm(planted(4), score)
    assert wrong is not None
    assert (wrong.electrodes, wrong.verdict) == (("O2",), "not confirmed")
    assert wrong.whole.way == pytest.approx(0.0, abs=1e-6)


def test_few_windows_confirm_nothing() -> None:
    score: Any = Planted(1, 8.0, 13.0, 100.0)
    assert confirm(planted(1, n=6), score) is None


@pytest.mark.parametrize(
    ("way", "control", "verdict"),
    [
        ((0.9, 0.8, 1.0), 0.02, "confirmed"),
        ((0.4, 0.3, 0.5), 0.02, "confirmed in part"),
        ((0.1, 0.0, 0.2), 0.02, "not confirmed"),
        ((0.6, 0.2, 0.9), 0.3, "not confirmed"),
        ((float("nan"),) * 3, 0.0, "not confirmed"),
    ],
)
def test_verdicts(way: tuple[float, float, float], control: float, verdict: str) -> None:
    found = Confirmed(("Cz",), 0.6, Way("Cz", *way), None, Way("others", control, 0.0, 0.1), 20)
    assert found.verdict == verdict
    assert found.said().startswith(verdict)


def test_a_report_says_what_it_is_against(files: tuple[Path, Path], tmp_path: Path) -> None:
    e = explain_recording(*files, references=2)
    page = e.report(tmp_path / "report.html").read_text(encoding="utf-8")
    assert page.count(f"against {held(e).how}") >= 4
    assert "Against zero" in page
