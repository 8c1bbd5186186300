"""What is being done right now, told to whoever listens.

The engine does not know who watches it. Long work announces itself with `step`; the command
line listens, to draw progress and to let its guard say which step took too long.
"""

from __future__ import annotations

from collections.abc import Callable
from contextvars import ContextVar

Listener = Callable[[str, float | None], None]

_listener: ContextVar[Listener | None] = ContextVar("onnxplain_step_listener", default=None)


def listen(listener: Listener | None) -> None:
    """Call `listener(what, fraction)` at every step from now on; None stops it."""
    _listener.set(listener)


def heard() -> bool:
    """Whether somebody listens."""
    return _listener.get() is not None


def step(what: str, fraction: float | None = None) -> None:
    """Announce the work that starts now.

    Parameters
    ----------
    what : str
        A short phrase that fits after "while", e.g. "reading the model".
    fraction : float, optional
        How much of the same work is done, 0 to 1.
    """
    listener = _listener.get()
    if listener is not None:
        listener(what, fraction)
