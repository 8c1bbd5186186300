"""Evaluation of EEG models: features, splines, the demo's models, what is written."""

from __future__ import annotations

import csv
import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import mne
import numpy as np
import pytest

import onnxplain as ox
from onnxplain.eeg.electrodes.names import template_positions
from onnxplain.eeg.electrodes.positions import Electrodes
from onnxplain.eeg.recording.windows import from_model_layout
from onnxplain.eeg.reports.evaluation import write
from onnxplain.eeg.studies.evaluate import Evaluation, evaluate, evaluated, methods_of
from onnxplain.eeg.studies.features import Bands, Spline, features, spline_interpolation
from onnxplain.eeg.studies.sample import chosen, of_array, sample
from onnxplain.engine.composite import composite
from onnxplain.engine.evaluation.replacement import Transplant
from onnxplain.engine.evaluation.setting import AGAINST_ZERO
from onnxplain.models import demo_file

Make = Callable[..., Any]
rng = np.random.default_rng(5)


@pytest.fixture(scope="module")
def demo() -> Evaluation:
    """The demo's model that takes a shortcut, on some windows."""
    return evaluate(
        demo_file("shortcut.onnx"),
        demo_file("recording.edf"),
        windows=24,
        methods=("attnlrp", "gradient"),
        donors=3,
    )


# --- features


def test_electrodes_and_segments_are_partitions(make_contract: Make) -> None:
    contract = make_contract()
    x = rng.standard_normal((3, *contract.shape)).astype(np.float32)
    r = rng.standard_normal(x.shape)
    time = from_model_layout(r, contract)
    by = features("electrodes", contract)
    assert by.names == contract.channels
    np.testing.assert_allclose(by.relevance(x, r, None), time.sum(-1))
    seconds = features("segments", contract)
    assert seconds.names[:3] == ("Fp1 0 to 1 s", "Fp1 1 to 2 s", "Fp2 0 to 1 s")
    parts = seconds.relevance(x, r, None).reshape(3, len(contract.channels), 2)
    np.testing.assert_allclose(parts, time.reshape(3, -1, 2, 100).sum(-1))
    long = make_contract(window=230, patch=10)  # 2.3 s: the last 0.3 go to the second second
    assert len(features("segments", long).names) == 2 * len(long.channels)
    with pytest.raises(ox.InputError, match="features ears"):
        features("ears", contract)


def test_bands_are_a_partition_of_signal_and_relevance(make_contract: Make) -> None:
    contract = make_contract()
    at = Bands(contract, {"low": (1, 10), "high": (10, 40)})
    assert at.names == ("low", "high", "rest")
    x, other = (rng.standard_normal((4, *contract.shape)).astype(np.float32) for _ in range(2))
    m = rng.standard_normal(x.shape)
    np.testing.assert_allclose(
        at.relevance(x, x * m, m).sum(1), (x * m).reshape(4, -1).sum(1), rtol=1e-4, atol=1e-4
    )
    everything, nothing = np.ones((4, 3), dtype=bool), np.zeros((4, 3), dtype=bool)
    np.testing.assert_allclose(at.mixed(x, other, everything), other, atol=1e-5)
    np.testing.assert_allclose(at.mixed(x, other, nothing), x, atol=1e-5)
    half = from_model_layout(at.mixed(x, other, np.array([[True, False, False]] * 4)), contract)
    spectra = [np.fft.rfft(from_model_layout(v, contract)) for v in (x, other)]
    got = np.fft.rfft(half)
    frequency = np.arange(got.shape[-1]) / 2.0
    inside = (frequency >= 1) & (frequency < 10)
    np.testing.assert_allclose(got[..., inside], spectra[1][..., inside], atol=1e-3)
    np.testing.assert_allclose(got[..., ~inside], spectra[0][..., ~inside], atol=1e-3)
    with pytest.raises(ox.InputError, match="multiplier"):
        at.relevance(x, x * m, None)


def test_splines_are_those_of_mne(make_contract: Make) -> None:
    names = mne.channels.make_standard_montage("easycap-M1").ch_names[:40]
    placed = template_positions(names)
    names = [n for n in names if n in placed]
    away = np.zeros(len(names), dtype=bool)
    away[[3, 10, 17]] = True
    # A smooth field, as a far source makes it.
    place = np.array([placed[n] for n in names])
    field = place @ rng.standard_normal((3, 200)) + 0.01
    field[:, 100:] += 0.05 * rng.standard_normal((len(names), 100))  # and a rough one, which no spline knows
    got = Spline(place)(away) @ field
    info = mne.create_info(names, 100.0, "eeg")
    info.set_montage(mne.channels.make_dig_montage(placed, coord_frame="head"))
    info["bads"] = [n for n, a in zip(names, away, strict=True) if a]
    raw = mne.io.RawArray(np.where(away[:, None], 0, field), info, verbose="error")
    raw.interpolate_bads(reset_bads=True, verbose="error")
    want = raw.get_data()
    np.testing.assert_array_equal(got[~away], field[~away])
    # MNE puts the centre of the sphere elsewhere, by a little.
    assert np.abs(got[away] - want[away]).max() < 0.02 * np.abs(want).max()
    assert np.abs(got[away] - field[away])[:, :100].max() < 0.05 * np.abs(field).max()


def test_no_filling_makes_a_flat_electrode(make_contract: Make, naming: Any) -> None:
    contract = make_contract()
    x = rng.standard_normal((8, *contract.shape)).astype(np.float32)
    by = features("electrodes", contract)
    spline = spline_interpolation(contract, naming.electrodes(contract.channels))
    assert spline is not None
    for replacement in (Transplant(by, x), spline):
        most = len(contract.channels) - replacement.least
        for count in (1, most // 2, most):
            gone = rng.random((8, len(contract.channels))).argsort(1) < count
            made = from_model_layout(replacement(x, np.arange(8), gone, 0), contract)
            own = from_model_layout(x, contract)
            np.testing.assert_array_equal(made[~gone], own[~gone])
            assert (made[gone].std(-1) > 0.02).all()
            assert not np.isclose(made[gone], own[gone]).mean() > 0.1


def test_without_positions_there_is_no_spline(make_contract: Make) -> None:
    assert (
        spline_interpolation(make_contract(("E1", "E2", *"ABCDEFGH")), Electrodes(("E1", "E2", *"ABCDEFGH")))
        is None
    )
    assert spline_interpolation(make_contract(("Fz", "Cz", "Pz")), Electrodes(("Fz", "Cz", "Pz"))) is None


# --- the demo's models


def test_maps_beat_random_orders_on_the_demo(demo: Evaluation) -> None:
    for method in ("difference", "attnlrp"):
        own = demo.measured.faithfulness["transplant"][method]
        assert own.abpc_over_random.low > 0
        assert own.over_random.low > 0
    assert demo.main == "difference"
    assert any(n.startswith("Against 4 windows that the model calls otherwise") for n in demo.notes)
    chance = demo.measured.faithfulness["transplant"]["random"].abpc
    assert chance.low - 0.5 < 0 < chance.high + 0.5
    assert set(demo.measured.faithfulness) == {"transplant", "interpolation"}
    assert demo.measured.faithfulness["interpolation"]["attnlrp"].abpc_over_random.low > 0
    last = demo.measured.sanity.stages[-1]
    assert last.random == 1
    assert last.similarity.rank.value < 0.3
    said = " ".join(demo.sentences())
    assert "more than random orders" in said
    assert "ordering by power alone" in said


def test_what_is_written(demo: Evaluation, tmp_path: Path) -> None:
    files = write(demo, tmp_path)
    names = {p.name for p in files}
    assert names >= {
        "evaluation.json",
        "curves.csv",
        "report.html",
        "abpc.png",
        "agreement.png",
        "cascade.png",
    }
    assert all((tmp_path / f"{p.stem}.svg").exists() for p in files if p.suffix == ".png")
    summary = json.loads((tmp_path / "evaluation.json").read_text(encoding="utf-8"))
    assert summary["windows"] == {"evaluated": 24, "of": 82}
    assert summary["methods"] == ["difference", "attnlrp", "gradient"]
    assert summary["against"] == "4 windows that the model calls otherwise"
    assert summary["options"]["against"] == "other"
    (row,) = (
        m
        for m in summary["metrics"]
        if (m["metric"], m["method"], m["replacement"]) == ("ABPC", "attnlrp", "transplant")
    )
    with (tmp_path / "curves.csv").open(encoding="utf-8") as file:
        rows = [
            r for r in csv.DictReader(file) if (r["replacement"], r["method"]) == ("transplant", "attnlrp")
        ]
    curve = {k: np.array([float(r["value"]) for r in rows if r["first"] == k]) for k in ("most", "least")}
    gone = np.array([float(r["gone"]) for r in rows if r["first"] == "most"])
    assert row["value"] == pytest.approx(np.trapezoid(curve["least"] - curve["most"], gone))
    page = (tmp_path / "report.html").read_text(encoding="utf-8")
    assert "RegionPerturbation" in page
    assert "What to beware of" in page


def test_without_a_report(demo: Evaluation, tmp_path: Path) -> None:
    assert sorted(p.name for p in write(demo, tmp_path, report=False)) == ["curves.csv", "evaluation.json"]


def test_bands_with_integrated_gradients_and_patches(
    make_contract: Make, make_model: Make, recorded: Make
) -> None:
    contract = make_contract()
    found = evaluate(
        make_model(contract),
        recorded(),
        kind="bands",
        windows=8,
        methods=("integrated_gradients", "occlusion"),
        bands={"low": (1, 8), "alpha": (8, 13), "high": (13, 40)},
    )
    assert found.measured.features == ("low", "alpha", "high", "rest")
    assert found.measured.methods == ("difference", "integrated_gradients", "occlusion")
    at = found.sample.setting
    whole = replace(at, features=features("electrodes", make_contract()))
    np.testing.assert_allclose(
        found.measured.maps["difference"].sum(1), whole.maps("difference").sum(1), rtol=1e-3, atol=1e-4
    )
    assert found.sample.time_axes == (-2, -1)
    assert set(found.measured.curves) == {"transplant"}
    assert any("short orders" in note for note in found.notes)
    assert set(found.measured.stability) == {"noise", "shift", "dropout"}


# --- choosing


def test_windows_are_chosen_by_the_seed(make_contract: Make, make_model: Make, recorded: Make) -> None:
    model, data = make_model(make_contract()), recorded()
    first, again, other = (sample(model, data, windows=5, seed=s) for s in (1, 1, 2))
    np.testing.assert_array_equal(first.setting.x, again.setting.x)
    assert not np.array_equal(first.setting.x, other.setting.x)
    assert (len(first.setting), first.of) == (5, 10)
    assert "5 of 10 windows were taken, at random (seed 1)." in first.decisions
    assert list(chosen(4, 9, 0)) == [0, 1, 2, 3]
    with pytest.raises(ox.InputError, match="at least 2"):
        chosen(4, 1, 0)


def test_what_windows_are_held_against(
    make_contract: Make, make_model: Make, recorded: Make, tmp_path: Path
) -> None:
    model, data = make_model(make_contract()), recorded()
    every = sample(model, data, windows=99).setting
    labels = recorded(
        "labelled_raw.fif", marks=[(1.0 + 2 * i, 0.0, "rest" if i % 2 else "task") for i in range(9)]
    )
    some = sample(model, data, windows=6, references=2)
    assert some.setting.explainer.composite.name == "difference"
    assert some.setting.against.beside is not None
    assert len(some.setting.against.beside) == len(every) - 6
    assert not {x.tobytes() for x in some.setting.against.beside} & {x.tobytes() for x in some.setting.x}
    assert some.provenance["options"]["references"] == some.setting.held.index.shape[1] == 2
    anyone = sample(model, data, against="any", composite="cplrp").setting
    assert (anyone.held.said, anyone.explainer.composite.name) == ("4 of any other windows", "cplrp")
    zero = sample(model, data, against="none")
    assert (zero.against, zero.setting.explainer.composite.name) == ("none", "attnlrp")
    assert evaluated(zero).measured.methods == AGAINST_ZERO
    rest = sample(model, labels, events="rest,task", against="rest", windows=6).setting
    assert rest.held.said.endswith("windows labelled rest")
    cuts = sample(model, labels, events="rest", windows=99).setting.x
    assert {x.tobytes() for x in rest.held.data[np.unique(rest.held.index)]} <= {x.tobytes() for x in cuts}
    # A label that no window has: cut anew.
    other = sample(model, labels, events="task", against="rest").setting
    assert {x.tobytes() for x in other.held.of(np.arange(len(other))).reshape(-1, *cuts.shape[1:])} <= {
        x.tobytes() for x in cuts
    }
    np.save(tmp_path / "held.npy", every.x[:2])
    file = sample(model, data, against=tmp_path / "held.npy").setting
    assert file.held.said == "2 windows of held.npy"
    with pytest.raises(ox.InputError, match="no such label"):
        sample(model, data, against="sleep")


def test_rows_of_an_array_are_held_against_others(make_contract: Make, make_model: Make) -> None:
    contract = make_contract()
    explain = ox.Explainer(make_model(contract))
    x = rng.standard_normal((9, *contract.shape)).astype(np.float32)
    found = of_array(explain, x, Path("x.npy"), windows=6, against="any", references=3)
    assert found.setting.held.said == "3 of any other windows"
    found = of_array(explain, x, Path("x.npy"), against="y.npy", others=x[:2] + 1)
    assert found.setting.held.said == "2 rows of y.npy"
    with pytest.raises(ox.InputError, match="against rest: rows of an array"):
        of_array(explain, x, Path("x.npy"), against="rest")


def test_electrodes_are_interpolated_wherever_their_places_are_known(demo_cap: Any) -> None:
    found = sample(
        demo_file("shortcut.onnx"),
        demo_cap.recording,
        contract=demo_cap.contract,
        events="left/agree",
        windows=4,
    )
    assert found.interpolation is not None
    assert found.setting.features.names == demo_cap.contract.channels
    assert not any("not interpolated" in d for d in found.decisions)


def test_methods_are_told_apart() -> None:
    own = composite("gamma", {"gamma": 0.5})
    found = methods_of(own, ("gamma", "cplrp", "occlusion"))
    assert list(found) == ["gamma (gamma 0.5)", "gamma", "cplrp", "occlusion"]
    assert list(methods_of(composite("attnlrp"), ("cplrp", "attnlrp"))) == ["attnlrp", "cplrp"]
    with pytest.raises(ox.InputError, match="unknown composite 'lime'"):
        methods_of(own, ("lime",))


def test_arrays_have_features_along_their_first_axis(make_contract: Make, make_model: Make) -> None:
    contract = make_contract()
    explain = ox.Explainer(make_model(contract))
    x = rng.standard_normal((5, *contract.shape)).astype(np.float32)
    found = of_array(explain, x, Path("x.npy"), windows=4)
    assert found.setting.features.names == contract.channels
    assert (found.kind, found.time_axes, len(found.setting)) == ("features", 2, 4)
