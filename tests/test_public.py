"""The names that are a promise."""

from __future__ import annotations

import re
import subprocess
import sys
from importlib import metadata

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


def test_nothing_else() -> None:
    with pytest.raises(AttributeError, match="no_such_name"):
        onnxplain.no_such_name  # noqa: B018


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
    program = "import sys, onnxplain; print(*sys.modules)"
    loaded = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    heavy = {"numpy", "onnx", "onnxruntime", "pydantic", "click", "mne", "networkx", "yaml"}
    assert heavy.isdisjoint(loaded.stdout.split())
