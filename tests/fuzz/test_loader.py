"""The loader on files whose bytes are changed, by a fixed seed; atheris goes on from there (`make fuzz`)."""

from __future__ import annotations

import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
from mutated import altered, mutated, opened, samples

HERE = Path(__file__).parent
COUNT = 1500


def test_the_files_that_are_changed_are_good(tmp_path: Path) -> None:
    said = [opened(data, tmp_path / "model.onnx") for data in samples()]
    assert said[:-1] == [""] * (len(said) - 1)
    assert "is missing" in said[-1]  # its weights are in a file that is not there


def test_changed_bytes_give_a_model_or_one_line(tmp_path: Path) -> None:
    """In a process of its own: what would end it, ends this test alone."""
    code = (
        f"import sys; sys.path[:0] = [{str(HERE)!r}, {str(HERE.parent / 'zoo')!r}]\n"
        f"from test_loader import run; run({str(tmp_path)!r})"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, timeout=300, check=False
    )
    assert done.returncode == 0, done.stderr[-2000:]
    loaded, refused, kinds = map(int, done.stdout.split()[-3:])
    assert loaded + refused == COUNT
    assert loaded > COUNT / 20
    assert refused > COUNT / 20
    assert kinds > 20


def run(folder: str) -> None:
    """Change and load; print how many were loaded and refused, and in how many ways."""
    rng, good = np.random.default_rng(18), samples()
    path, said = Path(folder) / "model.onnx", []
    for _ in range(COUNT):
        data = good[int(rng.integers(len(good)))]
        data = altered(data, rng) if rng.random() < 0.5 else mutated(data, rng)
        begun = time.process_time()
        said.append(opened(data, path).replace(str(path), ""))
        if time.process_time() - begun > 1:
            (Path(folder) / "slow.onnx").write_bytes(data)
            raise AssertionError(f"more than a second: {said[-1]}")
    refused = [s for s in said if s]
    print(len(said) - len(refused), len(refused), len({s[:40] for s in refused}))


def test_atheris_goes_on_from_there(tmp_path: Path) -> None:
    pytest.importorskip("atheris", reason="atheris has no wheel for this Python: the bytes above are all")
    kept = tmp_path / "kept"
    done = subprocess.run(
        [sys.executable, str(HERE / "run_loader.py"), "-runs=300", "-seed=18", str(kept)],
        capture_output=True, text=True, timeout=300, check=False, cwd=tmp_path,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr[-2000:]
    assert "Done 300" in done.stderr
    assert len(list(kept.iterdir())) > len(samples())
