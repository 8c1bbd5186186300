"""A model and a recording in, an explanation with names on its axes out."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from ..engine.contract import InputContract
from ..engine.errors import InputError
from ..engine.explainer import Explainer
from ..engine.steps import step
from .electrodes.region_file import Regions
from .electrodes.regions import SETS
from .explanation.bands import BANDS
from .explanation.explain import explain_windows
from .explanation.explained import Explained
from .explanation.provenance import jsonable, sha256, versions
from .recording.labels import read_labels
from .recording.read import read
from .recording.windows import cut, with_window
from .text import plain
from .views import registry


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
    **views: Any,
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
        Frequency bands in Hz; `bands.BANDS` by default.
    labels : Path, optional
        A table of labels (see `labels.read_labels`).
    regions : Regions, optional
        Electrode sets and regions; those of the 10-20 system by default.
    **views
        What to put beside it: names of views (see `registry.kinds`), each True, or with its option.

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
    asked = registry.options(views)
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
            **asked,
            "bands": {k: list(v) for k, v in (BANDS if bands is None else bands).items()},
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
    return registry.with_views(found, asked, model=model, recording=recording, seed=seed)
