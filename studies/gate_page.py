"""docs/gate.md of what studies/gate.py measured."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any


def written(found: Mapping[str, dict[str, Any]]) -> str:
    return ""
