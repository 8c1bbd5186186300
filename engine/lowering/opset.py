"""Files of an opset in which gates, or relevance, cannot be written: raised to one in which they can."""

from __future__ import annotations

import onnx
import onnx.version_converter

from ..errors import ModelError
from ..file.runtime import one_line

# Where came with opset 9, and with it what gates are written in.
LOWEST = 9
RAISED = 13


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
        return onnx.version_converter.convert_version(proto, to)
    except Exception as e:  # the converter raises what its C++ side raises
        raise ModelError(
            f"{where}: opset {version} is too old, and onnx cannot raise it ({one_line(e)}); "
            f"export with opset {lowest} or newer"
        ) from None
