"""Tasks on this machine's cores, in processes that only their parent can speak to.

What goes to and fro are pickles, and who can send one can have any code run. So each process has pipes of
its own to its parent, which no other process can open: there is no port, and no socket. A process that is
killed (a library crashes, memory runs out) is started anew, and its task is tried again.
"""

from __future__ import annotations

import contextlib
import os
import pickle
import signal
import threading
from collections import deque
from collections.abc import Callable, Generator, Iterator, Sequence
from dataclasses import dataclass
from multiprocessing import connection, get_context, parent_process
from typing import Any, Generic, TypeVar

from ...engine.errors import OnnxplainError
from ..text import counted, plain

T = TypeVar("T")
R = TypeVar("R")

# How often a task is tried whose process ends under it.
TRIES = 4
# One core each: as many processes as cores, each with as many threads, are slower than one alone.
_ONE_THREAD = ("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS")
_LAST = 5.0  # seconds that a process may take to leave


@dataclass(frozen=True)
class Failed:
    """A task without a result, and why."""

    why: str


@dataclass
class _Job(Generic[T]):
    item: T
    tried: int = 0


class _Worker(Generic[T, R]):
    """A process, the pipe to it, and what it is at."""

    def __init__(self, task: bytes) -> None:
        context = get_context("spawn")
        own, its = context.Pipe()
        # Typed loosely: BaseProcess of a context has no public name.
        process: Any = context.Process(target=_serve, args=(its,), daemon=True)
        with its, _one_thread():
            process.start()
        self.process, self.pipe = process, own
        self.job: _Job[T] | None = None
        self.ready = False
        with contextlib.suppress(OSError):  # it is gone already, which `hear` will find
            self.pipe.send_bytes(task)

    def give(self, job: _Job[T]) -> None:
        """Send a task's item."""
        self.job = job
        job.tried += 1
        with contextlib.suppress(OSError):
            self.pipe.send(job.item)

    def hear(self) -> R | Failed:
        """What it says, at first that it is ready for an item. EOFError where it is gone."""
        try:
            said: R | Failed = self.pipe.recv()
        except OSError:
            raise EOFError from None
        return said

    def end(self) -> str:
        """End it, and say how it ended."""
        self.pipe.close()
        self.process.join(_LAST)
        if self.process.is_alive():
            self.process.kill()
            self.process.join()
        code = self.process.exitcode or 0
        with contextlib.suppress(ValueError):
            return signal.Signals(-code).name if code < 0 else f"exit code {code}"
        return f"signal {-code}"


def each(
    task: Callable[[T], R], items: Sequence[T], workers: int
) -> Generator[tuple[T, R | Failed], None, None]:
    """Do a task for each item, in processes of this machine.

    Parameters
    ----------
    task : callable
        That can be pickled: a function of a module, or `functools.partial` of one.
    items : sequence
    workers : int
        Processes at a time.

    Yields
    ------
    item, result or Failed
        As they are done. `Failed` where the task raised, or its process was ended every time.

    Raises
    ------
    OnnxplainError
        What is to be done cannot be sent, or processes cannot be started.
    """
    try:
        sent = pickle.dumps(task)
    except (pickle.PicklingError, AttributeError, TypeError) as e:
        raise OnnxplainError(
            f"options of a cohort cannot be sent to its processes ({plain(e, 200)})"
        ) from None
    waiting = deque(_Job(i) for i in items)
    running: list[_Worker[T, R]] = []
    try:
        running += [_Worker[T, R](sent) for _ in range(min(workers, len(waiting)))]
        while waiting or any(w.job for w in running):
            for w in running:
                if w.ready and w.job is None and waiting:
                    w.give(waiting.popleft())
            ready = connection.wait([w.pipe for w in running if w.job or not w.ready])
            for i, w in enumerate(running):
                if w.pipe not in ready:
                    continue
                try:
                    said = w.hear()
                except EOFError:
                    running[i], failed = _Worker[T, R](sent), _lost(w, waiting)
                    if failed is not None:
                        yield failed
                    continue
                job, w.job, w.ready = w.job, None, True
                if job is not None:
                    yield job.item, said
    finally:
        for w in running:
            w.process.terminate()
        for w in running:
            w.end()


def _lost(worker: _Worker[T, R], waiting: deque[_Job[T]]) -> tuple[T, Failed] | None:
    """What becomes of the task of a process that is gone: it is tried again, or has failed."""
    how, job = worker.end(), worker.job
    if job is None:
        raise OnnxplainError(
            f"a process for a cohort does not start ({how}); a script that starts one needs "
            'if __name__ == "__main__":'
        )
    if job.tried < TRIES:
        waiting.append(job)
        return None
    return job.item, Failed(f"the worker failed ({how}, {counted(job.tried, 'time')})")


def _serve(pipe: connection.Connection[Any, Any]) -> None:
    """Do what the parent sends, until it sends no more; runs in a process of its own."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is for the parent, which then ends this one
    threading.Thread(target=_leave_with_parent, daemon=True).start()
    with contextlib.suppress(EOFError, OSError):  # the parent is done, or gone
        task = pipe.recv()
        pipe.send(None)
        while True:
            item = pipe.recv()
            try:
                said = task(item)
            except Exception as e:
                said = Failed(f"the worker failed ({type(e).__name__})")
            pipe.send(said)


def _leave_with_parent() -> None:
    """End this process when its parent is gone, even by kill -9: nobody would read what it finds."""
    parent = parent_process()
    if parent is not None:
        connection.wait([parent.sentinel])
        os._exit(143)


@contextlib.contextmanager
def _one_thread() -> Iterator[None]:
    """An environment for processes with one thread each, where it does not say otherwise."""
    new = [n for n in _ONE_THREAD if n not in os.environ]
    os.environ.update(dict.fromkeys(new, "1"))
    try:
        yield
    finally:
        for name in new:
            os.environ.pop(name, None)
