"""Check random models for hours: `make fuzz HOURS=8`, or `python tests/fuzz/run_fuzz.py --seeds 0 1000`.

Prints what was found as it is found, and figures at the end; exits with 1 where something was.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import os
import sys
import tempfile
import time
import warnings
from pathlib import Path

HERE = Path(__file__).resolve().parent
sys.path[:0] = [str(HERE), str(HERE.parent / "zoo")]
# Plans of models that nobody opens again are not kept.
os.environ["ONNXPLAIN_CACHE"] = "off"

from graph_checks import Outcome, check  # noqa: E402
from graphs import make  # noqa: E402


def main() -> int:
    """Run, and report."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--hours", type=float, help="for how long; without --seeds from seed --start on")
    parser.add_argument("--seeds", type=int, nargs=2, metavar=("FIRST", "END"))
    parser.add_argument("--only", type=int, nargs="+", help="these seeds alone")
    parser.add_argument("--start", type=int, default=0)
    parser.add_argument("--refusals", action="store_true", help="print each refusal, too")
    parser.add_argument("--out", type=Path, help="write findings (JSON lines) here")
    given = parser.parse_args()
    warnings.simplefilter("ignore")
    total, begun = Outcome(), time.monotonic()
    first, end = given.seeds or (given.start, 2**31)
    seeds = given.only or range(first, end)
    until = begun + 3600 * given.hours if given.hours else float("inf")
    # Ctrl-C: what was found up to there.
    with tempfile.TemporaryDirectory() as folder, contextlib.suppress(KeyboardInterrupt):
        for seed in seeds:
            if time.monotonic() > until:
                break
            before = time.process_time()
            found = check(make(seed), Path(folder))
            spent = time.process_time() - before
            total.add(found)
            if spent > 30:
                total.counts["longer than 30 s"] += 1
                print(f"seed {seed}: {spent:.0f} s", flush=True)
            if given.refusals:
                print(*found.refusals, sep="\n", end="\n" if found.refusals else "", flush=True)
            for one in found.findings:
                print(one, flush=True)
                if given.out:
                    with given.out.open("a", encoding="utf-8") as file:
                        file.write(json.dumps(vars(one)) + "\n")
            if total.counts["graphs"] % 100 == 0:
                print(f"{total.counts['graphs']} graphs, {len(total.findings)} findings", flush=True)
    print(f"\n{time.monotonic() - begun:.0f} s")
    for name, count in total.counts.most_common():
        print(f"{count:8d}  {name}")
    print(f"refused: {total.refused_share:.2%}")
    for name, count in total.refused.most_common():
        print(f"{count:8d}  {name}")
    by_kind: dict[str, set[int]] = {}
    for one in total.findings:
        by_kind.setdefault(one.what, set()).add(one.seed)
    print("findings:", {k: len(v) for k, v in by_kind.items()} or "none")
    return 1 if total.findings else 0


if __name__ == "__main__":
    sys.exit(main())
