"""One map a subject: averaged by hand, and refused where maps are not alike."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import xarray as xr

from onnxplain.eeg.explanation import dataset as views
from onnxplain.eeg.run import explain_recording
from onnxplain.eeg.studies.statistics import cluster_test
from onnxplain.eeg.studies.subjects import subject_maps
from onnxplain.engine.errors import InputError
from onnxplain.models import demo_file

NAMES = ("F3", "F4", "C3", "C4", "P3", "P4", "O1", "O2")


def run(values: np.ndarray, names: tuple[str, ...] = NAMES, step: float = 0.1) -> xr.DataArray:
    return xr.DataArray(
        values, dims=("epoch", "channel", "time"),
        coords={"channel": list(names), "time": np.arange(values.shape[-1]) * step},
    )  # fmt: skip


def test_runs_weigh_alike_however_long() -> None:
    small, large = np.zeros((1, 8, 4)), np.zeros((9, 8, 4))
    small[0, 0, 0] = -5  # all of the relevance in one sample: share 1
    large[:, 1, 1] = 2
    large[:, 1, 2] = -6  # shares 1/4 and 3/4
    found = subject_maps({"s1": [run(small), run(large)], "s2": [run(large)]})
    assert found.dims == ("subject", "channel", "time")
    assert found["runs"].values.tolist() == [2, 1]
    np.testing.assert_allclose(found.sum(("channel", "time")), 1)
    np.testing.assert_allclose(found.sel(subject="s1", channel="F3").values, [0.5, 0, 0, 0])
    np.testing.assert_allclose(found.sel(subject="s1", channel="F4").values, [0, 0.125, 0.375, 0])
    signed = subject_maps({"s1": [run(small), run(large)]}, signed=True)
    np.testing.assert_allclose(signed.sel(subject="s1", channel="F3").values, [-2.5, 0, 0, 0])
    np.testing.assert_allclose(signed.sel(subject="s1", channel="F4").values, [0, 1, -3, 0])


def test_electrodes_are_matched_by_name() -> None:
    x = np.random.default_rng(0).normal(size=(3, 8, 4))
    turned = run(x[:, ::-1], tuple(f"EEG {n.upper()}-REF" for n in reversed(NAMES)))
    found = subject_maps({"a": [run(x)], "b": [turned]})
    np.testing.assert_allclose(found.sel(subject="a").values, found.sel(subject="b").values)
    assert tuple(found["channel"].values) == NAMES


def test_windows_without_relevance_have_no_share() -> None:
    x = np.random.default_rng(0).normal(size=(3, 8, 4))
    with_empty = np.concatenate([x, np.zeros((5, 8, 4))])
    found = subject_maps({"a": [run(x)], "b": [run(with_empty)]})
    np.testing.assert_allclose(found[0].values, found[1].values)


def test_what_is_not_alike() -> None:
    x = np.ones((2, 8, 4))
    bad = x.copy()
    bad[0, 0, 0] = np.inf
    for second, why in (
        (run(x, ("Fp1", *NAMES[1:])), "b, run 1: other electrodes"),
        (run(x[:, :7], NAMES[:7]), "other electrodes"),
        (run(x[..., :3]), "other times"),
        (run(x, step=0.2), "other times"),
        (run(bad), "not finite"),
        (run(x[:0]), "no window"),
        (run(x * 0), "no window has any relevance"),
        (run(x)[0], "are not epoch"),
    ):
        with pytest.raises(InputError, match=why):
            subject_maps({"a": [run(x)], "b": [second]})
    for nothing in ({}, {"a": []}):
        with pytest.raises(InputError, match="at least one"):
            subject_maps(nothing)


def test_from_windows_to_a_cluster(naming: Any) -> None:
    """Eight subjects with relevance at C3 early; a difference of theirs, not of their windows."""
    rng = np.random.default_rng(3)
    places = views.places_attribute(naming.electrodes(NAMES))

    def cohort(extra: float) -> xr.DataArray:
        runs = {}
        for i in range(8):
            x = rng.normal(size=(4, 8, 12))
            x[:, NAMES.index("C3"), 2:6] += extra
            runs[f"s{i}"] = [
                run(part, naming.of(NAMES)).assign_attrs(places=places) for part in (x[:2], x[2:])
            ]
        return subject_maps(runs)

    a, b = cohort(4.0), cohort(0.0)
    found = cluster_test(
        a.values, b.values, channels=views.electrodes(a), times=a["time"].values, permutations=128
    )
    best = next(c for c in found.clusters if c.sign > 0)
    assert best.p < 0.05
    assert best.electrodes == naming.of(["C3"])
    assert (best.start, best.stop) == pytest.approx((0.2, 0.5))


@pytest.mark.row("E17")
def test_of_a_recording() -> None:
    e = explain_recording(demo_file("honest.onnx"), demo_file("recording.edf"), events="left,right")
    found = subject_maps({"s": [e]})
    assert found.shape == (1, *e.relevance.shape[1:])
    assert float(found.sum()) == pytest.approx(1)
    one = cluster_test(found.values, channels=e.windows.channels, times=e.windows.times)
    assert not one.evaluable  # a cohort of one
    assert "no p-value" in one.text
