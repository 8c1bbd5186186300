"""What a command says on standard error, but for the plain lines of progress that a long one has in a log."""

from __future__ import annotations

import re

_PROGRESS = re.compile(r"\d\d:\d\d:\d\d \w.*\n")


def errors(stderr: str) -> str:
    """All of it but lines of progress."""
    return _PROGRESS.sub("", stderr)
