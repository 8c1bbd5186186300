"""Decoders from before networks, each beside the network: cross-validated on the windows that are explained.

Common spatial patterns read rhythms. What is locked to an event they cannot read: xDAWN filters (Rivet et
al. 2009) find the electrodes in which averages of classes differ, and shrinkage LDA (Blankertz et al. 2011)
reads means over short times of them. The power of each electrode alone says what amplitude gives away.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import mne
import numpy as np
from numpy.typing import NDArray
from scipy import stats

from ...engine.errors import InputError
from ..text import counted

Floats = NDArray[np.float64]

MEANS = 0.05  # seconds of an average potential that are one feature
FILTERS = 2  # xDAWN's, for each class


@dataclass(frozen=True)
class CspLda:
    """Common spatial patterns and linear discriminant analysis, in cross-validation.

    Attributes
    ----------
    accuracy, low, high : float
        Over windows that were left out, with Wilson's interval (95 %).
    chance : float
        The largest class's part.
    share : ndarray, shape (channel,)
        |pattern| of each electrode, weighted by what LDA makes of its component; sums to 1. Patterns, not
        filters (Haufe et al. 2014, eq. 6): a filter is large where noise is cancelled, too.
    windows, folds : int
    notes : tuple of str
    """

    accuracy: float
    low: float
    high: float
    chance: float
    share: Floats
    windows: int
    folds: int
    notes: tuple[str, ...]


@dataclass(frozen=True)
class DecoderAccuracy:
    """How often a decoder is right on windows that it has not learnt from.

    Attributes
    ----------
    name : str
    accuracy, low, high : float
        With Wilson's interval (95 %).
    windows, folds : int
    """

    name: str
    accuracy: float
    low: float
    high: float
    windows: int
    folds: int


def counted_right(name: str, right: int, windows: int, folds: int = 0) -> DecoderAccuracy:
    """An accuracy with its interval."""
    interval = stats.binomtest(right, windows).proportion_ci(method="wilson")
    return DecoderAccuracy(name, right / windows, float(interval.low), float(interval.high), windows, folds)


def cross_validated(
    name: str,
    decoder: Any,
    signal: NDArray[Any],
    labels: Sequence[int] | NDArray[Any],
    *,
    folds: int = 5,
    seed: int = 0,
) -> DecoderAccuracy:
    """How well a decoder does on folds that it has not learnt from.

    Parameters
    ----------
    name : str
    decoder : estimator
        Of scikit-learn.
    signal : ndarray, shape (window, channel, time)
    labels : sequence of int, shape (window,)
        Negative for none.
    folds, seed : int

    Raises
    ------
    InputError
        One class only, or too few windows.
    """
    from sklearn.model_selection import StratifiedKFold, cross_val_predict

    y = np.asarray(labels)
    known = y >= 0
    x, y = np.asarray(signal, dtype=np.float64)[known], y[known]
    counts = np.unique(y, return_counts=True)[1]
    if len(counts) < 2 or counts.min() < 2 * folds:
        raise InputError(f"{name}: {2 * folds} labelled windows of each of two classes are needed")
    split = StratifiedKFold(folds, shuffle=True, random_state=seed)
    with warnings.catch_warnings(), mne.utils.use_log_level("error"):
        warnings.simplefilter("ignore")
        try:
            guess = cross_val_predict(decoder, x, y, cv=split)
        except (ValueError, np.linalg.LinAlgError):
            what = counted(len(y), "window")
            raise InputError(f"{name}: cannot be fitted to these signals ({what})") from None
    return counted_right(name, int((guess == y).sum()), len(y), folds)


def csp_lda(
    signal: NDArray[Any],
    labels: Sequence[int] | NDArray[Any],
    *,
    groups: Sequence[Any] | None = None,
    components: int = 6,
    folds: int = 5,
    seed: int = 0,
) -> CspLda:
    """CSP + LDA (mne.decoding.CSP, scikit-learn), and where its patterns lie.

    Parameters
    ----------
    signal : ndarray, shape (window, channel, time)
        Microvolt, filtered to the band of interest.
    labels : sequence of int, shape (window,)
        Class of each window; negative for none.
    groups : sequence, shape (window,), optional
        Subject or recording of each window: none is on both sides of a split.
    components, folds : int
    seed : int

    Returns
    -------
    CspLda

    Raises
    ------
    InputError
        One class only; too few windows, or groups, for the folds; lengths that differ.
    """
    from sklearn.discriminant_analysis import LinearDiscriminantAnalysis
    from sklearn.model_selection import StratifiedGroupKFold, StratifiedKFold, cross_val_predict
    from sklearn.pipeline import make_pipeline

    y = np.asarray(labels)
    if len(y) != len(signal) or (groups is not None and len(groups) != len(y)):
        raise InputError(f"CSP: {len(y)} labels for {counted(len(signal), 'window')}, or other groups")
    known = y >= 0
    x, y = np.asarray(signal, dtype=np.float64)[known], y[known]
    x = x - x.mean(-1, keepdims=True)  # an offset is no power
    group = None if groups is None else np.asarray(groups)[known]
    names, counts = np.unique(y, return_counts=True)
    if len(names) < 2:
        raise InputError("CSP: windows of one class only; two are needed")
    if counts.min() < 2 * folds:
        raise InputError(f"CSP: a class has {counts.min()} windows; {2 * folds} are needed for {folds} folds")
    notes = []
    if group is None:
        notes.append(
            "Windows of one recording are neighbours in time on both sides of a split: the accuracy flatters."
        )
        split: Any = StratifiedKFold(folds, shuffle=True, random_state=seed)
    else:
        if len(np.unique(group)) < 2:
            raise InputError("CSP: one subject only; nobody is left to test on")
        folds = min(folds, len(np.unique(group)))
        split = StratifiedGroupKFold(folds, shuffle=True, random_state=seed)
    n = min(components, x.shape[1] - 1)
    csp = mne.decoding.CSP(n, reg="ledoit_wolf", log=True, norm_trace=False, rank="full")
    lda = LinearDiscriminantAnalysis(solver="lsqr", shrinkage="auto")
    with warnings.catch_warnings(), mne.utils.use_log_level("error"):
        warnings.simplefilter("ignore")
        try:
            guess = cross_val_predict(make_pipeline(csp, lda), x, y, groups=group, cv=split)
        except ValueError:
            raise InputError(
                "CSP: a part of the subjects has windows of one class only; class and subject are confounded"
            ) from None
        csp.fit(x, y)
        lda.fit(csp.transform(x), y)
    right = int((guess == y).sum())
    interval = stats.binomtest(right, len(y)).proportion_ci(method="wilson")
    # How far a component moves the decision: LDA's weight times how much the component varies.
    weight = np.abs(lda.coef_).mean(0) * csp.transform(x).std(0)
    patterns = np.abs(csp.patterns_[:n])
    patterns = patterns / patterns.sum(1, keepdims=True)
    share = (weight[:, None] * patterns).sum(0)
    return CspLda(
        accuracy=right / len(y),
        low=float(interval.low),
        high=float(interval.high),
        chance=float(counts.max() / len(y)),
        share=share / max(share.sum(), 1e-300),
        windows=len(y),
        folds=folds,
        notes=tuple(notes),
    )


def xdawn_lda(sfreq: float) -> Any:
    """xDAWN filters, means over short times, and LDA with shrinkage."""
    from mne.decoding import XdawnTransformer
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import FunctionTransformer

    return make_pipeline(
        XdawnTransformer(n_components=FILTERS, reg="ledoit_wolf"),
        FunctionTransformer(_short_means, kw_args={"sfreq": sfreq}),
        _lda(),
    )


def mean_lda(sfreq: float) -> Any:
    """Means over short times of every electrode, and LDA with shrinkage."""
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import FunctionTransformer

    return make_pipeline(FunctionTransformer(_short_means, kw_args={"sfreq": sfreq}), _lda())


def power_lda() -> Any:
    """The logarithm of each electrode's power, and LDA with shrinkage."""
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import FunctionTransformer

    return make_pipeline(FunctionTransformer(_log_power), _lda())


def _lda() -> Any:
    from sklearn.discriminant_analysis import LinearDiscriminantAnalysis

    return LinearDiscriminantAnalysis(solver="lsqr", shrinkage="auto")


def _short_means(x: Floats, sfreq: float) -> Floats:
    """Means over `MEANS` of what each row has above its own mean, one row a window."""
    x = x - x.mean(-1, keepdims=True)
    size = max(1, round(MEANS * sfreq))
    n = max(1, x.shape[-1] // size)
    kept = x[..., : n * size] if x.shape[-1] >= size else x
    return np.asarray(kept.reshape(*x.shape[:-1], n, -1).mean(-1).reshape(len(x), -1))


def _log_power(x: Floats) -> Floats:
    return np.asarray(np.log(x.var(-1) + 1e-12))


def beside(
    signal: NDArray[Any], labels: NDArray[Any], sfreq: float, *, locked: bool, seed: int = 0
) -> tuple[list[DecoderAccuracy], list[str]]:
    """Every decoder that these windows can have but CSP, and why others have none.

    Parameters
    ----------
    signal : ndarray, shape (window, channel, time)
    labels : ndarray of int, shape (window,)
    sfreq : float
    locked : bool
        Whether windows are cut at events: only then has an average potential a meaning.
    seed : int
    """
    kinds: dict[str, Callable[[], Any]] = {"power + LDA": power_lda}
    if locked:
        kinds = {
            "xDAWN + LDA": lambda: xdawn_lda(sfreq),
            "potentials + LDA": lambda: mean_lda(sfreq),
            **kinds,
        }
    found, notes = [], []
    for name, make in kinds.items():
        try:
            found.append(cross_validated(name, make(), signal, labels, seed=seed))
        except InputError as e:
            notes.append(f"No {name} beside: {e}.")
    return found, notes
