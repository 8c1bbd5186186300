"""Gates: factors that say how much of a signal passes are held constant.

Self-gates are ``linear(x) * f(x)`` with f elementwise, as exporters spell GELU, SiLU, HardSwish: x gets
``m f(x)``, the identity rule for the whole function. Without it the product would look like one of two
signals. Gates of another signal are sigmoids (LSTM, GRU, gated units).
"""

from __future__ import annotations

from ..analysis.analysis import Analysis
from ..file.graph import SELF_GATED, Node

_SCALES = frozenset({"Mul", "Div", "Neg", "Identity", "Cast", "QuantizeLinear", "DequantizeLinear"})
_ELEMENTWISE = frozenset(
    {
        "Abs", "Add", "Cast", "Ceil", "Clip", "Cos", "DequantizeLinear", "Div", "Elu", "Erf", "Exp",
        "Floor", "HardSigmoid", "HardSwish", "Identity", "LeakyRelu", "Log", "Max", "Min", "Mul", "Neg",
        "Pow", "QuantizeLinear", "Reciprocal", "Relu", "Round", "Sigmoid", "Sign", "Sin", "Softplus",
        "Softsign", "Sqrt", "Sub", "Sum", "Tanh",
    }
)  # fmt: skip


_MOVES = frozenset(
    {"Cast", "DequantizeLinear", "Expand", "Flatten", "Gather", "Identity", "QuantizeLinear", "Reshape",
     "Slice", "Split", "Squeeze", "Transpose", "Unsqueeze"}
)  # fmt: skip

_ACTIVATIONS = frozenset(
    {"Celu", "Elu", "Gelu", "HardSwish", "LeakyRelu", "Mish", "Relu", "Selu", "Softplus", "Swish", "Tanh"}
)


def run(analysis: Analysis) -> Analysis:
    """Hold the gate of every gated signal."""
    for node in analysis.nodes:
        if node.op_type != "Mul" or node.domain != "" or node.held:
            continue
        a, b = node.inputs
        if not analysis.varies(a) or not analysis.varies(b) or a == b:
            continue
        for gate, (signal, factor) in ((1, (a, b)), (0, (b, a))):
            root = _scaled(analysis, signal)
            if factor not in root and _elementwise_of(analysis, factor, root[-1]):
                node.held.add(gate)
                node.attributes[SELF_GATED] = 1
                break
        else:
            sides = [_is_gate(analysis, v) for v in (a, b)]
            if sides[0] != sides[1]:
                node.held.add(sides.index(True))
    return analysis


def _is_gate(analysis: Analysis, value: str) -> bool:
    """Whether a value is between 0 and 1 by construction: a sigmoid, or one minus a sigmoid.

    Such a factor says how much of the other one passes (LSTM, GRU, gated units): the signal takes all
    (Arras et al. 2017).
    """
    node = analysis.producer(value)
    while node is not None and node.domain == "" and node.op_type in _MOVES:
        node = analysis.producer(node.inputs[0])
    if node is None or node.domain != "":
        return False
    if node.op_type == "Sub" and not analysis.varies(node.inputs[0]):
        return _is_gate(analysis, node.inputs[1])
    return node.op_type in ("Sigmoid", "HardSigmoid")


def activated(analysis: Analysis) -> set[tuple[Node, int]]:
    """Operands of products that are what an activation gives, where the other operand is not.

    In SwiGLU and GEGLU (Shazeer 2020) they say how much of the other signal passes, as the sigmoids of
    `run` do. CP-LRP as LXT has it holds them constant; under AttnLRP both get half (Prop. 3.3).
    """
    found = set()
    for node in analysis.nodes:
        if node.op_type != "Mul" or node.domain != "" or node.held or len(set(node.inputs)) == 1:
            continue
        if all(analysis.varies(v) for v in node.inputs):
            sides = [_is_activated(analysis, v) for v in node.inputs]
            if sides[0] != sides[1]:
                found.add((node, sides.index(True)))
    return found


def _is_activated(analysis: Analysis, value: str) -> bool:
    made = (analysis.producer(v) for v in _scaled(analysis, value))
    return any(
        n is not None and n.domain == "" and (n.op_type in _ACTIVATIONS or SELF_GATED in n.attributes)
        for n in made
    )


def _scaled(analysis: Analysis, value: str) -> list[str]:
    """`value` and what it is a constant multiple of, back to the first that is none."""
    chain = [value]
    while True:
        node = analysis.producer(chain[-1])
        if node is None or node.op_type not in _SCALES or node.domain != "":
            return chain
        varying = analysis.varying_inputs(node)
        if len(varying) != 1 or (node.op_type == "Div" and node.inputs[0] != varying[0]):
            return chain
        others = [analysis.constant(v) for v in node.inputs if v and v not in varying]
        if any(c is None or c.size != 1 for c in others):
            return chain
        chain.append(varying[0])


def _elementwise_of(analysis: Analysis, value: str, root: str) -> bool:
    """Whether `value` is made from `root` alone, element by element."""
    stack, steps = [value], 0
    while stack:
        at = stack.pop()
        if at == root or not analysis.varies(at):
            continue
        node = analysis.producer(at)
        if node is None or node.op_type not in _ELEMENTWISE or node.domain != "":
            return False
        steps += 1
        stack.extend(analysis.varying_inputs(node))
    return steps > 0
