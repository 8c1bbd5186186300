"""Explanations of some windows at a time, put in their places as they come."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ...engine.attribution import Attribution
from ...engine.contract import InputContract
from ..recording.windows import from_model_layout


class Collected:
    """What was found of all windows, from batches in any order; no batch is held once it was put in.

    Parameters
    ----------
    count : int
        How many windows there are.
    contract : InputContract
    paired : bool
        Whether each window is held against references: the multiplier then is of each of them.
    """

    def __init__(self, count: int, contract: InputContract, *, paired: bool) -> None:
        self._count, self._contract, self._paired = count, contract, paired
        self._arrays: dict[str, NDArray[Any]] = {}
        self._ledger: dict[str, NDArray[Any]] = {}
        self._missing: set[str] = set()
        self.notes: dict[str, None] = {}

    def put(self, rows: NDArray[np.int64], found: Attribution) -> None:
        """Take in the explanation of some windows."""
        name = self._contract.input
        for what in ("relevance", "unassigned"):
            self._set(what, rows, getattr(found, what).get(name))
        self._set("explained", rows, found.explained)
        self._set("closure", rows, found.closure())
        output = self._contract.output or (
            found.output if found.output in found.outputs else next(iter(found.outputs))
        )
        self._set("output", rows, found.outputs.get(output))
        target = np.asarray(found.target)
        is_class = target.dtype.kind in "iu" and target.shape == (len(found.explained),)
        self._set("target", rows, target if is_class else None)
        if self._paired:
            each = found.per_reference
            held = [a.multiplier[name] for a in each] if name in found.multiplier else None
            self._set("multiplier", rows, held and np.stack(held, 1))
            if name in found.relevance:
                self._set("by_reference", rows, np.stack([self._by_electrode(a) for a in each], 1))
        else:
            self._set("multiplier", rows, found.multiplier.get(name))
        for kind, amount in found.ledger.by_kind().items():
            known = self._ledger.setdefault(kind, np.zeros(self._count, amount.dtype))
            known[rows] = amount
        self.notes.update(dict.fromkeys(found.notes))

    def _by_electrode(self, found: Attribution) -> NDArray[np.float64]:
        whole = from_model_layout(found.relevance[self._contract.input], self._contract)
        return np.asarray(whole.sum(-1, dtype=np.float64))

    @property
    def explained(self) -> NDArray[Any]:
        """What was explained of each window."""
        return self._arrays["explained"]

    def array(self, what: str) -> NDArray[Any] | None:
        """Relevance, what is unassigned, multiplier and so on, of all windows; None where there is none."""
        return None if what in self._missing else self._arrays.get(what)

    def ledger(self) -> Mapping[str, NDArray[Any]]:
        """Per kind, one value a window; a kind that a batch lacks is zero there. Largest first."""
        return dict(sorted(self._ledger.items(), key=lambda kv: -float(np.abs(kv[1]).sum())))

    def _set(self, what: str, rows: NDArray[np.int64], values: Any) -> None:
        if values is None:
            self._missing.add(what)
            return
        values = np.asarray(values)
        if what not in self._arrays:
            self._arrays[what] = np.empty((self._count, *values.shape[1:]), values.dtype)
        known = self._arrays[what]
        if known.dtype != values.dtype:  # of a batch that was computed otherwise
            kind = np.result_type(known, values)
            self._arrays[what] = known = known.astype(kind, copy=False)
        known[rows] = values
