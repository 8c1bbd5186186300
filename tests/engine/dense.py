"""Rules of linear layers as they are defined: for a dense matrix, in float64.

Any linear layer is ``y = W x + b`` with a matrix W (Zennit's tests take it from the layer's Jacobian in the
same way). Each rule is written here once, from its paper and with Zennit's conventions (Anders et al. 2021),
as a table of contributions; nothing of the engine is used.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

Array = np.ndarray[Any, Any]


@dataclass(frozen=True)
class Part:
    """A part of the relevance, shared out in proportion to contributions.

    Attributes
    ----------
    weight : float
        How much of the output's relevance it is.
    inputs : ndarray, (outputs, inputs)
        What each input contributes to each output.
    bias : ndarray, (outputs,)
        What the bias contributes.
    whole : ndarray, (outputs,), optional
        What is divided by; the sum of contributions if not given.
    terms : ndarray, (outputs, inputs), optional
        Sizes of the terms that each contribution is summed from; its own size if not given.
    by_multiplier : bool
        Whether it can be had as ``seed * (y / whole)``, which does not suffer from a small y.
    """

    weight: float
    inputs: Array
    bias: Array
    whole: Array | None = None
    terms: Array | None = None
    by_multiplier: bool = False


@dataclass(frozen=True)
class Shared:
    """Where the relevance of a layer's output goes.

    Attributes
    ----------
    inputs : ndarray, (inputs,)
    bias, stabilizer : float
        What does not reach the inputs.
    rounding : ndarray, (inputs,)
        What a computation whose numbers are wrong by a relative 1 could get wrong at each input.
    total_rounding : float
        The same for `bias` and `stabilizer`.
    """

    inputs: Array
    bias: float
    stabilizer: float
    rounding: Array
    total_rounding: float


def _positive(a: Array) -> Array:
    return np.maximum(a, 0)


def _negative(a: Array) -> Array:
    return np.minimum(a, 0)


def epsilon(w: Array, b: Array, x: Array, p: Mapping[str, float]) -> list[Part]:
    """Bach et al. 2015, eq. 58; without a stabiliser LRP-0, which is also input x gradient of a layer."""
    return [Part(1, w * x, b, by_multiplier=True)]


def zplus(w: Array, b: Array, x: Array, p: Mapping[str, float]) -> list[Part]:
    """Montavon et al. 2017, sec. 4.1: positive contributions, the positive part of the bias among them."""
    return [Part(1, _positive(w * x), _positive(b))]


def alpha_beta(w: Array, b: Array, x: Array, p: Mapping[str, float]) -> list[Part]:
    """Bach et al. 2015, eq. 60; what is positive of the bias is among the positive, what is negative not."""
    return [
        Part(p["alpha"], _positive(w * x), _positive(b)),
        Part(-p["beta"], _negative(w * x), _negative(b)),
    ]


def gamma(w: Array, b: Array, x: Array, p: Mapping[str, float]) -> list[Part]:
    """Andeol et al. 2022, eq. 8: contributions of the output's sign count more; no output, no relevance."""
    z = (w * x).sum(1) + b
    up = z > 0
    inputs = w * x + p["gamma"] * np.where(up[:, None], _positive(w * x), _negative(w * x))
    bias = b + p["gamma"] * np.where(up, _positive(b), _negative(b))
    return [Part(1, inputs, bias, np.where(z == 0, 0, inputs.sum(1) + bias), by_multiplier=True)]


def gamma_positive(w: Array, b: Array, x: Array, p: Mapping[str, float]) -> list[Part]:
    """Montavon et al. 2019, sec. 10.2.1: positive weights count more, whatever the input's sign."""
    return [Part(1, (w + p["gamma"] * _positive(w)) * x, b)]


def wsquare(w: Array, b: Array, x: Array, p: Mapping[str, float]) -> list[Part]:
    """Montavon et al. 2017, eq. 12, with the square of the bias in the denominator."""
    return [Part(1, w**2, b**2)]


def flat(w: Array, b: Array, x: Array, p: Mapping[str, float]) -> list[Part]:
    """Lapuschkin et al. 2019: every input that an output sees, alike; none for the bias."""
    return [Part(1, (w != 0).astype(float), np.zeros_like(b))]


def zbox(w: Array, b: Array, x: Array, p: Mapping[str, float]) -> list[Part]:
    """Montavon et al. 2017, eq. 14: beside inputs that lie between `low` and `high`; the bias cancels."""
    low, high = p["low"] * _positive(w), p["high"] * _negative(w)
    terms = np.abs(w * x) + np.abs(low) + np.abs(high)
    return [Part(1, w * x - low - high, np.zeros_like(b), terms=terms)]


Rule = Callable[[Array, Array, Array, Mapping[str, float]], list[Part]]
RULES: dict[str, Rule] = {
    "epsilon": epsilon,
    "gradient": epsilon,
    "zplus": zplus,
    "alpha_beta": alpha_beta,
    "gamma": gamma,
    "gamma_positive": gamma_positive,
    "wsquare": wsquare,
    "flat": flat,
    "zbox": zbox,
}


def shared(rule: str, w: Array, b: Array, x: Array, seed: Array, p: Mapping[str, float]) -> Shared:
    """Relevance ``seed * y`` of a layer's outputs, shared out.

    Parameters
    ----------
    rule : str
    w : ndarray, (outputs, inputs)
    b : ndarray, (outputs,)
    x : ndarray, (inputs,)
    seed : ndarray, (outputs,)
    p : mapping of str to float
        The rule's parameters; "eps" is added to every denominator, with its sign (+1 at 0).
    """
    y, rounded = (w * x).sum(1) + b, np.abs(w * x).sum(1) + np.abs(b)
    inputs, rounding = np.zeros_like(x), np.zeros_like(x)
    bias = stabilizer = total_rounding = 0.0
    for part in RULES[rule](w, b, x, p):
        whole = part.inputs.sum(1) + part.bias if part.whole is None else part.whole
        terms = np.abs(part.inputs) if part.terms is None else part.terms
        size = terms.sum(1) + np.abs(part.bias)
        empty = whole == 0  # nothing to divide by: nothing is shared out
        full = np.where(empty, 1, whole + np.where(whole < 0, -p["eps"], p["eps"]))
        relevance = part.weight * seed * y
        q = np.where(empty, 0, relevance / full)
        inputs += part.inputs.T @ q
        bias += float(part.bias @ q)
        stabilizer += float((relevance - q * whole).sum())
        # What a wrong y and a wrong denominator do to q.
        if part.by_multiplier:
            doubt = np.abs(q) + np.abs(seed * (full - y)) / full**2 * rounded
        else:
            doubt = np.abs(part.weight * seed / full) * rounded + np.abs(q) * size / np.abs(full)
        rounding += terms.T @ doubt
        total_rounding += float(size @ doubt + np.abs(part.weight * seed) @ rounded)
    return Shared(inputs, bias, stabilizer, rounding, total_rounding)
