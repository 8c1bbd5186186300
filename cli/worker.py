"""The child process: does the work, tells the guard about it, and turns every error into one line."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import sys
import threading
import traceback
from collections.abc import Callable
from pathlib import Path
from types import FrameType
from typing import TYPE_CHECKING, Any

import click

from ..engine import steps
from ..engine.errors import OnnxplainError
from . import console, processes

if TYPE_CHECKING:
    import subprocess

PIPES = "ONNXPLAIN_PIPES"  # how a child that could not be forked finds the guard's pipes
BROKEN_PIPE = 141  # what a shell reports for a program whose reader went away

_report: int | None = None
_lock = threading.Lock()


def work(job: Callable[[], int | None], report: int, life: int, held: set[int]) -> int:
    """Do the job, and return its exit code.

    Parameters
    ----------
    job : callable
        Returns an exit code, or None for 0.
    report : int
        File descriptor on which the guard listens.
    life : int
        File descriptor that reaches its end when the guard is gone.
    held : set of int
        The signal mask to go back to once signals are caught here.
    """
    global _report
    _report = report
    processes.first_to_go()
    _set_signals()
    threading.Thread(target=_die_with_guard, args=(life,), daemon=True).start()
    console.take_over()
    steps.listen(_on_step)
    from ..engine.storage import outputs

    outputs.listen(begun)
    code = _attempt(job, held)
    code = console.close(code, BROKEN_PIPE)
    _tell(done=code)
    return code


def _attempt(job: Callable[[], int | None], held: set[int]) -> int:
    """The job's exit code; whatever it raises becomes one line."""
    try:
        release_signals(held)
        return job() or 0
    except OnnxplainError as error:
        return _fail(str(error), error.exit_code)
    except click.ClickException as error:
        return _fail(error.format_message(), error.exit_code)
    except BrokenPipeError:
        return BROKEN_PIPE
    except MemoryError:
        return _fail("there is not enough memory for this", 3)
    except KeyboardInterrupt:
        return 130  # the guard says the line
    except SystemExit as error:
        if error.code is None or isinstance(error.code, int):
            return error.code or 0
        return _fail(str(error.code), 2)
    except Exception as error:
        text = " ".join(f"{type(error).__name__}: {error}".split())
        text = text if len(text) <= 500 else text[:500] + " ..."
        return _fail(f"unexpected {text} ({console.DEBUG}=1 shows the traceback)", 2)


def release_signals(held: set[int]) -> None:
    """Go back to a signal mask: what was held back meanwhile is delivered now."""
    if hasattr(signal, "pthread_sigmask"):
        signal.pthread_sigmask(signal.SIG_SETMASK, held)


def _fail(message: str, code: int) -> int:
    if console.debug():
        traceback.print_exc(file=console.err())
    console.fail(message)
    return code


def begun(path: Path) -> None:
    """Tell the guard of a temporary output, to be removed should this process be ended."""
    _tell(begun=str(path))


def _on_step(what: str, fraction: float | None) -> None:
    _tell(step=console.escaped(what)[:200], fraction=fraction)
    console.progress(what, fraction)


def _tell(**message: Any) -> None:
    if _report is None:  # used as a library, without a guard
        return
    line = json.dumps(message).encode() + b"\n"
    with _lock, contextlib.suppress(OSError):  # the guard is gone; `_die_with_guard` sees to it
        os.write(_report, line)


def _set_signals() -> None:
    for name in ("SIGINT", "SIGTERM", "SIGHUP"):
        number = getattr(signal, name, None)
        if number is not None and signal.getsignal(number) is not signal.SIG_IGN:
            signal.signal(number, signal.default_int_handler if name == "SIGINT" else _on_end)
    if hasattr(signal, "SIGTTOU"):
        # Not in the terminal's foreground group, and yet it writes there: under `stty tostop` that
        # would put it to sleep.
        signal.signal(signal.SIGTTOU, signal.SIG_IGN)


def _on_end(number: int, frame: FrameType | None) -> None:
    sys.exit(128 + number)  # unwinds, so that temporary files are removed on the way


def _die_with_guard(life: int) -> None:
    """End this process group when the guard is gone, even by kill -9: nobody would watch it."""
    with contextlib.suppress(OSError):
        os.read(life, 1)
    if hasattr(os, "killpg"):
        os.killpg(os.getpid(), signal.SIGTERM)
        threading.Event().wait(1.0)
        os.killpg(os.getpid(), signal.SIGKILL)
    os._exit(143)


def inherited_pipes() -> tuple[int, int] | None:
    """The guard's pipes, in a child that was started by `respawn`; None elsewhere."""
    text = os.environ.pop(PIPES, None)
    if text is None:
        return None
    report, life = map(int, text.split(","))
    if sys.platform == "win32":
        import msvcrt

        return msvcrt.open_osfhandle(report, os.O_WRONLY), msvcrt.open_osfhandle(life, os.O_RDONLY)
    return report, life


def respawn(report: int, life: int) -> subprocess.Popen[bytes]:
    """Start the same command line in a new process: for systems that cannot fork."""
    import subprocess

    pipes = (report, life)
    command = [sys.executable, "-m", "onnxplain", *sys.argv[1:]]
    if sys.platform == "win32":
        import msvcrt

        handles = [msvcrt.get_osfhandle(fd) for fd in pipes]
        for handle in handles:
            os.set_handle_inheritable(handle, True)
        environment = {**os.environ, PIPES: ",".join(map(str, handles))}
        return subprocess.Popen(command, env=environment, close_fds=False)
    environment = {**os.environ, PIPES: ",".join(map(str, pipes))}
    return subprocess.Popen(command, env=environment, pass_fds=pipes, process_group=0)
