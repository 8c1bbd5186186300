"""What other packages add: rules for operators of their own, checks of their own, found by entry points.

A package that is installed beside onnxplain names a module under the entry-point group ``onnxplain.rules``;
importing it registers its rules with `onnxplain.rule`, and its operators, where onnxruntime needs a library
for them, with `add_operators`. Checks of the gate are functions under ``onnxplain.checks``.
"""

from __future__ import annotations

import os
from collections.abc import Iterable
from functools import cache
from importlib import metadata
from pathlib import Path
from typing import Any

from .errors import InputError

RULES, CHECKS = "onnxplain.rules", "onnxplain.checks"

_libraries: list[str] = []
_domains: set[str] = set()


def add_operators(library: str | os.PathLike[str], domains: Iterable[str]) -> None:
    """Let onnxruntime run operators of a library.

    The library's code runs in every session that is opened afterwards.

    Parameters
    ----------
    library : path-like
        A shared library with custom operators, as onnxruntime's `register_custom_ops_library` takes it.
    domains : iterable of str
        The operators' domains: a model that uses them is no longer refused.

    Raises
    ------
    InputError
        There is no such file.

    Examples
    --------
    >>> add_operators("liblab_ops.so", ["com.lab"])  # doctest: +SKIP
    """
    path = Path(library)
    if not path.is_file():
        raise InputError(f"{path}: no such library of operators")
    if str(path.resolve()) not in _libraries:
        _libraries.append(str(path.resolve()))
    _domains.update(domains)


def libraries() -> tuple[str, ...]:
    """The libraries of operators that sessions are opened with."""
    load(RULES)
    return tuple(_libraries)


def domains() -> frozenset[str]:
    """The domains whose operators are in one of the libraries."""
    load(RULES)
    return frozenset(_domains)


def offered(group: str) -> dict[str, metadata.EntryPoint]:
    """What installed packages offer under an entry-point group, not imported yet.

    Parameters
    ----------
    group : {"onnxplain.rules", "onnxplain.checks"}

    Returns
    -------
    dict of str to EntryPoint
        By their names.

    Raises
    ------
    InputError
        Two have one name.
    """
    found: dict[str, metadata.EntryPoint] = {}
    for entry in metadata.entry_points(group=group):
        if entry.name in found:
            package = package_of(entry)
            raise InputError(f"two packages offer {entry.name!r} under {group}; uninstall one ({package})")
        found[entry.name] = entry
    return found


def package_of(entry: metadata.EntryPoint) -> str:
    """The name of the package that an entry point is of."""
    return entry.dist.name if entry.dist is not None else entry.module


@cache
def load(group: str) -> dict[str, Any]:
    """What installed packages offer under an entry-point group, imported once.

    Parameters
    ----------
    group : {"onnxplain.rules", "onnxplain.checks"}

    Returns
    -------
    dict of str to object
        By the entry points' names.

    Raises
    ------
    InputError
        One of them cannot be imported, or two have one name.
    """
    found: dict[str, Any] = {}
    for name, entry in offered(group).items():
        try:
            found[name] = entry.load()
        except Exception as e:  # whatever a package of somebody else's raises
            reason = " ".join(str(e).split()) or type(e).__name__
            package = package_of(entry)
            raise InputError(
                f"the package {package} offers {entry.value!r} under {group}, which cannot be imported "
                f"({reason}); mend or uninstall it"
            ) from e
    return found
