"""What is asked of a model: which class, against the others, or which of its numbers, as it is."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ...engine.contract import InputContract
from ...engine.errors import InputError
from ...engine.evaluation.references import one_number
from ...engine.plan.targets import class_index
from ..text import plain


@dataclass(frozen=True)
class Question:
    """What is explained of the output.

    Attributes
    ----------
    target : object
        As `Explainer` takes it: names are indices already.
    contrast : str or None
        None for a number, and where weights are their own contrast.
    unit : str
        Of what is explained.
    column : int or None
        Which number of a regression it is; None for classes.
    """

    target: Any
    contrast: str | None
    unit: str
    column: int | None = None

    def of(self, outputs: NDArray[Any]) -> NDArray[Any]:
        """Outputs [window, ...] as far as they are asked for: one number of several, or all classes.

        Raises
        ------
        InputError
            There is no such number.
        """
        return outputs if self.column is None else one_number(outputs, self.column)


def question_of(contract: InputContract, target: Any, contrast: str | None) -> Question:
    """What is asked of a model.

    Parameters
    ----------
    contract : InputContract
    target, contrast
        As for `run.explain_recording`. A number has no contrast, whatever is asked for; "predicted" is the
        first of several.

    Raises
    ------
    InputError
        There is no such class or number, or the target is none.
    """
    if isinstance(target, str) and target == "all":
        raise InputError("target all: a recording is explained one class at a time; name a class")
    if not contract.regresses:
        against = None if contrast == "none" or isinstance(target, Mapping) else contrast
        return Question(_indices(target, contract.classes), against, contract.unit_of())
    names = tuple(contract.targets)
    if isinstance(target, Mapping):
        return Question(_indices(target, names), None, contract.unit_of())
    if isinstance(target, list | tuple | np.ndarray):
        each = set(np.asarray(target).ravel().tolist())
        if len(each) != 1:
            raise InputError("target: of a regression one number is explained in all windows; name it")
        target = each.pop()
    if isinstance(target, str) and target == "predicted":
        column = 0
    elif names:
        column = class_index(target, len(names), names)
    else:
        column = _number(target)
    return Question(column, None, contract.unit_of(column), column)


def _number(target: Any) -> int:
    if isinstance(target, str) and target.isdigit():
        return int(target)
    if isinstance(target, bool) or not isinstance(target, int | np.integer):
        raise InputError(
            f"target {plain(target, 60)}: the contract names no numbers (targets: {{NAME: UNIT}}); give "
            "0, 1, ..."
        )
    return int(target)


def _indices(target: Any, names: tuple[str, ...]) -> Any:
    """Class names as indices: the contract may be one that the model's own metadata does not have."""
    n = len(names)
    if not n or isinstance(target, np.ndarray | tuple):
        return target
    if isinstance(target, str):
        return target if target == "predicted" else class_index(target, n, names)
    if isinstance(target, Mapping):
        return {class_index(k, n, names): v for k, v in target.items()}
    if isinstance(target, list):
        return [class_index(t, n, names) for t in target]
    return target
