"""How figures are written: one setting for all that a command draws."""

from __future__ import annotations

from contextvars import ContextVar

DEFAULT, LEAST, MOST = 150, 50, 1200

_DPI: ContextVar[int] = ContextVar("dpi", default=DEFAULT)
_PAPER: ContextVar[bool] = ContextVar("paper", default=True)


def dpi() -> int:
    """Dots per inch of PNG files."""
    return _DPI.get()


def draw_at(value: int) -> None:
    """Set it for what is drawn from here on."""
    _DPI.set(value)


def for_paper() -> bool:
    """Whether a PDF is written beside PNG and SVG."""
    return _PAPER.get()


def draw_for_screens() -> None:
    """No PDF of what is drawn from here on: nobody prints the figures of a demonstration."""
    _PAPER.set(False)
