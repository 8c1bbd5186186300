"""What it takes to be ready: to compile, to open a session, and to explain a first window.

python -m benchmarks.opening NETWORK
"""

from __future__ import annotations

import json
import os
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from statistics import median
from typing import Any

ROUNDS = 5


def seconds(call: Callable[[], Any]) -> float:
    """Of one call."""
    begun = time.perf_counter()
    call()
    return time.perf_counter() - begun


def measured(name: str) -> dict[str, float]:
    """Medians of seconds, all taken in turns."""
    import onnxplain as ox
    from benchmarks.common import session, windows
    from benchmarks.methods import compiled
    from benchmarks.networks import NETWORKS, onnx_file

    known, file = NETWORKS[name], onnx_file(name)
    x = windows(known.shape, 1)
    with tempfile.TemporaryDirectory() as folder:
        path, _ = compiled(name, "compiled attnlrp", Path(folder))
        plain = session(file, 1)
        feed = {plain.get_inputs()[0].name: x}

        def explained(cache: str, backend: str = "onnx") -> None:
            os.environ["ONNXPLAIN_CACHE"] = cache
            ox.Explainer(file, threads=1, backend=backend, ledger=False)(x, target=0)

        kept = str(Path(folder) / "kept")
        explained(kept)
        calls: dict[str, Callable[[], Any]] = {
            "forward": lambda: plain.run(None, feed),
            "open the model": lambda: session(file, 1),
            "compile": lambda: compiled(name, "compiled attnlrp", Path(folder)),
            "open the compiled file": lambda: session(path, 1),
            "Explainer and a first window": lambda: explained("off"),
            "the same, plan kept": lambda: explained(kept),
            "the same, numpy": lambda: explained("off", "numpy"),
        }
        for call in calls.values():
            call()
        got = [{what: seconds(call) for what, call in calls.items()} for _ in range(ROUNDS)]
    return {what: median(g[what] for g in got) for what in calls}


if __name__ == "__main__":
    print(json.dumps(measured(sys.argv[1])))
