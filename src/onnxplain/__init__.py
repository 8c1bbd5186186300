"""Explain any ONNX model by relevance, from the file alone.

>>> import onnxplain as ox
>>> explain = ox.Explainer("model.onnx", composite="attnlrp")  # doctest: +SKIP
>>> explain(x, target="predicted").relevance["x"]  # doctest: +SKIP
>>> ox.explain_recording("model.onnx", raw).report("report.html")  # doctest: +SKIP
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from . import eeg as eeg
    from .eeg.run import explain_recording as explain_recording
    from .engine import methods as methods
    from .engine.attribution import Attribution as Attribution
    from .engine.compile.compiler import compile as compile
    from .engine.composite import Composite as Composite
    from .engine.composite import composites as composites
    from .engine.contract import InputContract as InputContract
    from .engine.errors import InputError as InputError
    from .engine.errors import LimitError as LimitError
    from .engine.errors import ModelError as ModelError
    from .engine.errors import OnnxplainError as OnnxplainError
    from .engine.errors import PolicyError as PolicyError
    from .engine.errors import UnsupportedOperator as UnsupportedOperator
    from .engine.explainer import Explainer as Explainer
    from .engine.extensions import add_operators as add_operators
    from .engine.inspection import Inspection as Inspection
    from .engine.inspection import inspect as inspect
    from .engine.methods.gradients import gradient as gradient
    from .engine.rules.registry import rule as rule

__version__ = "0.1.0"

# Where each public name lives. Imported on first use, so that `import onnxplain` costs nothing.
_HOME = {
    "Attribution": "engine.attribution",
    "Composite": "engine.composite",
    "compile": "engine.compile.compiler",
    "composites": "engine.composite",
    "InputContract": "engine.contract",
    "InputError": "engine.errors",
    "LimitError": "engine.errors",
    "ModelError": "engine.errors",
    "OnnxplainError": "engine.errors",
    "PolicyError": "engine.errors",
    "UnsupportedOperator": "engine.errors",
    "explain_recording": "eeg.run",
    "Explainer": "engine.explainer",
    "gradient": "engine.methods.gradients",
    "Inspection": "engine.inspection",
    "inspect": "engine.inspection",
    "add_operators": "engine.extensions",
    "rule": "engine.rules.registry",
}

# Modules that are public under a name of their own.
_MODULES = {"eeg": "eeg", "methods": "engine.methods"}

__all__ = ["__version__", *sorted({**_HOME, **_MODULES})]


def __getattr__(name: str) -> Any:
    if name in _MODULES:
        return import_module(f".{_MODULES[name]}", __name__)
    if name in _HOME:
        return getattr(import_module(f".{_HOME[name]}", __name__), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def __dir__() -> list[str]:
    return __all__
