"""onnxplain's methods, as callables to be timed."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

import onnxplain as ox
from benchmarks.common import FOLDER, session, windows
from benchmarks.networks import NETWORKS, onnx_file
from onnxplain.engine.compile.compiler import about

Call = Callable[[], Any]

# How a method is named everywhere: backend, composite, and what is special.
COMPOSITES = ("attnlrp", "cplrp", "gamma", "gradient")
TARGETS = 4
# References that a file has in it, of a difference.
REFERENCES = (1, 4)
DIFFERENCE = tuple(f"compiled difference r{n}" for n in REFERENCES)
COMPILED = (
    *(f"compiled {c}" for c in COMPOSITES), *DIFFERENCE,
    f"compiled attnlrp x{TARGETS}", "compiled attnlrp ledger",
)  # fmt: skip
# What answers the same question by running the model often: with the largest set of references.
EXCHANGE, EXPECTED = "exchange electrodes", "expected gradients"
STEPS = 8
NUMPY = (*(f"numpy {c}" for c in COMPOSITES), f"numpy attnlrp x{TARGETS}")
# Networks on which every method is measured; the others show how cost grows.
MEASURED = ("labram", "labram257", "cbramod", "eegnet", "opennsfw")
# Those whose activations are small enough to have in a file.
HELD = ("labram", "cbramod", "eegnet")
OWN = ("forward", *COMPILED, "explainer attnlrp", *NUMPY, EXCHANGE, EXPECTED)


def compiled(name: str, what: str, folder: Path | None = None) -> tuple[Path, float]:
    """The compiled file of a network for "compiled <composite> [x<K> | r<N> | ledger]", and the seconds."""
    _, composite, *special = what.split()
    file = "-".join([name, composite, *special])
    path = (folder or FOLDER / "compiled") / f"{file}.onnx"
    targets = next((int(s[1:]) for s in special if s.startswith("x")), None)
    begun = time.perf_counter()
    count = next((int(s[1:]) for s in special if s.startswith("r")), None)
    others = None if count is None else references(name, count)
    ox.compile(
        onnx_file(name), path, composite, targets=targets, ledger="ledger" in special, references=others
    )
    return path, time.perf_counter() - begun


def references(name: str, count: int) -> Any:
    """Other windows than those that are explained."""
    return windows(NETWORKS[name].shape, count + 1)[1:] + windows(NETWORKS[name].shape, 1)[:, ::-1] / 4


def of_compiled(name: str, what: str, batch: int, threads: int) -> Call:
    """Run a compiled file: outputs, relevance, and the ledger where it has one."""
    folder = FOLDER / "compiled"
    path = folder / f"{name} {what.removeprefix('compiled ')}.onnx".replace(" ", "-")
    opened, said = session(path, threads), about(path)
    (x,) = (i for i in said["inputs"] if i != "seed")
    known, targets = NETWORKS[name], said["targets"]
    seed = np.zeros((targets or 1, batch, known.classes), np.float32)
    for k, s in enumerate(seed):
        s[:, k % known.classes] = 1
    feed = {x: windows(known.shape, batch), "seed": seed if targets else seed[0]}
    fetch = said["outputs"]
    return lambda: opened.run(fetch, feed)


def of_forward(name: str, batch: int, threads: int) -> Call:
    """The model alone."""
    opened = session(onnx_file(name), threads)
    feed = {opened.get_inputs()[0].name: windows(NETWORKS[name].shape, batch)}
    return lambda: opened.run(None, feed)


def of_exchange(name: str, batch: int, threads: int) -> Call | None:
    """The model on each window with one electrode after the other taken from each reference."""
    shape = NETWORKS[name].shape
    if len(shape) != 2:
        return None
    opened, x, others = (
        session(onnx_file(name), threads),
        windows(shape, batch),
        references(name, REFERENCES[-1]),
    )
    tensor = opened.get_inputs()[0].name

    def call() -> None:
        for channel in range(shape[0]):
            changed = np.repeat(x, len(others), axis=0)
            changed[:, channel] = np.tile(others[:, channel], (batch, 1))
            opened.run(None, {tensor: changed})

    return call


def of_expected_gradients(name: str, batch: int, threads: int) -> Call | None:
    """Gradients along the way from each reference, in steps."""
    shape = NETWORKS[name].shape
    if len(shape) != 2:
        return None
    explain = ox.Explainer(onnx_file(name), "gradient", backend="onnx", threads=threads, ledger=False)
    x, others = windows(shape, batch), references(name, REFERENCES[-1])
    return lambda: ox.methods.expected_gradients(explain, x, target=0, reference=others, steps=STEPS)


def of_explainer(name: str, what: str, batch: int, threads: int) -> Call | None:
    """`Explainer`, as it is used; None where the network has no four classes to explain at once."""
    backend, composite, *special = what.split()
    if special and NETWORKS[name].classes != TARGETS:
        return None
    explain = ox.Explainer(
        onnx_file(name),
        composite,
        backend="numpy" if backend == "numpy" else "onnx",
        threads=threads,
        ledger=False,
    )
    feed = {next(iter(explain.inputs)): windows(NETWORKS[name].shape, batch)}
    target: Any = "all" if special else 0
    return lambda: explain(feed, target=target)


def own(name: str, what: str, batch: int, threads: int) -> Call | None:
    """A method of ours on a network, ready to be called; None where it does not take it."""
    if what == "forward":
        return of_forward(name, batch, threads)
    if what in DIFFERENCE and name not in HELD:
        return None
    if what.startswith("compiled "):
        return of_compiled(name, what, batch, threads)
    if what == EXCHANGE:
        return of_exchange(name, batch, threads)
    if what == EXPECTED:
        return of_expected_gradients(name, batch, threads)
    return of_explainer(name, what, batch, threads)


def relevance(name: str, what: str) -> Any:
    """What a method of ours says of the first class of two windows."""
    explain = ox.Explainer(onnx_file(name), what.split()[1], threads=1, ledger=False)
    feed = {next(iter(explain.inputs)): windows(NETWORKS[name].shape, 2)}
    return next(iter(explain(feed, target=0).relevance.values()))


def main() -> None:
    """Compile what is named, for every network; only labram with more than four targets."""
    (FOLDER / "compiled").mkdir(parents=True, exist_ok=True)
    for name in NETWORKS:
        usual = name in MEASURED
        for what in sys.argv[1:]:
            if what in DIFFERENCE and name not in HELD:
                continue
            if what == "compiled attnlrp" or (usual and what in COMPILED) or name == "labram":
                compiled(name, what)
    print("null")


if __name__ == "__main__":
    main()
