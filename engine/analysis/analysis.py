"""A model's graph together with what was found out about its values."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from ..file.graph import Graph, Node
from ..file.protobuf import Array
from .probe import Probe
from .shapes import Layout, Shape


@dataclass(frozen=True)
class Analysis:
    """What passes, rules and the walk ask about values.

    Attributes
    ----------
    graph : Graph
        The nodes that relevance walks; canonical passes put others in their place.
    probe : Probe
        Shapes, types, constants and samples, found by running the model.
    """

    graph: Graph
    probe: Probe

    @property
    def nodes(self) -> Sequence[Node]:
        """Nodes in the order they run."""
        return self.graph.nodes

    # -- a value ----------------------------------------------------------------------------------

    def varies(self, value: str) -> bool:
        """Whether a value can depend on what is in an input, not just on its shape."""
        return value in self.probe.varying

    def constant(self, value: str) -> Array | None:
        """The value where no input can change it; None where it varies, or with the batch."""
        return self.probe.constants.get(value)

    @property
    def constants(self) -> Mapping[str, Array]:
        """All values that no input can change, by name."""
        return self.probe.constants

    def is_constant(self, value: str) -> bool:
        """Whether no input can change a value."""
        return value in self.probe.constants

    def shape(self, value: str) -> Shape:
        """Shape of a value, with the batch in it."""
        return self.probe.shapes[value]

    def rank(self, value: str) -> int:
        """Number of axes of a value."""
        return len(self.probe.shapes[value])

    def dtype(self, value: str) -> np.dtype[Any]:
        """Type of a value."""
        return self.probe.dtypes[value]

    def kind(self, value: str) -> str:
        """Letter of a value's type (f, i, u, b ...); "?" where none was found, as for sequences."""
        dtype = self.probe.dtypes.get(value)
        return "?" if dtype is None else dtype.kind

    def layout(self, value: str) -> Layout | None:
        """Where the samples are in a value; None where they cannot be told apart."""
        return self.probe.layouts.get(value)

    # -- its neighbours ---------------------------------------------------------------------------

    def producer(self, value: str) -> Node | None:
        """The node that makes a value; None for inputs and initialisers."""
        return self.graph.producer.get(value)

    def readers(self, value: str) -> Sequence[Node]:
        """Nodes that read a value, in the order they run."""
        return self.graph.readers(value)

    def varying_inputs(self, node: Node) -> list[str]:
        """Operands of a node that depend on the input."""
        return [v for v in node.inputs if v in self.probe.varying]

    def keeps(self, *values: str) -> bool:
        """Whether any of these values must stay when nodes are put together."""
        return any(self.graph.keeps(v) for v in values)

    # -- another graph ----------------------------------------------------------------------------

    def with_graph(self, graph: Graph, constants: Mapping[str, Array] | None = None) -> Analysis:
        """The same model written otherwise; `constants` are values that only the new nodes read."""
        if not constants:
            return replace(self, graph=graph)
        probe = replace(
            self.probe,
            shapes={**self.probe.shapes, **{n: a.shape for n, a in constants.items()}},
            dtypes={**self.probe.dtypes, **{n: a.dtype for n, a in constants.items()}},
            constants={**self.probe.constants, **constants},
        )
        return Analysis(graph, probe)
