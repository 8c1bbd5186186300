"""Baselines: planted power is found, noise is not, and nobody sits on both sides of a split."""

from __future__ import annotations

import numpy as np
import pytest

from onnxplain.eeg.explanation import shares
from onnxplain.eeg.explanation.explained import truth
from onnxplain.eeg.run import explain_recording
from onnxplain.eeg.views import baselines, decoders
from onnxplain.engine.errors import InputError
from onnxplain.models import demo_file


def windows(n: int, seed: int, size: float) -> tuple[np.ndarray, np.ndarray]:
    """Noise on eight electrodes; a rhythm on electrode 2 for class 0, on 5 for class 1."""
    rng = np.random.default_rng(seed)
    x, y = rng.normal(size=(n, 8, 200)), np.arange(n) % 2
    t = np.arange(200) / 100
    for i, label in enumerate(y):
        x[i, 5 if label else 2] += size * np.sin(2 * np.pi * (10 * t + rng.random()))
    return x, y


def test_planted_power() -> None:
    x, y = windows(120, 0, 2.0)
    found = decoders.csp_lda(x, y)
    assert found.accuracy > 0.9
    assert found.low < found.accuracy <= found.high
    assert found.chance == 0.5
    assert found.share.sum() == pytest.approx(1)
    assert set(np.argsort(-found.share)[:2]) == {2, 5}
    assert found.share[[2, 5]].sum() > 0.6
    assert "flatters" in found.notes[0]
    some = np.where(np.arange(120) < 20, -1, y)  # windows without a label do not count
    assert decoders.csp_lda(x, some).windows == 100


def test_noise_is_at_chance() -> None:
    found = [decoders.csp_lda(*windows(80, seed, 0.0)) for seed in range(8)]
    assert sum(f.low < 0.5 < f.high for f in found) >= 6


def test_nobody_is_on_both_sides() -> None:
    """Labels that only a subject's own power tells can be read within subjects, and not across them."""
    rng = np.random.default_rng(0)
    x, group = rng.normal(size=(160, 8, 200)), np.repeat(np.arange(16), 10)
    own = rng.uniform(0.3, 3, size=(16, 8))
    label = rng.permutation(np.arange(16) % 2)[group]
    x *= own[group][:, :, None]
    apart = decoders.csp_lda(x, label, groups=group)
    mixed = decoders.csp_lda(x, label)
    assert mixed.accuracy > apart.accuracy + 0.15
    assert apart.notes == ()


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({"labels": np.zeros(40, int)}, "one class only"),
        ({"labels": np.arange(39) % 2}, "39 labels"),
        ({"labels": np.r_[np.zeros(36, int), np.ones(4, int)]}, "4 windows"),
        ({"groups": ["s"] * 40}, "one subject only"),
        ({"groups": ["s"] * 3}, "groups"),
    ],
)
def test_what_cannot_be_decoded(change: dict[str, np.ndarray], reason: str) -> None:
    x, y = windows(40, 0, 1.0)
    with pytest.raises(InputError, match=reason):
        decoders.csp_lda(x, **{"labels": y, **change})


def test_an_offset_is_no_power() -> None:
    x, y = windows(120, 0, 2.0)
    np.testing.assert_allclose(decoders.csp_lda(x + 50, y).share, decoders.csp_lda(x, y).share, atol=1e-6)


def test_subjects_of_one_class_each() -> None:
    x, y = windows(40, 0, 1.0)
    with pytest.raises(InputError, match="confounded"):
        decoders.csp_lda(x, y, groups=y)


def test_copies_are_asked_what_the_network_was_asked() -> None:
    model, data = demo_file("honest.onnx"), demo_file("recording.edf")
    shares_of = {}
    for target in ("left", "predicted"):
        e = explain_recording(model, data, events="left,right", target=target, contrast="none")
        (shares_of[target],) = baselines.random_weights(e, model, copies=1)
    assert np.abs(shares_of["left"] - shares_of["predicted"]).max() > 1e-5


def test_agreement() -> None:
    rng = np.random.default_rng(0)
    a = rng.random(20)
    same = baselines.agreement(a, a)
    assert same.rank == pytest.approx(1)
    assert same.cosine == pytest.approx(1)
    assert same.p < 0.001
    p = [baselines.agreement(rng.random(20), rng.random(20), shuffles=200).p for _ in range(20)]
    assert sum(q < 0.05 for q in p) <= 4
    with pytest.raises(InputError, match="agreement"):
        baselines.agreement(a, a[:5])


def test_beside_the_demo_models() -> None:
    model = demo_file("honest.onnx")
    e = explain_recording(model, demo_file("recording.edf"), events="left,right")
    label = truth(e.windows.labels, e.contract.classes)
    csp = decoders.csp_lda(e.windows.signal, label)
    own = shares.by_electrode(e.relevance)
    (random,) = baselines.random_weights(e, model, copies=1)
    power = baselines.channel_power(e.windows)
    for share in (own, random, power, csp.share):
        assert share.shape == (27,)
        assert share.sum() == pytest.approx(1)
    assert csp.accuracy > csp.chance
    hand = [e.windows.channels.index(c) for c in ("C3", "C4")]
    assert own[hand].sum() > 2 * max(random[hand].sum(), power[hand].sum())
    every = baselines.compare_with_baselines(e, model, copies=1)
    np.testing.assert_array_equal(every.share["random weights"], random)
    assert every.csp is not None
    assert every.csp.accuracy == csp.accuracy
    assert every.agreement["CSP + LDA"].cosine > every.agreement["random weights"].cosine + 0.2
    right = {a.name: a for a in every.accuracies}
    assert [*right] == [
        "network", "CSP + LDA", "xDAWN + LDA", "potentials + LDA", "power + LDA", "random weights",
    ]  # fmt: skip
    assert right["network"].accuracy == 1
    assert right["CSP + LDA"].accuracy == csp.accuracy
    assert right["random weights"].low < 0.5 < right["random weights"].high
    said = every.answer(e)
    assert f"{every.agreement['random weights'].r:.2f}" in said
    assert "network 100 %" in said
    np.testing.assert_array_equal(random, baselines.random_weights(e, model, copies=1)[0])


def potentials(n: int, seed: int, size: float) -> tuple[np.ndarray, np.ndarray]:
    """Noise on eight electrodes; in class 1 a wave 0.8 s into the window on electrodes 3 and 4."""
    rng = np.random.default_rng(seed)
    x, y = rng.normal(size=(n, 8, 200)), np.arange(n) % 2
    wave = size * np.exp(-0.5 * ((np.arange(200) / 100 - 0.8) / 0.08) ** 2)
    x[:, 3:5] += y[:, None, None] * wave
    return x, y


def test_what_is_locked_to_an_event_is_read_by_its_own_decoders() -> None:
    x, y = potentials(120, 0, 1.2)
    found, notes = decoders.beside(x, y, 100.0, locked=True)
    right = {a.name: a.accuracy for a in found}
    assert right["xDAWN + LDA"] > 0.8
    assert right["potentials + LDA"] > 0.8
    assert right["xDAWN + LDA"] > decoders.csp_lda(x, y).accuracy + 0.1
    assert not notes
    assert [a.name for a in decoders.beside(x, y, 100.0, locked=False)[0]] == ["power + LDA"]


def test_decoders_are_at_chance_where_there_is_nothing() -> None:
    each = [
        a for seed in range(4) for a in decoders.beside(*potentials(80, seed, 0.0), 100.0, locked=True)[0]
    ]
    assert len(each) == 12
    assert sum(a.low < 0.5 < a.high for a in each) >= 10


def test_too_few_windows_have_no_decoder() -> None:
    found, notes = decoders.beside(*potentials(12, 0, 1.0), 100.0, locked=True)
    assert found == []
    assert len(notes) == 3
    assert all("10 labelled windows" in note for note in notes)
