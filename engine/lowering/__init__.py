"""A model rewritten, for one input, into elementary operators.

Relevance rules are written for elementary operators. What holds subgraphs (If, Loop, Scan), recurrent
layers, onnxruntime's own fused and quantised operators, and operators that the standard defines by
others, become such operators here, before anything is walked. The rewritten model gives what the
source gives, for every input on which the same decisions are taken.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

import onnx

from ..file.protobuf import Array
from . import controlflow, functions, grids, microsoft, ml, recurrent, sequences, standard
from .workspace import Workspace

# In this order, until none finds anything: a function's body can hold an If, an If a recurrent layer.
_PASSES = (
    grids.run,
    standard.run,
    functions.run,
    controlflow.run,
    sequences.run,
    recurrent.run,
    microsoft.run,
    ml.run,
)


@dataclass(frozen=True)
class Lowered:
    """A rewritten model.

    Attributes
    ----------
    proto : onnx.ModelProto
        The very object that was given where there was nothing to do.
    decisions : tuple of (str, ndarray)
        Tensors of `proto` (its inputs among them) and the values that it holds for: conditions, trip
        counts, lengths. Where another input gives another value, it must be lowered anew.
    approximate : tuple of str
        Nodes that are rewritten into something that gives slightly other values.
    half : bool
        Whether half precision was widened to float32 before.
    reasons : dict of str to str
        The node that each decision is of.
    conditions : frozenset of str
        Decisions that choose a branch of an If.
    score : str or None
        The score behind the probability that the explained output is (see `ends`).
    end_note : str or None
        What is to be said of that.
    """

    proto: onnx.ModelProto
    decisions: tuple[tuple[str, Array], ...]
    approximate: tuple[str, ...] = ()
    half: bool = False
    reasons: Mapping[str, str] = field(default_factory=dict)
    conditions: frozenset[str] = frozenset()
    score: str | None = None
    end_note: str | None = None

    @property
    def differs(self) -> bool:
        """Whether it gives other values than the source, by the source's own rounding."""
        return self.half or bool(self.approximate)


def lower(
    proto: onnx.ModelProto,
    feed: Mapping[str, Array],
    *,
    where: str,
    given: Mapping[str, Array] | None = None,
) -> Lowered:
    """Rewrite a model into elementary operators.

    Parameters
    ----------
    proto : onnx.ModelProto
        Local functions inlined. It is not changed.
    feed : dict of str to ndarray
        The input that decides which branches are taken and how many iterations are made.
    where : str
        The file, for messages.
    given : dict of str to ndarray, optional
        Conditions of Ifs to take these values for, whatever the input says.

    Raises
    ------
    ModelError
        onnxruntime cannot run it, or a node has a form that is not supported.
    LimitError
        More nodes than a model may have come of it.
    """
    work = Workspace(proto, feed, where, given)
    again = True
    while again:
        again = False
        for run in _PASSES:
            again |= run(work)
    return Lowered(
        work.proto,
        tuple(work.decisions.items()),
        tuple(work.approximate),
        reasons=work.reasons,
        conditions=frozenset(work.conditions & set(work.decisions)),
    )
