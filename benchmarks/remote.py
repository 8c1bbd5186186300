"""Our side of the conversation with `peers.py`."""

from __future__ import annotations

import json
import os
import subprocess
import tempfile
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.common import ROOT, environment, windows
from benchmarks.networks import NETWORKS, onnx_file, torch_file

PEERS = ("torch gradient", "lxt attnlrp", "captum IG", "dianna RISE")
PYTHON = ROOT / ".venv-peers" / ("Scripts/python.exe" if os.name == "nt" else "bin/python")


class Peers:
    """The process of the other libraries; None of their methods where their environment is missing."""

    def __init__(self, threads: int) -> None:
        if not PYTHON.exists():
            raise SystemExit("the peers' environment is missing; make it with: make .venv-peers/.done")
        self._process = subprocess.Popen(
            [str(PYTHON), str(Path(__file__).with_name("peers.py"))],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            env=environment(threads),
        )
        self._folder = tempfile.TemporaryDirectory()

    def __enter__(self) -> Peers:
        return self

    def __exit__(self, *_: object) -> None:
        assert self._process.stdin
        self._process.stdin.close()
        self._process.wait(60)
        self._folder.cleanup()

    def ask(self, **what: Any) -> dict[str, Any]:
        """Ask, and wait for the answer."""
        assert self._process.stdin
        assert self._process.stdout
        print(json.dumps(what), file=self._process.stdin, flush=True)
        line = self._process.stdout.readline()
        if not line:
            raise RuntimeError("the peers' process has ended")
        said: dict[str, Any] = json.loads(line)
        if "error" in said:
            raise RuntimeError(said["error"])
        return said

    def open(self, name: str, method: str, batch: int) -> float:
        """Make a method ready under its own name; the share of the work that a call does."""
        known = NETWORKS[name]
        x = Path(self._folder.name) / f"{batch}.npy"
        np.save(x, windows(known.shape, batch))
        share: float = self.ask(
            do="open",
            key=method,
            method=method,
            onnx=str(onnx_file(name)),
            torch=str(torch_file(name)) if known.has_torch else None,
            input=str(x),
            image=known.image,
        )["share"]
        return share

    def seconds(self, method: str, times: int) -> float:
        """Seconds of one call."""
        found: float = self.ask(do="run", key=method, times=times)["seconds"]
        return found

    def map(self, method: str) -> Any:
        """The relevance that a method gives."""
        to = Path(self._folder.name) / "map.npy"
        self.ask(do="map", key=method, to=str(to))
        return np.load(to)
