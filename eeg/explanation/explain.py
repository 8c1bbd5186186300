"""Windows and an Explainer in, an explanation with names on its axes out."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ...engine.attribution import Attribution
from ...engine.contract import InputContract
from ...engine.errors import InputError
from ...engine.explainer import Explainer
from ...engine.steps import step
from ..recording.windows import Windows, from_model_layout
from ..text import plain
from . import dataset as named
from .bands import bands as by_band
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
    parts: list[Attribution] = []
    order: list[NDArray[np.int64]] = []
    for rows, given in _batches(explainer, windows, contract, batch_size, references):
        step("explaining", sum(map(len, order)) / len(windows))
        x = {contract.input: windows.data[rows]}
        own = np.asarray(asked.target)[rows] if per_window else asked.target
        parts.append(explainer(x, target=own, contrast=asked.contrast, **given))
        order.append(rows)
    step("explaining", 1.0)
    name, made = contract.input, _Parts(parts, np.argsort(np.concatenate(order)))
    relevance = made.of_input("relevance", name)
    if relevance is None:
        raise InputError(f"input {plain(contract.input)}: the explained output does not depend on it")
    dataset = named.to_dataset(
        windows,
        contract,
        relevance=relevance,
        multiplier=made.multiplier(name, references),
        unassigned=made.of_input("unassigned", name),
        explained=made.joined(lambda p: p.explained),
        target=made.classes(),
        output=made.output(contract),
        ledger=made.ledger(),
        closure=made.joined(Attribution.closure),
        provenance=provenance,
        references=references,
    )
    notes = tuple(dict.fromkeys(note for p in parts for note in p.notes))
    notes += () if references is None else references.notes
    notes += _constant(made.output(contract))
    notes += _first_of(made.output(contract), contract, target)
    unit = asked.unit
    if references is not None:
        each = (("epoch", "reference", "channel"), made.by_reference(contract), {"units": unit})
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


@dataclass(frozen=True)
class _Parts:
    """Explanations of some windows each, which together are all."""

    parts: Sequence[Attribution]
    back: NDArray[np.int64]  # where each window is among those of all parts

    def joined(self, of: Callable[[Attribution], NDArray[Any]]) -> NDArray[Any]:
        """An array of each part, in the order of the windows."""
        return np.concatenate([of(p) for p in self.parts])[self.back]

    def of_input(self, what: str, name: str) -> NDArray[Any] | None:
        """Relevance or what is unassigned of an input; None where there is none."""
        if name not in getattr(self.parts[0], what):
            return None

        def found(p: Attribution) -> NDArray[Any]:
            return np.asarray(getattr(p, what)[name])

        return self.joined(found)

    def multiplier(self, name: str, references: ReferenceWindows | None) -> NDArray[Any] | None:
        """The multiplier of an input, [epoch, *shape], or [epoch, reference, *shape]."""
        if name not in self.parts[0].multiplier:
            return None
        if references is None:
            return self.joined(lambda p: p.multiplier[name])
        return self.joined(lambda p: np.stack([a.multiplier[name] for a in p.per_reference], 1))

    def by_reference(self, contract: InputContract) -> NDArray[Any]:
        """Relevance of each electrode against each reference, [epoch, reference, channel]."""
        name = contract.input

        def summed(a: Attribution) -> NDArray[Any]:
            return np.asarray(from_model_layout(a.relevance[name], contract).sum(-1, dtype=np.float64))

        return self.joined(lambda p: np.stack([summed(a) for a in p.per_reference], 1))

    def classes(self) -> NDArray[Any] | None:
        """The explained class of each window; None where a target is no class."""
        for p in self.parts:
            t = np.asarray(p.target)
            if t.dtype.kind not in "iu" or t.shape != (len(p.explained),):
                return None
        return self.joined(lambda p: np.asarray(p.target))

    def output(self, contract: InputContract) -> NDArray[Any] | None:
        """What the model says of each window."""
        first = self.parts[0]
        name = contract.output or (
            first.output if first.output in first.outputs else next(iter(first.outputs))
        )
        return self.joined(lambda p: p.outputs[name]) if name in first.outputs else None

    def ledger(self) -> dict[str, NDArray[Any]]:
        """Per kind, one value a window; a kind that a batch lacks is zero there. Largest first."""
        found = {id(p): p.ledger.by_kind() for p in self.parts}
        kinds = list(dict.fromkeys(kind for each in found.values() for kind in each))
        whole = {
            kind: np.concatenate([found[id(p)].get(kind, np.zeros(len(p.explained))) for p in self.parts])[
                self.back
            ]
            for kind in kinds
        }
        return dict(sorted(whole.items(), key=lambda kv: -float(np.abs(kv[1]).sum())))
