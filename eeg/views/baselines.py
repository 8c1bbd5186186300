"""What an explanation is shown beside: CSP with LDA, the power of each channel, random weights.

A network's map means little alone. A method from before networks, whose patterns have a textbook reading,
says what is in the data; a copy of the network with random weights says what the architecture alone would
show.
"""

from __future__ import annotations

import tempfile
import warnings
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import mne
import numpy as np
import xarray as xr
from numpy.typing import NDArray
from scipy import stats

from ...engine.errors import InputError
from ...engine.evaluation.randomisation import randomised_copy
from ...engine.explainer import Explainer
from ...engine.steps import step
from ..drawing.sections import Paragraph, Section, Table
from ..electrodes.regions import members
from ..explanation import shares
from ..explanation.explain import explain_windows
from ..explanation.explained import Explained, truth
from ..explanation.view import View
from ..recording.windows import Windows
from ..text import counted
from .registry import ViewContext, register

Floats = NDArray[np.float64]


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
class SpatialAgreement:
    """How alike two distributions over electrodes are.

    Attributes
    ----------
    rank, cosine : float
        Spearman's correlation, and the cosine.
    p : float
        How often shuffled electrodes give as high a rank correlation.
    """

    rank: float
    cosine: float
    p: float


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


def channel_power(windows: Windows) -> Floats:
    """Each electrode's part of the variance, mean over windows, shape (channel,): where amplitude is."""
    power = windows.signal.astype(np.float64).var(-1)
    total = np.maximum(power.sum(-1, keepdims=True), 1e-300)
    return np.asarray((power / total).mean(0))


def random_weights(explained: Explained, model: Path, *, copies: int = 3, seed: int = 0) -> list[Floats]:
    """Electrodes' shares of copies of the network whose weights are shuffled, on the same windows.

    Parameters
    ----------
    explained, model, copies, seed
        As for `random_copies`.

    Returns
    -------
    list of ndarray, shape (channel,)
    """
    made = random_copies(explained, model, copies=copies, seed=seed)
    return [shares.by_electrode(e.relevance) for e in made]


def random_copies(
    explained: Explained, model: Path, *, copies: int = 1, seed: int = 0, batch_size: int = 8
) -> Iterator[Explained]:
    """Explain copies of the network whose weights are shuffled: the same windows, the same classes.

    Parameters
    ----------
    explained : Explained
        Gives windows, composite and target.
    model : Path
        The network's file.
    copies : int
    seed : int
        Of the first copy; the others count on from it.
    batch_size : int
        Windows explained at a time.

    Yields
    ------
    Explained
    """
    options, held = explained.provenance.get("options", {}), explained.references
    with tempfile.TemporaryDirectory() as folder:
        for i in range(copies):
            path = randomised_copy(model, Path(folder) / f"{i}.onnx", seed + i)
            explainer = Explainer(
                path,
                composite="difference" if held is not None else options.get("composite", "attnlrp"),
                contract=explained.contract,
                max_closure=None,  # a baseline beside: what it is worth shows beside the network's
                **({} if held is not None else options.get("parameters", {})),
            )
            # The same question as to the network: its classes, not those that a copy would predict.
            target = explained.provenance.get("target", "predicted")
            if "target" in explained.dataset:
                target = [int(t) for t in explained.dataset["target"].values]
            yield explain_windows(
                explainer,
                explained.windows,
                explained.contract,
                target=target,
                contrast=explained.provenance.get("contrast", "rest"),
                provenance={k: v for k, v in explained.provenance.items() if k in ("target", "contrast")},
                batch_size=batch_size,
                references=held,
            )


def agreement(a: Floats, b: Floats, *, shuffles: int = 2000, seed: int = 0) -> SpatialAgreement:
    """Compare two distributions over the same electrodes.

    Parameters
    ----------
    a, b : ndarray, shape (channel,)
    shuffles : int
    seed : int

    Raises
    ------
    InputError
        They are of unlike lengths, or of fewer than three electrodes.
    """
    a, b = np.asarray(a, dtype=np.float64), np.asarray(b, dtype=np.float64)
    if a.shape != b.shape or a.ndim != 1 or len(a) < 3:
        raise InputError("agreement: two shares of the same three electrodes or more are needed")
    rank = float(stats.spearmanr(a, b).statistic)
    rng = np.random.default_rng(seed)
    x, y = _standard(stats.rankdata(a)), _standard(stats.rankdata(b))
    null = np.array([x @ rng.permutation(y) for _ in range(shuffles)]) / len(a)
    return SpatialAgreement(
        rank=rank,
        cosine=float(a @ b) / max(float(np.linalg.norm(a) * np.linalg.norm(b)), 1e-300),
        p=float((1 + (null >= rank).sum()) / (1 + shuffles)),
    )


def _standard(x: NDArray[Any]) -> Floats:
    centred = np.asarray(x, dtype=np.float64) - float(np.mean(x))
    return np.asarray(centred / max(float(np.std(x)), 1e-300))


@dataclass(frozen=True)
class BaselineComparison(View):
    """An explanation's electrodes beside those of its baselines.

    Attributes
    ----------
    share : dict of str to ndarray, shape (channel,)
        "random weights" (mean over copies), "channel power", and "CSP + LDA" where labels allow it.
    agreement : dict of str to SpatialAgreement
        Of the explanation with each.
    csp : CspLda or None
    notes : tuple of str
        Why there is no CSP, and what flatters it.
    """

    share: dict[str, Floats]
    agreement: dict[str, SpatialAgreement]
    csp: CspLda | None
    notes: tuple[str, ...]

    name = "baselines"

    def data_vars(self) -> Mapping[str, xr.DataArray]:
        """The electrodes' shares of each baseline (baseline, channel)."""
        values = np.stack(list(self.share.values()))
        return {
            "baseline_share": xr.DataArray(values, {"baseline": list(self.share)}, ("baseline", "channel"))
        }

    def summary(self, explained: Explained) -> dict[str, Any]:
        """Shares of sets and electrodes, agreement, and the accuracy of CSP + LDA."""
        channels = explained.windows.channels
        units = {"this model": shares.by_electrode(explained.relevance), **self.share}
        sets = {}
        for name, names in explained.regions.sets.items():
            there = members(list(names), channels)
            if there:
                inside = np.isin(channels, there)
                sets[name] = {who: float(share[inside].sum()) for who, share in units.items()}
        return {
            "sets": sets,
            "electrodes": {
                who: dict(zip(channels, map(float, share), strict=True)) for who, share in units.items()
            },
            "agreement": {who: asdict(a) for who, a in self.agreement.items()},
            "csp": None if self.csp is None else {k: v for k, v in asdict(self.csp).items() if k != "share"},
        }

    def lines(self, explained: Explained) -> Iterator[tuple[str, str]]:
        """How alike the electrodes' shares are."""
        alike = ", ".join(f"{who} {a.cosine:.2f}" for who, a in self.agreement.items())
        yield "beside", f"{alike} (cosine of the electrodes' shares)"

    def sections(self, explained: Explained) -> Iterator[Section]:
        """Shares of sets under the model and its baselines, and how alike they are."""
        sides, found = ["this model", *self.share], self.summary(explained)
        rows: list[tuple[object, ...]] = [
            (name, *(f"{each[s]:.1%}" for s in sides)) for name, each in found["sets"].items()
        ]
        for what, values in (
            ("cosine with this model", [self.agreement[s].cosine for s in sides[1:]]),
            ("rank correlation with it", [self.agreement[s].rank for s in sides[1:]]),
        ):
            rows.append((what, "", *(f"{value:.2f}" for value in values)))
        content: list[Paragraph | Table] = [
            Table(("relevance share", *sides), rows, range(1, len(sides) + 1))
        ]
        csp = self.csp
        if csp is not None:
            content.append(
                f"CSP with LDA is right in {csp.accuracy:.0%} of {csp.windows} windows in {csp.folds}-fold "
                f"cross-validation (95 % interval {csp.low:.0%} to {csp.high:.0%}; chance {csp.chance:.0%}). "
                "Its shares are those of its patterns (Haufe et al. 2014)."
            )
        content.append(
            "Random weights: copies of the network with shuffled weights, on the same windows. A map that "
            "they share is the architecture's or the signal's. Cosine compares where most lies; the rank "
            "correlation counts the many electrodes with little as much as the few with most."
        )
        yield Section("Beside it", tuple(content))


def compare_with_baselines(
    explained: Explained, model: Path, *, copies: int = 3, seed: int = 0
) -> BaselineComparison:
    """Every baseline of an explanation.

    Parameters
    ----------
    explained : Explained
    model : Path
        The network's file.
    copies : int
        Random-weight copies.
    seed : int

    Returns
    -------
    BaselineComparison
    """
    own = shares.by_electrode(explained.relevance)
    share = {
        "random weights": np.mean(random_weights(explained, model, copies=copies, seed=seed), axis=0),
        "channel power": channel_power(explained.windows),
    }
    notes: tuple[str, ...] = ()
    csp = None
    try:
        csp = csp_lda(
            explained.windows.signal, truth(explained.windows.labels, explained.contract.classes), seed=seed
        )
    except InputError as e:  # no labels, too few windows
        why = "it has no use for numbers" if explained.contract.regresses else e
        notes = (f"No CSP + LDA beside: {why}.",)
    else:
        share["CSP + LDA"] = csp.share
        notes = csp.notes
    return BaselineComparison(
        share, {name: agreement(own, s, seed=seed) for name, s in share.items()}, csp, notes
    )


@register("baselines", needs=("model",), order=30, absent={})
def _baselines(explained: Explained, context: ViewContext) -> BaselineComparison:
    step("explaining copies with random weights")
    return compare_with_baselines(explained, context.model, seed=context.seed)
