"""The ledger while a walk is recorded: what rules keep back, before it is computed."""

from __future__ import annotations

from dataclasses import dataclass

from ..analysis.shapes import Layout
from ..ops.base import Expr, Ops

# What stays here can have been masked: -inf, where no relevance goes.
_MASKED = frozenset({"constant", "softmax"})


@dataclass(frozen=True)
class Entry:
    """A ledger entry before it is computed."""

    node: str
    kind: str
    tensor: str
    relevance: Expr


class RecordedLedger:
    """Entries in the order in which rules make them.

    Parameters
    ----------
    ops : Ops
        The record that the walk writes into.
    wanted : bool
        Without it nothing is kept.
    """

    def __init__(self, ops: Ops, *, wanted: bool) -> None:
        self._ops, self._wanted = ops, wanted
        self.entries: list[Entry] = []

    def add(self, node: str, kind: str, tensor: str, m: Expr, by: Expr | None, layout: Layout | None) -> None:
        """Note the sum of ``m * by`` for each sample.

        Parameters
        ----------
        node, kind, tensor : str
        m : Expr
            Backward value, [K, *shape].
        by : Expr or None
            What m is multiplied with; None where m is relevance already.
        layout : Layout or None
            Where the samples are in m.
        """
        if not self._wanted:
            return
        op = self._ops
        amount = m if by is None else op.mul(m, by)
        if by is not None and kind in _MASKED:
            # 0 * inf is not to be formed.
            amount = op.where(op.equal(m, 0.0), 0.0, amount)
        self.entries.append(Entry(node, kind, tensor, op.per_sample(amount, layout)))
