"""``onnxplain``: the group of commands, and how errors of usage look."""

from __future__ import annotations

import sys
from difflib import get_close_matches
from importlib import import_module
from typing import NoReturn

import click

from .. import __version__
from ..engine.errors import OnnxplainError
from . import console

COMMANDS = (
    "demo", "inspect", "audit", "explain", "cohort", "compare", "review", "evaluate", "tune", "validate",
    "compile", "export", "models", "contract",
)  # fmt: skip


class Lazy(click.Group):
    """A group that imports a command's file when the command is asked for."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        """Names of all commands, in the order in which they are shown."""
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """The command of this name, or None."""
        if cmd_name not in COMMANDS:
            return None
        command: click.Command = import_module(f".{cmd_name}", __package__).command
        return command

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        """The command that is named; of a misspelt one, which was meant."""
        try:
            return super().resolve_command(ctx, args)
        except click.UsageError as error:
            near = get_close_matches(args[0], COMMANDS, 1)
            meant = f"did you mean {near[0]}?" if near else f"there are {', '.join(COMMANDS)}"
            raise click.UsageError(f"no command {args[0][:60]!r}; {meant}", ctx=error.ctx) from None


@click.group(cls=Lazy, invoke_without_command=True, context_settings={"max_content_width": 100})
@click.version_option(__version__, prog_name="onnxplain", message="%(prog)s %(version)s")
@click.pass_context
def onnxplain(ctx: click.Context) -> None:
    """Explain any ONNX model by relevance, from the file alone.

    Made for EEG foundation models and for the people who must trust them. Start with `onnxplain demo`.

    Exit codes: 0 done, 1 a gate failed, 2 bad input or usage, 3 a limit was reached.
    ONNXPLAIN_DEBUG=1 shows tracebacks.
    """
    if ctx.invoked_subcommand is None:
        click.echo(ctx.get_help())


def main() -> NoReturn:
    """Run the command line; whatever goes wrong is one line on standard error."""
    try:
        code = onnxplain.main(prog_name="onnxplain", standalone_mode=False)
    except click.ClickException as error:
        # Click's own display takes three lines.
        ctx = getattr(error, "ctx", None)
        hint = f" (see `{ctx.command_path} --help`)" if ctx is not None else ""
        console.fail(" ".join(error.format_message().split()) + hint)
        code = error.exit_code
    except OnnxplainError as error:
        console.fail(str(error))
        code = error.exit_code
    except (click.Abort, KeyboardInterrupt):
        code = 130
    except BrokenPipeError:
        code = 141
    except Exception as error:  # outside the child: a machine that starts no process, a broken install
        if console.debug():
            raise
        text = " ".join(f"{type(error).__name__}: {error}".split())
        console.fail(f"cannot start: {text} ({console.DEBUG}=1 shows the traceback)")
        code = 2
    sys.exit(console.close(code if isinstance(code, int) else 0, 141))
