"""The plans of one request: chosen by the shape of the input, and run micro-batch by micro-batch.

A plan is looked for in memory, then on disk, then made. Where branches depend on what is in an input there is
a plan for each way through them, and which one fits shows when the model has run: so what chooses a plan
gives the values of that run too.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from time import perf_counter
from typing import Any, NamedTuple

import numpy as np

from ..errors import ModelError
from ..steps import step
from . import cache
from .parity import check_parity, spread_of
from .request import Request
from .runner import Plan
from .source import Source

Array = np.ndarray[Any, Any]
Feed = dict[str, Array]
MicroBatch = tuple[slice, Feed]

# Seconds after which progress is told again.
_TELL = 0.1


@dataclass
class Run:
    """A plan, and what the model gives for one micro-batch.

    Attributes
    ----------
    plan : Plan
    feed : dict of str to ndarray
    values : mapping of str to ndarray
        Of the forward pass. Freed when the next run is asked for: activations are what takes memory.
    samples : slice
        Which samples of the whole batch these are.
    of : int
        Samples of the whole batch.
    batch : int
        Samples of this micro-batch.
    """

    plan: Plan
    feed: Feed
    values: Mapping[str, Any]
    samples: slice
    of: int
    batch: int

    @property
    def outputs(self) -> dict[str, Any]:
        """The model's own."""
        return {n: self.values[n] for n in self.plan.facts.outputs}


class ChosenPlan(NamedTuple):
    """A plan for a batch.

    Attributes
    ----------
    plan : Plan
    cuts : list of (slice, dict of str to ndarray)
        The batch cut into micro-batches: samples, and what they are fed with.
    values : mapping of str to ndarray
        What the model gives for the first micro-batch.
    """

    plan: Plan
    cuts: list[MicroBatch]
    values: Mapping[str, Any]


class Plans:
    """The plans of one request.

    Parameters
    ----------
    request : Request
    source : Source
        The model as it is in the file.
    """

    def __init__(self, request: Request, source: Source) -> None:
        self.request, self._source = request, source
        self._known: dict[Any, list[Plan]] = {}

    def runs(self, feed: Feed, chosen: ChosenPlan | None = None) -> Iterator[Run]:
        """Run the model on a batch, micro-batch by micro-batch.

        Parameters
        ----------
        feed : dict of str to ndarray
            As `Inputs.checked` gives it.
        chosen : ChosenPlan, optional
            What `choose` gave for it, where that has been asked already.

        Yields
        ------
        Run
            In the order of the samples.

        Raises
        ------
        OnnxplainError
            The model cannot be explained, or not on this input.
        """
        plan, cuts, values = self.choose(feed) if chosen is None else chosen
        total, told = cuts[-1][0].stop, perf_counter()
        del chosen
        for at, piece in cuts:
            if at.start:
                if perf_counter() - told > _TELL:
                    told = perf_counter()
                    step("explaining", at.start / total)
                again = _forward(plan, piece)
                if again is None:  # another branch is taken
                    yield from self._others(piece, at.start, total)
                    continue
                values = again
            run = Run(plan, piece, values, at, total, at.stop - at.start)
            del values
            yield run
            run.values = {}

    def _others(self, piece: Feed, start: int, total: int) -> Iterator[Run]:
        for run in self.runs(piece):
            run.samples = slice(start + run.samples.start, start + run.samples.stop)
            run.of = total
            yield run

    def choose(self, feed: Feed) -> ChosenPlan:
        """The plan for a batch, the batch cut for it, and the values of the first micro-batch."""
        inputs = self.request.inputs
        some, own = inputs.signatures(feed)
        for plan in (*self._known.get(some, ()), *self._known.get(own, ())):
            cuts = inputs.micro_batches(plan.facts, feed)
            values = _forward(plan, cuts[0][1])
            if values is not None:
                return ChosenPlan(plan, cuts, values)
        plan = self._made(feed)
        cuts = inputs.micro_batches(plan.facts, feed)
        step("checking the instrumented model")
        values = plan.runner.forward(cuts[0][1])
        self._check(plan, cuts[0][1], values)
        self._known.setdefault(own if plan.facts.by_rows else some, []).append(plan)
        return ChosenPlan(plan, cuts, values)

    def _made(self, feed: Feed) -> Plan:
        """A plan for inputs like this one, from disk or from the model."""
        names = cache.keys(self.request, feed)
        notes: list[str] = []  # why a plan that is there is not used
        for name in names or ():
            plan = cache.kept(self.request, feed, name, notes.append)
            if plan is not None:
                return _noted(plan, notes)
        start = perf_counter()
        from .build import build  # what is kept on disk needs none of what makes a plan
        from .look import look

        recipe = look(self.request, feed)
        plan = build(recipe)
        took = perf_counter() - start
        instrumented = recipe.numpy.instrumented
        if plan.graphs is not None:
            if names and took >= cache.WORTH:
                step("keeping the plan")
                forward, back = instrumented.model, plan.graphs.written(1)
                cache.store(
                    names[plan.facts.by_rows],
                    plan.facts,
                    instrumented.names,
                    forward.SerializeToString(),
                    back.SerializeToString(),
                )
            plan.graphs.free()
        instrumented.free()
        return _noted(plan, notes)

    def _check(self, plan: Plan, feed: Feed, values: Mapping[str, Any]) -> None:
        """The instrumented model must say what the file says."""
        request = self.request
        session = self._source.session
        made = request.runtime.run(session, request.outputs, feed)
        own = dict(zip(request.outputs, made, strict=True))
        spread = partial(spread_of, session, request.proto, feed, request.runtime)
        check_parity(own, values, request.where, spread if plan.facts.approximate else None)
        self._source.close()  # its copy of the weights; only `predict` will ask for it again


def _noted(plan: Plan, notes: Sequence[str]) -> Plan:
    """A plan whose explanations have these notes, too."""
    if not notes:
        return plan
    return replace(plan, facts=replace(plan.facts, notes=(*plan.facts.notes, *dict.fromkeys(notes))))


def _forward(plan: Plan, feed: Feed) -> Mapping[str, Any] | None:
    """What the model gives for a micro-batch; None where it takes another way than the plan's."""
    decisions = plan.facts.decisions
    try:
        values = plan.runner.forward(feed)
    except ModelError:
        # Steps written out for another length cannot be run; whether the file can is seen in making a plan.
        if not decisions:
            raise
        return None
    return values if not decisions or plan.facts.holds(values) else None
