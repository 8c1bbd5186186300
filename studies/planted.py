"""Recordings and networks with a planted shortcut, to try the gate on: the truth is known before it runs.

Each case is motor imagery as in `simulate`, and what it says by the side: an artefact that goes with the
label, a label that goes with the subject, a network that sees blinks through its GroupNorm only, uneven
classes, random weights, a constant output.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import mne
import numpy as np
from numpy.typing import NDArray
from simulate import (
    CHANNELS,
    CLASSES,
    GAP,
    LEAD,
    SFREQ,
    WINDOW,
    Head,
    Trials,
    background,
    blinking,
    occipital_alpha,
    rhythm,
    saccades,
    sensorimotor,
    sensors,
)
from sources import heart as heart_field
from training import SIZE, START, descend

Array = NDArray[np.float64]

TRAINED, TRIALS = 3, 240  # subjects, and trials of each
EPOCHS, BATCH, RATE = 14, 40, 2e-3
STARTS = 4  # a network that does not learn what its case says is begun anew, so many times at most
FOLLOWS, DOES = 0.7, 0.65  # a network counts when it does what its case says
KNOWN = 6  # subjects of the case in which the label goes with the subject
FRONT = ("Fp1", "Fp2", "F7", "F3", "Fz", "F4", "F8")


@dataclass(frozen=True)
class Planted:
    """A case.

    Attributes
    ----------
    name : str
    expected : tuple of str
        Verdicts that are right, written down before any run.
    artefact : str
        What a FAIL or WARNING has to name; empty for none.
    """

    name: str
    expected: tuple[str, ...]
    artefact: str = ""


CAUGHT, NONE = ("FAIL", "WARNING"), ("FAIL", "NOT EVALUABLE")
CASES = (
    Planted("honest", ("PASS",)),
    Planted("saccade", CAUGHT, "eyes"),
    Planted("blink", CAUGHT, "eyes"),
    Planted("heart", CAUGHT, "heart"),
    Planted("muscle", CAUGHT, "muscle"),
    Planted("mains", CAUGHT, "mains"),
    Planted("electrode", CAUGHT, "electrode"),
    Planted("subject", CAUGHT, "subject"),
    Planted("groupnorm", CAUGHT, "eyes"),
    Planted("half", CAUGHT, "eyes"),
    Planted("imbalance", ("PASS",)),
    Planted("random", NONE),
    Planted("constant", NONE),
)


def labels(case: str, n: int, rng: np.random.Generator, subject: int) -> NDArray[np.int64]:
    """Labels of n trials."""
    if case == "imbalance":
        return np.asarray(rng.random(n) < 0.2, dtype=np.int64)
    if case == "subject":
        return np.asarray(rng.random(n) < (0.85 if subject % 2 else 0.15), dtype=np.int64)
    return np.asarray(rng.permutation(np.arange(n) % 2), dtype=np.int64)


def raw(
    case: str, subject: int, label: NDArray[np.int64], rng: np.random.Generator, *, agree: float = 1.0
) -> Any:
    """A recording of one subject.

    Parameters
    ----------
    case : str
    subject : int
        Seed of the head and of what is the subject's own.
    label : ndarray of int
    rng : Generator
        Of all noise.
    agree : float
        The part of the trials in which a planted artefact goes with the label.

    Returns
    -------
    mne.io.RawArray
    """
    own = np.random.default_rng([77, subject])
    head = Head(own)
    n = round((2 * LEAD + len(label) * (WINDOW + GAP)) * SFREQ)
    sign = np.where(rng.random(len(label)) < agree, label, 1 - label)
    by_chance = rng.permutation(np.arange(len(label)) % 2)
    tells = case == "saccade" or (case == "half" and subject % 2 == 0)
    # In the cases of a shortcut nothing else tells the label: a network that finds it has found the shortcut.
    honest = case in ("honest", "imbalance", "random", "constant") or (case == "half" and subject % 2)
    hands = label if honest else by_chance
    what = Trials(np.asarray(hands), np.asarray(sign if tells else by_chance))
    noise = np.random.default_rng(rng.integers(2**32))
    signal = background(noise, head, n)
    if case == "subject":  # what tells subjects apart: one half of them has strong alpha, the other weak
        both = rhythm(noise, n, 2, 10.0, 0.8)
        signal += head.alpha @ both * (own.uniform(11, 14) if subject % 2 else own.uniform(2, 4))
    else:
        signal += occipital_alpha(noise, head, n)
    signal += sensorimotor(noise, head, n, what) + saccades(noise, head, n, what)
    if case not in ("blink", "groupnorm"):
        signal += blinking(noise, head, n)[0]
    signal += sensors(noise, n)
    for onset, y in zip(what.onsets, sign, strict=True):
        _plant(case, signal, head, noise, round(onset * SFREQ), int(y))
    signal -= signal.mean(axis=0)
    made = mne.io.RawArray(signal * 1e-6, head.info, verbose="error")
    names = [CLASSES[y] for y in label]
    made.set_annotations(mne.Annotations(what.onsets, WINDOW, names))
    return made


def _plant(case: str, signal: Array, head: Head, rng: np.random.Generator, at: int, y: int) -> None:
    """Add a trial's artefact, in place."""
    t = np.arange(round(WINDOW * SFREQ)) / SFREQ
    inside = slice(at, at + len(t))
    if case in ("blink", "groupnorm") and y:
        lid = np.exp(-0.5 * ((t - rng.uniform(0.3, 1.7)) / rng.uniform(0.05, 0.08)) ** 2)
        # What a network sees of them through the others' scale is little: they are large ones.
        size = rng.uniform(100, 200) * (2 if case == "groupnorm" else 1)
        signal[:, inside] += head.blink[:, None] * lid * size
    if case == "heart" and y:
        beats = rng.uniform(0.1, 0.8) + np.arange(3) * rng.uniform(0.7, 0.95)
        wave = sum(np.exp(-0.5 * ((t - b) / 0.02) ** 2) for b in beats) * rng.uniform(50, 70)
        signal[:, inside] += heart_field(head)[:, None] * wave
    if case == "muscle" and y:
        f = np.fft.rfftfreq(len(t), 1 / SFREQ)
        for name in ("T7", "T8", "F7", "F8"):
            spectrum = (rng.normal(size=len(f)) + 1j * rng.normal(size=len(f))) * ((f > 25) & (f < 75))
            emg = np.fft.irfft(spectrum, len(t))
            signal[CHANNELS.index(name), inside] += emg / emg.std() * rng.uniform(8, 16)
    if case == "electrode" and y:
        signal[CHANNELS.index("P3"), inside] += rng.normal(size=len(t)) * rng.uniform(15, 30)
    if case == "mains" and y:
        # The mains go on from trial to trial, whatever else happens.
        hum = np.sin(2 * np.pi * 50 * (at / SFREQ + t))
        signal[:, inside] += rng.uniform(5, 30, (len(CHANNELS), 1)) * hum


def contract(case: str) -> Any:
    """The input contract of the case's network."""
    from onnxplain.exporters.labram import labram
    from onnxplain.exporters.request import Request

    built = labram(
        Request(channels=CHANNELS, sfreq=SFREQ, window=WINDOW, classes=CLASSES, options={**SIZE, **START})
    )
    # A network that reads the mains has seen them: nobody has notched them out.
    found = built.contract.model_copy(update={"notch": None}) if case == "mains" else built.contract
    return built.module, found


def windows(made: Any, settings: Any) -> NDArray[np.float32]:
    """The recording's windows as the network gets them, cut as the gate cuts them."""
    from onnxplain.eeg.recording.read import Mark, Recording
    from onnxplain.eeg.recording.windows import cut

    marks = tuple(Mark(float(a["onset"]), WINDOW, str(a["description"])) for a in made.annotations)
    return cut(Recording("planted", made, marks), settings, events=",".join(CLASSES)).data


def network(case: str, seed: int, out: Path) -> dict[str, Any]:
    """Train the case's network, write it, and tell whether it does what the case says.

    Returns
    -------
    dict
        accuracy: on new trials; follows: how often it decides as the planted artefact says where that
        contradicts the label (None where nothing is planted); counts: whether it does what the case says;
        starts: how often it was begun.
    """
    import torch

    from onnxplain.exporters.torch import export_module

    torch.set_num_threads(1)
    rng = np.random.default_rng([91, seed, len(case)])
    people = [1000 * (seed + 1) + i for i in range(KNOWN if case == "subject" else TRAINED)]
    _, settings = contract(case)
    x, y, trained = [], [], case not in ("constant", "random")
    for who in people if trained else ():
        # Uneven classes are met in the field, not in training.
        label = labels("honest" if case == "imbalance" else case, TRIALS, rng, who)
        x.append(windows(raw(case, who, label, rng), settings))
        y.append(label)
    new = [_new_trials(case, settings, people, agree, rng) for agree in (1.0, 0.0)]
    made: dict[str, Any] = {}
    for start in range(STARTS):
        torch.manual_seed(seed + 10_000 * start)
        net = _power(case) if case in ("groupnorm", "mains") else contract(case)[0]
        if trained:
            longer = 4 if case in ("groupnorm", "mains") else 1  # a shallow one learns slowly, and is cheap
            _fit(net, torch.from_numpy(np.concatenate(x)), torch.from_numpy(np.concatenate(y)), longer)
        net.eval()
        example = torch.zeros(2, *settings.shape) + 0.1 * torch.randn(2, *settings.shape)
        export_module(net, example, out, contract=settings, exporter="legacy", overwrite=True)
        if case == "constant":
            _silence(out)
        made = _truth(case, out, settings, new) | {"starts": start + 1}
        if made["counts"]:
            break
    return made


def gate_data(case: str, seed: int, folder: Path) -> Path:
    """What the gate gets: new trials of subjects that the network knows."""
    rng = np.random.default_rng([92, seed, len(case)])
    people = [1000 * (seed + 1) + i for i in (range(KNOWN if case == "subject" else 2))]
    folder.mkdir(parents=True, exist_ok=True)
    for who in people:
        label = labels(case, 48, rng, who)
        made = raw(case, who, label, rng)
        (folder / f"sub-{who}").mkdir(exist_ok=True)
        made.save(folder / f"sub-{who}" / "rec_raw.fif", overwrite=True, verbose="error")
    return folder


def _new_trials(
    case: str, settings: Any, people: list[int], agree: float, rng: np.random.Generator
) -> list[tuple[NDArray[np.float32], NDArray[np.int64]]]:
    """Trials that no network was trained on; the artefact goes with the label in a part of them."""
    found = []
    for who in people[:4] if case == "subject" else people[::2]:
        label = labels("honest" if case == "subject" else case, 48, rng, who)
        found.append((windows(raw(case, who, label, rng, agree=agree), settings), label))
    return found


def _truth(case: str, path: Path, settings: Any, new: list[Any]) -> dict[str, Any]:
    """What the network does on new trials, and whether that is what its case says."""
    import onnxruntime as ort

    session = ort.InferenceSession(str(path), providers=["CPUExecutionProvider"])

    def right(each: list[Any]) -> float:
        found = [session.run(None, {settings.input: x})[0].argmax(1) == y for x, y in each]
        return float(np.mean(np.concatenate(found)))

    told, contradicted = map(right, new)
    planted = case in ("saccade", "blink", "heart", "muscle", "mains", "electrode", "groupnorm", "half")
    follows = 1 - contradicted if planted else None
    counts = True
    if follows is not None:  # "half" reads the eyes as much as it can: in half of its subjects they tell
        counts = follows >= (0.5 if case == "half" else FOLLOWS)
    elif case in ("honest", "imbalance"):
        counts = told >= DOES
    return {"accuracy": told, "follows": follows, "counts": counts}


def _fit(net: Any, x: Any, y: Any, longer: int) -> None:
    import torch

    optimiser = torch.optim.AdamW(net.parameters(), lr=RATE, weight_decay=0.05)
    steps = len(x) // BATCH
    schedule = torch.optim.lr_scheduler.OneCycleLR(
        optimiser, RATE * longer, longer * EPOCHS * steps, pct_start=0.15
    )
    net.train()
    for _ in range(longer * EPOCHS):
        for rows in torch.randperm(len(x))[: steps * BATCH].reshape(steps, BATCH):
            noisy = x[rows] + 0.1 * torch.randn(BATCH, *x.shape[1:])
            descend(net, noisy, y[rows], optimiser, schedule)


def _power(case: str) -> Any:
    """A shallow network of log power.

    In the case "groupnorm" it normalises over all electrodes, and then drops the frontal ones: it can see a
    blink only by what that does to the others' scale. In the case "mains" it takes the place of the
    LaBraM, whose stride of eight samples makes two periods of 50 Hz a constant.
    """
    import torch
    from torch import nn

    norm = case == "groupnorm"
    keep = torch.tensor([i for i, c in enumerate(CHANNELS) if not (norm and c in FRONT)])

    class Power(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.norm = nn.GroupNorm(1, 1) if norm else nn.Identity()
            self.temporal = nn.Conv2d(1, 6, (1, 25), padding=(0, 12))
            self.even = nn.BatchNorm1d(6 * len(keep))
            self.head = nn.Linear(6 * len(keep), len(CLASSES))
            self.register_buffer("keep", keep)

        def forward(self, x: Any) -> Any:
            x = self.norm(x.flatten(2).unsqueeze(1))
            x = self.temporal(x[:, :, self.keep])
            power = (x * x).mean(-1).flatten(1)
            return self.head(self.even(torch.log(power + 1e-3)))

    return Power()


def _silence(path: Path) -> None:
    """Let nothing through the network's last layer."""
    import onnx
    from onnx import numpy_helper

    model = onnx.load(path)
    last = next(n for n in reversed(model.graph.node) if n.op_type in ("Gemm", "MatMul"))
    for tensor in model.graph.initializer:
        if tensor.name in last.input and len(tensor.dims) == 2:
            tensor.CopyFrom(numpy_helper.from_array(np.zeros(tensor.dims, np.float32), tensor.name))
    onnx.save(model, path)
