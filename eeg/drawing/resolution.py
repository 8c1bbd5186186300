"""How finely figures are drawn: one setting for all that a command draws."""

from __future__ import annotations

from contextvars import ContextVar

DEFAULT, LEAST, MOST = 150, 50, 1200

_DPI: ContextVar[int] = ContextVar("dpi", default=DEFAULT)


def dpi() -> int:
    """Dots per inch of PNG files."""
    return _DPI.get()


def draw_at(value: int) -> None:
    """Set it for what is drawn from here on."""
    _DPI.set(value)
