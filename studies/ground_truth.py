"""Does relevance lie where the truth was planted? Writes docs/ground-truth.md.

    python studies/ground_truth.py                  every scene, 20 seeds; goes on with what is in results/
    python studies/ground_truth.py --seeds 3 mu     fewer
    python studies/ground_truth.py --page           only the document, of what has been measured so far

For each seed, scene of `sources` and network of `architectures` a network is trained on windows of one
simulated head and exported. It counts only when it needs the source: right on new windows, and at chance on
the same windows without the source. Then its relevance on new windows is measured against the truth, in
space, time and band. The first seed of everything comes before the second of anything.
"""

from __future__ import annotations

import argparse
import os
import sys
import tempfile
import time
import warnings
from collections.abc import Mapping
from multiprocessing import get_context
from pathlib import Path
from typing import Any

import numpy as np
from architectures import RECIPES, trained
from ground_truth_page import written
from kept import Kept
from maps import METHODS, REFERENCES, Asked, Map, Method, band_masks
from sources import SAMPLES, SCENES, Planted, Scene, plant

ROOT = Path(__file__).parents[1]
DOCUMENT, KEPT = ROOT / "docs" / "ground-truth.md", Kept(ROOT / "studies" / "results" / "ground_truth.json")
TRIED = Kept(ROOT / "build" / "ground_truth_tried.json")
TRAIN, TEST, EXPLAINED = 600, 160, 8  # windows; explained of each class
SCALE = 0.01  # microvolt to the network's unit
NEEDS, WITHOUT, FEWEST = 0.8, 0.65, 4
BINS = 40  # of time, 50 ms each


def readings(scene: Scene) -> Mapping[str, tuple[int, ...]]:
    """Which windows are read together, by their class."""
    return {"contrast": (0, 1)} if scene.contrast else {"there": (1,), "absent": (0,)}


def measured(
    scene: Scene,
    both: Planted,
    architecture: str,
    seed: int,
    methods: Mapping[str, Method],
    references: int = REFERENCES,
) -> dict[str, Any]:
    """Train, check that the source is needed, explain, compare with the truth."""
    import torch

    from onnxplain.exporters.torch import export_module

    begun = time.monotonic()
    data, without = ((a * SCALE).astype(np.float32) for a in (both.x, both.without))
    built = trained(architecture, scene.classes, data[:TRAIN], both.label[:TRAIN], seed)
    made: dict[str, Any] = {"scene": scene.name, "architecture": architecture, "seed": seed, "counts": False}
    made["training"] = time.monotonic() - begun
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "model.onnx"
        x, label = data[TRAIN:].reshape(-1, *built.contract.shape), both.label[TRAIN:]
        with torch.no_grad():
            guess = built.module(torch.from_numpy(x)).argmax(1).numpy()
            blind = built.module(torch.from_numpy(without[TRAIN:]).reshape(x.shape)).argmax(1).numpy()
        # A network that has lost its source may call everything one class: chance is what it gets there.
        made["accuracy"], made["without"] = float((guess == label).mean()), float((blind == label).mean())
        chosen = {y: np.flatnonzero((guess == label) & (label == y))[:EXPLAINED] for y in (0, 1)}
        if made["accuracy"] < NEEDS or made["without"] > WITHOUT or min(map(len, chosen.values())) < FEWEST:
            return made
        export_module(built.module, torch.from_numpy(x[:2]), path, contract=built.contract, exporter="legacy")
        sets = _references(guess, np.concatenate([*chosen.values()]), seed, references)
        explainers: dict[str, Any] = {}
        asked = {
            y: Asked(path, x[rows], y, x[sets[1 - y]], x[sets["any"]], x[sets[y]], explainers)
            for y, rows in chosen.items()
        }
        made["seconds"] = {}
        for name, method in methods.items():
            started = time.process_time()
            found = {y: method(own) for y, own in asked.items()}
            made["seconds"][name] = time.process_time() - started
            made[name] = {
                reading: scored(
                    scene, both, {y: found[y] for y in classes}, {y: chosen[y] + TRAIN for y in classes}
                )
                for reading, classes in readings(scene).items()
            }
    made["counts"] = True
    made["even"] = {
        "space": float(both.electrodes.mean()),
        "time": float(both.samples[both.label == 1].mean()),
    }
    return made


def _references(guess: np.ndarray, explained: np.ndarray, seed: int, count: int) -> dict[Any, np.ndarray]:
    """Windows to hold others against, by the class that the network calls them, and of any."""
    rng = np.random.default_rng([34, seed])
    order = rng.permutation(np.setdiff1d(np.arange(len(guess)), explained))
    return {**{y: order[guess[order] == y][:count] for y in (0, 1)}, "any": rng.permutation(order)[:count]}


def scored(
    scene: Scene, both: Planted, found: Mapping[int, Map], rows: Mapping[int, np.ndarray]
) -> dict[str, list[float]]:
    """Mass and rank accuracy of some windows, in each coordinate that has a truth."""
    from onnxplain.engine.evaluation.localisation import mass_accuracy, rank_accuracy

    def score(units: np.ndarray, truth: np.ndarray) -> list[float]:
        return [float(np.nanmean(f(units, truth))) for f in (mass_accuracy, rank_accuracy)]

    r = np.concatenate([m.relevance for m in found.values()])
    made = {"space": score(r.sum(-1), both.electrodes)}
    if both.beside.any():
        made["beside"] = score(r.sum(-1), both.beside)
    there = scene.contrast or 0 not in found
    if scene.timed and there and r.shape[-1] == SAMPLES:
        bins = r.sum(1).reshape(len(r), BINS, -1).sum(-1)
        when = both.samples[np.concatenate([*rows.values()])].reshape(len(r), BINS, -1).mean(-1) >= 0.5
        made["time"] = score(bins, when)
    parts = [m.bands for m in found.values() if m.bands is not None]
    if scene.band and parts:
        names = list(band_masks(np.zeros(SAMPLES)))
        made["band"] = score(np.concatenate(parts), np.isin(names, scene.band))
    return made


def one(job: tuple[str, int]) -> None:
    """Every network of one scene and seed that has not been measured."""
    warnings.simplefilter("ignore")
    name, seed = job
    scene = next(s for s in SCENES if s.name == name)
    missing = [a for a in RECIPES if f"{name} {a} {seed}" not in KEPT.read()]
    if not missing:
        return
    both = plant(scene, TRAIN + TEST, seed)
    for architecture in missing:
        begun = time.monotonic()
        made = measured(scene, both, architecture, seed, {n: m.make for n, m in METHODS.items()})
        KEPT.add(f"{name} {architecture} {seed}", made)
        print(
            f"{name} {architecture} {seed}: right {made['accuracy']:.2f}, without {made['without']:.2f}, "
            f"{'counts' if made['counts'] else 'does not count'}, {time.monotonic() - begun:.0f} s",
            file=sys.stderr, flush=True,
        )  # fmt: skip


def main() -> None:
    """Measure what is missing, and write the document."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("scenes", nargs="*", help=", ".join(s.name for s in SCENES))
    parser.add_argument("--seeds", type=int, default=20)
    parser.add_argument("--jobs", type=int, default=1)
    parser.add_argument("--page", action="store_true", help="only write the document of what is there")
    asked = parser.parse_args()
    jobs = [
        (scene.name, seed)
        for seed in range(0 if asked.page else asked.seeds)
        for scene in SCENES
        if not asked.scenes or scene.name in asked.scenes
    ]
    for name in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"):
        os.environ.setdefault(name, "1")  # read when the workers load their libraries
    os.environ["ONNXPLAIN_CACHE"] = "off"  # no network is explained twice
    if jobs:
        with get_context("spawn").Pool(asked.jobs) as pool:
            for _ in pool.imap_unordered(one, jobs):
                pass
    DOCUMENT.write_text(written(KEPT.read(), TRIED.read()), encoding="utf-8")


if __name__ == "__main__":
    main()
