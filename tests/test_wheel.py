"""What is shipped: every package and its data, by every way to install it, and a command line that runs."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import sysconfig
import tarfile
import tomllib
import venv
import zipfile
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
with (ROOT / "pyproject.toml").open("rb") as _file:
    # Where the files of each package are, from ROOT.
    FOLDERS: dict[str, str] = tomllib.load(_file)["tool"]["setuptools"]["package-dir"]
PIP = (sys.executable, "-m", "pip", "--disable-pip-version-check", "--quiet")
# Built with the setuptools that is here, and nothing fetched.
OFFLINE = ("--no-deps", "--no-index", "--no-build-isolation")


def run(*command: str | Path, cwd: Path, **env: str) -> str:
    """Run a program away from this checkout; what it prints.

    A hook of git's, which may run tests, names the user's repository in variables: none is passed on.
    """
    kept = {k: v for k, v in os.environ.items() if not k.startswith(("GIT_", "PYTHONPATH"))}
    done = subprocess.run(
        command, cwd=cwd, env={**kept, **env}, capture_output=True, text=True, check=False, timeout=300
    )
    assert done.returncode == 0, f"{command}: {done.stdout}{done.stderr}"
    return done.stdout


def originals() -> dict[str, Path]:
    """Every file that an installed onnxplain has: its path there, and the file in the tree."""
    found = {}
    for package, folder in FOLDERS.items():
        top = ROOT / folder
        for path in top.rglob("*") if package else ():
            if path.is_file() and "__pycache__" not in path.parts:
                found["/".join((*package.split("."), *path.relative_to(top).parts))] = path
    return found


def names(wheel: Path) -> set[str]:
    """The files of onnxplain in a wheel."""
    with zipfile.ZipFile(wheel) as archive:
        return {name for name in archive.namelist() if name.startswith("onnxplain/")}


@pytest.fixture(scope="module")
def clone(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A repository of one commit that has the files of this checkout, committed here or not."""
    copy = tmp_path_factory.mktemp("clone")
    try:
        listed = run("git", "ls-files", "-z", "--cached", "--others", "--exclude-standard", cwd=ROOT)
    except (OSError, AssertionError):
        pytest.skip("not in a git checkout")
    for name in filter(None, listed.split("\0")):
        if (ROOT / name).is_file():  # else it is deleted, and that is not committed yet
            (copy / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(ROOT / name, copy / name, follow_symlinks=False)
    run("git", "init", "--quiet", cwd=copy)
    run("git", "add", "--all", cwd=copy)
    who = ("-c", "user.name=nobody", "-c", "user.email=nobody@example.org", "-c", "commit.gpgsign=false")
    run("git", *who, "commit", "--quiet", "--no-verify", "--message=The files of a checkout", cwd=copy)
    if not run("git", "status", "--porcelain", cwd=ROOT):
        trees = [run("git", "rev-parse", "HEAD^{tree}", cwd=place) for place in (ROOT, copy)]
        assert trees[0] == trees[1]
    return copy


@pytest.fixture(scope="module")
def archive(clone: Path) -> Path:
    """What "Download ZIP" gives."""
    path = clone.parent / "repository.zip"
    run("git", "archive", "--format=zip", "--prefix=onnxplain-main/", f"--output={path}", "HEAD", cwd=clone)
    return path


@pytest.fixture(scope="module")
def wheel(archive: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A wheel of the repository's zip."""
    out = tmp_path_factory.mktemp("wheel")
    run(*PIP, "wheel", *OFFLINE, archive, cwd=out)
    (path,) = out.glob("*.whl")
    return path


@pytest.fixture(scope="module")
def sdist(archive: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The source archive that a package index gets."""
    source, out = tmp_path_factory.mktemp("source"), tmp_path_factory.mktemp("sdist")
    with zipfile.ZipFile(archive) as packed:
        packed.extractall(source)
    build = (sys.executable, "-m", "build", "--sdist", "--no-isolation", "--outdir", out)
    run(*build, source / "onnxplain-main", cwd=out)
    (path,) = out.glob("*.tar.gz")
    return path


@pytest.fixture(scope="module")
def site(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the wheel installed."""
    folder = tmp_path_factory.mktemp("site")
    run(*PIP, "install", *OFFLINE, "--target", folder, wheel, cwd=folder)
    return folder


def test_the_packages_have_files() -> None:
    expected = originals()
    for package in FOLDERS:
        assert not package or "/".join((*package.split("."), "__init__.py")) in expected
    assert len(expected) > 250
    assert {"onnxplain/__main__.py", "onnxplain/py.typed", "onnxplain/models/demo/honest.onnx"} <= set(
        expected
    )
    assert "onnxplain/models/demo/recording.edf" in expected
    assert any(name.startswith("onnxplain/models/cards/") for name in expected)


def test_the_repository_has_no_links(clone: Path) -> None:
    """Windows makes files of them, and archives of a repository may too."""
    listed = run("git", "ls-files", "--stage", cwd=clone).splitlines()
    assert len(listed) > len(originals())
    assert [line for line in listed if line.startswith("120000")] == []


def test_a_wheel_of_the_zip(wheel: Path) -> None:
    expected = originals()
    assert names(wheel) == set(expected)
    with zipfile.ZipFile(wheel) as packed:
        for name, path in expected.items():
            assert packed.read(name) == path.read_bytes(), name
        assert {name.split("/")[0].split("-")[0] for name in packed.namelist()} == {"onnxplain"}
        for licence in ("LICENSE", "eeg/reports/viewer/uplot/LICENSE"):
            assert any(name.endswith(f"licenses/{licence}") for name in packed.namelist())
        assert "onnxplain/eeg/reports/viewer/viewer.js" in packed.namelist()


def test_a_wheel_of_the_source_archive(sdist: Path, tmp_path: Path) -> None:
    with tarfile.open(sdist) as packed:
        inside = {name.partition("/")[2] for name in packed.getnames()}
    assert {path.relative_to(ROOT).as_posix() for path in originals().values()} - inside == set()
    run(*PIP, "wheel", *OFFLINE, sdist, cwd=tmp_path)
    (made,) = tmp_path.glob("*.whl")
    assert names(made) == set(originals())


def test_from_git_without_links(clone: Path, tmp_path: Path) -> None:
    """As on Windows, where git makes no links."""
    off = {"GIT_CONFIG_COUNT": "1", "GIT_CONFIG_KEY_0": "core.symlinks", "GIT_CONFIG_VALUE_0": "false"}
    run(*PIP, "install", *OFFLINE, "--target", tmp_path, f"git+{clone.as_uri()}", cwd=tmp_path, **off)
    installed = {
        path.relative_to(tmp_path).as_posix()
        for path in (tmp_path / "onnxplain").rglob("*")
        if path.is_file() and "__pycache__" not in path.parts
    }
    assert installed == set(originals())


def test_a_second_build_has_nothing_of_the_first(archive: Path, tmp_path: Path) -> None:
    with zipfile.ZipFile(archive) as packed:
        packed.extractall(tmp_path)
    source = tmp_path / "onnxplain-main"
    stale = source / "build" / "lib" / "onnxplain" / "engine" / "moved_away.py"
    stale.parent.mkdir(parents=True)
    stale.write_text("")
    run(*PIP, "wheel", *OFFLINE, "--wheel-dir", tmp_path, source, cwd=tmp_path)
    (made,) = tmp_path.glob("*.whl")
    assert names(made) == set(originals())


@pytest.mark.parametrize(
    ("package", "said"),
    [("engine", "engine: no package"), ("engine/rules", "engine/rules: no package")],
)
def test_a_package_that_would_be_left_out_stops_the_build(
    archive: Path, tmp_path: Path, package: str, said: str
) -> None:
    with zipfile.ZipFile(archive) as packed:
        packed.extractall(tmp_path)
    source = tmp_path / "onnxplain-main"
    (source / package / "__init__.py").unlink()
    with pytest.raises(AssertionError) as refused:
        run(sys.executable, "setup.py", "--name", cwd=source)
    assert said in str(refused.value)


def test_editable(clone: Path, tmp_path: Path) -> None:
    """Where an older checkout, with links in src, was installed so before and has left its path too."""
    venv.create(tmp_path / "venv")
    place = {"base": str(tmp_path / "venv"), "platbase": str(tmp_path / "venv")}
    packages = Path(sysconfig.get_path("purelib", "venv", vars=place))
    program = Path(sysconfig.get_path("scripts", "venv", vars=place)) / Path(sys.executable).name
    (packages / "onnxplain_before.pth").write_text(f"{clone / 'src'}\n")
    (packages / "~dependencies.pth").write_text(sysconfig.get_path("purelib") + "\n")
    build = "import sys, setuptools.build_meta as b; b.build_editable(sys.argv[1])"
    run(sys.executable, "-c", build, tmp_path, cwd=clone)
    (made,) = tmp_path.glob("*.whl")
    run(*PIP, "--python", program, "install", *OFFLINE, made, cwd=tmp_path)
    new = clone / "engine" / "rules" / "made_later"  # found without installing anew
    new.mkdir()
    (new / "__init__.py").write_text("")
    where = (
        "import onnxplain.cli.main as a, onnxplain.models.paths as b, onnxplain.engine.rules.made_later as c"
    )
    try:
        found = run(program, "-c", f"{where}\nfor m in (a, b, c): print(m.__file__)", cwd=tmp_path)
    finally:
        shutil.rmtree(new)
    assert [Path(path).relative_to(clone).as_posix() for path in found.split()] == [
        "cli/main.py",
        "models/paths.py",
        "engine/rules/made_later/__init__.py",
    ]
    assert "LaBraM" in run(program, "-m", "onnxplain", "models", cwd=tmp_path)


def test_the_wheel_runs(site: Path, tmp_path: Path) -> None:
    """Installed elsewhere, it must find its files there, and not in this checkout."""

    def python(*arguments: str | Path) -> str:
        return run(sys.executable, *arguments, cwd=tmp_path, PYTHONPATH=str(site))

    where = "import onnxplain.cli.main as a, onnxplain.models.paths as b; print(a.__file__, b.__file__)"
    for path in python("-c", where).split():
        assert Path(path).is_relative_to(site)
    assert "explain" in python("-m", "onnxplain", "--help")
    assert "LaBraM" in python("-m", "onnxplain", "models")
    assert "0." in python(site / "bin" / "onnxplain", "--version")
    assert "honest" in python("-c", "from onnxplain.models import demo_file; print(demo_file('honest.onnx'))")
