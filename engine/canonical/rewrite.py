"""What a pass puts in the place of what."""

from __future__ import annotations

from collections.abc import Iterable

from ..analysis.analysis import Analysis
from ..file.graph import Node
from ..file.protobuf import Array


class Rewrite:
    """New nodes for old ones, collected while a pass looks at the graph as it was.

    Parameters
    ----------
    analysis : Analysis
        Is not changed.
    """

    def __init__(self, analysis: Analysis) -> None:
        self._analysis = analysis
        self._made: dict[Node, Node] = {}
        self._gone: set[Node] = set()
        self._constants: dict[str, Array] = {}

    def put(self, new: Node, at: Node, without: Iterable[Node] = ()) -> None:
        """Put a node in the place of another one, where all that it reads is made already.

        Parameters
        ----------
        new, at : Node
        without : iterable of Node
            More nodes that the new one stands for.
        """
        self._made[at] = new
        self._gone.update(without)

    def constant(self, name: str, array: Array) -> str:
        """A constant that new nodes read, by this name."""
        self._constants[name] = array
        return name

    def replaces(self, node: Node) -> bool:
        """Whether something is put in the place of a node already."""
        return node in self._made

    def done(self) -> Analysis:
        """The analysis of the graph with the new nodes; the very same where there are none."""
        if not self._made:
            return self._analysis
        gone = self._gone - set(self._made)
        nodes = [self._made.get(n, n) for n in self._analysis.nodes if n not in gone]
        return self._analysis.with_graph(self._analysis.graph.with_nodes(nodes), self._constants)
