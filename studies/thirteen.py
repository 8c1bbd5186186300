"""The gate on thirteen cases of motor imagery. `gate.py` puts them into docs/gate.md.

    python studies/thirteen.py                    every case, 20 seeds; goes on with what is in results/
    python studies/thirteen.py --seeds 3 blink    fewer
    python studies/thirteen.py --first 1000       other seeds, to look at while checks are being made

Thresholds are the defaults of the policy, which expects motor imagery. Networks are trained once and kept
in build/, so that another gate can be run on the same ones (--networks trains them and runs no gate).
"""

from __future__ import annotations

import argparse
import sys
import tempfile
import time
import warnings
from pathlib import Path
from typing import Any

import mne
import planted
from kept import Kept

ROOT = Path(__file__).parents[1]
KEPT = Kept(ROOT / "studies" / "results" / "thirteen.json")
NETWORKS, TRAINED = ROOT / "build" / "planted", Kept(ROOT / "build" / "planted.json")
FIRST = 100  # seeds below, and from 1000 on, were looked at while checks were made


def trained(case: planted.Planted, seed: int) -> tuple[Path, dict[str, Any]]:
    """The case's network, trained once, and what it does."""
    path, key = NETWORKS / f"{case.name}-{seed}.onnx", f"{case.name} {seed}"
    if key not in TRAINED.read() or not path.exists():
        path.parent.mkdir(parents=True, exist_ok=True)
        began = time.monotonic()
        made = planted.network(case.name, seed, path)
        TRAINED.add(key, made | {"seconds": time.monotonic() - began})
    return path, TRAINED.read()[key]


def measured(case: planted.Planted, seed: int) -> dict[str, Any]:
    """Run the gate on the case's network and new trials."""
    from onnxplain.validation import Gate, Policy

    policy = Policy.from_text("version: 1\nexpects: {task: motor-imagery}\nwarning_exits: 1\n")
    model, made = trained(case, seed)
    with tempfile.TemporaryDirectory() as folder:
        data = planted.gate_data(case.name, seed, Path(folder))
        began = time.monotonic()
        verdict = Gate(policy).run(model, data)
    made = {"case": case.name, "seed": seed, **made, "gate_seconds": time.monotonic() - began}
    made["status"], made["reasons"] = verdict.status, list(verdict.reasons)
    made["artefacts"] = {k: list(v) for k, v in verdict.artefacts.items()}
    made["results"] = [
        {"check": r.check, "status": r.status, "value": r.value, "role": r.role} for r in verdict.results
    ]
    return made


def main() -> None:
    """Measure what is missing, and write the document."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("cases", nargs="*", help=", ".join(c.name for c in planted.CASES))
    parser.add_argument("--seeds", type=int, default=20)
    parser.add_argument("--first", type=int, default=FIRST)
    parser.add_argument("--networks", action="store_true", help="only train the networks")
    asked = parser.parse_args()
    warnings.simplefilter("ignore")
    mne.set_log_level("error")
    for seed in range(asked.first, asked.first + asked.seeds):
        for case in planted.CASES:
            key = f"{case.name} {seed}"
            if asked.cases and case.name not in asked.cases:
                continue
            if asked.networks:
                print(key, trained(case, seed)[1], file=sys.stderr, flush=True)
                continue
            if key in KEPT.read():
                continue
            made = measured(case, seed)
            print(
                key, made["status"], made["counts"], f"accuracy {made['accuracy']:.2f}", made["follows"],
                made["artefacts"], f"{made['gate_seconds']:.0f} s", *made["reasons"],
                sep=" | ", file=sys.stderr, flush=True,
            )  # fmt: skip
            if FIRST <= seed < 1000:
                KEPT.add(key, made)


if __name__ == "__main__":
    main()
