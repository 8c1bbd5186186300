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


def yaml_problem(e: Exception) -> str:
    """Why YAML cannot be read, and where: nothing of what the file says, which may be no YAML at all.

    Parameters
    ----------
    e : Exception
        What PyYAML or the decoding of the text raised.
    """
    if isinstance(e, UnicodeDecodeError):
        return "not UTF-8 text"
    if isinstance(e, RecursionError):
        return "nested too deeply"
    mark = getattr(e, "problem_mark", None) or getattr(e, "context_mark", None)
    said = getattr(e, "problem", None) or getattr(e, "reason", None)
    if said is None:  # of our own loader, or of a number or date that is none
        said = str(e) if type(e).__name__ == "YAMLError" else "a number or a date that cannot be read"
    where = "" if mark is None else f", line {mark.line + 1}, column {mark.column + 1}"
    return " ".join(str(said).split())[:200] + where
