"""Places inside a network that people ask about: attention heads, and embeddings of positions.

Both are found by the graph's shape, not by names: where a softmax weighs values, and what constant of a
given length is added to the signal.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np
import onnx
from numpy.typing import NDArray

from ..errors import InputError

# What leaves attention weights what they are on the way to the values.
_PASSING = frozenset({"Identity", "Cast", "Dropout", "Where", "Mul", "Div", "Add"})
_FUSED = {
    "Attention": ("q_num_heads", "num_heads"),
    "MultiHeadAttention": ("num_heads",),
    "GroupQueryAttention": ("num_heads",),
}

_WEIGHTED = frozenset({"Gemm", "MatMul", "Conv", "MatMulNBits", "FusedMatMul"})


@dataclass(frozen=True)
class Heads:
    """Where the heads of one layer of attention give what they have read.

    Attributes
    ----------
    tensor : str
        Values weighed by attention; relevance there is the relevance that each head carries.
    axis : int
        The heads' axis, from the end; 0 where heads are folded into the batch, or lie side by side in the
        last axis (`side_by_side`).
    side_by_side : int
        How many heads share the last axis, for fused operators; 0 otherwise.
    """

    tensor: str
    axis: int
    side_by_side: int = 0

    def per_head(self, relevance: NDArray[np.floating], batch: int) -> NDArray[np.float64]:
        """Relevance of each head, summed over everything else.

        Parameters
        ----------
        relevance : ndarray
            Of `tensor`.
        batch : int

        Returns
        -------
        ndarray, shape (batch, head)

        Raises
        ------
        InputError
            The tensor's first axis is no multiple of the batch.
        """
        r = np.asarray(relevance, dtype=np.float64)
        if not r.ndim or not batch or r.shape[0] % batch:
            raise InputError(f"{self.tensor}: shape {r.shape} has no axis of {batch} samples")
        if self.side_by_side and r.ndim < 4:
            r = r.reshape(*r.shape[:-1], self.side_by_side, -1)
            return np.asarray(r.sum(tuple(i for i in range(1, r.ndim) if i != r.ndim - 2)))
        if not self.axis or r.ndim < -self.axis + 1:
            r = r.reshape(batch, r.shape[0] // batch, -1)
            return np.asarray(r.sum(-1))
        heads = r.ndim + self.axis
        r = r.reshape(batch, r.shape[0] // batch, *r.shape[1:])  # patches, or electrodes, folded into it
        return np.asarray(r.sum(tuple(i for i in range(1, r.ndim) if i != heads + 1)))


def attention_heads(model: onnx.ModelProto) -> tuple[Heads, ...]:
    """Every layer of attention in the main graph, in its order.

    A softmax (or a fused operator) whose result is multiplied with values. A softmax at the network's end
    weighs none.
    """
    readers: dict[str, list[onnx.NodeProto]] = {}
    for node in model.graph.node:
        for name in node.input:
            readers.setdefault(name, []).append(node)
    found = []
    for node in model.graph.node:
        if node.op_type in _FUSED:
            counts = [a.i for a in node.attribute if a.name in _FUSED[node.op_type] and a.i]
            if counts:
                found.append(Heads(node.output[0], -3, counts[0]))
        elif node.op_type == "Softmax":
            site = _weighed(node.output[0], readers)
            if site is not None:
                found.append(site)
    return tuple(dict.fromkeys(found))


def _weighed(name: str, readers: dict[str, list[onnx.NodeProto]], most: int = 6) -> Heads | None:
    """Where attention weights meet values."""
    for node in readers.get(name, ()):
        if node.op_type == "MatMul" and node.input[0] == name:
            return Heads(node.output[0], -3)
        if node.op_type == "MatMul" and node.input[1] == name:
            return Heads(node.output[0], -3)
        if node.op_type == "Einsum":
            axis = _einsum_axis(node, list(node.input).index(name))
            if axis is not None:
                return Heads(node.output[0], axis)
        if node.op_type in _PASSING and most:
            found = _weighed(node.output[0], readers, most - 1)
            if found is not None:
                return found
    return None


def _einsum_axis(node: onnx.NodeProto, operand: int) -> int | None:
    """Where the axis before rows and columns of the weights is in the result, from the end."""
    equation = next((a.s.decode() for a in node.attribute if a.name == "equation"), "").replace(" ", "")
    left, arrow, right = equation.partition("->")
    terms = left.split(",")
    if not arrow or operand >= len(terms) or len(terms[operand]) < 3:
        return None
    letter = terms[operand][-3]
    return right.index(letter) - len(right) if letter in right else None


def embedded(model: onnx.ModelProto, added: Iterable[str], length: int) -> tuple[str, ...]:
    """Constants with an axis of a given length behind constants that were added to the signal.

    Parameters
    ----------
    model : onnx.ModelProto
    added : iterable of str
        Tensors that the ledger calls constant.
    length : int
        Of the axis: the number of electrodes.

    Returns
    -------
    tuple of str
        Nearest to where it is added first.
    """
    shapes = _shapes(model)
    producer = {o: node for node in model.graph.node for o in node.output if o}
    found: dict[str, None] = {}
    for start in added:
        queue, seen = deque([start]), {start}
        while queue:
            name = queue.popleft()
            shape = shapes.get(name)
            if shape is not None and len(shape) > 1 and length in shape:
                found[name] = None
            node = producer.get(name)
            for before in () if node is None else node.input:
                if before and before not in seen:
                    seen.add(before)
                    queue.append(before)
    return tuple(found)


def last_features(model: onnx.ModelProto, output: str) -> str | None:
    """What the last layer with weights reads: the network's features, before it decides.

    Parameters
    ----------
    model : onnx.ModelProto
    output : str
        The output that the layer leads to.

    Returns
    -------
    str or None
        A tensor; None where nothing before the output has weights (in the main graph).
    """
    weights = {t.name for t in model.graph.initializer}
    producer = {o: node for node in model.graph.node for o in node.output if o}
    name: str | None = output
    for _ in range(len(model.graph.node)):
        node = producer.get(name or "")
        if node is None or not node.input:
            return None
        if node.op_type in _WEIGHTED and any(n in weights for n in node.input[1:]):
            return str(node.input[0])
        # Constants (a bias, a temperature) do not come from the signal.
        name = next((n for n in node.input if n and n not in weights), None)
    return None


def _shapes(model: onnx.ModelProto) -> dict[str, tuple[int, ...]]:
    """Shapes as far as the file tells them; 0 for what is open."""
    shapes = {t.name: tuple(t.dims) for t in model.graph.initializer}
    try:
        infos: Sequence[onnx.ValueInfoProto] = onnx.shape_inference.infer_shapes(model).graph.value_info
    except Exception:
        infos = model.graph.value_info
    for info in infos:
        if info.type.tensor_type.HasField("shape"):
            shapes.setdefault(info.name, tuple(d.dim_value for d in info.type.tensor_type.shape.dim))
    return shapes
