"""``onnxplain review``: experts judge head maps without knowing whose they are."""

from __future__ import annotations

from functools import partial
from pathlib import Path

import click

from . import console, options, output, values

RANDOM = "random weights"


def labelled(text: str) -> tuple[str, Path]:
    """LABEL=FOLDER, of a folder that is there."""
    label, sign, folder = (part.strip() for part in text.partition("="))
    if not (label and sign and folder):
        raise ValueError(f"{text!r} is not LABEL=FOLDER, like another_subject=out-2")
    return label, values.existing(folder, folder=True)


@click.group("review", invoke_without_command=True)
@click.pass_context
def command(ctx: click.Context) -> None:
    """Let experts judge head maps without knowing whose they are.

    `make` mixes maps of an explanation with maps of others in a page; `score` compares what the experts
    answered there with the key.
    """
    if ctx.invoked_subcommand is None:
        click.echo(ctx.get_help())


@command.command("make")
@click.argument(
    "explained",
    type=str,
    callback=values.checked(partial(values.existing, folder=True)),
    metavar="EXPLAINED",
)
@click.option(
    "--other",
    "others",
    type=str,
    multiple=True,
    callback=values.checked(labelled),
    metavar="LABEL=FOLDER",
    help="An explanation to mix in, and what the key calls it; may be given several times.",
)
@click.option(
    "--random-model",
    type=str,
    callback=values.checked(values.existing),
    metavar="MODEL",
    help="The explained model's file: mix in what a copy of it with shuffled weights says.",
)
@options.contract
@click.option("--out", type=click.Path(path_type=Path), required=True, help="The folder to write.")
@click.option("-n", "--maps", type=options.positive, default=24, show_default=True, help="Maps in all.")
@options.seed
@options.as_json
@options.quiet
@options.overwrite
@options.guarded()
def make(
    explained: Path,
    others: tuple[tuple[str, Path], ...],
    random_model: Path | None,
    contract: Path | None,
    out: Path,
    maps: int,
    seed: int,
    as_json: bool,
    quiet: bool,
    overwrite: bool,
) -> None:
    """Write a page for experts and its key to the folder OUT.

    EXPLAINED is a folder that `onnxplain explain` wrote for a recording. Half of the maps are its; the rest
    are of the others: another subject, another model, a copy with random weights.
    """
    import json

    from ..engine.errors import InputError
    from ..engine.steps import step

    labels = [label for label, _ in others] + [RANDOM] * (random_model is not None)
    twice = [label for label in labels if labels.count(label) > 1]
    if twice:
        raise InputError(f"--other: {twice[0]!r} stands twice; give each explanation a label of its own")
    if not labels:
        raise InputError("review make needs --other LABEL=FOLDER or --random-model MODEL to mix in")
    if contract is not None and random_model is None:
        raise InputError("--contract is for --random-model; explanations need none")
    step("loading MNE")
    from ..eeg.explanation import dataset as views
    from ..eeg.review import make as review

    own = views.explanation(explained)
    mixed = {label: views.explanation(path) for label, path in others}
    for label, data in mixed.items():
        if data["relevance"].equals(own["relevance"]):
            raise InputError(f"--other {label}: has the very maps of {explained}; give another explanation")
    if random_model is not None:
        mixed[RANDOM] = review.shuffled(own, random_model, contract=contract, seed=seed)
    step("drawing the maps")
    with output.folder(out, overwrite=overwrite) as folder:
        page = review.make(own, mixed, folder, n=maps, seed=seed)
        key = json.loads((folder / review.KEY).read_text(encoding="utf-8"))
    named = [item["label"] for item in key["items"].values()]
    counts = {label: named.count(label) for label in dict.fromkeys((review.OWN, *mixed))}
    notes = review.unlike(own, mixed)
    if as_json:
        paths = {"page": str(out / page.name), "key": str(out / review.KEY)}
        console.say_json({**paths, "review": key["review"], "maps": counts, "notes": notes})
        return
    said = ", ".join(f"{n} {label}" for label, n in counts.items())
    console.say(f"{'maps':<11} {len(named)}: {said}")
    for note in notes:
        console.say(f"{'note':<11} {note}")
    console.say(f"{'page':<11} {out / page.name}: send this file to the experts")
    console.say(
        f"{'key':<11} {out / review.KEY}: keep it; it says whose each map is and must not go to the experts"
    )


@command.command("score")
@click.argument("key", type=str, callback=values.checked(values.existing))
@click.argument("answers", nargs=-1, required=True, type=str, callback=values.checked(values.existing))
@options.as_json
@options.quiet
@options.guarded()
def score(key: Path, answers: tuple[Path, ...], as_json: bool, quiet: bool) -> None:
    """Compare ANSWERS, a file that the page saved for each expert, with the KEY of the review."""
    from dataclasses import asdict

    from ..engine.steps import step

    step("reading the answers")
    from ..eeg.review.score import score as scored

    found = scored(key, answers)
    if as_json:
        console.say_json({**asdict(found), "sentences": found.sentences()})
        return
    for sentence in found.sentences():
        console.say(sentence)
