"""What a plan, or a compiled file, of one way through a model is made from."""

from __future__ import annotations

import difflib
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
import onnx

from ..analysis.analysis import Analysis
from ..analysis.probe import Probe
from ..canonical import canonical
from ..errors import InputError
from ..file.graph import Graph
from ..lowering import Lowered
from ..secants.passing import SecantPassing
from ..steps import step
from ..walk.active_path import active_nodes
from ..walk.simplify.algebra import simplified
from ..walk.walker import RecordedWalk, record_walk
from .facts import Facts
from .instrument import instrument
from .numpy_runner import NumpyRunner
from .request import Request
from .targets import explained_tensor

Array = np.ndarray[Any, Any]


@dataclass(frozen=True)
class Recipe:
    """A lowered model and what a probe found out about it, for inputs of one shape.

    Attributes
    ----------
    request : Request
    lowered : Lowered
        The model in elementary operators.
    analysis : Analysis
        Of that, as it is.
    notes : tuple of str
    feeds : pair of dict of str to ndarray
        The inputs that it was lowered and probed with.
    """

    request: Request
    lowered: Lowered
    analysis: Analysis
    notes: tuple[str, ...]
    feeds: tuple[Mapping[str, Array], Mapping[str, Array]]

    @property
    def proto(self) -> onnx.ModelProto:
        """The model in elementary operators."""
        return self.lowered.proto

    @property
    def probe(self) -> Probe:
        """What was found out about the values, those of the canonical form included."""
        return self.canonical.probe

    @property
    def axes(self) -> dict[str, int | None]:
        """The axis of each input along which its rows lie."""
        return self.request.inputs.axes(self.feeds[1])

    @cached_property
    def target(self) -> tuple[str, str | None]:
        """The tensor that is explained, and a note where it is not the output itself."""
        output, lowered = self.request.output, self.lowered
        logits = self.request.logits
        found, note = explained_tensor(self.canonical.graph, output, logits)
        if found != output or note or not logits:
            return found, note
        return lowered.score or output, lowered.end_note

    @cached_property
    def _asked(self) -> list[str]:
        return tensor_names(self.analysis.graph, self.request.at, self.request.where)

    @cached_property
    def canonical(self) -> Analysis:
        """The analysis of the graph in its canonical form."""
        step("preparing the relevance rules")
        self.analysis.graph.pinned = frozenset(self._asked)
        return canonical(self.analysis)

    @cached_property
    def recording(self) -> RecordedWalk:
        """The walk from what is explained back to the inputs, made shorter. Raises what `as_written` does."""
        return simplified(self.as_written, self.probe.shapes)

    @cached_property
    def as_written(self) -> RecordedWalk:
        """The walk from what is explained back to the inputs, as the rules write it.

        Raises
        ------
        UnsupportedOperator
            A node between input and output has no rule.
        ModelError
            The output depends on no input.
        """
        request, (target, _) = self.request, self.target
        at = self._asked
        if any(name.startswith("re:") for name in request.at):
            at = self._on_path(target, at)
        return self._recorded(at)

    @property
    def accounted(self) -> RecordedWalk:
        """The same walk with an account of every node in its entries, for finding out where one opens."""
        return self._recorded((), accounts=True)

    def _recorded(self, at: Sequence[str], *, accounts: bool = False) -> RecordedWalk:
        request = self.request
        return record_walk(
            self.canonical,
            request.composite,
            self.target[0],
            where=request.where,
            ledger=request.ledger or accounts,
            at=at,
            passing=SecantPassing() if request.composite.is_difference else None,
            accounts=accounts,
        )

    @cached_property
    def facts(self) -> Facts:
        """What has been found out, as plain data."""
        lowered, (_, note) = self.lowered, self.target
        notes = [*self.notes, *([note] if note else [])]
        if lowered.approximate:
            names = ", ".join(lowered.approximate[:3])
            notes.append(f"quantised layers are run in float ({names}): the output differs slightly")
        if lowered.half:
            notes.append("half-precision layers are run in float32: the output differs by their rounding")
        return Facts.of(
            self.probe,
            self.recording,
            list(self.request.inputs),
            decisions=lowered.decisions,
            approximate=is_approximate(self.request, lowered),
            notes=notes,
        )

    @cached_property
    def first(self) -> Mapping[str, Array]:
        """An input as a run of the plan takes it: the first micro-batch, or any number of rows."""
        example = dict(self.feeds[1])
        if self.probe.mode == "open":
            return example
        return self.request.inputs.micro_batches(self.facts, example)[0][1]

    @cached_property
    def numpy(self) -> NumpyRunner:
        """The instrumented model, with numpy for the backward pass."""
        return self.runner(self.recording)

    def runner(self, recording: RecordedWalk) -> NumpyRunner:
        """What carries out a walk of this model."""
        decided = [name for name, _ in self.lowered.decisions]
        made = instrument(self.proto, self.probe, recording, self.axes, decided)
        return NumpyRunner(made, recording, self.probe, self.request.runtime, self.axes)

    def _on_path(self, target: str, names: Sequence[str]) -> list[str]:
        """Of tensors that an expression fitted, those that relevance reaches; all that were named."""
        leaves = [n for n in names if self.canonical.is_constant(n)]
        _, values = active_nodes(self.canonical, self.request.composite, target, leaves)
        return [n for n in names if n in self.request.at or n in values]


def is_approximate(request: Request, lowered: Lowered) -> bool:
    """Whether the file's own outputs are known up to the rounding of 8 or 16 bits only."""
    return lowered.differs or any("Quantize" in n.op_type for n in request.proto.graph.node)


def tensor_names(graph: Graph, asked: Sequence[str], where: str) -> list[str]:
    """Tensors by name or by regular expression ("re:...").

    Raises
    ------
    InputError
        A name or expression fits no tensor; near names are listed.
    """
    made = (v for n in graph.nodes for v in n.outputs if v)
    known = list(dict.fromkeys([*graph.constants, *graph.inputs, *made]))
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
