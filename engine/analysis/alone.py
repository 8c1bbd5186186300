"""Where samples are in values that are the same in all of them (a ReLU that is shut): each node run alone.

What such a value holds does not tell where its samples are. The node that makes it does, on other numbers: it
is run alone on drawn ones, of which those of one sample are then drawn again.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from typing import Any

import numpy as np
import onnx
from onnx import helper, numpy_helper

from ..errors import ModelError
from ..file import runtime
from ..file.graph import Node
from .layouts import Places
from .runs import Runs
from .shapes import Layout

Array = np.ndarray[Any, Any]
Draw = Callable[[np.random.Generator, tuple[int, ...]], Array]

# Logarithms, roots and arc functions take some of them each; the last moves whatever has steps.
_DRAWS: tuple[Draw, ...] = (
    lambda rng, shape: rng.uniform(0.2, 0.9, shape),
    lambda rng, shape: rng.standard_normal(shape),
    lambda rng, shape: rng.uniform(1.1, 3, shape),
    lambda rng, shape: 100 * rng.standard_normal(shape),
)


def settle(runs: Runs, places: Places, feed: Mapping[str, Array], axes: Mapping[str, int]) -> None:
    """Find where the samples are in what runs of the whole model leave open, node by node.

    Parameters
    ----------
    runs : Runs
    places : Places
        What those have shown; what is found is put there.
    feed : mapping of str to ndarray
        Of a run.
    axes : mapping of str to int
        Of inputs, the axis along which their rows lie.
    """
    for name, axis in axes.items():
        if feed[name].shape[axis] == places.batch:
            places.narrow(name, [Layout(axis - feed[name].ndim)])
    varying = runs.graph.depends_on_input()
    by_output = {o: n for n in runs.proto.graph.node for o in n.output if o}
    for node in runs.graph.nodes:
        wanted = [o for o in node.outputs if o in places.before and o in varying and places.open(o)]
        if not wanted:
            continue
        with suppress(ModelError):  # it takes no such numbers: what the whole model showed stands
            _settle(runs, places, node, by_output[wanted[0]], wanted, varying)
        for name in wanted:
            if places.layout(name) is None:
                _take_over(places, node, name)


def _settle(
    runs: Runs,
    places: Places,
    node: Node,
    proto: onnx.NodeProto,
    wanted: Sequence[str],
    varying: set[str],
) -> None:
    """Narrow down where samples are in some outputs of a node."""
    # Every operand by itself: x - x is 0 whatever x is.
    reads = {f"{i}": v for i, v in enumerate(proto.input) if v} | {v: v for v in node.captures}
    own = {n: places.before[v] for n, v in reads.items() if v in varying and v in places.before}
    layouts = {n: found for n in own if (found := places.layout(reads[n])) is not None}
    if not layouts:
        return
    known = {**runs.graph.constants, **places.before}
    fixed = {n: known[v] for n, v in reads.items() if n not in own}
    one = onnx.NodeProto()
    one.CopyFrom(proto)
    one.input[:] = [f"{i}" if v else "" for i, v in enumerate(proto.input)]
    session = runtime.session(_model(runs.proto, one, own, fixed, wanted), where=runs.where, optimise=False)
    for draw in _DRAWS:
        rng = np.random.default_rng(0)
        base = {n: _drawn(a, draw, rng) for n, a in own.items()}
        with suppress(ModelError):
            shown = Places(places.batch, _run(session, wanted, base, runs.where))
            for sample in sorted({0, 1, places.batch - 1}):
                other = {
                    n: a if n not in layouts else _changed(a, layouts[n], places.batch, sample, draw, rng)
                    for n, a in base.items()
                }
                shown.see(_run(session, wanted, other, runs.where), sample)
            for name in shown.layouts():
                if shown.before[name].shape == places.before[name].shape:
                    places.narrow(name, shown.ways(name))
        if not any(places.open(o) for o in wanted):
            return


def _take_over(places: Places, node: Node, name: str) -> None:
    """Samples of what no number moves (a softmax over one) are where an operand of that shape has them."""
    shape = places.before[name].shape
    for v in node.reads:
        found = places.layout(v) if v in places.before and places.before[v].shape == shape else None
        if found is not None:
            places.narrow(name, [found])
            return


def _run(session: Any, wanted: Sequence[str], feed: Mapping[str, Array], where: str) -> dict[str, Array]:
    return dict(zip(wanted, runtime.run(session, wanted, feed, where=where), strict=True))


def _drawn(a: Array, draw: Draw, rng: np.random.Generator) -> Array:
    """Numbers in the place of a value's own; whole numbers may be indices, and stay."""
    if a.dtype.kind == "b":
        return np.asarray(rng.random(a.shape) < 0.5)
    return draw(rng, a.shape).astype(a.dtype) if a.dtype.kind == "f" else a


def _changed(
    a: Array, layout: Layout, batch: int, sample: int, draw: Draw, rng: np.random.Generator
) -> Array:
    """The same with the numbers of one sample drawn again."""
    at = np.arange(a.shape[layout.axis]) // layout.inner % batch == sample
    made = np.moveaxis(a.copy(), layout.axis, 0)
    if a.dtype.kind == "b":
        made[at] = ~made[at]
    elif a.dtype.kind == "f":
        made[at] = draw(rng, made[at].shape).astype(a.dtype)
    else:
        made[at] = np.roll(made[at], 1)
    return np.ascontiguousarray(np.moveaxis(made, 0, layout.axis))


def _model(
    whole: onnx.ModelProto,
    node: onnx.NodeProto,
    own: Mapping[str, Array],
    fixed: Mapping[str, Array],
    wanted: Sequence[str],
) -> onnx.ModelProto:
    """A model of one node."""
    inputs = [
        helper.make_tensor_value_info(n, helper.np_dtype_to_tensor_dtype(a.dtype), a.shape)
        for n, a in own.items()
    ]
    graph = helper.make_graph(
        [node],
        "alone",
        inputs,
        [onnx.ValueInfoProto(name=n) for n in wanted],
        [numpy_helper.from_array(np.asarray(a, order="C"), n) for n, a in fixed.items()],
    )
    return helper.make_model(graph, opset_imports=whole.opset_import, ir_version=whole.ir_version)
