"""The deployment gate: a verdict on a model, with its evidence."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from .gate import Gate
    from .policy import Policy
    from .verdict import Verdict

__all__ = ["Gate", "Policy", "Verdict"]


def __getattr__(name: str) -> Any:
    """Import a name when it is asked for: pytest loads this package for its plugin in every run."""
    if name == "Gate":
        from .gate import Gate

        return Gate
    if name == "Verdict":
        from .verdict import Verdict

        return Verdict
    if name == "Policy":
        from .policy import Policy

        return Policy
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
