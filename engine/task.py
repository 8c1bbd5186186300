"""What is to be explained of a model, whatever the input."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import onnx

from .composite import Composite
from .feed import Inputs


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
