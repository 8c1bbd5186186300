"""One random model by its seed."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

from . import (  # noqa: F401  each puts its family into the table
    blocks,
    control,
    elementwise,
    layers,
    microsoft,
    moves,
    quantised,
    reductions,
)
from .build import Array, Graph, UnfitError
from .table import TABLE

# In how many graphs these families are at all: what has no gradient in float64 is not to be in most.
SOMETIMES = {"quantised": 0.2, "microsoft": 0.3}
OPSETS = (11, 12, 13, 14, 15, 16, 17, 18, 19, 20, 21, 22, 23)


@dataclass(frozen=True)
class Made:
    """A random model.

    Attributes
    ----------
    seed : int
    model : onnx.ModelProto
    feed : dict of str to ndarray
        Windows for each input.
    batch, is_open
        How many of them, and whether the file takes any number.
    """

    seed: int
    model: onnx.ModelProto
    feed: dict[str, Array]
    batch: int
    is_open: bool

    @property
    def operators(self) -> set[str]:
        """Those of the outermost graph, with their domain where it is not the standard's."""
        return {f"{n.domain}.{n.op_type}" if n.domain else n.op_type for n in self.model.graph.node}

    def example(self, rng: np.random.Generator, batch: int | None = None) -> dict[str, Array]:
        """Other windows of the same shapes."""
        return {
            name: np.asarray(rng.standard_normal((batch or self.batch, *x.shape[1:])), np.float32)
            for name, x in self.feed.items()
        }


def start(rng: np.random.Generator, opset: int | None = None, rank: int | None = None) -> Graph:
    """A graph with nothing but inputs."""
    batch = int(rng.choice([1, 2, 3]))
    g = Graph(rng, opset or int(rng.choice(OPSETS)), batch, bool(rng.random() < 0.5))
    for i in range(int(rng.choice([1, 2, 3], p=[0.75, 0.17, 0.08]))):
        r = rank or int(rng.choice([2, 3, 3, 3, 4]))
        size = rng.integers(2, {2: 12, 3: 7, 4: 6}[r], size=r - 1)
        g.add_input("x" if i == 0 else f"x{i + 1}", g.normal(batch, *(int(n) for n in size)))
    return g


def make(seed: int, nodes: int | None = None) -> Made:
    """The model of this seed, the same on every machine."""
    rng = np.random.default_rng([18, seed])
    g = start(rng)
    inputs = list(g.values)
    absent = {family for family, share in SOMETIMES.items() if not g.chance(share)}
    entries = [e for e in TABLE.values() if e.since <= g.opset and e.family not in absent]
    weights = np.array([e.weight for e in entries])
    wanted = g.integer(3, 16)
    wanted = nodes or wanted  # drawn all the same: fewer give the beginning of the same graph
    added = 0
    for _ in range(8 * wanted):
        entry = entries[int(rng.choice(len(entries), p=weights / weights.sum()))]
        try:
            with g.attempt():
                g.offer(entry.build(g))
        except UnfitError:
            continue
        added += 1
        if added == wanted:
            break
    logits = _gathered(g, inputs)
    end = g.rng.random()
    if end < 0.2:
        logits = g.node("Softmax", logits, axis=-1)
    elif end < 0.3:
        logits = g.node("Sigmoid", logits)
    elif end < 0.35:
        logits = g.node("LogSoftmax", logits, axis=-1)
    g.nodes.append(helper.make_node("Identity", [logits], ["y"], "out"))
    return Made(seed, _model(g, inputs, g.shape(logits)[1:]), {n: g[n] for n in inputs}, g.batch, g.is_open)


def _gathered(g: Graph, inputs: Iterable[str]) -> str:
    """A few numbers out of what nothing has taken yet."""
    loose = [n for n in g.values if not g.used[n]]
    g.rng.shuffle(loose)
    loose = loose[:4] if any(n not in inputs for n in loose[:4]) else [*loose[:3], list(g.values)[-1]]
    classes = g.integer(2, 4)
    parts = []
    for name in loose:
        flat = g.node("Flatten", name, axis=1)
        n = g.shape(flat)[1]
        w, b = g.const(g.normal(n, classes, scale=n**-0.5)), g.const(g.normal(classes))
        parts.append(g.node("Gemm", flat, w, b))
    total = parts[0]
    for part in parts[1:]:
        total = g.node("Add", total, part)
    return total


def _model(g: Graph, inputs: Iterable[str], shape: tuple[int, ...]) -> onnx.ModelProto:
    first = "batch" if g.is_open else g.batch
    graph = helper.make_graph(
        g.nodes,
        "random",
        [helper.make_tensor_value_info(n, TensorProto.FLOAT, [first, *g.shape(n)[1:]]) for n in inputs],
        [helper.make_tensor_value_info("y", TensorProto.FLOAT, [first, *shape])],
    )
    in_nodes = {o for n in g.nodes if n.op_type == "Constant" for o in n.output}
    graph.initializer.extend(
        numpy_helper.from_array(v, n) for n, v in g.constants.items() if n not in in_nodes
    )
    return g.model_of(graph)
