"""What every builder does: contract from the card, outputs named, network constructed."""

from __future__ import annotations

import inspect
import math
import warnings
from pathlib import Path
from typing import Any

from onnxplain.engine.contract import InputContract
from onnxplain.engine.errors import InputError
from onnxplain.models import card
from onnxplain.models.card import Template

from .request import Request
from .verify import first_line


def class_names(asked: tuple[str, ...] | None, head: int | None, where: str | None) -> tuple[str, ...]:
    """Names of the outputs: as asked, or as many as the checkpoint's head has, or two."""
    if asked is not None and head is not None and len(asked) != head:
        raise InputError(f"classes: {len(asked)} names, but {where} has {head} outputs")
    if asked is not None:
        if not asked:
            raise InputError("classes: at least one name is needed")
        return asked
    return tuple(f"class_{i}" for i in range(head or 2))


def base_contract(name: str, request: Request, classes: tuple[str, ...]) -> InputContract:
    """The card's contract with what was asked for put in."""
    known = card(name)
    return filled(known.contract, known.name, request, classes)


def filled(template: Template, model: str, request: Request, classes: tuple[str, ...]) -> InputContract:
    """A template with what was asked for put in."""
    sfreq = request.sfreq if request.sfreq is not None else template.sfreq
    seconds = request.window if request.window is not None else template.seconds
    return template.fill(
        model=model,
        channels=template.channels if request.channels is None else request.channels,
        sfreq=sfreq,
        window=whole_samples(seconds, sfreq),
        classes=classes,
        source=_source(request.checkpoint),
    )


def whole_samples(seconds: float, sfreq: float) -> int:
    """Samples in a window.

    Raises
    ------
    InputError
        They are no whole number, or what they are made of is none.
    """
    if not (math.isfinite(sfreq) and sfreq > 0):
        raise InputError(f"sfreq: {sfreq} is not a sampling rate")
    if not (math.isfinite(seconds) and seconds > 0):
        raise InputError(f"window: {seconds} is not a length in seconds")
    window = round(seconds * sfreq)
    if window < 1 or abs(window - seconds * sfreq) > 1e-3:
        raise InputError(
            f"window: {seconds:g} s at {sfreq:g} Hz are {seconds * sfreq:g} samples, not a whole number"
        )
    return window


def _source(checkpoint: str | None) -> str:
    """Where the weights come from, without the folders of this machine."""
    if checkpoint is None:
        return "random weights"
    path = Path(checkpoint)
    return path.name if path.exists() else checkpoint


def build(cls: Any, contract: InputContract, options: dict[str, Any]) -> Any:
    """Construct a braindecode network for a contract."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            given = {
                "n_chans": len(contract.channels),
                "n_outputs": len(contract.classes),
                "n_times": contract.window,
                "sfreq": contract.sfreq,
            }
            accepted = inspect.signature(cls).parameters
            return cls(**{**{k: v for k, v in given.items() if k in accepted}, **options})
    except Exception as e:  # options are the user's, and the constructors check them in many ways
        raise InputError(f"{contract.model}: cannot be built for this input ({first_line(e)})") from e
