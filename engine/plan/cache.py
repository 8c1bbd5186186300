"""Plans kept on disk, so that the second command on a model starts fast.

A folder a plan: the instrumented forward graph, the graphs back, and what was found out. It appears whole
or not at all, so two processes may make the same one. `ONNXPLAIN_CACHE` names another folder; "off"
keeps nothing. What is not this user's alone, or not as it was kept, is made anew, and a note says so.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import shutil
import tempfile
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import onnxruntime as ort
import platformdirs

from ..rules import registry
from ..steps import step
from . import ours
from .facts import Facts
from .onnx_runner import OnnxRunner
from .request import Request
from .runner import Plan

VARIABLE = "ONNXPLAIN_CACHE"
# Plans that are made faster than this, in seconds, are not kept.
WORTH = 0.2
# Bytes that all plans may take; the ones that were not used for longest go first.
LIMIT = 4 * 2**30
_LARGEST = 2**30
_ABOUT, _FORWARD = "plan.json", "forward.onnx"
_DAMAGED = (OSError, ValueError, KeyError, TypeError, AttributeError, RecursionError)


def folder() -> Path | None:
    """Where plans are kept, or None where nothing is to be kept."""
    asked = os.environ.get(VARIABLE)
    if asked is not None:
        return None if asked.lower() in ("", "off", "0") else Path(asked) / "plans"
    return platformdirs.user_cache_path("onnxplain", appauthor=False) / "plans"


@cache
def _program() -> str:
    """A hash of the engine itself: a plan is of the rules that made it."""
    found = hashlib.sha256()
    for path in sorted(Path(__file__).parents[1].rglob("*.py")):
        found.update(path.read_bytes())
    return found.hexdigest()


def key(*parts: Any) -> str:
    """The name of a plan, by all that it depends on."""
    text = repr((_program(), ort.__version__, *parts))
    return hashlib.sha256(text.encode()).hexdigest()[:40]


def keys(request: Request, feed: Mapping[str, Any]) -> tuple[str, str] | None:
    """Names of the plans for inputs like this one: for any number of rows, and for its own.

    None where nothing can be kept.
    """
    if not request.identity or request.backend == "numpy":
        return None
    foreign = registry.foreign()
    if foreign is None:
        return None
    c, runtime = request.composite, request.runtime
    what = (
        c.variants,
        c.layers,
        c.parameters,
        request.output,
        request.ledger,
        request.at,
        request.logits,
        runtime.providers,
    )
    plain = [
        request.identity,
        foreign,
        *(repr(sorted(x.items()) if isinstance(x, Mapping) else x) for x in what),
    ]
    some, own = request.inputs.signatures(feed)
    return key(*plain, some, False), key(*plain, own, True)


@dataclass(frozen=True)
class Found:
    """What is kept under a name, as it was kept.

    Attributes
    ----------
    place : Path
        Its folder.
    facts : Facts
    names : tuple of str
        What the forward graph is asked for.
    digests : dict of str to str
        Of its graphs, by the file's name.
    """

    place: Path
    facts: Facts
    names: tuple[str, ...]
    digests: Mapping[str, str]

    def graph(self, name: str) -> bytes:
        """One of its graphs. Raises NotOursError, OSError or KeyError."""
        return ours.graph(self.place / name, self.digests[name])


def kept(request: Request, feed: dict[str, Any], name: str, note: Callable[[str], None]) -> Plan | None:
    """A plan that is kept under a name, opened; None where there is none that can be used for this input.

    Parameters
    ----------
    request : Request
    feed : dict of str to ndarray
    name : str
    note : callable
        Told why a plan that is there is not used.
    """
    home = folder()
    if home is None:
        return None
    try:
        ours.check_folder(home)
    except ours.NotOursError as e:
        note(f"Cached plans are not used: of their folder, {e}. {VARIABLE} names another one.")
        return None
    except OSError:
        return None
    place = home / name
    try:
        found = _load(place)
        step("opening the kept plan")
        graphs = {file: found.graph(file) for file in found.digests}
        runtime = request.runtime

        def opened(targets: int) -> ort.InferenceSession:
            file = _back(targets)
            with contextlib.suppress(ours.NotOursError, *_DAMAGED):
                return runtime.session(graphs.pop(file) if file in graphs else found.graph(file))
            return _added(request, feed, name, targets)

        forward = runtime.session(graphs.pop(_FORWARD))
        if _back(1) not in graphs:
            raise ours.NotOursError("it has no graph back")
        runner = OnnxRunner(found.facts, runtime, forward, found.names, opened)
        graphs.clear()
    except FileNotFoundError as e:
        if not os.path.lexists(place):
            return None
        why = f"its {Path(str(e.filename)).name} is missing"
    except ours.NotOursError as e:
        why = str(e)
    except Exception:  # a damaged or foreign plan is worth nothing: it is made anew
        why = "it cannot be read"
    else:
        return _fitting(request, feed, Plan(found.facts, runner))
    note(f"A cached plan was not used, and is made anew: {why}.")
    _drop(place)
    return None


def _fitting(request: Request, feed: dict[str, Any], plan: Plan) -> Plan | None:
    """A plan, if it is one for this input: it may be of another way through the model's branches."""
    try:
        first = request.inputs.micro_batches(plan.facts, feed)[0][1]
        return plan if plan.facts.holds(plan.runner.forward(first)) else None
    except Exception:  # what is wrong with the input shows where a plan for it is made
        return None


def _added(request: Request, feed: Mapping[str, Any], name: str, targets: int) -> ort.InferenceSession:
    """The graph back for more targets at once, kept with the others."""
    from .build import build
    from .look import look

    graphs = build(look(request, feed)).graphs
    assert graphs is not None
    made = graphs.written(targets)
    add(name, targets, made.SerializeToString())
    return request.runtime.session(made)


def _load(place: Path) -> Found:
    """What is in a plan's folder, its graphs still unread."""
    ours.check_folder(place)
    data = json.loads(ours.read(place / _ABOUT))
    if data.pop("sha256") != _digest(data):
        raise ours.NotOursError(f"its {_ABOUT} is not what was kept")
    digests = {str(k): str(v) for k, v in data["graphs"].items()}
    if not {_FORWARD, _back(1)} <= set(digests) or any(Path(n).name != n for n in digests):
        raise ours.NotOursError(f"its {_ABOUT} is not what was kept")
    found = Found(place, Facts.from_json(data["facts"]), tuple(data["names"]), digests)
    os.utime(place)
    return found


def _back(targets: int) -> str:
    """The file of the graph back for K targets; it may not be there."""
    return f"back.{targets}.onnx"


def _digest(about: Mapping[str, Any]) -> str:
    return ours.digest(json.dumps(about, sort_keys=True).encode())


def _about(facts: Facts, names: Iterable[str], digests: Mapping[str, str]) -> bytes:
    """What is said of a plan, and its hash."""
    about = {"facts": facts.to_json(), "names": list(names), "graphs": dict(digests)}
    about = json.loads(json.dumps(about))  # as it will be read, so that the hash is of that
    return json.dumps({**about, "sha256": _digest(about)}).encode()


def _drop(place: Path) -> None:
    """Remove a plan; of a link only the link."""
    if place.is_dir() and not place.is_symlink():
        shutil.rmtree(place, ignore_errors=True)
    else:
        with contextlib.suppress(OSError):
            place.unlink()


def _is_ours(home: Path) -> bool:
    try:
        ours.check_folder(home)
    except (ours.NotOursError, OSError):
        return False
    return True


def store(name: str, facts: Facts, names: Iterable[str], forward: bytes, back: bytes) -> None:
    """Keep a plan; what cannot be written is not kept."""
    home = folder()
    if home is None or len(forward) + len(back) > _LARGEST:
        return
    with contextlib.suppress(OSError):
        home.mkdir(parents=True, exist_ok=True, mode=0o700)
        if not _is_ours(home):
            return
        made = Path(tempfile.mkdtemp(prefix=f".{name}.", dir=home))
        graphs = {_FORWARD: forward, _back(1): back}
        try:
            for file, data in graphs.items():
                _write(made / file, data)
            about = _about(facts, names, {file: ours.digest(data) for file, data in graphs.items()})
            _write(made / _ABOUT, about)
            made.rename(home / name)
        except OSError:  # another process was faster
            shutil.rmtree(made, ignore_errors=True)
        _make_room(home)


def add(name: str, targets: int, back: bytes) -> None:
    """Keep one more graph back with a plan that is kept."""
    home = folder()
    if home is None or not _is_ours(home):
        return
    # Two processes at once: what one of them wrote last counts, and the other's graph is made again.
    with contextlib.suppress(ours.NotOursError, *_DAMAGED):
        found = _load(home / name)
        digests = {**found.digests, _back(targets): ours.digest(back)}
        _replace(found.place / _back(targets), back)
        _replace(found.place / _ABOUT, _about(found.facts, found.names, digests))


def _write(path: Path, data: bytes) -> None:
    """Write a file that nobody else may read or write, whatever the umask."""
    flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | getattr(os, "O_BINARY", 0)
    with os.fdopen(os.open(path, flags, 0o600), "wb") as file:
        file.write(data)


def _replace(path: Path, data: bytes) -> None:
    with tempfile.TemporaryDirectory(dir=path.parent, prefix=".") as folder:
        part = Path(folder) / path.name
        _write(part, data)
        os.replace(part, path)


def _make_room(home: Path) -> None:
    plans = []
    for place in home.iterdir():
        with contextlib.suppress(OSError):
            plans.append((place.stat().st_mtime, sum(f.stat().st_size for f in place.iterdir()), place))
    total = sum(size for _, size, _ in plans)
    for _, size, place in sorted(plans, key=lambda p: p[0]):
        if total <= LIMIT:
            return
        shutil.rmtree(place, ignore_errors=True)
        total -= size
