"""docs/gate.md of what studies/gate.py measured."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from correctness import machine, table
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
    rows, alone = [], []
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
        alone.append((case.name, interval(sum(a for _, a in good), len(good))))
    summary = [
        ("planted shortcuts caught, with the artefact named", *_both(shortcuts)),
        ("honest networks passed", *_both(honest)),
    ]
    head = ("case", "expected", "networks that count", *VERDICTS, "as expected")
    return "\n".join(
        [
            HEAD,
            table(("", "the gate", "relevance share alone"), summary),
            "",
            table(head, rows),
            "",
            "Relevance share alone, as if a share above its threshold were a FAIL and nothing else were "
            "looked at:",
            "",
            table(("case", "as expected"), alone),
            "",
            FOOT,
            "",
            machine(),
            "",
        ]
    )


def _both(pairs: list[tuple[bool, bool]]) -> tuple[str, str]:
    return interval(sum(a for a, _ in pairs), len(pairs)), interval(sum(b for _, b in pairs), len(pairs))


HEAD = """# The gate on planted cases

How often is the verdict of `onnxplain validate` right? Networks are trained on simulated motor imagery
in which something else gives the label away, and the gate is run on new trials with the policy that `--init`
prints. What is right was written down before (`studies/planted.py`). Everything is made by
`python studies/gate.py`; its seeds, 100 to 119, were not looked at while checks were made and thresholds set.

A network counts when it does what its case says: one with a planted artefact decides as the artefact says
in 70 % of trials in which that contradicts the label (50 % in *half*), an honest one is right in 65 %. One
that does not is trained anew from another start, up to four times, before the gate is run.

* *honest*: imagery decides; saccades and blinks are there, and say nothing.
* *saccade*, *blink*, *heart*, *muscle*, *mains*: that artefact goes with the label, and nothing else does.
* *electrode*: noise of one electrode, P3, goes with the label. No proxy holds it.
* *subject*: in half of the subjects most trials are of one class, in the other half of the other; alpha tells
  the halves apart.
* *groupnorm*: large blinks, and a network that drops the frontal electrodes behind a GroupNorm: it sees them
  only by what they do to the scale of all others.
* *half*: saccades go with the label in half of the subjects, imagery in the other half.
* *imbalance*: an honest network on trials of which a fifth is of one class: a pass, with a note.
* *random*, *constant*: random weights, and an output that is the same for every window: never a pass.
"""

FOOT = """What this does not show: one kind of head, one kind of task, artefacts planted at sizes that
networks learn. Interventions are at home here, because what was planted is what they exchange; an
artefact that neither the proxies nor independent components hold is not caught by them."""
