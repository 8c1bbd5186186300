"""From a case to recordings: which subjects, what their trials say, and the shortcut planted in them."""

from __future__ import annotations

from functools import lru_cache
from typing import Any, Literal

import numpy as np
import sealed_tasks  # noqa: F401  (its tasks go into TASKS)
from case import Case
from heads import Head
from kinds import Kind, Trial
from locked import LOCKED
from numpy.typing import NDArray
from sealed import SEALED
from shortcuts import OPEN
from tasks import GAP, TASKS, Task, Trials, onsets, recording, simulated

Array = NDArray[np.float64]
Part = Literal["train", "gate", "against"]
PARTS = {"train": 1, "gate": 2, "against": 3}
UNEVEN = 0.2  # share of the last class


def kind_of(case: Case) -> Kind | None:
    """The case's kind of shortcut."""
    return OPEN.get(case.kind) or LOCKED.get(case.kind) or SEALED.get(case.kind)


def people(case: Case) -> list[int]:
    """The subjects that a network is trained on."""
    kind = kind_of(case)
    n = 4 if kind is not None and kind.told == "subject" else 3
    return [10 * case.seed + i for i in range(n)]


def gate_people(case: Case) -> list[int]:
    """Those of them whom the gate gets."""
    everybody = people(case)
    return everybody if len(everybody) == 4 or case.seed % 2 else everybody[:2]


@lru_cache(maxsize=8)
def _head(cap: str, sfreq: float, who: int) -> Head:
    return Head(cap, sfreq, who)


def planted(case: Case, who: int, n: int, part: Part) -> tuple[Any, Trials]:
    """A recording of a subject and what its trials say.

    Parameters
    ----------
    case : Case
    who : int
        One of `people`.
    n : int
        Trials.
    part : {"train", "gate", "against"}
        In "against" the shortcut never tells the label.
    """
    task, kind = TASKS[case.task], kind_of(case)
    rng = np.random.default_rng([404, who, PARTS[part]])
    head = _head(task.cap, task.sfreq, who)
    what = _trials(case, task, kind, who - people(case)[0], n, part, rng)
    signal = simulated(task, head, what, rng, case.source)
    if kind is not None and kind.stage == "head":
        _plant(case, kind, task, head, signal, what, rng)
    signal -= signal.mean(axis=0)
    if kind is not None and kind.stage == "amplifier":
        _plant(case, kind, task, head, signal, what, rng)
    return recording(task, head, signal, what.label), what


def _plant(
    case: Case, kind: Kind, task: Task, head: Head, signal: Array, what: Trials, rng: np.random.Generator
) -> None:
    size = kind.sizes[0 if case.strength == "strong" else 1]
    middle = round(GAP * task.sfreq) // 2
    for onset, amount in zip(onsets(task, len(what)), what.amount, strict=True):
        start = round(onset * task.sfreq)
        stop = start + task.samples
        kind.plant(Trial(signal, head, rng, start, stop, float(amount), size, middle))


def _drawn(case: Case, task: Task, n: int, part: Part, rng: np.random.Generator) -> Array:
    """Labels by chance."""
    if not task.classes:
        return rng.permutation(np.linspace(0, 1, n))
    k = len(task.classes)
    if case.kind == "uneven" and part == "gate":  # met in the field, not in training
        last = rng.random(n) < UNEVEN
        return np.where(last, k - 1, rng.integers(0, k - 1, n)).astype(float)
    return rng.permutation(np.arange(n) % k).astype(float)


def _trials(
    case: Case, task: Task, kind: Kind | None, index: int, n: int, part: Part, rng: np.random.Generator
) -> Trials:
    k = len(task.classes)
    against = part == "against"
    goes = (rng.random(n) < case.agree) & (not against)
    label = _drawn(case, task, n, part, rng)
    told, amount = label, label / max(k - 1, 1)
    if kind is not None:
        if kind.told == "subject":
            told = np.full(n, float(index % 2) * (k - 1))
            amount = told / (k - 1)
        elif kind.told == "session":
            amount = np.linspace(0, 1, n)
            told = np.minimum(np.floor(amount * k), k - 1) if k else amount
        elif not k:
            told = amount = _drawn(case, task, n, part, rng)
        if k and kind.told == "trial":
            told = np.where(goes, label, _another(label, k, rng))
            amount = told / (k - 1)
        elif k:
            label = np.where(goes, told, _another(told, k, rng))
        elif not against:
            label = np.clip(told + rng.normal(0, 0.06, n), 0, 1)
    own = label if case.own == "label" else _drawn(case, task, n, part, rng)
    return Trials(label, own, told, amount)


def _another(classes: Array, k: int, rng: np.random.Generator) -> Array:
    """A class that is not the given one, of each."""
    return np.asarray((classes + rng.integers(1, k, len(classes))) % k)
