"""The active path: which nodes and values relevance can be on, from the inputs to an explained tensor."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from ..analysis.probe import Probe
from ..canonical.attention import attention_weights
from ..canonical.gates import activated
from ..composite import FIRST_OF_KIND, Composite
from ..file.graph import TRANSFORM, Graph, Node
from ..rules import registry
from .integers import decided_values, numeric_values, sample_values, token_values
from .quantised_values import quantised_values


def carries(graph: Graph, probe: Probe) -> set[str]:
    """Values that relevance can be on: floating, or tokens on their way to an embedding."""
    floating = {v for v in probe.varying if v in probe.dtypes and probe.dtypes[v].kind == "f"}
    # A scale found from the input is a constant of the numbers it scales.
    scales = {v for n in graph.nodes if n.op_type == "DynamicQuantizeLinear" for v in n.outputs[1:]}
    integers = token_values(graph, probe) | sample_values(graph, probe) | quantised_values(graph, probe)
    return (floating | integers) - scales


def blocked(graph: Graph, probe: Probe, composite: Composite) -> set[tuple[Node, int]]:
    """Operands that count as constants under a composite."""
    found: set[tuple[Node, int]] = set()
    if not composite.is_gradient:
        found |= {(node, i) for node in graph.nodes for i in node.held}
    if composite.variant("softmax") == "constant":
        found |= {(node, i) for node in attention_weights(graph, probe) for i in range(len(node.inputs))}
    if composite.variant("product") == "signal":
        found |= activated(graph, probe)
    return found


def weights_of(graph: Graph, probe: Probe, leaves: Sequence[str]) -> set[tuple[Node, int]]:
    """Operands made of `leaves` that are weights: asking for one must not turn a layer into a product."""
    made = graph.made_of(leaves)
    passes = ("add", "move", "reduce", "scale", "pool")
    found = set()
    for node in graph.nodes:
        rule = registry.find(node)
        if rule is None or rule.kind not in passes:
            found |= {(node, i) for i, v in enumerate(node.inputs) if v in made and v not in probe.varying}
    return found


def active_nodes(
    graph: Graph,
    probe: Probe,
    composite: Composite,
    target: str,
    sources: Iterable[str],
    leaves: Sequence[str] = (),
    held: set[tuple[Node, int]] | None = None,
) -> tuple[list[Node], set[str]]:
    """Nodes and values on the active path, from inputs (and constants asked for) to target."""
    able = carries(graph, probe) | {
        v for v in graph.made_of(leaves) if v in probe.dtypes and probe.dtypes[v].kind == "f"
    }
    sources = [*sources, *leaves]
    held = blocked(graph, probe, composite) if held is None else held
    values = graph.active(sources, target, able, held)
    # No floating input and no embedding: integers that are used as numbers; then what is only compared.
    for more in (numeric_values, decided_values):
        if not any(s in values for s in sources):
            values = graph.active(sources, target, able | more(graph, probe), held)
    nodes = [
        n
        for n in graph.nodes
        if any(o in values for o in n.outputs) and any(i in values for i in (*n.inputs, *n.captures))
    ]
    return nodes, values


def first_layers(graph: Graph, nodes: list[Node], values: set[str]) -> dict[Node, str]:
    """The position of linear and convolution layers with no other between them and the inputs.

    That is "first", or `FIRST_OF_KIND` where those before them are all of the other kind.
    """
    behind: dict[str, set[str]] = {}  # the kinds of layer that a value has passed
    found: dict[Node, str] = {}
    for node in nodes:
        rule = registry.find(node)
        passed = {kind for v in node.inputs for kind in behind.get(v, ())}
        if rule is not None and rule.kind in ("linear", "conv") and not node.attributes.get(TRANSFORM):
            if rule.kind not in passed and sum(v in values for v in node.inputs) == 1:
                found[node] = FIRST_OF_KIND if passed else "first"
            passed = passed | {rule.kind}
        if passed:
            behind.update((v, passed) for v in node.outputs)
    return found
