"""What an explanation is shown beside: CSP with LDA, the power of each channel, random weights.

A network's map means little alone. A method from before networks, whose patterns have a textbook reading,
says what is in the data; a copy of the network with random weights says what the architecture alone would
show.
"""

from __future__ import annotations

import tempfile
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

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
from ..explanation.explained import Explained, accuracy, truth
from ..explanation.view import View
from ..recording.windows import Windows
from .decoders import CspLda, DecoderAccuracy, beside, counted_right, csp_lda
from .registry import ViewContext, register

Floats = NDArray[np.float64]

RANDOM = "random weights"
MUCH = 0.8  # correlation from which a map of random weights is much the same


@dataclass(frozen=True)
class SpatialAgreement:
    """How alike two distributions over electrodes are.

    Attributes
    ----------
    rank, cosine : float
        Spearman's correlation, and the cosine, which is high for any two that have no sign.
    p : float
        How often shuffled electrodes give as high a rank correlation.
    r : float
        Pearson's correlation: what both have above and below their means. NaN where one is even.
    """

    rank: float
    cosine: float
    p: float
    r: float = float("nan")


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
        r=float(np.corrcoef(a, b)[0, 1]) if np.ptp(a) > 0 and np.ptp(b) > 0 else float("nan"),
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
    accuracies : tuple of DecoderAccuracy
        The network's, each decoder's and that of random weights; empty where labels do not allow any.
    """

    share: dict[str, Floats]
    agreement: dict[str, SpatialAgreement]
    csp: CspLda | None
    notes: tuple[str, ...]
    accuracies: tuple[DecoderAccuracy, ...] = ()

    name = "baselines"

    def data_vars(self) -> Mapping[str, xr.DataArray]:
        """The electrodes' shares of each baseline (baseline, channel)."""
        values = np.stack(list(self.share.values()))
        return {
            "baseline_share": xr.DataArray(values, {"baseline": list(self.share)}, ("baseline", "channel"))
        }

    def answer(self, explained: Explained) -> str:
        """How close the map is to that of random weights, and the accuracies."""
        out = []
        near = self.agreement.get(RANDOM)
        if near is not None and np.isfinite(near.r):
            much = " that is much the same" if near.r >= MUCH else ""
            by = f"correlation of the electrodes' shares {near.r:.2f}"
            out.append(f"Copies with random weights give a map{much} ({by}).")
        if self.accuracies:
            out.append(f"Right: {self.said_accuracies()}.")
        return " ".join(out)

    def said_accuracies(self) -> str:
        """The accuracy of all, in one row."""
        return ", ".join(f"{a.name} {100 * a.accuracy:.0f} %" for a in self.accuracies)

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
            "accuracies": [asdict(a) for a in self.accuracies],
            "csp": None if self.csp is None else {k: v for k, v in asdict(self.csp).items() if k != "share"},
        }

    def lines(self, explained: Explained) -> Iterator[tuple[str, str]]:
        """How alike the electrodes' shares are."""
        alike = ", ".join(f"{who} {a.r:.2f}" for who, a in self.agreement.items())
        yield "beside", f"{alike} (correlation of the electrodes' shares)"
        if self.accuracies:
            yield "right", self.said_accuracies()

    def sections(self, explained: Explained) -> Iterator[Section]:
        """Shares of sets under the model and its baselines, and how alike they are."""
        sides, found = ["this model", *self.share], self.summary(explained)
        rows: list[tuple[object, ...]] = [
            (name, *(f"{each[s]:.1%}" for s in sides)) for name, each in found["sets"].items()
        ]
        for what, values in (
            ("correlation with this model", [self.agreement[s].r for s in sides[1:]]),
            ("rank correlation with it", [self.agreement[s].rank for s in sides[1:]]),
        ):
            rows.append((what, "", *(f"{value:.2f}" for value in values)))
        content: list[Paragraph | Table] = [
            Table(("relevance share", *sides), rows, range(1, len(sides) + 1))
        ]
        if self.accuracies:
            row = [f"{a.accuracy:.0%} ({a.low:.0%} to {a.high:.0%})" for a in self.accuracies]
            names = [a.name for a in self.accuracies]
            content.append(
                Table(("right (95 % interval)", *names), [("windows", *row)], range(1, len(row) + 1))
            )
            content.append(
                "The network was trained elsewhere; decoders learn on these windows, in cross-validation. "
                "Neighbours in time on both sides of a split flatter them."
            )
        csp = self.csp
        if csp is not None:
            content.append(
                f"CSP with LDA is right in {csp.accuracy:.0%} of {csp.windows} windows in {csp.folds}-fold "
                f"cross-validation (95 % interval {csp.low:.0%} to {csp.high:.0%}; chance {csp.chance:.0%}). "
                "Its shares are those of its patterns (Haufe et al. 2014)."
            )
        content.append(
            "Random weights: copies of the network with shuffled weights, on the same windows. A map that "
            "they share is the architecture's or the signal's. The correlation compares where most lies; the "
            "rank correlation counts the many electrodes with little as much as the few with most."
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
    made = list(random_copies(explained, model, copies=copies, seed=seed))
    share = {
        RANDOM: np.mean([shares.by_electrode(e.relevance) for e in made], axis=0),
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
    accuracies, more = _accuracies(explained, csp, made, seed)
    return BaselineComparison(
        share,
        {name: agreement(own, s, seed=seed) for name, s in share.items()},
        csp,
        (*notes, *more),
        tuple(accuracies),
    )


def _accuracies(
    explained: Explained, csp: CspLda | None, copies: Sequence[Explained], seed: int
) -> tuple[list[DecoderAccuracy], list[str]]:
    """The accuracy of all on the same windows; nothing where labels name no class."""
    labels, classes = explained.windows.labels, explained.contract.classes
    real = truth(labels, classes)
    own = accuracy(explained)
    if own is None:
        return [], []
    out = [counted_right("network", own["correct"], own["of"])]
    if csp is not None:
        out.append(DecoderAccuracy("CSP + LDA", csp.accuracy, csp.low, csp.high, csp.windows, csp.folds))
    options = explained.provenance.get("options", {})
    locked = bool(explained.windows.tmin) or bool(options.get("events"))
    found, notes = beside(explained.windows.signal, real, explained.windows.sfreq, locked=locked, seed=seed)
    out += found
    each = [a for e in copies if (a := accuracy(e)) is not None]
    if each:
        right, of = sum(a["correct"] for a in each), sum(a["of"] for a in each)
        out.append(counted_right(RANDOM, right, of))
    return out, notes


@register("baselines", needs=("model",), order=30, absent={})
def _baselines(explained: Explained, context: ViewContext) -> BaselineComparison:
    step("explaining copies with random weights")
    return compare_with_baselines(explained, context.model, seed=context.seed)
