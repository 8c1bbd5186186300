"""``onnxplain compile``: a model and its relevance as one ONNX file."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from . import console, options, output, values


@click.command("compile")
@options.model
@click.option("-o", "--out", type=click.Path(path_type=Path), required=True, help="The ONNX file to write.")
@options.composite
@options.param
@click.option("--targets", type=options.positive, help="Explain so many targets in one run.")
@click.option("--ledger", is_flag=True, help="Also give what stayed on the way, by kind.")
@click.option("--output", "explained", help="The output to explain, by name.")
@click.option(
    "--logits/--no-logits",
    default=True,
    help="Where the model ends in a softmax or sigmoid: the logit before it (the default), or its output.",
)
@options.example
@click.option(
    "--against",
    "references",
    metavar="FILE",
    type=str,
    callback=values.checked(values.existing),
    help="Of a difference: reference windows to have in the file (.npy, .npz).",
)
@options.contract
@options.overwrite
@options.as_json
@options.quiet
@options.guarded(time_limit=600, timed=True)
def command(
    model: Path,
    out: Path,
    composite: str,
    params: tuple[tuple[str, float], ...],
    targets: int | None,
    ledger: bool,
    explained: str | None,
    logits: bool,
    example: Path | None,
    references: Path | None,
    contract: Path | None,
    overwrite: bool,
    as_json: bool,
    quiet: bool,
) -> None:
    """Write MODEL and its relevance as one ONNX file, which needs nothing but onnxruntime.

    It takes the model's inputs and `seed`, shaped like the explained output (1 at a class, 0 elsewhere),
    and gives the model's outputs and `relevance.<input>`, for any batch size. Under the composite `gradient`
    it gives `gradient.<input>` too. Under `difference` it takes `reference.<input>` too, a set of windows to
    hold these against, or has it inside.
    """
    output.check(out, overwrite=overwrite, folder=False)
    from ..engine.compile.compiler import about, compile
    from ..engine.contract import InputContract
    from . import arrays

    parameters: dict[str, Any] = dict(params)
    path = compile(
        model,
        out,
        composite,
        targets=targets,
        ledger=ledger,
        output=explained,
        logits=logits,
        example=None if example is None else arrays.load(example),
        references=None if references is None else arrays.load(references),
        contract=None if contract is None else InputContract.from_file(contract),
        overwrite=overwrite,
        **parameters,
    )
    found = about(path)
    if as_json:
        console.say_json({**found, "path": str(path)})
        return
    console.say(f"written     {path}  ({path.stat().st_size / 1e6:.1f} MB)")
    console.say(f"inputs      {', '.join(found['inputs'])}")
    console.say(f"outputs     {', '.join(found['outputs'])}")
    console.say(f"explained   {found['explained']}, composite {found['composite']}")
    if isinstance(found["references"], int):
        console.say(f"references  {found['references']}, in the file")
    for note in found["notes"]:
        console.say(f"note        {note}")
