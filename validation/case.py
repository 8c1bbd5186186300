"""What checks look at: a model, its windows and labels, and everything computed of them once."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from ..eeg.artefacts.component_parts import component_parts
from ..eeg.artefacts.parts import ArtefactPart, Missing, look, unplaced
from ..eeg.exchange.catalogue import catalogue
from ..eeg.exchange.expected import Expected, outside_parts
from ..eeg.exchange.pairs import Pairs, draw, why_not
from ..eeg.exchange.parts import SignalPart
from ..eeg.exchange.search import Proposed, proposed
from ..eeg.explanation.explain import explain_windows
from ..eeg.explanation.explained import Explained, truth
from ..eeg.explanation.question import Question, question_of
from ..eeg.explanation.references import ReferenceOptions, ReferenceWindows
from ..eeg.recording.labels import number_in
from ..eeg.recording.read import Recording
from ..eeg.recording.windows import Windows, as_input, from_model_layout
from ..eeg.views.baselines import random_copies
from ..engine.contract import InputContract
from ..engine.evaluation.references import OTHER
from ..engine.explainer import Explainer
from ..engine.steps import step
from .holding import held
from .policy import Policy
from .smallest import Smallest, smallest_of

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
    def asked(self) -> Question:
        """What is asked of the model: the class that it says, or the number that the policy names."""
        said = self.policy.target
        return question_of(self.contract, "predicted" if said is None else said, "rest")

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

    @cached_property
    def smallest(self) -> Smallest | None:
        """The smallest part that decides; None where too few windows are called unlike."""
        return smallest_of(self)

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
