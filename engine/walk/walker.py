"""The walk from an explained tensor back to the inputs.

The walker owns what no single rule can know: the order, the sums where several readers of a value send
relevance back to it, and how a message r gets past operators whose rule speaks of multipliers only.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np

from ..analysis.analysis import Analysis
from ..composite import Composite
from ..errors import InputError, ModelError
from ..file.graph import Node
from ..ops.base import HUGE, Expr, Ops
from ..ops.numpy import run as fold
from ..rules import registry
from ..rules.common import unbroadcast
from ..rules.ledger import Entry, RecordedLedger
from ..rules.node import Message, NodeContext, Walk
from .active_path import active_nodes, blocked, first_layers, weights_of
from .dead_branches import loose_values, thrown_away
from .quantised_values import embedded_values, zero_points
from .tokens import Tokens, keep_back, share_equally

# Kinds of entries that are no ledger's: what arrived at a node, and what it sent on to its operands.
ARRIVED, SENT = "arrived", "sent"


class Passing(Protocol):
    """How a walk passes nodes other than by their rules' derivatives: secants, between two forward passes."""

    def context(self, node: Node, walk: Walk, *, moves_relevance: bool) -> NodeContext:
        """What is seen of a node."""

    def carried_back(
        self, op: Ops, context: NodeContext, rule: registry.Rule, m: Sequence[Expr | None]
    ) -> Iterable[Message | Expr | None]:
        """What each operand of a node gets of the multipliers of its outputs."""


@dataclass(frozen=True)
class RecordedWalk:
    """The recorded walk, from the explained tensor back to the inputs.

    Attributes
    ----------
    ops : Ops
        The record.
    target : str
        The explained tensor.
    messages : dict of str to Message
        What arrived at each source that relevance reached.
    entries : tuple of Entry
    at : dict of str to Expr
        Relevance of the inner tensors that were asked for, [K, *shape].
    at_multipliers : dict of str to Expr
        Their multipliers, where one arrived.
    nodes : tuple of Node
        Nodes on the active path.
    """

    ops: Ops
    target: str
    messages: Mapping[str, Message]
    entries: tuple[Entry, ...]
    at: Mapping[str, Expr]
    at_multipliers: Mapping[str, Expr]
    nodes: tuple[Node, ...]


def record_walk(
    analysis: Analysis,
    composite: Composite,
    target: str,
    *,
    where: str,
    ledger: bool = True,
    at: Sequence[str] = (),
    passing: Passing | None = None,
    accounts: bool = False,
) -> RecordedWalk:
    """Walk back from `target`, recording what every rule does.

    Parameters
    ----------
    analysis : Analysis
        Of the canonical graph.
    composite : Composite
    target : str
        The explained tensor.
    where : str
        The file, for messages.
    ledger : bool
    at : sequence of str
        Tensors whose relevance is wanted. A constant among them (a position embedding) gets its own,
        where otherwise the ledger would say that it stayed there.
    passing : Passing, optional
        Of composites that explain a difference; None for the rules' own derivatives.
    accounts : bool
        Whether the entries have, beside the ledger's, what arrived at each node and what it sent on: kinds
        `ARRIVED` and `SENT`.

    Raises
    ------
    UnsupportedOperator
        Nodes on the path have no rule; all are named.
    ModelError
        The target does not depend on any input.
    """
    leaves = [name for name in at if analysis.is_constant(name)]
    held = blocked(analysis, composite) | weights_of(analysis, leaves)
    nodes, active = active_nodes(analysis, composite, target, leaves, held)
    if not any(name in active for name in analysis.graph.inputs):
        raise ModelError(
            f"{where}: output {target!r} depends on no input that has relevance; nothing to explain"
        )
    missing = [n for n in nodes if registry.find(n) is None]
    if missing:
        raise registry.unsupported(missing, where)
    held_by_node: dict[Node, set[int]] = {}
    for node, i in held:
        held_by_node.setdefault(node, set()).add(i)
    double = analysis.dtype(target) == np.float64
    ops = Ops(lambda op, args, attrs: fold(op, args, attrs), np.float64 if double else np.float32)
    walk = Walk(
        ops,
        analysis,
        composite,
        active,
        held_by_node,
        first_layers(nodes, active),
        embedded_values(analysis),
        loose_values(analysis),
        RecordedLedger(ops, wanted=ledger),
    )
    walker = (_Accountant if accounts else _Walker)(walk, target, passing)
    for node in reversed(nodes):
        walker.visit(node)
    found = {name: walker.relevance_of(name, where) for name in at}
    multipliers = {name: m for name in at if (m := walker.arrived[name].m) is not None}
    for name in leaves:
        walk.ledger.add(name, "constant", name, found[name], None, None)
    messages = {s: walker.arrived[s] for s in analysis.graph.inputs if s in walker.arrived}
    return RecordedWalk(ops, target, messages, tuple(walk.ledger.entries), found, multipliers, tuple(nodes))


class _Walker:
    def __init__(self, walk: Walk, target: str, passing: Passing | None) -> None:
        self.walk, self.op, self.passing = walk, walk.ops, passing
        self.tokens = Tokens(walk.analysis, walk.composite, walk.active)
        self.zeros = zero_points(walk.analysis)
        self.arrived: dict[str, Message] = {target: Message(m=self.op.seed())}

    def visit(self, node: Node) -> None:
        """Carry what arrived at a node's outputs to its operands."""
        out = [self.arrived.get(o, Message()) if o else Message() for o in node.outputs]
        if all(message.m is None and message.r is None for message in out):
            return
        found = registry.find(node)
        assert found is not None
        self.op.node = node.name
        out = [self.on_finite(node, o, x) if o else x for o, x in zip(node.outputs, out, strict=True)]
        context = self.context(node)
        if indices := self.tokens.beside(node):
            keep_back(self.op, context, out, indices)
            out = [Message() if i in indices else x for i, x in enumerate(out)]
            if all(message.m is None and message.r is None for message in out):
                return
        m, r = [x.m for x in out], [x.r for x in out]
        if self.tokens.end_at(node, out):
            keep_back(self.op, context, out)
        elif all(x is None for x in m) and self.tokens.are_made_by(node):
            self.pass_tokens(node, found, r)
        elif self.passing is not None and not all(x is None for x in m):
            m = [context.converted(message, i).m for i, message in enumerate(out)]
            self.send(context, self.passing.carried_back(self.op, context, found, _trimmed(m)))
        elif found.carry == "own":
            context.remainder = r[0]
            self.send(context, found.function(self.op, context, m[0]))
        elif found.carry == "convert" or (found.carry == "gate" and not _has_one_signal(context)):
            m = [context.converted(message, i).m for i, message in enumerate(out)]
            self.send(context, found.function(self.op, context, *_trimmed(m)))
        else:
            if any(x is not None for x in m):
                self.send(context, found.function(self.op, context, *_trimmed(m)))
            if any(x is not None for x in r):
                self.pass_relevance(node, found, r)

    def context(self, node: Node, *, moves_relevance: bool = False) -> NodeContext:
        """What a rule sees of a node."""
        kind = NodeContext if self.passing is None else self.passing.context
        return kind(node, self.walk, moves_relevance=moves_relevance)

    def on_finite(self, node: Node, name: str, message: Message) -> Message:
        """What arrived where a value is finite: what is infinite is no multiple of what it is made of.

        Its relevance (of a bound that cut it off, or of a branch that jumps) stays there.
        """
        analysis, op = self.walk.analysis, self.op
        if name not in self.walk.loose or not thrown_away(analysis, name):
            return message
        whole = op.where(op.less(op.abs(op.value(name)), HUGE), 1.0, 0.0)
        amount = self.walk.tensor(name)
        if self.walk.composite.is_difference:
            whole, amount = op.mul(whole, op.reference(whole)), op.sub(amount, op.reference(amount))
        gone, layout = op.sub(1.0, whole), analysis.layout(name)
        kind = NodeContext.step_kind if self.passing is None else "decision"
        for sent, by in ((message.m, op.mul(gone, amount)), (message.r, gone)):
            if sent is not None:
                self.walk.ledger.add(node.name, kind, name, sent, by, layout)
        m, r = (None if x is None else op.mul(x, whole) for x in (message.m, message.r))
        return Message(m, r)

    def pass_tokens(self, node: Node, found: registry.Rule, r: list[Expr | None]) -> None:
        """Relevance of tokens past an operator on integers: it moves, or stays with its element."""
        if found.carry == "move":
            self.pass_relevance(node, found, r)
            return
        context = self.context(node, moves_relevance=True)
        assert r[0] is not None
        self.send(context, share_equally(self.op, context, r[0]))

    def pass_relevance(self, node: Node, found: registry.Rule, r: list[Expr | None]) -> None:
        """A message r past an operator that moves it, or gates its one signal."""
        context = self.context(node, moves_relevance=True)
        if found.carry == "move":
            got = found.function(self.op, context, *_trimmed(r))
            self.send(context, [Message(r=g) if isinstance(g, Expr) else g for g in got])
            return
        whole = r[0]
        assert whole is not None
        i = next(i for i in range(context.count) if context.active(i))
        if context.shape(i) != context.out_shape():
            whole = unbroadcast(self.op, whole, context.out_shape(), context.shape(i))
        self.send(context, [Message(r=whole) if k == i else None for k in range(context.count)])

    def send(self, context: NodeContext, messages: Iterable[Message | Expr | None]) -> None:
        """Add what a rule gave to what has arrived at each operand."""
        for i, sent in enumerate(messages):
            if sent is None or not context.active(i):
                continue
            message = Message(m=sent) if isinstance(sent, Expr) else sent
            name = context.node.inputs[i]
            there = self.arrived.get(name, Message())
            self.arrived[name] = Message(self.plus(there.m, message.m), self.plus(there.r, message.r))

    def plus(self, a: Expr | None, b: Expr | None) -> Expr | None:
        """The sum of what is there."""
        return b if a is None else a if b is None else self.op.add(a, b)

    def relevance_of(self, name: str, where: str) -> Expr:
        """All relevance that arrived at a tensor."""
        if name not in self.arrived:
            raise InputError(f"{where}: no relevance reaches {name!r}: it is not between input and output")
        return self.whole(self.arrived[name], name)

    def whole(self, message: Message, name: str) -> Expr:
        """The relevance that a message brings to a tensor."""
        op, value, product = self.op, self.walk.tensor(name), None
        if name in self.zeros:  # the number that an integer stands for
            value = op.sub(op.as_float(value), op.as_float(self.walk.tensor(self.zeros[name])))
        if self.walk.composite.is_difference:
            value = op.sub(value, op.reference(value))
        if message.m is not None:
            product = op.where(op.equal(message.m, 0.0), 0.0, op.mul(message.m, value))
        whole = self.plus(product, message.r)
        assert whole is not None
        return whole


class _Accountant(_Walker):
    """A walk that also notes what arrives at each node, and what it sends on."""

    def visit(self, node: Node) -> None:
        """Carry what arrived at a node's outputs to its operands, and note how much that is."""
        for name in node.outputs:
            if name in self.arrived:
                self.note(node, ARRIVED, name, self.arrived[name])
        super().visit(node)

    def send(self, context: NodeContext, messages: Iterable[Message | Expr | None]) -> None:
        """Add what a rule gave to what has arrived at each operand, and note how much that is."""
        every = list(messages)
        for i, sent in enumerate(every):
            if sent is not None and context.active(i):
                message = Message(m=sent) if isinstance(sent, Expr) else sent
                self.note(context.node, SENT, context.node.inputs[i], message)
        super().send(context, every)

    def note(self, node: Node, kind: str, name: str, message: Message) -> None:
        """Keep the sum of a message for each sample."""
        layout = self.walk.analysis.layout(name)
        self.walk.ledger.add(node.name, kind, name, self.whole(message, name), None, layout)


def _has_one_signal(context: NodeContext) -> bool:
    return sum(context.active(i) for i in range(context.count)) == 1


def _trimmed(messages: list[Expr | None]) -> list[Expr | None]:
    """Without the trailing outputs that have no message; at least one stays."""
    last = max((i for i, m in enumerate(messages) if m is not None), default=0)
    return messages[: last + 1]
