"""YAML and JSON that people and other programs wrote: the one place where they are read.

Nothing is built before it is known to be small: depth, values and what aliases would grow to are counted in
the stream of events, where a file of brackets or of aliases of aliases costs nothing. A message has the line
and the reason, and of the text no more than a key that stands twice.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Hashable
from pathlib import Path
from typing import Any

import yaml

from ..errors import InputError, OnnxplainError
from . import text as texts

DEPTH = 50
VALUES = 60_000  # a second of reading
JSON_LARGEST = 16_000_000
_LONGEST = 100  # characters of a number or date
_TAGS = frozenset(
    {f"tag:yaml.org,2002:{kind}" for kind in ("str", "int", "float", "bool", "null", "seq", "map")}
)


class _Problem(Exception):  # noqa: N818 (it never leaves this file)
    """Why a document is refused."""


def read_yaml(
    path: Path, what: str, kind: str, *, error: type[OnnxplainError] = InputError, where: str = ""
) -> Any:
    """Plain data from a YAML (or JSON) file.

    Parameters
    ----------
    path : Path
    what : str
        What the file should be, with its article: "a policy".
    kind : str
        The same where it is no such text: "a YAML policy".
    error : type
        Raised where it cannot be read.
    where : str
        Its name in messages; the path if not given.

    Raises
    ------
    OnnxplainError
        Of the type `error`, in one line.
    """
    where = where or str(path)
    return parse_yaml(texts.read(path, what, error=error, where=where), kind, error=error, where=where)


def parse_yaml(text: str, kind: str, *, error: type[OnnxplainError] = InputError, where: str) -> Any:
    """Plain data from YAML text; see `read_yaml`."""
    try:
        _count(text)
        return yaml.load(text, _Loader)  # a SafeLoader: nothing but plain data
    except _Problem as e:
        said = str(e)
    except yaml.YAMLError as e:
        said = _problem(e)
    except RecursionError:
        said = "nested too deeply"
    except ValueError:
        said = "a number or a date that cannot be read"
    raise error(f"{where}: not {kind} ({said})")


def _count(text: str) -> None:
    """Refuse what would be too deep or too large once it is built, from its events alone."""
    depth, documents, total = 0, 0, 0
    anchors: dict[str, int] = {}
    began: list[tuple[str | None, int]] = []  # anchor of each open list or mapping, values before it
    for event in yaml.parse(text, _Loader):
        if isinstance(event, yaml.DocumentStartEvent):
            documents += 1
            if documents > 1:
                raise _Problem(f"several documents in one file{_at(event.start_mark)}")
        elif isinstance(event, yaml.AliasEvent):
            if event.anchor in (name for name, _ in began):
                raise _Problem(f"a value that holds itself{_at(event.start_mark)}")
            total += anchors.get(str(event.anchor), 1)
        elif isinstance(event, yaml.ScalarEvent | yaml.CollectionStartEvent):
            if event.tag is not None and event.tag not in (*_TAGS, "!"):
                raise _Problem(f"a tag (!...), of which none is read{_at(event.start_mark)}")
            total += 1
            if isinstance(event, yaml.CollectionStartEvent):
                depth += 1
                began.append((event.anchor, total - 1))
                if depth > DEPTH:
                    raise _Problem(f"nested too deeply, more than {DEPTH} levels{_at(event.start_mark)}")
            elif event.anchor is not None:
                anchors[event.anchor] = 1
        elif isinstance(event, yaml.CollectionEndEvent):
            depth -= 1
            name, before = began.pop()
            if name is not None:
                anchors[name] = total - before
        if total > VALUES:
            raise _Problem(f"more than {VALUES:,} values, aliases counted as what they stand for")


def _at(mark: Any) -> str:
    return "" if mark is None else f", line {mark.line + 1}, column {mark.column + 1}"


def _problem(e: yaml.YAMLError) -> str:
    """Why YAML cannot be read, and where; names that the reason quotes are the file's, and are left out."""
    begun, mark = getattr(e, "context_mark", None), getattr(e, "problem_mark", None)
    said = str(getattr(e, "problem", None) or getattr(e, "reason", None) or "it cannot be read")
    said = re.sub(r"\s*(['\"])\w[^'\"]+\1", "", said)
    since = ""
    if begun is not None and mark is not None and "flow" in str(getattr(e, "context", "")):
        since = f", in what begins in line {begun.line + 1}, column {begun.column + 1}"
    return texts.one_line(said, 150) + _at(mark or begun) + since


_Base: type[Any] = getattr(yaml, "CSafeLoader", yaml.SafeLoader)  # libyaml's is ten times as fast


class _Loader(_Base):  # type: ignore[misc]
    """YAML in which a key must not stand twice: the second would silently win."""


_MERGE = "tag:yaml.org,2002:merge"


def _mapping(loader: Any, node: yaml.Node) -> dict[Any, Any]:
    if not isinstance(node, yaml.MappingNode):
        raise _Problem(f"a tag that does not fit{_at(node.start_mark)}")
    own = set()
    for key_node, _ in node.value:
        if key_node.tag == _MERGE:
            continue
        if not isinstance(key_node, yaml.ScalarNode):
            raise _Problem(f"a key that is no text{_at(key_node.start_mark)}")
        key = loader.construct_object(key_node, deep=True)
        if not isinstance(key, Hashable) or key in own:
            raise _Problem(f"the key {shown(key)} stands twice{_at(key_node.start_mark)}")
        own.add(key)
    loader.flatten_mapping(node)  # what `<<` brings in stands before its own keys, which win
    return {
        loader.construct_object(key, deep=True): loader.construct_object(value, deep=True)
        for key, value in node.value
    }


def _sequence(loader: Any, node: yaml.Node) -> list[Any]:
    if not isinstance(node, yaml.SequenceNode):
        raise _Problem(f"a tag that does not fit{_at(node.start_mark)}")
    return [loader.construct_object(value, deep=True) for value in node.value]


def _scalar(construct: Callable[[Any, Any], Any]) -> Callable[[Any, Any], Any]:
    """A number or date as PyYAML reads it, short enough to be read at once, and small enough to be shown."""

    def checked(loader: Any, node: yaml.ScalarNode) -> Any:
        try:
            value = construct(loader, node) if len(node.value) <= _LONGEST else None
        except (ValueError, OverflowError, KeyError, AttributeError, TypeError):
            value = None
        if value is None or (isinstance(value, int) and abs(value) >= 2**63):
            raise _Problem(f"a number or a date that cannot be read{_at(node.start_mark)}")
        return value

    return checked


for _kind in ("int", "float", "bool", "timestamp"):
    _Loader.add_constructor(
        f"tag:yaml.org,2002:{_kind}", _scalar(getattr(yaml.SafeLoader, f"construct_yaml_{_kind}"))
    )
_Loader.add_constructor("tag:yaml.org,2002:map", _mapping)
_Loader.add_constructor("tag:yaml.org,2002:seq", _sequence)
for _kind in ("merge", "value"):  # `<<` and `=` where they are values are text
    _Loader.add_constructor(f"tag:yaml.org,2002:{_kind}", yaml.SafeLoader.construct_yaml_str)


def read_json(
    path: Path,
    what: str,
    *,
    error: type[OnnxplainError] = InputError,
    where: str = "",
    largest: int = JSON_LARGEST,
) -> Any:
    """Plain data from a JSON file; as `read_yaml`."""
    where = where or str(path)
    found = texts.read(path, what, error=error, where=where, largest=largest)
    return parse_json(found, what, error=error, where=where)


def parse_json(text: str, what: str, *, error: type[OnnxplainError] = InputError, where: str) -> Any:
    """Plain data from JSON text: no key twice, no deeper than `DEPTH`, no number that cannot be shown."""
    if len(text) > JSON_LARGEST:
        raise error(f"{where}: too large for {what}")
    try:
        _count_brackets(text)
        found = json.loads(text, object_pairs_hook=_pairs, parse_int=_integer)
        if "\\u" in text:  # half a character: nothing can print or write it
            json.dumps(found, ensure_ascii=False).encode()
        return found
    except _Problem as e:
        said = str(e)
    except RecursionError:
        said = "nested too deeply"
    except json.JSONDecodeError as e:
        said = f"{e.msg}, line {e.lineno}, column {e.colno}"
    except UnicodeEncodeError:
        said = "half of a character of two halves"
    except ValueError:
        said = "a number that cannot be read"
    raise error(f"{where}: not {what} (not JSON: {said})")


_BRACKETS = re.compile(r'"(?:[^"\\]|\\.)*+"|[\[\]{}]', re.DOTALL)


def _count_brackets(text: str) -> None:
    depth = 0
    if text.count("[") + text.count("{") > DEPTH:
        for found in _BRACKETS.finditer(text):
            depth += 1 if found[0] in "[{" else -1 if found[0] in "]}" else 0
            if depth > DEPTH:
                raise _Problem(f"nested too deeply, more than {DEPTH} levels")


def _pairs(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for key, value in pairs:
        if key in found:
            raise _Problem(f"the key {shown(key)} stands twice")
        found[key] = value
    return found


def _integer(text: str) -> int:
    if len(text) > 19 or abs(int(text)) >= 2**63:
        raise _Problem("a whole number of more than 18 digits")
    return int(text)


def shown(value: Any) -> str:
    """A value of a document in a message: what is short as it stands, of anything else its kind."""
    if value is None:
        return "nothing"
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, str):
        return repr(texts.one_line(value, 40))
    if isinstance(value, int):
        return str(value) if abs(value) < 2**63 else "a number of many digits"
    if isinstance(value, float):
        return f"{value:g}"
    if isinstance(value, dict):
        return "keys and values"
    if isinstance(value, list | tuple | set | frozenset):
        return "a list" if value else "an empty list"
    return texts.one_line(value, 40) if hasattr(value, "isoformat") else "something else"
