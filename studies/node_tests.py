"""ONNX's node tests as a section of docs/correctness.md: how many operators there are, and how they did."""

from __future__ import annotations

import sys
from collections import Counter
from pathlib import Path

TESTS = Path(__file__).parents[1] / "tests" / "engine"


def table() -> str:
    """Run them all; a section in Markdown."""
    # The tests' own modules; this study has the name of one of them.
    sys.path.insert(0, str(TESTS))
    own = sys.modules.pop("node_tests", None)
    try:
        import known
        import node_tests
    finally:
        sys.path.remove(str(TESTS))
        if own is not None:
            sys.modules["node_tests"] = own
    outcomes = [o for test in node_tests.collected() for o in node_tests.run(test)]
    ways = Counter(known.ways().values())
    status = Counter(o.status for o in outcomes)
    slopes = Counter(o.slope for o in outcomes if o.status == "explained")
    skipped = Counter(o.why for o in outcomes if o.status == "skipped")
    models = len(node_tests.collected())
    explained = {o.test.name for o in outcomes if o.status == "explained"}
    left = sorted(known.without() | set(known.REFUSED))
    lines = [
        "## ONNX's node tests",
        "",
        f"onnx comes with {models} small models, one an operator and form. Each is explained with all its",
        "floating operands as inputs, and with its first one alone, under `attnlrp` and `gradient`:",
        "relevance and ledger have to add up to what is explained (1e-4 of all relevance), and `gradient`",
        "has to be what central differences of onnxruntime give (1e-2). What is the definition of another",
        "test's operator, written out, is explained in one form and under `gradient`.",
        "",
        "| | |",
        "|---|---|",
        f"| operators (by domain) with a rule of their own | {ways['rule']} |",
        f"| operators written out in others that have one | {ways['lowering']} |",
        f"| models explained | {len(explained)} |",
        f"| forms explained | {status['explained']} |",
        f"| forms that failed | {status['failed']} |",
        *(f"| slope: {why} | {n} |" for why, n in slopes.most_common()),
        "",
        "Skipped, and why:",
        "",
        "| forms | reason |",
        "|---|---|",
        *(f"| {n} | {why} |" for why, n in skipped.most_common()),
        "",
        "Refused by name, because they have no rule:",
        "",
        *(f"* {'.'.join(filter(None, pair))}: {known.REFUSED.get(pair, '')}" for pair in left),
        "",
    ]
    return "\n".join(lines)


if __name__ == "__main__":
    print(table())
