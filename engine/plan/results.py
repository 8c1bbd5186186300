"""From the micro-batches of a run to one `Attribution`."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from ..analysis.shapes import sample_sums
from ..attribution import Attribution, InputSamples, Ledger, LedgerEntry, Piece
from .facts import Facts
from .inputs import Inputs, joined_targets
from .onnx_runner import Result

Array = np.ndarray[Any, Any]


@dataclass(frozen=True)
class Part:
    """One micro-batch, explained.

    Attributes
    ----------
    facts : Facts
        Of the way that this batch took through the model's branches.
    feed, outputs : dict of str to ndarray
        What went in, and the model's own outputs.
    result : Result
    explained : ndarray, shape (K, batch)
    target : object
    several : bool
        Whether the axis K is kept.
    batch : int
    """

    facts: Facts
    feed: Mapping[str, Array]
    outputs: Mapping[str, Any]
    result: Result
    explained: Array
    target: Any
    several: bool
    batch: int


def per_sample(facts: Facts, name: str, amounts: Array, batch: int) -> Array:
    """Sums for each sample of something shaped [K, *shape of a tensor]; [K, batch], float64."""
    return sample_sums(amounts, batch, facts.layouts.get(name))


def product(m: Array | None, x: Array, r: Array | None, dtype: np.dtype[Any]) -> Array:
    """``x m + r``. Nothing is formed where no multiplier arrived: 0 * inf is not relevance."""
    made: Any = 0 if m is None else np.where(m == 0, 0, m * x)
    return np.asarray(made if r is None else made + r, dtype=dtype)


def assemble(
    parts: Sequence[Part],
    inputs: Inputs,
    outputs: Sequence[str],
    *,
    composite: str,
    notes: Sequence[str],
) -> Attribution:
    """Join micro-batches along their rows.

    Parameters
    ----------
    parts : sequence of Part
    inputs : Inputs
    outputs : sequence of str
        Names of the model's own outputs.
    composite : str
    notes : sequence of str
    """
    several = parts[0].several
    facts = parts[0].facts
    dtype = np.dtype(facts.dtype)

    def whole(arrays: list[Array], axis: int = 0) -> Array:
        joined = arrays[0] if len(arrays) == 1 else np.concatenate(arrays, axis=1 + axis)
        return joined if several else joined[0]

    axes = inputs.axes(parts[0].feed)

    relevance, multiplier, unassigned, reached, samples = {}, {}, {}, {}, {}
    for name in inputs:
        ms, rs = [], []
        for p in parts:
            k = (p.explained.shape[0], *p.feed[name].shape)
            m, r = p.result.multipliers.get(name), p.result.remainders.get(name)
            ms.append(np.zeros(k, dtype) if m is None else m)
            rs.append(
                (product(m, p.feed[name], r, dtype), r)
                if m is not None or r is not None
                else (np.zeros(k, dtype), None)
            )
        axis = axes[name]
        if len(parts) > 1 and axis is None:
            # One array for all rows: its relevance is that of all of them together.
            relevance[name] = whole([np.sum([x for x, _ in rs], axis=0)])
            multiplier[name] = whole([np.sum(ms, axis=0)])
        else:
            relevance[name] = whole([x for x, _ in rs], axis or 0)
            multiplier[name] = whole(ms, axis or 0)
        if rs[0][1] is not None:
            unassigned[name] = whole([r for _, r in rs if r is not None], axis or 0)
        rows = [0 if axis is None else p.feed[name].shape[axis] for p in parts]
        samples[name] = InputSamples(
            None if facts.mode == "joint" else axis,
            tuple(Piece(n, p.batch, p.facts.layouts.get(name)) for n, p in zip(rows, parts, strict=True)),
        )
        reached[name] = whole(
            [per_sample(p.facts, name, x, p.batch) for p, (x, _) in zip(parts, rs, strict=True)]
        )
    explained = whole([p.explained for p in parts])
    entries = tuple(
        LedgerEntry(
            *key, whole([p.get(key, np.zeros(q.explained.shape)) for p, q in zip(kept, parts, strict=True)])
        )
        for kept in [[_entries(p) for p in parts]]
        for key in dict.fromkeys(k for p in kept for k in p)
    )
    at = {name: _inner(facts, name, [p.result.at[name] for p in parts], several) for name in facts.at}
    made = {n: _joined([p.outputs[n] for p in parts]) for n in outputs}
    return Attribution(
        relevance=relevance,
        multiplier=multiplier,
        outputs=made,
        explained=explained,
        target=joined_targets([p.target for p in parts], several),
        output=facts.target,
        ledger=Ledger(entries, explained.shape),
        reached=reached,
        unassigned=unassigned,
        at=at,
        composite=composite,
        notes=tuple(notes),
        samples=samples,
    )


def _entries(part: Part) -> dict[tuple[str, str, str], Array]:
    """The ledger of one micro-batch, by node, kind and tensor."""
    found: dict[tuple[str, str, str], Array] = {}
    for key, amount in zip(part.facts.entries, part.result.entries, strict=True):
        found[key] = found[key] + amount if key in found else amount
    return found


def _joined(values: list[Any]) -> Any:
    """One of the model's own outputs, over all micro-batches."""
    if len(values) == 1:
        return values[0]
    if all(isinstance(v, np.ndarray) for v in values):
        return np.concatenate([np.atleast_1d(v) for v in values])
    return [item for v in values for item in v]


def _inner(facts: Facts, name: str, parts: list[Array], several: bool) -> Array:
    """Relevance of an inner tensor, its micro-batches joined.

    What has no batch of its own (a constant, explained one sample at a time) gets one in front.
    """
    layout = facts.layouts.get(name)
    if layout is None:
        joined = np.stack(parts, axis=1)
    else:
        joined = np.concatenate(parts, axis=layout.axis) if len(parts) > 1 else parts[0]
    return joined if several else joined[0]
