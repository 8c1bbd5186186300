"""A small case for the gate's checks: eleven electrodes, one second, a model of one hidden layer.

The truth is known: every window has a burst at 12 Hz over the left hand area, whose phase is the label, a
saccade to one side, a blink in some, muscle over the temples, and noise. What a model reads is written down
in its weights.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path

import numpy as np
import onnx
import onnx.parser
import pytest
from numpy.typing import NDArray
from onnx import numpy_helper

from onnxplain.eeg.artefacts.parts import Missing
from onnxplain.eeg.electrodes.names import template_positions
from onnxplain.eeg.electrodes.positions import Electrodes
from onnxplain.eeg.recording.read import Mark, Recording
from onnxplain.eeg.recording.windows import Windows, as_input
from onnxplain.engine.contract import InputContract
from onnxplain.engine.explainer import Explainer
from onnxplain.validation import Policy
from onnxplain.validation.case import Case
from onnxplain.validation.result import CheckResult

Floats = NDArray[np.float64]

TEN_TWENTY = ("Fp1", "Fp2", "F7", "F8", "C3", "C4", "T7", "T8", "Pz", "O1", "O2")
SFREQ, LENGTH = 128.0, 128
TIMES = np.arange(LENGTH) / SFREQ
BURST = np.sin(2 * np.pi * 12 * TIMES) * np.exp(-(((TIMES - 0.5) / 0.12) ** 2))
SACCADE = np.where((TIMES > 0.4) & (TIMES < 0.6), 1.0, 0.0)  # when the eyes look aside in every window
LOOK = np.hanning(LENGTH)


@dataclass(frozen=True)
class Truth:
    """What is in each window, and what it is called: all but `hands` by chance, unless a test says so."""

    windows: int = 64
    seed: int = 0
    hands: NDArray[np.int64] | None = None
    eyes: NDArray[np.int64] | None = None  # side of the saccade
    gaze: float | Floats = 40.0  # microvolt of a saccade, of each window or of all
    labels: NDArray[np.int64] | None = None  # of `hands`; -1 where it is not known
    groups: tuple[str, ...] = ()
    offsets: Mapping[str, float] = field(default_factory=dict)  # microvolt on O1, by group

    def side(self, of: str) -> NDArray[np.int64]:
        given = getattr(self, of)
        if given is not None:
            return np.asarray(given)
        return np.random.default_rng([self.seed, *of.encode()]).permutation(np.arange(self.windows) % 2)


def signal(truth: Truth) -> Floats:
    """Microvolt, [window, channel, time]."""
    rng = np.random.default_rng(truth.seed)
    row = TEN_TWENTY.index
    x = rng.normal(0, 3.0, (truth.windows, len(TEN_TWENTY), LENGTH))
    x[:, row("C3")] += (2 * truth.side("hands") - 1)[:, None] * 15 * BURST
    # Begin and end vary: regular ones would be taken for a heart.
    begin, end = rng.uniform(0.05, 0.4, (truth.windows, 1)), rng.uniform(0.6, 0.95, (truth.windows, 1))
    aside = np.clip((TIMES - begin) / 0.08, 0, 1) * np.clip((end - TIMES) / 0.08, 0, 1)  # eyes take a while
    gaze = ((2 * truth.side("eyes") - 1) * truth.gaze)[:, None] * aside
    x[:, row("F7")] += gaze
    x[:, row("F8")] -= gaze
    blinks = (rng.random(truth.windows) < 0.3)[:, None] * 80 * LOOK
    x[:, [row("Fp1"), row("Fp2")]] += blinks[:, None]
    x[:, [row("T7"), row("T8")]] += rng.normal(0, 8.0, (truth.windows, 2, LENGTH))
    for i, group in enumerate(truth.groups):
        x[i, row("O1")] += truth.offsets.get(group, 0.0)
    return x


def filters(reads: Mapping[str, float]) -> Floats:
    """Weights of a model, [channel, time]: how much it goes by the burst, the saccade, and O1."""
    w = np.zeros((len(TEN_TWENTY), LENGTH))
    row = TEN_TWENTY.index
    w[row("C3")] += reads.get("hands", 0.0) * BURST / (15 * (BURST**2).sum())
    gaze = reads.get("eyes", 0.0) * SACCADE / (80 * SACCADE.sum())
    w[row("F7")] += gaze
    w[row("F8")] -= gaze
    w[row("O1")] += reads.get("O1", 0.0) / LENGTH
    # A little of everything, as trained weights have: without it a shuffled copy would have none.
    return w + np.random.default_rng(1).normal(0, 1e-5, w.shape)


def write_model(path: Path, weights: Floats, contract: InputContract, outputs: int) -> Path:
    """Hidden units for and against the second class, eight each: shuffled weights say something too."""
    flat = weights.reshape(-1, 1)
    hidden = np.hstack([flat, -flat]).repeat(8, axis=1)
    ends = np.array([[-0.5, 0.5], [0.5, -0.5]]).repeat(8, axis=0)[:, 2 - outputs :] / 8
    channels = len(contract.channels)
    model = onnx.parser.parse_model(
        f"""<ir_version: 8, opset_import: ["" : 17]>
        small (float[N, {channels}, {LENGTH}] x) => (float[N, {outputs}] y)
        {{ flat = Flatten(x) h = MatMul(flat, w) a = Relu(h) y = MatMul(a, v) }}"""
    )
    for name, value in (("w", hidden), ("v", ends)):
        model.graph.initializer.append(numpy_helper.from_array(value.astype(np.float32), name))
    onnx.helper.set_model_props(model, contract.to_metadata())
    onnx.save(model, path)
    return path


def electrodes(naming: str, channels: tuple[str, ...]) -> Electrodes:
    """Electrodes, and what is known of where they lie.

    "10-20" are known names, "cap" names of the cap's own with positions in the file, "unknown" the same
    without.
    """
    if naming == "10-20":
        return Electrodes(channels)
    own = tuple(f"E{i + 1}" for i in range(len(channels)))
    places = template_positions(channels) if naming == "cap" else {}
    measured = (tuple(p.tolist()) for p in places.values())
    return Electrodes(own, dict(zip(own, measured, strict=True)) if places else None)


MakeCase = Callable[..., Case]


@pytest.fixture(scope="session")
def make_case(tmp_path_factory: pytest.TempPathFactory) -> MakeCase:
    """Make a case: what the model reads, what is in the windows, and a policy's checks and `expects` as YAML.

    What is read may be the weights themselves, [channel, time]; `record` changes windows as a recorder would.
    """

    def make(
        reads: str | Mapping[str, float] | Floats = "hands",
        *,
        truth: Truth | None = None,
        checks: str = "{}",
        expects: str = "null",
        naming: str = "10-20",
        channels: tuple[str, ...] = TEN_TWENTY,
        outputs: int = 2,
        marks: tuple[tuple[float, str], ...] | None = (),
        record: Callable[[Floats, Truth], Floats] | None = None,
    ) -> Case:
        truth = truth or Truth()
        cap = electrodes(naming, channels)
        contract = InputContract(
            input="x", channels=cap.names, sfreq=SFREQ, window=LENGTH,
            classes=("left", "right") if outputs == 2 else (),
        )  # fmt: skip
        rows = [TEN_TWENTY.index(c) for c in channels]
        told = (
            reads
            if isinstance(reads, np.ndarray)
            else filters({reads: 1.0} if isinstance(reads, str) else reads)
        )
        weights = told[rows]
        weights = np.zeros_like(weights) if isinstance(reads, str) and reads == "nothing" else weights
        path = write_model(tmp_path_factory.mktemp("case") / "small.onnx", weights, contract, outputs)
        policy = Policy.from_text(f"version: 1\nchecks: {checks}\nexpects: {expects}")
        x = signal(truth)[:, rows] if record is None else record(signal(truth)[:, rows], truth)
        labels = truth.side("hands") if truth.labels is None else truth.labels
        windows = Windows(
            data=as_input(x, contract),
            signal=x.astype(np.float32),
            channels=cap,
            times=TIMES,
            onsets=np.arange(truth.windows, dtype=np.float64),
            labels=tuple(None if v < 0 else ("left", "right")[v] for v in labels),
            sfreq=SFREQ,
            decisions=(),
        )
        recording = Recording("small", None, tuple(Mark(onset, 0.0, what) for onset, what in marks or ()))
        return Case(
            path, policy, Explainer(path, composite=policy.composite, contract=contract), contract, windows,
            truth.groups or ("one",) * truth.windows, () if marks is None else (recording,),
        )  # fmt: skip

    return make


@pytest.fixture(scope="session", params=["10-20", "cap"])
def known(request: pytest.FixtureRequest) -> str:
    """Both ways to say where electrodes lie: a test that asks for it, or for a case of it, runs twice."""
    found: str = request.param
    return found


@pytest.fixture(scope="session")
def honest(make_case: MakeCase, known: str) -> Case:
    """A model that goes by the hand area."""
    return make_case("hands", naming=known)


@pytest.fixture(scope="session")
def shortcut(make_case: MakeCase, known: str) -> Case:
    """A model that goes by the eyes."""
    return make_case("eyes", naming=known)


@pytest.fixture(scope="session")
def constant(make_case: MakeCase) -> Case:
    """A model that says the same of every window."""
    return make_case("nothing")


@pytest.fixture(scope="session")
def nameless(make_case: MakeCase) -> Case:
    """The honest model on a cap whose channels have names of their own, and no positions."""
    return make_case("hands", naming="unknown")


@pytest.fixture(scope="session")
def cases(honest: Case, shortcut: Case, constant: Case, nameless: Case) -> dict[str, Case]:
    """All four, by name."""
    return {"honest": honest, "shortcut": shortcut, "constant": constant, "nameless": nameless}


@pytest.fixture(scope="session")
def truth() -> type[Truth]:
    """Say what is in the windows."""
    return Truth


@pytest.fixture
def nothing_seen(monkeypatch: pytest.MonkeyPatch) -> Callable[[Case], Case]:
    """A case as it is where no artefact has a part, for whatever reason."""

    def make(case: Case) -> Case:
        missing = dict(case.missing)
        for kind in case.parts:
            missing[kind] = Missing(kind, "data", "there is too little of it")
        monkeypatch.setattr("onnxplain.validation.case.look", lambda *_: ({}, missing))
        return replace(case)  # without what was computed

    return make


@pytest.fixture(scope="session")
def result() -> Callable[[list[CheckResult], str], CheckResult]:
    """The one result of a name."""

    def find(results: list[CheckResult], check: str) -> CheckResult:
        (found,) = [r for r in results if r.check == check]
        return found

    return find
