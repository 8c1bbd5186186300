"""Plans kept on disk, so that the second command on a model starts fast.

A folder a plan: the instrumented forward graph, the graphs back, and what was found out. It appears whole
or not at all, so two processes may make the same one. `ONNXPLAIN_CACHE` names another folder; "off"
keeps nothing.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import shutil
import tempfile
from collections.abc import Iterable, Mapping
from functools import cache
from pathlib import Path
from typing import Any

import onnxruntime as ort
import platformdirs

from ..rules import registry
from ..steps import step
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
    what = (c.variants, c.layers, c.parameters, request.output, request.ledger, request.at, runtime.providers)
    plain = [
        request.identity,
        foreign,
        *(repr(sorted(x.items()) if isinstance(x, Mapping) else x) for x in what),
    ]
    some, own = request.inputs.signatures(feed)
    return key(*plain, some, False), key(*plain, own, True)


def kept(request: Request, feed: dict[str, Any], name: str) -> Plan | None:
    """A plan that is kept under a name, opened; None where there is none that can be used for this input."""
    found = load(name)
    if found is None:
        return None
    facts, place, names = found
    step("opening the kept plan")
    runtime = request.runtime

    def opened(targets: int) -> ort.InferenceSession:
        path = back(place, targets)
        return runtime.session(path) if path.exists() else _added(request, feed, name, targets)

    try:
        runner = OnnxRunner(facts, runtime, runtime.session(forward(place)), names, opened)
        first = request.inputs.micro_batches(facts, feed)[0][1]
        if not facts.holds(runner.forward(first)):
            return None
    except Exception:  # a damaged or foreign plan is worth nothing: it is made anew
        return None
    return Plan(facts, runner)


def _added(request: Request, feed: Mapping[str, Any], name: str, targets: int) -> ort.InferenceSession:
    """The graph back for more targets at once, kept with the others."""
    from .build import build
    from .look import look

    graphs = build(look(request, feed)).graphs
    assert graphs is not None
    made = graphs.written(targets)
    add(name, targets, made.SerializeToString())
    return request.runtime.session(made)


def load(name: str) -> tuple[Facts, Path, list[str]] | None:
    """What is kept under a name: facts, the folder, and what the forward graph is asked for."""
    home = folder()
    if home is None:
        return None
    place = home / name
    try:
        data = json.loads((place / _ABOUT).read_text(encoding="utf-8"))
        found = Facts.from_json(data["facts"]), place, list(data["names"])
        os.utime(place)
    except (OSError, ValueError, KeyError, TypeError):
        return None
    return found


def forward(place: Path) -> Path:
    """The forward graph of a plan."""
    return place / _FORWARD


def back(place: Path, targets: int) -> Path:
    """The graph back for K targets; it may not be there."""
    return place / f"back.{targets}.onnx"


def store(name: str, facts: Facts, names: Iterable[str], forward: bytes, back: bytes) -> None:
    """Keep a plan; what cannot be written is not kept."""
    home = folder()
    if home is None or len(forward) + len(back) > _LARGEST:
        return
    with contextlib.suppress(OSError):
        home.mkdir(parents=True, exist_ok=True, mode=0o700)
        made = Path(tempfile.mkdtemp(prefix=f".{name}.", dir=home))
        try:
            (made / _FORWARD).write_bytes(forward)
            (made / "back.1.onnx").write_bytes(back)
            about = {"facts": facts.to_json(), "names": list(names)}
            (made / _ABOUT).write_text(json.dumps(about), encoding="utf-8")
            made.rename(home / name)
        except OSError:  # another process was faster
            shutil.rmtree(made, ignore_errors=True)
        _make_room(home)


def add(name: str, targets: int, back: bytes) -> None:
    """Keep one more graph back with a plan that is kept."""
    home = folder()
    if home is None or not (home / name).is_dir():
        return
    with contextlib.suppress(OSError), tempfile.NamedTemporaryFile(dir=home / name, delete=False) as part:
        part.write(back)
        part.close()
        os.replace(part.name, home / name / f"back.{targets}.onnx")


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
