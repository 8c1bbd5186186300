"""Does relevance lie where the truth was planted? Writes docs/ground-truth.md.

    python studies/ground_truth.py                  every scene, 20 seeds; goes on where build/ has some
    python studies/ground_truth.py --seeds 3 mu     fewer

For each scene of `sources` and each seed a small LaBraM is trained on windows of one simulated head and
exported. It counts only when it needs the source: right on new windows, and at chance on the same windows
without the source. Then its relevance on new windows is measured against the truth, in space, time and band.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
import time
import warnings
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
from ground_truth_page import written
from kept import Kept
from simulate import CHANNELS, SFREQ
from sources import SAMPLES, SCENES, Scene, plant
from training import SIZE, START, descend

ROOT = Path(__file__).parents[1]
DOCUMENT, KEPT = ROOT / "docs" / "ground-truth.md", Kept(ROOT / "build" / "ground_truth.json")
TRAIN, TEST, EXPLAINED = 800, 200, 32
EPOCHS, BATCH, RATE = 14, 40, 2e-3
SCALE = 0.01  # microvolt to the network's unit
NEEDS, WITHOUT = 0.8, 0.65
# "attnlrp, true norms": its norms get their derivative, where AttnLRP holds the standard deviation constant.
METHODS = (
    "attnlrp", "attnlrp_pooled", "attnlrp, true norms", "cplrp", "cplrp_pooled", "epsilon",
    "gradient x input", "integrated gradients", "occlusion", "random",
)  # fmt: skip
BINS = 40  # samples of a bin of time are 50 ms


def trained(scene: Scene, signal: np.ndarray, label: np.ndarray, seed: int) -> Any:
    """A small LaBraM for one scene."""
    import torch

    from onnxplain.exporters.labram import labram
    from onnxplain.exporters.request import Request

    torch.set_num_threads(1)
    torch.manual_seed(seed)
    built = labram(
        Request(
            channels=CHANNELS, sfreq=SFREQ, window=SAMPLES / SFREQ, classes=scene.classes,
            options={**SIZE, **START},
        )
    )  # fmt: skip
    net = built.module
    x = torch.from_numpy((signal * SCALE).astype(np.float32)).reshape(-1, *built.contract.shape)
    y = torch.from_numpy(label)
    optimiser = torch.optim.AdamW(net.parameters(), lr=RATE, weight_decay=0.05)
    steps = len(x) // BATCH
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimiser, RATE, EPOCHS * steps, pct_start=0.15)
    net.train()
    for _ in range(EPOCHS):
        for rows in torch.randperm(len(x))[: steps * BATCH].reshape(steps, BATCH):
            noisy = x[rows] + 0.1 * torch.randn(BATCH, *x.shape[1:])
            descend(net, noisy, y[rows], optimiser, schedule)
    return net.eval(), built.contract


def relevance_of(method: str, path: Path, x: np.ndarray, seed: int) -> tuple[np.ndarray, np.ndarray | None]:
    """Relevance and, where there is one, the multiplier; both [window, channel, time]."""
    import onnxplain as ox
    from onnxplain.engine.composite import composite as find_composite

    target: dict[str, Any] = {"target": "predicted", "contrast": "rest"}
    if method == "random":
        m = np.random.default_rng(seed).standard_normal(x.shape)
        return (m * x).reshape(len(x), len(CHANNELS), -1), m.reshape(len(x), len(CHANNELS), -1)
    if method == "integrated gradients":
        a = ox.methods.integrated_gradients(path, x, steps=24, **target)
    elif method == "occlusion":
        rank = x.ndim - 1
        window = (1, *([1] * (rank - 2)), 50)
        a = ox.methods.occlusion(path, x, window=window, **target)
    else:
        composite: Any = "gradient" if method == "gradient x input" else method
        if method == "attnlrp, true norms":
            plain = find_composite("attnlrp")
            composite = replace(plain, name=method, variants={**plain.variants, "norm": "gradient"})
        a = ox.Explainer(path, composite)(x, **target)
    r = next(iter(a.relevance.values())).reshape(len(x), len(CHANNELS), -1)
    if method == "occlusion":
        return r, None
    m = next(iter(a.multiplier.values())).reshape(r.shape)
    return r, m


def by_band(x: np.ndarray, m: np.ndarray) -> tuple[np.ndarray, list[str]]:
    """Relevance of each band over all electrodes, [window, band], with a rest."""
    from onnxplain.eeg.explanation import bands

    r = bands.by_frequency(x, m).sum(1)
    masks = bands.masks_of(x.shape[-1], SFREQ)
    return np.stack([r[:, inside].sum(-1) for inside in masks.values()], -1), list(masks)


def measured(scene: Scene, seed: int) -> dict[str, Any]:
    """Train, check that the source is needed, explain, compare with the truth."""
    import onnxruntime as ort
    import torch

    from onnxplain.engine.evaluation.localisation import mass_accuracy, rank_accuracy
    from onnxplain.exporters.torch import export_module

    begun = time.monotonic()
    both = plant(scene, TRAIN + TEST, seed)
    net, contract = trained(scene, both.x[:TRAIN], both.label[:TRAIN], seed)
    made: dict[str, Any] = {"scene": scene.name, "seed": seed}
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "model.onnx"
        shape = (-1, *contract.shape)
        x = (both.x[TRAIN:] * SCALE).astype(np.float32).reshape(shape)
        without = (both.without[TRAIN:] * SCALE).astype(np.float32).reshape(shape)
        export_module(net, torch.from_numpy(x[:2]), path, contract=contract, exporter="legacy")
        session = ort.InferenceSession(str(path), providers=["CPUExecutionProvider"])
        label = both.label[TRAIN:]
        guess = session.run(None, {contract.input: x})[0].argmax(1)
        blind = session.run(None, {contract.input: without})[0].argmax(1)
        # A network that has lost its source may call everything one class: chance is what it gets there.
        made["accuracy"], made["without"] = float((guess == label).mean()), float((blind == label).mean())
        made["counts"] = made["accuracy"] >= NEEDS and made["without"] <= WITHOUT
        acts = label == 1 if scene.name in ("erp", "blink", "heart") else np.ones(len(label), bool)
        chosen = np.flatnonzero((guess == label) & acts)[:EXPLAINED]
        made["explained"] = len(chosen)
        if not made["counts"] or len(chosen) < 8:
            made["counts"] = False
            return made
        some, when = x[chosen], both.samples[TRAIN:][chosen]
        flat = some.reshape(len(some), len(CHANNELS), -1).astype(np.float64)
        for method in METHODS:
            r, m = relevance_of(method, path, some, seed)
            row: dict[str, Any] = {}

            def score(units: np.ndarray, truth: np.ndarray) -> list[float]:
                return [float(f(units, truth).mean()) for f in (mass_accuracy, rank_accuracy)]

            row["space"] = score(r.sum(-1), both.electrodes)
            if scene.timed:
                bins = r.sum(1).reshape(len(r), BINS, -1).sum(-1)
                row["time"] = score(bins, when.reshape(len(r), BINS, -1).mean(-1) >= 0.5)
            if scene.band and m is not None:
                bands, names = by_band(flat, m.astype(np.float64))
                row["band"] = score(bands, np.isin(names, scene.band))
            made[method] = row
    made["chance"] = {"space": float(both.electrodes.mean()), "time": float(both.samples.mean())}
    made["seconds"] = time.monotonic() - begun
    return made


def main() -> None:
    """Measure what is missing, and write the document."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("scenes", nargs="*", help=", ".join(s.name for s in SCENES))
    parser.add_argument("--seeds", type=int, default=20)
    parser.add_argument("--page", action="store_true", help="only write the document of what is there")
    asked = parser.parse_args()
    warnings.simplefilter("ignore")
    for seed in range(0 if asked.page else asked.seeds):
        for scene in SCENES:
            found = KEPT.read()  # another process may measure other scenes
            key = f"{scene.name} {seed}"
            if key in found or (asked.scenes and scene.name not in asked.scenes):
                continue
            made = measured(scene, seed)
            KEPT.add(key, made)
            print(
                key, {k: v for k, v in made.items() if not isinstance(v, dict)},
                file=sys.stderr, flush=True,
            )  # fmt: skip
    DOCUMENT.write_text(written(KEPT.read(), METHODS), encoding="utf-8")


if __name__ == "__main__":
    main()
