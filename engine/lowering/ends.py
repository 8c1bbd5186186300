"""The score behind the probability that a model ends in.

What exporters put after a softmax or sigmoid (a reshape, a clip, 1 - p beside p, a sum of probabilities that
they are divided by) changes nothing in what was decided. The same moves are made with the score, so that
it stands where the probability stands in the output.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace

import onnx

from ..file.protobuf import Array, attributes, domain_of
from . import Lowered
from .emit import Emit, apply
from .workspace import Workspace

_FINAL = frozenset({"Softmax", "LogSoftmax", "Sigmoid", "HardSigmoid"})
# These hand on their first operand, or move it: with the score they do the same.
_HAND_ON = frozenset({"Identity", "Cast", "Dropout", "Clip"})
_MOVE = frozenset({"Reshape", "Flatten", "Squeeze", "Unsqueeze", "Transpose", "Slice", "Gather", "Expand"})
# Mixtures of probabilities: there is no one score behind them.
_MIX = frozenset(
    {"Add", "Sub", "Sum", "Mean", "ReduceMean", "ReduceSum", "ReduceMax", "Mul", "Div", "Max", "Min"}
)


@dataclass(frozen=True)
class ScoreBehind:
    """Where a value's score is.

    Attributes
    ----------
    value : str
        A tensor of the value's shape.
    final : str
        The operator that made a probability of it.
    """

    value: str
    final: str


def with_score(lowered: Lowered, output: str, feed: Mapping[str, Array], where: str) -> Lowered:
    """The same model with the score behind an output, where it ends in a probability.

    Parameters
    ----------
    lowered : Lowered
    output : str
    feed : dict of str to ndarray
    where : str
        The file, for messages.

    Returns
    -------
    Lowered
        Its `score` and `end_note` say what was found.
    """
    work = Workspace(lowered.proto, feed, where)
    made_by = {o: (i, n) for i, n in enumerate(work.nodes) for o in n.output if o}
    if output not in made_by:
        return lowered
    at, last = made_by[output]
    emit = Emit(work, last)
    nodes = {name: node for name, (_, node) in made_by.items()}
    found = _Ends(work, nodes, emit).score(output)
    if found is None:
        mixed = _mixed(work, nodes, output)
        note = f"the model ends in {last.op_type} of {mixed}: a probability is explained" if mixed else None
        return replace(lowered, end_note=note)
    if emit.nodes:
        # The score is made where everything it is made of is there.
        after = onnx.NodeProto()
        after.CopyFrom(last)
        emit.nodes.insert(0, after)
        apply(work, {at: emit})
    if last.op_type == found.final == "SVMClassifier":
        note = (
            f"the model ends in {last.op_type}, whose probabilities are found by iteration; a class's "
            "log-odds against the others, added up, are explained"
        )
        return replace(lowered, score=found.value, end_note=note)
    note = f"the model ends in {last.op_type}" + (f" of {found.final}" if last.op_type != found.final else "")
    return replace(
        lowered, proto=work.proto, score=found.value, end_note=f"{note}; the logit before it is explained"
    )


class _Ends:
    """Finds the score of a value, and writes the moves that it takes."""

    def __init__(self, work: Workspace, nodes: Mapping[str, onnx.NodeProto], emit: Emit) -> None:
        self.work, self.nodes, self.emit = work, nodes, emit

    def score(self, value: str) -> ScoreBehind | None:
        """The score of a value; None where it is no probability, or has none."""
        node = self.nodes.get(value)
        if node is not None and self.work.has_score(node) and value == node.output[1]:
            return ScoreBehind(self.work.score_of(node), node.op_type)
        if node is None or domain_of(node) or node.output[0] != value or not self.work.is_signal(value):
            return None
        kind = node.op_type
        if kind in _FINAL:
            return ScoreBehind(node.input[0], kind)
        if kind in _HAND_ON:
            return self.score(node.input[0])
        if kind in _MOVE:
            return self._moved(node)
        if kind == "Concat":
            return self._joined(node)
        if kind in ("Sub", "Add"):
            return self._other_class(node)
        if kind in ("Exp", "Log"):
            found = self.score(node.input[0])
            return found if found and found.final == ("LogSoftmax" if kind == "Exp" else "Softmax") else None
        if kind == "Div" and self._is_total(node.input[1], node.input[0]):
            return self.score(node.input[0])
        if kind == "Mul" and any(self._is(v, 100) for v in node.input):  # per cent
            return self.score(node.input[1 if self._is(node.input[0], 100) else 0])
        return None

    def _moved(self, node: onnx.NodeProto) -> ScoreBehind | None:
        found = None if any(self.work.is_signal(v) for v in node.input[1:]) else self.score(node.input[0])
        if found is None:
            return None
        made = self.emit.op(node.op_type, found.value, *node.input[1:], what="score", **attributes(node))
        return replace(found, value=made)

    def _joined(self, node: onnx.NodeProto) -> ScoreBehind | None:
        parts = [self.score(v) for v in node.input]
        scores = [p for p in parts if p is not None]
        if len(scores) < len(parts):
            return None
        made = self.emit.op("Concat", *(s.value for s in scores), what="score", **attributes(node))
        return replace(scores[0], value=made)

    def _other_class(self, node: onnx.NodeProto) -> ScoreBehind | None:
        """``1 - p`` of a sigmoid: the score with the other sign. A softmax's classes have their own."""
        first, second = node.input
        if node.op_type == "Add":
            first, second = (first, second) if self._is(first, 1) else (second, first)
            negated = self.nodes.get(second)
            if negated is None or negated.op_type != "Neg":
                return None
            second = negated.input[0]
        found = self.score(second) if self._is(first, 1) else None
        if found is None or found.final not in ("Sigmoid", "HardSigmoid"):
            return None
        return replace(found, value=self.emit.op("Neg", found.value, what="score"))

    def _is(self, value: str, number: float) -> bool:
        constant = self.work.constant(value)
        return constant is not None and bool((constant == number).all())

    def _is_total(self, value: str, of: str) -> bool:
        """Whether a value is what all of another's add up to, or the largest."""
        node = self.nodes.get(value)
        while node is not None and node.op_type in ("Clip", "Max", "Add", "Expand", "Sqrt", "Identity"):
            node = next(
                (self.nodes[v] for v in node.input if v in self.nodes and self.work.is_signal(v)), None
            )
        if node is None or node.op_type not in ("ReduceSum", "ReduceL1", "ReduceL2", "ReduceMax"):
            return False
        inner = self.nodes.get(node.input[0])
        own = node.input[0] == of
        return own or (inner is not None and inner.op_type in ("Abs", "Mul") and of in inner.input)


def _mixed(work: Workspace, nodes: Mapping[str, onnx.NodeProto], output: str) -> str | None:
    """The operator whose probabilities an output is a mixture of, with no layer in between."""
    waiting, seen = [output], {output}
    passing = _HAND_ON | _MOVE | _MIX | {"Concat", "Log", "Neg", "Where"}
    while waiting:
        node = nodes.get(waiting.pop())
        if node is None or domain_of(node):
            continue
        if node.op_type in _FINAL:
            return str(node.op_type)
        signals = [v for v in node.input if v and work.is_signal(v)]
        # A product of two signals is a gate, and no mixture.
        if node.op_type not in passing or (node.op_type == "Mul" and len(signals) > 1):
            continue
        waiting += [v for v in signals if v not in seen]
        seen.update(signals)
    return None
