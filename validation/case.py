"""What checks look at: a model, its windows and labels, and everything computed of them once."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from pathlib import Path
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from ..eeg.artefacts.component_parts import component_parts
from ..eeg.artefacts.parts import ArtefactPart, Missing, look, unplaced
from ..eeg.electrodes.positions import together
from ..eeg.electrodes.regions import unknown
from ..eeg.exchange.catalogue import catalogue
from ..eeg.exchange.expected import Expected, outside_parts
from ..eeg.exchange.pairs import Pairs, draw, why_not
from ..eeg.exchange.parts import SignalPart
from ..eeg.exchange.search import Proposed, proposed
from ..eeg.explanation.asked import Asked, asked_of
from ..eeg.explanation.explain import explain_windows
from ..eeg.explanation.explained import Explained, truth
from ..eeg.explanation.open import filled, open_model
from ..eeg.explanation.references import ReferenceOptions, ReferenceWindows
from ..eeg.recording.dataset import Item, recordings
from ..eeg.recording.labels import number_in
from ..eeg.recording.options import WindowOptions
from ..eeg.recording.read import Recording, read
from ..eeg.recording.windows import Windows, as_input, from_model_layout
from ..eeg.text import counted, listed
from ..eeg.views.baselines import random_copies
from ..engine.contract import Filling, InputContract
from ..engine.errors import InputError, OnnxplainError
from ..engine.evaluation.references import OTHER
from ..engine.explainer import Explainer
from ..engine.steps import step
from .holding import held
from .policy import Policy

Floats = NDArray[np.float64]
BATCH = 32
PROPOSING = 64  # windows of which a map says where to look


@dataclass
class Case:
    """A model on windows.

    Attributes
    ----------
    model : Path
    policy : Policy
    explainer : Explainer
        Under the policy's composite.
    contract : InputContract
    windows : Windows
        Of all recordings, one after the other.
    groups : tuple of str
        Subject of each window.
    recordings : tuple of Recording
        Without their signal where there are several.
    aside : dict of str to ndarray, shape (window, time)
        Channels recorded beside EEG.
    notes : tuple of str
    threads : int or None
    """

    model: Path
    policy: Policy
    explainer: Explainer
    contract: InputContract
    windows: Windows
    groups: tuple[str, ...]
    recordings: tuple[Recording, ...] = ()
    aside: dict[str, Floats] = field(default_factory=dict)
    notes: tuple[str, ...] = ()
    threads: int | None = None

    # -- what the model says ------------------------------------------------------------------------

    def run(self, signal: Floats) -> Floats:
        """Outputs for windows of signal in microvolt, [window, class], or [window, 1] of a regression."""
        name = self.contract.output or self.explainer.output
        found = self._run(signal, lambda x: self.explainer.predict(x)[name])
        return np.zeros((0, 0)) if found is None else self.asked.of(found)

    @cached_property
    def asked(self) -> Asked:
        """What is asked of the model: the class that it says, or the number that the policy names."""
        said = self.policy.target
        return asked_of(self.contract, "predicted" if said is None else said, "rest")

    @property
    def target(self) -> Any:
        """What is explained of each window."""
        return "predicted" if self.asked.column is None else self.asked.column

    def _run(self, signal: Floats, what: Callable[[dict[str, Any]], Any]) -> Floats | None:
        """Something of the model for windows of signal, as many at a time as the file takes."""
        contract, found = self.contract, []
        x = as_input(signal, contract)
        size = self.batch or BATCH
        for start in range(0, len(x), size):
            some = x[start : start + size]
            n = len(some)
            if self.batch is not None and n < size:  # the file takes so many windows and no fewer
                some = np.concatenate([some, np.repeat(some[-1:], size - n, axis=0)])
            given = what({contract.input: some})
            if given is None:
                return None
            found.append(np.asarray(given, dtype=np.float64)[:n])
        return np.concatenate(found) if found else None

    @property
    def batch(self) -> int | None:
        """How many windows the file takes at a time; None where that is open."""
        return fixed_batch(self.explainer, self.contract)

    @cached_property
    def signal(self) -> Floats:
        """The windows in microvolt, [window, channel, time]."""
        return self.windows.signal.astype(np.float64)

    @cached_property
    def outputs(self) -> Floats:
        """What the model says of each window."""
        step("running the model")
        return self.run(self.signal)

    @cached_property
    def features(self) -> Floats | None:
        """What the last layer before the output reads of each window, [window, feature]."""
        found = self._run(self.signal, self.explainer.features)
        if found is None or len(found) != len(self.windows):
            return None
        return found.reshape(len(found), -1)

    @property
    def has_classes(self) -> bool:
        """Whether the output is a number for each of two classes or more."""
        return self.outputs.ndim == 2 and self.outputs.shape[1] > 1

    @property
    def is_number(self) -> bool:
        """Whether the output is one number for each window."""
        return self.outputs.size == len(self.outputs)

    @cached_property
    def decisions(self) -> NDArray[np.int64]:
        """The class with the largest output, in each window."""
        return np.asarray(self.outputs.argmax(-1), dtype=np.int64)

    @cached_property
    def labels(self) -> NDArray[np.int64]:
        """The true class of each window; -1 where it is not known."""
        return truth(self.windows.labels, self.contract.classes)

    @cached_property
    def values(self) -> Floats:
        """The number that each window's label is; NaN where it is none."""
        return np.array([number_in(label) for label in self.windows.labels])

    @property
    def constant(self) -> bool:
        """Whether the output does not depend on the input at all."""
        y = self.outputs.reshape(len(self.outputs), -1)
        size = np.abs(y).max() if y.size else 0.0
        return bool(np.ptp(y, axis=0).max(initial=0.0) <= 1e-6 * max(float(size), 1e-12))

    # -- what can be exchanged ------------------------------------------------------------------------

    @cached_property
    def nothing_to_exchange(self) -> str | None:
        """Why nothing can be exchanged between windows, in words; None where it can."""
        return why_not(self.outputs)

    @cached_property
    def expected(self) -> Expected | None:
        """What the policy says that the task may use; None where it does not say."""
        asked = self.policy.expects
        if asked is None:
            return None
        return asked.on(self.windows.channels, self.windows.sfreq, self.signal.shape[-1])

    @property
    def allowed(self) -> tuple[str, ...]:
        """Artefacts that the policy says the task may use."""
        return () if self.policy.expects is None else self.policy.expects.all_artefacts

    @cached_property
    def pairs(self) -> Pairs:
        """The windows between which all parts are exchanged; `nothing_to_exchange` is None."""
        return draw(
            self.signal, self.outputs, self.run, self.seeded("pairs"), pairs=self.policy.checks.follows.pairs,
            groups=np.array(self.groups),
        )  # fmt: skip

    @cached_property
    def outside(self) -> tuple[SignalPart, ...]:
        """What lies outside of what the task may use; empty where the policy does not say."""
        return () if self.expected is None else tuple(outside_parts(self.expected, self.signal))

    @cached_property
    def signal_parts(self) -> tuple[SignalPart, ...]:
        """Parts of the windows, by the signal alone."""
        w = self.windows
        return tuple(catalogue(self.signal, w.sfreq, w.channels, self.expected, self.strongest))

    @property
    def strongest(self) -> tuple[int, ...]:
        """Electrodes with most relevance, strongest first: those that are exchanged one by one."""
        return tuple(self.proposed.order[: self.policy.checks.follows.electrodes])

    @cached_property
    def halves(self) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        """Windows in which a part is looked for, and those in which it is held to what was found."""
        order = self.seeded("halves").permutation(len(self.windows))
        return np.sort(order[: len(order) // 2]), np.sort(order[len(order) // 2 :])

    @cached_property
    def proposed(self) -> Proposed:
        """Where the map of a difference points, of the windows in which parts are looked for."""
        step("explaining against other windows")
        rows = self.halves[0][:PROPOSING]
        if self.explainer.composite.is_difference:
            return proposed(self.explained.relevance[rows])
        explainer = Explainer(
            self.model, "difference", contract=self.contract, threads=self.threads, ledger=False
        )
        against = held(
            self.windows, lambda: self.outputs, self.groups, ReferenceOptions(OTHER, self.policy.references),
            self.policy.seed,
        )  # fmt: skip
        name, found = self.contract.input, []
        for some in self._blocks(rows):
            a = explainer(
                {name: self.windows.data[some]},
                target=self.target,
                contrast="rest" if self.has_classes else None,
                reference={name: against.data[against.index[some].T]},
            )
            found.append(from_model_layout(a.relevance[name], self.contract))
        return proposed(np.concatenate(found))

    def _blocks(self, rows: NDArray[np.int64]) -> Iterator[NDArray[np.int64]]:
        """Windows, as many at a time as the file takes; what is left over is not given."""
        size = self.batch or BATCH
        least = len(rows) if self.batch is None else max(size, len(rows) - len(rows) % size)
        for start in range(0, least, size):
            yield np.resize(rows, least)[start : start + size]

    # -- what explains it ---------------------------------------------------------------------------

    @cached_property
    def references(self) -> ReferenceWindows | None:
        """What windows are held against, where the policy's maps are of a difference."""
        if not self.explainer.composite.is_difference:
            return None
        options = ReferenceOptions(self.policy.against or "other", self.policy.references)
        return held(self.windows, lambda: self.outputs, self.groups, options, self.policy.seed)

    def against(self, rows: NDArray[np.int64]) -> dict[str, Any]:
        """What the explainer is given beside some of the windows."""
        found = self.references
        if found is None:
            return {}
        return {"reference": {self.contract.input: found.data[found.index[rows].T]}}

    @cached_property
    def explained(self) -> Explained:
        """Relevance of every window under the policy's composite."""
        step("explaining")
        return self._explain(self.explainer, self.target)

    def _explain(self, explainer: Explainer, target: Any) -> Explained:
        provenance: dict[str, Any] = {
            "target": self.target,
            "contrast": "rest" if self.has_classes else None,
            "options": {
                "composite": self.policy.composite,
                "parameters": {},
                "against": self.policy.against,
                "references": self.policy.references,
            },
        }
        return explain_windows(
            explainer,
            self.windows,
            self.contract,
            target=target,
            contrast="rest" if self.has_classes else None,
            provenance=provenance,
            batch_size=self.batch or 8,
            references=self.references,
        )

    @cached_property
    def copies(self) -> list[Explained]:
        """The same windows and classes under copies with random weights."""
        step("explaining copies with random weights")
        return list(
            random_copies(
                self.explained,
                self.model,
                copies=self.policy.checks.share.copies,
                seed=self.policy.seed,
                batch_size=self.batch or 8,
            )
        )

    @property
    def parts(self) -> dict[str, ArtefactPart]:
        """The artefacts' parts of the windows."""
        return self._looked[0]

    @property
    def missing(self) -> dict[str, Missing]:
        """Artefacts without a part, and why."""
        return self._looked[1]

    @cached_property
    def _looked(self) -> tuple[dict[str, ArtefactPart], dict[str, Missing]]:
        step("looking for artefacts")
        return look(self.windows, self.aside, self.groups)

    @property
    def why_no_parts(self) -> Literal["electrodes", "data", "model"]:
        """Why no artefact has a part: for want of known electrodes, if that is so of any."""
        return min((m.why for m in self.missing.values()), key=("electrodes", "data", "model").index)

    @cached_property
    def unplaced(self) -> tuple[str, ...]:
        """Electrodes of the model of which it is not known where they lie."""
        return unplaced(self.windows.channels)

    @cached_property
    def component_parts(self) -> dict[str, ArtefactPart]:
        """The artefacts' parts of the windows, of independent components."""
        step("finding independent components")
        return component_parts(self.windows, self.groups, seed=self.policy.seed)

    def settings(self, check: str) -> Mapping[str, Any]:
        """What the policy says to a check of another package; empty where it says nothing."""
        said = self.policy.checks.other.get(check)
        return {} if said is None else dict(said.model_extra or {})

    def seeded(self, of: str) -> np.random.Generator:
        """Random numbers of one check, the same whatever else runs."""
        return np.random.default_rng([self.policy.seed, *of.encode()])


def fixed_batch(explainer: Explainer, contract: InputContract) -> int | None:
    """The first axis of the model's input where the file fixes it."""
    known = explainer.inputs.by_name.get(contract.input)
    first = known.shape[0] if known is not None and known.shape else None
    return first if isinstance(first, int) else None


def open_case(
    model: Path,
    data: Path,
    policy: Policy,
    *,
    contract: InputContract | None = None,
    threads: int | None = None,
    window_options: WindowOptions | None = None,
) -> Case:
    """Read a model and a recording, or a dataset of several.

    Raises
    ------
    OnnxplainError
        Either cannot be used, in one line.
    """
    explainer, contract = open_model(model, contract, composite=policy.composite, threads=threads)
    windowing = window_options or WindowOptions()
    contract = windowing.contract(contract)
    dataset = data.is_dir() and data.suffix.lower() not in (".mff", ".ds", ".mefd")
    items = recordings(data) if dataset else (Item(data.stem, data.stem, data),)
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
