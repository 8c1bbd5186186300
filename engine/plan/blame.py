"""Which node it is that relevance is not finite behind, or at which the account opens."""

from __future__ import annotations

import contextlib

import numpy as np

from ..errors import ModelError, OnnxplainError
from ..walk.walker import ARRIVED
from .recipe import Recipe
from .request import Request
from .results import NotClosedError, NotFiniteError, Part


def named(error: NotFiniteError | NotClosedError, request: Request) -> ModelError:
    """The same error with the node that it begins at, found by numpy.

    Parameters
    ----------
    error : NotFiniteError or NotClosedError
        Relevance is not finite, or relevance and ledger do not add up.
    request : Request
    """
    from .look import look  # what makes a plan is needed here only

    node = None
    with contextlib.suppress(OnnxplainError):  # the error says more than why its cause was not found
        recipe = look(request, error.part.feed)
        if isinstance(error, NotFiniteError):
            node = _first_not_finite(error.part, recipe)
        else:
            node = _first_open(error, recipe)
    graph = {n.name: n.op_type for n in request.proto.graph.node}
    at = "" if node is None else f" node {node!r}" + (f" ({graph[node]})" if node in graph else "")
    if isinstance(error, NotClosedError):
        return ModelError(
            f"{error}"
            + (f", first at{at}" if at else "")
            + ": numbers there are too near each other, or to 0, "
            "for their type; another composite may do, and max_closure (--max-closure) sets what is let pass"
        )
    if not at:
        return ModelError(f"{error}; another composite may do")
    return ModelError(
        f"{error}: it overflows, or divides by 0, at{at}; another composite may do, or an input for which "
        "that node has a finite slope"
    )


def _first_not_finite(part: Part, recipe: Recipe) -> str | None:
    """The first node behind which a backward value is not finite."""
    numpy = recipe.runner(recipe.as_written)  # made shorter, one product can be of several nodes
    there = None if part.reference is None else numpy.forward(part.reference)
    found: list[str] = []

    def watch(node: str, value: np.ndarray[tuple[int, ...], np.dtype[np.floating]]) -> None:
        if not found and node and not np.isfinite(value).all():
            found.append(node)

    values = numpy.forward(part.feed)
    numpy.backward(values, part.asked.seed, part.batch, there, watch=watch)
    return found[0] if found else None


def _first_open(error: NotClosedError, recipe: Recipe) -> str | None:
    """The first node that does not send on, or keep, what arrived at it; else the worst."""
    part, recording = error.part, recipe.accounted
    numpy = recipe.runner(recording)
    there = None if part.reference is None else numpy.forward(part.reference)
    result = numpy.backward(numpy.forward(part.feed), part.asked.seed, part.batch, there)
    gaps: dict[str, np.ndarray[tuple[int, ...], np.dtype[np.floating]]] = {}
    for entry, amount in zip(recording.entries, result.entries, strict=True):
        amount = amount if entry.kind == ARRIVED else -amount
        gaps[entry.node] = gaps.get(entry.node, np.zeros_like(amount)) + amount
    arrived = [e.node for e in recording.entries if e.kind == ARRIVED]
    sizes = {n: float(np.abs(gaps[n]).max()) for n in dict.fromkeys(arrived)}
    return next((n for n, size in sizes.items() if not size <= error.gap / 2), None) or max(
        sizes, key=lambda n: sizes[n], default=None
    )
