"""Statistics over subjects: planted effects, published figures, and no p-value where there can be none."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import stats

from onnxplain.eeg.electrodes.positions import Electrodes
from onnxplain.eeg.studies.statistics import (
    FEWEST,
    cluster_test,
    consistency,
    effect,
    effect_map,
    icc,
    least_p,
)
from onnxplain.engine.errors import InputError

NAMES = ("Fp1", "Fp2", "F3", "F4", "C3", "Cz", "C4", "P3", "Pz", "P4", "O1", "O2")
HEADS = Electrodes(NAMES)
TIMES = np.arange(30) / 30
# Shrout & Fleiss (1979), table 2: six targets, four judges.
RATINGS = np.array(
    [[9, 2, 5, 8], [6, 1, 3, 2], [8, 4, 6, 8], [7, 1, 2, 6], [10, 5, 6, 9], [6, 2, 4, 7]], dtype=float
)


def maps(n: int, seed: int, size: float = 0.0) -> np.ndarray:
    """Noise, and an effect at C3 and P3 from 0.33 to 0.63 s."""
    x = np.random.default_rng(seed).normal(size=(n, len(NAMES), len(TIMES)))
    for name in ("C3", "P3"):
        x[:, NAMES.index(name), 10:20] += size
    return x


@pytest.mark.parametrize("paired", [True, False])
def test_a_planted_difference_is_found(paired: bool) -> None:
    found = cluster_test(
        maps(14, 0, 2.0), maps(14, 1), channels=HEADS, times=TIMES, paired=paired, permutations=256
    )
    assert found.evaluable
    best = found.clusters[0]
    assert best.p < 0.02
    assert {"C3", "P3"} <= set(best.electrodes)
    assert best.start <= 0.4
    assert best.stop >= 0.6
    assert "does not establish where" in found.text
    assert found.t is not None
    assert found.t.shape == (len(NAMES), len(TIMES))
    again = cluster_test(
        maps(14, 0, 2.0), maps(14, 1), channels=HEADS, times=TIMES, paired=paired, permutations=256
    )
    assert [c.p for c in again.clusters] == [c.p for c in found.clusters]


def test_noise_is_not_found_more_often_than_it_should() -> None:
    hits = 0
    for seed in range(20):
        found = cluster_test(maps(10, 100 + seed), channels=HEADS, times=TIMES, permutations=100, seed=seed)
        hits += any(c.p < 0.05 for c in found.clusters)
    assert hits <= 4  # 1 expected; more than 4 of 20 in 3 of 1000


@pytest.mark.row("E17")
def test_too_few_subjects_give_no_p_value() -> None:
    for n in (1, 2, 5):
        found = cluster_test(maps(n, 0, 5.0), channels=HEADS, times=TIMES)
        assert not found.evaluable
        assert found.clusters == ()
        assert "no p-value" in found.text
    assert not cluster_test(maps(3, 0), maps(9, 1), channels=HEADS, times=TIMES, paired=False).evaluable
    assert consistency(maps(2, 0)) is None
    assert effect(np.arange(3.0), np.arange(3.0), paired=True) is None


def test_what_does_not_fit() -> None:
    with pytest.raises(InputError, match="not \\[subject"):
        cluster_test(maps(8, 0)[:, :5], channels=HEADS, times=TIMES)
    with pytest.raises(InputError, match="cannot be pairs"):
        cluster_test(maps(8, 0), maps(7, 0), channels=HEADS, times=TIMES)
    with pytest.raises(InputError, match="no position"):
        cluster_test(maps(8, 0), channels=HEADS.some((*NAMES[:-1], "AUX")), times=TIMES)
    broken = maps(8, 0)
    broken[0, 0, 0] = np.nan
    with pytest.raises(InputError, match="finite"):
        cluster_test(broken, channels=HEADS, times=TIMES)


def test_icc_against_shrout_and_fleiss() -> None:
    assert icc(RATINGS).value == pytest.approx(0.2898, abs=1e-4)
    assert icc(RATINGS, average=True).value == pytest.approx(0.6201, abs=1e-4)
    # McGraw & Wong's interval for these data (as psych::ICC and pingouin give it).
    single = icc(RATINGS)
    assert single.low == pytest.approx(0.0188, abs=2e-3)
    assert single.high == pytest.approx(0.7611, abs=2e-3)
    same = np.repeat(np.arange(5.0)[:, None], 3, axis=1)
    assert icc(same).value == pytest.approx(1)
    for wrong in (RATINGS[:1], RATINGS[:, :1], RATINGS[0], RATINGS * np.nan):
        with pytest.raises(InputError, match="icc"):
            icc(wrong)


def test_consistency() -> None:
    rng = np.random.default_rng(0)
    common = rng.normal(size=200)
    alike = consistency(common + 0.5 * rng.normal(size=(12, 200)))
    unlike = consistency(rng.normal(size=(12, 200)))
    assert alike is not None
    assert unlike is not None
    assert alike.value == pytest.approx(1 / 1.25, abs=0.05)  # variance in common over the whole
    assert alike.low > 0.6
    assert abs(unlike.value) < 0.05
    assert unlike.low < 0 < unlike.high


@pytest.mark.parametrize("noise", [0.02, 0.3, 1.0, 3.0])
@pytest.mark.parametrize("n", [3, 4, 12])
def test_the_interval_of_a_consistency_is_one_of_correlations(noise: float, n: int) -> None:
    """Symmetric intervals of few subjects end above 1; Fisher's z ends within, and is skewed."""
    rng = np.random.default_rng(n)
    found = consistency(rng.normal(size=20) + noise * rng.normal(size=(n, 20)))
    assert found is not None
    assert -1 <= found.low <= found.value <= found.high <= 1
    assert np.arctanh(found.high) - np.arctanh(found.value) == pytest.approx(
        np.arctanh(found.value) - np.arctanh(found.low)
    )


def test_subjects_that_are_all_alike() -> None:
    found = consistency(np.tile(np.arange(20.0), (5, 1)))
    assert found is not None
    assert (found.low, found.value, found.high) == pytest.approx((1, 1, 1))


def test_the_least_p_that_subjects_can_give() -> None:
    """It is what the exact test of a large effect gives."""
    found = cluster_test(maps(FEWEST, 0, size=20.0), channels=HEADS, times=TIMES)
    assert found.clusters[0].p == pytest.approx(least_p(FEWEST))


def test_effects() -> None:
    rng = np.random.default_rng(0)
    b = rng.normal(size=40)
    a = b + 0.8 + rng.normal(size=40)
    found = effect(a, b, paired=True)
    assert found is not None
    assert found.low < 0.8 < found.high
    assert found.value == pytest.approx((a - b).mean() / (a - b).std(ddof=1))
    unlike = effect(rng.normal(1, 1, 60), rng.normal(0, 1, 50), paired=False)
    assert unlike is not None
    assert unlike.low < 1 < unlike.high
    assert effect(np.ones(8), np.ones(8), paired=True) is None


@pytest.mark.parametrize("paired", [True, False])
def test_clusters_have_a_sign(paired: bool) -> None:
    """Neighbours that differ in opposite directions are two clusters, and swapping sides swaps signs."""
    a, b = maps(12, 0, -2.0), maps(12, 1)
    a[:, NAMES.index("Pz"), 10:20] += 2  # next to P3
    found = cluster_test(a, b, channels=HEADS, times=TIMES, paired=paired, permutations=128)
    strong = [c for c in found.clusters if c.p < 0.05]
    assert {c.sign for c in strong} == {1, -1}
    for cluster in strong:
        assert ("Pz" in cluster.electrodes) == (cluster.sign > 0)
        assert ("P3" in cluster.electrodes) == (cluster.sign < 0)
    turned = cluster_test(b, a, channels=HEADS, times=TIMES, paired=paired, permutations=128)
    assert sorted(-c.mass for c in turned.clusters) == pytest.approx(sorted(c.mass for c in found.clusters))
    assert found.t is not None
    test = stats.ttest_rel if paired else stats.ttest_ind
    np.testing.assert_allclose(found.t, test(a, b).statistic)
    up = cluster_test(a, b, channels=HEADS, times=TIMES, paired=paired, permutations=128, tail=1)
    assert up.clusters
    assert all(c.sign > 0 for c in up.clusters)
    down = cluster_test(a, b, channels=HEADS, times=TIMES, paired=paired, permutations=128, tail=-1)
    assert down.clusters
    assert all(c.sign < 0 for c in down.clusters)


def test_unlike_groups_of_noise_are_not_found_more_often_than_they_should() -> None:
    hits = 0
    for seed in range(20):
        found = cluster_test(
            maps(8, 300 + seed), maps(9, 600 + seed), channels=HEADS, times=TIMES, paired=False,
            permutations=100, seed=seed,
        )  # fmt: skip
        hits += any(c.p < 0.05 for c in found.clusters)
    assert hits <= 4


def test_permutations_that_were_made_are_counted() -> None:
    found = cluster_test(maps(6, 0, 2.0), channels=HEADS, times=TIMES, permutations=1024)
    assert found.permutations == 2**5  # all sign flips of 6, two-sided
    assert "32 permutations" in found.text
    assert min(c.p for c in found.clusters) >= 1 / 32
    nothing = cluster_test(maps(8, 0), channels=HEADS, times=TIMES, threshold=1e6)
    assert nothing.clusters == ()
    assert nothing.permutations == 0
    assert "reaches the threshold" in nothing.text


@pytest.mark.parametrize("paired", [True, False])
@pytest.mark.parametrize("size", [2.0, -2.0])
def test_threshold_free_enhancement(paired: bool, size: float) -> None:
    found = cluster_test(
        maps(12, 0, size), maps(12, 1), channels=HEADS, times=TIMES, paired=paired, permutations=128,
        threshold={"start": 0, "step": 0.5},
    )  # fmt: skip
    assert 1 <= len(found.clusters) <= 5  # and not one for every sample
    best = max(found.clusters, key=lambda c: abs(c.mass))
    assert best.p < 0.05
    assert {"C3", "P3"} <= set(best.electrodes)
    assert best.sign == np.sign(size)
    noise = cluster_test(
        maps(10, 7), channels=HEADS, times=TIMES, permutations=128, threshold={"start": 0, "step": 0.5}
    )
    assert not [c for c in noise.clusters if c.p < 0.02]


@pytest.mark.parametrize("threshold", [None, {"start": 0, "step": 0.5}])
def test_an_electrode_without_any_relevance(threshold: dict[str, float] | None) -> None:
    a, b = maps(10, 0, 2.0), maps(10, 1)
    a[:, 0], b[:, 0] = 0, 0
    for paired in (True, False):
        found = cluster_test(
            a, b, channels=HEADS, times=TIMES, paired=paired, permutations=64, threshold=threshold
        )
        assert found.t is not None
        assert not found.t[0].any()
        assert found.clusters[0].p < 0.05
        assert all("Fp1" not in c.electrodes for c in found.clusters)


def test_effect_maps() -> None:
    rng = np.random.default_rng(0)
    a, b = rng.normal(size=(12, 3, 5)) + 1, rng.normal(size=(10, 3, 5))
    a[:, 2, 4] = b[:, 2, 4] = 0
    g, d = effect_map(a, b, paired=False), effect_map(a[:10], b, paired=True)
    assert np.isnan(g[2, 4])
    assert np.isnan(d[2, 4])
    for i, j in ((0, 0), (1, 3)):
        x, y = a[:, i, j], b[:, i, j]
        pooled = np.sqrt((11 * x.var(ddof=1) + 9 * y.var(ddof=1)) / 20)
        assert g[i, j] == pytest.approx((1 - 3 / (4 * 22 - 9)) * (x.mean() - y.mean()) / pooled)
        assert d[i, j] == pytest.approx(
            stats.ttest_rel(x[:10], y).statistic / np.sqrt(10)
        )  # d_z = t / sqrt(n)
    with pytest.raises(InputError, match="not like maps"):
        effect_map(a, b, paired=True)
    with pytest.raises(InputError, match="not like maps"):
        effect_map(a[:1], b[:1], paired=True)
