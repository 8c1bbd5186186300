"""The active path: which nodes and values relevance can be on, from the inputs to an explained tensor."""

from __future__ import annotations

from collections.abc import Sequence

from ..analysis.analysis import Analysis
from ..canonical.attention import attention_weights
from ..canonical.gates import activated
from ..composite import FIRST_OF_KIND, Composite
from ..file.graph import BRANCH, REACHED, TRANSFORM, Node
from ..rules import registry
from .integers import decided_values, numeric_values, sample_values, token_values
from .quantised_values import quantised_values


def carries(analysis: Analysis) -> set[str]:
    """Values that relevance can be on: floating, or tokens on their way to an embedding."""
    floating = {v for v in analysis.probe.varying if analysis.kind(v) == "f"}
    # A scale found from the input is a constant of the numbers it scales.
    scales = {v for n in analysis.nodes if n.op_type == "DynamicQuantizeLinear" for v in n.outputs[1:]}
    integers = token_values(analysis) | sample_values(analysis) | quantised_values(analysis)
    branches = {v for v in analysis.probe.varying if f"/{BRANCH}" in v}
    return (floating | integers | branches) - scales - _reached(analysis)


def _reached(analysis: Analysis) -> set[str]:
    """Which branches of trees are reached, and what is made of that: decisions, with no relevance."""
    return {v for v in analysis.probe.varying if f"/{REACHED}" in v}


def blocked(analysis: Analysis, composite: Composite) -> set[tuple[Node, int]]:
    """Operands that count as constants under a composite."""
    found: set[tuple[Node, int]] = set()
    if not composite.holds_nothing:
        found |= {(node, i) for node in analysis.nodes for i in node.held}
    if composite.variant("softmax") == "constant":
        found |= {(node, i) for node in attention_weights(analysis) for i in range(len(node.inputs))}
    if composite.variant("product") == "signal":
        found |= activated(analysis)
    return found


def weights_of(analysis: Analysis, leaves: Sequence[str]) -> set[tuple[Node, int]]:
    """Operands made of `leaves` that are weights: asking for one must not turn a layer into a product."""
    made = analysis.graph.made_of(leaves)
    passes = ("add", "move", "reduce", "scale", "pool")
    found = set()
    for node in analysis.nodes:
        rule = registry.find(node)
        if rule is None or rule.kind not in passes:
            found |= {(node, i) for i, v in enumerate(node.inputs) if v in made and not analysis.varies(v)}
    return found


def active_nodes(
    analysis: Analysis,
    composite: Composite,
    target: str,
    leaves: Sequence[str] = (),
    held: set[tuple[Node, int]] | None = None,
) -> tuple[list[Node], set[str]]:
    """Nodes and values on the active path, from inputs (and constants asked for) to target."""
    graph = analysis.graph
    able = carries(analysis) | {v for v in graph.made_of(leaves) if analysis.kind(v) == "f"}
    sources = [*graph.inputs, *leaves]
    held = blocked(analysis, composite) if held is None else held
    values = graph.active(sources, target, able, held)
    # No floating input and no embedding: integers that are used as numbers; then what is only compared.
    for more in (numeric_values, decided_values):
        if not any(s in values for s in sources):
            values = graph.active(sources, target, (able | more(analysis)) - _reached(analysis), held)
    nodes = [
        n
        for n in analysis.nodes
        if any(o in values for o in n.outputs) and any(i in values for i in (*n.inputs, *n.captures))
    ]
    return nodes, values


def first_layers(nodes: list[Node], values: set[str]) -> dict[Node, str]:
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
