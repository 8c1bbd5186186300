"""What holds for all tests: nothing of who runs them reaches the programs that they start."""

from __future__ import annotations

import signal
import threading

import pytest

_ENDS = [getattr(signal, n) for n in ("SIGINT", "SIGTERM", "SIGHUP", "SIGQUIT") if hasattr(signal, n)]


@pytest.fixture(scope="session", autouse=True)
def signals_of_their_own() -> None:
    """Programs that a test starts hear the signals that end a program.

    Under nohup, and in the background of a shell without job control, some are ignored, and what is ignored
    stays so in every child. A handler that does nothing keeps them ignored here, and does not outlive exec.
    """
    if threading.current_thread() is not threading.main_thread():
        return
    for number in _ENDS:
        if signal.getsignal(number) is signal.SIG_IGN:
            signal.signal(number, lambda number, frame: None)
    if hasattr(signal, "pthread_sigmask"):
        signal.pthread_sigmask(signal.SIG_UNBLOCK, _ENDS)
