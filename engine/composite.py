"""Composites: which rule each kind of layer gets.

A composite is data. The presets carry the names the field uses; `composites()` says what each is.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from types import MappingProxyType
from typing import Any

from .errors import InputError

# The choices for each kind of layer; the first is the default.
VARIANTS: Mapping[str, tuple[str, ...]] = MappingProxyType(
    {
        "linear": ("epsilon", "gradient"),
        "conv": ("epsilon", "gradient"),
        "product": ("uniform", "gradient"),
        "division": ("numerator", "gradient"),
        "softmax": ("attnlrp", "constant", "gradient"),
        "norm": ("identity", "gradient"),
        "activation": ("identity", "gradient"),
    }
)

# name -> (default, lowest value allowed, what it is)
PARAMETERS: Mapping[str, tuple[float, float, str]] = MappingProxyType(
    {
        "epsilon": (0.0, 0.0, "added to the denominator of linear and convolution layers, with its sign"),
        "stabilizer": (0.0, 0.0, "the same for sums, means and average pooling"),
    }
)


@dataclass(frozen=True)
class Composite:
    """Which rule each kind of layer gets, and the rules' parameters.

    Attributes
    ----------
    name : str
    about : str
        What it is, in a sentence.
    variants : mapping of str to str
        Kind of layer (linear, conv, product, softmax, norm, activation, division) to rule.
    parameters : mapping of str to float
        epsilon, stabilizer.

    Raises
    ------
    InputError
        An unknown kind, rule or parameter, or a value that makes no sense.
    """

    name: str
    about: str = ""
    variants: Mapping[str, str] = field(default_factory=dict)
    parameters: Mapping[str, float] = field(default_factory=dict)

    def __post_init__(self) -> None:
        for kind, variant in self.variants.items():
            if kind not in VARIANTS or variant not in VARIANTS[kind]:
                known = "; ".join(f"{k}: {', '.join(v)}" for k, v in VARIANTS.items())
                raise InputError(
                    f"composite {self.name!r}: no rule {variant!r} for {kind!r} layers; known: {known}"
                )
        for key, value in self.parameters.items():
            _check_parameter(self.name, key, value)

    def variant(self, kind: str) -> str:
        """The rule for one kind of layer."""
        return self.variants.get(kind) or VARIANTS.get(kind, ("adjoint",))[0]

    def parameter(self, name: str) -> float:
        """A parameter's value."""
        return self.parameters.get(name, PARAMETERS[name][0])

    def with_parameters(self, **parameters: float) -> Composite:
        """The same composite with other parameters."""
        return replace(self, parameters={**self.parameters, **parameters})

    @property
    def is_gradient(self) -> bool:
        """Whether every operator gets its true derivative: nothing is held constant then."""
        return self.variant("activation") == "gradient"


def _check_parameter(composite: str, name: str, value: Any) -> None:
    if name not in PARAMETERS:
        raise InputError(f"composite {composite!r} has no parameter {name!r}; known: {', '.join(PARAMETERS)}")
    lowest = PARAMETERS[name][1]
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        raise InputError(f"parameter {name} must be a number, not {value!r}")
    if not math.isfinite(value) or value < lowest:
        raise InputError(f"parameter {name} must be a finite number >= {lowest:g}, not {value!r}")


_PRESETS = (
    Composite("attnlrp", "LRP aware of attention (Achtibat et al. 2024): the default"),
    Composite(
        "cplrp",
        "CP-LRP (Ali et al. 2022): attention weights count as constants, relevance goes through the values",
        {"softmax": "constant"},
    ),
    Composite(
        "epsilon",
        "LRP-epsilon on every linear layer (Bach et al. 2015), attention as attnlrp",
        {},
        {"epsilon": 1e-6, "stabilizer": 1e-6},
    ),
    Composite(
        "gradient",
        "the true derivative of every operator; relevance is input x gradient",
        dict.fromkeys(VARIANTS, "gradient"),
    ),
)


def composites() -> dict[str, str]:
    """Names of the presets, and what each is."""
    return {c.name: c.about for c in _PRESETS}


def composite(which: str | Composite, parameters: Mapping[str, float] | None = None) -> Composite:
    """A preset by name, or a composite as it is, with parameters of one's own.

    Raises
    ------
    InputError
        The name is unknown (the known ones are listed), or a parameter is.
    """
    if isinstance(which, Composite):
        found = which
    else:
        by_name = {c.name: c for c in _PRESETS}
        key = str(which).lower()
        if key not in by_name:
            raise InputError(f"unknown composite {str(which)!r}; known: {', '.join(by_name)}")
        found = by_name[key]
    return found.with_parameters(**dict(parameters)) if parameters else found
