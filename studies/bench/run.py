"""Run the gate on every case of a half that counts, as a user would, under both policies.

    python studies/bench/run.py --half open          build/bench/results-open-expects.json and -plain.json
    python studies/bench/run.py --half open --only blink --policy expects

Goes on where results are there; --again runs anew; --as NAME keeps what is found beside what was found
before.
"""

from __future__ import annotations

import argparse
import json
import os
import time
import warnings
from dataclasses import fields
from multiprocessing import get_context
from pathlib import Path
from typing import Any

os.environ.setdefault("OMP_NUM_THREADS", "1")

import mne
from shared import BUILD, HALVES, Kept

POLICIES = ("expects", "plain")


def results(half: str, policy: str, name: str = "") -> Kept:
    """What has been measured of a half under a policy, by the first run or by one that has a name."""
    return Kept(BUILD / f"results-{half}-{policy}{name and '-'}{name}.json")


def made(half: str) -> dict[str, dict[str, Any]]:
    """What is true of every case of a half that has been made, by name."""
    files = sorted((BUILD / half).glob("*/truth.json"))
    return {file.parent.name: json.loads(file.read_text(encoding="utf-8")) for file in files}


def verdict(folder: Path, policy: str) -> dict[str, Any]:
    """What the gate says of a case."""
    from onnxplain.validation import Gate

    began = time.monotonic()
    try:
        found = Gate(folder / f"{policy}.yaml").run(folder / "model.onnx", folder / "data")
    except Exception as e:  # the bench goes on, and the page says that the gate broke off
        return {
            "status": "BROKE OFF", "exit": 2, "reasons": [f"{type(e).__name__}: {e}"], "artefacts": {},
            "results": [], "seconds": time.monotonic() - began,
        }  # fmt: skip
    seconds = time.monotonic() - began
    return {
        "status": found.status,
        "exit": found.exit_code,
        "reasons": list(found.reasons),
        "artefacts": {k: list(v) for k, v in found.artefacts.items()},
        "results": [
            {field.name: plain(getattr(r, field.name)) for field in fields(r)} for r in found.results
        ],
        "seconds": seconds,
    }


def plain(value: Any) -> Any:
    """A value that JSON holds."""
    if value is None or isinstance(value, (str, int, float, bool)):
        return value
    if hasattr(value, "item"):
        return value.item()
    return str(value)[:300]


def one(job: tuple[str, str, str, str]) -> None:
    """Measure one case under one policy and keep what was found."""
    half, name, policy, kept = job
    warnings.simplefilter("ignore")
    mne.set_log_level("error")
    found = verdict(BUILD / half / name, policy)
    results(half, policy, kept).add(name, found)
    print(
        f"{name} ({policy}): {found['status']}, exit {found['exit']}, {found['seconds']:.0f} s",
        *found["reasons"], sep=" | ", flush=True,
    )  # fmt: skip


def main() -> None:
    """Measure what is missing."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--half", choices=HALVES, required=True)
    parser.add_argument("--only", nargs="*", default=[], help="names of cases, or their beginnings")
    parser.add_argument("--policy", choices=POLICIES, nargs="*", default=list(POLICIES))
    parser.add_argument("--jobs", type=int, default=1)
    parser.add_argument("--as", dest="kept", default="", help="a name for the results")
    parser.add_argument("--again", action="store_true", help="also where there is a result")
    asked = parser.parse_args()
    jobs = []
    for name, truth in made(asked.half).items():
        wanted = not asked.only or name.startswith(tuple(asked.only))
        for policy in asked.policy if truth["counts"] and wanted else ():
            if asked.again or name not in results(asked.half, policy, asked.kept).read():
                jobs.append((asked.half, name, policy, asked.kept))
    if asked.jobs == 1:
        for job in jobs:
            one(job)
        return
    with get_context("spawn").Pool(asked.jobs) as pool:
        pool.map(one, jobs, chunksize=1)


if __name__ == "__main__":
    main()
