"""Train the networks of a half and write what the gate gets. Goes on where some are there.

    python studies/bench/make.py --half open                 build/bench/open/<case>/
    python studies/bench/make.py --half locked --only NAME

Each folder has model.onnx, data/ (new trials of subjects the network knows), expects.yaml and plain.yaml (the
policies), and truth.json (what the case says, what the network does, whether it counts).
"""

from __future__ import annotations

import argparse
import importlib
import json
import os
import time
import warnings
from multiprocessing import get_context
from pathlib import Path
from typing import Any

os.environ.setdefault("OMP_NUM_THREADS", "1")

import mne
import networks
import numpy as np
from case import Case
from numpy.typing import NDArray
from planting import gate_people, kind_of, people, planted
from shared import BUILD, HALVES
from tasks import LOW, SPAN, TASKS, Task, Trials, contract_of, policy

TRAIN = 288  # trials that a network is trained on, of all subjects together
GATE = 48  # new trials of each subject
STARTS = 3
QUIET = Path("/tmp/quiet")
RIGHT, FOLLOWS = 0.65, 0.7  # of decisions: an honest case counts, a shortcut case counts
RATES_RIGHT, RATES_FOLLOWS = 0.4, 0.5  # correlations, where a number is asked for


def cases_of(half: str) -> list[Case]:
    """The table of a half."""
    name = "cases" if half == "open" else f"{half}_cases"
    found: list[Case] = importlib.import_module(name).CASES
    return found


def windows(raw: Any, contract: Any) -> NDArray[np.float32]:
    """The recording's windows as a network gets them."""
    from onnxplain.eeg.recording.read import Mark, Recording
    from onnxplain.eeg.recording.windows import cut

    marks = tuple(Mark(float(a["onset"]), contract.seconds, str(a["description"])) for a in raw.annotations)
    return cut(Recording("bench", raw, marks), contract, events="annotations").data


def aims(task: Task, label: NDArray[np.float64]) -> NDArray[Any]:
    """What a network is trained to answer."""
    return label.astype(np.int64) if task.classes else (LOW + SPAN * label).astype(np.float32)


def answers(path: Path, x: NDArray[np.float32], task: Task) -> NDArray[np.float64]:
    """A model's classes or ratings."""
    import onnxruntime as ort

    options = ort.SessionOptions()
    options.intra_op_num_threads = options.inter_op_num_threads = 1
    session = ort.InferenceSession(str(path), options, providers=["CPUExecutionProvider"])
    out = np.concatenate([session.run(None, {"eeg": part})[0] for part in np.array_split(x, 4)])
    return np.asarray(out.argmax(1) if task.classes else out[:, 0], dtype=float)


def agreement(task: Task, answer: NDArray[np.float64], said: NDArray[np.float64]) -> float:
    """Share of answers as said, each class counting alike; or the correlation."""
    if not task.classes:
        return float(np.corrcoef(answer, said)[0, 1]) if answer.std() > 1e-6 else 0.0
    return float(np.mean([(answer[said == c] == c).mean() for c in np.unique(said)]))


def counts(case: Case, task: Task, right: float, follows: float | None) -> bool:
    """Whether the network does what its case says."""
    if case.shortcut:
        assert follows is not None
        return follows >= (FOLLOWS if task.classes else RATES_FOLLOWS)
    if case.kind == "inverted":
        return right <= (1 - RIGHT if task.classes else -RATES_RIGHT)
    if case.control:
        return True
    if not task.classes:
        return right >= RATES_RIGHT
    chance = 1 / len(task.classes)
    return right >= chance + (RIGHT - 0.5) / 0.5 * (1 - chance)


def made(case: Case, folder: Path) -> dict[str, Any]:
    """Train the case's network and write everything; what it does."""
    import torch

    torch.set_num_threads(1)
    began = time.monotonic()
    task, kind = TASKS[case.task], kind_of(case)
    contract = contract_of(task, **(kind.filters() if kind else {}))
    folder.mkdir(parents=True, exist_ok=True)
    for name, expects in (("expects", True), ("plain", False)):
        (folder / f"{name}.yaml").write_text(policy(task, expects=expects), encoding="utf-8")
    x, y = _training(case, task, contract)
    new, said = [], []
    for who in gate_people(case):
        raw, what = planted(case, who, GATE, part="gate")
        place = folder / "data" / f"sub-{who}"
        place.mkdir(parents=True, exist_ok=True)
        raw.save(place / "rec_raw.fif", overwrite=True, verbose="error")
        new.append(windows(raw, contract))
        said.append(what.label)
    against = [planted(case, who, GATE, part="against") for who in gate_people(case)] if case.shortcut else []
    turned = [(windows(raw, contract), what) for raw, what in against]
    simulated = time.monotonic() - began
    for start in range(STARTS):
        _network(case, contract, x, y, folder / "model.onnx", start)
        right = agreement(
            task, answers(folder / "model.onnx", np.concatenate(new), task), np.concatenate(said)
        )
        follows = _follows(task, folder / "model.onnx", turned) if case.shortcut else None
        if counts(case, task, right, follows):
            break
    return {
        "accuracy": right, "follows": follows, "counts": counts(case, task, right, follows),
        "starts": start + 1, "simulated_seconds": simulated, "seconds": time.monotonic() - began,
    }  # fmt: skip


def _training(case: Case, task: Task, contract: Any) -> tuple[NDArray[np.float32], NDArray[Any]]:
    """Windows, and what a network is trained to answer of them."""
    x, y = [], []
    trained = case.kind not in ("random", "constant")
    for who in people(case):
        raw, what = planted(case, who, TRAIN // len(people(case)) if trained else 12, part="train")
        x.append(windows(raw, contract))
        label = what.label
        if case.kind == "inverted":
            label = (len(task.classes) - 1 if task.classes else 1) - label
        if case.kind == "shuffled":
            label = np.random.default_rng([403, who]).permutation(label)
        y.append(aims(task, label))
    return np.concatenate(x), np.concatenate(y)


def _network(
    case: Case, contract: Any, x: NDArray[np.float32], y: NDArray[Any], path: Path, start: int
) -> None:
    """Train once and write the model."""
    import torch

    from onnxplain.exporters.torch import export_module

    torch.manual_seed(case.seed + 100_000 * start)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        net = networks.built(case.architecture, contract)
        if case.kind not in ("random", "constant"):
            networks.fit(net, case.architecture, x, y)
        net.eval()
        exporter = "dynamo" if case.architecture in networks.NEWER else "legacy"
        export_module(net, x[:3], path, contract=contract, exporter=exporter, overwrite=True)
    if case.kind == "constant":
        _silence(path)


def _silence(path: Path) -> None:
    """Let nothing through the model's last layer."""
    import onnx
    from onnx import numpy_helper

    model = onnx.load(path)
    weights = {tensor.name: tensor for tensor in model.graph.initializer if len(tensor.dims) > 1}
    layers = [n for n in model.graph.node if n.op_type in ("Gemm", "MatMul", "Conv")]
    last = next(name for n in reversed(layers) for name in n.input if name in weights)
    tensor = weights[last]
    tensor.CopyFrom(numpy_helper.from_array(np.zeros(tensor.dims, np.float32), last))
    onnx.save(model, path)


def _follows(task: Task, path: Path, turned: list[tuple[NDArray[np.float32], Trials]]) -> float:
    """How the decisions go with what the shortcut tells where that is not the label."""
    answer = answers(path, np.concatenate([x for x, _ in turned]), task)
    told = np.concatenate([what.told for _, what in turned])
    if not task.classes:
        return agreement(task, answer, told)
    return float((answer == told).mean())


def one(job: tuple[str, Case]) -> None:
    """Make a case that is not there yet."""
    half, case = job
    folder = BUILD / half / case.name
    if (folder / "truth.json").exists():
        return
    while QUIET.exists():
        time.sleep(5)
    from onnxplain.engine.errors import OnnxplainError

    warnings.simplefilter("ignore")
    mne.set_log_level("error")
    try:
        found = made(case, folder)
    except OnnxplainError as e:  # the others go on
        print(f"{case.name}: not made: {e}", flush=True)
        return
    truth = {**case.__dict__, "half": half, **found}
    (folder / "truth.json").write_text(json.dumps(truth, indent=1), encoding="utf-8")
    follows = "" if found["follows"] is None else f", follows {found['follows']:.2f}"
    print(
        f"{case.name}: accuracy {found['accuracy']:.2f}{follows}, counts {found['counts']}, "
        f"starts {found['starts']}, {found['simulated_seconds']:.0f} of {found['seconds']:.0f} s simulating",
        flush=True,
    )


def main() -> None:
    """Make what is missing."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--half", choices=HALVES, required=True)
    parser.add_argument("--only", nargs="*", default=[], help="names of cases, or their beginnings")
    parser.add_argument("--jobs", type=int, default=1)
    asked = parser.parse_args()
    jobs = [
        (asked.half, case) for case in cases_of(asked.half)
        if not asked.only or case.name.startswith(tuple(asked.only))
    ]  # fmt: skip
    if asked.jobs == 1:
        for job in jobs:
            one(job)
        return
    with get_context("spawn").Pool(asked.jobs) as pool:
        pool.map(one, jobs, chunksize=1)


if __name__ == "__main__":
    main()
