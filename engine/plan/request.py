"""What is to be explained of a model, whatever the input."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import onnx
import onnxruntime as ort

from ..composite import Composite
from ..file.runtime import Runtime, numpy_dtype
from .inputs import Inputs
from .targets import default_output, zip_maps

Array = np.ndarray[Any, Any]


@dataclass(frozen=True, kw_only=True)
class Request:
    """What is to be explained of a model, whatever the input.

    Attributes
    ----------
    proto : onnx.ModelProto
    runtime : Runtime
    inputs : Inputs
    outputs : tuple of str
        The model's own.
    output : str
        The output that is explained.
    composite : Composite
    ledger : bool
    at : tuple of str
        Inner tensors whose relevance is wanted; "re:" and an expression for several.
    backend : {"numpy", "onnx", "auto"}
        What runs the backward pass.
    logits : bool
        Whether the logit is explained where the model ends in a softmax or sigmoid, or the output itself.
    identity : str
        Of the model; "" where it is not known, and no plan can be kept.
    given : dict of str to ndarray
        Conditions that choose a branch, to be taken for these values whatever the input says.
    """

    proto: onnx.ModelProto
    runtime: Runtime
    inputs: Inputs
    outputs: tuple[str, ...]
    output: str
    composite: Composite
    ledger: bool = True
    at: tuple[str, ...] = ()
    backend: str = "numpy"
    logits: bool = True
    identity: str = ""
    given: Mapping[str, Array] = field(default_factory=dict)

    @property
    def where(self) -> str:
        """The file, for messages."""
        return self.runtime.where

    @classmethod
    def of(
        cls,
        proto: onnx.ModelProto,
        session: ort.InferenceSession,
        runtime: Runtime,
        composite: Composite,
        output: str | None = None,
        **more: Any,
    ) -> Request:
        """A request for a model that has been opened.

        Parameters
        ----------
        proto : onnx.ModelProto
        session : onnxruntime.InferenceSession
            Of that model.
        runtime : Runtime
        composite : Composite
        output : str, optional
            The output to explain; the first floating one by default.
        **more
            The other attributes.

        Raises
        ------
        InputError
            There is no such output.
        ModelError
            No output is a floating tensor.
        """
        kinds = {o.name: numpy_dtype(o.type) for o in session.get_outputs()}
        return cls(
            proto=proto,
            runtime=runtime,
            inputs=Inputs(
                session,
                runtime.where,
                [
                    i.name
                    for i in proto.graph.input
                    if i.type.HasField("tensor_type") and not i.type.tensor_type.HasField("shape")
                ],
            ),
            outputs=tuple(kinds),
            output=default_output(kinds, output, runtime.where, zip_maps(proto)),
            composite=composite,
            **more,
        )
