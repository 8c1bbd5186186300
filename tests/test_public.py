"""The names that are a promise."""

from __future__ import annotations

import ast
import re
import subprocess
import sys
from importlib import metadata
from pathlib import Path
from types import ModuleType

import pytest

import onnxplain

PUBLIC = [
    "Attribution",
    "Composite",
    "Explainer",
    "InputContract",
    "InputError",
    "Inspection",
    "LimitError",
    "ModelError",
    "OnnxplainError",
    "PolicyError",
    "UnsupportedOperator",
    "__version__",
    "add_operators",
    "compile",
    "composites",
    "eeg",
    "explain_recording",
    "gradient",
    "inspect",
    "methods",
    "rule",
]


def test_all() -> None:
    assert sorted(onnxplain.__all__) == PUBLIC
    assert dir(onnxplain) == sorted(onnxplain.__all__)


@pytest.mark.parametrize("name", PUBLIC)
def test_is_there(name: str) -> None:
    thing = getattr(onnxplain, name)
    if callable(thing):
        assert thing.__doc__, f"{name} is not documented"
        assert thing.__name__ == name
    elif name == "methods":
        for method in ("integrated_gradients", "smoothgrad", "input_x_gradient", "occlusion"):
            assert getattr(thing, method).__doc__


EEG = [
    "Electrodes",
    "Explained",
    "Recording",
    "WindowOptions",
    "Windows",
    "bands",
    "by_label",
    "cluster_test",
    "compare",
    "components",
    "cut",
    "explain_recording",
    "explain_windows",
    "load_cohort",
    "read",
    "read_side",
    "sources",
    "subject_maps",
    "to_annotations",
    "to_epochs",
    "to_evoked",
]


def test_all_of_eeg() -> None:
    assert onnxplain.eeg.__all__ == dir(onnxplain.eeg) == EEG
    assert onnxplain.explain_recording is onnxplain.eeg.explain_recording


@pytest.mark.parametrize("name", EEG)
def test_is_there_for_eeg(name: str) -> None:
    thing = getattr(onnxplain.eeg, name)
    assert thing.__doc__, f"{name} is not documented"
    assert thing.__name__ == name


@pytest.mark.parametrize("module", [onnxplain, onnxplain.eeg])
def test_type_checkers_know_the_names(module: ModuleType) -> None:
    """What is imported for types alone is what is promised, from where it is."""
    assert module.__file__ is not None
    tree = ast.parse(Path(module.__file__).read_text(encoding="utf-8"))
    (block,) = [n for n in tree.body if isinstance(n, ast.If) and ast.unparse(n.test) == "TYPE_CHECKING"]
    typed = {
        alias.name: node.module or alias.name
        for node in block.body
        if isinstance(node, ast.ImportFrom)
        for alias in node.names
    }
    modules = {
        name: home.rpartition(".")[0] or home for name, home in getattr(module, "_MODULES", {}).items()
    }
    assert typed == {**vars(module)["_HOME"], **modules}


def test_nothing_else() -> None:
    for module in (onnxplain, onnxplain.eeg):
        with pytest.raises(AttributeError, match="no_such_name"):
            module.no_such_name  # noqa: B018


@pytest.mark.parametrize(
    ("name", "code"),
    [("ModelError", 2), ("UnsupportedOperator", 2), ("InputError", 2), ("PolicyError", 2), ("LimitError", 3)],
)
def test_errors_have_one_base_and_an_exit_code(name: str, code: int) -> None:
    error = getattr(onnxplain, name)
    assert issubclass(error, onnxplain.OnnxplainError)
    assert error.exit_code == code


def test_version() -> None:
    assert re.fullmatch(r"\d+\.\d+\.\d+", onnxplain.__version__)
    assert metadata.version("onnxplain") == onnxplain.__version__


def test_importing_costs_nothing() -> None:
    program = "import sys, onnxplain.eeg; print(*sys.modules)"
    loaded = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    heavy = {
        "numpy",
        "onnx",
        "onnxruntime",
        "pydantic",
        "click",
        "mne",
        "networkx",
        "yaml",
        "xarray",
        "scipy",
        "matplotlib",
    }
    assert heavy.isdisjoint(loaded.stdout.split())
    assert "onnxplain.eeg.run" not in loaded.stdout.split()
