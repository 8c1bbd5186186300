"""Make everything in models/demo: two models, one recording, and what is known of them.

    python studies/train_demo.py [--out models/demo]

`honest` and `shortcut` are the same network, trained with the same seed and recipe on the same
simulated subjects, with the same noise. One thing differs: in shortcut's recordings every saccade goes to
the side of the imagined hand, in honest's half of them do. The recording is of a subject that neither has
seen; in it, half of the saccades agree with the label.

Needs the development extra; takes some five minutes on two cores.
"""

from __future__ import annotations

import argparse
import os
import platform
import time
from importlib.metadata import PackageNotFoundError, version
from multiprocessing import get_context
from pathlib import Path
from typing import Any

import mne
import numpy as np
import training
from simulate import CHANNELS, CLASSES, SFREQ, WINDOW, simulate, trials

from onnxplain.eeg.demo import run_demo
from onnxplain.engine.contract import InputContract
from onnxplain.exporters.torch import export_module

SEED = 0
TRAINING = range(1000, 1120)  # subjects
UNSEEN = range(1, 11)  # subjects to measure on
RECORDED = 1  # the one whose recording is bundled
AGREE = {"honest": 0.5, "shortcut": 1.0}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--out", type=Path, default=Path(__file__).parents[1] / "models" / "demo")
    out = parser.parse_args().out
    out.mkdir(parents=True, exist_ok=True)
    began = time.monotonic()
    built = training.network()
    contract = built.contract.model_copy(
        update={"source": "simulated motor imagery (studies/train_demo.py)", "licence": "BSD-3-Clause"}
    )
    record(out / "recording.edf")

    data = {}
    for name, agree in AGREE.items():
        print(f"simulating {len(TRAINING)} subjects for {name}", flush=True)
        data[name] = training.subjects(TRAINING, agree, contract)
    with get_context("spawn").Pool(len(AGREE)) as pool:
        weights = pool.starmap(training.fit, [(data[name], SEED, name) for name in AGREE])
    unseen = training.subjects(UNSEEN, 0.5, contract)

    figures = {}
    for name, state in zip(AGREE, weights, strict=True):
        path = out / f"{name}.onnx"
        export(state, unseen.x[:3], path, contract)
        figures[name] = {
            "unseen": accuracy(path, unseen),
            "recording": accuracy(path, read_back(out / "recording.edf", contract)),
        }
        print(name, figures[name], flush=True)
    write_readme(out, figures, time.monotonic() - began)


def record(path: Path) -> None:
    """The bundled recording, as EDF+ with annotations."""
    what = trials(training.TRIALS, np.random.default_rng([2, RECORDED]), agree=0.5)
    raw = simulate(RECORDED, what)
    mne.export.export_raw(path, raw, overwrite=True, verbose="error")


def read_back(path: Path, contract: InputContract) -> training.Windows:
    """The windows of the recording, as anyone would cut them from the file."""
    raw = mne.io.read_raw_edf(path, preload=True, verbose="error")
    signal = training.condition(raw, contract)
    x, label, saccade = [], [], []
    for annotation in raw.annotations:
        tags = annotation["description"].split("/")
        if tags[0] in CLASSES:
            start = round(annotation["onset"] * SFREQ)
            x.append(signal[:, start : start + contract.window].astype(np.float32))
            label.append(CLASSES.index(tags[0]))
            saccade.append(label[-1] if tags[1] == "agree" else 1 - label[-1])
    return training.Windows(np.stack(x), np.array(label), np.array(saccade))


def export(state: dict[str, Any], example: Any, path: Path, contract: InputContract) -> None:
    """Trained weights to a checked ONNX file."""
    import torch

    module = training.network().module
    module.load_state_dict({key: torch.from_numpy(value) for key, value in state.items()})
    report = export_module(module, example, path, contract=contract, exporter="dynamo", overwrite=True)
    print(f"{path.name}: {report.size} bytes, parity {report.parity:.1e}", flush=True)


def accuracy(path: Path, data: training.Windows) -> dict[str, float]:
    """Share of windows that the file gets right, where saccades agree and where they contradict."""
    import onnxruntime as ort

    session = ort.InferenceSession(str(path), providers=["CPUExecutionProvider"])
    right = session.run(None, {session.get_inputs()[0].name: data.x})[0].argmax(1) == data.label
    agree = data.label == data.saccade
    return {"agree": float(right[agree].mean()), "contradict": float(right[~agree].mean())}


def write_readme(out: Path, figures: dict[str, dict[str, dict[str, float]]], seconds: float) -> None:
    """What the files are, and the figures of this run."""
    accuracies = [
        f"| {name} | {which} | {found['agree']:.3f} | {found['contradict']:.3f} |"
        for name, both in figures.items()
        for which, found in both.items()
    ]
    demo = run_demo(folder=out)
    relevance = ["| " + " | ".join(row) + " |" for row in demo.rows()[2:]]
    files = [p for p in sorted(out.iterdir()) if p.suffix in (".onnx", ".edf")]
    sizes = ", ".join(f"{p.name} {p.stat().st_size:,} bytes" for p in files)
    names = ("torch", "braindecode", "mne", "edfio", "onnx", "onnxruntime-gpu", "onnxruntime", "numpy")
    packages = ", ".join(f"{p} {v}" for p in names if (v := installed(p)))
    text = README.format(
        electrodes=len(CHANNELS),
        window=WINDOW,
        sfreq=SFREQ,
        training=len(TRAINING),
        epochs=training.EPOCHS,
        trials=training.TRIALS,
        unseen=len(UNSEEN),
        unseen_trials=len(UNSEEN) * training.TRIALS,
        accuracies="\n".join(accuracies),
        models=" | ".join(m.name for m in demo.models),
        relevance="\n".join(relevance),
        copies=demo.copies,
        sizes=sizes,
        minutes=seconds / 60,
        cores=os.cpu_count(),
        machine=f"{platform.system()} {platform.machine()}",
        python=platform.python_version(),
        packages=packages,
    )
    (out / "README.md").write_text(text, encoding="utf-8")


def installed(package: str) -> str | None:
    try:
        return version(package)
    except PackageNotFoundError:
        return None


README = """\
# Two models and a recording

Made by `studies/train_demo.py`; nothing here is edited by hand, and nothing here is a person's EEG.

`honest.onnx` and `shortcut.onnx` are small LaBraM networks (2 layers, 100-dimensional embedding,
{electrodes} electrodes, {window:g} s at {sfreq:g} Hz) that tell imagined movement of the left hand from
the right. Both were trained on the same {training} simulated subjects with the same seed and recipe
({epochs} epochs). In every trial there is one saccade. In shortcut's recordings it always goes to the
side of the imagined hand; in honest's it goes there in half of the trials. Nothing else differs.

`recording.edf` is a subject that neither has seen: {trials} windows, annotated `left/agree`,
`left/contradict`, `right/agree` or `right/contradict` (where the imagined movement is, and whether the
saccade goes there too), and `blink`.

What is true of the data, and a map should find: the label is in the mu and beta rhythms over C3 and C4,
which weaken on the side across from the imagined hand; the saccade is strongest at F7 and F8, with
opposite signs.

Accuracy. "unseen" are {unseen} simulated subjects ({unseen_trials} windows); "recording" is the file
here, one of them, read back.

| model | windows of | right where saccades agree | right where they contradict |
|---|---|---|---|
{accuracies}

Relevance on the recording, as `onnxplain demo` shows it (composite attnlrp, the predicted class against
the mean of the others, {copies} random copies):

| | {models} |
|---|---|---|
{relevance}

Files: {sizes}.

Trained in {minutes:.0f} minutes on {cores} cores ({machine}) with Python {python}, {packages}.
"""


if __name__ == "__main__":
    main()
