"""Files of an opset in which gates, or relevance, cannot be written: raised to one in which they can."""

from __future__ import annotations

import onnx
import onnx.version_converter

from ..errors import ModelError
from ..file.protobuf import every_node
from ..file.runtime import one_line

# Where came with opset 9, and with it what gates are written in.
LOWEST = 9
RAISED = 13
_ASIDE = "onnxplain.aside"


def raised(proto: onnx.ModelProto, where: str, *, lowest: int = LOWEST, to: int = RAISED) -> onnx.ModelProto:
    """The model in opset `to` where it is older than `lowest`, or the very same.

    Raises
    ------
    ModelError
        onnx cannot convert it.
    """
    version = max((o.version for o in proto.opset_import if o.domain in ("", "ai.onnx")), default=lowest)
    if version >= lowest:
        return proto
    try:
        return _in_standard(onnx.version_converter.convert_version(_out_of_standard(proto), to))
    except Exception as e:  # the converter raises what its C++ side raises
        raise ModelError(
            f"{where}: opset {version} is too old, and onnx cannot raise it ({one_line(e)}); "
            f"export with opset {lowest} or newer"
        ) from None


def _out_of_standard(proto: onnx.ModelProto) -> onnx.ModelProto:
    """A copy with onnxruntime's own operators (SimplifiedLayerNormalization) out of the standard's domain.

    They are in it, but in no version of it: onnx knows nothing of them, and converts nothing beside them.
    """
    made = onnx.ModelProto()
    made.CopyFrom(proto)
    strange = [
        n for n in every_node(made.graph) if n.domain in ("", "ai.onnx") and not onnx.defs.has(n.op_type)
    ]
    for node in strange:
        node.domain = _ASIDE
    if strange:
        made.opset_import.append(onnx.helper.make_opsetid(_ASIDE, 1))
    return made


def _in_standard(proto: onnx.ModelProto) -> onnx.ModelProto:
    """Back into it, in place."""
    for node in every_node(proto.graph):
        if node.domain == _ASIDE:
            node.domain = ""
    kept = [o for o in proto.opset_import if o.domain != _ASIDE]
    del proto.opset_import[:]
    proto.opset_import.extend(kept)
    return proto
