"""What long runs and sudden ends leave behind. Writes the last section of docs/security.md.

python studies/hardening.py --soak 10000     so many explanations by each backend
python studies/hardening.py --kill 100       so many commands killed at a random moment
python studies/hardening.py                  only the section, of what has been measured
"""

from __future__ import annotations

import argparse
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import psutil
from correctness import machine
from kept import Kept

import onnxplain as ox
from onnxplain.models import demo_file

ROOT = Path(__file__).resolve().parents[1]
DOCUMENT, KEPT = ROOT / "docs" / "security.md", Kept(ROOT / "build" / "hardening.json")
HEAD = "## Long runs and sudden ends\n"
# Explanations between two looks at memory and descriptors; the first ones fill caches and are not compared.
EVERY, WARM = 500, 1000
SEED = 0
# A command runs to its end after each kill, and the gate, which takes half a minute, after every fifth.
AGAIN = {"explain": 1, "compile": 1, "validate": 5, "cohort": 1}


def soak(backend: str, count: int) -> dict[str, Any]:
    """Explain windows again and again, of changing number and target, with and without references."""
    rng, process = np.random.default_rng(SEED), psutil.Process()
    explainers = {c: ox.Explainer(demo_file("honest.onnx"), c, backend) for c in ("attnlrp", "difference")}
    shape = explainers["attnlrp"].inputs.by_name["x"].shape[1:]
    memory, files = [], []
    for i in range(count):
        x = rng.standard_normal((int(rng.integers(1, 5)), *shape)).astype(np.float32) * 10
        if i % 4 == 3:
            explainers["difference"](x, target=i % 2, reference=x[::-1] + 1)
        else:
            explainers["attnlrp"](x, target="predicted" if i % 2 else 0)
        if i % EVERY == EVERY - 1:
            memory.append(process.memory_info().rss / 2**20)
            files.append(process.num_fds())
    after = memory[WARM // EVERY :]
    slope = float(np.polyfit(np.arange(len(after)) * EVERY, after, 1)[0]) * 1000
    return {
        "count": count, "first": after[0], "last": after[-1], "most": max(after), "slope": slope,
        "files": [files[0], files[-1]],
    }  # fmt: skip


def commands(work: Path) -> dict[str, list[str]]:
    """Command lines that write something, into a folder of their own."""
    model, data = str(demo_file("honest.onnx")), str(demo_file("recording.edf"))
    dataset, out = work / "dataset", work / "out"
    dataset.mkdir()
    out.mkdir()
    for i in range(3):
        shutil.copy(data, dataset / f"sub-{i}.edf")
    policy = work / "policy.yaml"
    policy.write_text("version: 1\nexpects: {task: motor-imagery}\n", encoding="utf-8")
    gate = ["--policy", str(policy), "--overwrite"]
    return {
        "explain": ["explain", model, data, "--out", str(out / "explained"), "--no-report"],
        "compile": ["compile", model, "--out", str(out / "compiled.onnx")],
        "validate": ["validate", model, data, "--out", str(out / "validated"), *gate],
        "cohort": ["cohort", model, str(dataset), "--out", str(out / "cohort.zarr")],
    }


def killed(name: str, words: list[str], out: Path, after: float, *, guard: bool) -> dict[str, Any]:
    """Kill a command, or the process that it watches, and look at what is left."""
    known = set(out.parent.iterdir())
    # A group of its own, so that whatever it started can be found.
    began = subprocess.Popen(
        [sys.executable, "-m", "onnxplain", *words],
        stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, start_new_session=True, text=True,
    )  # fmt: skip
    top = psutil.Process(began.pid)
    end = time.monotonic() + after
    while time.monotonic() < end and began.poll() is None:
        time.sleep(0.01)
    finished = began.poll() is not None
    family = [] if finished else top.children(recursive=True)
    if not finished:
        victim = began.pid if guard or not family else family[0].pid
        os.kill(victim, signal.SIGKILL)
    _, said = began.communicate()
    _, alive = psutil.wait_procs(family, timeout=5)
    left = sorted(p.name for p in set(out.parent.iterdir()) - known - {out})
    for process in alive:
        process.kill()
    return {
        "command": name, "finished": finished, "guard": guard, "alive": len(alive), "left": left,
        "whole": out.exists(), "traceback": "Traceback" in said,
    }  # fmt: skip


def kills(count: int) -> Iterator[dict[str, Any]]:
    """Kill each command at moments drawn over the time that it takes, then let it run to its end."""
    rng = np.random.default_rng(SEED)
    with tempfile.TemporaryDirectory() as folder:
        for name in AGAIN:
            work = Path(folder) / name
            work.mkdir()
            words = commands(work)[name]
            out = Path(words[words.index("--out") + 1])
            took = time.monotonic()
            subprocess.run([sys.executable, "-m", "onnxplain", *words], check=False, capture_output=True)
            took = time.monotonic() - took
            for i in range(count // 4):
                shutil.rmtree(out) if out.is_dir() else out.unlink(missing_ok=True)
                found = killed(name, words, out, float(rng.uniform(0, took)), guard=bool(i % 2))
                yield {**found, **(_again(words, out) if i % AGAIN[name] == AGAIN[name] - 1 else {})}


def _again(words: list[str], out: Path) -> dict[str, Any]:
    """Run the command to its end, after the killed one."""
    done = subprocess.run(
        [sys.executable, "-m", "onnxplain", *words], check=False, capture_output=True, text=True
    )
    there = sorted(p.name for p in out.parent.iterdir() if p != out)
    return {"again": done.returncode, "said": done.stderr[-200:], "there": there}


def section() -> str:
    """The section of the page."""
    kept = KEPT.read()
    lines = [HEAD]
    for backend in ("numpy", "onnx"):
        if found := kept.get(f"soak {backend}"):
            lines.append(
                f"* {found['count']:,} explanations in one process by the {backend} backend (attnlrp and "
                f"difference, 1 to 4 windows): {found['first']:.0f} MiB resident after {WARM:,}, "
                f"{found['last']:.0f} at the end ({found['slope']:+.2f} MiB a thousand), "
                f"{found['files'][0]} and {found['files'][1]} descriptors open."
            )
    every = [v for k, v in kept.items() if k.startswith("kill ")]
    for name in dict.fromkeys(v["command"] for v in every):
        hit = [v for v in every if v["command"] == name and not v["finished"]]
        again = [v for v in hit if "again" in v]
        # An output that is in place already is refused without --overwrite.
        ready = sum(v["whole"] and v["again"] == 2 for v in again)
        lines.append(
            f"* `{name}`, killed (SIGKILL) at {len(hit)} random moments, every other time the guard and else "
            f"what it watches: {sum(v['alive'] for v in hit)} processes lived on, "
            f"{sum(v['traceback'] for v in hit)} said more than a line. The same command ran afterwards "
            f"{len(again)} times: {sum(v['again'] in (0, 1) for v in again)} times to its end, {ready} times "
            f"the output was whole already; unfinished files of the killed run were left in "
            f"{sum(bool(v['there']) for v in again)}."
        )
    return "\n".join([*lines, "", machine(), ""])


def main() -> None:
    """Measure what is asked for, and write the section."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--soak", type=int, metavar="N")
    parser.add_argument("--kill", type=int, metavar="N")
    asked = parser.parse_args()
    if asked.soak:
        for backend in ("numpy", "onnx"):
            KEPT.add(f"soak {backend}", soak(backend, asked.soak))
    if asked.kill:
        for i, found in enumerate(kills(asked.kill)):
            KEPT.add(f"kill {i}", found)
            print(found, flush=True)
    text = DOCUMENT.read_text(encoding="utf-8") if DOCUMENT.exists() else ""
    DOCUMENT.write_text(text.partition(HEAD)[0].rstrip() + "\n\n" + section(), encoding="utf-8")


if __name__ == "__main__":
    main()
