"""The windows that an evaluation is made on: at random out of a recording, or out of an array."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Unpack

import numpy as np
from numpy.typing import NDArray

from ...engine.contract import InputContract
from ...engine.errors import InputError
from ...engine.evaluation.features import Features, along
from ...engine.evaluation.references import ANY, FEW, OTHER, Against
from ...engine.evaluation.replacement import Replacement
from ...engine.evaluation.setting import DIFFERENCE, Setting
from ...engine.explainer import Explainer
from ...engine.steps import step
from ..explanation.open import ModelKeywords, ModelOptions, filled, open_model
from ..explanation.provenance import about, jsonable, sha256, versions
from ..explanation.question import question_of
from ..explanation.references import (
    NONE,
    ReferenceKeywords,
    ReferenceOptions,
    ReferenceWindows,
    fits,
    is_file,
    recutting,
    references_for,
)
from ..recording.options import WindowKeywords, WindowOptions, sorted_into
from ..recording.read import recording_of
from ..recording.windows import Windows
from ..text import counted, plain
from .features import features, spline_interpolation

WINDOWS = 64
# Of a file or another label, as many windows are kept as a choice among references may ask for.
MOST_REFERENCES = 8


@dataclass(frozen=True, eq=False)
class Sample:
    """What is evaluated, and what it was made from.

    Attributes
    ----------
    setting : Setting
    kind : str
        Of the features.
    time_axes : int or tuple of int
        As for `engine.evaluation.stability.stability`.
    interpolation : Replacement or None
        Beside transplants, where electrodes can be made from others.
    of : int
        Windows that there were to choose from.
    unit : str
        Of what is explained.
    decisions : tuple of str
    provenance : mapping
    against : str
        What windows are held against, as `ReferenceOptions` has it; "none" for zero.
    """

    setting: Setting
    kind: str
    time_axes: int | tuple[int, ...]
    interpolation: Replacement | None
    of: int
    unit: str
    decisions: tuple[str, ...]
    provenance: Mapping[str, Any]
    against: str = NONE


class SampleKeywords(ModelKeywords, WindowKeywords, ReferenceKeywords, total=False):
    """What `sample` takes by name beside its own parameters."""


def sample(
    model: str | os.PathLike[str],
    data: Any,
    *,
    target: Any = "predicted",
    contrast: str | None = "rest",
    batch_size: int = 64,
    kind: str = "electrodes",
    bands: Mapping[str, tuple[float, float]] | None = None,
    windows: int = WINDOWS,
    seed: int = 0,
    window_options: WindowOptions | None = None,
    **options: Unpack[SampleKeywords],
) -> Sample:
    """Choose the windows of a recording that are evaluated.

    Parameters
    ----------
    model, data, target, contrast, window_options
        As for `run.explain_recording`.
    batch_size : int
        Windows that the model runs on at a time.
    kind : {"electrodes", "segments", "bands"}
        What is taken away.
    bands : dict of str to (float, float), optional
    windows : int
        At most so many, at random.
    seed : int
    contract, params, backend, threads, max_closure : optional
        As for `run.explain_recording`.
    composite : optional
        The method that comes first; by default what `run.explain_recording` shows first: "difference", or
        where windows are held against nothing, or there are parameters, "attnlrp".
    against, references : optional
        As for `run.explain_recording`. A window is never held against one that its features are transplanted
        from.
    events, channels, unit, force_unit, interpolate_missing, window, tmin, tmax, stride, labels,
    label_column, show_annotations : optional
        As for `run.explain_recording`.

    Returns
    -------
    Sample

    Raises
    ------
    OnnxplainError
        The model or the recording cannot be used, in one line.
    TypeError
        A keyword is none of these.
    """
    opening, cutting, holding, _ = sorted_into(
        options, "sample", ModelOptions, WindowOptions, ReferenceOptions
    )
    wanted = ReferenceOptions(**holding)
    asked = plain(wanted.against, 300)
    zero = asked == NONE or opening.get("params")
    opening.setdefault("composite", "attnlrp" if zero else DIFFERENCE)
    opened = ModelOptions(**opening)
    explainer, contract = open_model(model, **vars(opened), ledger=False)
    windowing = replace(window_options or WindowOptions(), **cutting).loaded()
    contract = windowing.contract(contract)
    groups = features(kind, contract, bands)
    step("reading the recording")
    recording = recording_of(data)
    cuts = windowing.cut(recording, contract)
    explainer, contract = filled(explainer, contract, cuts)
    rows = chosen(len(cuts), windows, seed)
    by_neighbours = kind == "electrodes" and not cuts.interpolated
    interpolation = spline_interpolation(contract, cuts.channels) if by_neighbours else None

    def elsewhere() -> ReferenceWindows:
        options = replace(wanted, references=max(wanted.references, MOST_REFERENCES))
        found = references_for(
            explainer, cuts, contract, options, seed=seed, recut=recutting(windowing, recording, contract)
        )
        assert found is not None
        return found

    against = _against(cuts, rows, wanted, elsewhere, windows, seed)
    setting = _setting(
        explainer, cuts.data[rows], groups, target, contrast, contract, batch_size, seed, against
    )
    return Sample(
        setting=setting,
        kind=kind,
        time_axes=contract.time_axes,
        interpolation=interpolation,
        of=len(cuts),
        unit=question_of(contract, target, contrast).unit,
        decisions=(
            *cuts.decisions,
            *_said(cuts, kind, interpolation, len(rows), seed),
        ),
        provenance={
            **_about(explainer, about(recording, data), target, contrast, seed),
            "options": {
                "composite": explainer.composite.name,
                "parameters": dict(opened.params or {}),
                "against": asked,
                "references": wanted.references,
                **windowing.provenance(),
                "windows": windows,
                "seed": seed,
            },
        },
        against=asked,
    )


def of_array(
    explainer: Explainer,
    x: NDArray[Any],
    data: Path,
    *,
    target: Any = "predicted",
    contrast: str | None = "rest",
    batch_size: int = 64,
    windows: int = WINDOWS,
    seed: int = 0,
    against: str | os.PathLike[str] | None = None,
    references: int = FEW,
    others: NDArray[Any] | None = None,
) -> Sample:
    """Choose the rows of an array that are evaluated; features are places along its first axis.

    Parameters
    ----------
    explainer : Explainer
    x : ndarray, shape (window, feature, ...)
    data : Path
        The file that it came from.
    target, contrast, batch_size, windows, seed
        As for `sample`.
    against : str or path-like, optional
        What rows are held against: "other" or "any" (others of the array), or the file that `others` are of;
        nothing by default.
    references : int
        How many each is held against.
    others : ndarray, shape (n, feature, ...), optional
        Rows to hold these against, of a file of their own.

    Raises
    ------
    InputError
        The array has no features, or the others are of another shape.
    """
    name = next(iter(explainer.inputs))
    x = explainer.inputs.checked({name: x})[name]
    if x.ndim < 2:
        raise InputError(
            f"{plain(data.name)}: an array of shape {list(x.shape)} has no features to take away"
        )
    contract = explainer.contract
    known = () if contract is None or contract.input != name else contract.channels
    names = known if len(known) == x.shape[1] else tuple(map(str, range(x.shape[1])))
    rows = chosen(len(x), windows, seed)
    held = _against_rows(explainer, x, rows, NONE if against is None else str(against), references, others)
    return Sample(
        setting=_setting(
            explainer, x[rows], along(x.shape[1:], names), target, contrast, contract, batch_size, seed, held
        ),
        kind="features",
        time_axes=x.ndim - 2,
        interpolation=None,
        of=len(x),
        unit="logit" if contract is None else question_of(contract, target, contrast).unit,
        decisions=(f"{len(rows)} of {counted(len(x), 'row')} were taken, at random (seed {seed}).",),
        provenance={
            **_about(explainer, {"file": plain(data.name), "sha256": sha256(data)}, target, contrast, seed),
            "options": {
                "composite": explainer.composite.name,
                "against": None if against is None else plain(Path(against).name),
                "references": references,
                "windows": windows,
                "seed": seed,
            },
        },
        against=NONE if against is None else str(against),
    )


def chosen(n: int, most: int, seed: int) -> NDArray[np.int64]:
    """Which windows are evaluated: all, or so many at random, in order."""
    if most < 2:
        raise InputError(f"windows {most}: at least 2, since features are taken from other windows")
    order = np.random.default_rng((seed, 0x31)).permutation(n)
    return np.sort(order[:most])


def _setting(
    explainer: Explainer,
    x: NDArray[Any],
    groups: Features,
    target: Any,
    contrast: str | None,
    contract: InputContract | None,
    batch: int,
    seed: int,
    held: Against,
) -> Setting:
    name = contract.input if contract is not None and contract.input in explainer.inputs else ""
    against, column = None if contrast == "none" or isinstance(target, Mapping) else contrast, None
    if contract is not None:
        asked = question_of(contract, target, contrast)
        target, against, column = asked.target, asked.contrast, asked.column
    return Setting(explainer, x, groups, target, against, name, batch, seed, held, column=column).settled()


def _against(
    cuts: Windows,
    rows: NDArray[np.int64],
    wanted: ReferenceOptions,
    elsewhere: Callable[[], ReferenceWindows],
    most: int,
    seed: int,
) -> Against:
    """What windows are held against: others of the recording, some of them not evaluated, or of elsewhere."""
    which, n = str(wanted.against), wanted.references
    rest = np.setdiff1d(np.arange(len(cuts)), rows)
    if which == NONE:
        return Against(references=n)
    named = np.array([which in (OTHER, ANY) or fits(label, which) for label in cuts.labels])
    if not named.any():
        told = f"windows of {plain(Path(which).name, 60)}" if is_file(which) else _labelled(which)
        return Against(told, n, beside=elsewhere().data, own=np.zeros(len(rows), dtype=bool))
    left = rest[named[rest]]
    beside = np.sort(np.random.default_rng((seed, 0x32)).permutation(left)[:most])
    told = which if which in (OTHER, ANY) else _labelled(which)
    return Against(told, n, beside=cuts.data[beside], own=named[rows])


def _labelled(which: str) -> str:
    return f"windows labelled {plain(which, 40)}"


def _against_rows(
    explainer: Explainer,
    x: NDArray[Any],
    rows: NDArray[np.int64],
    which: str,
    references: int,
    others: NDArray[Any] | None,
) -> Against:
    """What rows of an array are held against."""
    if others is not None:
        name = next(iter(explainer.inputs))
        beside = explainer.inputs.checked({name: others})[name]
        if beside.shape[1:] != x.shape[1:]:
            raise InputError(
                f"against {plain(Path(which).name)}: rows of shape {list(beside.shape[1:])} for rows of "
                f"{list(x.shape[1:])}"
            )
        told = f"rows of {plain(Path(which).name, 60)}"
        return Against(told, references, beside=beside, own=np.zeros(len(rows), dtype=bool))
    if which not in (NONE, OTHER, ANY):
        raise InputError(
            f"against {plain(which, 80)}: rows of an array are held against other or any of them, or against "
            "those of a file (.npy, .npz)"
        )
    rest = np.setdiff1d(np.arange(len(x)), rows)[: len(rows)]
    return Against(OTHER if which == NONE else which, references, beside=x[rest])


def _said(
    cuts: Windows, kind: str, interpolation: Replacement | None, taken: int, seed: int
) -> tuple[str, ...]:
    said = [f"{taken} of {counted(len(cuts), 'window')} were taken, at random (seed {seed})."]
    if kind == "electrodes" and interpolation is None:
        why = (
            "some were interpolated already"
            if cuts.interpolated
            else "not all have a known position, or are too few"
        )
        said.append(f"Electrodes are not interpolated from the others: {why}.")
    return tuple(said)


def _about(
    explainer: Explainer, data: Mapping[str, Any], target: Any, contrast: str | None, seed: int
) -> dict[str, Any]:
    contract = explainer.contract
    return {
        "model": {
            "file": plain(explainer.path.name),
            "name": contract.model if contract else "",
            "sha256": explainer.sha256,
        },
        "data": data,
        "target": jsonable(target),
        "contrast": None if contrast == "none" or isinstance(target, Mapping) else contrast,
        "seed": seed,
        "versions": versions(),
    }
