"""No command without help and documentation, and help at once."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import click
import pytest

from onnxplain.cli.main import COMMANDS, onnxplain

Run = Callable[..., subprocess.CompletedProcess[str]]

ROOT = Path(__file__).parents[2]
README = (ROOT / "README.md").read_text(encoding="utf-8")
REFERENCE = (ROOT / "docs" / "commands.md").read_text(encoding="utf-8")


def commands(name: str) -> list[click.Command]:
    """A command, and those below it."""
    command = onnxplain.get_command(click.Context(onnxplain), name)
    assert command is not None
    return [command, *(command.commands.values() if isinstance(command, click.Group) else ())]


def options(name: str) -> list[click.Option]:
    return [p for command in commands(name) for p in command.params if isinstance(p, click.Option)]


def test_help_is_quick() -> None:
    """In time of the processor, beside what it cannot do without: neither load nor an old machine counts."""

    def seconds(*arguments: str) -> float:
        def once() -> float:
            before = os.times()
            subprocess.run([sys.executable, *arguments], check=True, capture_output=True)
            after = os.times()
            return sum(after[2:4]) - sum(before[2:4])

        return min(once() for _ in range(5))

    assert seconds("-m", "onnxplain", "--help") < 4 * seconds("-c", "import click")


def test_version(run: Run) -> None:
    done = run("--version")
    assert (done.returncode, done.stderr) == (0, "")
    assert re.fullmatch(r"onnxplain \d+\.\d+\.\d+\n", done.stdout)


def test_without_a_command(run: Run) -> None:
    done = run()
    assert (done.returncode, done.stderr) == (0, "")
    assert all(name in done.stdout for name in COMMANDS)


@pytest.mark.parametrize("name", COMMANDS)
def test_every_command_has_help(name: str) -> None:
    for command in commands(name):
        assert command.help
        assert command.get_short_help_str(100).endswith(".")
    assert all(option.help for option in options(name))


@pytest.mark.parametrize("name", COMMANDS)
def test_every_command_and_option_is_documented(name: str) -> None:
    assert f"onnxplain {name}" in README
    section = re.search(rf"^## {name}$(.*?)(?=^## |\Z)", REFERENCE, re.MULTILINE | re.DOTALL)
    assert section is not None, f"docs/commands.md has no section {name}"
    shared = REFERENCE.split("## demo")[0]
    for option in options(name):
        assert any(spelt in section[1] + shared for spelt in option.opts), option.opts


def test_nothing_is_announced_that_does_not_work() -> None:
    announced = set()
    for text in (README, REFERENCE):
        fenced = text.split("```")[1::2]
        quoted = re.findall(r"`([^`\n]+)`", "".join(text.split("```")[::2]))
        lines = [line for block in fenced for line in block.splitlines()]
        announced |= {line.split()[1] for line in [*lines, *quoted] if line.startswith("onnxplain ")}
    assert announced == {*COMMANDS, "--help", "--version"}
