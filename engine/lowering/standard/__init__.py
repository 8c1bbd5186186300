"""Operators of the standard that are compositions of others, written out where they have no rule.

Their relevance then comes by itself, from the rules of what they are made of. So do forms of operators
whose rule knows simpler ones: a norm whose scale depends on the input, a scatter that multiplies.
"""

from __future__ import annotations

from ...file.protobuf import domain_of
from ..workspace import Workspace
from . import dead_rows, deform, norms, numbers, picked, rois, sampling, scatter
from .table import write_out, writer_of

_FAMILIES = (deform, norms, numbers, picked, rois, sampling, scatter)  # each registers its own


def run(work: Workspace) -> bool:
    """Write out every such operator that an input can change; whether there were any.

    Raises
    ------
    UnsupportedOperator
        One has a form that is not supported.
    """
    found = {
        i: node
        for i, node in enumerate(work.nodes)
        if not domain_of(node) and writer_of(work, node) and any(work.varies(v) for v in node.input)
    }
    # Whole numbers are indices, made of shapes: no relevance is on them, and the batch may be among them.
    ranges = [n.output[0] for n in found.values() if n.op_type == "Range"]
    if ranges:
        kinds = work.observe(ranges)
        found = {
            i: n for i, n in found.items() if n.op_type != "Range" or kinds[n.output[0]].dtype.kind == "f"
        }
    if found:
        write_out(work, found)
    return dead_rows.run(work) or bool(found)
