"""The heavy packages of the `export` extra: imported late, and missed politely."""

from __future__ import annotations

import sys
import warnings
from importlib import import_module
from types import ModuleType
from typing import Any

from onnxplain.engine.errors import OnnxplainError


def need(name: str, *, what: str = "exporting a PyTorch model") -> Any:
    """Import a package of the `export` extra.

    Raises
    ------
    OnnxplainError
        It is not installed; the message says what to install.
    """
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            return import_module(name)
    except ImportError as e:
        missing = (e.name or name).partition(".")[0]
        raise OnnxplainError(f'{what} needs {missing}: pip install "onnxplain[export]"') from e


def braindecode_models() -> Any:
    """Import ``braindecode.models``, on machines where torchaudio does not load too."""
    need("torch")
    spare_torchaudio()
    return need("braindecode.models")


def spare_torchaudio() -> None:
    """Stand in for torchaudio's compiled part where it does not load.

    braindecode imports torchaudio, whose compiled library is bound to one torch release and fails
    to load beside another. What braindecode takes from it is pure Python, so an empty stand-in for
    ``torchaudio._extension`` is enough. Where the real one loads, nothing is touched.
    """
    try:
        import_module("torchaudio")
        return
    except ModuleNotFoundError as e:
        if e.name == "torchaudio":
            return  # not installed at all: braindecode's own import says so
    except (ImportError, OSError, RuntimeError, AttributeError):
        pass
    for name in [n for n in sys.modules if n.partition(".")[0] == "torchaudio"]:
        del sys.modules[name]  # half-imported leftovers of the attempt
    extension = ModuleType("torchaudio._extension")
    extension.__dict__.update(_IS_TORCHAUDIO_EXT_AVAILABLE=False, fail_if_no_align=lambda function: function)
    sys.modules[extension.__name__] = extension
