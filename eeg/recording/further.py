"""What a recording says of a model's further inputs: where electrodes lie, and whose recording it is."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from ...engine.contract import Filling, InputContract
from ...engine.errors import InputError
from ..electrodes.positions import Electrodes
from ..text import listed, plain

_PER_METRE = {"m": 1.0, "cm": 100.0, "mm": 1000.0}
_ENTITY = re.compile(r"(?:sub|ses)-[A-Za-z0-9]+")


def names_of(path: Path) -> tuple[str, ...]:
    """What a table may call the subject or session of a recording, best first.

    BIDS entities in the path, with and without what they are of; the file's name without its end; the folders
    that it lies in.
    """
    whole = path.absolute()
    entities = list(dict.fromkeys(_ENTITY.findall(whole.as_posix())))
    bare = [e.partition("-")[2] for e in entities]
    stem = path.name.removesuffix(".gz").rpartition(".")[0] or path.name
    return tuple(dict.fromkeys([*entities, *bare, stem, *(p.name for p in whole.parents if p.name)]))


def settled(
    contract: InputContract,
    electrodes: Electrodes,
    names: Sequence[str],
    where: str,
    measured: Mapping[str, Sequence[float]] | None = None,
) -> InputContract:
    """The contract with constants for every further input that depends on the recording.

    Parameters
    ----------
    contract : InputContract
    electrodes : Electrodes
        The model's, and where they lie.
    names : sequence of str
        What a table may call the subject (see `names_of`).
    where : str
        The recording, for messages.
    measured : mapping of str to (x, y, z), optional
        Where the recording itself has the model's electrodes, in metre, in the template's frame; the others
        lie where their name says.

    Raises
    ------
    InputError
        An electrode has no known place, or a table has not the subject.
    """
    made = {}
    for name, filling in contract.inputs.items():
        if filling.positions is not None:
            made[name] = Filling(
                constant=_places(
                    {**electrodes.positions, **(measured or {})},
                    electrodes,
                    filling.positions,
                    f"{where}: input {plain(name)}",
                )
            )
        elif filling.subjects is not None:
            made[name] = Filling(constant=_of_subject(filling, names, f"{where}: input {plain(name)}"))
    if not made:
        return contract
    return contract.model_copy(update={"inputs": {**contract.inputs, **made}})


def said(contract: InputContract) -> list[str]:
    """What each further input is filled with, in sentences."""
    found = []
    for name, filling in contract.inputs.items():
        what = "a constant"
        if filling.positions is not None:
            what = f"the positions of the electrodes in {filling.positions}"
        elif filling.channels is not None:
            what = "the values of the electrodes by name"
        elif filling.subjects is not None:
            what = "the subject's value"
        found.append(f"The input {plain(name)} is filled with {what}.")
    return found


def _places(places: Mapping[str, Any], electrodes: Electrodes, unit: str, what: str) -> list[list[float]]:
    lost = [c for c in electrodes if c not in places]
    if lost:
        raise InputError(
            f"{what} takes positions of electrodes, and neither the recording nor a name says where "
            f"{listed(lost, 12)} lie; give the recording a montage, or the input a table (channels: in the "
            "contract)"
        )
    return [[float(v) * _PER_METRE[unit] for v in places[c]] for c in electrodes]


def _of_subject(filling: Filling, names: Sequence[str], what: str) -> object:
    table = {str(k).casefold(): v for k, v in (filling.subjects or {}).items()}
    for name in names:
        if name.casefold() in table:
            return table[name.casefold()]
    if filling.otherwise is None:
        raise InputError(
            f"{what} takes a value by subject, and the contract's table "
            f"({listed(list(filling.subjects or ()), 12)}) has none for this recording; add it, or say "
            "otherwise: for all others"
        )
    return filling.otherwise
