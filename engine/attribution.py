"""What an explanation is: relevance, multipliers, and the ledger of what did not reach an input."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

Array = NDArray[Any]


@dataclass(frozen=True)
class LedgerEntry:
    """Relevance that one node kept for one reason.

    Attributes
    ----------
    node : str
        Name of the node.
    kind : str
        bias, constant, softmax, origin (a function's value at 0), stabilizer, nonlinear, ...
    tensor : str
        The tensor at which it was kept.
    relevance : ndarray, shape (batch,) or (K, batch)
    """

    node: str
    kind: str
    tensor: str
    relevance: Array


@dataclass(frozen=True)
class Ledger:
    """What did not reach an input, entry by entry, each computed from its cause."""

    entries: tuple[LedgerEntry, ...]
    shape: tuple[int, ...]

    def __iter__(self) -> Iterator[LedgerEntry]:
        return iter(self.entries)

    def __len__(self) -> int:
        return len(self.entries)

    def total(self) -> Array:
        """Sum over all entries, [batch] ([K, batch] for several targets)."""
        out = np.zeros(self.shape)
        for entry in self.entries:
            out = out + entry.relevance
        return out

    def by_kind(self) -> dict[str, Array]:
        """Sum of the entries of each kind, largest first."""
        out: dict[str, Array] = {}
        for entry in self.entries:
            out[entry.kind] = out.get(entry.kind, np.zeros(self.shape)) + entry.relevance
        return dict(sorted(out.items(), key=lambda kv: -float(np.abs(kv[1]).sum())))


@dataclass(frozen=True)
class Attribution:
    """The explanation of one batch.

    Attributes
    ----------
    relevance : dict of str to ndarray
        Per graph input, in that input's shape (a leading axis K where the target asks for several).
    multiplier : dict of str to ndarray
        Relevance per unit of input: ``relevance = x * multiplier`` where no message r is left.
    reached : dict of str to ndarray, shape (batch,) or (K, batch)
        Per graph input, the sum of its relevance for each sample.
    unassigned : dict of str to ndarray
        The messages r that reached an input without a multiplier; only inputs that have some.
    outputs : dict of str to ndarray
        The model's own outputs.
    explained : ndarray, shape (batch,) or (K, batch)
        The number that was explained.
    target : ndarray or object
        What was explained: class indices, or the seed array.
    output : str
        The tensor whose value was explained. Where the model ends in a softmax or sigmoid this is
        the logit before it.
    ledger : Ledger
    at : dict of str to ndarray
        Relevance of inner tensors that were asked for.
    composite : str
    """

    relevance: Mapping[str, Array]
    multiplier: Mapping[str, Array]
    outputs: Mapping[str, Array]
    explained: Array
    target: Any
    output: str
    ledger: Ledger
    reached: Mapping[str, Array] = field(default_factory=dict)
    unassigned: Mapping[str, Array] = field(default_factory=dict)
    at: Mapping[str, Array] = field(default_factory=dict)
    composite: str = ""
    notes: Sequence[str] = ()

    def closure(self) -> Array:
        """How far relevance plus ledger is from what was explained, relative, [batch] or [K, batch].

        ``abs(sum R + ledger - explained) / max(abs(explained), max abs(R))``, where max abs(R) is
        over the batch.
        """
        total = self.ledger.total()
        largest = np.abs(self.explained).astype(np.float64)
        for name, r in self.relevance.items():
            total = total + self.reached[name]
            largest = np.maximum(largest, np.abs(r).max(initial=0.0))
        out: Array = np.abs(total - self.explained) / np.maximum(largest, np.finfo(np.float32).tiny)
        return out
