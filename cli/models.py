"""``onnxplain models``: what is known of each EEG model."""

from __future__ import annotations

import click

from . import console, options


@click.command("models")
@click.argument("name", required=False)
@options.as_json
@options.guarded()
def command(name: str | None, as_json: bool) -> None:
    """List the model cards, or show the card of NAME.

    A card says what is known of a model: the paper, the licence, where trained weights come from,
    which array it wants, and what has caught people out.
    """
    from ..models.card import card, cards

    if name is not None:
        one = card(name)
        if as_json:
            console.say_json(one.model_dump(mode="json"))
            return
        template = one.contract
        for what, text in (
            ("name", f"{one.name}: {one.title}"),
            ("paper", f"{one.paper}, {one.url}"),
            ("licence", one.licence),
            ("weights", one.weights),
            ("parameters", f"{one.parameters:,}"),
            ("input", f"{len(template.channels)} electrodes, {template.sfreq:g} Hz, {template.seconds:g} s"),
            ("electrodes", " ".join(template.channels)),
            *((key, _words(value)) for key, value in template.fixed.items()),
            *(("export", note) for note in one.export),
            *(("trap", trap) for trap in one.traps),
        ):
            console.say(f"{what:<11} {text}")
        return
    known = cards()
    if as_json:
        console.say_json({key: one.model_dump(mode="json") for key, one in known.items()})
        return
    console.table(
        ("model", "year", "weights", "input", "licence"),
        [
            (
                one.name,
                one.year,
                f"{one.parameters:,}",
                f"{len(one.contract.channels)} x {one.contract.seconds:g} s at {one.contract.sfreq:g} Hz",
                one.licence,
            )
            for one in known.values()
        ],
        right=("year", "weights"),
    )
    console.say("`onnxplain models NAME` shows a card; `onnxplain export NAME -o FILE` writes the model.")


def _words(value: object) -> str:
    return ", ".join(map(str, value)) if isinstance(value, (list, tuple)) else str(value)
