"""Zeros put around a convolution's input as the padding of the convolution.

PyTorch pads so for `padding="same"` with an even kernel, and optimisers fuse the two. Rules that share
relevance out whatever the input is (flat, w^2, z-box; Montavon et al. 2017) would give some to the zeros.
"""

from __future__ import annotations

import numpy as np

from ..analysis.analysis import Analysis
from ..file.graph import Node
from . import match
from .rewrite import Rewrite


def run(analysis: Analysis) -> Analysis:
    """Put one convolution in the place of every Pad whose only reader is one."""
    rewrite = Rewrite(analysis)
    for node in analysis.nodes:
        pad = analysis.producer(node.inputs[0]) if node.op_type == "Conv" and node.domain == "" else None
        if pad is None or pad.domain != "" or match.reader(analysis, node.inputs[0]) is not node:
            continue
        if node.attributes.get("auto_pad", "NOTSET") not in ("NOTSET", "VALID"):
            continue
        added = _zeros(analysis, pad)
        if added is None:
            continue
        n = len(added) // 2
        # Batch and channels are no axes that a convolution pads.
        if added[:2] + added[n : n + 2] != [0, 0, 0, 0]:
            continue
        spatial = added[2:n] + added[n + 2 :]
        own = node.attributes.get("pads") or [0] * len(spatial)
        if node.attributes.get("auto_pad") == "VALID":
            own = [0] * len(spatial)
        pads = tuple(int(a) + b for a, b in zip(own, spatial, strict=True))
        attributes = {**node.attributes, "pads": pads, "auto_pad": "NOTSET"}
        inputs = (pad.inputs[0], *node.inputs[1:])
        layer = Node(node.name, "", "Conv", node.version, inputs, node.outputs, attributes)
        rewrite.put(layer, node, without=[pad])
    return rewrite.done()


def _zeros(analysis: Analysis, pad: Node) -> list[int] | None:
    """How many zeros a Pad puts before and after each axis; None where it does anything else."""
    if pad.op_type != "Pad" or pad.attributes.get("mode", "constant") != "constant":
        return None
    rank = analysis.rank(pad.inputs[0])
    if pad.version < 11:  # attributes, before they were operands
        pads, value = pad.attributes.get("pads"), pad.attributes.get("value", 0.0)
        axes = list(range(rank))
    else:
        given = [analysis.constant(v) if v else None for v in (*pad.inputs, "", "", "")][1:4]
        if any(v and g is None for v, g in zip(pad.inputs[1:4], given, strict=False)):
            return None
        pads = None if given[0] is None else given[0].reshape(-1).tolist()
        value = 0.0 if given[1] is None else float(given[1].reshape(()))
        axes = list(range(rank)) if given[2] is None else [int(a) % rank for a in given[2].reshape(-1)]
    if pads is None or value != 0 or min(pads) < 0:
        return None
    found = np.zeros((2, rank), int)
    found[:, axes] = np.reshape(pads, (2, len(axes)))
    counts: list[int] = found.reshape(-1).tolist()
    return counts
