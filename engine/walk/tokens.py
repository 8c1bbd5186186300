"""Relevance on integers that stand for no number, past the operators between them.

It is a message r: a token has no size to multiply with. It moves with its element, or is shared equally by
the elements that a new one was made of. Where integers or bits were found from numbers, there is a step: the
derivative is 0, and everything stays in the ledger.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from collections.abc import Set as AbstractSet

from ..analysis.analysis import Analysis
from ..composite import Composite
from ..file.graph import BRANCH, Node
from ..ops.base import Expr, Ops
from ..rules.common import unbroadcast
from ..rules.node import Message, NodeContext
from .integers import elements
from .quantised_values import quantised_values


class Tokens:
    """Where tokens are on a walk.

    Parameters
    ----------
    analysis : Analysis
    composite : Composite
    active : set of str
        Values that relevance is on.
    """

    def __init__(self, analysis: Analysis, composite: Composite, active: AbstractSet[str]) -> None:
        self._analysis, self._active = analysis, active
        self._steps_end, self._difference = composite.holds_nothing, composite.is_difference
        self._quantised = quantised_values(analysis)
        self._elements = elements(analysis) if self._steps_end else set()

    def are_made_by(self, node: Node) -> bool:
        """Whether what comes out of a node is tokens: integers or bits that stand for no number."""
        value = node.outputs[0]
        return self._analysis.dtype(value).kind in "iub" and value not in self._quantised

    def end_at(self, node: Node, out: Sequence[Message]) -> bool:
        """Whether a derivative is asked for of integers or bits that are found from numbers: it is 0.

        An input's own elements that are used as an index pass their relevance on, whatever their type. Of a
        difference they do so as long as they are elements: the largest one's index is a decision.
        """
        # What a tree's branch changes is the relevance of what it compares, whatever was asked for.
        if not self._steps_end or not self.are_made_by(node) or f"/{BRANCH}" in node.outputs[0]:
            return False
        counts = any(message.m is not None for message in out)
        counts |= self._difference and node.outputs[0] not in self._elements
        return any(
            v in self._active and self._analysis.kind(v) == "f" and (counts or v not in self._elements)
            for v in node.inputs
        )

    def beside(self, node: Node) -> list[int]:
        """Indices that a node makes beside its numbers (TopK's): of a difference these are decisions."""
        if not self._difference or self._analysis.kind(node.outputs[0]) != "f":
            return []
        made = enumerate(node.outputs)
        kinds = self._analysis.kind
        return [i for i, v in made if i and v and kinds(v) in "iub" and v not in self._quantised]


def keep_back(
    op: Ops, node: NodeContext, out: Sequence[Message], only: Collection[int] | None = None
) -> None:
    """Put all relevance of a node's outputs into the ledger, or that of some."""
    for i, (message, tensor) in enumerate(zip(out, node.node.outputs, strict=True)):
        if only is not None and i not in only:
            continue
        if message.m is not None:
            node.absorb(node.step_kind, message.m, node.amount(i), tensor=tensor)
        if message.r is not None:
            node.absorb(node.step_kind, message.r, tensor=tensor)


def share_equally(op: Ops, node: NodeContext, r: Expr) -> list[Message | None]:
    """The same part of a message r to every active operand."""
    active = [i for i in range(node.count) if node.active(i)]
    share = op.mul(r, 1.0 / len(active))
    sent: list[Message | None] = [None] * node.count
    for i in active:
        sent[i] = Message(r=unbroadcast(op, share, node.out_shape(), node.shape(i)))
    return sent
