"""A model with every value as an output, and inputs to run it on."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any, Literal

import numpy as np
import onnx
import onnxruntime as ort

from ..file import runtime
from ..file.graph import Graph
from . import pieces
from .shapes import Layout

Array = np.ndarray[Any, Any]

Mode = Literal["open", "fixed", "single", "joint"]


class SamplesMix(Exception):  # noqa: N818 (not an error: an answer)
    """What the model says of one row depends on the others."""


@dataclass(frozen=True)
class Observed:
    """What running a model showed.

    Attributes
    ----------
    two, three : dict of str to ndarray
        All values for two and for three samples, in mode open; elsewhere the same ones twice.
    mode : {"open", "fixed", "single", "joint"}
        See `Probe`.
    rows : int
        Rows of the inputs that make one sample.
    batch : int
        Samples in one run where the mode is not open.
    layouts : mapping of str to Layout
        Where the samples are, by what changed with one of them.
    """

    two: Mapping[str, Array]
    three: Mapping[str, Array]
    mode: Mode
    rows: int = 1
    batch: int = 1
    layouts: Mapping[str, Layout] = field(default_factory=dict)


class Runs:
    """Runs of a model.

    Parameters
    ----------
    proto : onnx.ModelProto
    graph : Graph
        Of that model.
    example : dict of str to ndarray
    axes : dict of str to (int or None)
        The axis of each input along which its rows lie.
    where : str
        The file, for messages.

    Attributes
    ----------
    proto, graph, where
        As given.
    axes : dict of str to int
        Of inputs that have rows.
    noise : bool
        Whether rows are made different by noise; else by shuffling what they hold.
    cut : bool
        Whether it is run in pieces where all values are asked for, which takes less memory.
    """

    def __init__(
        self,
        proto: onnx.ModelProto,
        graph: Graph,
        example: Mapping[str, Array],
        axes: Mapping[str, int | None],
        where: str,
    ) -> None:
        self.proto, self.graph, self.where = proto, graph, where
        self.example = example
        self.noise = True
        self.cut = pieces.can_be_cut(proto)
        self.axes = {n: a for n, a in axes.items() if a is not None}

    @cached_property
    def _session(self) -> ort.InferenceSession:
        return _open_all(self.proto, self.graph, self.where)

    @cached_property
    def _fetch(self) -> list[str]:
        return [o.name for o in self._session.get_outputs()]

    def feed(self, rows: int) -> dict[str, Array]:
        """Rows like the example's first ones, no two alike."""
        rng = np.random.default_rng(0)
        made = {}
        for name in self.graph.inputs:
            x = self.example[name]
            axis = self.axes.get(name)
            if axis is not None:
                x = np.take(x, np.arange(rows) % x.shape[axis], axis=axis)
                if self.noise and _is_signal(self.example[name]):
                    spread = float(np.std(x, dtype=np.float64)) or 1.0
                    x = (x + 0.1 * spread * rng.standard_normal(x.shape)).astype(x.dtype)
            made[name] = x
        return made

    def change(
        self, feed: Mapping[str, Array], rows: Sequence[int], axes: Mapping[str, int]
    ) -> dict[str, Array]:
        """The same feed with these rows changed in every input that has rows."""
        rng = np.random.default_rng(1)
        changed = dict(feed)
        for name, axis in axes.items():
            x = np.moveaxis(feed[name].copy(), axis, 0)
            for row in rows:
                if self.noise and _is_signal(self.example[name]):
                    spread = float(np.std(x[row], dtype=np.float64)) or 1.0
                    x[row] = (x[row] + spread * rng.standard_normal(x[row].shape)).astype(x.dtype)
                elif x.dtype.kind in "fiu" and x[row].size > 1:
                    x[row] = np.roll(x[row], 1)
                elif x.dtype.kind == "b":
                    x[row] = ~x[row]
            changed[name] = np.ascontiguousarray(np.moveaxis(x, 0, axis))
        return changed

    def values(self, feed: Mapping[str, Array]) -> dict[str, Array]:
        """All tensors of one run, what was fed included."""
        made = runtime.run(self._session, self._fetch, feed, where=self.where)
        known = {n: v for n, v in zip(self._fetch, made, strict=True) if isinstance(v, np.ndarray)}
        return {**known, **feed}

    def in_pieces(self, feeds: Sequence[Mapping[str, Array]]) -> Iterator[Iterator[dict[str, Array]]]:
        """All tensors of a run on each feed, what was fed included: some of every feed's, then others.

        What it gives is to be used up before the next is asked for.
        """
        if self.cut:
            yield from pieces.run(self.proto, feeds, where=self.where)
        else:
            yield map(self.values, feeds)

    def rows_of_sample(
        self,
        feed: Mapping[str, Array],
        values: Mapping[str, Array],
        batch: int,
        rows: int,
        axes: Mapping[str, int],
    ) -> list[int]:
        """Input rows on which the second row of the outputs depends."""
        if rows == batch:
            return [1]
        found = []
        for row in range(rows):
            other = self.values(self.change(feed, [row], axes))
            if any(
                values[o].ndim
                and len(values[o]) == batch
                and not np.array_equal(other[o][1], values[o][1], equal_nan=values[o].dtype.kind == "f")
                for o in self.graph.outputs
            ):
                found.append(row)
        return found or [1]


def _is_signal(x: Array) -> bool:
    """Whether noise can be added: whole numbers may be indices, whatever their type."""
    return x.dtype.kind == "f" and bool((x != np.round(x)).any() or x.min() == x.max())


def _open_all(proto: onnx.ModelProto, graph: Graph, where: str) -> ort.InferenceSession:
    """A session of the unoptimised model that gives every value."""
    every = onnx.ModelProto()
    every.CopyFrom(proto)
    there = {o.name for o in every.graph.output}
    for node in graph.nodes:
        for name in node.outputs:
            if name and name not in there:
                every.graph.output.append(onnx.ValueInfoProto(name=name))
    return runtime.session(every, where=where, asked=["CPUExecutionProvider"], optimise=False)
