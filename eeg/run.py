"""A model and a recording in, an explanation with names on its axes out."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from dataclasses import asdict, fields, replace
from pathlib import Path
from typing import Any, Unpack

from ..engine.errors import InputError
from ..engine.steps import step
from .electrodes.region_file import Regions
from .electrodes.regions import SETS
from .explanation.bands import BANDS
from .explanation.explain import explain_windows
from .explanation.explained import versions
from .explanation.open import ModelKeywords, ModelOptions, open_model
from .explanation.provenance import about, jsonable
from .recording.labels import Labels
from .recording.options import WindowKeywords, WindowOptions, sorted_into
from .recording.read import Recording, recording_of
from .reports.explained_recording import ExplainedRecording
from .text import plain
from .views.extras import Extras, with_extras


class RecordingKeywords(ModelKeywords, WindowKeywords, total=False):
    """What `explain_recording` takes by name beside its own parameters."""

    components: bool
    baselines: bool
    inside: bool
    clusters: bool
    locked: Sequence[str]


def explain_recording(
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
) -> ExplainedRecording:
    """Explain what a model says about a recording, window by window.

    Parameters
    ----------
    model : path-like
        ONNX file.
    data : path-like, mne.io.BaseRaw, mne.BaseEpochs, or braindecode dataset of windows
        Recording of any kind that MNE reads, or one that is in memory, in volt; the object is not changed.
    target, contrast
        What is explained: by default the predicted class against the mean of the others.
    batch_size : int
        Windows explained at a time; bounds memory.
    seed : int
        Kept with the result, and for what is random of what stands beside the map.
    bands : dict of str to (float, float), optional
        Frequency bands in Hz; `bands.BANDS` by default.
    regions : Regions, optional
        Electrode sets and regions; those of the 10-20 system by default.
    window_options : WindowOptions, optional
        How the recording is cut, in place of keywords; where a keyword says it too, the keyword counts.
    contract : InputContract, optional
        In place of the one in the model's metadata.
    composite : str or Composite, optional
        As for `Explainer`: "attnlrp" by default.
    params : mapping, optional
        Parameters of the composite.
    backend, threads : optional
        As for `Explainer`.
    events, channels, unit, interpolate_missing : optional
        As for `windows.cut`.
    window : float, optional
        Length of a window in seconds, for models that take any; by default the contract's.
    labels : path-like, optional
        A table of labels (see `labels.read_labels`).
    components, baselines, inside, clusters : bool, optional
        What to put beside the map (see `extras.Extras`).
    locked : sequence of str, optional
        Events to lock relevance to (see `extras.Extras`).

    Returns
    -------
    ExplainedRecording

    Raises
    ------
    OnnxplainError
        The model or the recording cannot be used, in one line.
    TypeError
        A keyword is none of these.

    Examples
    --------
    >>> e = explain_recording("model.onnx", raw, events="left,right")  # doctest: +SKIP
    >>> e.report("report.html")  # doctest: +SKIP
    """
    opening, cutting, views = sorted_into(
        options, "explain_recording", ModelOptions, WindowOptions, others=[f.name for f in fields(Extras)]
    )
    opened = ModelOptions(**opening)
    asked = Extras(**{**views, "locked": tuple(views.get("locked", ()))})
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
            **asdict(asked),
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
    found = with_extras(found, asked, model=model, recording=recording, seed=seed)
    return ExplainedRecording.of(found)


def _marked(recording: Recording, windowing: WindowOptions) -> Recording:
    """The recording with the events of the table of labels among its own."""
    table = windowing.labels
    if not isinstance(table, Labels) or table.onsets is None:
        return recording
    return replace(recording, marks=(*recording.marks, *(table.marks() or ())))
