"""`Explainer`: a model file in, explanations of its outputs out."""

from __future__ import annotations

import difflib
import os
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from . import runtime
from .assemble import Part, assemble, per_sample
from .attribution import Attribution
from .canonical import canonical
from .composite import Composite
from .composite import composite as find_composite
from .contract import InputContract
from .errors import InputError, ModelError
from .feed import Inputs, of_samples
from .graph import Graph, from_model
from .model import load
from .plan import Plan
from .probe import Probe, SamplesMix, probe
from .steps import step
from .targets import explained_tensor, seed_for
from .walk import Trace, active_nodes, trace

Array = np.ndarray[Any, Any]

# How far the instrumented forward may be from the file's own, relative to the output's size:
# onnxruntime fuses other nodes once inner values are asked for, and rounds differently.
PARITY = 1e-3

BACKENDS = ("auto", "numpy")


@dataclass(frozen=True)
class _Prepared:
    """What is worked out once for one shape of input."""

    probe: Probe
    plan: Plan
    trace: Trace
    notes: tuple[str, ...]


class Explainer:
    """Explains the outputs of an ONNX model.

    Parameters
    ----------
    model : path-like
        The file that is deployed is the file that is explained.
    composite : str or Composite
        Which rules: a preset's name (see `composites`) or a composite of one's own.
    backend : {"auto", "numpy"}
    providers : sequence of str, optional
        onnxruntime execution providers for the forward pass.
    threads : int, optional
        Threads of onnxruntime.
    output : str, optional
        The output to explain; the contract's, or the first floating one.
    contract : InputContract, optional
        In the place of the one in the file's metadata: names of classes, and which output they are of.
    ledger : bool
        Whether to account for relevance that does not reach an input.
    at : sequence of str
        Inner tensors (attention weights, the output of a layer) and constants (a position embedding)
        whose relevance is wanted, by name, or "re:" and a regular expression that the whole name matches.
    **parameters : float
        Of the composite, e.g. ``epsilon=1e-6``.

    Attributes
    ----------
    path : Path
    sha256 : str
        Of the file.
    contract : InputContract or None
        The input contract: the one given, or the one in the file's metadata.
    inputs : Inputs
    output : str
        The output that is explained.
    composite : Composite

    Raises
    ------
    ModelError
        The file cannot be used.
    InputError
        A name or parameter is unknown.

    Examples
    --------
    >>> explain = Explainer("model.onnx", composite="attnlrp")  # doctest: +SKIP
    >>> a = explain(x, target="predicted")  # doctest: +SKIP
    >>> a.relevance["x"].shape == x.shape  # doctest: +SKIP
    True
    """

    def __init__(
        self,
        model: str | os.PathLike[str],
        composite: str | Composite = "attnlrp",
        backend: str = "auto",
        providers: Sequence[str] | None = None,
        threads: int | None = None,
        *,
        output: str | None = None,
        contract: InputContract | None = None,
        ledger: bool = True,
        at: Sequence[str] = (),
        **parameters: Any,
    ) -> None:
        if backend not in BACKENDS:
            raise InputError(f"unknown backend {backend!r}; known: {', '.join(BACKENDS)}")
        if threads is not None and (isinstance(threads, bool) or threads < 1):
            raise InputError(f"threads must be at least 1, not {threads}")
        self.composite = find_composite(composite, parameters)
        loaded = load(model)
        self.path, self.sha256, self.contract = Path(model), loaded.sha256, contract or loaded.contract
        self._where = str(self.path)
        self._proto = loaded.proto
        self._providers, self._threads, self._ledger = providers, threads, ledger
        self._at = (at,) if isinstance(at, str) else tuple(at)
        self._session = runtime.session(self._proto, where=self._where, asked=providers, threads=threads)
        self.inputs = Inputs(self._session, self._where)
        outputs = {o.name: runtime.numpy_dtype(o.type) for o in self._session.get_outputs()}
        self.output = default_output(
            outputs, output or (self.contract.output if self.contract else None), self._where
        )
        self._outputs = list(outputs)
        self._prepared: dict[Any, _Prepared] = {}

    def __call__(
        self, x: Array | Mapping[str, Array], target: Any = "predicted", contrast: str | None = None
    ) -> Attribution:
        """Explain a batch.

        Parameters
        ----------
        x : ndarray, or dict of input name to ndarray
            Batch first.
        target : object
            An int; one int a sample; "predicted"; a class name of the contract; {class: weight}; an index
            tuple for dense outputs; "all"; or an array of the output's shape.
        contrast : {"rest", None}
            "rest" explains the class against the mean of the others.

        Returns
        -------
        Attribution

        Raises
        ------
        InputError
            The input or the target does not fit the model.
        UnsupportedOperator
            A node between input and output has no rule.
        ModelError
            The output is not finite, or the model cannot run on this input.
        """
        feed = self.inputs.feed(x)
        ready = self._prepare(feed)
        constants = any(name in ready.probe.constants for name in ready.trace.at)
        pieces = self.inputs.pieces(ready.probe, feed, alone=constants)
        parts = []
        for done, (at, piece) in enumerate(pieces):
            step("explaining", done / len(pieces))
            own = target if len(pieces) == 1 else of_samples(target, at, pieces[-1][0].stop)
            parts.append(self._part(ready, piece, own, at, contrast))
        made = assemble(
            parts,
            self.inputs,
            ready.probe,
            ready.trace,
            self._outputs,
            composite=self.composite.name,
            notes=ready.notes,
        )
        if not all(np.isfinite(r).all() for r in made.relevance.values()):
            raise ModelError(
                f"{self._where}: relevance is not finite under composite {self.composite.name!r}"
            )
        return made

    def predict(self, x: Array | Mapping[str, Array]) -> dict[str, Array]:
        """The model's own outputs for a batch, by name."""
        return self._predict(self.inputs.feed(x))

    def with_composite(self, composite: str | Composite, **parameters: Any) -> Explainer:
        """The same model and options under another composite."""
        return Explainer(
            self.path,
            composite,
            providers=self._providers,
            threads=self._threads,
            output=self.output,
            contract=self.contract,
            ledger=self._ledger,
            at=self._at,
            **parameters,
        )

    def joins(self, feed: Mapping[str, Array]) -> bool:
        """Whether feeds like this one can be stacked along their first axis and explained in one call."""
        return (
            all(axis == 0 for axis in self.inputs.axes(feed).values()) and self._prepare(feed).probe.rows == 1
        )

    def sums(self, name: str, relevance: Array, shape: tuple[int, ...]) -> Array:
        """Relevance of an input summed for each sample, shaped like what was explained."""
        ready = next(iter(self._prepared.values()))
        several = relevance if len(shape) == 2 else relevance[None]
        made = per_sample(ready.probe, name, several, shape[-1])
        return made if len(shape) == 2 else made[0]

    def _predict(self, feed: Mapping[str, Array]) -> dict[str, Array]:
        made = runtime.run(self._session, self._outputs, feed, where=self._where)
        return dict(zip(self._outputs, made, strict=True))

    def _prepare(self, feed: Mapping[str, Array]) -> _Prepared:
        for rows in (False, True):
            ready = self._prepared.get(self.inputs.signature(feed, rows=rows))
            if ready is not None:
                return ready
        # A graph of its own: the passes mark its nodes by what this shape of input showed.
        graph = from_model(self._proto)
        found, notes = self._probe(graph, feed)
        step("preparing the relevance rules")
        at = tensor_names(graph, self._at, self._where)
        graph.pinned = frozenset(at)
        graph = canonical(graph, found)
        target, note = explained_tensor(graph, self.output)
        if any("re:" in name for name in self._at):
            at = _on_path(graph, found, self.composite, target, at, self._at)
        recorded = trace(graph, found, self.composite, target, where=self._where, ledger=self._ledger, at=at)
        plan = Plan(
            self._proto, found, recorded, where=self._where, providers=self._providers, threads=self._threads
        )
        ready = _Prepared(found, plan, recorded, (*notes, *([note] if note else [])))
        step("checking the instrumented model")
        self._check_parity(ready, self.inputs.pieces(found, dict(feed))[0][1])
        self._prepared[self.inputs.signature(feed, rows=found.mode in ("fixed", "joint"))] = ready
        return ready

    def _probe(self, graph: Graph, feed: Mapping[str, Array]) -> tuple[Probe, tuple[str, ...]]:
        """What onnxruntime tells of this shape of input, and what to say of it."""
        rows, axes = self.inputs.rows(feed), self.inputs.axes(feed)
        declared_open = any(i.open for i in self.inputs.by_name.values())
        if not declared_open:
            # A file fixed at one row is fed row by row.
            some = self.inputs.take(feed, 0, 1) if any(a is not None for a in axes.values()) else dict(feed)
            return probe(self._proto, graph, some, axes, where=self._where, mode="fixed"), ()
        if all(a is None for a in axes.values()):
            found = probe(self._proto, graph, feed, axes, where=self._where, mode="joint")
            return found, ("the inputs have different lengths; they are explained together as one sample",)
        try:
            return probe(
                self._proto, graph, self.inputs.take(feed, 0, min(rows, 64)), axes, where=self._where
            ), ()
        except SamplesMix:
            if any(n.op_type.startswith("DynamicQuantize") for n in graph.nodes):
                found = probe(self._proto, graph, feed, axes, where=self._where, mode="single")
                return found, ("samples in one batch share a quantisation scale; each is explained alone",)
            found = probe(self._proto, graph, feed, axes, where=self._where, mode="joint")
            return found, ("what the model says of one row depends on the others; explained as one sample",)

    def _check_parity(self, ready: _Prepared, feed: Mapping[str, Array]) -> None:
        """The instrumented forward must give what the file gives, or nothing is explained."""
        values = ready.plan.forward(feed)
        for name, y in self._predict(feed).items():
            if not isinstance(y, np.ndarray) or y.dtype.kind != "f":
                continue
            finite = np.isfinite(y)
            size = float(np.abs(y[finite]).max(initial=0.0)) or 1.0
            gap = float(np.abs(values[name][finite] - y[finite]).max(initial=0.0)) / size
            if not gap <= PARITY:
                raise ModelError(
                    f"{self._where}: output {name!r} changes by {gap:.1e} of its size when inner values "
                    "are read; refused"
                )

    def _part(
        self, ready: _Prepared, feed: dict[str, Array], target: Any, at: slice, contrast: str | None
    ) -> Part:
        values = ready.plan.forward(feed)
        y = values[ready.trace.target]
        classes = self.contract.classes if self.contract else ()
        batch = at.stop - at.start
        seed, chosen, several = seed_for(y, target, contrast, classes, batch)
        result = ready.plan.backward(values, seed, batch)
        # A masked class is -inf: what is not explained is not touched.
        amounts = np.where(seed == 0, 0, seed * np.where(seed == 0, 0, y))
        explained = per_sample(ready.probe, ready.trace.target, amounts, batch)
        if not np.isfinite(explained).all():
            raise ModelError(
                f"{self._where}: output {ready.trace.target!r} is not finite; nothing to explain"
            )
        return Part(feed, values, result, explained, chosen, several, batch)


def default_output(outputs: Mapping[str, np.dtype[Any] | None], asked: str | None, where: str) -> str:
    """The output to explain: the one asked for, or the first floating one.

    Raises
    ------
    InputError
        There is no such output; the known ones are listed.
    ModelError
        No output is a floating tensor.
    """
    if asked is not None:
        if asked not in outputs:
            raise InputError(f"{where}: no output {asked!r}; known: {', '.join(outputs)}")
        return asked
    for name, dtype in outputs.items():
        if dtype is not None and dtype.kind == "f":
            return name
    raise ModelError(f"{where}: none of the outputs ({', '.join(outputs)}) is a floating tensor")


def tensor_names(graph: Graph, asked: Sequence[str], where: str) -> list[str]:
    """Tensors by name or by regular expression ("re:...").

    Raises
    ------
    InputError
        A name or expression fits no tensor; near names are listed.
    """
    known = list(
        dict.fromkeys([*graph.constants, *graph.inputs, *(v for n in graph.nodes for v in n.outputs if v)])
    )
    found: list[str] = []
    for pattern in asked:
        if pattern.startswith("re:"):
            try:
                fits = [n for n in known if re.fullmatch(pattern[3:], n)]
            except re.error as e:
                raise InputError(f"{pattern!r} is no regular expression ({e})") from None
        else:
            fits = [n for n in known if n == pattern]
        if not fits:
            near = difflib.get_close_matches(pattern, known, 3)
            raise InputError(
                f"{where}: no tensor {pattern!r}" + (f"; near: {', '.join(near)}" if near else "")
            )
        found += fits
    return list(dict.fromkeys(found))


def _on_path(
    graph: Graph, found: Probe, chosen: Composite, target: str, names: Sequence[str], asked: Sequence[str]
) -> list[str]:
    """Of tensors that an expression fitted, those that relevance reaches; all that were named outright."""
    leaves = [n for n in names if n in found.constants]
    _, values = active_nodes(graph, found, chosen, target, graph.inputs, leaves)
    return [n for n in names if n in asked or n in values]
