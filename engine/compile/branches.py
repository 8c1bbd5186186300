"""A model with Ifs as one graph: each way through its branches is explained, and an If chooses among them.

A recipe is of one way through a model. Where a condition depends on the input's values, the model is
lowered once more with the condition the other way round, and so on until no way is left. In the graph, a
condition stands before all that depends on it, the model's own nodes included: each branch holds the
whole forward pass and the backward pass, and shares its weights with the others.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import onnx
from onnx import helper, numpy_helper

from ..errors import ModelError, OnnxplainError, RunError
from ..file.own_names import PREFIX
from ..file.protobuf import subgraphs
from ..lowering.graphs import ancestors, defined, reads, rename_free
from ..ops.onnx import cast_float
from ..plan.look import look_again
from ..plan.recipe import Recipe
from .one_graph import EXPLAINED, GRADIENT, LEDGER, RELEVANCE

Array = np.ndarray[Any, Any]

# Ways through a model that one file may hold: each is a graph of its own.
MAX_WAYS = 16
_PREFIX = f"{PREFIX}branch"


@dataclass(frozen=True)
class Impossible:
    """A branch that the model itself cannot take with inputs of this shape.

    Attributes
    ----------
    why : str
    """

    why: str


@dataclass(frozen=True)
class Split:
    """Two ways through a model.

    Attributes
    ----------
    condition : str
        A tensor of the lowered models on both sides.
    then, otherwise : Way
    """

    condition: str
    then: Way
    otherwise: Way


Way = Recipe | Impossible | Split


def explored(recipe: Recipe, given: Mapping[str, Array] | None = None) -> Way:
    """Every way through a model that some input can take.

    Parameters
    ----------
    recipe : Recipe
        Of the way that its own input takes.
    given : dict of str to ndarray, optional
        Conditions that are settled already.

    Raises
    ------
    ModelError
        Something but a branch depends on the input's values, or there are too many ways.
    UnsupportedOperator
        A node on one of them has no rule.
    """
    lowered, request, settled = recipe.lowered, recipe.request, given or {}
    # What follows from shapes alone is settled: the batch is the only one that stays open.
    left = {n: v for n, v in lowered.decisions if n in recipe.probe.varying and n not in settled}
    for name in left:
        if name not in lowered.conditions:
            raise ModelError(
                f"{request.where}: what {lowered.reasons[name]} does depends on the value of {name!r}, "
                "which another input may change; that cannot be one graph: use the numpy backend"
            )
    if not left:
        return recipe
    if 2 ** (len(settled) + 1) > MAX_WAYS:
        raise ModelError(
            f"{request.where}: too many branches depend on the input's values "
            f"(the last one at {lowered.reasons[next(iter(left))]}); "
            f"one graph holds {MAX_WAYS} ways: use the numpy backend"
        )
    name, value = next(iter(left.items()))
    taken = bool(value.reshape(-1)[0])
    here = explored(recipe, {**settled, name: value})
    there = _other(recipe, {**settled, name: ~value}, name)
    return Split(name, *((here, there) if taken else (there, here)))


def _other(first: Recipe, given: Mapping[str, Array], name: str) -> Way:
    """The way that a condition leads to which the first recipe does not take."""
    where, reason = first.request.where, first.lowered.reasons[name]
    try:
        other = look_again(first, given)
    except RunError as e:
        return Impossible(str(e).removeprefix(f"{where}: "))
    try:
        target = other.recording.target
    except OnnxplainError as e:
        text = str(e).removeprefix(f"{where}: ")
        raise type(e)(f"{where}: in the other branch of {reason}: {text}") from None
    if other.probe.shapes[target] != first.probe.shapes[first.recording.target]:
        raise ModelError(
            f"{where}: in the other branch of {reason} the explained output has "
            "another shape; that cannot be one graph: use the numpy backend"
        )
    return explored(other, given)


def recipes(way: Way) -> Iterator[Recipe]:
    """Those of all ways."""
    if isinstance(way, Recipe):
        yield way
    elif isinstance(way, Split):
        yield from recipes(way.then)
        yield from recipes(way.otherwise)


def impossible(way: Way) -> Iterator[Impossible]:
    """Ways that the model itself cannot take."""
    if isinstance(way, Impossible):
        yield way
    elif isinstance(way, Split):
        yield from impossible(way.then)
        yield from impossible(way.otherwise)


def joined(
    way: Way, first: Recipe, made: Callable[[Recipe], onnx.ModelProto], source: onnx.ModelProto
) -> onnx.ModelProto:
    """One graph for all ways.

    Parameters
    ----------
    way : Way
    first : Recipe
        One of its recipes, whose graph the declarations of inputs and outputs are taken from.
    made : callable
        The graph of a recipe, forward pass and relevance. All give the same outputs.
    source : onnx.ModelProto
        What runs where a way is impossible, and fails as it does by itself.
    """
    if not isinstance(way, Split):
        return made(first)
    models = {id(recipe): made(recipe) for recipe in recipes(way)}
    model = onnx.ModelProto()
    model.CopyFrom(models[id(first)])
    own = _as_it_is(source, model)
    everything = list(models.values())
    if any(True for _ in impossible(way)):
        everything.append(own)
        # Declared sizes would be worked out further in a branch that they do not fit.
        declared = {i.name: i for i in source.graph.input}
        for i in model.graph.input:
            if i.name in declared:
                i.CopyFrom(declared[i.name])
    joiner = _Joiner(models, own, everything)
    body = joiner.body(way, _PREFIX)
    for field in ("node", "initializer", "sparse_initializer", "value_info"):
        model.graph.ClearField(field)
    outputs = [o.name for o in model.graph.output]
    body.node[-1].output[:] = outputs
    model.graph.node.extend(body.node)
    model.graph.initializer.extend([*joiner.shared.values(), *body.initializer])
    versions = {(o.domain, o.version) for m in everything for o in m.opset_import}
    del model.opset_import[:]
    for domain in sorted({d for d, _ in versions}):
        newest = max(v for d, v in versions if d == domain)
        model.opset_import.append(helper.make_opsetid(domain, newest))
    return model


class _Joiner:
    """Makes a subgraph of each way."""

    def __init__(
        self,
        models: Mapping[int, onnx.ModelProto],
        own: onnx.ModelProto,
        everything: Sequence[onnx.ModelProto],
    ) -> None:
        self.models, self.own = models, own
        self.shared = _shared(everything)

    def body(self, way: Way, label: str) -> onnx.GraphProto:
        """The nodes of a way; its outputs have names that nothing outside has."""
        if isinstance(way, Split):
            return self._split(way, label)
        return self._leaf(self.models[id(way)] if isinstance(way, Recipe) else self.own, label)

    def _leaf(self, model: onnx.ModelProto, label: str) -> onnx.GraphProto:
        source = model.graph
        body = onnx.GraphProto(name=label, node=source.node, sparse_initializer=source.sparse_initializer)
        body.initializer.extend(t for t in source.initializer if t.name not in self.shared)
        makes = {o for node in body.node for o in node.output}
        names = {o.name: f"{label}/{o.name}" for o in source.output}
        _rename(body, {old: new for old, new in names.items() if old in makes})
        for output in source.output:
            name = names[output.name]
            if output.name not in makes:
                body.node.append(helper.make_node("Identity", [output.name], [name], name=name))
            kind = output.type.tensor_type.elem_type
            body.output.append(helper.make_tensor_value_info(name, kind, None))
        return body

    def _split(self, split: Split, label: str) -> onnx.GraphProto:
        lowered = next(recipes(split)).proto.graph
        body = onnx.GraphProto(name=label, node=ancestors(list(lowered.node), [split.condition]))
        read = {v for node in body.node for v in reads(node)} - set(self.shared)
        body.initializer.extend(t for t in lowered.initializer if t.name in read)
        own = {o for node in body.node for o in node.output if o} | {t.name for t in body.initializer}
        _rename(body, {name: f"{label}/{name}" for name in own})
        then, otherwise = self.body(split.then, f"{label}/then"), self.body(split.otherwise, f"{label}/else")
        outputs = [f"{label}/{o.name.removeprefix(f'{then.name}/')}" for o in then.output]
        condition = f"{label}/{split.condition}" if split.condition in own else split.condition
        body.node.append(
            helper.make_node("If", [condition], outputs, name=label, then_branch=then, else_branch=otherwise)
        )
        for name, output in zip(outputs, then.output, strict=True):
            kind = output.type.tensor_type.elem_type
            body.output.append(helper.make_tensor_value_info(name, kind, None))
        return body


def _rename(graph: onnx.GraphProto, names: Mapping[str, str]) -> None:
    """Rename values that a graph makes."""
    for tensor in graph.initializer:
        tensor.name = names.get(tensor.name, tensor.name)
    for node in graph.node:
        node.input[:] = [names.get(v, v) for v in node.input]
        node.output[:] = [names.get(v, v) for v in node.output]
        for inner in subgraphs(node):
            rename_free(inner, names)


def _shared(models: Sequence[onnx.ModelProto]) -> dict[str, onnx.TensorProto]:
    """Weights that several models have, under one name."""
    found: dict[str, onnx.TensorProto] = {}
    dropped: set[str] = set()
    seen: dict[str, int] = {}
    for model in models:
        for tensor in model.graph.initializer:
            there = found.setdefault(tensor.name, tensor)
            seen[tensor.name] = seen.get(tensor.name, 0) + 1
            if there is not tensor and there.SerializeToString() != tensor.SerializeToString():
                dropped.add(tensor.name)
        dropped.update({o for node in model.graph.node for o in node.output})
    return {n: t for n, t in found.items() if seen[n] > 1 and n not in dropped}


def _as_it_is(source: onnx.ModelProto, like: onnx.ModelProto) -> onnx.ModelProto:
    """The model's own graph, with relevance that is no number."""
    model = onnx.ModelProto()
    model.CopyFrom(source)
    graph = model.graph
    taken = defined(graph)
    name = next(n for i in range(len(taken) + 1) if (n := f"onnxplain/none_{i}") not in taken)
    del graph.output[:]
    graph.output.extend(like.graph.output)
    kind = next(o.type.tensor_type.elem_type for o in graph.output if o.name.startswith(RELEVANCE))
    dtype = np.float64 if kind == cast_float(np.dtype(np.float64)) else np.float32
    graph.initializer.append(numpy_helper.from_array(np.full(1, np.nan, dtype), name))
    for output in graph.output:
        if output.name.startswith((RELEVANCE, GRADIENT, LEDGER)) or output.name == EXPLAINED:
            graph.node.append(helper.make_node("Identity", [name], [output.name]))
    return model
