"""``onnxplain contract``: the input contract of a file: a template, what it has, written into it."""

from __future__ import annotations

from pathlib import Path
from typing import Literal

import click

from . import console, options, output


@click.command("contract")
@click.argument("action", type=click.Choice(["init", "show", "embed"]))
@options.model
@click.option("-o", "--out", type=click.Path(path_type=Path), help="The file to write.")
@options.contract
@options.overwrite
@options.as_json
@options.guarded()
def command(
    action: Literal["init", "show", "embed"],
    model: Path,
    out: Path | None,
    contract: Path | None,
    overwrite: bool,
    as_json: bool,
) -> None:
    """Make, show or embed the input contract of MODEL.

    init prints a template with what can be guessed from names and shapes, each guess marked: it is never used
    by itself. show prints the contract that the file carries. embed writes a copy of the file with the
    contract that --contract names in its metadata.
    """
    from ..engine.contract import InputContract
    from ..engine.errors import InputError

    if action == "init":
        from ..models.contracts import guess

        made = guess(model)
        if out is None:
            for line in made.text.splitlines():
                console.say(line)
        else:
            with output.file(out, overwrite=overwrite) as temporary:
                temporary.write_text(made.text, encoding="utf-8")
            console.say(f"written     {out}; fill in what is empty, and look at what is guessed:")
            for reason in made.reasons:
                console.say(f"guess       {reason}")
        return
    if action == "show":
        from ..engine.file.load import load

        found = load(model).contract
        if found is None:
            raise InputError(
                f"{model}: carries no input contract; `onnxplain contract init` makes a template"
            )
        if as_json:
            console.say_json(found.model_dump(mode="json", exclude_defaults=True))
            return
        import yaml

        text = yaml.safe_dump(
            found.model_dump(mode="json", exclude_defaults=True), sort_keys=False, width=100
        )
        for line in text.splitlines():
            console.say(line)
        return
    if contract is None or out is None:
        raise InputError("embed needs --contract FILE and -o FILE")
    from ..models.contracts import embed

    with output.file(out, overwrite=overwrite) as temporary:
        embed(model, InputContract.from_file(contract), temporary)
    console.say(f"written     {out}, with the contract in its metadata")
