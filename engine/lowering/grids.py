"""AffineGrid as one product with the plain grid.

The standard defines it by other operators too, but that definition fails on one sample, and fetches
sizes out of tensors where numbers do.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import onnx

from ..file.protobuf import Array, attributes, domain_of
from .emit import Emit, apply
from .workspace import Workspace


def run(work: Workspace) -> bool:
    """Write out every AffineGrid; whether there were any."""
    found = {i: n for i, n in enumerate(work.nodes) if n.op_type == "AffineGrid" and not domain_of(n)}
    if not found:
        return False
    work.observe(n.input[1] for n in found.values())
    made = {i: _written(Emit(work, node), node) for i, node in found.items()}
    apply(work, made)
    return True


def _written(emit: Emit, node: onnx.NodeProto) -> Emit:
    theta, wanted = node.input
    sizes = [int(v) for v in emit.work.observe([wanted])[wanted][2:]]
    if emit.work.varies(wanted):
        emit.note(emit.slice(wanted, 2, 2 + len(sizes), 0, what="sizes"), np.array(sizes, np.int64))
    kind = emit.work.observe([theta])[theta].dtype
    plain = _plain(sizes, bool(attributes(node).get("align_corners", 0))).astype(kind)
    turned = emit.transpose(theta, (0, 2, 1), what="Transpose")
    flat = emit.op("MatMul", emit.const(plain, "grid"), turned, what="MatMul")
    emit.give({node.output[0]: emit.reshape(flat, (-1, *sizes, len(sizes)), what="Reshape")})
    return emit


def _plain(sizes: Sequence[int], corners: bool) -> Array:
    """Points of the grid in a row, from -1 to 1, x first, and a one behind."""
    axes = []
    for n in sizes:
        step = 2 / max(n - 1, 1) if corners else 2 / n
        start = -1.0 if corners else -1 + step / 2
        axes.append(start + step * np.arange(n))
    points = np.stack([*np.meshgrid(*axes, indexing="ij")[::-1], np.ones(tuple(sizes))], axis=-1)
    flat: Array = points.reshape(-1, len(sizes) + 1)
    return flat
