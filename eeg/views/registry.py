"""Which views there are: each is a module of this folder that registers how it is made; no other names it."""

from __future__ import annotations

import importlib
import pkgutil
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from functools import cache
from pathlib import Path
from typing import Any

from ...engine.errors import InputError
from ..explanation.explained import Explained
from ..explanation.view import View
from ..recording.read import Recording
from ..text import listed, plain


@dataclass(frozen=True)
class ViewContext:
    """What a view may be made of beside the explanation.

    Attributes
    ----------
    given : dict of str to object
        "model", the network's file, and "recording"; those that there are.
    seed : int
    option : object
        What was asked of this view: True, or what its name was given.
    more : dict of str to object
        What its further arguments (`ViewKind.takes`) were given; those that were.
    """

    given: Mapping[str, Any]
    seed: int = 0
    option: Any = True
    more: Mapping[str, Any] = field(default_factory=dict)

    @property
    def model(self) -> Path:
        """The network's file. A view that uses it needs "model"."""
        return Path(self.given["model"])

    @property
    def recording(self) -> Recording:
        """The recording that the windows were cut from. A view that uses it needs "recording"."""
        found: Recording = self.given["recording"]
        return found


Maker = Callable[[Explained, ViewContext], View]


@dataclass(frozen=True)
class ViewKind:
    """A view that can be asked for.

    Attributes
    ----------
    name : str
        Its key in `Explained.views` and in summary.json, and the argument of `explain_recording`.
    make : callable
        Takes the explanation and a `ViewContext`, gives a `View`.
    needs : tuple of str
        "model", "recording", or variables of the explanation's dataset.
    order : int
        Where it stands among the others, in the report and everywhere else.
    off : object
        The option that asks for nothing: False, or () where names are given.
    absent : object
        What summary.json has where it was not asked for.
    always : bool
        It is made wherever what it needs is there, and cannot be asked for.
    takes : tuple of str
        Further arguments of `explain_recording` that are for it.
    check : callable or None
        ``check(option, more, given)`` raises InputError for what can be told to be wrong before anything is
        explained.
    """

    name: str
    make: Maker
    needs: tuple[str, ...] = ()
    order: int = 100
    off: Any = False
    absent: Any = None
    always: bool = False
    takes: tuple[str, ...] = ()
    check: Callable[[Any, Mapping[str, Any], Mapping[str, Any]], None] | None = None


_KINDS: dict[str, ViewKind] = {}


def register(name: str, **about: Any) -> Callable[[Maker], Maker]:
    """Make a view known by the function that makes it.

    Parameters
    ----------
    name : str
    **about
        The attributes of `ViewKind` that it does not leave as they are.

    Raises
    ------
    ValueError
        Another view has this name.
    """

    def known(make: Maker) -> Maker:
        if name in _KINDS:
            raise ValueError(f"view {name}: there is one already, made by {_KINDS[name].make.__module__}")
        _KINDS[name] = ViewKind(name, make, **about)
        return make

    return known


def kinds() -> list[ViewKind]:
    """Every view that there is, in order."""
    _import_all()
    return sorted(_KINDS.values(), key=lambda kind: (kind.order, kind.name))


@cache
def _import_all() -> None:
    """Import the modules of this folder, once: each registers what it has.

    They import figures only where they draw them: matplotlib takes a while, and not everybody wants a report.
    """
    for module in pkgutil.iter_modules([str(Path(__file__).parent)]):
        importlib.import_module(f"{__package__}.{module.name}")


def options(asked: Mapping[str, Any]) -> dict[str, Any]:
    """The option of every view that can be asked for.

    Parameters
    ----------
    asked : dict of str to object
        By name of the view; what is empty or False asks for nothing.

    Returns
    -------
    dict of str to object
        `ViewKind.off` for those that were not asked for.

    Raises
    ------
    InputError
        There is no such view.
    """
    known = {kind.name: kind.off for kind in kinds() if not kind.always}
    for name in asked:
        if name not in known:
            raise InputError(f"view {plain(name, 40)}: there is none of this name; there are {listed(known)}")
    return {name: asked.get(name) or off for name, off in known.items()}


def arguments() -> list[str]:
    """The arguments of `explain_recording` that are for views: their names, and what they take."""
    return [name for kind in kinds() if not kind.always for name in (kind.name, *kind.takes)]


def check(asked: Mapping[str, Any], more: Mapping[str, Any], **given: Any) -> None:
    """Refuse what can be told to be wrong before anything is explained.

    Parameters
    ----------
    asked, more, **given
        As for `with_views`.

    Raises
    ------
    InputError
        Something that was asked of a view cannot be had.
    """
    chosen = options(asked)
    for kind in kinds():
        own = {name: more[name] for name in kind.takes if more.get(name) is not None}
        wanted = not kind.always and bool(chosen[kind.name])
        if own and not wanted:
            raise InputError(f"{listed(own)}: is for {kind.name}, which was not asked for")
        if wanted and kind.check is not None:
            kind.check(chosen[kind.name], own, given)


def with_views(
    explained: Explained,
    asked: Mapping[str, Any],
    *,
    seed: int = 0,
    more: Mapping[str, Any] | None = None,
    **given: Any,
) -> Explained:
    """The same with the views that were asked for, and those that are always made.

    Parameters
    ----------
    explained : Explained
    asked : dict of str to object
        As for `options`.
    seed : int
    more : dict of str to object, optional
        What views take beside (`ViewKind.takes`).
    **given
        "model" and "recording", as far as there are any (see `ViewContext`).

    Returns
    -------
    Explained
        What the views add to the dataset is in it, and views made later can use it. A view that cannot be
        had of this recording leaves a note, and nothing else is lost.

    Raises
    ------
    InputError
        There is no such view.
    """
    chosen = options(asked)
    context = ViewContext(given, seed)
    absent, notes = {}, []
    for kind in kinds():
        missing = [n for n in kind.needs if n not in given and n not in explained.dataset]
        wanted = not missing if kind.always else bool(chosen[kind.name])
        if not wanted:
            absent[kind.name] = kind.absent
            continue
        if missing:
            raise InputError(f"view {kind.name}: needs {listed(missing)}, which is not there")
        own = {name: (more or {})[name] for name in kind.takes if (more or {}).get(name) is not None}
        try:
            made = kind.make(explained, replace(context, option=chosen.get(kind.name, True), more=own))
        except InputError as e:
            notes.append(f"Nothing of {kind.name} beside the map: {e}.")
            absent[kind.name] = kind.absent
            continue
        if made.name != kind.name:
            raise ValueError(f"view {kind.name}: what {kind.make.__module__} makes is called {made.name}")
        explained = replace(
            explained,
            dataset=explained.dataset.assign(made.data_vars()),
            views={**explained.views, kind.name: made},
        )
    return replace(explained, unasked={**explained.unasked, **absent}, notes=(*explained.notes, *notes))
