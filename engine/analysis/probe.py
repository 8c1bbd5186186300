"""What onnxruntime can tell about a model: shapes, constants, and where each sample lives.

Exporters write hundreds of nodes that only compute shapes, and "dynamic" batch dimensions that are
baked in. Instead of inferring, the model is run: at two batch sizes, with every value as an output.
A dimension that differs is batch; a value that depends on no input value and comes out equal is a
constant. A third run changes one sample, and what changes with it is where that sample lives.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
import onnx
import onnxruntime as ort

from ..errors import ModelError
from ..file import runtime
from ..file.graph import Graph
from ..steps import step
from .shapes import Batch, Layout, Shape

Array = np.ndarray[Any, Any]

# Rows fed per sample, tried in this order: ICLabel folds four copies of a component into one.
_ROWS_PER_SAMPLE = (1, 2, 3, 4, 6, 8)
_LARGE = 2**20


Mode = Literal["open", "fixed", "single", "joint"]


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
    mode : {"open", "fixed", "single", "joint"}
        open: any number of samples at once. fixed: the file says how many. single: one at a time, because
        samples in one batch share a quantisation scale. joint: all rows are one sample, because what the
        model says of one depends on the others.
    batch : int
        Samples in one run where the mode is not open; shapes then have no batch in them.
    """

    shapes: dict[str, Shape]
    dtypes: dict[str, np.dtype[Any]]
    constants: dict[str, Array]
    layouts: Mapping[str, Layout]
    varying: frozenset[str]
    outputs: tuple[str, ...]
    rows: int
    mode: Mode
    batch: int


class SamplesMix(Exception):  # noqa: N818 (not an error: an answer)
    """What the model says of one row depends on the others."""


def probe(
    proto: onnx.ModelProto,
    graph: Graph,
    example: Mapping[str, Array],
    axes: Mapping[str, int | None],
    *,
    where: str,
    mode: Mode = "open",
) -> Probe:
    """Run the model and find its shapes, constants and sample layouts.

    Parameters
    ----------
    proto : onnx.ModelProto
    graph : Graph
        Of that model.
    example : dict of str to ndarray
        At least one row for every input; all rows in the modes fixed and joint.
    axes : dict of str to (int or None)
        The axis of each input along which its rows lie.
    where : str
        The file, for messages.
    mode : {"open", "fixed", "single", "joint"}

    Raises
    ------
    ModelError
        onnxruntime cannot load or run the model.
    SamplesMix
        In mode open: rows are not independent.
    """
    step("running the model on a first window")
    prober = _Prober(proto, graph, example, axes, where)
    if mode == "open" and any(a is not None for a in axes.values()):
        return prober.open()
    return prober.closed("fixed" if mode == "open" else mode)


class _Prober:
    def __init__(
        self,
        proto: onnx.ModelProto,
        graph: Graph,
        example: Mapping[str, Array],
        axes: Mapping[str, int | None],
        where: str,
    ) -> None:
        self.graph, self.where = graph, where
        self.session = _open_all(proto, graph, where)
        self.fetch = [o.name for o in self.session.get_outputs()]
        self.example = example
        self.noise = True
        self.axes = {n: a for n, a in axes.items() if a is not None}

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
        made = runtime.run(self.session, self.fetch, feed, where=self.where)
        known = {n: v for n, v in zip(self.fetch, made, strict=True) if isinstance(v, np.ndarray)}
        return {**known, **feed}

    def _shapes(self, values: dict[str, Array]) -> dict[str, Array]:
        """The same, without the memory of what is only asked for its shape."""
        varying = self.graph.depends_on_input()
        return {
            n: np.broadcast_to(np.zeros((), a.dtype), a.shape) if n in varying else a.copy()
            for n, a in values.items()
        }

    def open(self) -> Probe:
        try:
            return self._open()
        except ModelError:
            if not self.noise:
                raise
        # Noise may have made indices that are none: shuffle what was given instead.
        self.noise = False
        return self._open()

    def _open(self) -> Probe:
        problem: ModelError | None = None
        for rows in _ROWS_PER_SAMPLE:
            try:
                two = self._shapes(self.values(self.feed(2 * rows)))
                feed = self.feed(3 * rows)
                values = self.values(feed)
            except ModelError as e:
                problem = problem or e
                continue
            own = self._rows_of_sample(feed, values, 3, 3 * rows, self.axes)
            # Every value of a large model, twice, is more than memory holds.
            three, before = self._shapes(values), {n: _folded(a) for n, a in values.items()}
            del values
            if any(two[n].ndim != three[n].ndim for n in two):
                raise SamplesMix
            layouts = _layouts(before, self.values(self.change(feed, own, self.axes)), 3, sample=1)
            del before
            if layouts is None:
                raise SamplesMix
            return self._probe(two, three, layouts, rows, mode="open", batch=0)
        # It may run at its own batch size only, whatever it declares.
        try:
            return self.closed("fixed")
        except ModelError:
            assert problem is not None
            raise problem from None

    def closed(self, mode: Mode) -> Probe:
        """At the example's own number of rows."""
        feed = {n: self.example[n] for n in self.graph.inputs}
        if mode == "single":
            feed = {
                n: x if n not in self.axes else np.take(x, [0], axis=self.axes[n]) for n, x in feed.items()
            }
        values = self.values(feed)
        if mode != "fixed":
            return self._probe(values, values, {}, 1, mode=mode, batch=1)
        # A file that fixes its batch: how many samples that is shows at the outputs.
        axes = self.axes
        rows = next((feed[n].shape[a] for n, a in axes.items()), 0)
        if not axes:
            rows = max((len(x) for x in feed.values() if x.ndim), default=1)
            axes = {n: 0 for n, x in feed.items() if x.ndim and len(x) == rows}
        lead = next((values[o].shape[0] for o in self.graph.outputs if o in values and values[o].ndim), 1)
        batch = lead if lead and rows % lead == 0 else 1
        layouts: dict[str, Layout] | None = {}
        if batch > 1:
            own = self._rows_of_sample(feed, values, batch, rows, axes)
            layouts = _layouts(values, self.values(self.change(feed, own, axes)), batch, sample=1)
            if layouts is not None:
                layouts = self._moved_further(feed, values, own, axes, batch, layouts)
            if layouts is None:
                batch, layouts = 1, {}
        return self._probe(values, values, layouts or {}, rows // batch, mode="fixed", batch=batch)

    def _moved_further(
        self,
        feed: dict[str, Array],
        values: dict[str, Array],
        own: Sequence[int],
        axes: Mapping[str, int],
        batch: int,
        known: dict[str, Layout],
    ) -> dict[str, Layout] | None:
        """Layouts of more values, and whether the first samples are as independent as the second.

        Steps and what is sorted move with a larger change only; running sums depend on what is before.
        """
        rows = next(feed[n].shape[a] for n, a in axes.items())
        moved = [(own, 1)] + ([([0], 0), ([batch - 1], batch - 1)] if rows == batch else [])
        for at, sample in moved:
            for further in (_stretched, _mirrored, _far):
                changed = dict(feed)
                for name, axis in axes.items():
                    x = np.moveaxis(feed[name].copy(), axis, 0)
                    if x.dtype.kind == "f":
                        x[list(at)] = further(x, x[list(at)])
                    changed[name] = np.ascontiguousarray(np.moveaxis(x, 0, axis))
                try:
                    more = _layouts(values, self.values(changed), batch, sample)
                except ModelError:  # what was changed were indices
                    continue
                if more is None:
                    return None
                known = more | known
        return known

    def _rows_of_sample(
        self, feed: dict[str, Array], values: dict[str, Array], batch: int, rows: int, axes: Mapping[str, int]
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

    def _probe(
        self,
        two: dict[str, Array],
        three: dict[str, Array],
        layouts: dict[str, Layout],
        rows: int,
        *,
        mode: Mode,
        batch: int,
    ) -> Probe:
        varying = self.graph.depends_on_input()
        shapes: dict[str, Shape] = {}
        constants = dict(self.graph.constants)
        for name, a in two.items():
            b = three[name]
            shapes[name] = tuple(
                m if m == n else Batch(n - m, m - 2 * (n - m)) for m, n in zip(a.shape, b.shape, strict=True)
            )
            if (
                name not in varying
                and a.shape == b.shape
                and np.array_equal(a, b, equal_nan=a.dtype.kind == "f")
            ):
                constants[name] = a.copy()  # its own: onnxruntime's memory is held until all of it is let go
        dtypes = {n: v.dtype for n, v in two.items()}
        for name, array in self.graph.constants.items():
            shapes[name] = array.shape
            dtypes[name] = array.dtype
        # What did not change with the sample (a ReLU that is shut) still has a batch in its shape.
        for name in varying & set(shapes) - set(layouts):
            grows = [i for i, d in enumerate(shapes[name]) if isinstance(d, Batch) and not d.offset]
            if len(grows) == 1:
                dim = shapes[name][grows[0]]
                inner = dim.scale if isinstance(dim, Batch) else 1
                layouts[name] = Layout(grows[0] - len(shapes[name]), 1, inner)
        return Probe(
            shapes,
            dtypes,
            constants,
            layouts,
            frozenset(varying),
            tuple(self.graph.outputs),
            rows,
            mode,
            batch,
        )


def _stretched(x: Array, some: Array) -> Array:
    return np.asarray(3 * some + 1)


def _mirrored(x: Array, some: Array) -> Array:
    return np.asarray(-2 * some)


def _far(x: Array, some: Array) -> Array:
    return np.asarray(some + 10 * np.abs(x).max(initial=1))


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


def _layouts(
    before: Mapping[str, Array], after: Mapping[str, Array], batch: int, sample: int
) -> dict[str, Layout] | None:
    """Where one sample lives in each value; None where samples are mixed."""
    found: dict[str, Layout] = {}
    for name, a in before.items():
        b = after[name]
        if a.shape != b.shape or a.ndim == 0:
            continue
        kind = b.dtype.kind
        b = b if a.dtype == b.dtype else _folded(b)
        moved = a != b
        if a.dtype.kind == "f":
            moved &= ~(np.isnan(a) & np.isnan(b))
        if not moved.any():
            continue
        layout = _layout(moved, batch, sample)
        if layout is not None:
            found[name] = layout
        elif kind == "f" and any(n % batch == 0 and n >= batch for n in a.shape):
            return None
    return found


def _folded(a: Array) -> Array:
    """A large array of floats as one byte a number, that tells whether it changed.

    A change stays unseen once in 256 times, and there are a million numbers or more.
    """
    if a.dtype.kind != "f" or a.size < _LARGE:
        return a.copy()  # onnxruntime's memory is held until all of it is let go
    found = np.ascontiguousarray(a).view(np.uint8).reshape(*a.shape, a.dtype.itemsize)
    return np.asarray(np.bitwise_xor.reduce(found, axis=-1))


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
