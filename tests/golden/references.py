"""Maps that other libraries made, and how far onnxplain's are from them.

`maps/` has small networks as ONNX files and, beside each, an input, its target classes and the maps
that zennit, LXT, captum and plain torch made for them in float64. `studies/golden/make.py` makes them.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

import onnxplain as ox

HERE = Path(__file__).parent
MAPS = HERE / "maps"


@dataclass(frozen=True)
class Reference:
    """A map of another library.

    Attributes
    ----------
    name : str
    network : str
        Of the ONNX file and the maps of it.
    library, version : str
        What made it.
    composite : str
        The same rules here: a preset, or a YAML file in this folder.
    parameters : dict of str to float
        The composite's.
    bound : float
        How far, as a part of the largest relevance, a map may be from it: 1e-5, or 20 times what the
        library's own float32 differs from its float64 where that is more. LXT's explicit form divides by
        z + 1e-6 without regard to the sign of z, where onnxplain does not divide: 1e-3.
    """

    name: str
    network: str
    library: str
    version: str
    composite: str
    parameters: dict[str, float]
    bound: float

    @property
    def model(self) -> Path:
        """The network's ONNX file."""
        return MAPS / f"{self.network}.onnx"


@dataclass(frozen=True)
class Measured:
    """How onnxplain's map compares.

    Attributes
    ----------
    error : float
        ``max abs(R - R_ref) / max abs(R_ref)``.
    closure : float
        What ledger and relevance miss of the explained logit, relative.
    """

    error: float
    closure: float


def references() -> dict[str, Reference]:
    """All maps by name."""
    data: dict[str, dict[str, Any]] = json.loads((MAPS / "references.json").read_text(encoding="utf-8"))
    return {name: Reference(name, **entry) for name, entry in data.items()}


def measure(reference: Reference) -> Measured:
    """Explain the same input with the same rules.

    The maps start with the logit at the target class, the seed here is one-hot: the same relevance.
    """
    composite: str | Path = reference.composite
    if reference.composite.endswith(".yaml"):
        composite = HERE / reference.composite
    with np.load(MAPS / f"{reference.network}.npz") as data:
        x, target, want = data["input"], data["target"], data[reference.name]
    explain = ox.Explainer(reference.model, composite=str(composite), **reference.parameters)
    a = explain(x, target=[int(t) for t in target])
    (got,) = a.relevance.values()
    return Measured(float(np.abs(got - want).max() / np.abs(want).max()), float(a.closure().max()))
