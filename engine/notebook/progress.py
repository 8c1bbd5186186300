"""What is being done, shown where somebody may be waiting: a line in a notebook, else lines of a log.

The command line has its own listener (`steps.listen`) and counts more. Without one, `shown` puts a line under
the running cell of a notebook and writes over it; elsewhere it tells the logger "onnxplain", now and then.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Iterator
from contextlib import contextmanager
from html import escape
from importlib import import_module
from typing import Any

from .. import steps
from ..storage.text import one_line
from .kernel import shell

LOG = logging.getLogger("onnxplain")
OFTEN = 0.2  # seconds between two drawings of the line
SELDOM = 10.0  # and between two lines of a log


@contextmanager
def shown() -> Iterator[None]:
    """Show the steps of what runs inside, where nobody listens yet; also a decorator.

    At its end a notebook's line says how long it took.
    """
    if steps.heard():
        yield
        return
    told = _Log() if shell() is None else _Cell()
    steps.listen(told)
    try:
        yield
    finally:
        steps.listen(None)
        told.close()


def duration(seconds: float) -> str:
    """A time in words.

    >>> duration(3.21), duration(75), duration(3700)
    ('3.2 s', '1 min 15 s', '1 h 01 min')
    """
    if seconds < 59.95:
        return f"{seconds:.1f} s"
    whole = round(seconds)
    if whole < 3600:
        return f"{whole // 60} min {whole % 60:02d} s"
    return f"{whole // 3600} h {whole % 3600 // 60:02d} min"


def said(what: str, fraction: float | None) -> str:
    """A step in one line."""
    return one_line(what) + ("" if fraction is None else f" {100 * fraction:.0f} %")


class _Cell:
    """A line under the running cell, written over at each step."""

    def __init__(self) -> None:
        self._began = time.monotonic()
        self._last: tuple[str, float] = ("", 0.0)
        self._line: Any = None

    def __call__(self, what: str, fraction: float | None) -> None:
        now = time.monotonic()
        if now - self._last[1] < OFTEN and (what == self._last[0] or fraction is not None):
            return
        self._last = (what, now)
        self._show(said(what, fraction) + " ...")

    def close(self) -> None:
        if self._line is not None:
            self._show(f"took {duration(time.monotonic() - self._began)}")

    def _show(self, text: str) -> None:
        shown = {"text/plain": text, "text/html": f'<span style="opacity:.75">{escape(text)}</span>'}
        if self._line is None:
            display = import_module("IPython.display").display
            self._line = display(shown, raw=True, display_id=True)
        else:
            self._line.update(shown, raw=True)


class _Log:
    """Lines of a log, seldom: what takes a moment has none."""

    def __init__(self) -> None:
        self._began = self._last = time.monotonic()

    def __call__(self, what: str, fraction: float | None) -> None:
        now = time.monotonic()
        if now - self._last >= SELDOM:
            self._last = now
            LOG.info("%s (after %s)", said(what, fraction), duration(now - self._began))

    def close(self) -> None:
        pass
