"""Positions that a recording brings along, for channels whose names are no known electrode's.

A cap whose channels are called E1 or "EEG 001" has positions in the file. They count for as long as an
explanation of that recording is made or drawn: regions, head maps and components go by them then.
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Any, ParamSpec, TypeVar

import mne
import numpy as np
from numpy.typing import NDArray

Place = tuple[float, float, float]
Places = Mapping[str, Place]
P = ParamSpec("P")
R = TypeVar("R")

_NOW: ContextVar[Places] = ContextVar("measured positions", default={})  # noqa: B039 (never changed in place)


@contextmanager
def measured(places: Places) -> Iterator[None]:
    """Let positions count within a block.

    Parameters
    ----------
    places : mapping of str to (float, float, float)
        Channel name -> position in metre, in the frame of `channels.positions`.
    """
    token = _NOW.set({**_NOW.get(), **places})
    try:
        yield
    finally:
        _NOW.reset(token)


def places_now() -> Places:
    """The positions that count now."""
    return _NOW.get()


def placed(function: Callable[P, R]) -> Callable[P, R]:
    """Let the positions of the explanation that a function gets first count while it runs."""

    @functools.wraps(function)
    def with_places(*given: P.args, **named: P.kwargs) -> R:
        first: Any = given[0] if given else next(iter(named.values()))
        with measured(first.windows.places):
            return function(*given, **named)

    return with_places


def of_recording(
    info: Any, names: Sequence[str], fiducials: Mapping[str, NDArray[np.float64]]
) -> dict[str, Place]:
    """Positions of channels in a recording, brought into the template's frame.

    Parameters
    ----------
    info : mne.Info
    names : sequence of str
        The recording's names.
    fiducials : mapping
        The template's nasion and ears (`channels.fiducials`).

    Returns
    -------
    dict of str to (float, float, float)
        Only channels that have a position, in metre.
    """
    to_head = mne.transforms.get_ras_to_neuromag_trans(
        fiducials["nasion"], fiducials["lpa"], fiducials["rpa"]
    )
    back = np.linalg.inv(to_head)
    found = {}
    for ch in info["chs"]:
        loc = np.asarray(ch["loc"][:3], dtype=np.float64)
        if ch["ch_name"] in names and np.isfinite(loc).all() and 0.03 < np.linalg.norm(loc) < 0.2:
            x, y, z = mne.transforms.apply_trans(back, loc)
            found[ch["ch_name"]] = (float(x), float(y), float(z))
    return found
