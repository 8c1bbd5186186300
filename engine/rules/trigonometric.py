"""Circular and hyperbolic functions, and their inverses: the identity rule, gates written out.

See `activations.py`. Where the inverse function's own primitive is not there, its value y is read.
"""

from __future__ import annotations

import math

from ..ops.base import Expr, Ops
from .activations import Function, Result, nonzero, pole, register
from .node import NodeContext
from .registry import rule


def _over(op: Ops, x: Expr, y: Expr) -> Expr:
    """``y / x``, for a function with f(0) = 0 and the slope 1 there."""
    return op.where(op.equal(x, 0.0), 1.0, op.div(y, nonzero(op, x)))


def _asin(op: Ops, x: Expr) -> Expr:
    """``atan(x / sqrt(1 - x^2))``, which is right at the ends as well."""
    return op.atan(op.div(x, op.sqrt(_one_minus_square(op, x))))


def _one_minus_square(op: Ops, x: Expr) -> Expr:
    """``1 - x^2`` without cancellation near the ends."""
    return op.mul(op.sub(1.0, x), op.add(1.0, x))


register(
    "Sin",
    Function(
        lambda op, n, x: op.where(op.equal(x, 0.0), 1.0, op.div(op.sin(nonzero(op, x)), nonzero(op, x))),
        lambda op, n, x: op.cos(x),
    ),
)


register(
    "Cos",
    Function(
        # (cos x - 1) / x = -2 sin(x/2)^2 / x, without cancellation
        lambda op, n, x: op.mul(
            op.mul(op.sin(op.mul(x, 0.5)), -1.0),
            op.where(
                op.equal(x, 0.0),
                0.0,
                op.div(op.sin(op.mul(nonzero(op, x), 0.5)), op.mul(nonzero(op, x), 0.5)),
            ),
        ),
        lambda op, n, x: op.neg(op.sin(x)),
        1.0,
    ),
)
register(
    "Sinh",
    Function(
        lambda op, n, x: op.where(op.equal(x, 0.0), 1.0, op.div(op.sinh(nonzero(op, x)), nonzero(op, x))),
        lambda op, n, x: op.cosh(x),
    ),
    since=9,
)
register(
    "Asinh",
    Function(
        lambda op, n, x: op.where(op.equal(x, 0.0), 1.0, op.div(op.asinh(nonzero(op, x)), nonzero(op, x))),
        lambda op, n, x: op.div(1.0, op.sqrt(op.add(op.mul(x, x), 1.0))),
    ),
    since=9,
)
register(
    "Atan",
    Function(
        lambda op, n, x: op.where(op.equal(x, 0.0), 1.0, op.div(op.atan(nonzero(op, x)), nonzero(op, x))),
        lambda op, n, x: op.div(1.0, op.add(op.mul(x, x), 1.0)),
    ),
)
register(
    "Tan",
    Function(
        lambda op, n, x: _over(op, x, n.output()),
        lambda op, n, x: op.add(op.mul(n.output(), n.output()), 1.0),
    ),
)
register(
    "Asin",
    Function(
        lambda op, n, x: _over(op, x, n.output()),
        lambda op, n, x: op.div(1.0, op.sqrt(_one_minus_square(op, x))),
    ),
)
register(
    "Acos",
    Function(
        # acos x = pi/2 - asin x
        lambda op, n, x: op.neg(_over(op, x, _asin(op, x))),
        lambda op, n, x: op.div(-1.0, op.sqrt(_one_minus_square(op, x))),
        math.pi / 2,
    ),
)
register(
    "Atanh",
    Function(
        lambda op, n, x: _over(op, x, n.output()),
        lambda op, n, x: op.div(1.0, _one_minus_square(op, x)),
    ),
    since=9,
)
register(
    "Cosh",
    Function(
        # (cosh x - 1) / x = 2 sinh(x/2)^2 / x, without cancellation
        lambda op, n, x: op.mul(op.sinh(op.mul(x, 0.5)), _over(op, op.mul(x, 0.5), op.sinh(op.mul(x, 0.5)))),
        lambda op, n, x: op.sinh(x),
        1.0,
    ),
    since=9,
)


@rule("Acosh", kind="activation", carry="gate", since=9)
def acosh(op: Ops, node: NodeContext, m: Expr) -> Result:
    """Not defined at 0: relevance passes 1:1 (identity rule, AttnLRP, Prop. 3.2)."""
    return pole(op, node, m, lambda op, n, x: op.div(1.0, op.sqrt(op.mul(op.sub(x, 1.0), op.add(x, 1.0)))))
