"""The gate on planted cases. Writes docs/gate.md.

    python studies/gate.py                    every case, 20 seeds; goes on where build/ has some
    python studies/gate.py --seeds 3 blink    fewer
    python studies/gate.py --first 1000       other seeds, to look at while thresholds are being set

Thresholds are the defaults of the policy; seeds from 0 on were not looked at while they were set.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
import time
import warnings
from pathlib import Path
from typing import Any

import planted
from gate_page import written
from kept import Kept

ROOT = Path(__file__).parents[1]
DOCUMENT, KEPT = ROOT / "docs" / "gate.md", Kept(ROOT / "build" / "gate.json")
FOLLOWS, DOES = 0.7, 0.65  # a network counts when it does what its case says


def measured(case: planted.Planted, seed: int) -> dict[str, Any]:
    """Train, check that the network does what the case says, run the gate."""
    from onnxplain.validation import Gate

    began = time.monotonic()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        made: dict[str, Any] = {"case": case.name, "seed": seed}
        made |= planted.network(case.name, seed, folder / "model.onnx")
        follows = made["follows"]
        if follows is not None:  # "half" reads the eyes as much as it can: in half of its subjects they tell
            made["counts"] = follows >= (0.5 if case.name == "half" else FOLLOWS)
        elif case.name in ("honest", "imbalance"):
            made["counts"] = made["accuracy"] >= DOES
        else:
            made["counts"] = True
        data = planted.gate_data(case.name, seed, folder / "data")
        trained = time.monotonic()
        verdict = Gate().run(folder / "model.onnx", data)
        made["gate_seconds"] = time.monotonic() - trained
    made["status"], made["reasons"] = verdict.status, list(verdict.reasons)
    made["artefacts"] = {k: list(v) for k, v in verdict.artefacts.items()}
    made["results"] = [
        {"check": r.check, "status": r.status, "value": r.value, "role": r.role} for r in verdict.results
    ]
    made["seconds"] = time.monotonic() - began
    return made


def main() -> None:
    """Measure what is missing, and write the document."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("cases", nargs="*", help=", ".join(c.name for c in planted.CASES))
    parser.add_argument("--seeds", type=int, default=20)
    parser.add_argument("--first", type=int, default=0)
    parser.add_argument("--page", action="store_true", help="only write the document of what is there")
    asked = parser.parse_args()
    warnings.simplefilter("ignore")
    for seed in range(asked.first, asked.first + (0 if asked.page else asked.seeds)):
        for case in planted.CASES:
            key = f"{case.name} {seed}"
            if key in KEPT.read() or (asked.cases and case.name not in asked.cases):
                continue
            made = measured(case, seed)
            print(
                key, made["status"], made["counts"], f"accuracy {made['accuracy']:.2f}", made["follows"],
                made["artefacts"], f"{made['seconds']:.0f} s", *made["reasons"],
                sep=" | ", file=sys.stderr, flush=True,
            )  # fmt: skip
            if seed < 1000:
                KEPT.add(key, made)
    if asked.first == 0:
        DOCUMENT.write_text(written(KEPT.read()), encoding="utf-8")


if __name__ == "__main__":
    main()
