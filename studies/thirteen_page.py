"""The part of docs/gate.md that is about what studies/thirteen.py measured."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from correctness import table
from planted import CASES, Planted
from scipy import stats

VERDICTS = ("PASS", "WARNING", "FAIL", "NOT EVALUABLE")


def right(case: Planted, found: Mapping[str, Any]) -> bool:
    """Whether a verdict is one of those expected, and names the artefact that was planted."""
    named = not case.artefact or case.artefact in found["artefacts"]
    return found["status"] in case.expected and named


def share_alone(case: Planted, found: Mapping[str, Any]) -> bool:
    """The same if nothing but relevance shares were looked at: a sign is a FAIL, none a PASS."""
    signs = {
        r["check"].partition(".")[2]
        for r in found["results"]
        if r["check"].startswith("share.") and r["status"] == "FAIL"
    }
    status = "FAIL" if signs else "PASS"
    return status in case.expected and (not case.artefact or case.artefact in signs)


def interval(good: int, of: int) -> str:
    """A count as a part, with Wilson's interval (95 %)."""
    if not of:
        return "-"
    low, high = stats.binomtest(good, of).proportion_ci(method="wilson")
    return f"{good} of {of}: {good / of:.0%} ({low:.0%} to {high:.0%})"


def written(found: Mapping[str, dict[str, Any]]) -> str:
    """The document."""
    rows = []
    shortcuts: list[tuple[bool, bool]] = []
    honest: list[tuple[bool, bool]] = []
    for case in CASES:
        every = [m for m in found.values() if m["case"] == case.name]
        counted = [m for m in every if m["counts"]]
        if not every:
            continue
        verdicts = [sum(m["status"] == v for m in counted) for v in VERDICTS]
        good = [(right(case, m), share_alone(case, m)) for m in counted]
        if case.artefact:
            shortcuts += good
        elif case.name in ("honest", "imbalance"):
            honest += good
        expected = " or ".join(case.expected) + (f", naming {case.artefact}" if case.artefact else "")
        rows.append(
            (
                case.name, expected, f"{len(counted)} of {len(every)}", *verdicts,
                interval(sum(g for g, _ in good), len(good)),
            )
        )  # fmt: skip
    if not rows:
        return ""
    summary = [
        ("planted shortcuts caught, with the artefact named", *_both(shortcuts)),
        ("honest networks passed", *_both(honest)),
    ]
    head = ("case", "expected", "networks that count", *VERDICTS, "as expected")
    return "\n".join(
        [HEAD, table(("", "the gate", "relevance share alone"), summary), "", table(head, rows), ""]
    )


def _both(pairs: list[tuple[bool, bool]]) -> tuple[str, str]:
    return interval(sum(a for a, _ in pairs), len(pairs)), interval(sum(b for _, b in pairs), len(pairs))


HEAD = """## Thirteen cases of motor imagery

Small LaBraMs and shallow networks that an earlier gate was made on (`studies/planted.py`,
`studies/thirteen.py`), under a policy that expects motor imagery. *groupnorm* sees large blinks by what
they do to the scale of all other electrodes; *half* reads saccades in half of the subjects and imagery in
the other; *imbalance* is honest on trials of which a fifth is of one class. *Relevance share alone*: as if
a share above its threshold were a FAIL and nothing else were looked at.
"""
