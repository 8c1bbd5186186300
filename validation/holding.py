"""What the windows of a case are held against, where the policy's maps are of a difference."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
from numpy.typing import NDArray

from ..eeg.explanation.references import ReferenceOptions, ReferenceWindows, fits, overlapping
from ..eeg.recording.windows import Windows
from ..eeg.text import plain
from ..engine.errors import InputError
from ..engine.evaluation.references import ANY, OTHER, Pools, anybody, drawn, otherwise

Rows = NDArray[np.int64]


def held(
    windows: Windows,
    outputs: Callable[[], NDArray[np.float64]],
    groups: Sequence[str],
    options: ReferenceOptions,
    seed: int,
) -> ReferenceWindows:
    """Windows of the case itself, each held against others of the same subject.

    Parameters
    ----------
    windows : Windows
    outputs : callable
        Gives what the model says of each.
    groups : sequence of str
        Subject of each window: a difference between heads is no difference between states.
    options : ReferenceOptions
    seed : int

    Returns
    -------
    ReferenceWindows
        All windows, and which of them each is held against.

    Raises
    ------
    InputError
        A window has none to be held against, or none has the label that is asked for.
    """
    asked, found = str(options.against), []
    index: list[Rows] = [np.zeros(0, dtype=np.int64)] * len(windows)
    named = np.array([fits(label, asked) for label in windows.labels])
    if asked not in (OTHER, ANY) and not named.any():
        raise InputError(f"against {plain(asked, 40)}: no window has this label; there are other and any")
    rng = np.random.default_rng([seed, *b"references"])
    for group in dict.fromkeys(groups):
        rows = np.flatnonzero(np.array(groups) == group)
        if asked == OTHER:
            pools = otherwise(outputs()[rows])
        elif asked == ANY:
            pools = anybody(len(rows))
        else:
            pools = Pools((np.flatnonzero(named[rows]),) * len(rows), f"windows labelled {plain(asked, 40)}")
        found.append(pools)
        chosen = drawn(pools.rows, options.references, rng, overlapping(windows, rows))
        for i, own in zip(rows, chosen, strict=True):
            index[i] = rows[own]
    fewest = min(map(len, index))
    if not fewest:
        raise InputError(f"against {plain(asked, 40)}: there is a window that has none to be held against")
    return ReferenceWindows(
        windows.data,
        windows.signal,
        np.stack([row[:fewest] for row in index]),
        windows.onsets,
        windows.labels,
        f"{fewest} {found[0].how}",
        tuple(dict.fromkeys(pools.note for pools in found if pools.note)),
    )
