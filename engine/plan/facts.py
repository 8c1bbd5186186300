"""What has been found out about a model, as plain data: enough to explain more inputs with a plan."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from ..analysis.shapes import Layout

if TYPE_CHECKING:
    from ..analysis.probe import Probe
    from ..walk.walker import RecordedWalk

Array = np.ndarray[Any, Any]


@dataclass(frozen=True)
class Facts:
    """Of one model, target and composite, for one shape of input.

    Attributes
    ----------
    mode : {"open", "fixed", "single", "joint"}
    rows, batch : int
        As in `Probe`.
    layouts : dict of str to Layout
        Where samples are in inputs, outputs, what is explained, and inner tensors that were asked for.
    ranks : dict of str to int
        Of the same.
    outputs : tuple of str
    target : str
        The explained tensor.
    dtype : str
        Of relevance.
    messages : dict of str to (bool, bool)
        Inputs that relevance reaches: whether a multiplier, whether a message r.
    entries : tuple of (node, kind, tensor)
        The ledger's.
    at, at_multipliers : tuple of str
        Inner tensors that were asked for, and those of them that have a multiplier.
    constants : frozenset of str
        Those of them that no input can change.
    decisions : tuple of (str, ndarray)
        Conditions and trip counts with the values that this holds for.
    approximate : bool
        Whether quantised or half-precision operators are run in float32.
    notes : tuple of str
    """

    mode: str
    rows: int
    batch: int
    layouts: Mapping[str, Layout]
    ranks: Mapping[str, int]
    outputs: tuple[str, ...]
    target: str
    dtype: str
    messages: Mapping[str, tuple[bool, bool]]
    entries: tuple[tuple[str, str, str], ...]
    at: tuple[str, ...]
    at_multipliers: tuple[str, ...]
    constants: frozenset[str]
    decisions: tuple[tuple[str, Array], ...]
    approximate: bool
    notes: tuple[str, ...]

    @property
    def by_rows(self) -> bool:
        """Whether it holds for one number of rows only."""
        return self.mode in ("fixed", "joint")

    def holds(self, values: Mapping[str, Array]) -> bool:
        """Whether the same branches are taken as when it was found out."""
        return all(np.array_equal(values[name], value) for name, value in self.decisions)

    def to_json(self) -> dict[str, Any]:
        """Plain data for JSON."""
        data = {k: v for k, v in self.__dict__.items() if k not in ("layouts", "decisions", "constants")}
        data["layouts"] = {n: [x.axis, x.outer, x.inner] for n, x in self.layouts.items()}
        data["decisions"] = [
            [n, str(v.dtype), list(v.shape), v.reshape(-1).tolist()] for n, v in self.decisions
        ]
        data["constants"] = sorted(self.constants)
        return data

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> Facts:
        """From what `to_json` gave."""
        return cls(
            **{
                **data,
                "layouts": {n: Layout(*x) for n, x in data["layouts"].items()},
                "decisions": tuple(
                    (n, np.asarray(v, dtype).reshape(shape)) for n, dtype, shape, v in data["decisions"]
                ),
                "outputs": tuple(data["outputs"]),
                "messages": {n: (bool(m), bool(r)) for n, (m, r) in data["messages"].items()},
                "entries": tuple((a, b, c) for a, b, c in data["entries"]),
                "at": tuple(data["at"]),
                "at_multipliers": tuple(data["at_multipliers"]),
                "constants": frozenset(data["constants"]),
                "notes": tuple(data["notes"]),
            }
        )

    @classmethod
    def of(
        cls,
        probe: Probe,
        recording: RecordedWalk,
        inputs: Sequence[str],
        *,
        decisions: tuple[tuple[str, Array], ...],
        approximate: bool,
        notes: Sequence[str],
    ) -> Facts:
        """What a probe and a walk found out."""
        names = [*inputs, *probe.outputs, recording.target, *recording.at]
        return cls(
            mode=probe.mode,
            rows=probe.rows,
            batch=probe.batch,
            layouts={n: probe.layouts[n] for n in names if n in probe.layouts},
            ranks={n: len(probe.shapes[n]) for n in names if n in probe.shapes},
            outputs=tuple(probe.outputs),
            target=recording.target,
            dtype=recording.ops.dtype.name,
            messages={n: (m.m is not None, m.r is not None) for n, m in recording.messages.items()},
            entries=tuple((e.node, e.kind, e.tensor) for e in recording.entries),
            at=tuple(recording.at),
            at_multipliers=tuple(recording.at_multipliers),
            constants=frozenset(n for n in recording.at if n in probe.constants),
            decisions=decisions,
            approximate=approximate,
            notes=tuple(notes),
        )
