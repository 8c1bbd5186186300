"""Windows and an Explainer in, an explanation with names on its axes out."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ...engine.attribution import Attribution
from ...engine.contract import InputContract
from ...engine.errors import InputError
from ...engine.explainer import Explainer
from ...engine.plan.targets import class_index
from ...engine.steps import step
from ..recording.windows import Windows
from ..text import plain
from . import dataset as named
from .bands import bands as by_band
from .explained import Explained


def explain_windows(
    explainer: Explainer,
    windows: Windows,
    contract: InputContract,
    *,
    target: Any = "predicted",
    contrast: str | None = "rest",
    batch_size: int = 8,
    provenance: Mapping[str, Any] | None = None,
    bands: Mapping[str, tuple[float, float]] | None = None,
) -> Explained:
    """Explain windows that are cut already.

    Parameters
    ----------
    explainer : Explainer
    windows : Windows
    contract : InputContract
    target, contrast, batch_size
        As for `explain_recording`.
    provenance : mapping, optional
        Kept with the result.
    bands : dict of str to (float, float), optional
        As for `explain_recording`.

    Returns
    -------
    Explained
    """
    if isinstance(target, str) and target == "all":
        raise InputError("target all: a recording is explained one class at a time; name a class")
    per_window = isinstance(target, list | np.ndarray)
    if per_window and len(target) != len(windows):
        raise InputError(f"target: {len(target)} values for {len(windows)} windows")
    against = None if contrast == "none" or isinstance(target, Mapping) else contrast
    target = indices(target, contract)
    parts: list[Attribution] = []
    for start in range(0, len(windows), batch_size):
        step("explaining", start / len(windows))
        some = slice(start, start + batch_size)
        x = {contract.input: windows.data[some]}
        parts.append(explainer(x, target=target[some] if per_window else target, contrast=against))
    step("explaining", 1.0)
    relevance = _joined(parts, "relevance", contract.input)
    if relevance is None:
        raise InputError(f"input {plain(contract.input)}: the explained output does not depend on it")
    dataset = named.to_dataset(
        windows,
        contract,
        relevance=relevance,
        multiplier=_joined(parts, "multiplier", contract.input),
        unassigned=_joined(parts, "unassigned", contract.input),
        explained=np.concatenate([p.explained for p in parts]),
        target=_classes(parts),
        output=_output(parts, contract),
        ledger=_ledger(parts),
        closure=np.concatenate([p.closure() for p in parts]),
        provenance=provenance,
    )
    notes = tuple(dict.fromkeys(note for p in parts for note in p.notes))
    unit = contract.output_unit or "logit"
    found = Explained(dataset, windows, contract, dict(provenance or {}), notes, unit)
    if "multiplier" not in dataset:
        return found
    return replace(found, dataset=dataset.assign(bands=by_band(found, bands)))


def _joined(parts: Sequence[Attribution], what: str, name: str) -> NDArray[Any] | None:
    """Relevance, multiplier or what is unassigned of an input, over all batches; None where there is none."""
    if name not in getattr(parts[0], what):
        return None
    return np.concatenate([getattr(p, what)[name] for p in parts])


def _classes(parts: Sequence[Attribution]) -> NDArray[Any] | None:
    """The explained class of each window; None where a target is no class."""
    targets = [np.asarray(p.target) for p in parts]
    for t, p in zip(targets, parts, strict=True):
        if t.dtype.kind not in "iu" or t.shape != (len(p.explained),):
            return None
    return np.concatenate(targets)


def _output(parts: Sequence[Attribution], contract: InputContract) -> NDArray[Any] | None:
    """What the model says of each window."""
    first = parts[0]
    name = contract.output or (first.output if first.output in first.outputs else next(iter(first.outputs)))
    return np.concatenate([p.outputs[name] for p in parts]) if name in first.outputs else None


def indices(target: Any, contract: InputContract) -> Any:
    """Class names as indices: the contract may be one that the model's own metadata does not have."""
    n = len(contract.classes)
    if not n or isinstance(target, np.ndarray | tuple):
        return target
    if isinstance(target, str):
        return target if target == "predicted" else class_index(target, n, contract.classes)
    if isinstance(target, Mapping):
        return {class_index(k, n, contract.classes): v for k, v in target.items()}
    if isinstance(target, list):
        return [class_index(t, n, contract.classes) for t in target]
    return target


def _ledger(parts: Sequence[Attribution]) -> dict[str, NDArray[Any]]:
    """Per kind, one value a window; a kind that a batch lacks is zero there. Largest first."""
    found = [p.ledger.by_kind() for p in parts]
    kinds = list(dict.fromkeys(kind for each in found for kind in each))
    whole = {
        kind: np.concatenate(
            [f.get(kind, np.zeros(len(p.explained))) for f, p in zip(found, parts, strict=True)]
        )
        for kind in kinds
    }
    return dict(sorted(whole.items(), key=lambda kv: -float(np.abs(kv[1]).sum())))
