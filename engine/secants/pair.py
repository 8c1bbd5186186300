"""What a secant sees of its node: the activations here, in the window, and there, in the reference."""

from __future__ import annotations

from collections.abc import Sequence

from ..ops.base import Expr
from ..rules.node import Message, NodeContext


class PairContext(NodeContext):
    """A node in two forward passes.

    `input` and `output` are the middle of both, so that a rule that is written for derivatives gives the
    derivative at the middle: for linear maps and for products of two factors that is the exact secant.
    """

    step_kind = "decision"

    # -- the two passes -----------------------------------------------------------------------------

    def here(self, i: int) -> Expr:
        """Operand i in the window's forward pass."""
        return super().input(i)

    def there(self, i: int) -> Expr:
        """Operand i in the reference's forward pass."""
        return self._op.reference(self.here(i))

    def made_here(self, i: int = 0) -> Expr:
        """Output i in the window's forward pass."""
        return super().output(i)

    def made_there(self, i: int = 0) -> Expr:
        """Output i in the reference's forward pass."""
        return self._op.reference(self.made_here(i))

    def number(self, i: int) -> Expr:
        """Operand i in the window, integers as numbers."""
        value = self.here(i)
        return self._op.as_float(value) if self.kind(i) in "iub" else value

    def number_made(self) -> Expr:
        """The first output in the window, integers as numbers."""
        return super().amount(0)

    def apart(self, i: int) -> Expr:
        """How far operand i is from its reference."""
        return self.difference(self.here(i))

    def difference(self, a: Expr) -> Expr:
        """How far a forward value is from its reference, 0 where both are the same infinity."""
        b = self._op.reference(a)
        return self._op.where(self._op.equal(a, b), 0.0, self._op.sub(a, b))

    def middle(self, a: Expr) -> Expr:
        """The mean of a forward value and of what it is in the reference."""
        if a.kind == "const":
            return a
        # Halved beside each forward pass, which is once for all references.
        half = self._op.mul(a, 0.5)
        return self._op.add(half, self._op.reference(half))

    # -- what rules read ------------------------------------------------------------------------------

    def input(self, i: int) -> Expr:
        """The middle of operand i, where it is a number; an index as it is in the window."""
        value = super().input(i)
        return self.middle(value) if self._is_number(self.node.inputs[i]) else value

    def output(self, i: int = 0) -> Expr:
        """The middle of output i, where it is a number."""
        value = super().output(i)
        return self.middle(value) if self._is_number(self.node.outputs[i]) else value

    def amount(self, i: int = 0) -> Expr:
        """The difference of output i, which relevance is a multiple of."""
        return self.difference(super().amount(i))

    def variant(self, kind: str) -> str:
        """Rules that are shared with others give derivatives."""
        return "gradient"

    @property
    def gradient(self) -> bool:
        """Rules that are shared with others give derivatives."""
        return True

    def _is_number(self, name: str) -> bool:
        return self._analysis.kind(name) == "f" and self._analysis.varies(name)

    # -- the ledger -----------------------------------------------------------------------------------

    def absorb(
        self,
        kind: str,
        m: Expr,
        by: Expr | None = None,
        *,
        tensor: str | None = None,
        operand: int | None = None,
    ) -> None:
        """Only what a decision keeps: bias, constants and values at 0 are the same in both passes."""
        if kind == self.step_kind:
            super().absorb(kind, m, by, tensor=tensor, operand=operand)

    def keep_rest(self, kind: str, m: Expr, sent: Sequence[Message | Expr | None]) -> None:
        """Put into the ledger what of output 0's relevance was not sent to an operand."""
        keep = super().absorb
        keep(kind, m, self.amount())
        for i, got in enumerate(sent):
            back = got.m if isinstance(got, Message) else got
            if back is not None and self.active(i):
                keep(kind, self._op.neg(back), self.difference(self.number(i)), operand=i)
