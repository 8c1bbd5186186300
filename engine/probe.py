"""What onnxruntime can tell about a model: shapes, constants, and where each sample lives.

Exporters write hundreds of nodes that only compute shapes, and "dynamic" batch dimensions that are
baked in. Instead of inferring, the model is run: at two batch sizes, with every value as an output.
A dimension that differs is batch; a value that depends on no input value and comes out equal is a
constant. A third run changes one sample, and what changes with it is where that sample lives.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import onnx
import onnxruntime as ort

from . import runtime
from .errors import InputError, ModelError
from .graph import Graph
from .shapes import Batch, Layout, Shape
from .steps import step

Array = np.ndarray[Any, Any]

# Rows fed per sample, tried in this order: ICLabel folds four copies of a component into one.
_ROWS_PER_SAMPLE = (1, 2, 3, 4, 6, 8)


@dataclass(frozen=True)
class Probe:
    """What was found out.

    Attributes
    ----------
    shapes : dict of str to Shape
        Of every value, with the batch in it.
    dtypes : dict of str to dtype
    constants : dict of str to ndarray
        Values that no input value can change, initialisers included.
    layouts : dict of str to Layout
        Values in which samples can be told apart.
    varying : set of str
        Values that can depend on what is in an input.
    outputs : tuple of str
    rows : int
        Rows of the inputs that make one sample.
    fixed : bool
        Whether the file takes one batch size only (then shapes have no batch in them).
    batch : int
        Samples in one run where the batch size is fixed.
    """

    shapes: dict[str, Shape]
    dtypes: dict[str, np.dtype[Any]]
    constants: dict[str, Array]
    layouts: Mapping[str, Layout]
    varying: frozenset[str]
    outputs: tuple[str, ...]
    rows: int
    fixed: bool
    batch: int

    def add_constant(self, name: str, array: Array) -> None:
        """A constant that a canonical pass has worked out."""
        self.constants[name], self.shapes[name], self.dtypes[name] = array, array.shape, array.dtype


def batched(declared: Sequence[Any]) -> bool:
    """Whether a declared input shape leaves its first dimension open."""
    return bool(declared) and not isinstance(declared[0], int)


def probe(proto: onnx.ModelProto, graph: Graph, example: Mapping[str, Array], *, where: str) -> Probe:
    """Run the model and find its shapes, constants and sample layouts.

    Parameters
    ----------
    proto : onnx.ModelProto
    graph : Graph
        Of that model.
    example : dict of str to ndarray
        At least one sample for every input, in the shape that will be explained.
    where : str
        The file, for messages.

    Raises
    ------
    ModelError
        onnxruntime cannot load or run the model.
    """
    step("running the model on a first window")
    return _Prober(proto, graph, example, where).run()


class _Prober:
    def __init__(
        self, proto: onnx.ModelProto, graph: Graph, example: Mapping[str, Array], where: str
    ) -> None:
        self.graph, self.where = graph, where
        self.session = _open_all(proto, graph, where)
        self.fetch = [o.name for o in self.session.get_outputs()]
        declared = {i.name: i.shape for i in self.session.get_inputs()}
        self.open = [n for n in graph.inputs if batched(declared[n]) and example[n].ndim]
        self.example = example

    def feed(self, rows: int) -> dict[str, Array]:
        """Rows like the example's first one, no two alike."""
        rng = np.random.default_rng(0)
        made = {}
        for name in self.graph.inputs:
            x = self.example[name]
            if name not in self.open:
                made[name] = x
                continue
            x = np.concatenate([x] * (-(-rows // len(x))))[:rows]
            if x.dtype.kind == "f":
                spread = float(np.std(x[:1], dtype=np.float64)) or 1.0
                x = (x + 0.1 * spread * rng.standard_normal(x.shape)).astype(x.dtype)
            made[name] = x
        return made

    def change(self, feed: Mapping[str, Array], rows: Sequence[int]) -> dict[str, Array]:
        """The same feed with these rows changed in every input that has rows."""
        rng = np.random.default_rng(1)
        changed = dict(feed)
        for name in self.names_with_rows(feed):
            x = feed[name].copy()
            for row in rows:
                if x.dtype.kind == "f":
                    spread = float(np.std(x[row], dtype=np.float64)) or 1.0
                    x[row] = (x[row] + spread * rng.standard_normal(x[row].shape)).astype(x.dtype)
                elif x.dtype.kind in "iu" and x[row].size > 1:
                    x[row] = np.roll(x[row], 1)
                elif x.dtype.kind == "b":
                    x[row] = ~x[row]
            changed[name] = x
        return changed

    def names_with_rows(self, feed: Mapping[str, Array]) -> list[str]:
        if self.open:
            return self.open
        rows = max((len(x) for x in feed.values() if x.ndim), default=1)
        return [n for n, x in feed.items() if x.ndim and len(x) == rows]

    def values(self, feed: Mapping[str, Array]) -> dict[str, Array]:
        made = runtime.run(self.session, self.fetch, feed, where=self.where)
        known = {n: v for n, v in zip(self.fetch, made, strict=True) if isinstance(v, np.ndarray)}
        return {**known, **feed}

    def run(self) -> Probe:
        if not self.open:
            return self._fixed()
        problem: ModelError | None = None
        for rows in _ROWS_PER_SAMPLE:
            try:
                two = self.values(self.feed(2 * rows))
                three_feed = self.feed(3 * rows)
                three = self.values(three_feed)
            except ModelError as e:
                problem = problem or e
                continue
            return self._describe(two, three, three_feed, rows)
        # It may run at its own batch size only, whatever it declares.
        try:
            return self._fixed()
        except ModelError:
            assert problem is not None
            raise problem from None

    def _fixed(self) -> Probe:
        feed = {n: self.example[n] for n in self.graph.inputs}
        values = self.values(feed)
        lead = next((values[o].shape[0] for o in self.graph.outputs if o in values and values[o].ndim), 1)
        rows = max((len(feed[n]) for n in self.names_with_rows(feed)), default=1)
        batch = lead if lead and rows % lead == 0 else 1
        layouts: dict[str, Layout] = {}
        if batch > 1:
            changed = self.values(self.change(feed, self._rows_of_sample(feed, values, batch)))
            found = _layouts(values, changed, batch, sample=1)
            if found is None:
                batch = 1
            else:
                layouts = found
        return self._probe(values, values, layouts, rows // batch, fixed=True, batch=batch)

    def _describe(
        self, two: dict[str, Array], three: dict[str, Array], feed: dict[str, Array], rows: int
    ) -> Probe:
        changed = self.values(self.change(feed, self._rows_of_sample(feed, three, 3)))
        layouts = _layouts(three, changed, 3, sample=1)
        if layouts is None:
            raise InputError(
                f"{self.where}: what it says of one sample depends on the other samples in the batch; "
                "give one sample at a time"
            )
        return self._probe(two, three, layouts, rows, fixed=False, batch=0)

    def _rows_of_sample(self, feed: dict[str, Array], values: dict[str, Array], batch: int) -> list[int]:
        """Input rows on which the second row of the outputs depends."""
        rows = max((len(feed[n]) for n in self.names_with_rows(feed)), default=batch)
        if rows == batch:
            return [1]
        found = []
        for row in range(rows):
            other = self.values(self.change(feed, [row]))
            if any(
                values[o].ndim
                and len(values[o]) == batch
                and not np.array_equal(other[o][1], values[o][1], equal_nan=values[o].dtype.kind == "f")
                for o in self.graph.outputs
            ):
                found.append(row)
        return found or [1]

    def _probe(
        self,
        two: dict[str, Array],
        three: dict[str, Array],
        layouts: dict[str, Layout],
        rows: int,
        *,
        fixed: bool,
        batch: int,
    ) -> Probe:
        varying = self.graph.depends_on_input()
        shapes: dict[str, Shape] = {}
        constants = dict(self.graph.constants)
        for name, a in two.items():
            b = three[name]
            if a.ndim != b.ndim:
                raise ModelError(f"{self.where}: the rank of {name!r} changes with the batch")
            shapes[name] = tuple(
                m if m == n else Batch(n - m, m - 2 * (n - m)) for m, n in zip(a.shape, b.shape, strict=True)
            )
            if (
                name not in varying
                and a.shape == b.shape
                and np.array_equal(a, b, equal_nan=a.dtype.kind == "f")
            ):
                constants[name] = a
        dtypes = {n: v.dtype for n, v in two.items()}
        for name, array in self.graph.constants.items():
            shapes[name] = array.shape
            dtypes[name] = array.dtype
        return Probe(
            shapes,
            dtypes,
            constants,
            layouts,
            frozenset(varying),
            tuple(self.graph.outputs),
            rows,
            fixed,
            batch,
        )


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


def _layouts(
    before: Mapping[str, Array], after: Mapping[str, Array], batch: int, sample: int
) -> dict[str, Layout] | None:
    """Where one sample lives in each value; None where samples are mixed."""
    found: dict[str, Layout] = {}
    for name, a in before.items():
        b = after[name]
        if a.shape != b.shape or a.ndim == 0:
            continue
        moved = a != b
        if a.dtype.kind == "f":
            moved &= ~(np.isnan(a) & np.isnan(b))
        if not moved.any():
            continue
        layout = _layout(moved, batch, sample)
        if layout is not None:
            found[name] = layout
        elif a.dtype.kind == "f" and any(n % batch == 0 and n >= batch for n in a.shape):
            return None
    return found


def _layout(moved: Array, batch: int, sample: int) -> Layout | None:
    """The layout that explains which positions changed with one sample."""
    for axis, size in enumerate(moved.shape):
        if size % batch:
            continue
        others = tuple(i for i in range(moved.ndim) if i != axis)
        where = set(np.flatnonzero(moved.any(axis=others)).tolist())
        if len(where) > size // batch:
            continue
        copies = size // batch
        for outer in (n for n in range(1, copies + 1) if copies % n == 0):
            inner = copies // outer
            if where <= {i for i in range(size) if (i // inner) % batch == sample}:
                return Layout(axis - moved.ndim, outer, inner)
    return None
