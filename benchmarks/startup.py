"""The command line on one window of LaBraM, whole process and guard, with the plan kept from before.

python -m benchmarks.startup
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
from pathlib import Path
from statistics import median

import numpy as np

from benchmarks.common import windows
from benchmarks.networks import NETWORKS, onnx_file
from benchmarks.opening import seconds

ROUNDS = 7
# What the command is measured against: onnxruntime imported, the model opened and run once.
PLAIN = "import onnxruntime"
FORWARD = (
    "import sys, numpy, onnxruntime as ort; s = ort.InferenceSession(sys.argv[1]); "
    "s.run(None, {s.get_inputs()[0].name: numpy.load(sys.argv[2])})"
)


def measured() -> dict[str, float]:
    """Medians of seconds, taken in turns."""
    with tempfile.TemporaryDirectory() as folder:
        place = Path(folder)
        np.save(place / "window.npy", windows(NETWORKS["labram"].shape, 1))
        environment = {**os.environ, "ONNXPLAIN_CACHE": str(place / "cache")}

        def run(*arguments: object) -> None:
            subprocess.run(
                [sys.executable, *map(str, arguments)],
                env=environment,
                check=True,
                capture_output=True,
                cwd=place,
            )

        file, window = onnx_file("labram"), place / "window.npy"
        command = ("-m", "onnxplain", "explain", file, window, "--no-report", "--overwrite", "--quiet")
        calls = {
            "import onnxruntime": lambda: run("-c", PLAIN),
            "import, open and run": lambda: run("-c", FORWARD, file, window),
            "onnxplain explain": lambda: run(*command, "--out", place / "out"),
            "onnxplain --help": lambda: run("-m", "onnxplain", "--help"),
        }
        for call in calls.values():
            call()
        got = [{what: seconds(call) for what, call in calls.items()} for _ in range(ROUNDS)]
    return {what: median(g[what] for g in got) for what in calls}


if __name__ == "__main__":
    print(json.dumps(measured()))
