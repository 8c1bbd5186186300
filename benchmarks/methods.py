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
COMPILED = (*(f"compiled {c}" for c in COMPOSITES), f"compiled attnlrp x{TARGETS}", "compiled attnlrp ledger")
NUMPY = (*(f"numpy {c}" for c in COMPOSITES), f"numpy attnlrp x{TARGETS}")
# Networks on which every method is measured; the others show how cost grows.
MEASURED = ("labram", "labram257", "cbramod", "eegnet", "opennsfw")
OWN = ("forward", *COMPILED, "explainer attnlrp", *NUMPY)


def compiled(name: str, what: str, folder: Path | None = None) -> tuple[Path, float]:
    """The compiled file of a network for "compiled <composite> [x<K> | ledger]", and how long that took."""
    _, composite, *special = what.split()
    file = "-".join([name, composite, *special])
    path = (folder or FOLDER / "compiled") / f"{file}.onnx"
    targets = next((int(s[1:]) for s in special if s.startswith("x")), None)
    begun = time.perf_counter()
    ox.compile(onnx_file(name), path, composite, targets=targets, ledger="ledger" in special)
    return path, time.perf_counter() - begun


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
    """A method of ours on a network, ready to be called."""
    if what == "forward":
        return of_forward(name, batch, threads)
    if what.startswith("compiled "):
        return of_compiled(name, what, batch, threads)
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
            if what == "compiled attnlrp" or (usual and what in COMPILED) or name == "labram":
                compiled(name, what)
    print("null")


if __name__ == "__main__":
    main()
