"""How a walk passes nodes when a difference is explained."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from ..file.graph import Node
from ..ops.base import Expr, Ops
from ..rules.node import Message, NodeContext, Walk
from ..rules.registry import Rule
from .pair import PairContext
from .registry import carried_back


class SecantPassing:
    """Nodes are seen in both forward passes, and passed by their secants."""

    def context(self, node: Node, walk: Walk, *, moves_relevance: bool) -> NodeContext:
        """The node between both passes."""
        return PairContext(node, walk, moves_relevance=moves_relevance)

    def carried_back(
        self, op: Ops, context: NodeContext, rule: Rule, m: Sequence[Expr | None]
    ) -> Iterable[Message | Expr | None]:
        """See `registry.carried_back`."""
        assert isinstance(context, PairContext)
        return carried_back(op, context, rule, m)
