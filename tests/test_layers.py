"""Who may import whom, read from the source: nothing has to be imported to find out."""

from __future__ import annotations

import ast
import subprocess
import sys
import tomllib
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]

# Each package and those below it that it may import.
MAY_IMPORT = {
    "engine": set[str](),
    "models": {"engine"},
    "exporters": {"engine", "models"},
    "eeg": {"engine", "models"},
    "validation": {"engine", "models", "eeg"},
    "cli": {"engine", "models", "exporters", "eeg", "validation"},
}
# The rooms of a package, floor by floor: each imports only those that stand before it in this list. A room is
# a folder or a loose file; types alone count too, so circles cannot come back by that way.
ROOMS = {
    "engine": (
        ("errors", "steps"),
        ("storage",),
        ("notebook",),
        ("contract", "extensions"),
        ("file",),
        ("analysis", "composite"),
        ("attribution", "canonical", "ops"),
        ("rules",),
        ("lowering", "secants", "walk"),
        ("plan",),
        ("compile", "explainer", "inspection"),
        ("methods",),
        ("evaluation",),
    ),
    "eeg": (
        ("text",),
        ("electrodes",),
        ("recording", "drawing"),
        ("explanation", "artefacts"),
        ("exchange",),
        ("views",),
        ("studies",),
        ("reports",),
        ("run",),
        ("review", "demo"),
    ),
}
# How many loose files a package may have, its __init__.py among them.
LOOSE = {"engine": 10, "eeg": 5}

# Packages in which, taken together, no two classes have one name.
UNIQUE = {"engine", "eeg", "validation"}

# Where third-party packages may be imported at all; others only in tests, studies and benchmarks.
ONLY_IN = {
    "torch": {"exporters"},
    "braindecode": {"exporters"},
    "onnxscript": {"exporters"},
    # In exporters for where electrodes are, which braindecode asks for and takes from MNE itself.
    "mne": {"eeg", "exporters", "validation"},
    "mne_icalabel": {"eeg"},
    "sklearn": {"eeg", "validation"},
    "threadpoolctl": {"eeg"},
    # Pages are made by eeg.reports.html alone, which escapes.
    "jinja2": {"eeg"},
    "markupsafe": {"eeg"},
    "click": {"cli"},
    "rich": {"cli"},
}
# What may not be imported at the top of the files that the guard's process reads.
HEAVY = {
    "numpy",
    "onnx",
    "onnxruntime",
    "onnx_ir",
    "networkx",
    "pydantic",
    "yaml",
    "mne",
    "xarray",
    "matplotlib",
    "scipy",
    "sklearn",
    "mne_icalabel",
    "picard",
    "threadpoolctl",
    "jinja2",
}
# What no file may import at its top: each takes a second or so, and few uses need it.
LATE = {"sklearn", "mne_icalabel", "picard", "torch", "braindecode"}
CHILD_ONLY = {"arrays.py", "array_report.py"}

FILES = sorted(path for package in MAY_IMPORT for path in (ROOT / package).rglob("*.py"))


def imports(path: Path, *, top: bool = False) -> Iterator[tuple[str, int]]:
    """Absolute names of the modules a file imports, with line numbers.

    With `top`, only those that importing the file imports: not in functions, not for types alone.
    """
    tree = ast.parse(path.read_text(encoding="utf-8"))
    package = ["onnxplain", *path.relative_to(ROOT).with_suffix("").parts][:-1]
    stack: list[ast.AST] = [tree]
    while stack:
        node = stack.pop()
        if top and isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef)):
            continue
        if top and isinstance(node, ast.If) and ast.unparse(node.test).endswith("TYPE_CHECKING"):
            stack.extend(node.orelse)
            continue
        if isinstance(node, ast.Import):
            yield from ((alias.name, node.lineno) for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            base = package[: len(package) - node.level + 1] if node.level else []
            module = ".".join([*base, *(node.module.split(".") if node.module else [])])
            yield module, node.lineno
            yield from ((f"{module}.{alias.name}", node.lineno) for alias in node.names)
        stack.extend(ast.iter_child_nodes(node))


def test_there_is_something_to_read() -> None:
    assert {path.relative_to(ROOT).parts[0] for path in FILES} >= {
        "engine",
        "models",
        "exporters",
        "eeg",
        "cli",
    }


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.relative_to(ROOT).as_posix())
def test_layers(path: Path) -> None:
    package = path.relative_to(ROOT).parts[0]
    for name, line in imports(path):
        first, *rest = name.split(".")
        assert first not in MAY_IMPORT, f"{path}:{line}: import onnxplain.{first}, not a bare {first}"
        if first == "onnxplain" and rest and rest[0] in MAY_IMPORT:
            allowed = {package, *MAY_IMPORT[package]}
            assert rest[0] in allowed, f"{path}:{line}: {package} may not import {rest[0]}"
        if first in ONLY_IN and package not in ONLY_IN[first]:
            raise AssertionError(f"{path}:{line}: {first} belongs into {' or '.join(ONLY_IN[first])}")


@pytest.mark.parametrize("package", ROOMS)
def test_rooms(package: str) -> None:
    """Imports inside a package go one way, from room to room."""
    floor = {room: i for i, rooms in enumerate(ROOMS[package]) for room in rooms}
    upwards = []
    for path in sorted((ROOT / package).rglob("*.py")):
        own = path.relative_to(ROOT / package).with_suffix("").parts[0]
        if own == "__init__":
            continue
        assert own in floor, f"{package}/{own} has no floor in ROOMS"
        for name, line in imports(path):
            parts = name.split(".")
            if parts[:2] != ["onnxplain", package] or len(parts) < 3 or parts[2] == own:
                continue
            if parts[2] in floor and floor[parts[2]] >= floor[own]:
                upwards.append(f"{path}:{line}: {own} may not import {parts[2]}")
    assert not upwards, "\n".join(upwards)


@pytest.mark.parametrize("package", ROOMS)
def test_every_room_is_there(package: str) -> None:
    there = {path.stem for path in (ROOT / package).glob("*.py")} - {"__init__"}
    there |= {path.parent.name for path in (ROOT / package).glob("*/__init__.py")}
    assert there == {room for rooms in ROOMS[package] for room in rooms}
    assert len(list((ROOT / package).glob("*.py"))) <= LOOSE[package]


def test_a_class_has_a_name_of_its_own() -> None:
    """Who reads `Agreement` need not ask which one. Two private helpers of one meaning may share a name."""
    found: dict[str, list[str]] = {}
    for path in FILES:
        if path.relative_to(ROOT).parts[0] in UNIQUE:
            for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
                if isinstance(node, ast.ClassDef) and not node.name.startswith("_"):
                    found.setdefault(node.name, []).append(f"{path.relative_to(ROOT)}:{node.lineno}")
    assert len(found) > 150
    assert not {name: where for name, where in found.items() if len(where) > 1}


@pytest.mark.parametrize(
    "path",
    sorted(path for path in (ROOT / "cli").glob("*.py") if path.name not in CHILD_ONLY),
    ids=lambda path: path.name,
)
def test_the_guard_stays_light(path: Path) -> None:
    light = {
        "onnxplain",
        "onnxplain.engine",
        "onnxplain.engine.errors",
        "onnxplain.engine.steps",
        "onnxplain.cli",
    }
    for name, line in imports(path, top=True):
        first = name.partition(".")[0]
        assert first not in HEAVY, f"{path}:{line}: import {first} inside the function that needs it"
        assert first in {"onnxplain", "click", "__future__"} or first in sys.stdlib_module_names
        if first == "onnxplain":
            parts = name.split(".")
            known = (
                name in light or name.rpartition(".")[0] in light - {"onnxplain.engine"} or parts[1] == "cli"
            )
            assert known, f"{path}:{line}: import {name} inside the function that needs it"


@pytest.mark.parametrize("name", ["__init__", "errors", "steps"])
def test_what_the_guard_takes_of_the_engine_is_light(name: str) -> None:
    for module, _ in imports(ROOT / "engine" / f"{name}.py", top=True):
        assert module.partition(".")[0] in sys.stdlib_module_names


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.relative_to(ROOT).as_posix())
def test_slow_packages_wait_until_they_are_needed(path: Path) -> None:
    for name, line in imports(path, top=True):
        first = name.partition(".")[0]
        assert first not in LATE, f"{path}:{line}: import {first} inside the function that needs it"


@pytest.mark.parametrize("path", sorted((ROOT / "eeg" / "views").glob("*.py")), ids=lambda path: path.name)
def test_views_draw_only_when_they_are_asked_to(path: Path) -> None:
    """Every view is imported by whoever explains a recording, and matplotlib only for a report."""
    for name, line in imports(path, top=True):
        slow = name.startswith(("matplotlib", "onnxplain.eeg.drawing.figures"))
        assert not slow, f"{path}:{line}: import {name} inside the function that draws"


def test_every_package_is_installed() -> None:
    """`package-dir` maps the folders at the top; what is in each is found by setup.py (see test_wheel.py)."""
    mapped = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["tool"]["setuptools"]
    expected = {"": "src", "onnxplain": "src/onnxplain", **{f"onnxplain.{name}": name for name in MAY_IMPORT}}
    assert mapped["package-dir"] == expected
    # Who writes a package at the top says here what it may import, or that it is not shipped.
    at_top = {path.parent.name for path in ROOT.glob("*/__init__.py")}
    assert at_top - {"benchmarks"} == set(MAY_IMPORT)


def test_the_tree_for_types_is_what_is_installed(tmp_path: Path) -> None:
    subprocess.run([sys.executable, ROOT / ".ci" / "link_types.py", tmp_path], check=True)
    types = tmp_path / "onnxplain"
    assert {path.name for path in types.iterdir() if path.is_dir()} == set(MAY_IMPORT)
    for name in MAY_IMPORT:
        assert (types / name / "__init__.py").samefile(ROOT / name / "__init__.py")
    own = {path.name for path in (ROOT / "src" / "onnxplain").iterdir() if path.is_file()}
    assert {path.name for path in types.iterdir() if path.is_file()} == own
