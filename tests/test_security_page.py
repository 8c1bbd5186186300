"""The numbers on the page about security are the code's."""

from __future__ import annotations

import re
from collections import defaultdict
from importlib import import_module
from pathlib import Path

import click
import pytest

from onnxplain.cli import guard, processes
from onnxplain.cli.main import COMMANDS
from onnxplain.eeg.recording import dataset, labels
from onnxplain.eeg.reports import html
from onnxplain.eeg.review import score
from onnxplain.engine.attribution import MAX_CLOSURE
from onnxplain.engine.compile import branches
from onnxplain.engine.file import load
from onnxplain.engine.plan import cache

TEXT = (Path(__file__).parents[1] / "docs" / "security.md").read_text(encoding="utf-8")
GIGA, MEGA = 2**30, 2**20


def limits() -> dict[str, str]:
    """The table of limits: what, and how much."""
    part = TEXT.partition("## Limits\n")[2].partition("\n## ")[0]
    rows = re.findall(r"^\| ([^|]+) \| ([^|]+) \|", part, re.MULTILINE)
    return {what: much for what, much in rows if not set(what) <= set("- |")}


@pytest.mark.parametrize(
    ("what", "much"),
    [
        ("one model file", f"{(load.MAX_PROTOBUF + 1) // GIGA} GiB"),
        ("its weights in other files", f"{load.MAX_WEIGHTS // GIGA} GiB"),
        ("nodes", f"{load.MAX_NODES:,}"),
        ("graphs within graphs", f"{load.MAX_DEPTH} deep"),
        ("ways through branches", f"{branches.MAX_WAYS}"),
        ("memory", f"less 1/{round(1 / guard.PART)} or {guard.MARGIN // MEGA} MiB; "),
        ("memory", f"at least {guard.LEAST // MEGA} MiB"),
        ("how often memory", f"as often as every {guard.SHORTEST * 1000:g} ms"),
        ("how often memory", "every 20 ms" if processes.poll_seconds() == 0.02 else "0.5 s"),
        ("time to end", f"{guard.GRACE:g} s"),
        ("closure", f"{MAX_CLOSURE:g}"),
        ("an expert's answers", f"{score._LARGEST // 10**6} MB"),
        ("a table of labels", f"{labels._LARGEST // 10**6} MB"),
        ("recordings in a dataset", f"{dataset.MOST:,}"),
        ("plans kept", f"{cache.LIMIT // GIGA} GiB in all, {cache._LARGEST // GIGA} GiB each"),
        ("one printed value", f"{html.LONGEST} characters"),
    ],
)
def test_a_limit(what: str, much: str) -> None:
    (found,) = (value for name, value in limits().items() if name.startswith(what))
    assert much in found


def _defaults(command: click.Command) -> list[float]:
    """The time limits of a command, and of those below it."""
    if isinstance(command, click.Group):
        return [t for one in command.commands.values() for t in _defaults(one)]
    return [float(str(p.default)) for p in command.params if p.name == "time_limit"]


def test_time_limits_of_the_commands() -> None:
    of = defaultdict(set)
    for name in COMMANDS:
        for seconds in _defaults(import_module(f"onnxplain.cli.{name}").command):
            of[seconds].add(name)
    said = limits()["time without progress"]
    assert said.startswith("120 s; ")
    for seconds, names in of.items():
        if seconds != 120:
            (part,) = re.findall(rf"([^;]*?) {seconds:g} s", said.partition("; ")[2].replace("s, `", "s; `"))
            assert set(re.findall(r"`(\w+)`", part)) == names
