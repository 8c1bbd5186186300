"""A model and a recording in, an explanation with names on its axes out."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..engine.attribution import Attribution
from ..engine.contract import InputContract
from ..engine.errors import InputError
from ..engine.explainer import Explainer
from ..engine.plan.targets import class_index
from ..engine.steps import step
from .electrodes.region_file import Regions
from .electrodes.regions import SETS
from .explanation import dataset as views
from .explanation.explained import Explained, versions
from .explanation.provenance import jsonable, sha256
from .recording.labels import read_labels
from .recording.read import read
from .recording.windows import Windows, cut
from .text import plain
from .views import spectral
from .views.extras import Extras, with_extras


def explain_recording(  # noqa: PLR0913
    model: Path,
    data: Path,
    *,
    contract: InputContract | None = None,
    composite: str = "attnlrp",
    params: Mapping[str, Any] | None = None,
    target: Any = "predicted",
    contrast: str | None = "rest",
    backend: str = "auto",
    threads: int | None = None,
    batch_size: int = 8,
    window: float | None = None,
    events: str | None = None,
    channels: str | Sequence[str] | Mapping[str, str] | None = None,
    seed: int = 0,
    unit: str | None = None,
    interpolate_missing: bool = False,
    bands: Mapping[str, tuple[float, float]] | None = None,
    labels: Path | None = None,
    regions: Regions | None = None,
    components: bool = False,
    baselines: bool = False,
    inside: bool = False,
    clusters: bool = False,
    locked: Sequence[str] = (),
) -> Explained:
    """Explain what a model says about a recording, window by window.

    Parameters
    ----------
    model : Path
        ONNX file.
    data : Path
        Recording of any kind that MNE reads.
    contract : InputContract, optional
        In place of the one in the model's metadata.
    composite, params, backend, threads
        As for `Explainer`.
    target, contrast
        What is explained: by default the predicted class against the mean of the others.
    batch_size : int
        Windows explained at a time; bounds memory.
    window : float, optional
        Length of a window in seconds, for models that take any; by default the contract's.
    events, channels, unit, interpolate_missing
        As for `windows.cut`.
    seed : int
        Kept with the result; nothing here is random.
    bands : dict of str to (float, float), optional
        Frequency bands in Hz; `spectral.BANDS` by default.
    labels : Path, optional
        A table of labels (see `labels.read_labels`).
    regions : Regions, optional
        Electrode sets and regions; those of the 10-20 system by default.
    components, baselines, inside, clusters, locked
        What to put beside it (see `extras.Extras`).

    Returns
    -------
    Explained

    Raises
    ------
    OnnxplainError
        The model or the recording cannot be used, in one line.
    """
    model, data = Path(model), Path(data)
    if batch_size < 1:
        raise InputError(f"batch size {batch_size}: at least 1")
    step("reading the model")
    explainer = Explainer(
        model, composite=composite, backend=backend, threads=threads, contract=contract, **(params or {})
    )
    contract = explainer.contract
    if contract is None:
        raise InputError(
            f"{plain(model, 300)}: no input contract in its metadata, so it is not known which channels, "
            "rate and unit it takes; give one (--contract FILE)"
        )
    if window is not None:
        contract = with_window(contract, window)
    regions = Regions() if regions is None else regions
    table = None if labels is None else read_labels(Path(labels))
    step("reading the recording")
    recording = read(data)
    windows = cut(
        recording,
        contract,
        events=events,
        channels=channels,
        unit=unit,
        interpolate=interpolate_missing,
        labels=table,
    )
    regions.check(windows.channels, plain(model, 300))
    extras = Extras(components, baselines, inside, clusters, tuple(locked))
    provenance = {
        "model": {"file": plain(model.name), "name": contract.model, "sha256": explainer.sha256},
        "data": {"file": plain(data.name), "sha256": sha256(data)},
        "target": jsonable(target),
        "contrast": None if contrast == "none" or isinstance(target, Mapping) else contrast,
        "options": {
            "composite": str(composite),
            "parameters": dict(params or {}),
            "backend": backend,
            "batch_size": batch_size,
            "threads": threads,
            "seed": seed,
            "window": window,
            "events": events,
            "unit": unit,
            "interpolate_missing": interpolate_missing,
            "labels": None if labels is None else plain(Path(labels).name),
            "sets": {k: list(v) for k, v in regions.sets.items() if SETS.get(k) != v},
            "partition": None if regions.parts is None else {k: list(v) for k, v in regions.parts.items()},
            **asdict(extras),
            "bands": {k: list(v) for k, v in (spectral.BANDS if bands is None else bands).items()},
        },
        "versions": versions(),
    }
    found = explain_windows(
        explainer,
        windows,
        contract,
        target=target,
        contrast=contrast,
        batch_size=batch_size,
        provenance=provenance,
        bands=bands,
    )
    found = replace(found, regions=regions)
    if table is not None and table.onsets is not None:
        recording = replace(recording, marks=(*recording.marks, *(table.marks() or ())))
    return with_extras(found, extras, model=model, recording=recording, seed=seed)


def with_window(contract: InputContract, seconds: float) -> InputContract:
    """The contract with windows of another length."""
    samples = round(seconds * contract.sfreq) if 0 < seconds < 1e9 else 0
    if samples < 1 or (contract.patch and samples % contract.patch):
        need = f"; a multiple of {contract.patch / contract.sfreq:g} s is needed" if contract.patch else ""
        raise InputError(f"window {seconds:g} s: cannot be cut at {contract.sfreq:g} Hz{need}")
    return contract.model_copy(update={"window": samples})


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
    dataset = views.to_dataset(
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
    return replace(found, dataset=dataset.assign(bands=spectral.bands(found, bands)))


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
