"""Windows and their relevance against references as one ONNX graph.

The model runs once for the windows. A Scan goes over the references: its body has the model once more, for
one reference, or what the model gave for it when the file was made; and the backward pass, which reads both.
One by one, since activations of one pair stay in a processor's cache.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import onnx
from onnx import helper, numpy_helper

from ..analysis.shapes import Dim, Shape
from ..errors import ModelError
from ..file.own_names import PREFIX
from ..ops.base import Expr
from ..ops.onnx import Emitter, cast_float
from ..ops.onnx_gelu import share_gates
from ..plan.instrument import count_samples
from ..plan.onnx_runner import REFERENCE, SEED
from ..plan.recipe import Recipe
from . import parts
from .copies import Copies, UnevenError, copies
from .one_graph import (
    EXPLAINED,
    LEDGER,
    REFERENCES,
    RELEVANCE,
    Outputs,
    declared,
    drop_unread,
    fix,
    in_order,
    picked,
)  # fmt: skip

Array = np.ndarray[Any, Any]
Feed = Mapping[str, Array]

_ELEMENTWISE = frozenset(
    {"add", "sub", "mul", "div", "minimum", "maximum", "less", "greater", "equal", "where", "pow"}
)


@dataclass(frozen=True)
class Baked:
    """References that a file has in it.

    Attributes
    ----------
    feeds : sequence of dict of str to ndarray
        One for each: inputs of one row.
    same : frozenset of str
        Inputs that are as in the windows.
    """

    feeds: Sequence[Feed]
    same: frozenset[str] = frozenset()


def pair_graph(
    recipe: Recipe,
    *,
    kinds: Sequence[str] | None,
    targets: int | None,
    baked: Baked | None = None,
    guarded: bool = True,
) -> onnx.ModelProto:
    """The model with its relevance against references.

    Parameters
    ----------
    recipe : Recipe
    kinds : sequence of str
        Kinds of ledger entries whose totals are wanted too.
    targets : int, optional
        As for `one_graph`.
    baked : Baked, optional
        References to have in the file; otherwise they are inputs of it.
    guarded : bool
        Whether relevance is no number where a reference takes other branches than the recipe's.

    Raises
    ------
    ModelError
        A step of the backward pass cannot be written in ONNX.
    """
    try:
        return _PairGraph(recipe, targets, baked, guarded).made(kinds)
    except NotImplementedError as e:
        where = recipe.request.where
        raise ModelError(f"{where}: {e} has no form in ONNX here; use the numpy backend") from None


class _PairGraph:
    """One graph: `model` has the windows' forward pass, `there` a reference's, `pairs` what reads both."""

    def __init__(self, recipe: Recipe, targets: int | None, baked: Baked | None, guarded: bool) -> None:
        self.guarded = guarded
        self.recipe, self.baked, self.probe = recipe, baked, recipe.probe
        self.inputs, self.dtype = recipe.request.inputs, recipe.recording.ops.dtype
        self.model, self.there, self.pairs = (parts.copied(recipe.proto) for _ in range(3))
        del self.pairs.graph.node[:]
        # What is the same in both forward passes: weights, and what is made of them alone.
        self.own = parts.constant(recipe.proto.graph)
        self.front: list[Dim] = [] if targets is None else [targets]
        self.kind = cast_float(self.dtype)
        self.shapes = recipe.numpy.shapes(recipe.first)
        self.here_emitter, self.there_emitter = self._emitter(self.model), self._emitter(self.there)
        self.emitter = self._emitter(self.pairs, targets, f"{PREFIX}back/", recipe.numpy.shared)
        self.scanned: list[tuple[str, str, int]] = []  # outside, in the body, axis
        self.constants: dict[str, Array] = {}

    def _emitter(
        self,
        model: onnx.ModelProto,
        targets: int | None = None,
        prefix: str = PREFIX,
        shared: Collection[int] = (),
    ) -> Emitter:
        samples = count_samples(self.probe, self.recipe.axes)
        return Emitter(
            model,
            self.probe.dtypes,
            self.dtype,
            targets=targets,
            shapes=self.shapes,
            samples=samples,
            prefix=prefix,
            shared=shared,
        )

    # -- what is written --------------------------------------------------------------------------------

    def made(self, kinds: Sequence[str] | None) -> onnx.ModelProto:
        """The graph."""
        self._check_names()
        amount = self._explained()
        live = parts.live(self.recipe, amount)
        for e in live:
            for a in e.args:
                if a.kind == "forward" and e.op != "reference":
                    self.emitter.given(a.index, self._window(a))
        self._references(live)
        outputs = self._outputs(kinds, amount)
        self._join(outputs)
        return in_order(self.model)

    def _window(self, a: Expr) -> str:
        """A value of the windows' forward pass."""
        if a.op != "value":
            return self.here_emitter.name(a)
        # Cast where it is read: onnxruntime (1.31) drops a Cast that undoes another and forgets the Scan.
        name = a.attrs["name"]
        dtype = self.probe.dtypes.get(name, self.dtype)
        wrong = dtype.kind == "f" and dtype != self.dtype
        return self.emitter.node("Cast", [name], to=self.kind) if wrong else self.here_emitter.name(a)

    def _check_names(self) -> None:
        graph = self.model.graph
        own = {i.name for i in graph.input} | {o for n in graph.node for o in n.output}
        added = (RELEVANCE + i for i in self.inputs), (REFERENCES + i for i in self.inputs)
        if taken := own & {SEED, EXPLAINED, *added[0], *added[1]}:
            raise ModelError(
                f"{self.recipe.request.where}: a tensor of it is called {sorted(taken)[0]!r}, a compiled "
                "file's own name"
            )

    def _explained(self) -> Expr:
        """What the seed picks out of the difference of both outputs, for each sample."""
        op = self.recipe.recording.ops
        here = op.value(self.recipe.recording.target)
        return picked(self.recipe, op.sub(here, op.reference(here)), self.shapes)

    def _outputs(self, kinds: Sequence[str] | None, amount: Expr) -> dict[str, tuple[str, str | None]]:
        """What the body gives: its name, and the input that it is shaped like."""
        e, messages = self.emitter, self.recipe.recording.messages
        out = Outputs(e, self.kind, self.front, self.probe)
        made: dict[str, tuple[str, str | None]] = {}
        for name in self.inputs:
            made[RELEVANCE + name] = out.relevance(name, messages.get(name), REFERENCE + name), name
        for k in kinds or ():
            entries = [x.relevance for x in self.recipe.recording.entries if x.kind == k]
            made[LEDGER + k] = out.ledger(entries), None
        made[EXPLAINED] = e.name(amount), None
        wrong = self._apart()
        if wrong:
            made = {n: (self._spoiled(v, wrong), s) for n, (v, s) in made.items()}
        return made

    # -- references -------------------------------------------------------------------------------------

    def _references(self, live: Sequence[Expr]) -> None:
        """What the backward pass reads of a reference's forward pass."""
        e, ops = self.emitter, self.recipe.recording.ops
        alone = parts.alone(live)
        read = parts.read_outside(live, alone)
        forward = parts.forward(ops, alone, self.shapes)
        names = {x.index: self.there_emitter.name(forward[x.index]) for x in read}
        share_gates(self.there.graph, self.dtype)
        share_gates(self.model.graph, self.dtype)
        fetched = list(dict.fromkeys(names.values()))
        how = self._copies(fetched)
        values = None if self.baked is None or how is None else self._baked(self.baked, fetched)
        if values is None:
            self._fed(how is not None)
        else:
            for name, array in values.items():
                self._scan(REFERENCE + name, array)
        wide: dict[str, str] = {}
        for x in read:
            name = names[x.index]
            inside = name if name in self.own else REFERENCE + name
            copied = None if how is None else how[name]
            if copied is not None and not self._broadcasts(x, copied, live, alone):
                if name not in wide:
                    wide[name] = copied.write(e, inside)
                inside = wide[name]
            e.given(x.index, inside)

    def _fed(self, one: bool) -> None:
        """The model's forward pass of one reference, in the body."""
        graph, e = self.there.graph, self.emitter
        nodes = [n for n in graph.node if not all(o in self.own for o in n.output)]
        names = {o: REFERENCE + o for n in nodes for o in n.output if o}
        for name in self.inputs:
            names[name] = REFERENCE + name
            if self.baked is not None and name in self.baked.same:
                e.graph.node.append(helper.make_node("Identity", [name], [REFERENCE + name]))
                continue
            axis = self._axis(name)
            made = f"{REFERENCE}each/{name}"
            if self.baked is None:
                self.scanned.append((REFERENCES + name, made, axis or 0))
            else:
                rows = [np.squeeze(f[name], axis) if axis is not None else f[name] for f in self.baked.feeds]
                self._scan(made, np.stack(rows))
            if axis is not None:
                made = e.node("Unsqueeze", [made, e.ints([axis])])
            if axis is not None and not one:
                put = helper.make_node("Expand", [made, e.node("Shape", [name])], [REFERENCE + name])
            else:
                put = helper.make_node("Identity", [made], [REFERENCE + name])
            e.graph.node.append(put)
        names |= {t.name: REFERENCE + t.name for t in graph.initializer if t.name not in self.own}
        parts.renamed(graph.initializer, nodes, names)
        e.graph.node.extend(nodes)
        self.model.graph.initializer.extend(t for t in graph.initializer if t.name not in self.own)

    def _scan(self, name: str, array: Array) -> None:
        """Values in the file, one for each reference."""
        self.constants[f"{name}/all"] = array
        self.scanned.append((f"{name}/all", name, 0))

    def _axis(self, name: str) -> int | None:
        """The axis along which references of an input lie; None where each is an array of its own."""
        return None if self.probe.mode == "joint" else self.recipe.axes[name]

    def _copies(self, fetched: Sequence[str]) -> dict[str, Copies | None] | None:
        """How values of one row become those of many; None where the model must run on as many rows."""
        if self.probe.mode != "open":
            return dict.fromkeys(fetched) if self.baked is None or not self.baked.same else None
        if self.probe.rows != 1 or (self.baked is not None and self.baked.same):
            return None
        axes = self.recipe.axes
        first = self.recipe.request.inputs.take(dict(self.recipe.first), 0, 1)
        twice = {n: x if axes[n] is None else np.repeat(x, 2, axes[n]) for n, x in first.items()}
        try:
            one, two = self._run(fetched, first, twice)
            return {n: copies(one[n], two[n]) for n in fetched}
        except (UnevenError, ModelError):
            return None

    def _baked(self, baked: Baked, fetched: Sequence[str]) -> dict[str, Array]:
        """What the model gives for the references, and they themselves."""
        decided = [n for n, _ in self._decisions()]
        feeds = [self._whole(f) for f in baked.feeds]
        made = self._run([*fetched, *decided], *feeds)
        found = {n: np.stack([m[n] for m in made]) for n in fetched if n not in self.own}
        found |= {n: np.stack([m[n] for m in made]) for n in decided}
        return found | {n: np.stack([f[n] for f in feeds]) for n in self.inputs}

    def _whole(self, feed: Feed) -> Feed:
        """A reference as a file takes it that is fixed at some number of rows."""
        if self.probe.mode == "open":
            return feed
        like = self.recipe.first
        return {
            n: x if (a := self._axis(n)) is None else np.repeat(x, like[n].shape[a] // x.shape[a], a)
            for n, x in feed.items()
        }

    def _run(self, names: Sequence[str], *feeds: Feed) -> list[dict[str, Array]]:
        """Values of the forward pass of references."""
        model, runtime = parts.copied(self.there), self.recipe.request.runtime
        inputs = {v.name for v in (*model.graph.input, *model.graph.initializer)}
        weights = {t.name: t for t in model.graph.initializer}
        del model.graph.output[:]
        asked = [n for n in dict.fromkeys(names) if n not in inputs]
        model.graph.output.extend(onnx.ValueInfoProto(name=n) for n in asked)
        opened = runtime.session(in_order(model)) if asked else None
        found = []
        for feed in feeds:
            made = {} if opened is None else dict(zip(asked, runtime.run(opened, asked, feed), strict=True))
            known = {n: numpy_helper.to_array(weights[n]) for n in names if n in weights}
            found.append({**made, **known, **{n: feed[n] for n in names if n in feed}})
        return found

    def _broadcasts(self, x: Expr, how: Copies, live: Sequence[Expr], alone: Sequence[Expr]) -> bool:
        """Whether everything that reads a value of one row takes it as one of many."""
        if not how.is_own:
            return False
        gone = {a.index for a in alone}
        for e in live:
            if e.index in gone or all(a is not x for a in e.args):
                continue
            others = [a for a in e.args if a is not x and a.index not in gone and a.kind != "const"]
            if e.op not in _ELEMENTWISE or not any(self._has_rows(a, how) for a in others):
                return False
        return True

    def _has_rows(self, a: Expr, how: Copies) -> bool:
        shape: Shape | None = self.shapes.get(a.index)
        return shape is not None and len(shape) >= -how.axis and not isinstance(shape[how.axis], int)

    # -- branches ---------------------------------------------------------------------------------------

    def _decisions(self) -> list[tuple[str, Array]]:
        """Conditions that a reference might not meet."""
        known = self.recipe.lowered.decisions if self.guarded else ()
        return [(n, v) for n, v in known if n in self.probe.varying]

    def _apart(self) -> str:
        """Not a number where a reference takes other branches than the windows of this graph; 0 elsewhere."""
        e, differ = self.emitter, []
        for name, value in self._decisions():
            wrong = e.node("Not", [e.node("Equal", [REFERENCE + name, e.constant(value)])])
            number = e.node("Cast", [wrong], to=self.kind)
            differ.append(e.node("ReduceMax", [number], keepdims=0))
        if not differ:
            return ""
        most = e.node("Max", differ)
        none, nan = (e.constant(np.asarray(v, self.dtype)) for v in (0, np.nan))
        return e.node("Where", [e.node("Greater", [most, none]), nan, none])

    def _spoiled(self, value: str, wrong: str) -> str:
        return self.emitter.node("Add", [self.emitter.node("Cast", [value], to=self.kind), wrong])

    # -- one graph --------------------------------------------------------------------------------------

    def _join(self, outputs: Mapping[str, tuple[str, str | None]]) -> None:
        """Put the Scan behind the model."""
        graph, probe, axes = self.model.graph, self.probe, self.recipe.axes
        body = onnx.GraphProto(name=f"{PREFIX}reference")
        types = {REFERENCES + n: probe.dtypes[n] for n in self.inputs}
        types |= {n: a.dtype for n, a in self.constants.items()}
        for outside, inside, _ in self.scanned:
            body.input.append(
                helper.make_tensor_value_info(
                    inside, helper.np_dtype_to_tensor_dtype(np.dtype(types[outside])), None
                )
            )
        double = cast_float(np.dtype(np.float64))
        nodes, ends = list(self.pairs.graph.node), []
        spoiled = bool(self._decisions())
        for name, (made, _) in outputs.items():
            end = f"{REFERENCE}made/{name}"
            nodes.append(helper.make_node("Identity", [made], [end]))
            kind = double if name == EXPLAINED and not spoiled else self.kind
            body.output.append(helper.make_tensor_value_info(end, kind, None))
            ends.append(end)
        outer, inner = parts.invariant(parts.ordered(nodes, ends), {i.name for i in body.input})
        body.node.extend(inner)
        graph.node.extend(outer)
        graph.initializer.extend(t for t in self.pairs.graph.initializer if t.name not in self.own)
        graph.initializer.extend(numpy_helper.from_array(a, n) for n, a in self.constants.items())
        each = [f"{PREFIX}each/{name}" for name in outputs]
        graph.node.append(
            helper.make_node(
                "Scan",
                [outside for outside, _, _ in self.scanned],
                each,
                name=f"{PREFIX}references",
                body=body,
                num_scan_inputs=len(self.scanned),
                scan_input_axes=[axis for _, _, axis in self.scanned],
            )
        )
        self._declare_inputs(axes)
        out = Outputs(self.here_emitter, self.kind, self.front, probe)
        for name, part in zip(outputs, each, strict=True):
            mean = self.here_emitter.node("ReduceMean", [part, self.here_emitter.ints([0])], keepdims=0)
            out.give(name, self.here_emitter.node("Cast", [mean], to=self.kind), outputs[name][1])
        for import_ in self.model.opset_import:
            if import_.domain == "ai.onnx":
                import_.domain = ""
        drop_unread(graph)

    def _declare_inputs(self, axes: Mapping[str, int | None]) -> None:
        graph, probe = self.model.graph, self.probe
        for i in graph.input:
            if i.name in self.inputs.by_name and i.name not in self.own:
                fix(i, probe.shapes[i.name], axes[i.name] if probe.mode == "open" else None)
        if self.baked is None:
            known = {i.name: i.type.tensor_type.elem_type for i in graph.input}
            for name in self.inputs:
                dims = declared(probe.shapes[name])
                axis = self._axis(name)
                dims = (
                    ["references", *dims] if axis is None else [*dims[:axis], "references", *dims[axis + 1 :]]
                )
                graph.input.append(helper.make_tensor_value_info(REFERENCES + name, known[name], dims))
        target = probe.shapes[self.recipe.recording.target]
        graph.input.append(helper.make_tensor_value_info(SEED, self.kind, declared([*self.front, *target])))
