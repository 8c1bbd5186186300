"""A model made ready for inputs of one shape: from the cache, or worked out."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from time import perf_counter
from typing import TYPE_CHECKING, Any

import numpy as np
import onnxruntime as ort

from ..file import runtime
from ..steps import step
from . import cache
from .facts import Facts
from .onnx_runner import Sessions
from .request import Task

if TYPE_CHECKING:
    from .numpy_runner import Plan

Array = np.ndarray[Any, Any]


@dataclass(frozen=True)
class Ready:
    """What explains inputs of one shape.

    Attributes
    ----------
    facts : Facts
    runner : Plan or Sessions
    """

    facts: Facts
    runner: Plan | Sessions


def readied(task: Task, feed: Mapping[str, Array], identity: str) -> Ready:
    """Make a model ready for inputs like this one.

    Parameters
    ----------
    task : Task
    feed : dict of str to ndarray
    identity : str
        Of the model; "" where it is not known, and nothing can be kept.
    """
    names = []
    if identity and task.backend != "numpy":
        c = task.composite
        what = (c.variants, c.layers, c.parameters, task.output, task.ledger, task.at, task.providers)
        plain = [identity, *(_plain(x) for x in what)]
        # A plan for any number of rows, or for this one.
        names = [cache.key(*plain, task.inputs.signature(feed, rows=rows), rows) for rows in (False, True)]
        for name in names:
            found = _kept(task, feed, name)
            if found is not None:
                return found
    start = perf_counter()
    from .build import prepare
    from .onnx_writer import Written

    ready = prepare(task, feed)
    took = perf_counter() - start
    if names and took >= cache.WORTH and isinstance(ready.runner, Written):
        step("keeping the plan")
        forward = ready.plan.model.SerializeToString()
        back = ready.runner.written(1).SerializeToString()
        cache.store(names[ready.facts.by_rows], ready.facts, ready.plan.names, forward, back)
    ready.runner.free()
    return Ready(ready.facts, ready.runner)


def _plain(x: Any) -> str:
    return repr(sorted(x.items()) if isinstance(x, Mapping) else x)


def _kept(task: Task, feed: Mapping[str, Array], name: str) -> Ready | None:
    found = cache.load(name)
    if found is None:
        return None
    facts, place, asked = found
    step("opening the kept plan")
    sessions: dict[int, ort.InferenceSession] = {}

    def opened(path: Any) -> ort.InferenceSession:
        return runtime.session(path, where=task.where, asked=task.providers, threads=task.threads)

    def back(targets: int) -> ort.InferenceSession:
        if targets not in sessions:
            path = cache.back(place, targets)
            if not path.exists():
                from .build import prepare
                from .onnx_writer import Written

                ready = prepare(task, feed)
                assert isinstance(ready.runner, Written)
                cache.add(name, targets, ready.runner.written(targets).SerializeToString())
                sessions[targets] = ready.runner.opened(targets)
            else:
                sessions[targets] = opened(path)
        return sessions[targets]

    try:
        runner = Sessions(facts, opened(cache.forward(place)), asked, back, task.where)
        values = runner.forward(task.inputs.pieces(facts, dict(feed))[0][1])
        if not facts.holds(values):
            return None
        back(1)
    except Exception:  # a damaged or foreign plan is worth nothing: it is made anew
        return None
    return Ready(facts, runner)
