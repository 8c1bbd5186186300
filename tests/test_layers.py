"""Who may import whom, read from the source: nothing has to be imported to find out."""

from __future__ import annotations

import ast
import sys
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
# Where third-party packages may be imported at all; others only in tests, studies and benchmarks.
ONLY_IN = {
    "torch": {"exporters"},
    "braindecode": {"exporters"},
    "onnxscript": {"exporters"},
    # In exporters for where electrodes are, which braindecode asks for and takes from MNE itself.
    "mne": {"eeg", "exporters", "validation"},
    "mne_icalabel": {"eeg", "validation"},
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
    "jinja2",
}
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


def test_every_package_is_linked() -> None:
    links = {
        path.name: path.resolve() for path in (ROOT / "src" / "onnxplain").iterdir() if path.is_symlink()
    }
    assert links == {name: ROOT / name for name in MAY_IMPORT if (ROOT / name).is_dir()}
