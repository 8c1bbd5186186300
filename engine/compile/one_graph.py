"""Forward pass and relevance as one ONNX graph.

The recorded walk is written out behind the model's own nodes: what the numpy backend does step by step
becomes edges, and activations that rules read are edges too.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import onnx
from onnx import helper

from ..analysis.probe import Probe
from ..analysis.shapes import Batch, Dim, Shape
from ..errors import ModelError
from ..file.own_names import PREFIX
from ..lowering.graphs import reads
from ..ops.base import Expr
from ..ops.onnx import Emitter, cast_float
from ..ops.onnx_gelu import share_gates
from ..plan.instrument import count_samples
from ..plan.onnx_runner import SEED
from ..plan.recipe import Recipe
from ..rules.node import Message

Array = np.ndarray[Any, Any]

RELEVANCE, LEDGER = "relevance.", "ledger."
# Of the composite `gradient`: before the name of a floating input.
GRADIENT = "gradient."
# Of a difference: before the name of an input, its references; and f(x) less its mean over them.
REFERENCES, EXPLAINED = "reference.", "explained"


def one_graph(recipe: Recipe, *, kinds: Sequence[str] | None, targets: int | None) -> onnx.ModelProto:
    """The model with its relevance.

    Parameters
    ----------
    recipe : Recipe
    kinds : sequence of str, optional
        Kinds of ledger entries whose totals are wanted too, and with them the number that is explained.
    targets : int, optional
        How many targets at once: the length of an axis in front of `seed` and everything in the backward
        pass. Without it there is none.

    Raises
    ------
    ModelError
        A step of the backward pass cannot be written in ONNX.
    """
    probe, recording, where = recipe.probe, recipe.recording, recipe.request.where
    inputs, numpy = recipe.request.inputs, recipe.numpy
    model = onnx.ModelProto()
    model.CopyFrom(recipe.proto)
    initialisers = {t.name for t in model.graph.initializer}
    own = {i.name for i in model.graph.input} | {o for n in model.graph.node for o in n.output}
    slopes = with_gradient(recipe)
    added = {SEED, *([] if kinds is None else [EXPLAINED]), *(RELEVANCE + i for i in inputs)}
    added |= {GRADIENT + i for i in slopes}
    if taken := own & added:
        raise ModelError(
            f"{where}: a tensor of it is called {sorted(taken)[0]!r}, a compiled file's own name"
        )
    shapes, axes = dict(numpy.shapes(recipe.first)), recipe.axes
    amount = None if kinds is None else picked(recipe, recording.ops.value(recording.target), shapes)
    dtype = recording.ops.dtype
    emitter = Emitter(
        model,
        probe.dtypes,
        dtype,
        targets=targets,
        shapes=shapes,
        samples=count_samples(probe, axes),
        shared=numpy.shared,
    )
    kind = cast_float(dtype)
    front: list[Dim] = [] if targets is None else [targets]
    seed_shape = [*front, *probe.shapes[recording.target]]
    model.graph.input.append(helper.make_tensor_value_info(SEED, kind, declared(seed_shape)))
    for i in model.graph.input:
        if i.name in inputs.by_name and i.name not in initialisers:
            fix(i, probe.shapes[i.name], axes[i.name] if probe.mode == "open" else None)
    out = Outputs(emitter, kind, front, probe)
    try:
        for name in inputs:
            out.give(RELEVANCE + name, out.relevance(name, recording.messages.get(name)), name)
        for name in slopes:
            out.give(GRADIENT + name, out.multiplier(name, recording.messages.get(name)), name)
        for k in kinds or ():
            out.give(LEDGER + k, out.ledger([x.relevance for x in recording.entries if x.kind == k]))
        if amount is not None:
            out.give(EXPLAINED, out.ledger([amount]))
    except NotImplementedError as e:
        raise ModelError(f"{where}: {e} has no form in ONNX here; use the numpy backend") from None
    for import_ in model.opset_import:
        if import_.domain == "ai.onnx":
            import_.domain = ""
    drop_unread(model.graph)
    share_gates(model.graph, dtype)
    return in_order(model)


def with_gradient(recipe: Recipe) -> list[str]:
    """The inputs whose gradient a compiled file gives: the floating ones, where multipliers are that."""
    if not recipe.request.composite.is_derivative:
        return []
    return [n for n in recipe.request.inputs if recipe.probe.dtypes[n].kind == "f"]


def picked(recipe: Recipe, amount: Expr, shapes: dict[int, Shape]) -> Expr:
    """What the seed picks out of the explained tensor, or of its difference, for each sample.

    Parameters
    ----------
    recipe : Recipe
    amount : Expr
        That tensor, or difference.
    shapes : dict of int to Shape
        Of the recording's values; those of what is recorded here are added.
    """
    op, target = recipe.recording.ops, recipe.recording.target
    seed = op.seed()
    product, none = op.mul(seed, amount), op.equal(seed, 0.0)
    made = op.where(none, 0.0, product)  # a masked class is -inf: what is not explained is not touched
    for e in (amount, *amount.args, seed, product, none, made):
        shapes.setdefault(e.index, recipe.probe.shapes[target])
    return op.per_sample(made, recipe.facts.layouts.get(target))


class Outputs:
    """The outputs that are added."""

    def __init__(self, emitter: Emitter, kind: int, front: list[Dim], probe: Probe) -> None:
        self.emitter, self.kind, self.front, self.probe = emitter, kind, front, probe

    def relevance(self, name: str, message: Message | None, reference: str | None = None) -> str:
        """``x m + r`` of an input, or ``(x - x') m + r``.

        Parameters
        ----------
        name : str
            The input.
        message : Message, optional
            What arrived at it.
        reference : str, optional
            Its reference.
        """
        e, shape = self.emitter, self.probe.shapes[name]
        m = None if message is None or message.m is None else e.name(message.m)
        r = None if message is None or message.r is None else e.name(message.r)
        if m is None and r is not None:
            return r
        x = self.as_number(name, name)
        if reference is not None:
            x = e.node("Sub", [x, self.as_number(name, reference)])
        made = e.node("Mul", [x, m or e.constant(np.zeros([1] * (len(shape) + len(self.front)), e.dtype))])
        if m is None and self.front:
            made = e.node(
                "Expand", [made, e.ints([d for d in self.front if isinstance(d, int)] + [1] * len(shape))]
            )
        return made if r is None else e.node("Add", [made, r])

    def multiplier(self, name: str, message: Message | None) -> str:
        """``m`` of an input, in its shape; 0 where nothing arrived."""
        e, shape = self.emitter, self.probe.shapes[name]
        m = None if message is None or message.m is None else e.name(message.m)
        front = [d for d in self.front if isinstance(d, int)]
        size = e.node("Shape", [name])
        if front:
            size = e.node("Concat", [e.ints(front), size], axis=0)
        made = m or e.constant(np.zeros([1] * (len(shape) + len(front)), e.dtype))
        return e.node("Expand", [made, size])

    def as_number(self, name: str, x: str) -> str:
        """An input, or a reference of it, in the arithmetic's type."""
        e = self.emitter
        return x if self.probe.dtypes[name] == e.dtype else e.node("Cast", [x], to=self.kind)

    def ledger(self, entries: Sequence[Expr]) -> str:
        """The sum of some entries, for each sample."""
        e = self.emitter
        parts = [e.name(x) for x in entries]
        if not parts:
            front = [d for d in self.front if isinstance(d, int)]
            parts = [e.node("Expand", [e.constant(np.zeros(1)), e.shape([*front, Batch()])])]
        total = parts[0] if len(parts) == 1 else e.node("Sum", parts)
        return e.node("Cast", [total], to=self.kind)

    def give(self, name: str, made: str, source: str | None = None) -> None:
        """Name a value and make it an output, shaped like an input or one number a sample."""
        shape = (Batch(),) if source is None else self.probe.shapes[source]
        graph = self.emitter.graph
        graph.node.append(helper.make_node("Identity", [made], [name], name=f"onnxplain/{name}"))
        dims = declared([*self.front, *shape])
        graph.output.append(helper.make_tensor_value_info(name, self.kind, dims))


def declared(shape: Sequence[Dim]) -> list[int | str]:
    """A shape as a file declares it; what grows with the batch by name."""
    return [d if isinstance(d, int) else "batch" if d == Batch() else f"batch_{d}" for d in shape]


def fix(value: onnx.ValueInfoProto, shape: Shape, batch: int | None) -> None:
    """Declare the sizes that a combined graph is made for; the batch stays open."""
    dims = value.type.tensor_type.shape.dim
    if len(dims) != len(shape):
        return
    for axis, (dim, size) in enumerate(zip(dims, shape, strict=True)):
        if axis != batch and isinstance(size, int):
            dim.dim_value = size


def drop_unread(graph: onnx.GraphProto) -> None:
    """Constants that were written for what came to nothing; onnxruntime would warn of each."""
    read = {v for node in graph.node for v in reads(node)}
    unread = {t.name for t in graph.initializer if t.name.startswith(PREFIX)} - read
    if unread:
        kept = [t for t in graph.initializer if t.name not in unread]
        del graph.initializer[:]
        graph.initializer.extend(kept)


def in_order(model: onnx.ModelProto) -> onnx.ModelProto:
    """With nodes in an order in which every value is made before it is read."""
    graph = model.graph
    known = {t.name for t in graph.initializer} | {i.name for i in graph.input} | {""}
    known |= {s.values.name for s in graph.sparse_initializer}
    waiting = list(graph.node)
    if all(_ready_in_turn(waiting, set(known))):
        return model
    makers = {o: n for n in waiting for o in n.output if o}
    order: list[onnx.NodeProto] = []
    done: set[int] = set()
    stack = [(n, False) for n in reversed(waiting)]
    while stack:
        node, is_done = stack.pop()
        if id(node) in done:
            continue
        if is_done:
            done.add(id(node))
            order.append(node)
            continue
        stack.append((node, True))
        stack.extend((makers[v], False) for v in reads(node) if v in makers and id(makers[v]) not in done)
    copies = onnx.GraphProto(node=order)
    del graph.node[:]
    graph.node.extend(copies.node)
    return model


def _ready_in_turn(nodes: Sequence[onnx.NodeProto], known: set[str]) -> list[bool]:
    found = []
    for node in nodes:
        found.append(all(v in known for v in node.input))
        known.update(node.output)
    return found
