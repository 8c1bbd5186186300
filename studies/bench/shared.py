"""What the bench takes from the studies beside it: the forward model, shaped noise, a file of results; and
the names of its halves."""

from __future__ import annotations

import os
import sys
from pathlib import Path

STUDIES = Path(__file__).parents[1]
ROOT = STUDIES.parent
BUILD = Path(os.environ.get("ONNXPLAIN_BENCH", ROOT / "build" / "bench"))
HALVES = ("open", "locked", "sealed")
if str(STUDIES) not in sys.path:
    sys.path.append(str(STUDIES))

from kept import Kept  # noqa: E402
from simulate import leadfield, shaped  # noqa: E402

__all__ = ["BUILD", "HALVES", "ROOT", "Kept", "leadfield", "shaped"]
