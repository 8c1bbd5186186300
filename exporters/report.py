"""What an export did, and how well the file agrees with the module it came from."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from onnxplain.engine.contract import InputContract


@dataclass(frozen=True)
class ExportReport:
    """A checked export.

    Attributes
    ----------
    path : Path
        The written file.
    exporter : {"dynamo", "legacy"}
        The exporter of torch that wrote it.
    opset : int
        Opset of the default ONNX domain.
    ops : dict of str to int
        How often each operator stands in the graph.
    parameters : int
        Numbers stored in the file's initialisers.
    size : int
        Bytes of the file.
    batches : tuple of int
        Batch sizes at which the file was run and compared.
    error : float
        Largest absolute difference between torch and onnxruntime.
    sensitivity : float
        How far the outputs move when the input changes.
    parity : float
        The largest difference relative to how far that output moves: the figure that is checked.
    rounding : float
        How far torch's own float32 is from float64 in the same measure, where that was looked at because
        the file is further from torch than it should be; 0 elsewhere. `error` and `parity` are to float64
        then.
    contract : InputContract
        The contract inside the file.
    notes : tuple of str
        What a reader should know, e.g. that the weights are random.
    """

    path: Path
    exporter: str
    opset: int
    ops: dict[str, int]
    parameters: int
    size: int
    batches: tuple[int, ...]
    error: float
    sensitivity: float
    parity: float
    contract: InputContract
    rewrites: tuple[str, ...]
    coverage: float
    notes: tuple[str, ...] = ()
    rounding: float = 0.0

    def to_dict(self) -> dict[str, Any]:
        """Plain data, ready for JSON."""
        data = asdict(self)
        data["path"] = str(self.path)
        data["contract"] = self.contract.model_dump(mode="json", exclude_defaults=True)
        return data
