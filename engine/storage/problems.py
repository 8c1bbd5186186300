"""What is wrong with the data of a document, in words of our own.

pydantic finds it; what it says is written for programmers, and repeats the input. Here a problem is the place
(``checks.share.max_ratio``), what must stand there, and what does.
"""

from __future__ import annotations

import re
import types
from collections.abc import Iterator
from typing import Annotated, Any, Union, get_args, get_origin

from pydantic import BaseModel, ValidationError

from .documents import shown
from .text import near, one_line

# By pydantic's names for kinds of problems.
_NEEDED = {
    "int": "a whole number",
    "float": "a number",
    "bool": "true or false",
    "string": "text",
    "tuple": "a list",
    "list": "a list",
    "set": "a list",
    "dict": "keys and values",
    "mapping": "keys and values",
    "model": "keys and values",
    "date": "a date such as 2027-06-30",
    "datetime": "a date such as 2027-06-30",
    "none": "nothing",
    "finite": "a finite number",
}
_LIMITS = {
    "greater_than": ("gt", "above {}"),
    "greater_than_equal": ("ge", "at least {}"),
    "less_than": ("lt", "below {}"),
    "less_than_equal": ("le", "at most {}"),
    "multiple_of": ("multiple_of", "a multiple of {}"),
    "string_too_short": ("min_length", "text of at least {} characters"),
    "string_too_long": ("max_length", "text of at most {} characters"),
    "too_short": ("min_length", "a list of at least {}"),
    "too_long": ("max_length", "a list of at most {}"),
}


def problems(
    error: ValidationError, model: type[BaseModel], data: Any, *, whole: str = "file", most: int = 3
) -> str:
    """All that is wrong, in one line.

    Parameters
    ----------
    error : ValidationError
        What `model` said of the data.
    model : type
        Its fields are the keys that there are.
    data : Any
        What was given.
    whole : str
        What the data as a whole are called.
    most : int
        Problems beyond so many are counted.
    """
    found: dict[tuple[Any, ...], list[Any]] = {}
    for each in error.errors(include_url=False):
        found.setdefault(_place(each, data), []).append(each)
    # A key that is misspelt before the one that is missing for it.
    first = sorted(found.items(), key=lambda item: item[1][0]["type"] == "missing")[:most]
    limit = 300 if len(found) == 1 else 120
    texts = []
    for place, each_of in first:
        said = list(dict.fromkeys(_said(each, model, place) for each in each_of[:8]))
        texts.append(
            one_line(f"{one_line('.'.join(map(str, place)), 80) or whole}: {_together(said)}", limit)
        )
    rest = f"; and {len(found) - most} more" if len(found) > most else ""
    return "; ".join(texts) + rest


def _place(each: Any, data: Any) -> tuple[Any, ...]:
    """Keys and numbers that lead to what is wrong, without the names of the kinds that were tried there."""
    place: list[Any] = []
    for key in each["loc"]:
        listed = isinstance(data, list | tuple) and isinstance(key, int) and key < len(data)
        if listed or (isinstance(data, dict) and key in data):
            data = data[key]
        elif each["type"] != "missing" or key != each["loc"][-1]:
            continue
        place.append(key)
    return tuple(place)


def _said(each: Any, model: type[BaseModel], place: tuple[Any, ...]) -> str:
    kind, given, context = str(each["type"]), each["input"], each.get("ctx") or {}
    if kind == "missing":
        return "is missing"
    if kind == "value_error":
        return one_line(context["error"], 300)
    if kind == "extra_forbidden":
        return f"there is no such key; {near(place[-1], _keys(model, place[:-1]))}"
    if kind == "invalid_key":
        return "a key that is no text"
    if kind == "literal_error":
        return _choice(given, str(context["expected"]))
    if kind == "string_too_short" and context["min_length"] == 1:
        return "must not be empty"
    if kind in _LIMITS:
        name, words = _LIMITS[kind]
        limit = context[name]
        text = words.format(f"{limit:g}" if isinstance(limit, float) else limit)
    elif kind.startswith(("int_from_float", "int_parsing")):
        text = _NEEDED["int"]
    else:
        text = _NEEDED.get(kind.partition("_")[0], "")
    return f"must be {text}, not {shown(given)}" if text else f"cannot be {shown(given)}"


def _choice(given: Any, expected: str) -> str:
    known = re.findall(r"'([^']*)'", expected)
    likely = near(given, known) if isinstance(given, str) and known else ""
    hint = f"; {likely}" if likely.startswith("did") else ""
    return f"must be {one_line(expected, 200)}, not {shown(given)}{hint}"


def _together(said: list[str]) -> str:
    """What each kind that was tried at one place said: "must be text or a list, not 3"."""
    needs = [re.fullmatch(r"must be (.*), not (.*)", text) for text in said]
    if len(said) > 1 and all(needs):
        given = needs[-1][2] if needs[-1] else ""
        return f"must be {' or '.join(dict.fromkeys(n[1] for n in needs if n))}, not {given}"
    return "; ".join(said[:2])


def _keys(model: type[BaseModel], place: tuple[Any, ...]) -> list[str]:
    """Keys that may stand at a place."""
    kinds: list[Any] = [model]
    for key in place:
        kinds = [inner for kind in kinds for inner in _inner(kind, key)]
    return list(dict.fromkeys(name for kind in kinds if _is_model(kind) for name in _fields(kind)))


def _fields(model: type[BaseModel]) -> dict[Any, Any]:
    """Keys as they are written -> their fields."""
    return {field.alias or name: field for name, field in model.model_fields.items()}


def _inner(kind: Any, key: Any) -> Iterator[Any]:
    """Kinds of what stands under a key of data of one kind."""
    if _is_model(kind):
        if key in (fields := _fields(kind)):
            yield from _kinds(fields[key].annotation)
    elif get_origin(kind) is dict:
        yield from _kinds(get_args(kind)[1])
    else:
        for each in get_args(kind):
            yield from _kinds(each)


def _kinds(kind: Any) -> Iterator[Any]:
    """The kinds that an annotation allows."""
    origin = get_origin(kind)
    if origin is Annotated:
        yield from _kinds(get_args(kind)[0])
    elif origin in (Union, types.UnionType):
        for each in get_args(kind):
            yield from _kinds(each)
    else:
        yield kind


def _is_model(kind: Any) -> bool:
    return isinstance(kind, type) and issubclass(kind, BaseModel)
