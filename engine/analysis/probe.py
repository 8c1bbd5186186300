"""What onnxruntime can tell about a model: shapes, constants, and where each sample lives.

Exporters write hundreds of nodes that only compute shapes, and "dynamic" batch dimensions that are
baked in. Instead of inferring, the model is run: at two batch sizes, with every value as an output.
A dimension that differs is batch; a value that depends on no input value and comes out equal is a
constant. A third run changes one sample, and what changes with it is where that sample lives.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import onnx

from ..file.graph import Graph
from ..steps import step
from .closed_batch import observe_closed
from .open_batch import observe_open
from .runs import Mode, Observed, Runs
from .shapes import Batch, Layout, Shape

Array = np.ndarray[Any, Any]


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
    runs = Runs(proto, graph, example, axes, where)
    if mode == "open" and runs.axes:
        return _facts(graph, observe_open(runs))
    return _facts(graph, observe_closed(runs, "fixed" if mode == "open" else mode))


def _facts(graph: Graph, seen: Observed) -> Probe:
    """Shapes, types, constants and layouts, from what was seen."""
    varying = graph.depends_on_input()
    layouts = dict(seen.layouts)
    shapes: dict[str, Shape] = {}
    constants = dict(graph.constants)
    for name, a in seen.two.items():
        b = seen.three[name]
        shapes[name] = tuple(
            m if m == n else Batch(n - m, m - 2 * (n - m)) for m, n in zip(a.shape, b.shape, strict=True)
        )
        if name not in varying and a.shape == b.shape and np.array_equal(a, b, equal_nan=a.dtype.kind == "f"):
            constants[name] = a.copy()  # its own: onnxruntime's memory is held until all of it is freed
    dtypes = {n: v.dtype for n, v in seen.two.items()}
    for name, array in graph.constants.items():
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
        tuple(graph.outputs),
        seen.rows,
        seen.mode,
        seen.batch,
    )
