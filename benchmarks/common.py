"""Folders, threads, sessions and inputs that all measurements share."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[1]
FOLDER = ROOT / ".cache" / "benchmarks"
TIMEOUT = 1800
# Variables with which an environment may hold libraries to the instructions of an older processor.
_FORCED = frozenset({
    "OPENBLAS_CORETYPE", "MKL_ENABLE_INSTRUCTIONS", "MKL_CBWR", "ONEDNN_MAX_CPU_ISA", "DNNL_MAX_CPU_ISA",
    "ATEN_CPU_CAPABILITY", "NPY_DISABLE_CPU_FEATURES",
})  # fmt: skip


def environment(threads: int) -> dict[str, str]:
    """The environment of a process whose libraries use so many threads: they read it when they are loaded."""
    names = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "NUMEXPR_NUM_THREADS")
    # Every library takes the kernels that it takes for this processor by itself.
    kept = {k: v for k, v in os.environ.items() if k not in _FORCED}
    # The cache of prepared models is measured where it is asked for (startup.py), and nowhere else.
    return {**kept, **dict.fromkeys(names, str(threads)), "PYTHONPATH": str(ROOT), "ONNXPLAIN_CACHE": "off"}


def cores() -> int:
    """Cores that this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def child(module: str, *arguments: str, threads: int = 1, env: Mapping[str, str] | None = None) -> Any:
    """Run a module of this package in a process of its own; what its last line of output says, as JSON."""
    done = subprocess.run(
        [sys.executable, "-m", f"benchmarks.{module}", *arguments],
        cwd=ROOT,
        env={**environment(threads), **(env or {})},
        stdout=subprocess.PIPE,
        text=True,
        timeout=TIMEOUT,
        check=True,
    )
    return json.loads(done.stdout.strip().splitlines()[-1])


def session(path: Path, threads: int) -> Any:
    """A session as onnxplain opens its own, so that only the graphs differ.

    Threads do not spin when they have nothing to do: here several methods take turns, and one that still
    spins would take the next one's cores.
    """
    import onnxruntime as ort

    options = ort.SessionOptions()
    options.intra_op_num_threads, options.inter_op_num_threads = threads, 1
    options.add_session_config_entry("session.intra_op.allow_spinning", "0")
    options.log_severity_level = 4
    return ort.InferenceSession(str(path), options, providers=["CPUExecutionProvider"])


def windows(shape: Sequence[int], batch: int) -> Any:
    """Noise of an input's shape."""
    import numpy as np

    return np.random.default_rng(0).standard_normal((batch, *shape)).astype(np.float32)


def peak() -> float:
    """The most memory this process has had, in MB."""
    status = Path("/proc/self/status")
    if status.exists():
        line = next(s for s in status.read_text().splitlines() if s.startswith("VmHWM"))
        return int(line.split()[1]) / 1024
    import resource

    unit = 2**20 if sys.platform == "darwin" else 2**10
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / unit
