"""`gradient`: the derivative of a model's output by its inputs, from the file alone.

The multipliers of the composite `gradient` are that derivative: nothing is divided by the input, so that it
is there where the input is 0.
"""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from typing import Any, overload

import numpy as np

from ..errors import InputError
from ..explainer import Explainer

Array = np.ndarray[Any, Any]
Model = str | os.PathLike[str] | Explainer


@overload
def gradient(
    model: Model,
    x: Mapping[str, Array],
    target: Any = ...,
    *,
    output: str | None = ...,
    at: str | Sequence[str] = ...,
    logits: bool = ...,
) -> dict[str, Array]: ...
@overload
def gradient(
    model: Model,
    x: Array,
    target: Any = ...,
    *,
    output: str | None = ...,
    logits: bool = ...,
) -> Array: ...
@overload
def gradient(
    model: Model,
    x: Array,
    target: Any = ...,
    *,
    output: str | None = ...,
    at: str | Sequence[str],
    logits: bool = ...,
) -> dict[str, Array]: ...
def gradient(
    model: Model,
    x: Array | Mapping[str, Array],
    target: Any = "predicted",
    *,
    output: str | None = None,
    at: str | Sequence[str] = (),
    logits: bool = False,
) -> Array | dict[str, Array]:
    """The derivative of an output by the inputs, for each sample of a batch.

    Parameters
    ----------
    model : path-like or Explainer
        A path is opened for this call; for many calls give an ``Explainer(path, "gradient", logits=False)``,
        which is used as it is where it asks for the same.
    x : ndarray, or dict of input name to ndarray
        Batch first.
    target : object
        Which number of the output is derived: an int; one int a sample; "predicted" (the largest one); a
        class name of the contract; {class: weight}; an index tuple for dense outputs; an array of the
        output's shape, whose weights the output is summed with (a vector-Jacobian product), or K of them,
        [K, *the output's shape]; or "all", each number of the output: the Jacobian.
    output : str, optional
        The output; the contract's, or the first floating one.
    at : str or sequence of str
        Inner tensors (an embedding) whose derivatives are wanted too, by name, or "re:" and a regular
        expression.
    logits : bool
        Where the model ends in a softmax or sigmoid: whether the logit before it is derived, in the place of
        the output itself.

    Returns
    -------
    ndarray or dict of str to ndarray
        Shaped like the input, [K, *its shape] for several targets ("all": K numbers of the output, in C
        order). A dict, by input, where `x` is one; and where `at` is given, with the inner tensors in it.
        Inputs that are no floating numbers have no derivative and are left out. An input without a batch
        has the sum of all samples'.

    Raises
    ------
    InputError
        The input or the target does not fit the model, or there is nothing to derive by.
    UnsupportedOperator
        A node between input and output has no rule.
    ModelError
        The file cannot be used, or the derivative is not finite.

    Examples
    --------
    >>> gradient("model.onnx", x, target=3).shape == x.shape  # doctest: +SKIP
    True
    >>> gradient("model.onnx", x, target="all").shape == (classes, *x.shape)  # doctest: +SKIP
    True
    """
    inner = (at,) if isinstance(at, str) else tuple(at)
    explain = _opened(model, output, inner, logits)
    feed = explain.inputs.checked(x)
    floating = [name for name, a in feed.items() if a.dtype.kind == "f"]
    if not floating and not inner:
        raise InputError(
            f"{explain.path}: {_listed(feed)} of whole numbers, by which nothing can be derived; at= names "
            "inner tensors that can (the embedding)"
        )
    found = explain(x, target=target)
    made = {name: found.multiplier[name] for name in floating}
    if isinstance(x, Mapping) or inner:
        return made | dict(found.at_multiplier)
    return next(iter(made.values()))


def _opened(model: Model, output: str | None, at: tuple[str, ...], logits: bool) -> Explainer:
    """An explainer whose multipliers are the gradients that are asked for."""
    if not isinstance(model, Explainer):
        return Explainer(
            model, "gradient", output=output, at=at, logits=logits, ledger=False, max_closure=None
        )
    asked = {"output": output or model.output, "at": at, "logits": logits}
    if model.composite.is_derivative and all(getattr(model, k) == v for k, v in asked.items()):
        return model
    return model.with_options(composite="gradient", ledger=False, max_closure=None, **asked)


def _listed(names: Mapping[str, Array]) -> str:
    shown = ", ".join(map(repr, names))
    return f"input {shown} is" if len(names) == 1 else f"inputs {shown} are"
