"""Names that onnxplain gives to what it writes: a file that has them already gets others.

A compiled file is a model too, and can be explained as any other.
"""

from __future__ import annotations

import onnx

from .protobuf import every_graph

PREFIX = "onnxplain/"
_ITS = "its/"


def set_apart(proto: onnx.ModelProto) -> None:
    """Rename what has such a name within the model; inputs and outputs keep theirs.

    Parameters
    ----------
    proto : onnx.ModelProto
        Changed in place.
    """
    kept = {v.name for v in (*proto.graph.input, *proto.graph.output)}

    def other(name: str) -> str:
        return f"{_ITS}{name}" if name.startswith(PREFIX) and name not in kept else name

    for graph in every_graph(proto.graph):
        for value in (*graph.input, *graph.output, *graph.value_info, *graph.initializer):
            if value.name.startswith(PREFIX):
                value.name = other(value.name)
        for node in graph.node:
            node.name = other(node.name)
            for names in (node.input, node.output):
                if any(n.startswith(PREFIX) for n in names):
                    names[:] = [other(n) for n in names]
