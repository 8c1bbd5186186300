"""Shares against numbers worked out by hand."""

from typing import Any

import numpy as np
import pytest
import xarray as xr

from onnxplain.eeg.electrodes import regions
from onnxplain.eeg.electrodes.positions import Electrodes
from onnxplain.eeg.explanation import shares
from onnxplain.engine.errors import InputError

CHANNELS = Electrodes(("Fp1", "Fp2", "C3", "O1"))


def test_share_by_hand() -> None:
    # Two windows, three samples. Summed over time first: [2, -1, 4, 1] and [0, 3, -3, 0].
    relevance = np.zeros((2, 4, 3))
    relevance[0] = [[5, -2, -1], [-1, 0, 0], [1, 1, 2], [0, 0, 1]]
    relevance[1] = [[9, -9, 0], [1, 1, 1], [-1, -1, -1], [2, -2, 0]]
    found = shares.share(relevance, CHANNELS, ["Fp1", "Fp2"], name="front")
    assert found.share == pytest.approx((3 / 8 + 3 / 6) / 2)
    assert found.spread == pytest.approx(1 / 16)
    assert found.signed == pytest.approx((1 + 3) / 2)
    assert found.of_electrodes == 0.5
    assert found.electrodes == ("Fp1", "Fp2")


def test_windows_without_relevance_do_not_count() -> None:
    relevance = np.zeros((2, 4, 3))
    relevance[0, 0] = 1
    assert shares.share(relevance, CHANNELS, ["Fp1"]).share == 1.0
    assert np.isnan(shares.share(relevance[1:], CHANNELS, ["Fp1"]).share)


def test_partition_sums_to_one() -> None:
    channels = Electrodes(["Fp1", "F7", "FC3", "C3", "T3", "CP1", "Pz", "PO7", "O2", "EOG", "A1"])
    relevance = np.random.default_rng(0).normal(size=(5, len(channels), 20))
    parts = shares.by_region(relevance, channels)
    assert sum(s.share for s in parts) == pytest.approx(1)
    assert sum(s.of_electrodes for s in parts) == pytest.approx(1)
    assert sum(s.signed for s in parts) == pytest.approx(relevance.sum((1, 2)).mean())
    assert shares.by_electrode(relevance).sum() == pytest.approx(1)
    assert sorted(c for s in parts for c in s.electrodes) == sorted(channels)


def test_by_electrode_is_the_share_of_each() -> None:
    relevance = np.random.default_rng(1).normal(size=(5, 4, 20))
    each = [shares.share(relevance, CHANNELS, [c]).share for c in CHANNELS]
    np.testing.assert_allclose(shares.by_electrode(relevance), each)


@pytest.mark.parametrize(
    ("name", "where"),
    [
        ("Fp1", "frontopolar"),
        ("AF7", "frontopolar"),
        ("F10", "frontal"),
        ("EEG FZ-REF", "frontal"),
        ("FC3", "frontocentral"),
        ("Cz", "central"),
        ("FT7", "temporal"),
        ("T3", "temporal"),
        ("TP10", "temporal"),
        ("CP4", "centroparietal"),
        ("T5", "parietal"),
        ("PO8", "parieto-occipital"),
        ("Iz", "occipital"),
        ("A1", "other"),
        ("EOG", "other"),
        ("Fp1-F7", "other"),
    ],
)
def test_regions(name: str, where: str) -> None:
    assert regions.region(name) == where


def test_sets_find_their_electrodes_under_any_name() -> None:
    spelt = Electrodes(["EEG FP1-REF", "f7", "Cz"])
    assert regions.members("frontal-ocular", spelt) == ("EEG FP1-REF", "f7")
    assert regions.members("sensorimotor", Electrodes(["Fp1", "C3..", "CP4", "T7"])) == ("C3..", "CP4")
    assert regions.members(["T7"], Electrodes(["T3", "C3"])) == ("T3",)
    assert regions.members("temporal", Electrodes(["T3", "C3"])) == ("T3",)
    assert not set(regions.FRONTAL_OCULAR) & set(regions.SENSORIMOTOR)


def test_sets_and_regions_under_both_namings(naming: Any) -> None:
    names = ("Fp1", "F7", "FC3", "C3", "T7", "CP1", "Pz", "PO7", "O2", "EOG")
    electrodes = naming.electrodes(names)
    for wanted in (*regions.SETS, *regions.PARTITION):
        under_names = regions.members(wanted, Electrodes(names))
        assert regions.members(wanted, electrodes) == naming.of(under_names)
    assert regions.regions_of(electrodes) == tuple(map(regions.region, names))
    relevance = np.random.default_rng(2).normal(size=(5, len(names), 20))
    for by in (shares.by_set, shares.by_region):
        found, want = by(relevance, electrodes), by(relevance, Electrodes(names))
        assert [(s.name, s.share) for s in found] == [(s.name, s.share) for s in want]


def test_unknown_set_is_refused() -> None:
    with pytest.raises(InputError, match="no region 'frontel'"):
        regions.members("frontel", Electrodes(["Fp1"]))


def test_bands_by_hand() -> None:
    """Of the 100 Hz that 200 samples a second hold: 8 to 13, from 40 on, the rest, and what has none."""
    values = np.zeros((3, 2, 4))
    values[0] = [[1, 2, 0, 0], [-1, 0, 4, 0]]
    values[1] = [[0, 0, 0, -5], [5, 0, 0, 0]]
    # The third window has no relevance, and does not count.
    names = ("alpha", "high", shares.REST, "unassigned")
    edges = {"lower": ("band", [8.0, 40.0, np.nan, np.nan]), "upper": ("band", [13.0, 140.0, np.nan, np.nan])}
    view = xr.DataArray(
        values,
        dims=("epoch", "channel", "band"),
        coords={"band": list(names), **edges},
        attrs={"sfreq": 200.0},
    )
    found = {s.name: s for s in shares.by_band(view)}
    assert [found[n].share for n in names] == pytest.approx(
        [(2 / 8 + 5 / 10) / 2, 2 / 8 / 2, 4 / 8 / 2, 5 / 10 / 2]
    )
    assert [found[n].of_frequencies for n in names] == pytest.approx([0.05, 0.60, 0.35, 0.0])
    view["upper"].values[0] = 90.0  # overlapping bands leave no rest, and not less than none
    assert {s.name: s for s in shares.by_band(view)}[shares.REST].of_frequencies == 0.0


def test_electrodes_of_windows_without_relevance() -> None:
    relevance = np.zeros((2, 3, 2))
    relevance[1] = [[1, 1], [-1, 0], [0, 1]]
    assert shares.by_electrode(relevance).tolist() == pytest.approx([0.5, 0.25, 0.25])
    assert np.isnan(shares.by_electrode(relevance[:1])).all()
