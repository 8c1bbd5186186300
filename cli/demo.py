"""``onnxplain demo``: the bundled models on the bundled recording."""

from __future__ import annotations

import math
import os
import queue
import time
from concurrent.futures import ProcessPoolExecutor
from contextlib import contextmanager, suppress
from multiprocessing import get_context
from pathlib import Path
from typing import TYPE_CHECKING

import click

from ..engine.steps import listen, step
from . import console, options, output
from .options import THREADS

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence
    from multiprocessing.queues import Queue

    from ..eeg.demo import DemoResult
    from ..validation import Verdict

DEFAULT = Path("demo-report")
MODELS = ("honest", "shortcut")


# What a user would declare of these models: their task.
POLICY = "version: 1\nexpects: {task: motor-imagery}\nwarning_exits: 1\n"


@click.command("demo")
@click.option(
    "--out", type=click.Path(path_type=Path), default=DEFAULT, show_default=True, help="The folder to write."
)
@options.threads
@options.seed
@options.overwrite
@options.as_json
@options.quiet
@options.guarded(timed=True)
def command(out: Path, threads: int | None, seed: int, overwrite: bool, as_json: bool, quiet: bool) -> None:
    """Explain two small models on a bundled recording, and see which one takes a shortcut.

    Both tell imagined movement of the left hand from the right; one of them has learnt it where eye
    movements give the answer away. Needs no network and no files of your own.
    """
    began = time.monotonic()
    overwrite = overwrite or output.is_ours(out)  # what an earlier demo wrote may be replaced
    with output.folder(out, overwrite=overwrite) as temporary:
        step("loading MNE")
        with _gates(MODELS, temporary, threads) as verdicts_of:
            from ..eeg.demo import run_demo, write_demo
            from ..eeg.drawing import resolution
            from ..eeg.reports.links import Link

            resolution.draw_for_screens()
            found = run_demo(seed=seed, threads=threads)
            gates = [Link(f"gate-{n}/report.html", f"the gate on {n}") for n in MODELS]
            write_demo(found, temporary, gates)
            verdicts = verdicts_of()
    if as_json:
        gate = {name: {"status": v.status, "reasons": list(v.reasons)} for name, v in verdicts.items()}
        console.say_json({**found.summary(), "seconds": time.monotonic() - began, "gate": gate})
    else:
        show(found)
        for name, verdict in verdicts.items():
            reason = f": {verdict.reasons[0]}" if verdict.reasons else ""
            console.say(f"gate        {name}: {verdict.status}{reason}")
        console.say(f"report      {out / 'report.html'}")
        for name in verdicts:
            console.say(f"            {out / f'gate-{name}' / 'report.html'}")


@contextmanager
def _gates(
    names: Sequence[str], out: Path, threads: int | None
) -> Iterator[Callable[[], dict[str, Verdict]]]:
    """The gate's verdict on each model, which may use what motor imagery is, written beside.

    Where there are cores for it, one process a model begins at once, beside what is done within.
    """
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    if min(cores, threads or cores) < len(names):
        yield lambda: {name: judged(name, out, threads) for name in names}
        return
    each, context = (threads or cores) // len(names), get_context("spawn")
    for name in THREADS:
        os.environ[name] = str(each)  # of the children: threads of linear algebra wait for each other, busily
    told = context.Queue()
    with ProcessPoolExecutor(len(names), context, _tell, (told,)) as pool:
        running = {name: pool.submit(judged, name, out, each) for name in names}

        def verdicts() -> dict[str, Verdict]:
            # What they do is told here, where somebody listens.
            while not all(one.done() for one in running.values()):
                with suppress(queue.Empty):
                    step(*told.get(timeout=0.5))
            return {name: one.result() for name, one in running.items()}

        yield verdicts


def _tell(told: Queue[tuple[str, float | None]]) -> None:
    listen(lambda what, fraction: told.put((what, fraction)))


def judged(name: str, out: Path, threads: int | None) -> Verdict:
    """The gate's verdict on one of the demo's models, written to a folder of its own."""
    from .. import models
    from ..eeg.drawing import resolution
    from ..eeg.reports.links import Link
    from ..validation import Gate, Policy, outputs
    from ..validation.report import write_report

    resolution.draw_for_screens()
    verdict = Gate(Policy.from_text(POLICY)).run(
        models.demo_file(f"{name}.onnx"), models.demo_file("recording.edf"), threads=threads
    )
    folder = out / f"gate-{name}"
    folder.mkdir()
    outputs.write(verdict, folder)
    # The folder appears as a whole, with all of them.
    others = [Link(f"../gate-{n}/{outputs.REPORT}", f"the gate on {n}") for n in MODELS if n != name]
    both = Link(f"../{outputs.REPORT}", "both models side by side")
    write_report(verdict, folder / outputs.REPORT, links=[both, *others])
    return verdict


def show(found: DemoResult) -> None:
    """Print the demo's numbers, one column a model, so that 80 columns are enough."""
    from ..eeg.artefacts.glossary import EYE_PART

    models = found.models
    rows: list[tuple[str, ...]] = []
    for case in ("agree", "contradict"):
        rows.append((f"accuracy where saccades {case}", *(_percent(m.accuracy[case]) for m in models)))
    where = [m.explained.answer.where for m in models]
    rows += [
        ("most relevance on", *("" if w is None else " and ".join(w.electrodes) for w in where)),
        ("  relevance share", *("" if w is None else _percent(w.share) for w in where)),
        ("  spread evenly", *("" if w is None else _percent(w.even) for w in where)),
        (f"{EYE_PART} carries", *(_percent(m.eyes()) for m in models)),
    ]
    for name in models[0].share:
        rows += [
            (f"{name} electrodes", *(_percent(m.share[name]) for m in models)),
            ("  in copies with random weights", *(_percent(m.share_random[name]) for m in models)),
            ("  share of the electrodes", *(_percent(m.share_of_electrodes[name]) for m in models)),
        ]
    rows.append(("closure of the ledger", *(f"{m.closure:.0e}" for m in models)))
    names = [m.name for m in models]
    counts = models[0].windows
    console.table(
        ("left or right hand, imagined", *names),
        rows,
        title=f"a simulated recording, {counts['agree']} + {counts['contradict']} windows",
        right=names,
    )
    for m in models:
        console.say(f"{m.name:<11} {' '.join(m.said())}")
    console.say("Which model reads the eyes: the one that fails where saccades contradict the label, and")
    console.say(f"whose relevance {EYE_PART} carries.")


def _percent(share: float) -> str:
    return "" if math.isnan(share) else f"{round(100 * share) or 0} %"
