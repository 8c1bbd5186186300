"""Sums, differences, products and quotients, element by element."""

from __future__ import annotations

from ..file.graph import SELF_GATED
from ..ops.base import Expr, Ops
from .common import absorb_product, shares, stabilised, unbroadcast
from .node import Message, NodeContext
from .registry import rule


@rule("Add", "Sum", kind="add", carry="own")
def add(op: Ops, node: NodeContext, m: Expr | None) -> list[Expr | None]:
    """``m`` to every operand: relevance splits as the activations do; a constant absorbs its share."""
    m = stabilised(op, node, m, "stabilizer")
    result: list[Expr | None] = []
    for i in range(node.count):
        if node.active(i):
            result.append(unbroadcast(op, m, node.out_shape(), node.shape(i)))
        else:
            node.absorb("constant", m, node.input(i), tensor=node.node.inputs[i])
            result.append(None)
    return result


@rule("Sub", kind="add", carry="own")
def sub(op: Ops, node: NodeContext, m: Expr | None) -> list[Expr | None]:
    """``m`` to the first operand, ``-m`` to what is subtracted."""
    m = stabilised(op, node, m, "stabilizer")
    result: list[Expr | None] = []
    for i, signed in enumerate((m, op.neg(m))):
        if node.active(i):
            result.append(unbroadcast(op, signed, node.out_shape(), node.shape(i)))
        else:
            node.absorb("constant", signed, node.input(i), tensor=node.node.inputs[i])
            result.append(None)
    return result


@rule("Neg", kind="scale", carry="gate")
def neg(op: Ops, node: NodeContext, m: Expr) -> list[Expr | None]:
    """``-m``."""
    return [op.neg(m)]


@rule("Mul", kind="product", carry="gate")
def mul(op: Ops, node: NodeContext, m: Expr) -> list[Expr | Message | None]:
    """Two active factors get half of their adjoint each (AttnLRP, Prop. 3.3); else a scale."""
    part = shares(node, 0, 1)
    absorb_product(op, node, m, len(part))
    result: list[Expr | Message | None] = [None, None]
    if node.attr(SELF_GATED) and node.variant("activation") == "pass":
        # x f(x) is an activation, as GELU and SiLU in one operator are: relevance 1:1.
        (signal,) = part
        result[signal] = Message(r=op.mul(m, node.output()))
        return result
    for i, share in part.items():
        got = op.mul(op.mul(m, share), node.input(1 - i))
        result[i] = unbroadcast(op, got, node.out_shape(), node.shape(i))
    return result


@rule("Div", kind="division", carry="gate")
def div(op: Ops, node: NodeContext, m: Expr) -> list[Expr | Message | None]:
    """``m / d`` to the numerator; the denominator is a normaliser, held constant (the LN rule).

    Where only the denominator depends on the input it has a pole at 0, and relevance passes 1:1
    (identity rule). The derivative goes to both.
    """
    gradient = node.variant("division") == "gradient"
    if not node.active(0) and not gradient:
        r = op.mul(m, node.output())
        return [None, Message(r=unbroadcast(op, r, node.out_shape(), node.shape(1)))]
    per = op.div(m, node.input(1))
    result: list[Expr | Message | None] = [None, None]
    if node.active(0):
        result[0] = unbroadcast(op, per, node.out_shape(), node.shape(0))
    if node.active(1) and gradient:
        y = node.output()
        result[1] = unbroadcast(op, op.neg(op.mul(per, y)), node.out_shape(), node.shape(1))
        # sum m y - sum a m/b + sum b (m/b) y
        node.absorb("product", m, y if node.active(0) else op.mul(y, 2.0))
    return result


@rule("Where", kind="move", carry="convert")
def where(op: Ops, node: NodeContext, m: Expr) -> list[Expr | Message | None]:
    """The operand that was chosen gets everything (winner takes all); else what it was chosen by."""
    chosen = node.input(0)
    if node.active(0) and not node.active(1) and not node.active(2):
        r = unbroadcast(op, node.carried(m), node.out_shape(), node.shape(0))
        return [Message(r=r), None, None]
    result: list[Expr | Message | None] = [None]
    for i, part in ((1, op.where(chosen, m, 0.0)), (2, op.where(chosen, 0.0, m))):
        if node.active(i):
            result.append(unbroadcast(op, part, node.out_shape(), node.shape(i)))
        else:
            # A mask fills in -inf, where m is 0: the product must not be formed there.
            value = op.where(chosen, node.input(i), 0.0) if i == 1 else op.where(chosen, 0.0, node.input(i))
            node.absorb("constant", part, value, tensor=node.node.inputs[i])
            result.append(None)
    return result


@rule(
    "Equal", "Greater", "GreaterOrEqual", "Less", "LessOrEqual", "And", "Or", "Xor", "Not",
    kind="move", carry="gate",
)  # fmt: skip
def compared(op: Ops, node: NodeContext, m: Expr) -> list[Message | None]:
    """A bit's relevance passes to what was compared, 1:1 (identity rule, AttnLRP, Prop. 3.2)."""
    active = [i for i in range(node.count) if node.active(i)]
    share = op.mul(node.carried(m), 1.0 / len(active))
    back = {i: unbroadcast(op, share, node.out_shape(), node.shape(i)) for i in active}
    return [Message(r=back[i]) if i in back else None for i in range(node.count)]
