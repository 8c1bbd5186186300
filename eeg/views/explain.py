"""From a model's file and a recording to an explanation with its views."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, Unpack

from ...engine.errors import InputError
from ...engine.steps import step
from ..electrodes.region_file import Regions
from ..electrodes.regions import SETS
from ..explanation.bands import BANDS
from ..explanation.explain import explain_windows
from ..explanation.explained import Explained
from ..explanation.open import ModelKeywords, ModelOptions, open_model
from ..explanation.provenance import about, jsonable, versions
from ..recording.labels import Labels
from ..recording.options import WindowKeywords, WindowOptions, sorted_into
from ..recording.read import Recording, recording_of
from ..text import plain
from . import registry


class RecordingKeywords(ModelKeywords, WindowKeywords, total=False):
    """What `explain_recording` takes by name beside its own parameters."""

    components: bool
    baselines: bool
    inside: bool
    clusters: bool
    locked: Sequence[str]


def explain_with_views(
    model: str | os.PathLike[str],
    data: Any,
    *,
    target: Any = "predicted",
    contrast: str | None = "rest",
    batch_size: int = 8,
    seed: int = 0,
    bands: Mapping[str, tuple[float, float]] | None = None,
    regions: Regions | None = None,
    window_options: WindowOptions | None = None,
    **options: Unpack[RecordingKeywords],
) -> Explained:
    """What `run.explain_recording` gives, with the same parameters, as plain numbers: it cannot draw."""
    opening, cutting, views = sorted_into(
        options,
        "explain_recording",
        ModelOptions,
        WindowOptions,
        others=[k.name for k in registry.kinds() if not k.always],
    )
    opened = ModelOptions(**opening)
    asked = registry.options(views)
    if batch_size < 1:
        raise InputError(f"batch size {batch_size}: at least 1")
    model = Path(model)
    explainer, contract = open_model(model, **vars(opened))
    windowing = replace(window_options or WindowOptions(), **cutting).loaded()
    contract = windowing.contract(contract)
    regions = Regions() if regions is None else regions
    step("reading the recording")
    recording = recording_of(data)
    windows = windowing.cut(recording, contract)
    regions.check(windows.channels, plain(model, 300))
    provenance = {
        "model": {"file": plain(model.name), "name": contract.model, "sha256": explainer.sha256},
        "data": about(recording, data),
        "target": jsonable(target),
        "contrast": None if contrast == "none" or isinstance(target, Mapping) else contrast,
        "options": {
            "composite": str(opened.composite),
            "parameters": dict(opened.params or {}),
            "backend": opened.backend,
            "batch_size": batch_size,
            "threads": opened.threads,
            "seed": seed,
            **windowing.provenance(),
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
    recording = _marked(recording, windowing)
    return registry.with_views(found, asked, model=model, recording=recording, seed=seed)


def _marked(recording: Recording, windowing: WindowOptions) -> Recording:
    """The recording with the events of the table of labels among its own."""
    table = windowing.labels
    if not isinstance(table, Labels) or table.onsets is None:
        return recording
    return replace(recording, marks=(*recording.marks, *(table.marks() or ())))
