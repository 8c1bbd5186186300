"""What reaches the terminal: our own lines, and nothing of the libraries'.

The child's file descriptors 1 and 2 are pointed at nothing, and onnxplain writes to copies of the
real ones. So an error is one line, and ``--json`` is JSON, whatever a library prints.
``ONNXPLAIN_DEBUG=1`` leaves everything visible.
"""

from __future__ import annotations

import contextlib
import io
import json
import os
import sys
import time
import unicodedata
from collections.abc import Iterable, Sequence
from typing import Any, TextIO

DEBUG = "ONNXPLAIN_DEBUG"

_out: TextIO | None = None
_err: TextIO | None = None
_quiet = False
_drawn = False
_last = ("", 0.0)
_logged = time.monotonic()
_log = True
SELDOM = 60.0  # seconds between two lines of progress in a log


def debug() -> bool:
    """Whether the user asked for tracebacks and the libraries' own messages."""
    return os.environ.get(DEBUG, "") not in ("", "0")


def out() -> TextIO:
    """The real standard output."""
    return _out or sys.stdout or _Nowhere()


def err() -> TextIO:
    """The real standard error."""
    return _err or sys.stderr or _Nowhere()


class _Nowhere(io.StringIO):
    """Stands in for a stream that was closed before the program started."""

    def write(self, text: str) -> int:
        return len(text)


def take_over() -> None:
    """Keep the terminal for onnxplain's own lines; what libraries print goes nowhere.

    Standard input goes too: nothing is asked for, and a process in the background that reads from a
    terminal is put to sleep.
    """
    global _out, _err
    if debug():
        import faulthandler

        faulthandler.enable()
        return
    _out, _err = _copy(sys.stdout), _copy(sys.stderr)
    nothing = os.open(os.devnull, os.O_RDWR)
    for fd in (0, 1, 2):
        os.dup2(nothing, fd)
    if nothing > 2:
        os.close(nothing)


def _copy(stream: TextIO | None) -> TextIO:
    if stream is None:
        return _Nowhere()
    return open(os.dup(stream.fileno()), "w", encoding=stream.encoding, errors="backslashreplace")


def close(code: int, broken: int) -> int:
    """Flush, and return `code`, or `broken` if the reader of standard output went away."""
    clear()
    try:
        out().flush()
        err().flush()
    except BrokenPipeError:
        # What stays in the buffer would raise again at exit.
        os.dup2(os.open(os.devnull, os.O_WRONLY), out().fileno())
        return broken
    except OSError as error:  # a full disk
        fail(f"standard output: {error.strerror}")
        return 2
    return code


def escaped(text: object) -> str:
    """All of `text` on one line, control, bidirectional and invisible characters written as escapes."""
    return "".join(_escape(c) if unicodedata.category(c) in _ODD else c for c in str(text))


_ODD = {"Cc", "Cf", "Cs", "Zl", "Zp"}


def _escape(character: str) -> str:
    return character.encode("unicode_escape").decode("ascii")


def fail(message: str) -> None:
    """Say why it did not work, on one line of standard error."""
    clear()
    # On a terminal, also what another process has drawn and was ended too fast to take off.
    start = "\r\x1b[K" if err().isatty() else ""
    with contextlib.suppress(OSError):  # nobody is listening; the exit code still tells
        print(f"{start}onnxplain: {escaped(message)}", file=err(), flush=True)


def quiet() -> None:
    """Draw no progress, and let `say` and `table` say nothing."""
    global _quiet
    _quiet = True


def no_log() -> None:
    """Let there be no lines of progress in a log: what runs for a program's sake has errors alone there."""
    global _log
    _log = False


def say(text: str = "") -> None:
    """Print a line on standard output."""
    if not _quiet:
        clear()
        print(escaped(text), file=out())


def say_json(data: Any) -> None:
    """Print JSON on standard output, also where `quiet` was asked for."""
    from ..eeg.explanation.provenance import jsonable

    clear()
    print(json.dumps(jsonable(data), indent=2), file=out())


def table(
    columns: Sequence[str],
    rows: Iterable[Sequence[object]],
    *,
    title: str | None = None,
    right: Iterable[str] = (),
) -> None:
    """Print a table that still reads at 80 columns.

    Parameters
    ----------
    columns : sequence of str
        Headings.
    rows : iterable of sequences
        Cells; None is left empty.
    title : str, optional
    right : iterable of str
        Headings of the columns that hold numbers.
    """
    if _quiet:
        return
    from rich.box import SIMPLE_HEAD
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    clear()
    target, rows = out(), [list(row) for row in rows]
    # Where the output is no terminal, rows are not folded: a script may read them.
    width = _columns(target) if target.isatty() else max(80, _widest(columns, rows))
    grid = Table(box=SIMPLE_HEAD, pad_edge=False)
    numbers = set(right)
    for name in columns:
        grid.add_column(Text(escaped(name)), justify="right" if name in numbers else "left", overflow="fold")
    for row in rows:
        grid.add_row(*(Text("" if cell is None else escaped(cell)) for cell in row))
    console = Console(file=target, markup=False, highlight=False, emoji=False, width=width)
    if title:
        console.print(Text(escaped(title), "bold"), soft_wrap=True)  # a path is never folded
    console.print(grid)


def _columns(stream: TextIO) -> int:
    return os.get_terminal_size(stream.fileno()).columns or 80


def _widest(columns: Sequence[str], rows: Sequence[Sequence[object]]) -> int:
    cells = [[len(escaped(cell)) for cell in row] for row in rows]
    widths = [max([len(name), *(row[i] for row in cells)]) for i, name in enumerate(columns)]
    return sum(widths) + 3 * len(columns)


def progress(what: str, fraction: float | None) -> None:
    """Tell what is being done: on a terminal one line, written over at each step; in a log a line, seldom."""
    global _drawn, _last, _logged
    if _quiet:
        return
    now = time.monotonic()
    if not err().isatty():
        if _log and now - _logged >= SELDOM:
            _logged = now
            with contextlib.suppress(OSError):  # nobody is listening
                print(time.strftime("%H:%M:%S"), escaped(what) + _percent(fraction), file=err(), flush=True)
        return
    if what == _last[0] and now - _last[1] < 0.1:
        return
    _last = (what, now)
    _drawn = True
    err().write("\r\x1b[K" + f"{escaped(what)}{_percent(fraction)}"[: _columns(err()) - 1])
    err().flush()


def _percent(fraction: float | None) -> str:
    return "" if fraction is None else f" {100 * fraction:3.0f} %"


def took(seconds: float) -> None:
    """Say how long a command took, as the last line of what it prints."""
    from ..engine.notebook.progress import duration

    say(f"{'took':<11} {duration(seconds)}")


def clear() -> None:
    """Take the progress line off the screen."""
    global _drawn
    if _drawn:
        _drawn = False
        err().write("\r\x1b[K")
        err().flush()
