"""Text of options read: paths, sizes, names, classes, bands. A ValueError says what is wrong with it."""

from __future__ import annotations

import math
import re
import stat
from collections.abc import Callable
from pathlib import Path
from typing import Any

import click

Target = str | int | dict[str | int, float]


def checked(parse: Callable[[str], Any]) -> Callable[[click.Context, click.Parameter, Any], Any]:
    """A callback for click that parses text; a ValueError becomes an error of usage."""

    def callback(ctx: click.Context, param: click.Parameter, value: Any) -> Any:
        if value is None:
            return None
        try:
            return tuple(map(parse, value)) if isinstance(value, tuple) else parse(value)
        except ValueError as error:
            raise click.BadParameter(str(error), ctx=ctx, param=param) from None

    return callback


def existing(text: str, *, folder: bool = False) -> Path:
    """A path that can be read: never a pipe or a device, and nothing is opened to find out."""
    path = Path(text)
    try:
        mode = path.stat().st_mode
    except FileNotFoundError:
        raise ValueError(f"{text}: no such file") from None
    except (OSError, ValueError) as error:
        raise ValueError(f"{text}: cannot be read ({getattr(error, 'strerror', None) or error})") from None
    if stat.S_ISDIR(mode) and not folder:
        raise ValueError(f"{text}: is a folder, not a file")
    if not (stat.S_ISREG(mode) or stat.S_ISDIR(mode)):
        raise ValueError(f"{text}: is a pipe or a device, not a file")
    return path


def growing(text: str) -> Path:
    """A file that is gone on with, or begun where there is none: never a pipe, a device or a link."""
    path = Path(text)
    if path.is_symlink():
        raise ValueError(f"{text}: is a symbolic link; name the file itself")
    try:
        path.stat()
    except FileNotFoundError:
        if not path.parent.is_dir():
            raise ValueError(f"{text}: there is no folder {path.parent} to write into") from None
        return path
    except (OSError, ValueError) as error:
        raise ValueError(f"{text}: cannot be read ({getattr(error, 'strerror', None) or error})") from None
    return existing(text)


def size(text: str) -> int:
    """Bytes, from "8G", "500M", "1.5GiB" or a plain number; K, M, G and T are powers of 1024."""
    match = re.fullmatch(r"(\d+(?:\.\d+)?)\s*([KMGT]?)(?:i?B)?", text.strip(), re.IGNORECASE)
    number = 0 if match is None else int(float(match[1]) * 1024 ** " KMGT".index(match[2].upper() or " "))
    if number <= 0:
        raise ValueError(f"{text!r} is no size; write it like 8G or 500M")
    return number


def seconds(text: str) -> float:
    """A number above 0; "inf" stands for no limit."""
    number = _number(text)
    if not number > 0:
        raise ValueError(f"{text!r} is no number of seconds above 0")
    return number


def parameter(text: str) -> tuple[str, float]:
    """NAME=VALUE; whether the composite has such a parameter is the engine's to say."""
    name, sign, value = (part.strip() for part in text.partition("="))
    if not (sign and name.isidentifier()):
        raise ValueError(f"{text!r} is not NAME=VALUE, like epsilon=1e-6")
    number = _number(value)
    if not math.isfinite(number):
        raise ValueError(f"{name} must be a finite number, not {value!r}")
    return name, number


def explained(text: str) -> Target:
    """A target: predicted, all, a class number or name, or {class: weight} from "left:1,right:-1".

    Whether the model has such a class is the engine's to say.
    """
    text = text.strip()
    if not text:
        raise ValueError("it is empty")
    parts = [part.rpartition(":") for part in text.split(",")]
    numbers = [_number(weight) for _, _, weight in parts]
    if not all(name.strip() for name, _, _ in parts) or any(map(math.isnan, numbers)):
        return _class(text)  # a name may itself have a comma or a colon in it
    weights: dict[str | int, float] = {}
    for (name, _, _), weight in zip(parts, numbers, strict=True):
        if _class(name) in weights:
            raise ValueError(f"the class {name!r} stands twice")
        if not math.isfinite(weight):
            raise ValueError(f"the weight of {name!r} must be finite")
        weights[_class(name)] = weight
    return weights


def names(text: str) -> tuple[str, ...]:
    """Names separated by commas, none of them empty or twice."""
    # A name with a comma in it stands in quotes.
    parts = re.findall(r"""\s*(?:"([^"]*)"|'([^']*)')\s*(?:,|$)|([^,]*)(?:,|$)""", f"{text},")[:-1]
    found = tuple((a or b or c).strip() for a, b, c in parts)
    if not all(found):
        raise ValueError("a name is empty")
    twice = [name for name in found if found.count(name) > 1]
    if twice:
        raise ValueError(f"{twice[0]} stands twice")
    return found


def lags(text: str) -> tuple[float, float]:
    """Two numbers of seconds, the first before the second."""
    numbers = [_number(part) for part in text.split(",")]
    if len(numbers) != 2 or not all(map(math.isfinite, numbers)) or numbers[0] >= numbers[1]:
        raise ValueError(f"{text!r} is not FROM,TO in seconds, like -0.2,0.8")
    return numbers[0], numbers[1]


def bands(text: str) -> dict[str, tuple[float, float]]:
    """Frequency bands by name, of NAME=LOW-HIGH separated by commas; whether they make sense is for later."""
    found: dict[str, tuple[float, float]] = {}
    for part in text.split(","):
        match = re.fullmatch(r"\s*([^=]+?)\s*=\s*([\d.]+)\s*-\s*([\d.]+)\s*", part)
        edges = (math.nan, math.nan) if match is None else (_number(match[2]), _number(match[3]))
        if match is None or any(map(math.isnan, edges)):
            raise ValueError(f"{part.strip()!r} is not NAME=LOW-HIGH in Hz, like mu=8-13")
        if match[1] in found:
            raise ValueError(f"the band {match[1]!r} stands twice")
        found[match[1]] = edges
    return found


def _class(text: str) -> str | int:
    try:
        return int(text)
    except ValueError:
        return text.strip()


def _number(text: str) -> float:
    try:
        return float(text)
    except ValueError:
        return math.nan
