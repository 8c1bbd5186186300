"""How far answers go along with what is exchanged: on scorers of which it is known what they read."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
from numpy.typing import NDArray

from onnxplain.eeg.exchange.pairs import FEWEST, NOTHING, Pairs, draw, why_not
from onnxplain.eeg.exchange.parts import LinearPart, on_electrodes

Floats = NDArray[np.float64]
RNG = np.random.default_rng


def electrode(i: int, channels: int = 4) -> LinearPart:
    return LinearPart(f"e{i}", f"electrode {i}", "electrode", on_electrodes(np.arange(channels) == i))


def two(score: Callable[[Floats], Floats]) -> Callable[[Floats], Floats]:
    """A choice between two classes: the second where the score is above 0."""
    return lambda x: np.stack([-score(x), score(x)], axis=1)


def level(x: Floats) -> Floats:
    """What is read: the mean of electrode 0."""
    return np.asarray(x[:, 0].mean(-1))


def windows(n: int = 80, seed: int = 0, share: float = 0.5) -> Floats:
    """Four electrodes, of which the first has an offset of either sign."""
    x = RNG(seed).normal(0, 1, (n, 4, 20))
    x[:, 0] += np.where(np.arange(n) < share * n, 5.0, -5.0)[:, None]
    return x


def drawn(x: Floats, run: Callable[[Floats], Floats], pairs: int = 100, **more: object) -> Pairs:
    return draw(x, run(x), run, RNG(1), pairs=pairs, **more)  # type: ignore[arg-type]


def test_what_is_read_is_followed_and_what_is_not_is_not() -> None:
    pairs = drawn(windows(), two(level))
    read, unread = pairs.exchange(electrode(0)), pairs.exchange(electrode(1))
    assert (read.followed, read.disturbed, read.beyond) == (1.0, 0.0, 1.0)
    assert (read.low, read.high) == (1.0, 1.0)
    assert (unread.followed, unread.beyond) == (0.0, 0.0)
    assert (read.pairs, read.numbers()["follows"]) == (100, 1.0)
    assert read.changed > unread.changed > 0
    assert pairs.follows(electrode(0)) == 1.0
    assert pairs.follows(lambda i, j: pairs.signal[i]) == 0.0


def test_a_part_that_no_pair_goes_along_with_is_left_early() -> None:
    """And what it could be at most is three in the pairs that were looked at."""
    ran: list[int] = []

    def run(x: Floats) -> Floats:
        ran.append(len(x))
        return two(level)(x)

    pairs = drawn(windows(), run)
    ran.clear()
    unread = pairs.exchange(electrode(1))
    assert sum(ran) == unread.pairs == 40
    assert np.isnan(unread.disturbed)
    assert unread.alone() == ""
    assert (unread.low, unread.high) == (0.0, 3 / 40)
    ran.clear()
    read = pairs.exchange(electrode(0))
    assert sum(ran) == 2 * read.pairs == 200
    assert read.alone() == " (0% by the disturbance alone)"


def test_more_pairs_are_looked_at_where_more_are_asked_for() -> None:
    """A part that one in fifty goes along with is found with the pairs that find it."""
    x = windows(600)
    x[:, 1] = np.where(RNG(2).random(600) < 0.06, 500.0 * np.sign(x[:, 0].mean(-1)), 0.0)[:, None]
    pairs = drawn(x, two(lambda x: x[:, :2].mean((-2, -1))), 1000)
    found = pairs.exchange(electrode(1))
    assert (found.pairs, 0.02 < found.followed < 0.12) == (1000, True)
    assert drawn(x, two(level), 1000).exchange(electrode(1)).pairs == 400


def test_what_is_read_beside_something_else_is_followed_in_part() -> None:
    """Two electrodes vote, and where they do not agree the larger one has it."""
    x = windows(400)
    x[:, 1] += 5 * x[:, 0].mean(-1, keepdims=True) / 5 * RNG(3).uniform(0, 2, (400, 1))
    pairs = drawn(x, two(lambda x: x[:, :2].mean((-2, -1))), 200)
    one, other, both = (
        pairs.exchange(electrode(0)),
        pairs.exchange(electrode(1)),
        pairs.exchange(LinearPart("both", "both", "space", on_electrodes(np.arange(4) < 2))),
    )
    assert both.followed == 1.0
    assert 0.3 < one.beyond < 0.7
    assert 0.3 < other.beyond < 0.7
    assert one.low < one.beyond < one.high
    assert one.high - one.low < 0.35


def test_the_disturbance_alone_is_taken_off() -> None:
    # Whatever is given is noise that throws the decision about: it goes nowhere.
    x = windows(200)
    noise = RNG(5).normal(0, 40, 200)
    swap = lambda i, j: x[i] + noise[j][:, None, None]  # noqa: E731
    found = drawn(x, two(level), 200).exchange(swap)
    assert found.disturbed > 0.3
    assert found.beyond < 0.15
    assert found.low < 0.05


def test_an_interval_holds_the_truth() -> None:
    """A part that the decision goes with in 60 % of the windows: so says the interval, nearly always."""
    held = []
    for seed in range(40):
        rng = RNG(seed)
        x = windows(120, seed)
        x[:, 2] = (rng.random(120) < 0.6)[:, None]  # whether this window's decision can be moved
        x[:, 3] = x[:, 0].mean(-1, keepdims=True)
        score = lambda x: np.where(x[:, 2].mean(-1) > 0.5, x[:, 0].mean(-1), x[:, 3].mean(-1))  # noqa: E731
        run = two(score)
        found = draw(x, run(x), run, rng, pairs=100).exchange(electrode(0))
        truth = 0.6
        held.append(found.low <= truth <= found.high)
    assert np.mean(held) > 0.85


def test_pairs_are_of_one_subject_where_it_has_both() -> None:
    x, groups = windows(), np.arange(80) % 4
    pairs = drawn(x, two(level), groups=groups)
    assert (groups[pairs.i] == groups[pairs.j]).all()
    assert (groups[pairs.a] == groups[pairs.b]).all()
    # Subjects of whom the model says one thing only have none: pairs are of several then.
    alone = (np.arange(80) < 40).astype(int)
    pairs = drawn(x, two(level), groups=alone)
    assert len(pairs.i) == 100
    assert (alone[pairs.i] != alone[pairs.j]).all()
    assert (alone[pairs.a] == alone[pairs.b]).all()


def test_pairs_are_of_unlike_and_of_like_decisions_among_the_rows() -> None:
    among = np.arange(10, 70)
    pairs = drawn(windows(), two(level), among=among)
    d = pairs.decisions
    assert (d[pairs.i] != d[pairs.j]).all()
    assert (d[pairs.a] == d[pairs.b]).all()
    assert (pairs.a != pairs.b).all()
    assert set(np.concatenate([pairs.i, pairs.j, pairs.a, pairs.b])) <= set(among)
    assert (len(pairs.some(7).i), len(pairs.some(7).a)) == (7, 7)


@pytest.mark.parametrize("share", [0.5, 0.2, 0.1])
def test_as_many_alike_pairs_of_each_decision_where_classes_are_uneven(share: float) -> None:
    """Of one class that everything disturbs, and one that nothing does: a disturbance is no following."""
    x = windows(200, share=share)
    pairs = drawn(x, two(level), 200)
    d = pairs.decisions
    for c in (0, 1):
        assert (d[pairs.a] == c).sum() == (d[pairs.i] == c).sum() > 0

    # A part whose exchange makes any window of class 1 one of class 0, and does nothing to the others.
    def fragile(i: NDArray[np.int64], j: NDArray[np.int64]) -> Floats:
        return np.asarray(np.where((d[i] == 1)[:, None, None], -np.abs(x[i]), x[i]))

    found = pairs.exchange(fragile)
    assert found.followed > 0.3
    assert found.beyond < 0.05


def test_a_number_goes_some_of_the_way() -> None:
    x = RNG(0).normal(0, 1, (100, 4, 20))
    x[:, :2] += RNG(1).normal(0, 3, (100, 1, 1))
    run = lambda x: (0.7 * x[:, 0] + 0.3 * x[:, 1]).mean(-1)[:, None]  # noqa: E731
    pairs = drawn(x, run)
    assert not pairs.of_classes
    found = [pairs.exchange(electrode(i)) for i in range(3)]
    assert found[0].followed == pytest.approx(0.7, abs=0.05)
    assert found[1].followed == pytest.approx(0.3, abs=0.05)
    assert found[2].followed == pytest.approx(0, abs=1e-9)
    assert all(abs(f.disturbed) < 0.1 for f in found)
    assert found[0].low <= found[0].followed - found[0].disturbed <= found[0].high
    both = LinearPart("both", "both", "space", on_electrodes(np.arange(4) < 2))
    assert pairs.exchange(both).followed == pytest.approx(1)
    assert pairs.follows(both) == pytest.approx(1)
    y = run(x)[:, 0]
    # The partner in the disturbance is like the window itself.
    assert np.median(np.abs(y[pairs.a] - y[pairs.b])) < 0.1 * np.median(np.abs(y[pairs.i] - y[pairs.j]))
    assert np.array_equal(pairs.a, pairs.i)


def test_numbers_that_noise_throws_about_go_nowhere() -> None:
    x = RNG(0).normal(0, 1, (200, 4, 20))
    x[:, 0] += RNG(1).normal(0, 3, (200, 1))
    noise = RNG(5).normal(0, 6, 200)
    pairs = drawn(x, lambda x: level(x)[:, None], 200)
    found = pairs.exchange(lambda i, j: x[i] + noise[j][:, None, None])
    assert found.beyond < 0.15


def test_windows_that_do_not_differ_in_a_part() -> None:
    x = windows()
    x[:, 3] = 7.0
    pairs = drawn(x, two(level))
    assert pairs.changes(electrode(3)) == 0 < NOTHING < pairs.changes(electrode(1))
    assert pairs.exchange(electrode(3)).changed == 0
    assert pairs.follows(electrode(3)) == 0


@pytest.mark.parametrize(
    ("outputs", "said"),
    [
        (np.ones((40, 2)), "The output is constant."),
        (np.ones((40, 1)), "The output is constant."),
        (np.zeros((0, 2)), "The output is constant."),
        (np.eye(2)[np.r_[np.zeros(40, int), np.ones(FEWEST - 1, int)]], "one class in nearly all windows"),
        (RNG(0).normal(size=(40, 2, 3)), "neither a choice between classes nor one number"),
        (np.eye(2)[np.r_[np.zeros(40, int), np.ones(FEWEST, int)]], None),
        (RNG(0).normal(size=(40, 1)), None),
        (RNG(0).normal(size=40), None),
    ],
)
def test_why_nothing_can_be_exchanged(outputs: Floats, said: str | None) -> None:
    found = why_not(outputs)
    assert found is None if said is None else said in str(found)
