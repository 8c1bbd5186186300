"""One time step of each recurrent layer.

A gate is an activation that multiplies a signal: `Mul(gate, signal)`, gate first. A state that is None is
zero, and what it would be multiplied with is left out.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from .activations import Activation
from .emit import Emit
from .quantised import Integers, product
from .weights import Weight, cut, joined, named, plus


@dataclass(frozen=True)
class Direction:
    """What one direction of a layer has.

    Attributes
    ----------
    emit : Emit
    prefix : str
        Of node names, "" where there is one direction only.
    inputs, recurrent : Weight or Integers, [features, gates * hidden], [hidden, gates * hidden]
    input_bias, recurrent_bias : Weight or None, [gates * hidden]
    peepholes : Weight or None, [3 * hidden]
    activations : sequence of Activation
    hidden : int
    clip : float or None
    flag : bool
        linear_before_reset of a GRU, input_forget of an LSTM.
    dtype : dtype
    """

    emit: Emit
    prefix: str
    inputs: Weight | Integers
    recurrent: Weight | Integers
    input_bias: Weight | None
    recurrent_bias: Weight | None
    peepholes: Weight | None
    activations: Sequence[Activation]
    hidden: int
    clip: float | None
    flag: bool
    dtype: Any

    def linear(self, x: str, weight: Weight | Integers, bias: Weight | None, what: str) -> str:
        """``x weight + bias``, the product and the sum as two nodes."""
        if isinstance(weight, Integers):
            y = product(self.emit, x, weight, what)
        else:
            y = self.emit.op("MatMul", x, named(self.emit, weight, "weight"), what=f"{what}/MatMul")
        if bias is None:
            return y
        return self.emit.op("Add", y, named(self.emit, bias, "bias"), what=f"{what}/Add")

    def activate(self, which: int, x: str, what: str) -> str:
        """Clip and activate."""
        return self.activations[which].emit(self.emit, self.clipped(x, what), self.dtype, what)

    def clipped(self, x: str, what: str) -> str:
        """What goes into an activation."""
        if self.clip is None:
            return x
        return self.emit.clip(x, -self.clip, self.clip, self.dtype, what=f"{what}/Clip")

    def add(self, a: str | None, b: str, what: str) -> str:
        """The sum, where there is something to add to."""
        return b if a is None else self.emit.op("Add", a, b, what=what)


class Rnn:
    """``h = f(x W + h R + b)``."""

    gates = 1
    defaults = ("Tanh",)
    states = 1

    def __init__(self, d: Direction) -> None:
        self.d = d

    def prepare(self, x: str) -> list[str]:
        """What every step needs of the whole input."""
        d = self.d
        return [d.linear(x, d.inputs, plus(d.emit, d.input_bias, d.recurrent_bias), f"{d.prefix}input")]

    def step(self, parts: Sequence[str], state: Sequence[str | None], at: str) -> list[str]:
        """The next state."""
        d, (h,) = self.d, state
        recurrent = d.linear(h, d.recurrent, None, f"{at}hidden") if h is not None else None
        return [d.activate(0, d.add(recurrent, parts[0], f"{at}sum"), f"{at}h")]


class Gru:
    """``h = (1 - z) g(candidate) + z h``, with the reset gate before or after the recurrent product."""

    gates = 3
    defaults = ("Sigmoid", "Tanh")
    states = 1

    def __init__(self, d: Direction) -> None:
        self.d = d
        assert not isinstance(d.recurrent, Integers)
        sizes = (2 * d.hidden, d.hidden)
        self.r_gates, self.r_candidate = cut(d.emit, d.recurrent, sizes)
        bias: list[Weight | None] = [None, None]
        if d.recurrent_bias is not None:
            bias = list(cut(d.emit, d.recurrent_bias, sizes))
        self.inner = bias[1] if d.flag else None
        total = d.input_bias
        if d.recurrent_bias is not None and d.input_bias is not None:
            x_gates, x_candidate = cut(d.emit, d.input_bias, sizes)
            both = [plus(d.emit, x_gates, bias[0]), plus(d.emit, x_candidate, None if d.flag else bias[1])]
            total = joined(d.emit, [b for b in both if b is not None])
        self.bias = total

    def prepare(self, x: str) -> list[str]:
        """What every step needs of the whole input: for the gates, and for the candidate."""
        d = self.d
        whole = d.linear(x, d.inputs, self.bias, f"{d.prefix}input")
        return d.emit.split(whole, (2 * d.hidden, d.hidden), 2, what=f"{d.prefix}input/Split")

    def step(self, parts: Sequence[str], state: Sequence[str | None], at: str) -> list[str]:
        """The next state."""
        d, emit, (h,) = self.d, self.d.emit, state
        recurrent = d.linear(h, self.r_gates, None, f"{at}gates") if h is not None else None
        gates = d.add(recurrent, parts[0], f"{at}gates")
        before_z, before_r = emit.split(gates, (d.hidden, d.hidden), 2, what=f"{at}Split")
        inner: str | None = None
        if h is not None or (d.flag and self.inner is not None):
            r = d.activate(0, before_r, f"{at}r")
            if d.flag:
                if h is None:
                    assert self.inner is not None
                    product = named(emit, self.inner, "bias")
                else:
                    product = d.linear(h, self.r_candidate, self.inner, f"{at}candidate")
                inner = emit.op("Mul", r, product, what=f"{at}reset")
            else:
                assert h is not None
                reset = emit.op("Mul", r, h, what=f"{at}reset")
                inner = d.linear(reset, self.r_candidate, None, f"{at}candidate")
        candidate = d.activate(1, d.add(inner, parts[1], f"{at}sum"), f"{at}candidate")
        before_z = d.clipped(before_z, f"{at}z")
        gate = d.activations[0]
        z = gate.emit(emit, before_z, d.dtype, f"{at}z") if h is not None or gate.name != "sigmoid" else ""
        new = emit.op(
            "Mul", gate.complement(emit, before_z, z, d.dtype, f"{at}1-z"), candidate, what=f"{at}new"
        )
        kept = emit.op("Mul", z, h, what=f"{at}kept") if h is not None else None
        return [d.add(kept, new, f"{at}h")]


class Lstm:
    """``c = f c + i g(candidate)``, ``h = o g(c)``; gates in ONNX's order i, o, f, candidate."""

    gates = 4
    defaults = ("Sigmoid", "Tanh", "Tanh")
    states = 2

    def __init__(self, d: Direction) -> None:
        self.d = d
        self.peepholes: list[Weight] | None = None
        if d.peepholes is not None:
            self.peepholes = cut(d.emit, d.peepholes, (d.hidden,) * 3)

    def prepare(self, x: str) -> list[str]:
        """What every step needs of the whole input."""
        d = self.d
        return [d.linear(x, d.inputs, plus(d.emit, d.input_bias, d.recurrent_bias), f"{d.prefix}input")]

    def look(self, x: str, which: int, c: str | None, what: str) -> str:
        """The gate's view of the cell, where it has one."""
        if self.peepholes is None or c is None:
            return x
        seen = self.d.emit.op(
            "Mul", c, named(self.d.emit, self.peepholes[which], "peephole"), what=f"{what}/look"
        )
        return self.d.emit.op("Add", x, seen, what=f"{what}/sum")

    def step(self, parts: Sequence[str], state: Sequence[str | None], at: str) -> list[str]:
        """The next hidden state and cell."""
        d, emit, (h, c) = self.d, self.d.emit, state
        recurrent = d.linear(h, d.recurrent, None, f"{at}gates") if h is not None else None
        gates = d.add(recurrent, parts[0], f"{at}gates")
        i, o, f, candidate = emit.split(gates, (d.hidden,) * 4, 2, what=f"{at}Split")
        before_i = d.clipped(self.look(i, 0, c, f"{at}i"), f"{at}i")
        gate = d.activations[0]
        i = gate.emit(emit, before_i, d.dtype, f"{at}i")
        kept = None
        if c is not None:
            if d.flag:
                f = gate.complement(emit, before_i, i, d.dtype, f"{at}f")
            else:
                f = d.activate(0, self.look(f, 2, c, f"{at}f"), f"{at}f")
            kept = emit.op("Mul", f, c, what=f"{at}kept")
        new = emit.op("Mul", i, d.activate(1, candidate, f"{at}candidate"), what=f"{at}new")
        cell = d.add(kept, new, f"{at}c")
        o = d.activate(0, self.look(o, 1, cell, f"{at}o"), f"{at}o")
        squashed = d.activations[2].emit(emit, cell, d.dtype, f"{at}squashed")
        return [emit.op("Mul", o, squashed, what=f"{at}h"), cell]


CELLS: dict[str, type[Rnn] | type[Gru] | type[Lstm]] = {"RNN": Rnn, "GRU": Gru, "LSTM": Lstm}
