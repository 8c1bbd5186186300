"""Relevance by source: a partition, planted dipoles, planted eyes, and what a sphere cannot tell."""

from __future__ import annotations

import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import mne
import numpy as np
import pytest

from onnxplain.eeg.electrodes.positions import Electrodes
from onnxplain.eeg.explanation.explained import Explained
from onnxplain.eeg.run import explain_recording
from onnxplain.eeg.views import head_model as sphere
from onnxplain.eeg.views.sources import sources
from onnxplain.engine.errors import InputError
from onnxplain.models import demo_file

sys.path.insert(0, str(Path(__file__).parent))
sys.path.append(str(Path(__file__).parents[2] / "studies"))

from explanations import made
from simulate import CHANNELS as NAMES
from simulate import Head

REGIONS = [f"{side} {lobe}" for lobe in sphere.LOBES for side in ("left", "right")] + ["eyes", "deep"]
Array = np.ndarray


def explained_of(signal: Array, m: Array, left: Array | None = None, **contract: Any) -> Explained:
    """An explanation with a given signal in microvolt and multiplier, [epoch, channel, time]."""
    settings = {"scale": 0.01, "reference": "average", **contract}
    return made(NAMES[: signal.shape[1]], signal=signal, multiplier=m, unassigned=left, **settings)


def planted(field: Array, rng: np.random.Generator, windows: int = 12) -> Explained:
    """A source's field, with a course of its own, in sensor noise; read by the decoder that is its field."""
    field = (field - field.mean()) / np.linalg.norm(field - field.mean())
    course = rng.normal(size=(windows, 1, 100))
    signal = 20 * field[:, None] * course + rng.normal(size=(windows, len(NAMES), 100))
    signal -= signal.mean(1, keepdims=True)
    return explained_of(signal, field[:, None] * np.sign(course))


def best(e: Explained) -> str:
    """The region, or the residual, with the largest share."""
    return max(sources(e).shares(), key=lambda s: s.share).name


@pytest.mark.parametrize(
    ("method", "reference"),
    [
        ("MNE", "average"),
        ("MNE", "as recorded"),
        ("MNE", "Cz"),
        ("MNE", ("M1", "M2")),
        ("eLORETA", "average"),
    ],
)
def test_sources_and_residual_are_the_electrodes(method: str, reference: Any) -> None:
    rng = np.random.default_rng(0)
    signal, m, left = rng.normal(20, 30, (3, 4, 27, 50))
    e = explained_of(signal, m, left, reference=reference, unit="V")
    for options in ({}, {"regions": {"hand": ["C3", "CP1", "T3"]}, "snr": 10.0}):
        found = sources(e, method=method, spacing_mm=14, **options)
        data, want = found.dataset, e.relevance.sum(1, dtype=np.float64)
        whole = data["course"].sum("region") + data["residual"] + data["unassigned"]
        assert np.abs(whole.values - want).max() <= 1e-6 * np.abs(want).max()
        total = data["by_source"].sum("source") + (data["residual"] + data["unassigned"]).sum("time")
        assert np.abs(total.values - want.sum(-1)).max() <= 1e-6 * np.abs(want.sum(-1)).max()
        for name in data["region"].values:
            inside = data["by_source"].values[:, data["in_region"].values == name].sum(-1)
            np.testing.assert_allclose(inside, data["by_region"].sel(region=name), rtol=1e-9, atol=1e-9)
            np.testing.assert_allclose(inside, data["course"].sel(region=name).sum("time"), atol=1e-9)
        names = [s.name for s in found.shares()]
        regions = ["hand", "other", "eyes", "deep"] if options else REGIONS
        assert names == [*regions, "residual", "unassigned"]
        assert sum(s.share for s in found.shares()) == pytest.approx(1)
        assert sum(s.sources for s in found.shares()) == data.sizes["source"]


def test_a_source_is_its_moment_times_its_fields_multiplier() -> None:
    """One source by its definition: MNE's own estimate of the windows, and MNE's lead field."""
    rng = np.random.default_rng(1)
    signal, m = rng.normal(0, 20, (2, 2, 27, 30))
    signal -= signal.mean(1, keepdims=True)
    found = sources(explained_of(signal, m), spacing_mm=14)
    data = found.dataset
    places = np.stack([data[a].values for a in "xyz"], -1) * 1e-3
    info = sphere._info(Electrodes(NAMES))
    forward = sphere._forward(info, places)
    raw = mne.io.RawArray(np.concatenate(list(signal), -1) * 1e-6, info, verbose="error")
    raw.set_eeg_reference("average", projection=True, verbose="error")
    operator = mne.minimum_norm.make_inverse_operator(
        raw.info,
        forward,
        mne.make_ad_hoc_cov(raw.info, verbose="error"),
        loose=1.0,
        depth=None,
        verbose="error",
    )
    stc = mne.minimum_norm.apply_inverse_raw(raw, operator, 1 / 9, "MNE", pick_ori="vector", verbose="error")
    moment = stc.data.reshape(len(places), 3, 2, 30)  # ampere metre
    lead = forward["sol"]["data"].reshape(27, len(places), 3)
    lead = lead - lead.mean(0)  # volt per ampere metre
    want = np.einsum("kowt,cko,wct->wk", moment, lead, m * 1e6) * 0.01
    np.testing.assert_allclose(data["by_source"], want, rtol=1e-5, atol=1e-6 * np.abs(want).max())
    length = np.sqrt((moment**2).sum(1).mean((1, 2))) * 1e9
    np.testing.assert_allclose(data["moment"], length, rtol=1e-5)
    left = signal - np.einsum("cko,kowt->wct", lead, moment) * 1e6
    fit = 1 - (left**2).sum((1, 2)) / (signal**2).sum((1, 2))
    np.testing.assert_allclose(data["fit"], fit, rtol=1e-5)


def test_a_dipole_in_the_left_central_cortex_is_found_there() -> None:
    """Ten places below C3 and its neighbours, in any orientation."""
    rng = np.random.default_rng(2)
    head = sphere.model()
    c3 = sphere._info(Electrodes(["C3"]))["chs"][0]["loc"][:3] - head.centre
    c3 /= np.linalg.norm(c3)
    found = []
    for _ in range(10):
        toward = c3 + rng.normal(0, 0.1, 3)
        place = head.centre + rng.uniform(0.6, 0.85) * head.inner * toward / np.linalg.norm(toward)
        assert sphere.named(place[None], None) == ("left central",)
        moment = rng.normal(size=3)
        found.append(best(planted(sphere.gain(Electrodes(NAMES), place[None])[:, 0] @ moment, rng)))
    assert found.count("left central") >= 8, found


@pytest.mark.parametrize(
    ("what", "where"),
    [("saccade", "eyes"), ("blink", "eyes"), ("left hand", "left central"), ("right hand", "right central"),
     ("left alpha", "left occipital")],
)  # fmt: skip
def test_sources_of_another_head(what: str, where: str) -> None:
    """The simulation's head is not the one of the inverse: sphere, eyes and patches are its own."""
    found = []
    for subject in range(5):
        rng = np.random.default_rng(subject)
        head = Head(rng)
        field = {
            "saccade": head.saccade, "blink": head.blink, "left hand": head.hand[:, 0],
            "right hand": head.hand[:, 1], "left alpha": head.alpha[:, 0],
        }[what]  # fmt: skip
        found.append(best(planted(field, rng)))
    assert found == [where] * 5


def test_a_multiplier_that_reads_nothing_follows_the_signal() -> None:
    """Eyes as strong as all the brain: a random multiplier finds them only as large as they are."""
    rng = np.random.default_rng(4)
    head = Head(rng)
    eyes = head.saccade - head.saccade.mean()
    brain = 2 * head.background @ rng.normal(size=(150, 60 * 100)) + rng.normal(size=(27, 60 * 100))
    gaze = rng.normal(size=60 * 100) * np.sqrt((brain**2).sum() / (60 * 100 * (eyes**2).sum()))
    signal = brain - brain.mean(0) + eyes[:, None] * gaze
    signal = signal.reshape(27, 60, 100).swapaxes(0, 1)
    chance = sources(explained_of(signal, rng.normal(size=signal.shape))).shares()
    for s in chance:
        assert s.share == pytest.approx(s.of_signal, abs=0.03), s.name
    course = gaze.reshape(60, 1, 100)
    reads = sources(explained_of(signal, np.sign(course) * eyes[:, None])).shares()
    share, by_chance = ({s.name: s.share for s in x}["eyes"] for x in (reads, chance))
    assert share > 2 * by_chance


def test_the_reference_that_is_known() -> None:
    """A multiplier that reads the mean of all electrodes: a source's, if the lead field has the reference."""
    rng = np.random.default_rng(5)
    field = Head(rng).hand[:, 0]
    field = field - field[NAMES.index("Cz")]
    signal = field[:, None] * rng.normal(0, 10, (4, 1, 100))
    m = np.ones_like(signal) * np.sign(signal.mean(1, keepdims=True))
    for reference, carried, said in (("Cz", 1.0, False), ("Fz", None, False), ("as recorded", 0.0, True)):
        e = explained_of(signal, m, reference=reference)
        found = sources(e, snr=30.0)
        part = found.dataset["by_region"].sum("region").values / e.relevance.sum((1, 2))
        if carried is not None:
            np.testing.assert_allclose(part, carried, atol=0.1)
        assert any("in common is in the residual" in n for n in found.notes) == said
        offset = explained_of(np.full((1, 27, 20), 50.0), np.ones((1, 27, 20)), reference=reference)
        only = sources(offset, spacing_mm=20).dataset
        assert np.abs(only["by_region"]).max() < 1e-9
        assert only["residual"].sum() == pytest.approx(27 * 20 * 0.5)


def test_tables_of_resolution() -> None:
    """Planted dipoles, one by one through the view itself."""
    rng = np.random.default_rng(6)
    signal = rng.normal(size=(1, 27, 40))
    found = sources(explained_of(signal, signal), spacing_mm=20)
    data = found.dataset
    for table in ("crosstalk", "matched"):
        np.testing.assert_allclose(data[table].sum(data[table].dims[1]), 1)
    inside = np.flatnonzero(data["in_region"].values == "left temporal")
    places = np.stack([data[a].values for a in "xyz"], -1)[inside] * 1e-3
    lead = sphere.gain(Electrodes(NAMES), places).reshape(27, -1)
    lead = (lead - lead.mean(0)).T * 100  # a window for each dipole and orientation
    x = np.broadcast_to(lead[:, :, None], (*lead.shape, 2))
    planted_one = sources(explained_of(x, x), spacing_mm=20)
    got = np.array([s.share for s in planted_one.shares()])
    np.testing.assert_allclose(data["matched"].sel(planted="left temporal"), got, rtol=1e-4)
    landed = []
    for one in x[:, None]:
        moment = sources(explained_of(one, one), spacing_mm=20).dataset["moment"].values ** 2
        at = data["in_region"].values
        landed.append([moment[at == r].sum() / moment.sum() for r in data["region"].values])
    np.testing.assert_allclose(data["crosstalk"].sel(planted="left temporal"), np.mean(landed, 0), rtol=1e-4)
    own = np.diag(data["crosstalk"])
    assert f"{own.min():.0%}" in " ".join(found.notes)


def test_shares_by_their_definition() -> None:
    """Summed in region and window first, then the ratio, then the mean; a loop of its own."""
    rng = np.random.default_rng(7)
    signal, m = rng.normal(0, 10, (2, 5, 27, 30))
    m[3] = 0  # a window without relevance has no share
    found = sources(explained_of(signal, m), spacing_mm=20)
    data = found.dataset
    for s in found.shares():
        each, of_each = [], []
        for w in (0, 1, 2, 4):
            units = {r: data["course"].values[w, i].sum() for i, r in enumerate(data["region"].values)}
            units["residual"] = data["residual"].values[w].sum()
            each.append(abs(units[s.name]) / sum(map(abs, units.values())))
            dipoles = [
                (r, v) for r, v in zip(data["in_region"].values, data["by_source"].values[w], strict=True)
            ]
            dipoles.append(("residual", units["residual"]))
            of_each.append(sum(abs(v) for r, v in dipoles if r == s.name) / sum(abs(v) for _, v in dipoles))
        assert s.share == pytest.approx(np.mean(each))
        assert s.spread == pytest.approx(np.std(each))
        assert s.of_sources == pytest.approx(np.mean(of_each))
    nothing = sources(explained_of(signal, 0 * m), spacing_mm=20).shares()
    assert all(np.isnan(s.share) for s in nothing)


def test_a_cap_with_names_of_its_own(own_demo: Any) -> None:
    """Electrodes lie where they were measured to be, the reference's among them."""
    rng = np.random.default_rng(10)
    signal, m = rng.normal(0, 10, (2, 2, 27, 40))
    cap = own_demo.naming.electrodes(NAMES)
    for reference in ("average", "Cz"):
        settings: dict[str, Any] = {"signal": signal, "multiplier": m, "scale": 0.01, "reference": reference}
        named, own = (sources(made(names, **settings), spacing_mm=20) for names in (NAMES, cap))
        np.testing.assert_allclose(own.dataset["course"], named.dataset["course"], rtol=1e-6, atol=1e-9)
    own_reference = made(cap, signal=signal, multiplier=m, scale=0.01, reference=cap[NAMES.index("Cz")])
    np.testing.assert_allclose(
        sources(own_reference, spacing_mm=20).dataset["course"], own.dataset["course"], rtol=1e-6, atol=1e-9
    )


def test_noise_of_ones_own() -> None:
    """Where an electrode is said to be noisy, the estimate explains less of it; the level does not matter."""
    rng = np.random.default_rng(8)
    fz = np.eye(27)[NAMES.index("Fz")][:, None]
    e = explained_of(fz * rng.normal(0, 10, (2, 1, 50)), fz * np.ones((2, 1, 50)))
    power = 1 + 99 * fz[:, 0]
    covs = [mne.Covariance(np.diag(k * power), list(NAMES), [], [], nfree=1000) for k in (1e-12, 1e-10)]
    plain, *noisy = (sources(e, noise_cov=c, spacing_mm=14).dataset for c in (None, *covs))
    assert np.abs(noisy[0]["course"]).sum() < 0.2 * np.abs(plain["course"]).sum()
    np.testing.assert_allclose(noisy[0]["course"], noisy[1]["course"], rtol=1e-6, atol=1e-9)


def test_what_cannot_be_estimated() -> None:
    signal = np.random.default_rng(9).normal(size=(1, 27, 20))
    e = explained_of(signal, signal)
    few = explained_of(signal[:, :15], signal[:, :15])
    places = replace(e, windows=replace(e.windows, channels=Electrodes((*NAMES[:-2], "EOG", "AUX"))))
    cases: list[tuple[Explained, dict[str, Any], str]] = [
        (replace(e, dataset=e.dataset.drop_vars("multiplier")), {}, "no multiplier"),
        (few, {}, "15 electrodes; .* 16 or more"),
        (places, {}, "no position is known for EOG, AUX"),
        (e, {"spacing_mm": 2.0}, "5 to 20"),
        (e, {"snr": 0.0}, "snr is 0"),
        (e, {"snr": float("nan")}, "snr is nan"),
        (e, {"method": "dSPM"}, "no method 'dSPM'; there are MNE, eLORETA"),
        (e, {"regions": {}}, "regions is empty"),
        (e, {"regions": {"eyes": ["Fp1"]}}, "cannot be called 'eyes'"),
        (e, {"regions": {"hand": "C3"}}, "give a list"),
        (e, {"regions": {"hand": ["C3", "EOG"]}}, "EOG of region hand is no 10-10 electrode"),
        (e, {"regions": {"a": ["C3"], "b": ["Cz", "C3"]}}, "C3 is in the regions a and b"),
        (e, {"regions": {"middle": ["AFz"]}, "spacing_mm": 20.0}, "no dipole lies in middle"),
        (e, {"noise_cov": "noise.fif"}, "give an mne.Covariance"),
        (e, {"noise_cov": mne.Covariance(np.eye(2), ["Fp1", "Fp2"], [], [], 1)}, "lacks F7, F3"),
        (e, {"noise_cov": mne.Covariance(-np.eye(27), list(NAMES), [], [], 1)}, "without power"),
        (
            e,
            {"noise_cov": mne.Covariance(np.full((27, 27), np.nan), list(NAMES), [], [], 1)},
            "without power",
        ),
    ]
    for given, options, why in cases:
        with pytest.raises(InputError, match=why) as raised:
            sources(given, **options)
        assert "\n" not in str(raised.value)
    assert len(sources(explained_of(signal[:, :16], signal[:, :16])).shares()) == len(REGIONS) + 1


def test_where_the_demo_models_look() -> None:
    """The honest model at the hands' cortex, the shortcut at the eyes; both see the same signal."""
    found = {}
    for name in ("honest", "shortcut"):
        e = explain_recording(demo_file(f"{name}.onnx"), demo_file("recording.edf"), events="left,right")
        view = sources(e)
        want = e.relevance.sum(1, dtype=np.float64)
        whole = (view.dataset["course"].sum("region") + view.dataset["residual"]).values
        assert np.abs(whole - want).max() <= 1e-6 * np.abs(want).max()
        found[name] = {s.name: s for s in view.shares()}
    honest, shortcut = found["honest"], found["shortcut"]
    assert honest["left central"].share + honest["right central"].share > 0.6
    assert honest["eyes"].share < 0.05
    assert max(shortcut.values(), key=lambda s: s.share).name == "eyes"
    assert shortcut["eyes"].share > 1.3 * shortcut["eyes"].of_signal
    assert shortcut["eyes"].of_signal == pytest.approx(honest["eyes"].of_signal)
