"""What a long study has measured so far, in a file that two processes may add to."""

from __future__ import annotations

import fcntl
import json
import os
from pathlib import Path
from typing import Any


class Kept:
    """Results by key.

    Parameters
    ----------
    path : Path
        JSON; made with the first result.
    """

    def __init__(self, path: Path) -> None:
        self.path = path

    def read(self) -> dict[str, Any]:
        """What has been measured."""
        return json.loads(self.path.read_text(encoding="utf-8")) if self.path.exists() else {}

    def add(self, key: str, made: dict[str, Any]) -> None:
        """Keep one more, beside what another process may have kept meanwhile."""
        self.path.parent.mkdir(exist_ok=True)
        with self.path.with_suffix(".lock").open("w") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            new = self.path.with_suffix(".new")
            new.write_text(json.dumps({**self.read(), key: made}, indent=1), encoding="utf-8")
            os.replace(new, self.path)  # readers see the old file or the new one, never half of one
