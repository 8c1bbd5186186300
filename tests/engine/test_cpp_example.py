"""examples/cpp: built with g++ and onnxruntime's C++ interface, and run on compiled files."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import numpy as np
import onnxruntime
import pytest

import onnxplain as ox
from onnxplain.models import demo_file

ROOT = Path(__file__).parents[2]
SOURCE = ROOT / "examples" / "cpp" / "gradient.cpp"
HEADERS = ROOT / "build" / "packages" / "onnxruntime-headers"  # kept between runs


def _headers() -> Path:
    """Where the headers are: in the system, or fetched; fails where neither is so."""
    for folder in (Path("/usr/include/onnxruntime"), Path("/usr/local/include/onnxruntime"), HEADERS):
        if (folder / "onnxruntime_cxx_api.h").exists():
            return folder
    command = [ROOT / ".ci" / "onnxruntime_headers", HEADERS]
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=300, check=False)
    except OSError as e:
        pytest.fail(f"these tests need onnxruntime's C++ headers, from apt: {e}", pytrace=False)
    if done.returncode:
        pytest.fail(f"these tests need onnxruntime's C++ headers: {done.stderr.strip()}", pytrace=False)
    return HEADERS


@pytest.fixture
def program(tmp_path: Path) -> Path:
    """The example, built against the library that Python's package has."""
    compiler = shutil.which("g++")
    if compiler is None:
        pytest.fail("these tests need g++", pytrace=False)
    (library,) = (Path(onnxruntime.__file__).parent / "capi").glob("libonnxruntime.so.*")
    for name in ("libonnxruntime.so", "libonnxruntime.so.1"):
        (tmp_path / name).symlink_to(library)
    built = tmp_path / "gradient"
    warnings = ["-Wall", "-Wextra", "-Werror"]
    command = [compiler, "-std=c++17", *warnings, "-isystem", _headers(), SOURCE, "-o", built]
    command += ["-L", tmp_path, "-lonnxruntime", f"-Wl,-rpath,{tmp_path}"]
    done = subprocess.run(command, capture_output=True, text=True, timeout=300, check=False)
    assert done.returncode == 0, done.stderr
    return built


def _printed(program: Path, *arguments: object) -> tuple[np.ndarray, np.ndarray]:
    command = [program, *map(str, arguments)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=300, check=False)
    assert done.returncode == 0, done.stderr
    lines = [line.split() for line in done.stdout.splitlines()]
    assert [line[0] for line in lines] == ["output", *["gradient"] * (len(lines) - 1)]
    return np.array(lines[0][1:], float), np.array([line[1:] for line in lines[1:]], float)


@pytest.mark.long
def test_it_gives_the_gradient_and_the_jacobian(program: Path, tmp_path: Path) -> None:
    model = demo_file("honest.onnx")
    explain = ox.Explainer(model, "gradient", logits=False)
    assert explain.contract is not None
    x = np.random.default_rng(0).standard_normal((1, *explain.contract.shape)).astype(np.float32)
    x[:, 2] = 0
    window = tmp_path / "window.f32"
    x.tofile(window)
    one = ox.compile(model, tmp_path / "one.onnx", "gradient", logits=False)
    every = ox.compile(model, tmp_path / "every.onnx", "gradient", logits=False, targets=2)
    (output,) = explain.predict(x).values()
    jacobian = ox.gradient(explain, x, target="all").reshape(2, -1)
    close = 2e-6 * np.abs(jacobian).max()
    for arguments, rows in (
        ((one, window), [int(output.argmax())]),
        ((one, window, 0), [0]),
        ((one, window, 1), [1]),
        ((every, window), [0, 1]),
    ):
        y, got = _printed(program, *arguments)
        np.testing.assert_allclose(y, output[0], rtol=1e-5)
        assert got.shape == (len(rows), x.size)
        assert np.abs(got - jacobian[rows]).max() <= close
    for wrong, why in (
        ((one,), "usage"),
        ((one, tmp_path / "none.f32"), "too short"),
        ((one, window, 2), "no such output"),
        ((tmp_path / "none.onnx", window), "none.onnx"),
    ):
        done = subprocess.run([program, *map(str, wrong)], capture_output=True, text=True, check=False)
        assert (done.returncode, why in done.stderr) == (2, True)


def test_it_is_short() -> None:
    lines = SOURCE.read_text(encoding="utf-8").splitlines()
    assert len(lines) < 80
    assert max(map(len, lines)) <= 120
