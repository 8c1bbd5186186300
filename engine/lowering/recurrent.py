"""LSTM, GRU and RNN step by step.

The input's share of all steps is one product; every step then adds the state's. The state is kept as
[1, batch, hidden], so that neither the batch nor an extra axis is ever written down.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import onnx

from ..errors import LimitError
from ..file.load import MAX_NODES
from ..file.protobuf import attributes, domain_of
from . import activations, quantised
from .cells import CELLS, Direction
from .emit import Emit, apply
from .weights import Weight, cut, named, of_direction, turned
from .workspace import Workspace

# Operands by position, for each operator; those of the others that an RNN has not stay absent.
_X, _W, _R, _B, _LENGTHS, _H, _C, _P = range(8)
# At least so many nodes a step.
_STEP = {"RNN": 3, "GRU": 12, "LSTM": 11}


def run(work: Workspace) -> bool:
    """Rewrite every recurrent layer; whether there were any.

    Raises
    ------
    LimitError
        There are too many steps.
    ModelError
        An activation is not known.
    """
    found = {i: n for i, n in enumerate(work.nodes) if _kind(n)}
    if not found:
        return False
    turned_round = {i: n for i, n in found.items() if attributes(n).get("layout", 0)}
    if turned_round:
        # onnxruntime runs no layers with the batch first: these are turned before anything is asked of it.
        made = {i: _time_first(Emit(work, n), n) for i, n in turned_round.items()}
        apply(work, made)
        return True
    work.observe(v for n in found.values() for v in (n.input[_X], n.input[_R]))
    made = {}
    for i, node in found.items():
        made[i] = Emit(work, node)
        _unroll(made[i], node)
    apply(work, made)
    return True


def _kind(node: onnx.NodeProto) -> str:
    if node.op_type in CELLS and not domain_of(node):
        return str(node.op_type)
    return "LSTM" if quantised.is_lstm(node) else ""


def _time_first(emit: Emit, node: onnx.NodeProto) -> Emit:
    """The same layer with the time first, between Transposes."""
    made = onnx.NodeProto()
    made.CopyFrom(node)
    del made.attribute[:]
    made.attribute.extend(a for a in node.attribute if a.name != "layout")
    for i in (_X, _H, _C):
        if i < len(node.input) and node.input[i]:
            made.input[i] = emit.transpose(node.input[i], (1, 0, 2), what="input/Transpose")
    give = {}
    for i, output in enumerate(node.output):
        if output:
            made.output[i] = emit.work.fresh(f"{emit.prefix}/time_first")
            give[output] = (made.output[i], (2, 0, 1, 3) if i == 0 else (1, 0, 2))
    emit.nodes.append(made)
    # [time, directions, batch, hidden] to [batch, time, directions, hidden]
    emit.give({o: emit.transpose(v, perm, what="output/Transpose") for o, (v, perm) in give.items()})
    return emit


def _operand(node: onnx.NodeProto, i: int) -> str:
    return node.input[i] if i < len(node.input) else ""


def _unroll(emit: Emit, node: onnx.NodeProto) -> None:
    work, kind, given = emit.work, _kind(node), attributes(node)
    x, recurrent = (work.observe([v])[v] for v in (node.input[_X], node.input[_R]))
    steps, hidden = x.shape[0], recurrent.shape[-1 if domain_of(node) == "" else -2]
    both = given.get("direction", "forward") == "bidirectional"
    backwards = [False, True] if both else [given.get("direction", "forward") == "reverse"]
    if steps * _STEP[kind] * len(backwards) > MAX_NODES:
        raise LimitError(f"{work.at(node)}: {steps:,} steps; more than {MAX_NODES:,} nodes come of it")
    if not steps:
        raise work.refuse(node, "a sequence of no steps")
    emit.note_size(node.input[_X], 0, steps)
    masks = _Masks(emit, _operand(node, _LENGTHS), steps, x.dtype)
    made = [_direction(emit, node, given, d, hidden, x.dtype, len(backwards)) for d in range(len(backwards))]
    finals: list[list[str]] = []
    sequences: list[str] = []
    for d, back in enumerate(backwards):
        cell = CELLS[kind](made[d])
        state = [_state(emit, _operand(node, i), d) for i in (_H, _C)][: cell.states]
        parts = [
            emit.split(p, [1] * steps, 0, what=f"{made[d].prefix}steps") for p in cell.prepare(node.input[_X])
        ]
        hiddens = [""] * steps
        for t in reversed(range(steps)) if back else range(steps):
            new = cell.step([p[t] for p in parts], state, f"{made[d].prefix}{t}/")
            state = [masks.state(t, n, s, f"{made[d].prefix}{t}") for n, s in zip(new, state, strict=True)]
            hiddens[t] = str(state[0])
        finals.append([masks.final(str(s), f"{made[d].prefix}final") for s in state])
        if node.output[0]:
            every = masks.outputs(emit.concat(hiddens, 0), f"{made[d].prefix}padded")
            sequences.append(emit.unsqueeze(every, 1))
    give = {}
    if node.output[0]:
        give[node.output[0]] = emit.concat(sequences, 1)
    for i, output in enumerate(node.output[1:]):
        if output:
            give[output] = emit.concat([f[i] for f in finals], 0)
    emit.give(give)


def _direction(
    emit: Emit,
    node: onnx.NodeProto,
    given: dict[str, Any],
    d: int,
    hidden: int,
    dtype: Any,
    count: int,
) -> Direction:
    kind = _kind(node)
    cell = CELLS[kind]
    names = given.get("activations") or list(cell.defaults) * count
    try:
        functions = activations.parse(
            names, given.get("activation_alpha") or [], given.get("activation_beta") or []
        )
    except KeyError as e:
        raise emit.work.refuse(node, f"activation {e.args[0]!r} is not known") from None
    size = len(cell.defaults)
    weights: Sequence[Weight | quantised.Integers]
    if domain_of(node):
        weights = quantised.weights(emit, node, d)
    else:
        weights = [turned(emit, of_direction(emit, node.input[i], d)) for i in (_W, _R)]
    biases: list[Any] = [None, None]
    if _operand(node, _B):
        biases = cut(emit, of_direction(emit, node.input[_B], d), (cell.gates * hidden,) * 2)
    # Only an LSTM has peepholes.
    peepholes = of_direction(emit, node.input[_P], d) if _operand(node, _P) else None
    clip = float(given.get("clip", 0.0))
    return Direction(
        emit,
        f"{d}/" if count > 1 else "",
        weights[0],
        weights[1],
        biases[0],
        biases[1],
        peepholes,
        functions[size * d : size * (d + 1)],
        hidden,
        clip if clip > 0 else None,
        bool(given.get("linear_before_reset" if kind == "GRU" else "input_forget", 0)),
        dtype,
    )


def _state(emit: Emit, name: str, direction: int) -> str | None:
    """A direction's initial state, [1, batch, hidden]; None where it is zero."""
    if not name:
        return None
    value = emit.work.constant(name)
    if value is not None:
        return named(emit, value[direction : direction + 1], "initial")
    if emit.work.observe([name])[name].shape[0] == 1:
        return name
    return emit.slice(name, direction, direction + 1, 0, what=f"{direction}/initial")


class _Masks:
    """Steps beyond a sequence's own length: the state stays as it is, the output is zero."""

    def __init__(self, emit: Emit, lengths: str, steps: int, dtype: Any) -> None:
        self.emit, self.dtype, self.whole = emit, dtype, ""
        if not lengths:
            return
        column = emit.unsqueeze(lengths, 0, 2, what="lengths")
        if emit.opset < 9:  # Less knows floats only
            column = emit.op("Cast", column, what="lengths/Cast", to=onnx.TensorProto.FLOAT)
        times = np.arange(steps, dtype=np.int32 if emit.opset >= 9 else np.float32)
        self.whole = emit.op("Less", emit.const(times.reshape(-1, 1, 1), "times"), column, what="within")
        if emit.opset < 9:  # and there is no Where
            kind = onnx.helper.np_dtype_to_tensor_dtype(np.dtype(dtype))
            self.whole = emit.op("Cast", self.whole, what="within/Cast", to=kind)
        self.steps = emit.split(self.whole, [1] * steps, 0, what="within/Split")

    def choose(self, mask: str, new: str, old: str | None, what: str) -> str:
        """`new` where the mask is set; else `old`, or zero."""
        emit = self.emit
        if emit.opset >= 9:
            return emit.op("Where", mask, new, old or emit.const(0, "zero", self.dtype), what=what)
        if old is None:
            return emit.op("Mul", mask, new, what=what)
        change = emit.op("Mul", mask, emit.op("Sub", new, old, what=f"{what}/Sub"), what=f"{what}/Mul")
        return emit.op("Add", old, change, what=what)

    def state(self, t: int, new: str, old: str | None, what: str) -> str:
        """The state after step t."""
        return self.choose(self.steps[t], new, old, f"{what}/state") if self.whole else new

    def final(self, state: str, what: str) -> str:
        """The state after the last step; onnxruntime gives zero where there was none."""
        return self.choose(self.steps[0], state, None, what) if self.whole else state

    def outputs(self, all_steps: str, what: str) -> str:
        """The outputs of all steps."""
        return self.choose(self.whole, all_steps, None, what) if self.whole else all_steps
