"""A model and a recording in, an explanation with names on its axes out."""

from __future__ import annotations

import os
from collections.abc import Mapping
from typing import Any, Unpack

from ..engine.notebook.progress import shown
from .electrodes.region_file import Regions
from .recording.options import WindowOptions
from .reports.explained_recording import ExplainedRecording
from .views.explain import RecordingKeywords, explain_with_views


@shown()
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
    backend, threads, max_closure : optional
        As for `Explainer`.
    events, channels, unit, force_unit, interpolate_missing : optional
        As for `windows.cut`.
    window : float, optional
        Length of a window in seconds, for models that take any; by default the contract's.
    tmin, tmax, stride : float, optional
        Where windows start and end around an event, and how far apart they start where they are cut one after
        the other, in seconds; by default the contract's.
    labels : path-like, optional
        A table of labels, or the annotations of an EDF+ file (see `labels.read_labels`).
    label_column : str, optional
        The column of that table which has the labels.
    show_annotations : bool, optional
        Show texts of annotations that are neither classes nor events, which may hold names.
    against : str or path-like, optional
        What windows are held against: "other" (by default: windows that the model calls otherwise), "any",
        "none" (relevance is against zero), a label of the recording, or a file of windows.
    references : int, optional
        How many each window is held against; 4 by default.
    components, baselines, inside, clusters : bool, optional
        What to put beside the map (see `views.registry.kinds`).
    locked : sequence of str, optional
        Events to lock relevance to (see `views.registry.kinds`).
    lags : (float, float), optional
        Seconds from the event between which it is locked: (-0.2, 0.6) by default, or what windows have of it.
    at : sequence of str, optional
        Electrodes, sets or regions that are locked; all by default.

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
    return ExplainedRecording.of(
        explain_with_views(
            model,
            data,
            target=target,
            contrast=contrast,
            batch_size=batch_size,
            seed=seed,
            bands=bands,
            regions=regions,
            window_options=window_options,
            **options,
        )
    )
