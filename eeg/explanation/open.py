"""A model's file opened for recordings: an Explainer, and the contract that it must have."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypedDict

from ...engine.attribution import MAX_CLOSURE
from ...engine.composite import Composite
from ...engine.contract import InputContract
from ...engine.errors import InputError
from ...engine.explainer import Explainer
from ...engine.steps import step
from ..recording.windows import Windows
from ..text import plain


@dataclass(frozen=True)
class ModelOptions:
    """How a model is opened and explained.

    Attributes
    ----------
    contract : InputContract or None
        In place of the one in the model's metadata.
    composite, backend, threads, max_closure
        As for `Explainer`.
    params : mapping or None
        Parameters of the composite.
    """

    contract: InputContract | None = None
    composite: str | Composite = "attnlrp"
    params: Mapping[str, Any] | None = None
    backend: str = "auto"
    threads: int | None = None
    max_closure: float | None = MAX_CLOSURE


class ModelKeywords(TypedDict, total=False):
    """The fields of `ModelOptions`, as keywords."""

    contract: InputContract | None
    composite: str | Composite
    params: Mapping[str, Any] | None
    backend: str
    threads: int | None
    max_closure: float | None


def open_model(
    model: str | os.PathLike[str],
    contract: InputContract | None = None,
    *,
    composite: str | Composite = "attnlrp",
    params: Mapping[str, Any] | None = None,
    backend: str = "auto",
    threads: int | None = None,
    ledger: bool = True,
    max_closure: float | None = MAX_CLOSURE,
) -> tuple[Explainer, InputContract]:
    """Open a model that recordings can be cut for.

    Parameters
    ----------
    model : path-like
        ONNX file.
    contract : InputContract, optional
        In place of the one in the model's metadata.
    composite, backend, threads, ledger, max_closure
        As for `Explainer`.
    params : mapping, optional
        Parameters of the composite.

    Returns
    -------
    explainer : Explainer
    contract : InputContract

    Raises
    ------
    InputError
        There is no contract, neither given nor in the model's metadata.
    OnnxplainError
        The model cannot be used.
    """
    step("reading the model")
    explainer = Explainer(
        Path(model),
        composite=composite,
        backend=backend,
        threads=threads,
        contract=contract,
        ledger=ledger,
        max_closure=max_closure,
        **(params or {}),
    )
    if explainer.contract is None:
        raise InputError(
            f"{plain(Path(model), 300)}: no input contract in its metadata, so it is not known which "
            "channels, rate and unit it takes; give one (contract=, or --contract FILE)"
        )
    _check_inputs(explainer, explainer.contract)
    _check_axes(explainer, explainer.contract)
    return explainer, explainer.contract


def filled(
    explainer: Explainer, contract: InputContract, windows: Windows
) -> tuple[Explainer, InputContract]:
    """The model and its contract with what a recording says of further inputs.

    Parameters
    ----------
    explainer : Explainer
    contract : InputContract
    windows : Windows
        Cut for that contract.

    Returns
    -------
    explainer : Explainer
        The same where the recording has nothing to say.
    contract : InputContract
    """
    if windows.contract is None or windows.contract == contract:
        return explainer, contract
    return explainer.with_contract(windows.contract), windows.contract


def _check_inputs(explainer: Explainer, contract: InputContract) -> None:
    """Whether the contract says what each input of the file is filled with."""
    silent = [i for n, i in explainer.inputs.by_name.items() if n not in (contract.input, *contract.inputs)]
    if not silent or contract.input not in explainer.inputs.by_name:
        return
    named = ", ".join(f"{plain(i.name, 60)} {_listed(i.shape)}" for i in silent)
    raise InputError(
        f"{plain(explainer.path, 300)}: beside the signal it takes {named}; say in the contract what that is "
        f"filled with, under inputs: {{{plain(silent[0].name, 60)}: positions}}, or constant: VALUES, "
        "channels: {NAME: ID}, subjects: {NAME: ID} (docs/contract.md)"
    )


def _check_axes(explainer: Explainer, contract: InputContract) -> None:
    """Whether the contract's axes can be those of the file, where others would be."""
    known = explainer.inputs.by_name.get(contract.input)
    if known is None or contract.fits(known.shape):
        return
    better = contract.axes_for(known.shape)
    if better is not None and better != contract.axes:
        raise InputError(
            f"{plain(explainer.path, 300)}: input {plain(contract.input)} has shape {_listed(known.shape)}, "
            f"and the contract's axes {_listed(contract.axes)} make {_listed(('batch', *contract.shape))}; "
            f"axes that fit are {_listed(better)}"
        )


def _listed(values: Sequence[Any]) -> str:
    return "[" + ", ".join(plain(v if v is not None else "any", 40) for v in values) + "]"
