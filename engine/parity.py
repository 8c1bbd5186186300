"""Whether an instrumented model still says what its source says."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import onnx

from .errors import ModelError
from .lowering.graphs import every_node, is_random

# How far the instrumented forward may be from the file's own, relative to the output's size:
# onnxruntime fuses other nodes once inner values are asked for, and rounds differently.
PARITY = 1e-3
# Where an operator that rounds to 8 or 16 bits is run in float32, or is fused with others or not: one
# step of 8 bits in one layer is several in those after it.
PARITY_APPROXIMATE = 1e-1


def check_parity(
    approximate: bool, own: Mapping[str, Any], values: Mapping[str, Any], proto: onnx.ModelProto, where: str
) -> None:
    """The instrumented forward must give what the file gives, or nothing is explained.

    Raises
    ------
    ModelError
        It does not.
    """
    bound = PARITY_APPROXIMATE if approximate else PARITY
    for name, y in own.items():
        if not isinstance(y, np.ndarray) or y.dtype.kind != "f":
            continue
        finite = np.isfinite(y)
        size = float(np.abs(y[finite]).max(initial=0.0)) or 1.0
        gap = float(np.abs(values[name][finite].astype(np.float64) - y[finite]).max(initial=0.0)) / size
        if not gap <= bound:
            drawn = next((n for n in every_node(proto.graph) if is_random(n)), None)
            if drawn is not None:
                raise ModelError(
                    f"{where}: output {name!r} is drawn at random ({drawn.op_type}): no two "
                    "runs agree; an input that scales the noise, set to 0, makes it explainable"
                )
            raise ModelError(
                f"{where}: output {name!r} changes by {gap:.1e} of its size when inner values "
                "are read; refused"
            )
