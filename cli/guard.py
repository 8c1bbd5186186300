"""The process that the user started: it stays small, and watches the one that does the work.

A hang, a memory bomb or a crash inside a library cannot be stopped from inside. So before anything
heavy is imported the command line forks; the child does the work (`worker`) and says through a pipe
which step it is at and which temporary outputs it has begun. This process looks at the child's time
and memory, ends it at a limit, removes what it left unfinished, and otherwise hands on its exit code.

Nothing heavy is imported here, and the fork comes before any thread exists.
"""

from __future__ import annotations

import contextlib
import json
import os
import signal
import sys
import threading
import time
from collections.abc import Callable
from types import FrameType
from typing import IO, Any, NoReturn, Protocol

from . import console, processes, worker

GRACE = 1.0  # seconds between asking a child to end and ending it
LAST_WORDS = 10.0  # seconds a child may take to leave after it said that it is done
FORK = hasattr(os, "fork")
# What is left to the machine of the memory that is free, as bytes and as a part of what there is: the kernel
# is not to come first.
MARGIN, PART = 512 * 2**20, 0.05
LEAST = 256 * 2**20  # without which nothing starts
# Where memory grows, it is looked at so often before it could be at the limit, but no more than every so many
# seconds.
LOOKS, SHORTEST = 4, 0.002


class Child(Protocol):
    """What the guard needs of a process; `subprocess.Popen` has it too."""

    pid: int

    def poll(self) -> int | None:
        """Exit code, negative for a signal; None while it runs."""


class Forked:
    """A forked child in its own process group."""

    def __init__(self, pid: int) -> None:
        self.pid = pid
        self._code: int | None = None

    def poll(self) -> int | None:
        """Exit code, negative for a signal; None while it runs. Reaps the child."""
        if self._code is None:
            pid, status = os.waitpid(self.pid, os.WNOHANG)
            if pid:
                self._code = os.waitstatus_to_exitcode(status)
        return self._code


class Report:
    """What the child has said so far, read by a thread of its own."""

    def __init__(self, pipe: IO[bytes]) -> None:
        self.step = "starting"
        self.fraction: float | None = None
        self.progress_at = time.monotonic()
        self.done: int | None = None
        self.closed = threading.Event()  # the child has closed its end: it is about to be gone
        self.temporary: list[str] = []
        self._pipe = pipe
        self._thread = threading.Thread(target=self._read, daemon=True)
        self._thread.start()

    def _read(self) -> None:
        with self._pipe:
            for line in self._pipe:
                try:
                    self._take(json.loads(line))
                except (ValueError, KeyError, TypeError):  # a child that died in mid-sentence
                    continue
        self.closed.set()

    def _take(self, message: dict[str, Any]) -> None:
        if "step" in message:
            if (message["step"], message["fraction"]) != (self.step, self.fraction):
                self.progress_at = time.monotonic()
            self.step, self.fraction = message["step"], message["fraction"]
        elif "begun" in message:
            self.temporary.append(message["begun"])
        elif "done" in message:
            self.done = message["done"]
            self.progress_at = time.monotonic()

    def finish(self) -> None:
        """Read what is left in the pipe of a child that has ended."""
        self._thread.join(0.5)  # a grandchild that outlived it could hold the pipe open


class Guard:
    """Watches one child until it ends.

    Parameters
    ----------
    child : Child
    report : Report
    time_limit : float
        Seconds that one step may take without progress.
    memory_limit : int
        Bytes that the child and its descendants may hold.
    """

    def __init__(self, child: Child, report: Report, time_limit: float, memory_limit: int) -> None:
        self.child = child
        self.report = report
        self.time_limit = time_limit
        self.memory_limit = memory_limit
        self.caught: int | None = None  # the signal that told us to stop
        self.memory, self.peak, self._looked_at = 0, 0, time.monotonic()
        self._kill_at = float("inf")

    def watch(self) -> int:
        """Wait for the child; return the exit code for the shell."""
        look_at, pause = 0.0, processes.poll_seconds()
        why: str | None = None
        while (code := self.child.poll()) is None:
            if self.report.closed.wait(pause):
                time.sleep(0.005)
            now = time.monotonic()
            if now >= self._kill_at:
                processes.signal_group(self.child.pid, _kill)
                self._kill_at = now + GRACE  # and again, until it is gone
            if why or self.caught:
                continue
            if self.report.done is not None:
                if now - self.report.progress_at > LAST_WORDS:
                    self._kill_at = now
                continue
            if now - self.report.progress_at > self.time_limit:
                why = (
                    f"stopped after {self.time_limit:g} s without progress while {self.report.step} "
                    "(--time-limit SECONDS allows more)"
                )
            elif now >= look_at:
                pause = self._look()
                look_at = now + pause
                if self.memory > self.memory_limit:
                    why = (
                        f"stopped at {_size(self.memory)} of memory while {self.report.step}: more than "
                        f"the limit of {_size(self.memory_limit)} (--memory-limit SIZE sets it)"
                    )
                    self._kill_at = now  # no grace: a second more can take the machine down
            if why:
                self.end(signal.SIGTERM)
        self.report.finish()
        processes.signal_group(self.child.pid, _kill)  # descendants that outlived it
        self._remove_temporary()
        return self._verdict(code, why)

    def _look(self) -> float:
        """Count the memory; return after how many seconds it has to be counted again."""
        before, self.memory = self.memory, processes.tree_memory(self.child.pid)
        self.peak = max(self.peak, self.memory)  # of one that is being ended, nothing is left
        now, then = time.monotonic(), self._looked_at
        self._looked_at = now
        growth = (self.memory - before) / max(now - then, SHORTEST)
        usual = processes.poll_seconds()
        if growth <= 0 or usual > 0.1:  # where a look starts `ps`, it cannot be had more often
            return usual
        return min(usual, max((self.memory_limit - self.memory) / growth / LOOKS, SHORTEST))

    def _verdict(self, code: int, why: str | None) -> int:
        if self.report.done is not None and (code < 0 or self._kill_at < float("inf")):
            code = self.report.done  # it broke while it was leaving: the work itself was done
        if code == 0:
            return 0
        if why:
            console.fail(why)
            return 3
        if self.caught:
            how = "interrupted" if self.caught == signal.SIGINT else f"stopped by {_name(self.caught)}"
            console.fail(f"{how} while {self.report.step}")
            return 128 + self.caught
        if code < 0:
            what = f"ended by {_name(-code)}"
            if -code == _kill and self.peak > self.memory_limit / 2:
                console.fail(
                    f"ended by the system at {_size(self.peak)} of memory while {self.report.step}: it had "
                    "no more; close other programs, or take a machine with more memory"
                )
                return 3
            if -code == _kill:
                console.fail(f"{what} from outside while {self.report.step} (out of memory?)")
            else:
                console.fail(
                    f"a library crashed ({_name(-code)}) while {self.report.step}; "
                    f"{console.DEBUG}=1 shows where"
                )
            return 2
        return code

    def end(self, number: int) -> None:
        """Ask the child to end; it is ended for good when the grace is over."""
        processes.signal_group(self.child.pid, number)
        self._kill_at = min(self._kill_at, time.monotonic() + GRACE)

    def on_signal(self, number: int, frame: FrameType | None) -> None:
        """Hand a signal on: the child stands in its own process group and does not hear the terminal."""
        if self.caught:  # asked twice: no more grace
            self._kill_at = 0.0
        self.caught = number
        self.end(signal.SIGINT if number == signal.SIGINT else signal.SIGTERM)

    def on_suspend(self, number: int, frame: FrameType | None) -> None:
        """Ctrl-Z: the child sleeps too, and the time does not count."""
        processes.signal_group(self.child.pid, signal.SIGSTOP)
        asleep = time.monotonic()
        signal.signal(signal.SIGTSTP, signal.SIG_DFL)
        os.kill(os.getpid(), signal.SIGTSTP)
        signal.signal(signal.SIGTSTP, self.on_suspend)
        self.report.progress_at += time.monotonic() - asleep
        processes.signal_group(self.child.pid, signal.SIGCONT)

    def _remove_temporary(self) -> None:
        for path in self.report.temporary:
            # Finished outputs were renamed away, so whatever still has this name is unfinished.
            if not os.path.lexists(path):
                continue
            import shutil
            from pathlib import Path

            from ..engine.storage import outputs

            if path.endswith(outputs.LOCK):
                outputs.release(Path(path))
            elif os.path.isdir(path) and not os.path.islink(path):
                shutil.rmtree(path, ignore_errors=True)
            else:
                os.unlink(path)


_kill: int = getattr(signal, "SIGKILL", signal.SIGTERM)
_name = processes.signal_name


def default_limit(part: float = 0.75) -> int:
    """Bytes that the work may hold if nobody says: a part of what there is, or what is free less a margin.

    Parameters
    ----------
    part : float
        Of the machine's memory, or its container's.
    """
    whole = processes.machine_memory()
    free = processes.free_memory() - max(MARGIN, int(PART * whole))
    return max(min(int(part * whole), free), LEAST)


def run(job: Callable[[], int | None], *, time_limit: float, memory_limit: int | None = None) -> int:
    """Do `job` in a child process within the limits.

    Parameters
    ----------
    job : callable
        The work; returns an exit code, or None for 0. Runs in the child only.
    time_limit : float
        Seconds that one step may take without progress.
    memory_limit : int, optional
        Bytes; see `default_limit` if not given.

    Returns
    -------
    int
        The exit code: the job's own, 2 after a crash, 3 when a limit was reached, 128 + n after signal n.
    """
    if (inherited := worker.inherited_pipes()) is not None:
        _leave(job, *inherited, held=set())
    if memory_limit is None:
        memory_limit = default_limit()
    for stream in (sys.stdout, sys.stderr):
        if stream is not None:  # None where the program was started with it closed
            stream.flush()  # or the child would print it again
    if hasattr(signal, "SIGCHLD"):
        signal.signal(signal.SIGCHLD, signal.SIG_DFL)  # ignored, it would take the exit code away
    # A signal that comes before the guard stands is kept until it does.
    held = _hold_signals()
    report_end, report_tell = os.pipe()
    life_end, life_hold = os.pipe()  # never written to: its end tells the child that we are gone
    child: Child
    if FORK:
        if (pid := os.fork()) == 0:
            os.close(report_end)
            os.close(life_hold)
            os.setpgid(0, 0)
            _leave(job, report_tell, life_end, held)
        _set_group(pid)
        child = Forked(pid)
    else:
        child = worker.respawn(report_tell, life_end)
    os.close(report_tell)
    os.close(life_end)
    guard = Guard(child, Report(os.fdopen(report_end, "rb")), time_limit, memory_limit)
    for name, handler in (
        ("SIGINT", guard.on_signal),
        ("SIGTERM", guard.on_signal),
        ("SIGHUP", guard.on_signal),
        ("SIGTSTP", guard.on_suspend),
    ):
        number = getattr(signal, name, None)
        # nohup and background shells start programs with a signal ignored: it stays so.
        if number is not None and signal.getsignal(number) is not signal.SIG_IGN:
            signal.signal(number, handler)
    worker.release_signals(held)
    code = guard.watch()
    os.close(life_hold)
    return code


def _leave(job: Callable[[], int | None], report: int, life: int, held: set[int]) -> NoReturn:
    """Do the work as the child and end the process, so that nothing of the parent's runs twice."""
    sys.exit(worker.work(job, report, life, held))


def _size(number: int) -> str:
    return f"{number / 2**30:.2f} GiB" if number >= 2**30 else f"{number / 2**20:.0f} MiB"


def _set_group(pid: int) -> None:
    # The child does the same: whoever comes first, the group stands before a signal is sent to it.
    with contextlib.suppress(OSError):
        os.setpgid(pid, pid)


def _hold_signals() -> set[int]:
    if not hasattr(signal, "pthread_sigmask"):
        return set()
    return set(signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT, signal.SIGTERM, signal.SIGHUP}))
