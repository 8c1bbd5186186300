"""Every operator once: small models that many tests run over.

A case is a model of one operator (or a few, where one alone has no meaning) with its inputs. Names in
the body that nothing makes are initialisers, given as arrays. The explained output is `y`.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper, parser

Array = np.ndarray[Any, Any]
BATCH = 3


@dataclass(frozen=True)
class Case:
    """One model.

    Attributes
    ----------
    name : str
        Operator first, e.g. "Conv-strided".
    body : str
        Nodes in ONNX text.
    inputs : dict of str to ndarray
        Batch first.
    weights : dict of str to ndarray
    opset : int
    smooth : bool
        Whether the gradient can be compared with finite differences at the inputs.
    domains : dict of str to int
        Other domains and their versions.
    fixed : bool
        Whether the file takes one sample only.
    by_runtime : bool
        Whether finite differences are taken with onnxruntime in float32, where onnx's reference in float64
        does not know the operator or gets it wrong.
    """

    name: str
    body: str
    inputs: dict[str, Array]
    weights: dict[str, Array] = field(default_factory=dict)
    opset: int = 20
    smooth: bool = True
    domains: dict[str, int] = field(default_factory=dict)
    fixed: bool = False
    by_runtime: bool = False

    @property
    def operators(self) -> set[str]:
        """Operators in the body."""
        return set(re.findall(r"=\s*(?:[\w.]+\.)?(\w+)\s*[<(]", self.body))

    def model(self) -> onnx.ModelProto:
        """The model, with an open batch."""
        graph = parser.parse_graph(f"case () => () {{ {self.body} }}")
        for name, x in self.inputs.items():
            kind = helper.np_dtype_to_tensor_dtype(x.dtype)
            graph.input.append(
                helper.make_tensor_value_info(
                    name, kind, [x.shape[0] if self.fixed else "batch", *x.shape[1:]]
                )
            )
        graph.output.append(helper.make_tensor_value_info("y", TensorProto.FLOAT, None))
        graph.initializer.extend(numpy_helper.from_array(np.asarray(w), n) for n, w in self.weights.items())
        opsets = [helper.make_opsetid("", self.opset)]
        opsets += [helper.make_opsetid(d, v) for d, v in self.domains.items()]
        return helper.make_model(graph, opset_imports=opsets, ir_version=9)

    def save(self, folder: Path) -> Path:
        """Write the model."""
        path = folder / f"{self.name}.onnx"
        onnx.save(self.model(), path)
        return path


CASES: dict[str, Case] = {}
rng = np.random.default_rng(7)


def normal(*shape: int) -> Array:
    """Standard normal numbers."""
    return rng.standard_normal(shape).astype(np.float32)


def positive(*shape: int) -> Array:
    """Numbers from 0.5 to 2."""
    return rng.uniform(0.5, 2, shape).astype(np.float32)


def ints(*values: int) -> Array:
    """A list of int64."""
    return np.array(values, dtype=np.int64)


def case(
    name: str,
    body: str,
    *,
    x: Array | None = None,
    opset: int = 20,
    smooth: bool = True,
    inputs: dict[str, Array] | None = None,
    domains: dict[str, int] | None = None,
    fixed: bool = False,
    by_runtime: bool = False,
    **weights: Any,
) -> None:
    """Add a case; `x` (or `inputs`) are its inputs, other keywords its initialisers."""
    assert name not in CASES, name
    made = inputs if inputs is not None else {"x": normal(BATCH, 4) if x is None else x}
    CASES[name] = Case(
        name,
        body,
        made,
        {k: np.asarray(v) for k, v in weights.items()},
        opset,
        smooth,
        domains or {},
        fixed,
        by_runtime,
    )


TOKENS, IMAGE, SERIES = (BATCH, 5, 4), (BATCH, 4, 6, 5), (BATCH, 3, 9)
