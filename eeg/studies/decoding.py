"""Can labels be read from a few numbers of each window? Cross-validated, and against shuffled labels.

Slow things make windows that lie side by side alike, and so do people. So windows that are guessed are others
than those that the decoder has learnt from: another person's, or of another segment of the recording. Labels
are shuffled within a person, and as whole blocks where they come in blocks.
"""

from __future__ import annotations

import warnings
from dataclasses import dataclass, field
from functools import cached_property
from itertools import groupby
from math import lgamma
from typing import Any

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]

FOLDS = 5
SHUFFLES = 499
DRAWS = 999
# With fewer ways to deal the labels anew no shuffle can tell what p < 0.01 asks for.
FEWEST_WAYS = 100
FEWEST_UNITS = 8  # people or blocks, to draw them anew for an interval
STRENGTH = 0.3  # C of the logistic regression
# What the same penalty is for least squares: the logistic's curvature at 0 is a quarter.
RIDGE = 4 / STRENGTH
_BLOCKED = 199  # shuffles, all of which have to have fewer neighbours of one label


@dataclass(frozen=True)
class Decoded:
    """How well labels can be told.

    Attributes
    ----------
    value : float
        Balanced accuracy, or the correlation with labels that are numbers.
    low, high : float
        Its 95 % interval.
    chance : float
    p : float
        The part of the shuffles that do as well.
    """

    value: float
    low: float
    high: float
    chance: float
    p: float


@dataclass(frozen=True, eq=False)
class Design:
    """Labels of windows, and what says how they may be shuffled.

    Attributes
    ----------
    y : ndarray, shape (window,)
        Number of the class, or a number.
    classes : tuple of str
        Names of the classes; empty where labels are numbers.
    subjects, recordings : ndarray of int, shape (window,)
    onsets : ndarray, shape (window,)
        Seconds in the recording.
    seed : int
    """

    y: NDArray[Any]
    classes: tuple[str, ...]
    subjects: Ints
    recordings: Ints
    onsets: Floats
    seed: int = 0
    rng: np.random.Generator = field(init=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "rng", np.random.default_rng([self.seed, 0xA1]))

    def __len__(self) -> int:
        return len(self.y)

    @property
    def of_classes(self) -> bool:
        """Whether labels are classes."""
        return bool(self.classes)

    @property
    def chance(self) -> float:
        """What no knowledge gives."""
        return 1 / len(self.classes) if self.classes else 0.0

    @cached_property
    def order(self) -> Ints:
        """Windows in order of time, recording by recording."""
        return np.asarray(np.lexsort((self.onsets, self.recordings)))

    @cached_property
    def following(self) -> Ints:
        """Pairs of windows that follow each other in a recording, (pair, 2)."""
        pairs = np.stack([self.order[:-1], self.order[1:]], axis=1)
        return np.asarray(pairs[self.recordings[pairs[:, 0]] == self.recordings[pairs[:, 1]]])

    @cached_property
    def one_each(self) -> bool:
        """Whether there are several subjects, each with one label only."""
        each = [len(np.unique(self.y[self.subjects == s])) for s in np.unique(self.subjects)]
        return len(each) > 1 and max(each) == 1

    @cached_property
    def blocks(self) -> Ints:
        """The block of one label that each window is in; where there are none, the window's own number."""
        free = self.freely(_BLOCKED)
        a, b = self.following.T if len(self.following) else np.zeros((2, 0), np.int64)
        same = float((self.y[a] == self.y[b]).mean()) if len(a) else 0.0
        if not len(a) or same <= (free[:, a] == free[:, b]).mean(1).max():
            return np.arange(len(self), dtype=np.int64)
        out = np.zeros(len(self), np.int64)
        runs = groupby(self.order, key=lambda i: (self.recordings[i], self.y[i]))
        for number, (_, rows) in enumerate(runs):
            out[list(rows)] = number
        return out

    @cached_property
    def units(self) -> Ints:
        """What is shuffled as a whole: subjects, blocks or windows."""
        return self.subjects if self.one_each else self.blocks

    @cached_property
    def said_units(self) -> str:
        """What is shuffled, in words."""
        if self.one_each:
            return "subjects, each of which has one label only"
        return "windows" if len(np.unique(self.units)) == len(self) else "blocks of one label"

    @cached_property
    def by_subject(self) -> bool:
        """Whether folds are of subjects: two or more have several labels, or each of several has one."""
        each = [len(np.unique(self.y[self.subjects == s])) for s in np.unique(self.subjects)]
        return sum(n > 1 for n in each) >= 2 or (self.one_each and len(each) >= 4)

    @cached_property
    def folds(self) -> Ints:
        """The fold of each window: some subjects, or a segment of each recording."""
        if self.by_subject:
            names, counts = np.unique(self.subjects, return_counts=True)
            shuffled = np.random.default_rng([self.seed, 0xF0]).permutation(len(names))
            of, size = np.zeros(int(names.max()) + 1, np.int64), np.zeros(min(FOLDS, len(names)))
            for i in sorted(shuffled, key=lambda i: -counts[i]):
                of[names[i]] = size.argmin()
                size[size.argmin()] += counts[i]
            return of[self.subjects]
        out = np.zeros(len(self), np.int64)
        for recording in np.unique(self.recordings):
            rows = self.order[self.recordings[self.order] == recording]
            out[rows] = np.arange(len(rows)) * FOLDS // len(rows)
        return out

    @cached_property
    def interleaved(self) -> Ints:
        """Folds that take every fifth window in order of time: of what is time itself nothing can leak."""
        out = np.zeros(len(self), np.int64)
        out[self.order] = np.arange(len(self)) % FOLDS
        return out

    @cached_property
    def ways(self) -> float:
        """The logarithm of how many ways there are to deal the labels to units anew."""
        total = 0.0
        for stratum in np.unique(self._strata):
            _, labels = self._units_of(self._strata == stratum)
            counts = np.unique(labels, return_counts=True)[1]
            total += lgamma(len(labels) + 1) - sum(lgamma(c + 1) for c in counts)
        return total

    @property
    def why_not(self) -> str | None:
        """Why no signal can be held against shuffled labels, in words; None where it can."""
        if self.ways >= np.log(FEWEST_WAYS):
            return None
        n = len(np.unique(self.units))
        if self.one_each:
            what, other = f"{n} subjects have one label each", "the person"
        else:
            what, other = f"labels come in {n} blocks", "time"
        return f"{what}, too few to tell what goes with the label from what goes with {other}"

    @cached_property
    def shuffled(self) -> NDArray[Any]:
        """Labels as units are shuffled, (shuffle, window)."""
        out = np.repeat(self.y[None], SHUFFLES, axis=0)
        for stratum in np.unique(self._strata):
            rows = self._strata == stratum
            place, labels = self._units_of(rows)
            for one in out:
                one[rows] = self.rng.permutation(labels)[place]
        return out

    def freely(self, n: int = SHUFFLES, *, across: bool = False) -> NDArray[Any]:
        """Labels as windows are shuffled one by one, (n, window): within subjects, or among all."""
        out = np.repeat(self.y[None], n, axis=0)
        strata = np.zeros(len(self), np.int64) if across else self.subjects
        for stratum in np.unique(strata):
            rows = np.flatnonzero(strata == stratum)
            out[:, rows] = self.rng.permuted(out[:, rows], axis=1)
        return out

    @property
    def _strata(self) -> Ints:
        return np.zeros(len(self), np.int64) if self.one_each else self.subjects

    def _units_of(self, rows: NDArray[np.bool_]) -> tuple[Ints, NDArray[Any]]:
        """Which unit each of some windows is in, and the units' labels."""
        _, first, place = np.unique(self.units[rows], return_index=True, return_inverse=True)
        return place, self.y[rows][first]


def decode(design: Design, x: Floats, *, of_time: bool = False) -> Decoded:
    """Decode labels from numbers of windows.

    The value is that of a logistic regression (of ridge regression, where labels are numbers). p is that of a
    linear decoder by least squares with the same penalty, made anew for each shuffle.

    Parameters
    ----------
    design : Design
        Its `why_not` is None, but for what is of time.
    x : ndarray, shape (window, feature)
    of_time : bool
        Whether the numbers are times: folds are interleaved then, and where blocks are too few to be shuffled
        windows are.
    """
    folds = design.interleaved if of_time else design.folds
    # Where blocks are too few to be shuffled, time is what they are made of.
    alone = of_time and design.why_not is not None
    labels = design.freely() if alone else design.shuffled
    every = np.concatenate([design.y[None], labels])
    if design.of_classes:
        guesses = _least_squares_classes(x, every, folds, len(design.classes))
        scores = balanced(guesses, every, len(design.classes))
        guess = _logistic(x, design.y.astype(np.int64), folds)
        value = float(balanced(guess[None], design.y[None], len(design.classes))[0])
        low, high = interval(design, guess, windows=alone)
    else:
        numbers = every.astype(np.float64)
        fitted = _least_squares_numbers(x, numbers, folds)
        scores = correlations(fitted, numbers)
        value = float(scores[0])
        low, high = interval(design, fitted[0], windows=alone)
    return Decoded(value, low, high, design.chance, part_above(scores))


def part_above(scores: Floats) -> float:
    """p of the first of some scores, of which the others are those of shuffles."""
    return float((scores >= scores[0] - 1e-12).sum() / len(scores))


def balanced(guess: NDArray[np.int64], label: NDArray[Any], classes: int) -> Floats:
    """Mean over classes of how many of a class are guessed right, of each row of (shuffle, window)."""
    right = guess == label
    each = [(right & (label == c)).sum(1) / np.maximum((label == c).sum(1), 1) for c in range(classes)]
    return np.asarray(np.mean(each, axis=0))


def correlations(guess: Floats, label: Floats) -> Floats:
    """Correlation of each row; 0 where a guess is constant."""
    a, b = (v - v.mean(1, keepdims=True) for v in (guess, label))
    size = np.sqrt((a**2).sum(1) * (b**2).sum(1))
    return np.asarray(np.divide((a * b).sum(1), size, out=np.zeros(len(a)), where=size > 1e-12))


def interval(design: Design, guess: NDArray[Any], *, windows: bool = False) -> tuple[float, float]:
    """95 % of the balanced accuracy, or of the correlation, of a guess of each window.

    Subjects are drawn anew, or blocks, where there are eight or more; else windows count as independent.
    """
    units = np.arange(len(design))
    if not windows:
        units = np.unique(design.subjects if design.by_subject else design.units, return_inverse=True)[1]
        if units.max() + 1 < FEWEST_UNITS:
            units = np.arange(len(design))
    n = int(units.max()) + 1
    if not design.of_classes:
        r = float(
            np.clip(correlations(guess[None].astype(float), design.y[None].astype(float))[0], -0.9999, 0.9999)
        )
        low, high = np.tanh(np.arctanh(r) + np.array([-1.96, 1.96]) / np.sqrt(max(n - 3, 1)))
        return float(low), float(high)
    right = guess == design.y
    each = []
    times = design.rng.multinomial(n, np.full(n, 1 / n), DRAWS).astype(float) if n < len(design) else None
    for c in range(len(design.classes)):
        of = design.y == c
        if times is None:  # Jeffreys' interval of each class, drawn together
            good = int((right & of).sum())
            each.append(design.rng.beta(good + 0.5, int(of.sum()) - good + 0.5, DRAWS))
            continue
        hits, all_ = (np.bincount(units, weights=v.astype(float), minlength=n) for v in (right & of, of))
        of_class = times @ all_
        each.append(np.divide(times @ hits, of_class, out=np.full(DRAWS, np.nan), where=of_class > 0))
    low, high = np.nanquantile(np.nanmean(each, axis=0), [0.025, 0.975])
    return float(low), float(high)


def _scaled(x: Floats, learn: NDArray[np.bool_]) -> Floats:
    """Features in units of what they vary by where the decoder learns; those that do not vary there are 0."""
    middle, size = x[learn].mean(0), x[learn].std(0)
    varies = size > 1e-9 * np.maximum(np.abs(middle), 1e-12)
    # What lies far outside of all that was learnt from would decide by itself.
    return np.clip(np.where(varies, (x - middle) / np.where(varies, size, 1.0), 0.0), -8, 8)


def _logistic(x: Floats, y: NDArray[np.int64], folds: Ints) -> NDArray[np.int64]:
    """Out-of-fold guesses of a logistic regression."""
    from sklearn.linear_model import LogisticRegression

    guess = np.full(len(y), -1, np.int64)
    for fold in np.unique(folds):
        learn = folds != fold
        z = _scaled(x, learn)
        if len(np.unique(y[learn])) < 2:
            guess[~learn] = y[learn][0]
            continue
        decoder = LogisticRegression(C=STRENGTH, class_weight="balanced", max_iter=300)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            guess[~learn] = decoder.fit(z[learn], y[learn]).predict(z[~learn])
    return guess


def _weights(z: Floats) -> Floats:
    """What makes the weights of ridge regression of labels, (feature, window)."""
    n, p = z.shape
    if p <= n:
        return np.asarray(np.linalg.solve(z.T @ z + RIDGE * np.eye(p), z.T))
    return np.asarray(z.T @ np.linalg.inv(z @ z.T + RIDGE * np.eye(n)))


def _least_squares_classes(x: Floats, labels: NDArray[Any], folds: Ints, classes: int) -> Ints:
    """Out-of-fold guesses by least squares for many labellings, (labelling, window).

    Each class against the rest; a score counts from the middle between what the class has and what the rest
    has, so that a frequent class is not guessed for being frequent.
    """
    guess = np.zeros(labels.shape, np.int64)
    for fold in np.unique(folds):
        learn = folds != fold
        z = _scaled(x, learn)
        maker = z @ _weights(z[learn])  # [window, window that is learnt from]
        scores = np.full((classes, len(labels), int((~learn).sum())), -np.inf)
        for c in range(classes):
            of = (labels[:, learn] == c).astype(float)
            n = of.sum(1, keepdims=True)
            both = (n > 0) & (n < of.shape[1])
            score = (of - of.mean(1, keepdims=True)) @ maker.T
            own = (score[:, learn] * of).sum(1, keepdims=True) / np.maximum(n, 1)
            rest = (score[:, learn] * (1 - of)).sum(1, keepdims=True) / np.maximum(of.shape[1] - n, 1)
            apart = np.maximum(own - rest, 1e-12)
            scores[c] = np.where(both, (score[:, ~learn] - (own + rest) / 2) / apart, -np.inf)
        guess[:, ~learn] = scores.argmax(0)
    return guess


def _least_squares_numbers(x: Floats, labels: Floats, folds: Ints) -> Floats:
    """Out-of-fold values of ridge regression for many labellings, (labelling, window)."""
    guess = np.zeros(labels.shape)
    for fold in np.unique(folds):
        learn = folds != fold
        z = _scaled(x, learn)
        mean = labels[:, learn].mean(1, keepdims=True)
        guess[:, ~learn] = mean + (labels[:, learn] - mean) @ (z[~learn] @ _weights(z[learn])).T
    return guess
