"""SpRAy: the strategies that a network has, as clusters of its relevance maps (Lapuschkin et al. 2019).

Windows on which a network looks at the same electrodes fall together. A small cluster that one subject fills,
or whose windows have an artefact in common, is where a shortcut shows although the mean map looks fine.
"""

from __future__ import annotations

import warnings
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import xarray as xr
from numpy.typing import NDArray
from scipy import stats
from scipy.sparse.csgraph import laplacian

from ...engine.errors import InputError
from ...engine.steps import step
from ..drawing.sections import Paragraph, Picture, Section, Table
from ..electrodes.regions import members
from ..explanation.explained import Explained
from ..explanation.view import View
from ..recording.windows import Windows
from ..text import counted
from .registry import ViewContext, register

Floats = NDArray[np.float64]

FEWEST, MOST_CLUSTERS, EXAMPLES = 20, 8, 10
# An eigenvalue this near to 0 is a piece of the graph of its own.
_APART = 1e-8

TITLE = "Strategies"


@dataclass(frozen=True)
class Strategy:
    """One cluster.

    Attributes
    ----------
    windows : tuple of int
        Their indices.
    share : float
        Of all windows.
    map : ndarray, shape (unit,)
        Mean normalised relevance of each electrode (or other unit).
    class_purity, group_purity : float or None
        The part of its windows that are of its commonest class, and subject.
    artefacts : dict of str to float
        Correlation of belonging to it with each artefact score.
    examples : tuple of int
        The windows nearest to its mean, nearest first.
    """

    windows: tuple[int, ...]
    share: float
    map: Floats
    class_purity: float | None
    group_purity: float | None
    artefacts: dict[str, float]
    examples: tuple[int, ...]


@dataclass(frozen=True)
class Spray(View):
    """The strategies, largest first, and the eigenvalues that told how many there are.

    Attributes
    ----------
    strategies : tuple of Strategy
    eigenvalues : ndarray
    label : ndarray of int, shape (window,)
        The strategy of each window.
    """

    strategies: tuple[Strategy, ...]
    eigenvalues: Floats
    label: NDArray[np.int64]

    name = "clusters"

    @property
    def text(self) -> str:
        """How many, in words."""
        n = len(self.strategies)
        if n == 1:
            return "One strategy: the windows' maps form no separate clusters."
        sizes = ", ".join(f"{s.share:.0%}" for s in self.strategies)
        return f"{counted(n, 'strategy', 'strategies')}, with {sizes} of the windows."

    def data_vars(self) -> Mapping[str, xr.DataArray]:
        """The strategy of each window."""
        return {"strategy": xr.DataArray(self.label, dims="epoch")}

    def summary(self, explained: Explained | None = None) -> dict[str, Any]:
        """The numbers; maps are left out."""
        return {
            "said": self.text,
            "eigenvalues": [float(e) for e in self.eigenvalues],
            "strategies": [
                {
                    "share": s.share,
                    "windows": len(s.windows),
                    "class_purity": s.class_purity,
                    "group_purity": s.group_purity,
                    "artefacts": dict(s.artefacts),
                    "examples": list(s.examples),
                }
                for s in self.strategies
            ],
        }

    def lines(self, explained: Explained) -> Iterator[tuple[str, str]]:
        """How many strategies there are."""
        yield "strategies", self.text

    def sections(self, explained: Explained) -> Iterator[Section]:
        """How large and how pure they are, which artefact goes with them, and where they lie."""
        content: list[Paragraph | Table] = [self.text]
        if len(self.strategies) > 1:
            content.append(self._table(explained))
        content.append(
            "Windows whose maps are alike, found by spectral clustering (Lapuschkin et al. 2019); their "
            "number is the eigenvalues' gap. A small cluster with an artefact in common is where to look for "
            "a shortcut."
        )
        limit = (
            "Muscle is scored by fast changes on electrodes over muscles: below "
            f"{explained.windows.sfreq / 2:g} Hz beta rhythms of the brain are among them."
        )
        yield Section(TITLE, tuple(content), tuple(self._maps(explained)), (limit,))

    def _table(self, explained: Explained) -> Table:
        names = list(dict.fromkeys(a for s in self.strategies for a in s.artefacts))
        onsets, rows = explained.windows.onsets, []
        pure = any(s.class_purity is not None for s in self.strategies)
        for i, s in enumerate(self.strategies, start=1):
            purity = "" if s.class_purity is None else f"{s.class_purity:.0%}"
            each = [f"{s.artefacts.get(a, float('nan')):+.2f}" for a in names]
            examples = ", ".join(f"{onsets[w]:.1f}" for w in s.examples)
            rows.append((i, f"{s.share:.0%}", *([purity] if pure else []), *each, examples))
        head = (
            "strategy", "of windows", *(["of one class"] if pure else []), *(f"r with {a}" for a in names),
            "windows at (s)",
        )  # fmt: skip
        return Table(head, rows, range(1, len(head) - 1))

    def _maps(self, explained: Explained) -> Iterator[Picture]:
        """Where each cluster of windows has its relevance, where there are several."""
        if len(self.strategies) < 2:
            return
        maps = {
            f"{i}: {s.share:.0%} of the windows": np.abs(s.map) / max(float(np.abs(s.map).sum()), 1e-300)
            for i, s in enumerate(self.strategies[:5], start=1)
        }
        from ..drawing.figures import share_maps

        figure = share_maps(maps, explained.electrodes)
        if figure is not None:
            caption = "Where each cluster of windows has its relevance."
            yield Picture(figure, "strategies", f"{TITLE}: figure", TITLE, caption)


def spray(
    maps: NDArray[Any],
    *,
    classes: Sequence[Any] | None = None,
    groups: Sequence[Any] | None = None,
    artefacts: Mapping[str, NDArray[Any]] | None = None,
    clusters: int | None = None,
    seed: int = 0,
) -> Spray:
    """Cluster relevance maps.

    Each map is divided by its size, so that strength does not count. The affinity is that of the nearest
    neighbours; how many clusters there are is the largest gap of the normalised Laplacian's eigenvalues
    (von Luxburg 2007, sec. 8.3).

    Parameters
    ----------
    maps : ndarray, shape (window, ...)
        Relevance by electrode, or by electrode and band.
    classes, groups : sequence, shape (window,), optional
        Explained class, and subject, of each window.
    artefacts : dict of str to ndarray, shape (window,), optional
        See `artefact_scores`.
    clusters : int, optional
        In place of the gap's number.
    seed : int

    Returns
    -------
    Spray

    Raises
    ------
    InputError
        Fewer than 20 windows, or lengths that differ.
    """
    from sklearn.cluster import SpectralClustering
    from sklearn.neighbors import kneighbors_graph

    x = np.asarray(maps, dtype=np.float64).reshape(len(maps), -1)
    n = len(x)
    if n < FEWEST or not np.isfinite(x).all():
        raise InputError(f"SpRAy: {counted(n, 'finite map')}; {FEWEST} are needed")
    for what, each in (("classes", classes), ("groups", groups), *(artefacts or {}).items()):
        if each is not None and len(each) != n:
            raise InputError(f"SpRAy: {len(each)} values of {what} for {counted(n, 'map')}")
    size = np.linalg.norm(x, axis=1, keepdims=True)
    x = np.divide(x, size, out=np.zeros_like(x), where=size > 0)
    near = kneighbors_graph(x, min(n - 1, max(5, round(np.sqrt(n)))), include_self=False)
    affinity = 0.5 * (near + near.T).toarray()
    eigenvalues = np.linalg.eigvalsh(laplacian(affinity, normed=True))[: MOST_CLUSTERS + 1]
    count = clusters or _gap(eigenvalues)
    if np.ptp(x, axis=0).max() < 1e-9:
        count = 1
    label = np.zeros(n, dtype=np.int64)
    if count > 1:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # a graph in pieces is what is looked for
            label = SpectralClustering(
                count, affinity="precomputed", random_state=seed, assign_labels="cluster_qr"
            ).fit_predict(affinity)
    order = np.argsort(-np.bincount(label))
    rank = {int(old): new for new, old in enumerate(order)}
    label = np.array([rank[int(k)] for k in label])
    found = [_strategy(x, label == k, classes, groups, artefacts or {}) for k in range(int(label.max()) + 1)]
    return Spray(tuple(found), eigenvalues, label)


def maps_of(explained: Explained, *, by_band: bool = False) -> Floats:
    """Relevance of each window by electrode, or by electrode and band, for `spray`."""
    if by_band and "bands" in explained.dataset:
        return np.asarray(explained.dataset["bands"].values, dtype=np.float64)
    return np.asarray(explained.relevance.sum(-1, dtype=np.float64))


def artefact_scores(windows: Windows) -> dict[str, Floats]:
    """How much of eyes and muscle is in each window, from the electrodes that see them.

    Parameters
    ----------
    windows : Windows

    Returns
    -------
    dict of str to ndarray, shape (window,)
        "blink": range of the mean of Fp1 and Fp2; "saccade": range of F7 less F8; "muscle": fast power (first
        differences) of the muscle-prone electrodes. Those whose electrodes are there.
    """
    names, x = windows.channels, windows.signal.astype(np.float64)

    def rows(wanted: str | list[str]) -> list[int]:
        return [names.index(c) for c in members(wanted, names)]

    found = {}
    if front := rows(["Fp1", "Fp2"]):
        found["blink"] = np.ptp(x[:, front].mean(1), axis=-1)
    left, right = rows(["F7"]), rows(["F8"])
    if left and right:
        found["saccade"] = np.ptp(x[:, left[0]] - x[:, right[0]], axis=-1)
    if edge := rows("muscle-prone"):
        found["muscle"] = np.diff(x[:, edge], axis=-1).std(-1).mean(1)
    return found


def _gap(eigenvalues: Floats) -> int:
    """The number of clusters before the largest gap."""
    pieces = int((eigenvalues < _APART).sum())
    gaps = np.diff(eigenvalues)
    best = int(gaps.argmax()) + 1
    # A graph in pieces has at least as many clusters. In one that holds together, two of nearly the same size
    # as the others' gaps are none.
    if pieces > 1:
        return min(max(pieces, best), MOST_CLUSTERS)
    rest = np.delete(gaps, best - 1)
    return best if best > 1 and gaps[best - 1] > 2 * rest.max() else 1


def _strategy(
    x: Floats,
    inside: NDArray[np.bool_],
    classes: Sequence[Any] | None,
    groups: Sequence[Any] | None,
    artefacts: Mapping[str, NDArray[Any]],
) -> Strategy:
    rows = np.flatnonzero(inside)
    mean = x[rows].mean(0)
    nearest = rows[np.argsort(((x[rows] - mean) ** 2).sum(1), kind="stable")[:EXAMPLES]]

    def purity(each: Sequence[Any] | None) -> float | None:
        if each is None:
            return None
        return float(np.unique(np.asarray(each)[rows], return_counts=True)[1].max() / len(rows))

    scores = {}
    for name, score in artefacts.items():
        apart = 0 < inside.sum() < len(inside) and np.ptp(score) > 0
        scores[name] = float(stats.pearsonr(inside.astype(float), score).statistic) if apart else 0.0
    return Strategy(
        windows=tuple(map(int, rows)),
        share=float(inside.mean()),
        map=mean,
        class_purity=purity(classes),
        group_purity=purity(groups),
        artefacts=scores,
        examples=tuple(map(int, nearest)),
    )


@register("clusters", order=20)
def _strategies(explained: Explained, context: ViewContext) -> Spray:
    step("clustering the maps")
    target = explained.dataset["target"].values.tolist() if "target" in explained.dataset else None
    scores = artefact_scores(explained.windows)
    classes = None if explained.contract.regresses else target  # of a number there is one for all windows
    return spray(maps_of(explained), classes=classes, artefacts=scores, seed=context.seed)
