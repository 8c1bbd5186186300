"""Checks that other packages bring, found by the entry-point group ``onnxplain.checks``.

They run in the gate after its own, and whatever they do is theirs: one that fails to run is NOT EVALUABLE by
its package's name, and never ends the gate.
"""

from __future__ import annotations

import math
from collections.abc import Collection, Iterator, Mapping
from dataclasses import replace
from importlib.metadata import EntryPoint
from typing import get_args

from ..eeg.explanation.provenance import jsonable
from ..eeg.text import listed, plain
from ..engine.errors import OnnxplainError
from ..engine.extensions import CHECKS, offered, package_of
from ..engine.steps import step
from .case import Case
from .policy import Policy
from .result import CheckResult, Role, Status, WhyNot, not_evaluable


def enabled(policy: Policy) -> dict[str, EntryPoint]:
    """The checks of other packages that a policy does not turn off, in order of their names."""
    found = offered(CHECKS)
    off = {name for name, other in policy.checks.other.items() if not other.enabled}
    return {name: found[name] for name in sorted(found) if name not in off}


def other_checks(case: Case, own: Collection[str]) -> Iterator[CheckResult]:
    """The results of all of them; `own` are the names of the gate's checks, which none may take."""
    for name, entry in enabled(case.policy).items():
        package = plain(package_of(entry), 60)
        if name in (*own, "other") or "." in name:
            why = "has a dot" if "." in name else "is the gate's own"
            said = f"The package {package} calls a check {name!r}, a name that {why}; it was not made."
            yield not_evaluable(f"other.{name}", "technical", "error", said)
            continue
        step(f"checking: {plain(name, 40)}")
        try:
            yield from [_named(result, name) for result in entry.load()(case)]
        except Exception as e:  # whatever somebody else's check raises
            reason = " ".join(str(e).split()) or type(e).__name__
            kind = "" if isinstance(e, OnnxplainError) else f"{type(e).__name__}: "
            said = (
                f"The check {name} of the package {package} could not be made ({kind}{plain(reason, 200)})."
            )
            yield not_evaluable(name, "technical", "error", said)


def _named(result: object, name: str) -> CheckResult:
    """A result as the gate's own are: its name begins with the check's, and every field is what it may be."""
    if not isinstance(result, CheckResult):
        raise TypeError(f"it gave {type(result).__name__}, not CheckResult")
    for what, value, known in (
        ("role", result.role, get_args(Role)),
        ("status", result.status, get_args(Status)),
        ("why_not", result.why_not, (None, *get_args(WhyNot))),
    ):
        if value not in known:
            raise ValueError(f"it gave the {what} {value!r}; there are {listed(known)}")
    if not (isinstance(result.artefact, str) and isinstance(result.evidence, Mapping)):
        raise TypeError("it gave an artefact that is no text, or evidence that is no mapping")
    for number in (result.value, result.threshold):
        if number is not None and not math.isfinite(number):
            raise ValueError(f"it gave {number} for a number")
    named = result.check == name or result.check.startswith(f"{name}.")
    return replace(
        result,
        check=plain(result.check if named else f"{name}.{result.check}", 120),
        said=plain(result.said, 500),
        evidence=jsonable(result.evidence),
    )


def versions_of(policy: Policy) -> dict[str, str]:
    """The packages whose checks are made, and their versions."""
    found = enabled(policy).values()
    return {package_of(entry): entry.dist.version for entry in found if entry.dist is not None}
