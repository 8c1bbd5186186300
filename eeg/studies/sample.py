"""The windows that an evaluation is made on: at random out of a recording, or out of an array."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Unpack

import numpy as np
from numpy.typing import NDArray

from ...engine.contract import InputContract
from ...engine.errors import InputError
from ...engine.evaluation.features import Features, along
from ...engine.evaluation.replacement import Replacement
from ...engine.evaluation.setting import Setting
from ...engine.explainer import Explainer
from ...engine.steps import step
from ..explanation.explain import indices
from ..explanation.open import ModelKeywords, ModelOptions, open_model
from ..explanation.provenance import about, jsonable, sha256, versions
from ..recording.options import WindowKeywords, WindowOptions, sorted_into
from ..recording.read import recording_of
from ..recording.windows import Windows
from ..text import counted, plain
from .features import features, spline_interpolation

WINDOWS = 64


@dataclass(frozen=True, eq=False)
class Sample:
    """What is evaluated, and what it was made from.

    Attributes
    ----------
    setting : Setting
    kind : str
        Of the features.
    time_axes : int
        As for `engine.evaluation.stability.stability`.
    interpolation : Replacement or None
        Beside transplants, where electrodes can be made from others.
    of : int
        Windows that there were to choose from.
    unit : str
        Of what is explained.
    decisions : tuple of str
    provenance : mapping
    """

    setting: Setting
    kind: str
    time_axes: int
    interpolation: Replacement | None
    of: int
    unit: str
    decisions: tuple[str, ...]
    provenance: Mapping[str, Any]


class SampleKeywords(ModelKeywords, WindowKeywords, total=False):
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
    contract, composite, params, backend, threads : optional
        As for `run.explain_recording`.
    events, channels, unit, interpolate_missing, window, labels : optional
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
    opening, cutting, _ = sorted_into(options, "sample", ModelOptions, WindowOptions)
    opened = ModelOptions(**opening)
    explainer, contract = open_model(model, **vars(opened), ledger=False)
    windowing = replace(window_options or WindowOptions(), **cutting).loaded()
    contract = windowing.contract(contract)
    groups = features(kind, contract, bands)
    step("reading the recording")
    recording = recording_of(data)
    cuts = windowing.cut(recording, contract)
    rows = chosen(len(cuts), windows, seed)
    by_neighbours = kind == "electrodes" and not cuts.interpolated
    interpolation = spline_interpolation(contract, cuts.channels) if by_neighbours else None
    return Sample(
        setting=_setting(explainer, cuts.data[rows], groups, target, contrast, contract, batch_size, seed),
        kind=kind,
        time_axes=1 if contract.patch is None else 2,
        interpolation=interpolation,
        of=len(cuts),
        unit=contract.output_unit or "logit",
        decisions=(*cuts.decisions, *_said(cuts, kind, interpolation, len(rows), seed)),
        provenance={
            **_about(explainer, about(recording, data), target, contrast, seed),
            "options": {
                "composite": explainer.composite.name,
                "parameters": dict(opened.params or {}),
                **windowing.provenance(),
                "windows": windows,
                "seed": seed,
            },
        },
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

    Raises
    ------
    InputError
        The array has no features.
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
    return Sample(
        setting=_setting(
            explainer, x[rows], along(x.shape[1:], names), target, contrast, contract, batch_size, seed
        ),
        kind="features",
        time_axes=x.ndim - 2,
        interpolation=None,
        of=len(x),
        unit=(contract.output_unit if contract else None) or "logit",
        decisions=(f"{len(rows)} of {counted(len(x), 'row')} were taken, at random (seed {seed}).",),
        provenance={
            **_about(explainer, {"file": plain(data.name), "sha256": sha256(data)}, target, contrast, seed),
            "options": {"composite": explainer.composite.name, "windows": windows, "seed": seed},
        },
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
) -> Setting:
    against = None if contrast == "none" or isinstance(target, Mapping) else contrast
    name = contract.input if contract is not None and contract.input in explainer.inputs else ""
    if contract is not None:
        target = indices(target, contract)
    return Setting(explainer, x, groups, target, against, name, batch, seed).settled()


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
