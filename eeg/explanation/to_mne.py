"""Relevance as MNE's own objects, so that any of its plots and tools work on it."""

from __future__ import annotations

from itertools import pairwise
from pathlib import Path
from typing import Any

import mne
import numpy as np

from ...engine.errors import InputError
from ..electrodes.regions import members, regions_of
from ..text import plain, write_csv
from .explained import Explained, predictions, truth
from .long_form import explained_names
from .mne_units import RelevanceEpochs
from .timeline import stitched

_AS_MICROVOLT = 1e-6  # of the signal, which MNE holds in volt


def to_epochs(explained: Explained, what: str = "relevance") -> mne.EpochsArray:
    """Every window as an epoch.

    Parameters
    ----------
    explained : Explained
    what : {"relevance", "multiplier", "signal"}

    Returns
    -------
    RelevanceEpochs, or mne.EpochsArray of the signal
        Relevance is held as it is, and drawn in its unit; the signal in volt, as MNE does. Events are at the
        windows' onsets, or at the events that they are cut around, in samples; their names are the explained
        class where there is one. The metadata have for each window its "label", what was explained
        ("explained", as the events are named, and the number: "value") and "right": whether the model said
        what the label does, None where either says nothing.

    Raises
    ------
    InputError
        The explanation has no such thing, or one for each reference.
    """
    data = explained.dataset
    if what not in ("relevance", "multiplier", "signal") or what not in data:
        raise InputError(
            f"{plain(what)}: an explanation has relevance, signal and, for most composites, multiplier"
        )
    if data[what].ndim != 3:
        raise InputError(f"{what}: there is one for each reference; relevance is of all of them together")
    names, sfreq = explained.electrodes, explained.windows.sfreq
    info = mne.create_info(list(names), sfreq, "eeg", verbose="error")
    if names.positions:
        info.set_montage(
            mne.channels.make_dig_montage(dict(names.positions), coord_frame="head"),
            on_missing="ignore",
            verbose="error",
        )
    labels = explained_names(explained.dataset)
    codes = {name: i + 1 for i, name in enumerate(dict.fromkeys(labels))}
    tmin = explained.windows.tmin
    onsets = np.round((explained.windows.onsets - tmin) * sfreq).astype(int)
    # MNE wants one event a sample: windows that start together are moved by one. In order of time, since
    # windows need not be in it.
    order = np.argsort(onsets, kind="stable")
    for before, i in pairwise(order):
        onsets[i] = max(onsets[i], onsets[before] + 1)
    events = np.column_stack([onsets, np.zeros_like(onsets), [codes[name] for name in labels]])
    values = data[what].values.astype(np.float64)
    more: dict[str, Any] = {"metadata": _metadata(explained, labels), "verbose": "error"}
    if what == "signal":
        return mne.EpochsArray(values * _AS_MICROVOLT, info, events, tmin, codes, **more)
    made = RelevanceEpochs(values, info, events, tmin, codes, **more)
    made.shows = what
    made.unit = explained.unit if what == "relevance" else f"{explained.unit} per unit of input"
    return made


def _metadata(explained: Explained, names: list[str]) -> Any:
    """A table with a row for each window."""
    import pandas

    windows, guess = explained.windows, predictions(explained)
    real = truth(windows.labels, explained.contract.classes)
    right: list[bool | None] = [None] * len(real)
    if guess is not None:
        right = [bool(g == r) if r >= 0 else None for g, r in zip(guess, real, strict=True)]
    return pandas.DataFrame(
        {
            "label": pandas.Series([label and plain(label) for label in windows.labels], dtype=object),
            "explained": names,
            "value": explained.dataset["explained"].values.astype(np.float64),
            "right": pandas.Series(right, dtype=object),
        }
    )


def to_evoked(
    explained: Explained, what: str = "relevance", *, by: str = "explained"
) -> dict[str, mne.EvokedArray]:
    """The mean over windows, for each explained class or for each label.

    Parameters
    ----------
    explained : Explained
    what : {"relevance", "multiplier", "signal"}
    by : {"explained", "label"}
        Windows without a label are in no mean by label.

    Returns
    -------
    dict of str to RelevanceEvoked, or to mne.EvokedArray of the signal

    Raises
    ------
    InputError
        There is no such thing, or no window has a label.
    """
    epochs = to_epochs(explained, what)
    if by not in ("explained", "label"):
        raise InputError(f"by {plain(by)}: the mean is by explained, or by label")
    groups = epochs.metadata[by]
    found = {}
    for name in sorted(groups.dropna().unique(), key=groups.tolist().index):
        evoked = epochs[np.flatnonzero(groups == name)].average(picks="all")
        evoked.comment = f"{what}, {name}"
        found[name] = evoked
    if not found:
        raise InputError("by label: no window has a label")
    return found


def to_annotations(
    explained: Explained,
    electrodes: str | list[str] | None = None,
    *,
    part: float = 0.05,
    shortest: float = 0.05,
) -> mne.Annotations:
    """The stretches of the recording with the largest relevance.

    Parameters
    ----------
    explained : Explained
    electrodes : str or list of str, optional
        A set, a region or names (`regions.members`); all by default.
    part : float
        The part of the samples that is marked, at most: samples that tie with the rest (no relevance, or the
        same everywhere) do not stand out and are left unmarked.
    shortest : float
        Seconds; shorter stretches are left out, and gaps that are shorter are closed.

    Returns
    -------
    mne.Annotations
        Onsets in seconds from the recording's first sample.

    Raises
    ------
    InputError
        No such electrodes, or a part that is none.
    """
    if not 0 < part < 1:
        raise InputError(f"part {part:g}: between 0 and 1")
    channels = explained.electrodes
    chosen = channels if electrodes is None else members(electrodes, channels)
    if not chosen:
        raise InputError(f"{plain(electrodes)}: the model has none of these electrodes")
    relevance, _, start = stitched(explained)
    size = np.abs(relevance[[channels.index(c) for c in chosen]]).sum(0)
    sfreq = explained.windows.sfreq
    high = size > np.nanquantile(size, 1 - part)  # False where no window is
    edges = np.flatnonzero(np.diff(np.concatenate([[0], high.astype(int), [0]])))
    runs: list[list[int]] = []
    for a, b in edges.reshape(-1, 2).tolist():
        if runs and a - runs[-1][1] < shortest * sfreq:
            runs[-1][1] = b
        else:
            runs.append([a, b])
    runs = [r for r in runs if r[1] - r[0] >= shortest * sfreq]
    what = (
        "relevance"
        if electrodes is None
        else f"relevance/{electrodes if isinstance(electrodes, str) else 'chosen'}"
    )
    return mne.Annotations(
        [start + a / sfreq for a, _ in runs], [(b - a) / sfreq for a, b in runs], [what] * len(runs)
    )


def to_csv(explained: Explained, path: Path) -> Path:
    """Write one row for each window and electrode.

    Columns: window (from 0), onset (seconds from the recording's first sample), label ("" for none), target
    (the explained class), electrode, region (`regions.regions_of`), relevance (summed over the window's time,
    in the output's unit), share (its size over that of all electrodes in the window, as in `shares`; empty
    where a window has no relevance).

    Parameters
    ----------
    explained : Explained
    path : Path

    Returns
    -------
    Path
        The same.
    """
    windows = explained.windows
    total = explained.relevance.sum(-1, dtype=np.float64)
    size = np.abs(total)
    whole = size.sum(1)
    regions = regions_of(explained.electrodes)
    head = ("window", "onset", "label", "target", "electrode", "region", "relevance", "share")
    rows = []
    for i, target in enumerate(explained_names(explained.dataset)):
        about = [i, float(windows.onsets[i]), windows.labels[i] or "", target]
        for j, name in enumerate(windows.channels):
            part = float(size[i, j] / whole[i]) if whole[i] > 0 else ""
            rows.append((*about, plain(name), regions[j], float(total[i, j]), part))
    return write_csv(head, rows, path)
