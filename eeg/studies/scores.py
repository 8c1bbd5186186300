"""How a model does, from an explanation's dataset alone: accuracy, fit, closeness to random weights."""

from __future__ import annotations

import numpy as np
import xarray as xr
from numpy.typing import NDArray

from ..explanation import shares
from ..explanation.explained import truth
from ..recording.labels import number_in

# What `--baselines` keeps in a dataset: shares of electrodes by what they are of (baseline, channel).
BASELINES, RANDOM = "baseline_share", "random weights"


def labels_of(data: xr.Dataset) -> list[str]:
    """Labels of its windows, "" for none; no list where it has none at all."""
    return [str(label) for label in data["label"].values.tolist()] if "label" in data.coords else []


def accuracy(data: xr.Dataset) -> tuple[float, int] | None:
    """Part of the labelled windows in which a model was right, and how many those are; None for none."""
    output = data.get("output")
    if output is None or output.dims != ("epoch", "class"):
        return None
    real = truth(tuple(label or None for label in labels_of(data)), tuple(map(str, data["class"].values)))
    known = np.flatnonzero(real >= 0)
    if not len(known):
        return None
    return float((output.values.argmax(-1)[known] == real[known]).mean()), len(known)


def fit(data: xr.Dataset) -> float | None:
    """Correlation of a model's number with labels that are numbers; None where either is none."""
    output = data.get("output")
    if output is None or output.dims != ("epoch", "number"):
        return None
    which = int(data["target"].values[0]) if "target" in data and output.shape[1] > 1 else 0
    said = np.asarray(output.values[:, which], dtype=np.float64)
    true = np.array([number_in(label or None) for label in labels_of(data)], dtype=np.float64)
    known = np.isfinite(true) if len(true) == len(said) else np.zeros(len(said), dtype=bool)
    return correlation(said[known], true[known]) if known.sum() > 2 else None


def near_random(data: xr.Dataset) -> float | None:
    """Correlation over electrodes of the shares with those of random weights; None where they are unknown."""
    if BASELINES not in data or RANDOM not in data["baseline"].values.tolist():
        return None
    own = shares.by_electrode(np.asarray(data["relevance"].values))
    return correlation(own, np.asarray(data[BASELINES].sel(baseline=RANDOM).values, dtype=np.float64))


def correlation(a: NDArray[np.float64], b: NDArray[np.float64]) -> float | None:
    """Pearson's correlation; None where either is the same everywhere or not finite."""
    if len(a) < 3 or not np.isfinite([*a, *b]).all() or not np.ptp(a) or not np.ptp(b):
        return None
    return float(np.corrcoef(a, b)[0, 1])
