"""The walk from an explained tensor back to the inputs.

The walker owns what no single rule can know: the order, the sums where several readers of a value send
relevance back to it, and how a message r gets past operators whose rule speaks of multipliers only.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from ..analysis.analysis import Analysis
from ..analysis.shapes import Layout
from ..composite import Composite
from ..errors import InputError, ModelError
from ..file.graph import Node
from ..ops.base import Expr, Ops
from ..ops.numpy import run as fold
from ..rules import registry
from ..rules.common import unbroadcast
from ..rules.node import Message, Site
from .active_path import active_nodes, blocked, first_layers, weights_of
from .integers import elements
from .quantised_values import embedded_values, quantised_values, zero_points

# In the multiplier form of a message r, m = r / (y + delta sign(y)): the smallest stabiliser that
# keeps a zero activation from dividing.
DELTA = 1e-6


@dataclass(frozen=True)
class Entry:
    """A ledger entry before it is computed."""

    node: str
    kind: str
    tensor: str
    relevance: Expr


@dataclass(frozen=True)
class Trace:
    """The recorded walk.

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
    nodes : tuple of Node
        Nodes on the active path.
    """

    ops: Ops
    target: str
    messages: Mapping[str, Message]
    entries: tuple[Entry, ...]
    at: Mapping[str, Expr]
    nodes: tuple[Node, ...]


def trace(
    analysis: Analysis,
    composite: Composite,
    target: str,
    *,
    where: str,
    ledger: bool = True,
    at: Sequence[str] = (),
) -> Trace:
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

    Raises
    ------
    UnsupportedOperator
        Nodes on the path have no rule; all are named.
    ModelError
        The target does not depend on any input.
    """
    return _Walker(analysis, composite, target, where, ledger, at).walk()


class _Walker:
    def __init__(
        self,
        analysis: Analysis,
        composite: Composite,
        target: str,
        where: str,
        ledger: bool,
        at: Sequence[str] = (),
    ) -> None:
        self.analysis, self.composite = analysis, composite
        self.target, self.where, self.ledger = target, where, ledger
        double = analysis.dtype(target) == np.float64
        self.ops = Ops(lambda op, args, attrs: fold(op, args, attrs), np.float64 if double else np.float32)
        self.entries: list[Entry] = []
        self.arrived: dict[str, Message] = {}
        self.at = at
        self.leaves = [name for name in at if analysis.is_constant(name)]
        self.blocked = blocked(analysis, composite) | weights_of(analysis, self.leaves)
        self.held: dict[Node, set[int]] = {}
        for node, i in self.blocked:
            self.held.setdefault(node, set()).add(i)
        self.quantised, self.embedded = quantised_values(analysis), embedded_values(analysis)
        self.zero_points = zero_points(analysis)
        self.elements = elements(analysis) if composite.is_gradient else set()

    def walk(self) -> Trace:
        sources = self.analysis.graph.inputs
        nodes, values = active_nodes(self.analysis, self.composite, self.target, self.leaves, self.blocked)
        if not any(s in values for s in sources):
            raise ModelError(
                f"{self.where}: output {self.target!r} depends on no input that has relevance; "
                "nothing to explain"
            )
        missing = [n for n in nodes if registry.find(n) is None]
        if missing:
            raise registry.unsupported(missing, self.where)
        self.first = first_layers(nodes, values)
        self.arrived[self.target] = Message(m=self.ops.seed())
        for node in reversed(nodes):
            self.visit(node, values)
        messages = {s: self.arrived[s] for s in sources if s in self.arrived}
        found = {name: self.relevance_of(name) for name in self.at}
        for name in self.leaves:
            self.absorb(name, "constant", name, found[name], None)
        return Trace(self.ops, self.target, messages, tuple(self.entries), found, tuple(nodes))

    def relevance_of(self, name: str) -> Expr:
        """All relevance that arrived at a tensor."""
        message = self.arrived.get(name)
        if message is None:
            raise InputError(
                f"{self.where}: no relevance reaches {name!r}: it is not between input and output"
            )
        value, zero = self.tensor(name), self.zero_points.get(name)
        if zero is not None:  # the number that an integer stands for
            value = self.ops.sub(self.ops.as_float(value), self.ops.as_float(self.tensor(zero)))
        parts = []
        if message.m is not None:
            product = self.ops.mul(message.m, value)
            parts.append(self.ops.where(self.ops.equal(message.m, 0.0), 0.0, product))
        if message.r is not None:
            parts.append(message.r)
        return parts[0] if len(parts) == 1 else self.ops.add(*parts)

    def tensor(self, name: str) -> Expr:
        constant = self.analysis.constant(name)
        return self.ops.value(name) if constant is None else self.ops.const(constant, name)

    # -- one node -------------------------------------------------------------------------------

    def visit(self, node: Node, values: set[str]) -> None:
        out = [self.arrived.get(o, Message()) if o else Message() for o in node.outputs]
        if all(message.m is None and message.r is None for message in out):
            return
        found = registry.find(node)
        assert found is not None
        if self.is_step(node, values, out):
            for i, message in enumerate(out):
                self.stop(node, i, message)
            return
        if all(message.m is None for message in out) and self.is_tokens(node):
            self.pass_tokens(node, values, found, [message.r for message in out])
            return
        carry = found.carry
        site = self.site(node, values, as_relevance=False)
        if carry == "gate" and sum(site.active(i) for i in range(site.count)) != 1:
            carry = "convert"
        if carry == "convert":
            out = [self.converted(node, i, message) for i, message in enumerate(out)]
        if carry == "own":
            site.remainder = out[0].r
            self.send(site, found.function(self.ops, site, out[0].m))
            return
        if any(message.m is not None for message in out):
            self.send(site, found.function(self.ops, site, *_trimmed([message.m for message in out])))
        remaining = [message.r for message in out]
        if any(r is not None for r in remaining):
            self.pass_relevance(node, values, found, carry, remaining)

    def is_tokens(self, node: Node) -> bool:
        """Whether what comes out is integers: relevance on them is a message r."""
        return self.analysis.dtype(node.outputs[0]).kind in "iub" and node.outputs[0] not in self.quantised

    def is_step(self, node: Node, values: set[str], out: Sequence[Message]) -> bool:
        """Whether a derivative is asked for of integers or bits that are found from numbers: it is 0.

        An input's own elements that are used as an index pass their relevance on, whatever their type.
        """
        if not self.composite.is_gradient or not self.is_tokens(node):
            return False
        counts = any(message.m is not None for message in out)
        return any(
            v in values and self.analysis.dtype(v).kind == "f" and (counts or v not in self.elements)
            for v in node.inputs
        )

    def stop(self, node: Node, i: int, message: Message) -> None:
        """Put all relevance of an output into the ledger."""
        if message.m is not None:
            y = self.ops.as_float(self.ops.value(node.outputs[i]))
            self.absorb(node.name, "nonlinear", node.outputs[i], message.m, y)
        if message.r is not None:
            self.absorb(node.name, "nonlinear", node.outputs[i], message.r, None)

    def pass_tokens(self, node: Node, values: set[str], found: registry.Rule, r: list[Expr | None]) -> None:
        """Relevance of tokens past an operator on integers: it moves, or stays with its element."""
        if found.carry == "move":
            self.pass_relevance(node, values, found, "move", r)
            return
        site = self.site(node, values, as_relevance=True)
        active = [i for i in range(site.count) if site.active(i)]
        first = r[0]
        assert first is not None
        share = self.ops.mul(first, 1.0 / len(active))
        sent: list[Message | None] = [None] * site.count
        for i in active:
            sent[i] = Message(r=unbroadcast(self.ops, share, site.out_shape(), site.shape(i)))
        self.send(site, sent)

    def pass_relevance(
        self, node: Node, values: set[str], found: registry.Rule, carry: str, r: list[Expr | None]
    ) -> None:
        """A message r past an operator that moves, gates or normalises it."""
        op = self.ops
        site = self.site(node, values, as_relevance=True)
        if carry == "move":
            got = found.function(op, site, *_trimmed(r))
            self.send(site, [Message(r=g) if isinstance(g, Expr) else g for g in got])
            return
        first = r[0]
        assert first is not None
        if carry == "softmax":
            s = site.output()
            before13 = node.version < 13
            axis = site.negative(int(site.attr("axis", 1 if before13 else -1)))
            axes = tuple(range(axis, 0)) if before13 else (axis,)
            # R_i - s_i sum(R): AttnLRP eq. 13 for relevance that is no multiple of s. It is then a
            # multiplier: x times it is the relevance of x.
            m = op.sub(first, op.mul(s, op.sum(first, axes)))
            site.absorb("softmax", first)
            # As a relevance, because at this site nothing is multiplied: x m, where a mask is not -inf.
            x = site.input(0)
            site.absorb("softmax", op.neg(op.where(op.equal(m, 0.0), 0.0, op.mul(m, x))))
            self.send(site, [Message(m=m)])
            return
        i = next(i for i in range(site.count) if site.active(i))
        got_r = first
        if site.shape(i) != site.out_shape():
            got_r = unbroadcast(op, first, site.out_shape(), site.shape(i))
        self.send(site, [Message(r=got_r) if k == i else None for k in range(site.count)])

    def converted(self, node: Node, i: int, message: Message) -> Message:
        """r as a multiplier: ``m + r / (y + delta sign(y))``, the difference to the ledger."""
        if message.r is None:
            return message
        op, name = self.ops, node.outputs[i]
        y = op.as_float(op.value(name)) if self.analysis.dtype(name).kind in "iu" else op.value(name)
        delta = max(DELTA, self.composite.parameters.get("stabilizer", 0.0))
        signed = op.where(op.less(y, 0.0), op.sub(y, delta), op.add(y, delta))
        extra = op.div(message.r, signed)
        self.absorb(node.name, "stabilizer", name, op.sub(message.r, op.mul(extra, y)), None)
        return Message(m=extra if message.m is None else op.add(message.m, extra))

    def send(self, site: Site, messages: Iterable[Message | Expr | None]) -> None:
        """Add what a rule gave to what has arrived at each operand."""
        for i, sent in enumerate(messages):
            if sent is None or not site.active(i):
                continue
            message = Message(m=sent) if isinstance(sent, Expr) else sent
            name = site.node.inputs[i]
            there = self.arrived.get(name, Message())
            self.arrived[name] = Message(self.plus(there.m, message.m), self.plus(there.r, message.r))

    def plus(self, a: Expr | None, b: Expr | None) -> Expr | None:
        return b if a is None else a if b is None else self.ops.add(a, b)

    def site(self, node: Node, values: set[str], *, as_relevance: bool) -> Site:
        def absorb(kind: str, tensor: str, m: Expr, by: Expr | None, layout_of: str | None) -> None:
            # Where a rule carries relevance itself, there is nothing to multiply it with.
            self.absorb(node.name, kind, tensor, m, None if as_relevance else by, layout_of)

        held = self.held.get(node, set())

        def converted(m: Expr | None, r: Expr) -> Expr:
            made = self.converted(node, 0, Message(m, r)).m
            assert made is not None
            return made

        return Site(
            node,
            self.ops,
            self.analysis.probe,
            self.composite,
            values,
            held,
            absorb,
            converted,
            self.first.get(node, ""),
            as_relevance,
            self.embedded,
        )

    def absorb(
        self,
        node: str,
        kind: str,
        tensor: str,
        m: Expr,
        by: Expr | None,
        layout_of: str | None = None,
    ) -> None:
        if not self.ledger:
            return
        op = self.ops
        amount = m if by is None else op.mul(m, by)
        if by is not None and kind in ("constant", "softmax"):
            # Masks are -inf, where no relevance goes: 0 * inf is not to be formed.
            amount = op.where(op.equal(m, 0.0), 0.0, amount)
        where = self.layout(node) if layout_of is None else self.analysis.layout(layout_of)
        self.entries.append(Entry(node, kind, tensor, self.ops.per_sample(amount, where)))

    def layout(self, node_name: str) -> Layout | None:
        if not hasattr(self, "_layouts"):
            self._layouts = {n.name: self.analysis.layout(n.outputs[0]) for n in self.analysis.nodes}
        return self._layouts.get(node_name)


def _trimmed(messages: list[Expr | None]) -> list[Expr | None]:
    """Without the trailing outputs that have no message; at least one stays."""
    last = max((i for i, m in enumerate(messages) if m is not None), default=0)
    return messages[: last + 1]
