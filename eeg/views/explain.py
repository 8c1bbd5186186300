"""From a model's file and a recording to an explanation with its views."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, Unpack

from ...engine.contract import InputContract
from ...engine.errors import DifferentBranches, InputError, UnsupportedOperator
from ...engine.evaluation.references import ANY, OTHER
from ...engine.explainer import Explainer
from ...engine.steps import step
from ..electrodes.region_file import Regions
from ..electrodes.regions import SETS
from ..explanation.bands import BANDS
from ..explanation.explain import explain_windows
from ..explanation.explained import Explained
from ..explanation.open import ModelKeywords, ModelOptions, filled, open_model
from ..explanation.provenance import about, jsonable, versions
from ..explanation.question import question_of
from ..explanation.references import NONE, ReferenceKeywords, ReferenceOptions, recutting, references_for
from ..recording.labels import Labels
from ..recording.options import WindowKeywords, WindowOptions, sorted_into
from ..recording.read import Recording, recording_of
from ..recording.windows import Windows
from ..text import plain
from . import registry


class RecordingKeywords(ModelKeywords, WindowKeywords, ReferenceKeywords, total=False):
    """What `explain_recording` takes by name beside its own parameters."""

    components: bool
    baselines: bool
    inside: bool
    clusters: bool
    locked: Sequence[str]
    lags: tuple[float, float] | None
    at: Sequence[str] | None


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
    opening, cutting, holding, views = sorted_into(
        options,
        "explain_recording",
        ModelOptions,
        WindowOptions,
        ReferenceOptions,
        others=registry.arguments(),
    )
    opened, against = ModelOptions(**opening), ReferenceOptions(**holding)
    more = {name: views.pop(name) for kind in registry.kinds() for name in kind.takes if name in views}
    more = {name: value for name, value in more.items() if value}
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
    registry.check(
        asked, more, recording=_marked(recording, windowing), classes=contract.classes,
        every=windowing.show_annotations,
    )  # fmt: skip
    windows = windowing.cut(recording, contract)
    explainer, contract = filled(explainer, contract, windows)
    regions.check(windows.channels, plain(model, 300))
    provenance = {
        "model": {"file": plain(model.name), "name": contract.model, "sha256": explainer.sha256},
        "data": about(recording, data),
        "target": jsonable(target),
        "contrast": question_of(contract, target, contrast).contrast,
        "options": {
            "composite": str(opened.composite),
            "parameters": dict(opened.params or {}),
            "backend": opened.backend,
            "batch_size": batch_size,
            "threads": opened.threads,
            "seed": seed,
            "against": str(against.against),
            "references": against.references,
            **windowing.provenance(),
            "sets": {k: list(v) for k, v in regions.sets.items() if SETS.get(k) != v},
            "partition": None if regions.parts is None else {k: list(v) for k, v in regions.parts.items()},
            **asked,
            **jsonable(more),
            "bands": {k: list(v) for k, v in (BANDS if bands is None else bands).items()},
        },
        "versions": versions(),
    }

    recut = recutting(windowing, recording, contract)
    asking: dict[str, Any] = {
        "target": target,
        "contrast": contrast,
        "batch_size": batch_size,
        "provenance": provenance,
        "bands": bands,
    }
    found, zero = explained_both_ways(explainer, windows, contract, against, asking, seed=seed, recut=recut)
    found = replace(found, regions=regions)
    given = {} if zero is None else {"plain": zero}
    recording = _marked(recording, windowing)
    return registry.with_views(found, asked, model=model, recording=recording, seed=seed, more=more, **given)


def explained_both_ways(
    explainer: Explainer,
    windows: Windows,
    contract: InputContract,
    against: ReferenceOptions,
    asking: Mapping[str, Any],
    *,
    seed: int = 0,
    recut: Callable[[str | Path], Windows] | None = None,
) -> tuple[Explained, Explained | None]:
    """Windows against others, and against zero.

    Parameters
    ----------
    explainer : Explainer
        Under the composite that is asked for.
    windows : Windows
    contract : InputContract
    against : ReferenceOptions
    asking : mapping
        Further arguments of `explain_windows`.
    seed : int
    recut : callable, optional
        As for `references_for`.

    Returns
    -------
    explained : Explained
        Against other windows; against zero where that was asked for, or where it cannot be had
        otherwise: then a note says why.
    zero : Explained or None
        Against zero, where the first is against other windows and the composite is one against zero.

    Raises
    ------
    OnnxplainError
        A window cannot be explained, or there are no such references.
    """
    why = ""
    single = explainer.composite.is_difference
    if single and str(against.against) == NONE:
        raise InputError(
            f"composite {explainer.composite.name}: explains a difference, and against none there is none; "
            "name what windows are held against (other, any, a label or a file), or another composite"
        )
    references = None
    if len(windows) < 2 and str(against.against) in (OTHER, ANY) and not single:
        why = "There is one window only and none to hold it against: relevance is against zero."
    else:
        asked = question_of(contract, asking.get("target", "predicted"), asking.get("contrast"))
        references = references_for(
            explainer, windows, contract, against, seed=seed, recut=recut, asked_for=asked
        )
    if references is None:
        found = explain_windows(explainer, windows, contract, **asking)
        return replace(found, notes=(*found.notes, *([why] if why else []))), None
    if single:
        return explain_windows(explainer, windows, contract, references=references, **asking), None
    zero = explain_windows(explainer, windows, contract, **asking)
    try:
        found = explain_windows(
            explainer.with_composite("difference"), windows, contract, references=references, **asking
        )
    except (UnsupportedOperator, DifferentBranches) as e:
        note = f"Relevance is against zero: against other windows it cannot be had ({e})."
        return replace(zero, notes=(*zero.notes, note)), None
    return found, zero


def _marked(recording: Recording, windowing: WindowOptions) -> Recording:
    """The recording with the events of the table of labels among its own."""
    table = windowing.labels
    if not isinstance(table, Labels) or table.onsets is None:
        return recording
    return replace(recording, marks=(*recording.marks, *(table.marks() or ())))
