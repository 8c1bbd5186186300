"""Gates: factors that say how much of a signal passes are held constant.

Self-gates are ``linear(x) * f(x)`` with f elementwise, as exporters spell GELU, SiLU, HardSwish: x gets
``m f(x)``, the identity rule for the whole function. Without it the product would look like one of two
signals. Gates of another signal are sigmoids (LSTM, GRU, gated units).
"""

from __future__ import annotations

from ..analysis.probe import Probe
from ..file.graph import SELF_GATED, Graph, Node

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


def run(graph: Graph, probe: Probe) -> Graph:
    """Hold the gate of every gated signal."""
    for node in graph.nodes:
        if node.op_type != "Mul" or node.domain != "" or node.held:
            continue
        a, b = node.inputs
        if a not in probe.varying or b not in probe.varying or a == b:
            continue
        for gate, (signal, factor) in ((1, (a, b)), (0, (b, a))):
            root = _scaled(graph, probe, signal)
            if factor not in root and _elementwise_of(graph, probe, factor, root[-1]):
                node.held.add(gate)
                node.attributes[SELF_GATED] = 1
                break
        else:
            sides = [_is_gate(graph, probe, v) for v in (a, b)]
            if sides[0] != sides[1]:
                node.held.add(sides.index(True))
    return graph


def _is_gate(graph: Graph, probe: Probe, value: str) -> bool:
    """Whether a value is between 0 and 1 by construction: a sigmoid, or one minus a sigmoid.

    Such a factor says how much of the other one passes (LSTM, GRU, gated units): the signal takes all
    (Arras et al. 2017).
    """
    node = graph.producer.get(value)
    while node is not None and node.domain == "" and node.op_type in _MOVES:
        node = graph.producer.get(node.inputs[0])
    if node is None or node.domain != "":
        return False
    if node.op_type == "Sub" and node.inputs[0] not in probe.varying:
        return _is_gate(graph, probe, node.inputs[1])
    return node.op_type in ("Sigmoid", "HardSigmoid")


def activated(graph: Graph, probe: Probe) -> set[tuple[Node, int]]:
    """Operands of products that are what an activation gives, where the other operand is not.

    In SwiGLU and GEGLU (Shazeer 2020) they say how much of the other signal passes, as the sigmoids of
    `run` do. CP-LRP as LXT has it holds them constant; under AttnLRP both get half (Prop. 3.3).
    """
    found = set()
    for node in graph.nodes:
        if node.op_type != "Mul" or node.domain != "" or node.held or len(set(node.inputs)) == 1:
            continue
        if all(v in probe.varying for v in node.inputs):
            sides = [_is_activated(graph, probe, v) for v in node.inputs]
            if sides[0] != sides[1]:
                found.add((node, sides.index(True)))
    return found


def _is_activated(graph: Graph, probe: Probe, value: str) -> bool:
    made = (graph.producer.get(v) for v in _scaled(graph, probe, value))
    return any(
        n is not None and n.domain == "" and (n.op_type in _ACTIVATIONS or SELF_GATED in n.attributes)
        for n in made
    )


def _varying_inputs(node: Node, probe: Probe) -> list[str]:
    return [v for v in node.inputs if v in probe.varying]


def _scaled(graph: Graph, probe: Probe, value: str) -> list[str]:
    """`value` and what it is a constant multiple of, back to the first that is none."""
    chain = [value]
    while True:
        node = graph.producer.get(chain[-1])
        if node is None or node.op_type not in _SCALES or node.domain != "":
            return chain
        varying = _varying_inputs(node, probe)
        if len(varying) != 1 or (node.op_type == "Div" and node.inputs[0] != varying[0]):
            return chain
        if any(
            probe.constants.get(v) is None or probe.constants[v].size != 1
            for v in node.inputs
            if v and v not in varying
        ):
            return chain
        chain.append(varying[0])


def _elementwise_of(graph: Graph, probe: Probe, value: str, root: str) -> bool:
    """Whether `value` is made from `root` alone, element by element."""
    stack, steps = [value], 0
    while stack:
        at = stack.pop()
        if at == root or at not in probe.varying:
            continue
        node = graph.producer.get(at)
        if node is None or node.op_type not in _ELEMENTWISE or node.domain != "":
            return False
        steps += 1
        stack.extend(_varying_inputs(node, probe))
    return steps > 0
