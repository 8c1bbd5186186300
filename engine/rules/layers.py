"""Rules of linear layers: LRP-epsilon, gamma, z-plus, alpha-beta, w^2, flat and z-box.

They are written once, for any layer that is a linear map of its input with a constant weight: `Layer`
has the map and its adjoint, whatever the operator. Conventions are Zennit's (Anders et al. 2021):
sign(0) = +1; the bias takes part in the denominator and absorbs its share.

With ``z0 = x W`` and ``a = |x| |W|``, the sums of positive and negative contributions are ``(z0 + a)/2`` and
``(z0 - a)/2``, and the adjoint of keeping the positive ones is ``(W^T q + sign(x) |W|^T q) / 2``: under
gamma, one product with W and one with |W| each way do for signed inputs what four with clipped operands
would. Under z-plus and alpha-beta such a sum is divided by, and is made of clipped operands all the same:
as a difference it would be rounding where it should be 0.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from ..ops.base import Expr, Ops
from .common import relevance, stabilised
from .node import Message, NodeContext

# Keeps a unit to which nothing contributes from dividing 0 by 0.
_TINY = 1e-37


@dataclass(frozen=True)
class Layer:
    """A linear map of a signal.

    Attributes
    ----------
    kind : {"linear", "conv"}
        What the composite chooses by.
    x : Expr
        The signal.
    weight : Expr
    bias : Expr or None
        Shaped to broadcast with the output.
    apply : callable
        ``apply(x, weight)``: the map without its bias.
    adjoint : callable
        ``adjoint(m, weight)``: its adjoint in x.
    bias_kind : str
        What the ledger calls what the bias absorbs.
    rounded : bool
        Whether the node's output has rounding in it, beside what the layer says.
    constant : bool
        Whether the weight is a constant. What is not (attention held constant) gets LRP-epsilon at 0.
    """

    kind: str
    x: Expr
    weight: Expr
    bias: Expr | None
    apply: Callable[[Expr, Expr], Expr]
    adjoint: Callable[[Expr, Expr], Expr]
    constant: bool = True
    bias_kind: str = "bias"
    rounded: bool = False


def propagate(op: Ops, node: NodeContext, m: Expr | None, layer: Layer) -> Message:
    """What arrives at the layer's signal, by the composite's rule for this layer.

    Parameters
    ----------
    m : Expr or None
        Multiplier of the output; a message r waits at ``node.remainder``.
    """
    variant = node.variant(layer.kind)
    if variant in ("epsilon", "gradient") or not layer.constant:
        return Message(m=_epsilon(op, node, m, layer))
    if variant == "gamma":
        return _gamma(op, node, m, layer)
    return _RULES[variant](op, node, relevance(op, node, m), layer)


def share_out(op: Ops, node: NodeContext, r: Expr, denominator: Expr) -> Expr:
    """``q = R / (d + eps sign(d))``, 0 where there is nothing to divide by; what is lost to the ledger."""
    eps = node.parameter("stabilizer")
    empty = op.equal(denominator, 0.0)
    if eps:
        signed = op.where(op.less(denominator, 0.0), -eps, eps)
        full = op.add(denominator, signed)
        node.absorb("stabilizer", r, op.div(signed, full))
        # Nothing contributes where it is 0: rounding would be divided by eps otherwise.
        return op.where(empty, 0.0, op.div(r, full))
    node.absorb("stabilizer", op.where(empty, r, 0.0))
    return op.where(empty, 0.0, op.div(r, op.where(empty, 1.0, denominator)))


def sign(op: Ops, x: Expr) -> Expr:
    """The sign of the input, +1 at 0."""
    return op.where(op.less(x, 0.0), -1.0, 1.0)


def _clipped(op: Ops, layer: Layer, sign: int) -> tuple[Expr, Callable[[Expr], Expr]]:
    """The sum of the contributions of one sign, and the adjoint that goes back along them alone.

    Products of clipped operands: as differences of ``x W`` and ``|x| |W|`` they would be rounding where
    a unit has no such contributions, and relevance would be divided by it.
    """
    up, down = op.maximum(layer.weight, 0.0), op.minimum(layer.weight, 0.0)
    with_plus, with_minus = (up, down) if sign > 0 else (down, up)
    plus = layer.apply(op.maximum(layer.x, 0.0), with_plus)
    minus = layer.apply(op.minimum(layer.x, 0.0), with_minus)

    def back(q: Expr) -> Expr:
        # At 0 nothing is contributed; the sign there is +1.
        below = op.less(layer.x, 0.0)
        return op.where(below, layer.adjoint(q, with_minus), layer.adjoint(q, with_plus))

    return op.add(plus, minus), back


def _bias(node: NodeContext, layer: Layer, q: Expr, part: Expr | None) -> None:
    if part is not None:
        node.absorb(layer.bias_kind, q, part)


def _epsilon(op: Ops, node: NodeContext, m: Expr | None, layer: Layer) -> Expr:
    """LRP-epsilon (Bach et al. 2015, eq. 58): ``m |y| / (|y| + eps)``, carried back by the adjoint."""
    exact = not layer.constant or node.variant(layer.kind) == "gradient"
    q = node.as_multiplier(m) if exact else stabilised(op, node, m, "epsilon")
    _bias(node, layer, q, layer.bias)
    if layer.rounded:
        said = layer.apply(layer.x, layer.weight)
        said = said if layer.bias is None else op.add(said, layer.bias)
        node.absorb("rounding", q, op.sub(node.output(), said))
    return layer.adjoint(q, layer.weight)


def _zplus(op: Ops, node: NodeContext, r: Expr, layer: Layer) -> Message:
    """Z-plus (Montavon et al. 2017, sec. 4.1), for signed inputs: positive contributions only."""
    p, back = _clipped(op, layer, 1)
    b = None if layer.bias is None else op.maximum(layer.bias, 0.0)
    q = share_out(op, node, r, p if b is None else op.add(p, b))
    _bias(node, layer, q, b)
    return Message(m=back(q))


def _alpha_beta(op: Ops, node: NodeContext, r: Expr, layer: Layer) -> Message:
    """Alpha-beta (Bach et al. 2015, eq. 60): alpha times the positive, beta times the negative part."""
    alpha, beta = node.parameter("alpha"), node.parameter("beta")
    (p, back), (n, back_negative) = _clipped(op, layer, 1), _clipped(op, layer, -1)
    positive = None if layer.bias is None else op.maximum(layer.bias, 0.0)
    negative = None if layer.bias is None else op.minimum(layer.bias, 0.0)
    up = share_out(op, node, op.mul(r, alpha), p if positive is None else op.add(p, positive))
    down = share_out(op, node, op.mul(r, -beta), n if negative is None else op.add(n, negative))
    _bias(node, layer, up, positive)
    _bias(node, layer, down, negative)
    return Message(m=op.add(back(up), back_negative(down)))


def _gamma(op: Ops, node: NodeContext, m: Expr | None, layer: Layer) -> Message:
    """LRP-gamma (Montavon et al. 2019, sec. 10.2.1), generalised to signed inputs and outputs.

    Where the output is positive, positive contributions count ``1 + gamma``-fold; where it is negative,
    negative ones (Andeol et al. 2022, eq. 8; Zennit's Gamma). With ``c = gamma / (2 + gamma)`` the sum of
    what is counted is ``(1 + gamma/2) sign(z) (|z| + c (|x| |W| + |b|))``, whose terms never cancel, and what
    goes back is ``W^T (m |s|) + sign(x) (c |W|)^T (m s)`` with ``s = z / (|z| + c (|x| |W| + |b|))``.
    """
    gamma = node.parameter("gamma")
    c, eps = gamma / (2 + gamma), node.parameter("stabilizer") / (1 + gamma / 2)
    absolute = op.mul(op.abs(layer.weight), c)
    size = layer.apply(op.abs(layer.x), absolute)
    own = None if layer.bias is None else op.mul(op.abs(layer.bias), c)
    size = size if own is None else op.add(size, own)
    by_multiplier = m is not None and node.remainder is None and not layer.rounded
    z = node.activation() if by_multiplier else layer.apply(layer.x, layer.weight)
    if layer.bias is not None and not by_multiplier:
        z = op.add(z, layer.bias)
    whole = op.maximum(op.add(op.abs(z), size), _TINY)
    whole = op.add(whole, eps) if eps else whole
    if by_multiplier:
        assert m is not None
        share = op.div(z, whole)
        kept, favoured = op.mul(m, op.abs(share)), op.mul(m, share)
        if eps:
            node.absorb("stabilizer", m, op.mul(share, eps))
    else:
        r, empty = relevance(op, node, m), op.equal(z, 0.0)
        favoured = op.where(empty, 0.0, op.div(r, whole))
        kept = op.mul(favoured, sign(op, z))
        node.absorb("stabilizer", op.where(empty, r, op.mul(favoured, eps)))
    _bias(node, layer, kept, layer.bias)
    _bias(node, layer, favoured, own)
    signed = op.mul(layer.adjoint(favoured, absolute), sign(op, layer.x))
    return Message(m=op.add(layer.adjoint(kept, layer.weight), signed))


def _gamma_positive(op: Ops, node: NodeContext, r: Expr, layer: Layer) -> Message:
    """LRP-gamma with ``w + gamma w+`` (Montavon et al. 2019, sec. 10.2.1; Captum's), blind to signs of x."""
    weight = op.add(layer.weight, op.mul(op.maximum(layer.weight, 0.0), node.parameter("gamma")))
    z = layer.apply(layer.x, weight)
    q = share_out(op, node, r, z if layer.bias is None else op.add(z, layer.bias))
    _bias(node, layer, q, layer.bias)
    return Message(m=layer.adjoint(q, weight))


def _wsquare(op: Ops, node: NodeContext, r: Expr, layer: Layer) -> Message:
    """W^2 (Montavon et al. 2017, eq. 12): by squared weights, whatever the input."""
    squared = op.mul(layer.weight, layer.weight)
    b = None if layer.bias is None else op.mul(layer.bias, layer.bias)
    total = layer.apply(_ones(op, layer.x), squared)
    q = share_out(op, node, r, total if b is None else op.add(total, b))
    _bias(node, layer, q, b)
    return Message(r=layer.adjoint(q, squared))


def _flat(op: Ops, node: NodeContext, r: Expr, layer: Layer) -> Message:
    """Flat (Lapuschkin et al. 2019): the same share to every input of a unit; the bias gets none."""
    ones = _ones(op, layer.weight)
    q = share_out(op, node, r, layer.apply(_ones(op, layer.x), ones))
    return Message(r=layer.adjoint(q, ones))


def _zbox(op: Ops, node: NodeContext, r: Expr, layer: Layer) -> Message:
    """Z-box (Montavon et al. 2017, eq. 14), for inputs between `low` and `high`; the bias cancels."""
    low, high = node.parameter("low"), node.parameter("high")
    positive, negative = op.maximum(layer.weight, 0.0), op.minimum(layer.weight, 0.0)
    ones = _ones(op, layer.x)
    floor = op.add(op.mul(layer.apply(ones, positive), low), op.mul(layer.apply(ones, negative), high))
    q = share_out(op, node, r, op.sub(layer.apply(layer.x, layer.weight), floor))
    back = op.add(op.mul(layer.adjoint(q, positive), low), op.mul(layer.adjoint(q, negative), high))
    return Message(m=layer.adjoint(q, layer.weight), r=op.neg(back))


def _ones(op: Ops, x: Expr) -> Expr:
    return op.where(op.equal(x, x), 1.0, 1.0)


_RULES: dict[str, Callable[[Ops, NodeContext, Expr, Layer], Message]] = {
    "zplus": _zplus,
    "alpha_beta": _alpha_beta,
    "gamma_positive": _gamma_positive,
    "wsquare": _wsquare,
    "flat": _flat,
    "zbox": _zbox,
}
