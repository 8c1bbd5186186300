"""A made-up input of a shape that a model takes, where none was given."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np

from ..contract import InputContract
from ..errors import ModelError
from .look import look
from .recipe import Recipe
from .request import Request

Array = np.ndarray[Any, Any]

# Tried in turn for open dimensions other than the batch, until the model runs.
_LENGTHS = (1, 16, 128, 512, 1000, 4000, 16000)


def example_for(request: Request, given: Any = None, contract: InputContract | None = None) -> Recipe:
    """What a model looks like on an input.

    Parameters
    ----------
    request : Request
    given : ndarray or dict of str to ndarray, optional
        An input; made up where it is missing, by the contract and the declared shapes.
    contract : InputContract, optional

    Raises
    ------
    ModelError
        The model runs on none that was tried.
    """
    if given is not None:
        return look(request, request.inputs.checked(given))
    problem: ModelError | None = None
    for feed in _made_up(request, contract):
        try:
            return look(request, feed)
        except ModelError as e:
            problem = problem or e
    assert problem is not None
    raise problem


def _made_up(request: Request, contract: InputContract | None) -> Iterator[dict[str, Array]]:
    known = request.inputs.by_name.values()
    open_lengths = any(not isinstance(d, int) for i in known for d in i.shape[1:])
    for length in _LENGTHS if open_lengths else _LENGTHS[:1]:
        made = {}
        for i in known:
            if i.dtype is None:
                raise ModelError(f"{request.where}: input {i.name!r} is not a numeric tensor")
            dims = tuple(d if isinstance(d, int) else length if k else 1 for k, d in enumerate(i.shape))
            if contract is not None and i.name == contract.input:
                dims = (1, *contract.shape)
            made[i.name] = _numbers(dims, i.dtype)
        yield made


def _numbers(shape: tuple[int, ...], dtype: np.dtype[Any]) -> Array:
    rng = np.random.default_rng(0)
    if dtype.kind == "f":
        return rng.standard_normal(shape).astype(dtype)
    return np.ones(shape, dtype=dtype)
