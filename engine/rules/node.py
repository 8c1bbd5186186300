"""What a rule sees of the node it is called for."""

from __future__ import annotations

from collections.abc import Callable
from collections.abc import Set as AbstractSet
from dataclasses import dataclass
from typing import Any

import numpy as np

from ..analysis.probe import Probe
from ..analysis.shapes import Shape
from ..composite import Composite
from ..errors import UnsupportedOperator
from ..file.graph import Node
from ..ops.base import Expr, Ops

Array = np.ndarray[Any, Any]


@dataclass(frozen=True)
class Message:
    """Relevance on its way back: ``R = x * m + r``.

    Attributes
    ----------
    m : Expr or None
        The multiplier.
    r : Expr or None
        Relevance that is no multiple of the activation.
    """

    m: Expr | None = None
    r: Expr | None = None


Absorb = Callable[[str, str, Expr, "Expr | None", "str | None"], None]
Convert = Callable[["Expr | None", Expr], Expr]


class Site:
    """A node, with the shapes, activations and composite that its rule needs.

    Shapes, ranks and attributes are known and may be branched on. Activations are handles: what a
    rule reads of them is what onnxruntime is asked for.
    """

    def __init__(
        self,
        node: Node,
        op: Ops,
        probe: Probe,
        composite: Composite,
        active: set[str],
        blocked: set[int],
        absorb: Absorb,
        converted: Convert,
        position: str = "",
        as_relevance: bool = False,
        embedded: AbstractSet[str] = frozenset(),
    ) -> None:
        self.node, self._op, self._probe, self.composite = node, op, probe, composite
        self._active, self._blocked, self._absorb = active, blocked, absorb
        self.remainder: Expr | None = None
        self._converted, self._position = converted, position
        self._as_relevance, self._embedded = as_relevance, embedded

    # -- operands -------------------------------------------------------------------------------

    def has(self, i: int) -> bool:
        """Whether operand i is there (optional ones can be left out)."""
        return i < len(self.node.inputs) and bool(self.node.inputs[i])

    def active(self, i: int) -> bool:
        """Whether relevance can go to operand i."""
        return self.has(i) and self.node.inputs[i] in self._active and i not in self._blocked

    @property
    def count(self) -> int:
        """Number of operands, absent ones included."""
        return len(self.node.inputs)

    def input(self, i: int) -> Expr:
        """The activation (or constant) of operand i."""
        return self._tensor(self.node.inputs[i])

    def output(self, i: int = 0) -> Expr:
        """The activation of output i."""
        return self._tensor(self.node.outputs[i])

    def activation(self) -> Expr:
        """The first output as a number, where it is an integer that stands for one."""
        y = self.output()
        return self._op.as_float(y) if self._probe.dtypes[self.node.outputs[0]].kind in "iu" else y

    def _tensor(self, name: str) -> Expr:
        constant = self._probe.constants.get(name)
        return self._op.value(name) if constant is None else self._op.const(constant, name)

    def const(self, i: int) -> Array | None:
        """The value of operand i where no input can change it; None where it is absent or varies."""
        return self._probe.constants.get(self.node.inputs[i]) if self.has(i) else None

    def needs_const(self, i: int, what: str) -> Array:
        """The value of an operand that must not vary.

        Raises
        ------
        UnsupportedOperator
            It depends on the input's values.
        """
        value = self.const(i)
        if value is None:
            raise self.refuse(f"its {what} depend on the input's values")
        return value

    def refuse(self, why: str) -> UnsupportedOperator:
        """The error for a use of the operator that its rule does not know."""
        return UnsupportedOperator(f"node {self.node}: {why}; no relevance rule for that")

    # -- shapes and attributes --------------------------------------------------------------------

    def shape(self, i: int) -> Shape:
        """Shape of operand i."""
        return self._probe.shapes[self.node.inputs[i]]

    def out_shape(self, i: int = 0) -> Shape:
        """Shape of output i."""
        return self._probe.shapes[self.node.outputs[i]]

    def kind(self, i: int = 0) -> str:
        """Kind of operand i's type: f, i, u or b."""
        return self._probe.dtypes[self.node.inputs[i]].kind

    def out_dtype(self, i: int = 0) -> np.dtype[Any]:
        """Type of an output."""
        return self._probe.dtypes[self.node.outputs[i]]

    def rank(self, i: int = 0) -> int:
        """Number of axes of operand i."""
        return len(self.shape(i))

    def attr(self, name: str, default: Any = None) -> Any:
        """An attribute, or its default."""
        return self.node.attributes.get(name, default)

    def negative(self, axis: int, i: int = 0) -> int:
        """An axis of operand i, counted from the end."""
        return axis - self.rank(i) if axis >= 0 else axis

    # -- what the composite asks for --------------------------------------------------------------

    def variant(self, kind: str) -> str:
        """Which rule the composite chose for this node, as a layer of some kind."""
        return self.composite.choose(kind, self.node, self._position).variant

    def parameter(self, name: str) -> float:
        """A parameter of the rule that the composite chose."""
        kind = "conv" if "Conv" in self.node.op_type else "linear"
        return self.composite.choose(kind, self.node, self._position).parameter(name)

    # -- relevance that is no multiple of the activation -------------------------------------------

    def take_remainder(self) -> Expr | None:
        """The message r of the output; it counts as dealt with."""
        r, self.remainder = self.remainder, None
        return r

    def as_multiplier(self, m: Expr | None) -> Expr:
        """The output's multiplier with the message r turned into one."""
        r = self.take_remainder()
        if r is not None:
            return self._converted(m, r)
        assert m is not None
        return m

    @property
    def gradient(self) -> bool:
        """Whether the true derivative is asked for."""
        return self.composite.is_gradient

    def embedded(self, i: int) -> bool:
        """Whether operand i holds quantised numbers that were read from a table."""
        return self.node.inputs[i] in self._embedded

    @property
    def moves_relevance(self) -> bool:
        """Whether what is being moved is a message r, and no multiplier."""
        return self._as_relevance

    def carried(self, m: Expr) -> Expr:
        """The relevance of output 0: ``m y``, or m itself where a message r is being moved."""
        return m if self._as_relevance else self._op.mul(m, self.activation())

    # -- the ledger -------------------------------------------------------------------------------

    def absorb(
        self,
        kind: str,
        m: Expr,
        by: Expr | None = None,
        *,
        tensor: str | None = None,
        operand: int | None = None,
    ) -> None:
        """Put what stays here into the ledger: the sum of ``m * by`` for each sample.

        Parameters
        ----------
        kind : str
            bias, constant, softmax, origin, stabilizer, nonlinear, product, normalisation, winner, rounding.
        m : Expr
            Backward value laid out like output 0, [K, *shape].
        by : Expr, optional
            What m is multiplied with; None where m is relevance already.
        tensor : str, optional
            Where it stayed; the node's first output by default.
        operand : int, optional
            m is laid out like this operand instead.
        """
        layout_of = None if operand is None else self.node.inputs[operand]
        self._absorb(kind, tensor or self.node.outputs[0], m, by, layout_of)
