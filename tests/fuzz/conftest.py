"""The generator of random models, and what computes in float64."""

from __future__ import annotations

import sys
from pathlib import Path

HERE = Path(__file__).parent
sys.path[:0] = [str(HERE), str(HERE.parent / "zoo"), str(HERE.parent / "engine")]
