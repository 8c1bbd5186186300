"""Model cards: what is known of each EEG model, as data."""

from __future__ import annotations

from functools import cache
from pathlib import Path
from typing import Any

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from onnxplain.engine.contract import InputContract
from onnxplain.engine.errors import InputError
from onnxplain.engine.storage.documents import read_yaml
from onnxplain.engine.storage.problems import problems

CARDS = Path(__file__).parent / "cards"


class Template(BaseModel):
    """The part of an input contract that a model prescribes; an export fills in the rest.

    Attributes
    ----------
    channels : tuple of str
        Electrodes taken where nobody says which.
    sfreq : float
        Sampling rate in Hz.
    seconds : float
        Length of a window where nobody says.
    fixed : dict
        Fields of `InputContract` that follow from the model: unit, scale, filters, ...
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    channels: tuple[str, ...] = Field(min_length=1)
    sfreq: float = Field(gt=0)
    seconds: float = Field(gt=0)
    fixed: dict[str, Any] = {}

    def fill(self, **given: Any) -> InputContract:
        """A whole contract: what the model prescribes, and what is given."""
        return InputContract.parse(
            {"input": "x", "output": "logits", **self.fixed, **given}, where="contract"
        )


class Card(BaseModel):
    """One model.

    Attributes
    ----------
    name : str
        As papers write it and as the exporter's class is called.
    title, paper, url : str
        The publication.
    year : int
        Its year.
    licence : str
        Of code and weights.
    weights : str
        Where trained weights come from.
    parameters : int
        Number of weights at the default size.
    contract : Template
        What its input looks like.
    export : tuple of str
        Notes on exporting it.
    traps : tuple of str
        What has caught people out.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    name: str
    title: str
    paper: str
    url: str
    year: int
    licence: str
    weights: str
    parameters: int = Field(gt=0)
    contract: Template
    export: tuple[str, ...] = ()
    traps: tuple[str, ...] = ()


@cache
def cards() -> dict[str, Card]:
    """Every card, by its lower-case name.

    Raises
    ------
    InputError
        A card is not valid.
    """
    found = {}
    for path in sorted(CARDS.glob("*.yaml")):
        data = read_yaml(path, "a model card", "a YAML card", where=path.name)
        try:
            found[path.stem] = Card.model_validate(data)
        except ValidationError as e:
            said = problems(e, Card, data, whole="card")
            raise InputError(f"{path.name}: not a valid model card ({said})") from None
    return found


def card(name: str) -> Card:
    """The card of one model, by name in any case.

    Raises
    ------
    InputError
        There is none; the known names are listed.
    """
    known = cards()
    try:
        return known[name.strip().lower()]
    except KeyError:
        names = ", ".join(c.name for c in known.values())
        raise InputError(f"there is no model card {name!r}; known: {names}") from None
