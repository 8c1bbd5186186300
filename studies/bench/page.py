"""The bench's tables as markdown, of what `run.py` has measured.

    python studies/bench/page.py --half open

Cases that do not count are named, and are in no share.
"""

from __future__ import annotations

import argparse
from collections.abc import Iterable, Sequence
from statistics import median
from typing import Any

from case import CONTROLS, HONEST
from run import POLICIES, made, results
from scipy.stats import binomtest
from shared import HALVES


def share(hits: int, n: int) -> str:
    """A count with Wilson's 95 % interval."""
    if not n:
        return "none"
    between = binomtest(hits, n).proportion_ci(method="wilson")
    return f"{hits} of {n} ({100 * hits / n:.0f} %, {100 * between.low:.0f} to {100 * between.high:.0f} %)"


def named(truth: dict[str, Any], found: dict[str, Any]) -> bool:
    """Whether a verdict's reasons or names have one of the case's words; "=time" is a name as a whole."""
    names = [f"={k} {' '.join(map(str, v))}" for k, v in found["artefacts"].items()]
    text = " ".join([*found["reasons"], *names]).lower()
    return any(word in text for word in truth["words"])


def table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """A markdown table."""
    lines = [head, ["---"] * len(head), *rows]
    return "\n".join("| " + " | ".join(str(cell) for cell in line) + " |" for line in lines) + "\n"


def page(half: str, kept: str = "", heading: str = "") -> str:
    """Everything that has been measured of a half; of a run with a name under a heading of its own."""
    truths = made(half)
    parts = [heading] if heading else [f"## The {half} half\n", _made(truths)]
    for policy in POLICIES:
        found = results(half, policy, kept).read()
        there = {n: (t, found[n]) for n, t in truths.items() if t["counts"] and n in found}
        if there:
            parts.append(_of_policy(policy, there))
    return "\n".join(parts)


def _group(truth: dict[str, Any]) -> str:
    if truth["kind"] in HONEST:
        return "honest"
    return "control" if truth["kind"] in CONTROLS else "shortcut"


def _made(truths: dict[str, dict[str, Any]]) -> str:
    lines = []
    for group in ("honest", "shortcut", "control"):
        every = [t for t in truths.values() if _group(t) == group]
        lines.append([group, str(len(every)), str(sum(t["counts"] for t in every))])
    out = table(("cases", "made", "count"), lines)
    lost = [f"{n} ({t['accuracy']:.2f}, {t['follows']})" for n, t in truths.items() if not t["counts"]]
    return out + (f"\nDo not count: {', '.join(lost)}.\n" if lost else "")


def _of_policy(policy: str, there: dict[str, tuple[dict[str, Any], dict[str, Any]]]) -> str:
    said = {"expects": "with what the task expects", "plain": "without"}[policy]
    groups = {g: [v for v in there.values() if _group(v[0]) == g] for g in ("honest", "shortcut", "control")}
    honest, shortcut, control = groups.values()
    right = [v for v in honest if (v[1]["exit"] == 0 if policy == "expects" else v[1]["status"] != "FAIL")]
    caught = [v for v in shortcut if v[1]["exit"] == 1]
    known = [v for v in caught if named(*v)]
    rows = [
        ["honest: " + ("exit 0" if policy == "expects" else "not FAIL"), share(len(right), len(honest))],
        ["honest: PASS", share(sum(v[1]["status"] == "PASS" for v in honest), len(honest))],
        ["shortcut: exit 1", share(len(caught), len(shortcut))],
        ["shortcut: exit 1, named right", share(len(known), len(shortcut))],
        ["control: not exit 0", share(sum(v[1]["exit"] != 0 for v in control), len(control))],
    ]
    seconds = [v[1]["seconds"] for v in there.values()]
    rows.append(["seconds, median and most", f"{median(seconds):.0f}, {max(seconds):.0f}"])
    out = [f"\n### Policy {said}\n", table(("", ""), rows)]
    for what in ("kind", "strength", "architecture", "task"):
        out.append(_by(what, shortcut))
    out.append(_listed("Honest cases that are stopped", [v for v in honest if v not in right]))
    out.append(_listed("Shortcuts that are missed", [v for v in shortcut if v not in caught]))
    out.append(_listed("Shortcuts that are named wrong", [v for v in caught if v not in known]))
    out.append(_listed("Controls that pass", [v for v in control if v[1]["exit"] == 0]))
    return "\n".join(out)


def _by(what: str, cases: list[tuple[dict[str, Any], dict[str, Any]]]) -> str:
    rows = []
    for value in dict.fromkeys(sorted(t[what] for t, _ in cases)):
        of = [v for v in cases if v[0][what] == value]
        caught = [v for v in of if v[1]["exit"] == 1]
        rows.append([value, share(len(caught), len(of)), str(sum(named(*v) for v in caught))])
    return table((what, "exit 1", "named right"), rows)


def _listed(title: str, cases: list[tuple[dict[str, Any], dict[str, Any]]]) -> str:
    if not cases:
        return f"{title}: none.\n"
    lines = [f"- {t['name']}: {f['status']}. {' '.join(f['reasons'])[:300]}" for t, f in cases]
    return f"{title}:\n\n" + "\n".join(lines) + "\n"


def main() -> None:
    """Print the page."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--half", choices=HALVES, required=True)
    print(page(parser.parse_args().half))


if __name__ == "__main__":
    main()
