"""What is shipped: every package, its data, and a command line that runs from it."""

from __future__ import annotations

import os
import subprocess
import sys
import tarfile
import zipfile
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
PACKAGES = sorted(path.name for path in (ROOT / "src" / "onnxplain").iterdir() if path.is_dir())


def shipped() -> set[str]:
    """Files that an installed onnxplain must have, as paths in the wheel."""
    files = {"onnxplain/__init__.py", "onnxplain/__main__.py", "onnxplain/py.typed"}
    for package in PACKAGES:
        for path in (ROOT / package).rglob("*"):
            if path.is_file() and "__pycache__" not in path.parts:
                files.add(f"onnxplain/{path.relative_to(ROOT).as_posix()}")
    return files


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """The source archive, and the wheel built from it, as a package index would get them.

    Built from a copy: setuptools leaves its traces in the folder that it builds.
    """
    source, out = tmp_path_factory.mktemp("source"), tmp_path_factory.mktemp("dist")
    listed = subprocess.run(
        ["git", "ls-files", "--cached", "--others", "--exclude-standard", "-z"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    if listed.returncode:
        pytest.skip("not in a git checkout")
    for name in filter(None, listed.stdout.split("\0")):
        path, copy = ROOT / name, source / name
        if not path.is_symlink() and not path.exists():  # deleted, and not committed yet
            continue
        copy.parent.mkdir(parents=True, exist_ok=True)
        if path.is_symlink():
            copy.symlink_to(os.readlink(path))
        else:
            copy.write_bytes(path.read_bytes())
    done = subprocess.run(
        [sys.executable, "-m", "build", "--no-isolation", "--outdir", str(out), str(source)],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    (wheel,) = out.glob("*.whl")
    (archive,) = out.glob("*.tar.gz")
    return {"wheel": wheel, "sdist": archive}


def test_packages_are_complete() -> None:
    assert set(PACKAGES) >= {"cli", "eeg", "engine", "exporters", "models"}
    files = shipped()
    assert "onnxplain/models/demo/honest.onnx" in files
    assert "onnxplain/models/demo/recording.edf" in files
    assert any(name.startswith("onnxplain/models/cards/") for name in files)


def test_wheel(built: dict[str, Path]) -> None:
    with zipfile.ZipFile(built["wheel"]) as wheel:
        names = set(wheel.namelist())
        assert shipped() - names == set()
        packaged = {name for name in names if name.startswith("onnxplain/")}
        assert packaged - shipped() == set()
        assert {name.split("/")[0].split("-")[0] for name in names} == {"onnxplain"}
        for name in packaged:
            original = ROOT / name.removeprefix("onnxplain/")
            original = original if original.exists() else ROOT / "src" / name
            assert wheel.read(name) == original.read_bytes(), name
        assert any(name.endswith("licenses/LICENSE") for name in names)


def test_source_archive(built: dict[str, Path]) -> None:
    with tarfile.open(built["sdist"]) as archive:
        names = {name.partition("/")[2] for name in archive.getnames()}
    assert {f"src/{name}" for name in shipped()} - names == set()


def test_the_wheel_runs(built: dict[str, Path], tmp_path: Path) -> None:
    """Installed elsewhere, it must find its files there, and not in this checkout."""
    site = tmp_path / "site"
    install = [
        sys.executable,
        "-m",
        "pip",
        "install",
        "--quiet",
        "--no-deps",
        "--no-index",
        "--target",
        str(site),
    ]
    subprocess.run([*install, str(built["wheel"])], check=True, capture_output=True)

    def run(*arguments: str) -> str:
        done = subprocess.run(
            [sys.executable, *arguments],
            cwd=tmp_path,
            env={**os.environ, "PYTHONPATH": str(site)},
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == 0, done.stderr
        return done.stdout

    where = "import onnxplain.cli.main as a, onnxplain.models.paths as b; print(a.__file__, b.__file__)"
    for path in run("-c", where).split():
        assert Path(path).is_relative_to(site)
    assert "explain" in run("-m", "onnxplain", "--help")
    assert "LaBraM" in run("-m", "onnxplain", "models")
    script = site / "bin" / "onnxplain"
    assert "0." in run(str(script), "--version")
    assert "honest" in run("-c", "from onnxplain.models import demo_file; print(demo_file('honest.onnx'))")
