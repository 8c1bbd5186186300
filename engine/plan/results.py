"""From the micro-batches of a call to one `Attribution`."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from ..analysis.shapes import sample_sums
from ..attribution import ALIKE, Attribution, InputSamples, Ledger, LedgerEntry, Piece
from ..errors import ModelError
from .facts import Facts
from .runner import Result
from .targets import Asked

Array = np.ndarray[Any, Any]

# Of the largest amount that was added up: less is rounding, however little is left of it in the end.
ROUNDING = 1e-5


@dataclass(frozen=True)
class Part:
    """One micro-batch, explained.

    Attributes
    ----------
    facts : Facts
        Of the way that this batch took through the model's branches.
    feed, outputs : dict of str to ndarray
        What went in, and the model's own outputs.
    y : ndarray
        The explained tensor.
    asked : Asked
    result : Result
    batch : int
        Number of samples.
    reference : dict of str to ndarray, optional
        What went in as the reference of each sample.
    y_reference : ndarray, optional
        The explained tensor there.
    """

    facts: Facts
    feed: Mapping[str, Array]
    outputs: Mapping[str, Any]
    y: Array
    asked: Asked
    result: Result
    batch: int
    reference: Mapping[str, Array] | None = None
    y_reference: Array | None = None

    def amounts(self) -> Array:
        """What the seed picks out of the explained tensor, or of its difference, [K, *its shape]."""
        found = picked(self.y, self.asked.seed)
        if self.y_reference is None:
            return found
        return found.astype(np.float64) - picked(self.y_reference, self.asked.seed)

    def amount(self, name: str) -> Array:
        """What the relevance of an input is a multiple of: the input, or how far it is from its reference."""
        x = self.feed[name]
        if self.reference is None or x.dtype.kind == "b":
            return x
        # In double: near values would lose what tells them apart.
        return np.asarray(x.astype(np.float64) - self.reference[name], self.facts.dtype)

    def relevance(self, name: str) -> Array:
        """``x m + r`` of an input, [K, *its shape].

        Nothing is formed where no multiplier arrived: 0 * inf is not relevance.
        """
        m, r, x = self.result.multipliers.get(name), self.result.remainders.get(name), self.amount(name)
        if m is None and r is None:
            return self.zeros(name)
        made: Any = 0 if m is None else np.where(m == 0, 0, m * x)
        return np.asarray(made if r is None else made + r, dtype=self.facts.dtype)

    def multiplier(self, name: str) -> Array:
        """m of an input, [K, *its shape]."""
        found = self.result.multipliers.get(name)
        return self.zeros(name) if found is None else found

    def zeros(self, name: str) -> Array:
        """What an input has that no relevance reaches."""
        return np.zeros((len(self.asked.seed), *self.feed[name].shape), self.facts.dtype)


class NotFiniteError(ModelError):
    """Relevance is not finite.

    Parameters
    ----------
    message : str
    part : Part
        The micro-batch in which it is not.
    """

    def __init__(self, message: str, part: Part) -> None:
        super().__init__(message)
        self.part = part


class NotClosedError(ModelError):
    """Relevance and ledger do not add up.

    Parameters
    ----------
    message : str
    part : Part
        The micro-batch in which they do not.
    gap : float
        By how much.
    """

    def __init__(self, message: str, part: Part, gap: float) -> None:
        super().__init__(message)
        self.part, self.gap = part, gap


def picked(y: Array, seed: Array) -> Array:
    """What a seed picks out of the explained tensor, element by element, [K, *its shape]."""
    # A masked class is -inf: what is not explained is not touched.
    return np.where(seed == 0, 0, seed * np.where(seed == 0, 0, y))


def explained(parts: Sequence[tuple[Facts, Array, int]], where: str) -> Array:
    """The numbers that are explained, [K, batch].

    Parameters
    ----------
    parts : sequence of (Facts, ndarray, int)
        Of each micro-batch: what is known of the model, what `picked` gave, and how many samples it has.
    where : str
        The file, for messages.

    Raises
    ------
    ModelError
        One of them is not finite.
    """
    sums = [sample_sums(amounts, batch, f.layouts.get(f.target)) for f, amounts, batch in parts]
    made = np.concatenate(sums, axis=1)
    if not np.isfinite(made).all():
        raise ModelError(f"{where}: output {parts[0][0].target!r} is not finite; nothing to explain")
    return made


def attribution(
    parts: Sequence[Part], axes: Mapping[str, int | None], composite: str, where: str
) -> Attribution:
    """Join micro-batches along their rows.

    Parameters
    ----------
    parts : sequence of Part
    axes : dict of str to (int or None)
        The axis of each input along which its rows lie.
    composite : str
        Its name.
    where : str
        The file, for messages.

    Raises
    ------
    ModelError
        What is explained, or relevance, is not finite.
    """
    first = parts[0]
    several, facts = first.asked.several, first.facts
    amounts = [(p.facts, p.amounts(), p.batch) for p in parts]
    by_part = {n: [p.relevance(n) for p in parts] for n in axes}
    total = explained(amounts, where)
    sums = {
        n: [sample_sums(r, p.batch, p.facts.layouts.get(n)) for p, r in zip(parts, each, strict=True)]
        for n, each in by_part.items()
    }
    relevance = {n: _whole(each, several, axes[n]) for n, each in by_part.items()}
    for i, part in enumerate(parts):
        if not all(np.isfinite(each[i]).all() for each in by_part.values()):
            raise NotFiniteError(f"{where}: relevance is not finite under composite {composite!r}", part)
    left = [n for n in axes if n in first.result.remainders]
    total = total if several else total[0]
    return Attribution(
        relevance=relevance,
        multiplier={n: _whole([p.multiplier(n) for p in parts], several, axes[n]) for n in axes},
        outputs={n: _joined([p.outputs[n] for p in parts]) for n in first.outputs},
        explained=total,
        target=_targets([p.asked.target for p in parts], several),
        output=facts.target,
        ledger=Ledger(_ledger(parts, several), total.shape),
        reached={n: _whole(each, several) for n, each in sums.items()},
        unassigned={n: _whole([p.result.remainders[n] for p in parts], several, axes[n]) for n in left},
        at={n: _inner(facts, n, [p.result.at[n] for p in parts], several) for n in facts.at},
        at_multiplier={
            n: _inner(facts, n, [p.result.at_multipliers[n] for p in parts], several)
            for n in facts.at_multipliers
        },
        composite=composite,
        notes=tuple(facts.notes),
        samples={n: _samples(parts, n, axes[n]) for n in axes},
        reference=None if first.reference is None else {n: _references(parts, n, axes[n]) for n in axes},
        size=max(float(np.abs(p.y[np.isfinite(p.y)]).max(initial=0)) for p in parts),
    )


def check_closure(made: Attribution, parts: Sequence[Part], where: str, limit: float) -> None:
    """Refuse an explanation that does not add up.

    Parameters
    ----------
    made : Attribution
    parts : sequence of Part
        The micro-batches that it is made of.
    where : str
        The file, for messages.
    limit : float
        The largest `Attribution.closure`; of a sum in which large amounts cancel, what is less than a hundred
        thousandth of the largest of them is rounding whatever the limit.

    Raises
    ------
    NotClosedError
    """
    # As `Attribution.account` has it; here, so that a call stays within few files.
    total, size = -made.explained.astype(np.float64), np.abs(made.explained).astype(np.float64)
    for name, r in made.relevance.items():
        total = total + made.reached[name]
        size = np.maximum(size, np.abs(r).max(initial=0.0))
    if made.reference is not None:
        size = np.maximum(size, ALIKE * made.size)
    for entry in made.ledger.entries:
        total = total + entry.relevance
        size = np.maximum(size, np.abs(entry.relevance) * (ROUNDING / limit))
    missing, size = total, np.maximum(size, np.finfo(np.float32).tiny)
    if any(p.layout is None and p.samples > 1 for own in made.samples.values() for p in own.pieces):
        # What all samples share (a bound that is an input) is divided evenly among them: only all adds up.
        missing = np.broadcast_to(missing.mean(axis=-1, keepdims=True), missing.shape)
    wrong = ~(np.abs(missing) <= limit * size)
    if not wrong.any():
        return
    sample = int(np.flatnonzero(wrong.reshape(-1, wrong.shape[-1]).any(axis=0))[0])
    first = 0
    for part in parts:
        if sample < first + part.batch:
            break
        first += part.batch
    found = float(made.closure()[..., sample].max())
    amount = f"{100 * found:.2g} % of it" if np.isfinite(found) else "they are not finite"
    raise NotClosedError(
        f"{where}: relevance and ledger do not add up to what was explained under composite "
        f"{made.composite!r} ({'off by ' if np.isfinite(found) else ''}{amount}, sample {sample})",
        part,
        float(np.abs(missing[..., sample]).max()),
    )


def averaged(each: Sequence[Attribution]) -> Attribution:
    """The explanation against several references: the mean of those against each."""
    if len(each) == 1:
        return each[0]

    def mean(of: Sequence[Mapping[str, Array]]) -> dict[str, Array]:
        return {
            n: np.mean([a[n] for a in of], axis=0, dtype=np.float64).astype(of[0][n].dtype) for n in of[0]
        }

    first = each[0]
    keys = dict.fromkeys((e.node, e.kind, e.tensor) for a in each for e in a.ledger)
    entries = []
    for key in keys:
        own = [e.relevance for a in each for e in a.ledger if (e.node, e.kind, e.tensor) == key]
        entries.append(LedgerEntry(*key, np.sum(own, axis=0) / len(each)))
    return replace(
        first,
        relevance=mean([a.relevance for a in each]),
        multiplier=mean([a.multiplier for a in each]),
        explained=np.mean([a.explained for a in each], axis=0),
        ledger=Ledger(tuple(entries), first.ledger.shape),
        reached=mean([a.reached for a in each]),
        unassigned=mean([a.unassigned for a in each]),
        at=mean([a.at for a in each]),
        at_multiplier=mean([a.at_multiplier for a in each]),
        reference=mean([a.reference or {} for a in each]),
        against=tuple(each),
    )


def _references(parts: Sequence[Part], name: str, axis: int | None) -> Array:
    """What the samples of all micro-batches were held against, in one input."""
    arrays = [p.reference[name] for p in parts if p.reference is not None]
    return arrays[0] if axis is None or len(arrays) == 1 else np.concatenate(arrays, axis)


def _whole(arrays: Sequence[Array], several: bool, axis: int | None = 0) -> Array:
    """All micro-batches of something shaped [K, ...], joined along an axis (without K)."""
    if len(arrays) == 1:
        joined = arrays[0]
    elif axis is None:  # one array for all rows: what is on it is that of all of them together
        joined = np.sum(arrays, axis=0)
    else:
        joined = np.concatenate(arrays, axis=1 + axis)
    return joined if several else joined[0]


def _samples(parts: Sequence[Part], name: str, axis: int | None) -> InputSamples:
    """Where the samples of all micro-batches are in an input."""
    rows = [0 if axis is None else p.feed[name].shape[axis] for p in parts]
    return InputSamples(
        None if parts[0].facts.mode == "joint" else axis,
        tuple(Piece(n, p.batch, p.facts.layouts.get(name)) for n, p in zip(rows, parts, strict=True)),
    )


def _ledger(parts: Sequence[Part], several: bool) -> tuple[LedgerEntry, ...]:
    """The ledger of all micro-batches; another branch may have other entries."""
    kept = [_entries(p) for p in parts]
    found = []
    for key in dict.fromkeys(k for each in kept for k in each):
        amounts = [
            each.get(key, np.zeros((len(p.asked.seed), p.batch))) for each, p in zip(kept, parts, strict=True)
        ]
        joined = np.concatenate(amounts, axis=1)
        found.append(LedgerEntry(*key, joined if several else joined[0]))
    return tuple(found)


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
    """What an inner tensor has, its micro-batches joined.

    What has no batch of its own (a constant, explained one sample at a time) gets one in front.
    """
    layout = facts.layouts.get(name)
    if layout is None:
        joined = np.stack(parts, axis=1)
    else:
        joined = np.concatenate(parts, axis=layout.axis) if len(parts) > 1 else parts[0]
    return joined if several else joined[0]


def _targets(targets: Sequence[Any], several: bool) -> Any:
    """The targets of several micro-batches as one."""
    if len(targets) == 1 or several or not isinstance(targets[0], np.ndarray):
        return targets[0]
    return np.concatenate(targets)
