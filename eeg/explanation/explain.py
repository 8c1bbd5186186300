"""Windows and an Explainer in, an explanation with names on its axes out."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ...engine.contract import InputContract
from ...engine.errors import InputError
from ...engine.explainer import Explainer
from ...engine.steps import step
from ..recording.windows import Windows
from ..text import plain
from . import dataset as named
from .bands import bands as by_band
from .collecting import Collected
from .explained import Explained
from .question import question_of
from .references import ReferenceWindows, overlapping
from .timeline import on_time_line


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
    references: ReferenceWindows | None = None,
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
    references : ReferenceWindows, optional
        What the windows are held against, where the explainer's composite is one of differences.

    Returns
    -------
    Explained
    """
    asked = question_of(contract, target, contrast)
    per_window = isinstance(asked.target, list | np.ndarray)
    if per_window and len(asked.target) != len(windows):
        raise InputError(f"target: {len(asked.target)} values for {len(windows)} windows")
    made, done = Collected(len(windows), contract, paired=references is not None), 0
    for rows, given in _batches(explainer, windows, contract, batch_size, references):
        step("explaining", done / len(windows))
        x = {contract.input: windows.data[rows]}
        own = np.asarray(asked.target)[rows] if per_window else asked.target
        made.put(rows, explainer(x, target=own, contrast=asked.contrast, **given))
        done += len(rows)
    step("explaining", 1.0)
    relevance, output = made.array("relevance"), made.array("output")
    if relevance is None:
        raise InputError(f"input {plain(contract.input)}: the explained output does not depend on it")
    dataset = named.to_dataset(
        windows,
        contract,
        relevance=relevance,
        multiplier=made.array("multiplier"),
        unassigned=made.array("unassigned"),
        explained=made.explained,
        target=made.array("target"),
        output=output,
        ledger=made.ledger(),
        closure=made.array("closure"),
        provenance=provenance,
        references=references,
    )
    notes = tuple(made.notes)
    notes += () if references is None else references.notes
    notes += _constant(output)
    notes += _first_of(output, contract, target)
    unit = asked.unit
    if references is not None:
        each = (("epoch", "reference", "channel"), made.array("by_reference"), {"units": unit})
        dataset = dataset.assign(by_reference=each)
    found = Explained(dataset, windows, contract, dict(provenance or {}), notes, unit, references=references)
    if overlapping(windows) is not None:
        dataset = dataset.assign(on_time_line(found))
        found = replace(found, dataset=dataset)
    if "multiplier" not in dataset:
        return found
    return replace(found, dataset=dataset.assign(bands=by_band(found, bands)))


def _first_of(output: NDArray[Any] | None, contract: InputContract, target: Any) -> tuple[str, ...]:
    """A note where one of several numbers was explained that nobody named."""
    several = output is not None and output.ndim == 2 and output.shape[1] > 1
    if not contract.regresses or not several or not (isinstance(target, str) and target == "predicted"):
        return ()
    assert output is not None
    first, *others = contract.targets or map(str, range(output.shape[1]))
    return (
        f"Of the model's {output.shape[1]} numbers {plain(first, 60)} is explained; a target names another "
        f"({plain(', '.join(others), 200)}).",
    )


def _constant(output: NDArray[Any] | None) -> tuple[str, ...]:
    """A note where the model says the same of every window."""
    if output is None or len(output) < 2 or not np.isfinite(output).all():
        return ()
    spread = float(np.ptp(output, axis=0).max())
    if spread > 1e-6 * max(1e-30, float(np.abs(output).max())):
        return ()
    return (
        f"The model says the same of all {len(output)} windows: its input may be in the wrong unit or scale "
        "for it (the contract's unit and scale), or flat.",
    )


def _batches(
    explainer: Explainer,
    windows: Windows,
    contract: InputContract,
    size: int,
    references: ReferenceWindows | None,
) -> Iterator[tuple[NDArray[np.int64], dict[str, Any]]]:
    """Windows that are explained together, and what they are held against."""
    name, everybody = contract.input, np.arange(len(windows))
    declared = explainer.inputs.by_name[name].shape[0]
    if references is not None and isinstance(declared, int) and declared > 1:
        # Such a file takes so many windows at a time, whatever each of them is held against.
        for start in range(0, len(windows), size):
            rows = everybody[start : start + size]
            yield rows, {"reference": {name: references.data[references.index[rows]].swapaxes(0, 1)}}
        return
    groups = [(everybody, None)] if references is None else references.groups()
    for rows, held in groups:
        given: dict[str, Any] = {}
        if references is not None:
            against = {name: references.data[held][:, None]}
            given["reference"] = explainer.references(against, {name: windows.data[rows[:1]]})
        for start in range(0, len(rows), size):
            yield rows[start : start + size], given
