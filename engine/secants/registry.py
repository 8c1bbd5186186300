"""Which secant an operator has.

The secant of ``y = f(x)`` between a window ``a`` and a reference ``a'`` is a multiplier with
``sum m (f(a) - f(a')) = sum m_in (a - a')``: relevance of the difference is passed on whole, and no bias,
constant or value at the origin keeps any. Linear maps and products of two factors need none of their own: the
derivative at the middle of both is exact for them. It is DeepLIFT's rescale rule (Shrikumar et al. 2017,
eq. 3) for functions of one number, carried to products, softmax and norms.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from importlib import import_module
from typing import cast

from ..file.graph import ROUNDED, Node
from ..ops.base import Expr, Ops
from ..rules.node import Message
from ..rules.registry import Rule
from .pair import PairContext

SecantFunction = Callable[..., "Sequence[Expr | Message | None]"]

_MODULES = (
    "codebook",
    "decisions",
    "functions",
    "normalisation",
    "powers",
    "products",
    "quantised",
    "reduction",
    "selection",
    "softmax",
    "trigonometric",
)

# Linear, or products of two factors: their rule for derivatives is exact at the middle.
_AT_MIDDLE = frozenset(
    {
        *("Add", "Sub", "Sum", "Neg", "Mul", "MatMul", "Gemm", "Linear", "Conv", "ConvTranspose"),
        *("BatchNormalization", "Mean", "ReduceSum", "ReduceMean", "CumSum", "DFT", "STFT", "Col2Im"),
        *("Resize", "Upsample", "AveragePool", "GlobalAveragePool", "MaxUnpool"),
        *(
            "Cast",
            "CastLike",
            "Compress",
            "Concat",
            "DepthToSpace",
            "Dropout",
            "Expand",
            "Flatten",
            "Identity",
        ),
        *("Pad", "Reshape", "ReverseSequence", "Scatter", "ScatterElements", "ScatterND", "Slice"),
        *("SpaceToDepth", "Split", "Squeeze", "Tile", "Transpose", "Trilu", "Unsqueeze"),
        "OneHot",
    }
)

_SECANTS: dict[tuple[str, str], SecantFunction] = {}


def secant(*op_types: str, domain: str = "") -> Callable[[SecantFunction], SecantFunction]:
    """Register the secant of one or more operators.

    Parameters
    ----------
    *op_types : str
    domain : str

    Returns
    -------
    callable
        Decorates ``function(op, node, *m)``, which gets the primitives `Ops`, the `PairContext`, and one
        multiplier for every output that has one, and gives one multiplier (or None) for every input.
    """

    def register(function: SecantFunction) -> SecantFunction:
        _SECANTS.update({(domain, op_type): function for op_type in op_types})
        return function

    return register


def secants() -> Mapping[tuple[str, str], SecantFunction]:
    """All there are, by domain and operator."""
    for name in _MODULES:
        import_module(f".{name}", __package__)
    return _SECANTS


def exact_at_middle() -> frozenset[str]:
    """Operators that need no secant of their own."""
    return _AT_MIDDLE


def find(node: Node) -> SecantFunction | None:
    """The secant for a node; None where it has none of its own."""
    return secants().get((node.domain, node.op_type))


def is_exact_at_middle(node: Node) -> bool:
    """Whether the rule for derivatives is exact at the middle of both passes."""
    return node.domain in ("", "onnxplain") and node.op_type in _AT_MIDDLE


def carried_back(
    op: Ops, node: PairContext, rule: Rule, m: Sequence[Expr | None]
) -> Sequence[Expr | Message | None]:
    """What each operand of a node gets of the multipliers of its outputs.

    Parameters
    ----------
    rule : Rule
        The operator's, for derivatives.
    m : sequence of (Expr or None)
        One for every output that has one.

    Raises
    ------
    UnsupportedOperator
        The operator has no secant, and is no function of one number either.
    """
    own = find(node.node)
    if own is not None:
        return own(op, node, *m)
    first = m[0]
    if is_exact_at_middle(node.node):
        sent = rule.function(op, node, *m)
        rounds = bool(node.attr(ROUNDED))
        if first is not None and (
            rounds or any(node.varies(i) and not node.active(i) for i in range(node.count))
        ):
            # An operand that relevance does not go to changes all the same: an index, a scale.
            node.keep_rest("rounding" if rounds else "decision", first, sent)
        return sent
    return by_quotients(op, node, rule, m)


def by_quotients(
    op: Ops, node: PairContext, rule: Rule, m: Sequence[Expr | None]
) -> Sequence[Expr | Message | None]:
    """A function of one number, element by element, of somebody else's: its values are all that it takes.

    Of several such functions of one number, the sum.

    Raises
    ------
    UnsupportedOperator
        It is none, by its kind, its operands or its shapes.
    """
    active = [i for i in range(node.count) if node.active(i)]
    sent = [i for i, got in enumerate(m) if got is not None]
    alike = len(active) == 1 and all(node.out_shape(i) == node.shape(active[0]) for i in sent)
    if rule.kind != "activation" or not alike:
        raise node.refuse("it has no secant, and is no function of one number, element by element")
    same = op.equal(node.here(active[0]), node.there(active[0]))
    apart = op.where(same, 1.0, node.apart(active[0]))
    total: Expr | None = None
    for i in sent:
        part = op.mul(cast(Expr, m[i]), op.where(same, 0.0, op.div(node.amount(i), apart)))
        total = part if total is None else op.add(total, part)
    return [total if k == active[0] else None for k in range(node.count)]
