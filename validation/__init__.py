"""The deployment gate: a verdict on a model, with its evidence."""

from __future__ import annotations

from .gate import Gate, Verdict
from .policy import Policy

__all__ = ["Gate", "Policy", "Verdict"]
