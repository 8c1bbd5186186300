"""``onnxplain export``: a PyTorch EEG model to ONNX, verified."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any, Literal

import click

from ..engine.errors import InputError
from . import console, options, output, values
from .inspect import in_words


@click.command("export")
@click.argument("name")
@click.option(
    "-o",
    "--out",
    type=click.Path(path_type=Path),
    required=True,
    help="The ONNX file to write; the folder, for a set.",
)
@click.option("--checkpoint", help="Weights: a .pt, .pth or .safetensors file, or a Hugging Face id.")
@click.option(
    "--set",
    "members",
    multiple=True,
    metavar="LABEL=CHECKPOINT",
    help="Once for each of several checkpoints (or random): a folder of files with one contract.",
)
@options.channels
@click.option("--sfreq", type=options.above_zero, help="Sampling rate in Hz.")
@click.option("--window", type=options.above_zero, help="Length of a window in seconds.")
@options.classes
@options.contract
@click.option(
    "--unit", type=click.Choice(["V", "mV", "uV"], case_sensitive=False), help="Unit that it was trained on."
)
@click.option("--scale", type=options.above_zero, help="Factor from the unit to what it was trained on.")
@click.option("--highpass", type=options.above_zero, help="Hz; of the signal that it was trained on.")
@click.option("--lowpass", type=options.above_zero, help="Hz; of the signal that it was trained on.")
@click.option("--notch", type=options.above_zero, help="Hz; of the signal that it was trained on.")
@click.option("--reference", help="average, 'as recorded', or electrodes like A1,A2.")
@options.axes
@click.option(
    "--exporter",
    type=click.Choice(["auto", "dynamo", "legacy"]),
    default="auto",
    show_default=True,
    help="Which of torch's exporters.",
)
@options.seed
@options.overwrite
@options.as_json
@options.quiet
@options.guarded(time_limit=600, timed=True)
def command(
    name: str,
    out: Path,
    checkpoint: str | None,
    members: tuple[str, ...],
    channels: tuple[str, ...] | None,
    sfreq: float | None,
    window: float | None,
    classes: tuple[str, ...] | None,
    contract: Path | None,
    exporter: Literal["auto", "dynamo", "legacy"],
    seed: int,
    overwrite: bool,
    as_json: bool,
    quiet: bool,
    **signal: Any,
) -> None:
    """Write the PyTorch EEG model NAME to an ONNX file with its input contract inside.

    Without --checkpoint the weights are random. The file is run against PyTorch at several batch
    sizes before it is kept. Needs the extra: pip install "onnxplain[export]".
    """
    from ..engine.steps import step

    step("loading PyTorch")
    from ..exporters import export, export_set

    signal["reference"] = _reference(signal["reference"])
    given: dict[str, Any] = {
        "channels": channels, "sfreq": sfreq, "window": window, "classes": classes, "exporter": exporter,
        "seed": seed, "contract": _contract(contract, signal),
    }  # fmt: skip
    if members:
        if checkpoint is not None:
            raise InputError("--checkpoint is for one file, --set for several")
        with output.folder(out, overwrite=overwrite) as folder:
            manifest = json.loads(export_set(name, folder, _labelled(members), **given).read_text("utf-8"))
        if as_json:
            console.say_json({**manifest, "path": str(out)})
            return
        for member in manifest["members"]:
            console.say(
                f"written     {out / member['file']}  (checkpoint {member['checkpoint']}, differs from "
                f"PyTorch by {member['parity']:.1e}; "
                f"{100 * member['as_first']:.0f} % of its weights are the first file's)"
            )
        return
    with output.file(out, overwrite=overwrite) as temporary:
        report = export(name, temporary, checkpoint=checkpoint, **given)
    if as_json:
        console.say_json({**report.to_dict(), "path": str(out)})
        return
    written = report.contract
    console.say(f"written     {out}  ({report.size / 1e6:.1f} MB, {report.parameters:,} weights)")
    nodes = sum(report.ops.values())
    console.say(f"graph       {nodes} nodes, opset {report.opset}, by torch's {report.exporter} exporter")
    console.say(f"contract    {in_words(written)}")
    console.say(
        f"checked     against PyTorch at batch {', '.join(map(str, report.batches))}: differs by "
        f"{report.parity:.1e} of what the outputs move"
    )
    if written.unknown:
        console.say(
            f"not known   {', '.join(written.unknown)}: explanations will say so; give them as options or "
            "with --contract"
        )
    for done in report.rewrites:
        console.say(f"rewritten   {done}")
    for note in report.notes:
        console.say(f"note        {note}")


def _contract(file: Path | None, signal: dict[str, Any]) -> Any:
    """The contract of a file with what the options say of the signal, or that alone."""
    if file is None:
        return {key: value for key, value in signal.items() if value is not None}
    from ..engine.contract import InputContract
    from ..exporters.request import with_signal

    return with_signal(InputContract.from_file(file), signal)


def _reference(given: str | None) -> str | tuple[str, ...] | None:
    """The reference as a contract has it."""
    if given is None or given.casefold() in ("average", "as recorded"):
        return given if given is None else given.casefold()
    return values.names(given)


def _labelled(members: tuple[str, ...]) -> dict[str, str]:
    """Checkpoints by label, of LABEL=CHECKPOINT."""
    found: dict[str, str] = {}
    for member in members:
        label, equals, source = member.partition("=")
        if not equals or not label or not source or label in found:
            raise InputError(f"--set {member}: LABEL=CHECKPOINT is needed, each label once")
        found[label] = source
    return found
