"""`make fuzz`: bytes, texts and random models for hours. Exits with 1 where anything was found.

What is found goes to the terminal, and to build/fuzz: findings as JSON lines, bytes that broke the loader and
those that reached new lines of it, from which the next run goes on.
"""

from __future__ import annotations

import argparse
import importlib.util
import os
import subprocess
import sys
from pathlib import Path

HERE = Path(__file__).resolve().parent
KEPT = HERE.parents[1] / "build" / "fuzz"
# Of the time, how much is for bytes and for texts; examples a second that texts get through.
BYTES, TEXTS, PACE = 0.1, 0.1, 5


def main() -> int:
    """Run the three, one after the other."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--hours", type=float, default=1.0)
    parser.add_argument("--start", type=int, default=100_000, help="seed of the first random model")
    given = parser.parse_args()
    KEPT.mkdir(parents=True, exist_ok=True)
    seconds = 3600 * given.hours
    commands = {}
    if importlib.util.find_spec("atheris") is not None:
        loader = ["run_loader.py", f"-max_total_time={max(int(BYTES * seconds), 1)}", "-print_final_stats=1"]
        commands["bytes"] = [sys.executable, *_here(loader), str(KEPT / "bytes")]
    else:
        print("atheris is not installed: the loader gets the bytes of a fixed seed only, in `make test`")
    tests = ["-m", "pytest", "-q", "-p", "no:cacheprovider", "-x", str(HERE / "test_texts.py")]
    commands["texts"] = [sys.executable, *tests]
    hours = given.hours * (1 - BYTES - TEXTS)
    graphs = ["run_fuzz.py", "--hours", f"{hours}", "--start", f"{given.start}", "--refusals"]
    commands["graphs"] = [sys.executable, *_here(graphs), "--out", str(KEPT / "findings.jsonl")]
    examples = max(int(TEXTS * seconds * PACE / 12), 25)
    found = []
    for name, command in commands.items():
        print(f"\n== {name}", flush=True)
        done = subprocess.run(
            command, cwd=KEPT, env={**os.environ, "FUZZ_EXAMPLES": str(examples)}, check=False
        )
        if done.returncode:
            found.append(name)
    print(f"\nfound in: {', '.join(found) or 'none'}; kept in {KEPT}")
    return 1 if found else 0


def _here(command: list[str]) -> list[str]:
    return [str(HERE / command[0]), *command[1:]]


if __name__ == "__main__":
    sys.exit(main())
