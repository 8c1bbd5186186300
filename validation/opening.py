"""A model and a recording, or a dataset of several, as a case."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from ..eeg.electrodes.positions import together
from ..eeg.electrodes.regions import unknown
from ..eeg.explanation.explained import truth
from ..eeg.explanation.open import filled, open_model
from ..eeg.recording.dataset import of_path, unsaid
from ..eeg.recording.labels import number_in
from ..eeg.recording.options import WindowOptions
from ..eeg.recording.read import Recording, read
from ..eeg.recording.windows import Windows
from ..eeg.text import counted, listed
from ..engine.contract import Filling, InputContract
from ..engine.errors import InputError, OnnxplainError
from ..engine.steps import step
from .case import Case, Floats, fixed_batch
from .policy import Policy


def open_case(
    model: Path,
    data: Path,
    policy: Policy,
    *,
    contract: InputContract | None = None,
    threads: int | None = None,
    window_options: WindowOptions | None = None,
    subject: str | None = None,
) -> Case:
    """Read a model and a recording, or a dataset of several; `subject` as in `dataset.recordings`.

    Raises
    ------
    OnnxplainError
        Either cannot be used, in one line.
    """
    # The check of the ledger says what does not add up.
    explainer, contract = open_model(
        model, contract, composite=policy.composite, threads=threads, max_closure=None
    )
    windowing = window_options or WindowOptions()
    contract = windowing.contract(contract)
    items = of_path(data, subject)
    found: list[tuple[Windows, str, dict[str, Floats]]] = []
    kept: list[Recording] = []
    notes = []
    for i, item in enumerate(items):
        step("reading the recordings", i / len(items) if len(items) > 1 else None)
        try:
            recording = read(item.path)
            windows = replace(windowing, events=_events(recording, contract, policy)).cut(recording, contract)
        except OnnxplainError as e:
            if len(items) == 1:
                raise
            notes.append(f"Left out: {e}")
            continue
        found.append((windows, item.subject, _aside(recording, windows)))
        kept.append(recording)
    if not found:
        raise InputError(
            f"{data}: no recording can be used; the first: {notes[0].removeprefix('Left out: ')}"
        )
    notes = [*unsaid(items), *notes]
    windows, groups, aside = _joined(found, contract)
    explainer, contract = filled(explainer, contract, windows)
    lost = unknown(windows.channels)
    if lost:
        notes.append(
            f"No place on the head is known of {len(lost)} of the model's "
            f"{counted(len(windows.channels), 'channel')}, by name or by a position in the data: eyes and "
            f"muscle could not be looked for there ({listed(lost, 12)})."
        )
    if policy.expects is not None:
        policy.expects.rows(windows.channels)  # a mistake in it is told before anything is computed
    chosen = _chosen(windows, groups, policy)
    batch = fixed_batch(explainer, contract) or 1
    if len(chosen) < batch:
        raise InputError(f"{model}: takes {batch} windows at a time, and there are {len(chosen)}")
    chosen = chosen[: len(chosen) - len(chosen) % batch]
    return Case(
        model, policy, explainer, contract, _some(windows, chosen), tuple(groups[i] for i in chosen),
        tuple(kept) if len(kept) == 1 else (), {k: v[chosen] for k, v in aside.items()}, tuple(notes),
        threads,
    )  # fmt: skip


def _events(recording: Recording, contract: InputContract, policy: Policy) -> str | None:
    """Where windows start: as the policy says, or at annotations that name classes, or are numbers."""
    if policy.events is not None or recording.is_epochs:
        return policy.events
    named = {m.description for m in recording.marks if not m.bad}
    if not contract.classes:
        numbers = sorted(d for d in named if np.isfinite(number_in(d)) and "," not in d)
        return ",".join(numbers) if len(numbers) > 1 else None
    real = truth(tuple(named), contract.classes)
    present = [contract.classes[i] for i in sorted(set(real[real >= 0].tolist()))]
    return ",".join(present) if present and not any("," in p for p in present) else None


def _aside(recording: Recording, windows: Windows) -> dict[str, Floats]:
    """EOG and ECG channels, cut as the windows are."""
    import mne

    if recording.is_epochs:
        return {}
    names = [
        n
        for n, kind in zip(recording.data.ch_names, recording.data.get_channel_types(), strict=True)
        if n not in windows.channels
        and (kind in ("eog", "ecg") or any(t in n.upper() for t in ("EOG", "ECG", "EKG")))
    ]
    found = {}
    rate, n = recording.data.info["sfreq"], windows.signal.shape[-1]
    for name in names:
        course = recording.data.get_data(picks=[name])[0] * 1e6
        if not np.isfinite(course).all() or np.ptp(course) == 0:
            continue
        if rate != windows.sfreq:
            course = mne.filter.resample(course, up=windows.sfreq, down=rate, verbose="error")
        first = np.round(windows.onsets * windows.sfreq).astype(int)
        if len(first) and first.max() + n > len(course):
            course = np.pad(course, (0, int(first.max()) + n - len(course)), mode="edge")
        found[name] = course[first[:, None] + np.arange(n)]
    return found


def _joined(
    found: Sequence[tuple[Windows, str, dict[str, Floats]]], contract: InputContract
) -> tuple[Windows, list[str], dict[str, Floats]]:
    """Windows of several recordings as one; channels beside EEG only where all have them."""
    first = found[0][0]
    groups = [group for windows, group, _ in found for _ in range(len(windows))]
    if len(found) == 1:
        return first, groups, found[0][2]
    every = [w for w, _, _ in found]
    joined = replace(
        first,
        channels=together([w.channels for w in every]),
        contract=_one_contract(contract, every),
        data=np.concatenate([w.data for w in every]),
        signal=np.concatenate([w.signal for w in every]),
        onsets=np.concatenate([w.onsets for w in every]),
        labels=tuple(label for w in every for label in w.labels),
        decisions=tuple(dict.fromkeys(d for w in every for d in w.decisions)),
        dropped=sum(w.dropped for w in every),
    )
    names = [n for n in found[0][2] if all(n in aside for _, _, aside in found)]
    return joined, groups, {n: np.concatenate([aside[n] for _, _, aside in found]) for n in names}


def _one_contract(contract: InputContract, every: Sequence[Windows]) -> InputContract:
    """The contract that windows of several recordings share, with each electrode at the mean of its places.

    Raises
    ------
    InputError
        A further input has another value in each recording, and one model cannot have them all.
    """
    made = {}
    for name, filling in contract.inputs.items():
        found = [w.contract.inputs[name] for w in every if w.contract is not None]
        if filling.positions is not None:
            made[name] = Filling(constant=np.mean([np.array(f.constant) for f in found], axis=0))
        elif any(f != found[0] for f in found):
            raise InputError(
                f"input {name}: its value is another in each recording, and the gate judges one model; "
                "validate one subject at a time, or give the contract a constant"
            )
        else:
            made[name] = found[0]
    if contract.scaling is not None and contract.scaling.over == "recording":
        raise InputError(
            "scaling over the recording: the gate judges windows of several recordings alike; validate one "
            "recording at a time, or scale over the window"
        )
    return contract.model_copy(update={"inputs": made})


def _chosen(windows: Windows, groups: Sequence[str], policy: Policy) -> NDArray[np.int64]:
    """Which windows are looked at: all, or so many that each subject has about as many."""
    n = len(windows)
    if n <= policy.windows:
        return np.arange(n)
    rng = np.random.default_rng([policy.seed, n])
    order = rng.permutation(n)
    turn: dict[str, int] = {}
    rank = np.empty(n, dtype=np.int64)
    for i in order:
        turn[groups[i]] = rank[i] = turn.get(groups[i], -1) + 1
    chosen = sorted(order, key=lambda i: rank[i])[: policy.windows]
    return np.sort(np.array(chosen, dtype=np.int64))


def _some(windows: Windows, rows: NDArray[np.int64]) -> Windows:
    return replace(
        windows, data=windows.data[rows], signal=windows.signal[rows], onsets=windows.onsets[rows],
        labels=tuple(windows.labels[i] for i in rows),
    )  # fmt: skip
