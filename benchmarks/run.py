"""Measure everything, and write docs/performance.md and its plot.

python -m benchmarks.run                    all sections
python -m benchmarks.run startup memory     only these; the others stay as they were measured
python -m benchmarks.run --write            only the document, from what was measured
"""

from __future__ import annotations

import argparse
import json
import sys
import time
from collections.abc import Callable, Sequence
from typing import Any

from benchmarks import document
from benchmarks.common import FOLDER, child, cores
from benchmarks.methods import COMPILED, EXCHANGE, EXPECTED, OWN
from benchmarks.remote import PEERS

RESULTS = FOLDER / "results.json"
CASES = [f"{n}/{b}" for n in ("labram", "labram257", "cbramod", "eegnet", "opennsfw") for b in (1, 16)]
# What takes hundreds of forward passes says nothing new with more cores.
QUICK = (*(m for m in OWN if "ledger" not in m and m not in (EXCHANGE, EXPECTED)), *PEERS[:2])
TOKENS = ("labram23", "labram", "labram177", "labram257", "labram353")
BATCHES = (1, 2, 4, 8, 16, 32, 64)
TARGETS = (2, 4, 8)
PATHS = ("compiled attnlrp", "explainer attnlrp", "numpy attnlrp")
MEMORY = (
    "forward",
    "compiled attnlrp",
    "explainer attnlrp",
    "numpy attnlrp",
    "torch gradient",
    "lxt attnlrp",
)


def race(threads: int, budget: float, methods: Sequence[str], cases: Sequence[str]) -> Any:
    """Methods in turns, each case in processes of its own: what one leaves behind costs the next nothing.

    A session keeps the memory that its largest batch took, and all of a process stay open: of large batches
    a few methods at a time take turns with the forward pass.
    """
    rows, peers = [], {}
    for case in cases:
        at_once = len(methods) if case.endswith("/1") else 4
        others = [m for m in methods if m != "forward"]
        for start in range(0, len(others), at_once):
            some = ["forward", *others[start : start + at_once]]
            found = child("race", str(threads), str(budget), ",".join(some), case, threads=threads)
            rows += [r for r in found["rows"] if start == 0 or r["method"] != "forward"]
            peers = found["peers"] or peers
    return {"rows": rows, "peers": peers, "threads": threads}


def growth() -> dict[str, Any]:
    """How cost grows with tokens, windows and targets."""
    several = tuple(f"compiled attnlrp x{k}" for k in TARGETS)
    return {
        "tokens": race(1, 15, ("forward", *PATHS), [f"{n}/1" for n in TOKENS])["rows"],
        "batch": race(1, 12, ("forward", *PATHS[1:]), [f"labram/{b}" for b in BATCHES])["rows"],
        "targets": race(1, 20, ("forward", "compiled attnlrp", *several), ["labram/1"])["rows"],
    }


def memory() -> list[dict[str, Any]]:
    """Peak memory of each method in its own process, at several batches."""
    rows = []
    for method in MEMORY:
        for batch in (1, 16, 64, 256):
            # A graph holds what it computes for all of its batch; what is larger is for micro-batches.
            if batch > 16 and not method.startswith(("explainer", "numpy")):
                continue
            mb = child("memory", method, "labram", str(batch), env={"ONNXPLAIN_CACHE": "off"})
            rows.append({"method": method, "batch": batch, "mb": mb})
            print(f"  {method}, batch {batch}: {mb:.0f} MB", file=sys.stderr, flush=True)
    return rows


SECTIONS: dict[str, Callable[[], Any]] = {
    "one_thread": lambda: race(1, 15, (*OWN, *PEERS), CASES),
    "all_cores": lambda: race(cores(), 8, QUICK, CASES),
    "growth": growth,
    "memory": memory,
    "opening": lambda: {n: child("opening", n) for n in ("labram", "cbramod", "eegnet", "opennsfw")},
    "startup": lambda: child("startup"),
}


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("sections", nargs="*", choices=[*SECTIONS, []], help="all, where none is named")
    parser.add_argument("--write", action="store_true", help="write the document, and measure nothing")
    asked = parser.parse_args()
    found: dict[str, Any] = json.loads(RESULTS.read_text(encoding="utf-8")) if RESULTS.exists() else {}
    if not asked.write:
        child("networks")
        child("methods", *COMPILED, *(f"compiled attnlrp x{k}" for k in TARGETS))
        for name in asked.sections or SECTIONS:
            begun = time.monotonic()
            print(f"{name} ...", file=sys.stderr, flush=True)
            found[name] = SECTIONS[name]()
            print(f"{name}: {time.monotonic() - begun:.0f} s", file=sys.stderr, flush=True)
            RESULTS.write_text(json.dumps(found, indent=1), encoding="utf-8")
    document.write(found)


if __name__ == "__main__":
    main()
