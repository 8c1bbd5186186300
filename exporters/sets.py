"""Checkpoints of one network as a set of files with one input contract.

A study compares a fine-tuned network with one whose body stayed frozen and one trained from scratch: the
three differ in their weights only, and that is checked here rather than believed.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np

from onnxplain.engine.errors import InputError, ModelError, OnnxplainError
from onnxplain.engine.steps import step

from .api import export
from .report import ExportReport

MANIFEST = "set.json"
# In the place of a checkpoint: weights as `seed` draws them.
RANDOM = "random"


@dataclass(frozen=True)
class Member:
    """One network of a set.

    Attributes
    ----------
    label : str
        What the study calls it: fine-tuned, frozen, from scratch, ...
    file : str
        Its file in the folder.
    sha256 : str
    checkpoint : str
        Where its weights came from; "random".
    parity : float
        See `ExportReport`.
    as_first : float
        The part of its weights that are those of the first member: a frozen body beside its pretrained
        network shares all but the head.
    """

    label: str
    file: str
    sha256: str
    checkpoint: str
    parity: float
    as_first: float


def export_set(name: str, folder: str | Path, checkpoints: Mapping[str, str | Path], **options: Any) -> Path:
    """Export a network once for each of several checkpoints.

    Parameters
    ----------
    name : str
        As `export` takes it.
    folder : str or Path
        An existing folder; gets a file ``LABEL.onnx`` for each and the manifest ``set.json``.
    checkpoints : mapping of str to (str or Path)
        Label to checkpoint, or "random".
    **options
        For `export`: channels, sfreq, window, classes, seed, ...

    Returns
    -------
    Path
        The manifest: the network, the shared contract and the members.

    Raises
    ------
    InputError
        No label, or one that is no file name.
    ModelError
        A member cannot be exported, or is another network than the first. What was written is removed.
    """
    folder = Path(folder)
    if not folder.is_dir():
        raise InputError(f"{folder}: is no folder")
    if len(checkpoints) < 2:
        raise InputError("a set needs two checkpoints or more")
    written: list[Path] = []
    try:
        reports: dict[str, ExportReport] = {}
        for label, source in checkpoints.items():
            if not label or label != Path(label).name or label.startswith("."):
                raise InputError(f"{label!r}: a label names a file, without folders")
            path = folder / f"{label}.onnx"
            step(f"exporting {label}")
            random = str(source) == RANDOM
            try:
                reports[label] = export(name, path, checkpoint=None if random else source, **options)
            except OnnxplainError as e:
                raise type(e)(f"{label}: {e}") from e
            written.append(path)
        members = _members(reports, checkpoints)
        first = next(iter(reports.values()))
        made = {
            "network": first.contract.model or name,
            "contract": _shared(first),
            "members": [asdict(m) for m in members],
        }
        manifest = folder / MANIFEST
        if manifest.exists() and not options.get("overwrite"):
            raise InputError(f"{manifest}: exists (overwrite replaces it)")
        manifest.write_text(json.dumps(made, indent=1) + "\n", encoding="utf-8")
    except BaseException:
        for path in written:
            path.unlink(missing_ok=True)
        raise
    return manifest


def _shared(report: ExportReport) -> dict[str, Any]:
    """A contract without where the weights come from."""
    return report.contract.model_dump(mode="json", exclude_defaults=True, exclude={"source"})


def _operators(report: ExportReport) -> dict[str, int]:
    """Operators, without those by which exporters name one constant twice."""
    return {op: n for op, n in report.ops.items() if op not in ("Identity", "Constant")}


def _members(reports: Mapping[str, ExportReport], checkpoints: Mapping[str, str | Path]) -> list[Member]:
    """What the manifest says of each; all are one network with one contract."""
    label, first = next(iter(reports.items()))
    weights = _weights(first.path)
    members = []
    for other, report in reports.items():
        if _shared(report) != _shared(first):
            fields = [k for k in _shared(first) if _shared(report).get(k) != _shared(first)[k]]
            raise ModelError(f"{other}: its contract is not that of {label} ({', '.join(fields)})")
        if _operators(report) != _operators(first):
            raise ModelError(
                f"{other}: its graph is not that of {label}: the networks differ, not the weights only"
            )
        own = _weights(report.path)
        # Exporters keep equal constants once, so that names may be left out.
        same = sum(a.size for k, a in own.items() if k in weights and np.array_equal(a, weights[k]))
        members.append(
            Member(
                label=other,
                file=report.path.name,
                sha256=hashlib.sha256(report.path.read_bytes()).hexdigest(),
                checkpoint=str(checkpoints[other]),
                parity=report.parity,
                as_first=same / max(1, sum(w.size for w in own.values())),
            )
        )
    return members


def _weights(path: Path) -> dict[str, np.ndarray[Any, Any]]:
    """Float constants of a file by name."""
    import onnx

    graph = onnx.load(str(path)).graph
    return {t.name: a for t in graph.initializer if (a := onnx.numpy_helper.to_array(t)).dtype.kind == "f"}
