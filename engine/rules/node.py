"""What a rule sees of the node it is called for."""

from __future__ import annotations

from collections.abc import Mapping
from collections.abc import Set as AbstractSet
from dataclasses import dataclass
from typing import Any

import numpy as np

from ..analysis.analysis import Analysis
from ..analysis.shapes import Shape
from ..composite import Composite
from ..errors import UnsupportedOperator
from ..file.graph import Node
from ..ops.base import Expr, Ops
from .ledger import RecordedLedger

Array = np.ndarray[Any, Any]

# In the multiplier form of a message r, m = r / (y + delta sign(y)): the smallest stabiliser that
# keeps a zero activation from dividing.
DELTA = 1e-6


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


@dataclass(frozen=True)
class Walk:
    """What all nodes of one walk share.

    Attributes
    ----------
    ops : Ops
        The record that rules write into.
    analysis : Analysis
    composite : Composite
    active : set of str
        Values that relevance is on.
    held : mapping of Node to set of int
        Operands that count as constants.
    positions : mapping of Node to str
        Of the layers with no other before them; see `Composite`.
    embedded : set of str
        Quantised numbers that were read from a table.
    loose : set of str
        Values that need not be finite.
    ledger : RecordedLedger
    """

    ops: Ops
    analysis: Analysis
    composite: Composite
    active: AbstractSet[str]
    held: Mapping[Node, AbstractSet[int]]
    positions: Mapping[Node, str]
    embedded: AbstractSet[str]
    loose: AbstractSet[str]
    ledger: RecordedLedger

    def tensor(self, name: str) -> Expr:
        """The activation of a value, or the constant that it is."""
        constant = self.analysis.constant(name)
        if constant is not None:
            return self.ops.const(constant, name)
        return self.ops.finite_value(name) if name in self.loose else self.ops.value(name)


class NodeContext:
    """A node, with the shapes, activations and composite that its rule needs.

    Shapes, ranks and attributes are known and may be branched on. Activations are handles: what a
    rule reads of them is what onnxruntime is asked for.

    Parameters
    ----------
    node : Node
    walk : Walk
    moves_relevance : bool
        Whether what the rule is given is a message r, and no multiplier.

    Attributes
    ----------
    step_kind : str
        What the ledger calls relevance that ends where a decision was made.
    remainder : Expr or None
        The message r of the output, for rules that deal with it themselves.
    """

    step_kind = "nonlinear"

    def __init__(self, node: Node, walk: Walk, *, moves_relevance: bool = False) -> None:
        self.node, self.moves_relevance = node, moves_relevance
        self.remainder: Expr | None = None
        self._walk, self._op, self._analysis = walk, walk.ops, walk.analysis
        self._held, self._position = walk.held.get(node, frozenset()), walk.positions.get(node, "")

    # -- operands -------------------------------------------------------------------------------

    def has(self, i: int) -> bool:
        """Whether operand i is there (optional ones can be left out)."""
        return i < len(self.node.inputs) and bool(self.node.inputs[i])

    def active(self, i: int) -> bool:
        """Whether relevance can go to operand i."""
        return self.has(i) and self.node.inputs[i] in self._walk.active and i not in self._held

    def varies(self, i: int) -> bool:
        """Whether operand i can depend on what is in an input."""
        return self.has(i) and self._analysis.varies(self.node.inputs[i])

    @property
    def count(self) -> int:
        """Number of operands, absent ones included."""
        return len(self.node.inputs)

    def input(self, i: int) -> Expr:
        """The activation (or constant) of operand i."""
        return self._walk.tensor(self.node.inputs[i])

    def output(self, i: int = 0) -> Expr:
        """The activation of output i."""
        return self._walk.tensor(self.node.outputs[i])

    def amount(self, i: int = 0) -> Expr:
        """What the relevance of an output is a multiple of: its value as a number."""
        y = self._walk.tensor(self.node.outputs[i])
        return self._op.as_float(y) if self._analysis.kind(self.node.outputs[i]) in "iub" else y

    def activation(self) -> Expr:
        """The first output as a number, where it is an integer that stands for one."""
        return self.amount()

    def const(self, i: int) -> Array | None:
        """The value of operand i where no input can change it; None where it is absent or varies."""
        return self._analysis.constant(self.node.inputs[i]) if self.has(i) else None

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
        return self._analysis.shape(self.node.inputs[i])

    def out_shape(self, i: int = 0) -> Shape:
        """Shape of output i."""
        return self._analysis.shape(self.node.outputs[i])

    def kind(self, i: int = 0) -> str:
        """Kind of operand i's type: f, i, u or b."""
        return self._analysis.dtype(self.node.inputs[i]).kind

    def out_dtype(self, i: int = 0) -> np.dtype[Any]:
        """Type of an output."""
        return self._analysis.dtype(self.node.outputs[i])

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
        return self._walk.composite.choose(kind, self.node, self._position).variant

    def parameter(self, name: str) -> float:
        """A parameter of the rule that the composite chose."""
        kind = "conv" if "Conv" in self.node.op_type else "linear"
        return self._walk.composite.choose(kind, self.node, self._position).parameter(name)

    # -- relevance that is no multiple of the activation -------------------------------------------

    def take_remainder(self) -> Expr | None:
        """The message r of the output; it counts as dealt with."""
        r, self.remainder = self.remainder, None
        return r

    def as_multiplier(self, m: Expr | None) -> Expr:
        """The output's multiplier with the message r turned into one."""
        made = self.converted(Message(m, self.take_remainder())).m
        assert made is not None
        return made

    def converted(self, message: Message, i: int = 0) -> Message:
        """What arrived at output i, r as a multiplier: ``m + r / (y + delta sign(y))``.

        What the stabiliser delta keeps goes to the ledger, and all of r where y is 0 but for rounding: a
        multiplier of that would be of rounding.
        """
        if message.r is None:
            return message
        op, name, y = self._op, self.node.outputs[i], self.amount(i)
        delta = max(DELTA, self._walk.composite.parameters.get("stabilizer", 0.0))
        signed = op.where(op.less(y, 0.0), op.sub(y, delta), op.add(y, delta))
        there = op.where(op.less(op.abs(y), DELTA / 10), 0.0, 1.0)
        extra = op.mul(op.div(message.r, signed), there)
        self.absorb("stabilizer", op.sub(message.r, op.mul(extra, y)), tensor=name)
        return Message(m=extra if message.m is None else op.add(message.m, extra))

    @property
    def gradient(self) -> bool:
        """Whether the true derivative is asked for."""
        return self._walk.composite.is_gradient

    def embedded(self, i: int) -> bool:
        """Whether operand i holds quantised numbers that were read from a table."""
        return self.node.inputs[i] in self._walk.embedded

    def carried(self, m: Expr) -> Expr:
        """The relevance of output 0: ``m y``, or m itself where a message r is being moved."""
        return m if self.moves_relevance else self._op.mul(m, self.activation())

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
        like = self.node.outputs[0] if operand is None else self.node.inputs[operand]
        # Where a rule carries relevance itself, there is nothing to multiply it with.
        by = None if self.moves_relevance else by
        layout = self._analysis.layout(like)
        self._walk.ledger.add(self.node.name, kind, tensor or self.node.outputs[0], m, by, layout)
