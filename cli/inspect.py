"""``onnxplain inspect``: what is in a file, and which rule each node gets."""

from __future__ import annotations

from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING

import click

from . import console, options

if TYPE_CHECKING:
    from ..engine.contract import InputContract
    from ..engine.inspection import Inspection


@click.command("inspect")
@options.model
@options.composite
@options.as_json
@options.guarded(memory=0.25)
def command(model: Path, composite: str, as_json: bool) -> None:
    """Show what is in MODEL, the rule that each node gets, and what has none."""
    from ..engine.inspection import inspect

    found = inspect(model, composite)
    if as_json:
        console.say_json(found.to_dict())
    else:
        show(model, found)


def show(model: Path, found: Inspection) -> None:
    """Print an inspection as tables."""
    console.table(
        ("", "name", "type", "shape"),
        [
            (kind, value.name, value.dtype, value.shape)
            for kind, values in (("input", found.inputs), ("output", found.outputs))
            for value in values
        ],
        title=str(model),
    )
    kinds = Counter(
        (
            f"{node.domain}.{node.op_type}" if node.domain else node.op_type,
            node.opset,
            node.rule or "",
            node.on_path,
        )
        for node in found.nodes
    )
    console.table(
        ("operator", "opset", "nodes", "on the path", "rule"),
        [
            (
                op,
                opset,
                count,
                "yes" if on_path else "",
                (rule or ("none" if on_path else "")).replace("`", ""),
            )
            for (op, opset, rule, on_path), count in sorted(
                kinds.items(), key=lambda item: (not item[0][3], -item[1], item[0][0])
            )
        ],
        right=("opset", "nodes"),
    )
    contract = found.contract
    if contract is None:
        console.say("contract    none in the file; a recording needs one (--contract FILE)")
    else:
        console.say(f"contract    {in_words(contract)}")
    console.say(f"explained   {found.explained}, composite {found.composite}")
    console.say(
        f"coverage    {100 * found.coverage:.4g} % of the {len(found.on_path)} nodes on the path have a rule"
    )
    for node in found.unsupported:
        console.say(f"no rule     {node.op_type} {node.name}".rstrip())
    for note in found.notes:
        console.say(f"note        {note}")


def in_words(contract: InputContract) -> str:
    """An input contract on one line."""
    numbers = ", ".join(f"{name} ({unit})" if unit else name for name, unit in contract.targets.items())
    classes = f"classes {', '.join(contract.classes)}" if contract.classes else "no class names"
    if contract.regresses:
        classes = f"regression: {numbers or contract.output_unit or 'numbers without a name'}"
    return (
        f"{len(contract.channels)} electrodes, {contract.sfreq:g} Hz, {contract.seconds:g} s, "
        f"{contract.unit} x {contract.scale:g}; {classes}"
    )
