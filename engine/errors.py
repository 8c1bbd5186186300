"""The errors that users meet: one line, what and where and what to do."""

from __future__ import annotations


class OnnxplainError(Exception):
    """Base of every error that onnxplain raises on purpose.

    The message is one line that names the file or option, the reason, and what to do.

    Attributes
    ----------
    exit_code : int
        What the command line exits with: 2 for bad input, 3 for a limit that was reached.
    """

    exit_code = 2


class ModelError(OnnxplainError):
    """The model file cannot be read, is not an ONNX model, or must not be trusted."""


class RunError(ModelError):
    """onnxruntime cannot run the model on an input."""


class UnsupportedOperator(OnnxplainError):  # noqa: N818 (a promised name)
    """A node between the input and the explained output has no relevance rule."""


class InputError(OnnxplainError):
    """The data or an option does not fit the model (shape, channels, target, composite, ...)."""


class DifferentBranches(InputError):  # noqa: N818 (as UnsupportedOperator)
    """Window and reference take different ways through a model."""


class LimitError(OnnxplainError):
    """A limit on time, memory or size was reached."""

    exit_code = 3


class PolicyError(OnnxplainError):
    """A validation policy cannot be read or used."""
