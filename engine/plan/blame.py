"""Which node it is that relevance is not finite behind."""

from __future__ import annotations

import contextlib

import numpy as np

from ..errors import ModelError, OnnxplainError
from .request import Request
from .results import NotFiniteError


def named(error: NotFiniteError, request: Request) -> ModelError:
    """The same error with the node that made relevance not finite, found by numpy.

    Parameters
    ----------
    error : NotFiniteError
    request : Request
    """
    node = None
    with contextlib.suppress(OnnxplainError):  # the error says more than why its cause was not found
        node = _first(error, request)
    if node is None:
        return ModelError(f"{error}; another composite may do")
    graph = {n.name: n.op_type for n in request.proto.graph.node}
    kind = f" ({graph[node]})" if node in graph else ""
    return ModelError(
        f"{error}: it overflows, or divides by 0, at node {node!r}{kind}; another composite may do, or an "
        "input for which that node has a finite slope"
    )


def _first(error: NotFiniteError, request: Request) -> str | None:
    from .look import look  # what makes a plan is needed here only

    part = error.part
    recipe = look(request, part.feed)
    numpy = recipe.runner(recipe.as_written)  # made shorter, one product can be of several nodes
    there = None if part.reference is None else numpy.forward(part.reference)
    found: list[str] = []

    def watch(node: str, value: np.ndarray[tuple[int, ...], np.dtype[np.floating]]) -> None:
        if not found and node and not np.isfinite(value).all():
            found.append(node)

    values = numpy.forward(part.feed)
    numpy.backward(values, part.asked.seed, part.batch, there, watch=watch)
    return found[0] if found else None
