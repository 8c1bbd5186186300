"""Text from a file: never more than a given size, never from a pipe or a device."""

from __future__ import annotations

import os
import stat
from collections.abc import Iterable
from difflib import get_close_matches
from pathlib import Path

from ..errors import InputError, OnnxplainError

LARGEST = 1_000_000


def read(
    path: Path,
    what: str,
    *,
    error: type[OnnxplainError] = InputError,
    where: str = "",
    largest: int = LARGEST,
) -> str:
    """The text of a file, without a mark of byte order.

    Parameters
    ----------
    path : Path
    what : str
        What the file should be, with its article, for the message: "a policy".
    error : type
        Raised where it cannot be read.
    where : str
        Its name in messages; the path if not given.
    largest : int
        Bytes of which nothing larger is read.

    Raises
    ------
    OnnxplainError
        Of the type `error`: it is missing, no regular file, too large, or not UTF-8 text.
    """
    where = where or str(path)
    try:
        status = os.stat(path)
        if stat.S_ISDIR(status.st_mode):
            raise error(f"{where}: is a folder, not {what}")
        if not stat.S_ISREG(status.st_mode):
            raise error(f"{where}: is a pipe or a device, not {what}")
        if status.st_size > largest:
            raise error(
                f"{where}: too large for {what} ({_bytes(status.st_size)}; at most {_bytes(largest)})"
            )
        with open(path, "rb") as file:
            data = file.read(largest + 1)  # files that say nothing of their size, and those that grow
    except (OSError, ValueError) as e:
        raise error(f"{where}: cannot be read ({getattr(e, 'strerror', None) or e})") from None
    if len(data) > largest:
        raise error(f"{where}: too large for {what} (at most {_bytes(largest)})")
    try:
        return data.decode("utf-8-sig")
    except UnicodeDecodeError:
        raise error(f"{where}: not {what} (not UTF-8 text)") from None


def one_line(text: object, limit: int = 120) -> str:
    """Text on one line, what cannot be seen as ``?``, cut at `limit` characters."""
    whole = str(text)[: 4 * limit]
    out = " ".join("".join(c if c.isprintable() else " " if c.isspace() else "?" for c in whole).split())
    return out if len(out) <= limit else out[: limit - 1] + "…"


def near(name: object, known: Iterable[object], *, most: int = 24) -> str:
    """What to say after a name that is not known: the ones like it, or those that there are.

    >>> near("frontla", ["frontal", "central"])
    'did you mean frontal?'
    >>> near("nose", ["frontal", "central"])
    'there are frontal, central'
    """
    names = [one_line(k, 60) for k in known]
    folded = {n.casefold(): n for n in names}
    given = one_line(name, 60).casefold()
    found = [given] if given in folded else get_close_matches(given, folded, 2, 0.6)
    if found:
        return f"did you mean {' or '.join(folded[f] for f in found)}?"
    if not names:
        return "there are none"
    more = len(names) - most
    return f"there are {', '.join(names[:most])}" + (f" and {more} more" if more > 0 else "")


def _bytes(number: int) -> str:
    return f"{number / 1e6:,.0f} MB" if number >= 1e6 else f"{number:,} bytes"
