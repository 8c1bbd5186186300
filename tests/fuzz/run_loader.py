"""Atheris over the loader: bytes that reach new lines of it are kept and changed further.

``make fuzz`` runs it for a part of its time; ``python tests/fuzz/run_loader.py -max_total_time=60 FOLDER`` by
hand, with libFuzzer's options, FOLDER for what it keeps. It stops at the first crash, traceback, or ten
seconds that one input takes, and writes that input to a file.
"""

from __future__ import annotations

import sys
import tempfile
from pathlib import Path

HERE = Path(__file__).resolve().parent
sys.path[:0] = [str(HERE), str(HERE.parent / "zoo")]

import atheris  # noqa: E402

with atheris.instrument_imports(include=["onnxplain.engine.file", "onnxplain.engine.contract"]):
    from mutated import opened, samples


def main() -> None:
    """Start from the good files, in the folder that is kept."""
    folders = [a for a in sys.argv[1:] if not a.startswith("-")]
    for folder in folders[:1]:
        Path(folder).mkdir(parents=True, exist_ok=True)
        for i, data in enumerate(samples()):
            (Path(folder) / f"good-{i}").write_bytes(data)
    with tempfile.TemporaryDirectory() as scratch:
        path = Path(scratch) / "model.onnx"
        atheris.Setup([*sys.argv, "-timeout=10", "-rss_limit_mb=4096"], lambda data: opened(data, path))
        atheris.Fuzz()


if __name__ == "__main__":
    main()
