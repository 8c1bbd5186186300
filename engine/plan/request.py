"""What is to be explained of a model, whatever the input."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import onnx

from ..composite import Composite
from .inputs import Inputs

Array = np.ndarray[Any, Any]


@dataclass(frozen=True)
class Task:
    """What is to be explained of a model, whatever the input.

    Attributes
    ----------
    proto : onnx.ModelProto
    where : str
        The file, for messages.
    inputs : Inputs
    output : str
    composite : Composite
    ledger : bool
    at : tuple of str
        Inner tensors whose relevance is wanted; "re:" and an expression for several.
    providers, threads
        For onnxruntime.
    backend : {"numpy", "onnx", "auto"}
        What runs the way back.
    given : dict of str to ndarray
        Conditions that choose a branch, to be taken for these values whatever the input says.
    """

    proto: onnx.ModelProto
    where: str
    inputs: Inputs
    output: str
    composite: Composite
    ledger: bool = True
    at: tuple[str, ...] = ()
    providers: Sequence[str] | None = None
    threads: int | None = None
    backend: str = "numpy"
    given: Mapping[str, Array] = field(default_factory=dict)
