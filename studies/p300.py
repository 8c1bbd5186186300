"""Whether the answer names a P300 that was planted, subject by subject: the electrode, and the latency.

    python studies/p300.py [--out docs/p300.md] [--keep FOLDER]

A small network learns on simulated subjects whose targets have a parietal wave 250 to 550 ms after the
stimulus. Six others each have a latency of their own, 300 to 500 ms. `onnxplain explain` is run on each of
their recordings, and what it prints is read: the electrodes under "where", the moment under "when". Right
is an answer whose first electrode is Pz or one of its neighbours, and whose latency is within 60 ms.

Needs the development extra; takes some minutes on two cores.
"""

from __future__ import annotations

import argparse
import os
import platform
import re
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import mne
import numpy as np
from numpy.typing import NDArray
from simulate import CHANNELS, SFREQ, background, blinking, occipital_alpha, sensors
from sources import Sources
from train_demo import installed
from training import descend

from onnxplain.engine.contract import InputContract
from onnxplain.exporters.torch import export_module

Array = NDArray[np.float64]

CLASSES = ("standard", "target")
WINDOW = 1.0  # seconds from the stimulus
GAP = (1.3, 1.7)  # seconds between stimuli
TRAINING, TRIALS = range(300, 332), 80  # subjects to learn from, and stimuli of each
LATENCIES = (0.30, 0.34, 0.38, 0.42, 0.46, 0.50)  # of the subjects that are explained
TESTED = range(400, 406)
STIMULI = 60
WIDTH = 0.06  # seconds, standard deviation of the wave
JITTER = 0.01  # seconds, from stimulus to stimulus
HEIGHT = (16.0, 22.0)  # microvolt at the electrode that sees it best
NEAR = ("Pz", "Cz", "CP1", "CP2", "P3", "P4")  # Pz and the electrodes around it
WITHIN = 0.06  # seconds
EPOCHS, BATCH, RATE = 12, 64, 2e-3

CONTRACT = InputContract(
    input="x",
    channels=CHANNELS,
    sfreq=SFREQ,
    window=round(WINDOW * SFREQ),
    classes=CLASSES,
    unit="uV",
    scale=0.1,
    highpass=0.5,
    lowpass=30.0,
    reference="average",
    model="small ERP network",
    source="simulated P300 (studies/p300.py)",
    licence="BSD-3-Clause",
)


@dataclass(frozen=True)
class Found:
    """What the answer says of one subject.

    Attributes
    ----------
    subject : int
    planted, latency : float
        Seconds from the stimulus: planted, and named; NaN where no moment stands out.
    electrodes : tuple of str
        Named under "where"; empty where none stands out.
    accuracy : str
    """

    subject: int
    planted: float
    latency: float
    electrodes: tuple[str, ...]
    accuracy: str

    @property
    def right(self) -> bool:
        """Whether electrode and latency are those that were planted."""
        near = bool(self.electrodes) and self.electrodes[0] in NEAR
        return near and abs(self.latency - self.planted) <= WITHIN


def recording(subject: int, latency: float, stimuli: int) -> mne.io.RawArray:
    """One subject's recording, with a stimulus every 1.3 to 1.7 s; half are targets, in random order."""
    rng = np.random.default_rng([71, subject])
    head = Sources(subject)
    label = rng.permutation(np.arange(stimuli) % 2)
    onsets = 2.0 + np.cumsum(rng.uniform(*GAP, stimuli))
    n = round((onsets[-1] + 3.0) * SFREQ)
    t = np.arange(n) / SFREQ
    signal = background(rng, head, n) + 0.5 * occipital_alpha(rng, head, n)
    signal += blinking(rng, head, n)[0] + sensors(rng, n)
    height, wave = rng.uniform(*HEIGHT), np.zeros(n)
    for onset, y in zip(onsets, label, strict=True):
        at = onset + latency + rng.normal(0, JITTER)
        wave += y * height * rng.uniform(0.8, 1.2) * np.exp(-0.5 * ((t - at) / WIDTH) ** 2)
    signal += head.parietal * wave
    signal -= signal.mean(axis=0)
    raw = mne.io.RawArray(signal * 1e-6, head.info, verbose="error")
    raw.set_annotations(mne.Annotations(onsets, 0.1, [CLASSES[y] for y in label]))
    return raw


def windows(raw: mne.io.RawArray) -> tuple[NDArray[np.float32], NDArray[np.int64]]:
    """What the network sees of a recording, and the labels."""
    from onnxplain.eeg.recording.read import recording_of
    from onnxplain.eeg.recording.windows import cut

    found = cut(recording_of(raw), CONTRACT, events=",".join(CLASSES))
    return found.data, np.array([CLASSES.index(str(label)) for label in found.labels])


def network() -> Any:
    """Filters over electrodes, then over time, then a mean over short times: an EEGNet in small."""
    from torch import nn

    return nn.Sequential(
        nn.Conv1d(len(CHANNELS), 8, 1, bias=False),
        nn.BatchNorm1d(8),
        nn.Conv1d(8, 8, 25, padding=12, groups=8),
        nn.BatchNorm1d(8),
        nn.ELU(),
        nn.AvgPool1d(10),
        nn.Dropout(0.25),
        nn.Flatten(),
        nn.Linear(8 * (CONTRACT.window // 10), len(CLASSES)),
    )


def train(path: Path) -> None:
    """Train the network on subjects of any latency, and write it as ONNX."""
    import torch

    torch.set_num_threads(1)
    torch.manual_seed(0)
    rng = np.random.default_rng(72)
    parts = [windows(recording(s, rng.uniform(0.25, 0.55), TRIALS)) for s in TRAINING]
    x = torch.from_numpy(np.concatenate([p[0] for p in parts]))
    y = torch.from_numpy(np.concatenate([p[1] for p in parts]))
    net = network()
    optimiser = torch.optim.AdamW(net.parameters(), lr=RATE, weight_decay=0.05)
    steps = len(x) // BATCH
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimiser, RATE, EPOCHS * steps, pct_start=0.15)
    for epoch in range(EPOCHS):
        order = torch.randperm(len(x))[: steps * BATCH].reshape(steps, BATCH)
        loss = sum(descend(net, x[rows], y[rows], optimiser, schedule) for rows in order)
        print(f"epoch {epoch + 1} of {EPOCHS}: loss {loss / steps:.3f}", flush=True)
    net.eval()
    export_module(net, x[:3], path, contract=CONTRACT, exporter="dynamo", overwrite=True)


def explained(model: Path, data: Path, out: Path) -> str:
    """What `onnxplain explain` prints."""
    command = [
        *(sys.executable, "-m", "onnxplain", "explain", str(model), str(data), "--out", str(out)),
        *("--events", ",".join(CLASSES), "--no-report"),
    ]
    return subprocess.run(command, capture_output=True, text=True, check=True).stdout


def read(printed: str, subject: int, planted: float) -> Found:
    """The answer in what was printed."""
    lines = {what: text.strip() for what, _, text in (line.partition(" ") for line in printed.splitlines())}
    named = re.fullmatch(r"([\w, ]+): \d+ % of the relevance .*", lines["where"])
    electrodes = () if named is None else tuple(re.split(r", | and ", named[1]))
    at = re.search(r"^Most at .* largest at (-?[\d.]+) s", lines["when"])
    right = re.match(r"Right in (\d+ of \d+)", lines["accuracy"])
    return Found(
        subject, planted, float("nan") if at is None else float(at[1]), electrodes,
        "" if right is None else right[1],
    )  # fmt: skip


def study(folder: Path) -> list[Found]:
    """Train, explain each subject, and read the answers."""
    model = folder / "p300.onnx"
    train(model)
    found = []
    for subject, latency in zip(TESTED, LATENCIES, strict=True):
        data = folder / f"sub-{subject}_raw.fif"
        recording(subject, latency, STIMULI).save(data, overwrite=True, verbose="error")
        printed = explained(model, data, folder / f"sub-{subject}")
        print(printed, flush=True)
        found.append(read(printed, subject, latency))
    return found


def page(found: list[Found], seconds: float) -> str:
    """The table, with machine and versions."""
    rows = [
        f"| {i} | {f.planted:.2f} | {f.latency:.2f} | {', '.join(f.electrodes) or 'none'} | {f.accuracy} | "
        f"{'yes' if f.right else 'no'} |"
        for i, f in enumerate(found, 1)
    ]
    names = ("mne", "numpy", "torch", "onnxruntime", "onnxruntime-gpu")
    packages = ", ".join(f"{p} {v}" for p in names if (v := installed(p)))
    return PAGE.format(
        rows="\n".join(rows),
        right=sum(f.right for f in found),
        of=len(found),
        training=len(TRAINING),
        trials=TRIALS,
        stimuli=STIMULI,
        near=", ".join(NEAR[1:]),
        within=round(1000 * WITHIN),
        low=HEIGHT[0],
        high=HEIGHT[1],
        minutes=seconds / 60,
        cores=os.cpu_count(),
        machine=f"{platform.system()} {platform.machine()}",
        python=platform.python_version(),
        packages=packages,
    )


PAGE = """\
# A planted P300, and what the answer says of it

Made by `studies/p300.py`; nothing here is edited by hand. A small network (spatial filters, temporal
filters, a mean over 50 ms) learned targets from standards on {training} simulated subjects ({trials}
stimuli each, latencies 250 to 550 ms). Six others ({stimuli} stimuli each) have the latencies below: a wave
of {low:g} to {high:g} microvolt from a patch below Pz, on background activity, alpha, blinks and sensor
noise. `onnxplain explain` is run on each recording, and what it prints is read. Right is:
the first electrode is Pz or a neighbour ({near}), and the latency is within {within} ms.

| subject | planted (s) | named (s) | electrodes named | right windows | right |
|---|---|---|---|---|---|
{rows}

{right} of {of} answers are right. A network that was trained otherwise may use less than all of the wave:
the answer says what the network used, and not where the wave is.

{minutes:.1f} minutes on {cores} hyperthreads that were shared ({machine}), Python {python}, {packages}.
"""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--out", type=Path, default=Path(__file__).parents[1] / "docs" / "p300.md")
    parser.add_argument("--keep", type=Path, help="A folder for the network, the recordings and the answers.")
    given = parser.parse_args()
    mne.set_log_level("error")
    began = time.monotonic()
    with tempfile.TemporaryDirectory() as temporary:
        folder = given.keep or Path(temporary)
        folder.mkdir(parents=True, exist_ok=True)
        found = study(folder)
    given.out.write_text(page(found, time.monotonic() - began), encoding="utf-8")
    print(given.out.read_text(encoding="utf-8"))


if __name__ == "__main__":
    main()
