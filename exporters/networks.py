"""Every network of braindecode, by the name of its class."""

from __future__ import annotations

import csv
import inspect
from functools import cache
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from onnxplain.engine.contract import InputContract
from onnxplain.engine.errors import InputError
from onnxplain.models.card import Template, cards

from .checkpoint import apply_state, load_state
from .common import build, class_names, filled
from .electrodes import channel_info, usual
from .extras import braindecode_models
from .request import Built, Request
from .weights import enliven

# What a network gets whose card and class say nothing of its input.
_CHANNELS, _SFREQ, _SECONDS = 22, 250.0, 4.0
# A layer called one of these gives the outputs: its weight has one row a class.
_HEADS = ("final_layer", "classifier", "head", "fc")


@cache
def names() -> dict[str, str]:
    """Names of the classes by their lower-case form, from braindecode's own table: nothing is imported."""
    spec = find_spec("braindecode")
    if spec is None or not spec.submodule_search_locations:
        return {}
    table = Path(spec.submodule_search_locations[0]) / "models" / "summary.csv"
    try:
        with table.open(encoding="utf-8-sig", newline="") as file:
            found = [row["Model"].strip() for row in csv.DictReader(file)]
    except (OSError, KeyError):
        return {}
    return {name.lower(): name for name in found if name}


def network(name: str, request: Request) -> Built:
    """Build any network of braindecode; see `onnxplain.exporters.export`.

    Raises
    ------
    InputError
        There is no such network, or it cannot be built for this input.
    ModelError
        The checkpoint does not fit.
    """
    models = braindecode_models()
    known = {n.lower(): n for n in dir(models) if inspect.isclass(getattr(models, n))}
    if name.lower() not in known:
        raise InputError(f"{name!r} is no network of braindecode {models.__name__}")
    cls = getattr(models, known[name.lower()])
    state = load_state(request.checkpoint) if request.checkpoint else None
    head = None if state is None else _head(state)
    template, more = _input(cls)
    classes = class_names(request.classes, head, request.checkpoint)
    if request.classes is None and head is None and "n_outputs" in more:
        classes = tuple(f"class_{i}" for i in range(more.pop("n_outputs")))
    contract = filled(template, cls.__name__, request, classes)
    options = {**more, **request.options}
    accepted = inspect.signature(cls).parameters
    if "chs_info" in accepted:
        options.setdefault("chs_info", channel_info(contract.channels))
    net = build(cls, contract, options)
    notes: tuple[str, ...] = ()
    if state is None:
        net = enliven(net)
        notes = ("random weights: no checkpoint was given",)
    else:
        whole = apply_state(net, state, where=str(request.checkpoint), may_miss=_HEADS)
        if not whole:
            notes = ("the checkpoint has no head: the classifier's weights are random",)
    return Built(net, contract, notes)


def _input(cls: Any) -> tuple[Template, dict[str, Any]]:
    """What a network takes where nobody says: its card's, its class's, or the usual; and other arguments."""
    for card in cards().values():
        if card.name.lower() == cls.__name__.lower():
            return card.contract, {}
    from braindecode.models.util import models_mandatory_parameters

    given = next((p for n, _, p in models_mandatory_parameters if n == cls.__name__), None)
    given = dict(given) if isinstance(given, dict) else {}
    sfreq = float(given.get("sfreq") or _SFREQ)
    seconds = given["n_times"] / sfreq if given.get("n_times") else _SECONDS
    count = given.get("n_chans") or (_CHANNELS if "chs_info" not in given else len(given["chs_info"]))
    template = Template(channels=usual(int(count)), sfreq=sfreq, seconds=seconds)
    return template, {k: given[k] for k in ("n_outputs",) if k in given}


def _head(state: dict[str, Any]) -> int | None:
    """How many outputs a checkpoint's last layer has."""
    weights = [
        v for k, v in state.items() if k.split(".")[0] in _HEADS and k.endswith("weight") and v.ndim > 1
    ]
    return len(weights[-1]) if weights else None


def outputs(built: Built, shape: tuple[int, ...]) -> InputContract:
    """The contract of a network that gives no row of classes: without their names."""
    contract = built.contract
    if len(shape) == 2 and shape[-1] == len(contract.classes):
        return contract
    return contract.model_copy(update={"classes": ()})
