"""Values that are not numbers: where they are, and what stands there for the filters.

Between two runs, or where a device lost its link, a file may have not-a-number. Windows that meet one are
dropped. The rest of the channel is as good as ever, so the hole is bridged by a straight line, which filters
pass without ringing, and the windows keep their places.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import replace

import numpy as np

from ..text import counted, listed
from .conditioning import Signal, SignalPiece

MOST = 0.5  # of a channel's samples: a channel with fewer numbers is none


def bridged(pieces: Sequence[SignalPiece], names: Sequence[str], sfreq: float) -> list[SignalPiece]:
    """Pieces with holes bridged and told (`SignalPiece.holes`); a channel that is mostly hole stays as it is.

    Parameters
    ----------
    pieces : sequence of SignalPiece
        With the channels `names`. Their data are changed.
    names : sequence of str
    sfreq : float
        Hz.
    """
    total = sum(p.data.shape[-1] for p in pieces)
    lost = np.sum([(~np.isfinite(p.data)).sum(-1) for p in pieces], axis=0)
    some = np.flatnonzero((lost > 0) & (lost <= MOST * total))
    if not len(some):
        return list(pieces)
    out = []
    for piece in pieces:
        holes: list[tuple[str, float, float]] = []
        for i in map(int, some):
            holes += [(names[i], a / sfreq, b / sfreq) for a, b in _bridge(piece.data[i])]
        out.append(replace(piece, holes=tuple(holes)))
    return out


def _bridge(x: Signal) -> list[tuple[int, int]]:
    """Fill the holes of one channel in place; the first sample of each and the one behind it."""
    finite = np.isfinite(x)
    if finite.all():
        return []
    at = np.arange(len(x))
    x[~finite] = np.interp(at[~finite], at[finite], x[finite]) if finite.any() else 0.0
    edges = np.flatnonzero(np.diff(np.concatenate([[0], ~finite, [0]]).astype(np.int8)))
    return [(int(a), int(b)) for a, b in edges.reshape(-1, 2)]


def outside(piece: SignalPiece, channels: Collection[str], sfreq: float) -> SignalPiece:
    """A piece without the samples at which one of some channels has a hole, to judge the rest by."""
    keep = np.ones(piece.data.shape[-1], dtype=bool)
    for name, a, b in piece.holes:
        if name in channels:
            keep[round(a * sfreq) : round(b * sfreq)] = False
    return piece if keep.all() or keep.sum() < 2 else replace(piece, data=piece.data[:, keep])


def beyond(pieces: Sequence[SignalPiece], used: Collection[str]) -> set[str]:
    """Channels with holes where none of those that are used has one: they stay out of averages."""
    out = set()
    for piece in pieces:
        there = [(a, b) for name, a, b in piece.holes if name in used]
        for name, a, b in piece.holes:
            if name not in used and not any(x <= a and b <= y for x, y in there):
                out.add(name)
    return out


def holes_said(pieces: Sequence[SignalPiece], used: Collection[str]) -> list[str]:
    """What a user should know of holes in the channels that are used."""
    found = [(n, a, b) for p in pieces for n, a, b in p.holes if n in used]
    if not found:
        return []
    whose = list(dict.fromkeys(n for n, _, _ in found))
    longest = max(b - a for _, a, b in found)
    return [
        f"Values that are not numbers in {counted(len(found), 'place')} (up to {longest:.3g} s) of "
        f"{listed(whose)}: windows that touch them are left out, and filters bridge them by a straight line."
    ]
