"""Composites: which rule each kind of layer gets.

A composite is data: a rule for each kind of layer, rules for the first layers, and rules for layers
chosen by operator or name. The presets carry the names the field uses; `composites()` says what each
is. A composite can be written as a YAML file.
"""

from __future__ import annotations

import math
import re
import sys
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

from .errors import InputError
from .storage.documents import read_yaml, shown
from .storage.text import near, one_line

if TYPE_CHECKING:
    from .file.graph import Node

# Where a layer stands that has others before it, but none of its own kind.
FIRST_OF_KIND = "first of its kind"

_LAYER = (
    "epsilon", "gamma", "gamma_positive", "zplus", "alpha_beta", "wsquare", "flat", "zbox", "gradient",
    "secant",
)  # fmt: skip

# The choices for each kind of layer; the first is the default.
VARIANTS: Mapping[str, tuple[str, ...]] = MappingProxyType(
    {
        "linear": _LAYER,
        "conv": _LAYER,
        "product": ("uniform", "signal", "gradient", "secant"),
        "division": ("numerator", "gradient", "secant"),
        "softmax": ("attnlrp", "constant", "gradient", "secant"),
        "norm": ("identity", "pooled", "gradient", "secant"),
        "activation": ("identity", "pass", "gradient", "secant"),
    }
)

# name -> (default, lowest value allowed, what it is)
PARAMETERS: Mapping[str, tuple[float, float, str]] = MappingProxyType(
    {
        "epsilon": (0.0, 0.0, "added to the denominator of linear and convolution layers, with its sign"),
        "stabilizer": (0.0, 0.0, "the same for sums, means, pooling and the other rules' denominators"),
        "gamma": (0.25, 0.0, "how much more the favoured contributions count under gamma rules"),
        "alpha": (2.0, 0.0, "weight of positive contributions under alpha-beta; alpha - beta must be 1"),
        "beta": (1.0, 0.0, "weight of negative contributions under alpha-beta"),
        "low": (-1.0, -math.inf, "lowest possible input under z-box"),
        "high": (1.0, -math.inf, "highest possible input under z-box"),
    }
)


@dataclass(frozen=True)
class Choice:
    """The rule that one layer gets.

    Attributes
    ----------
    variant : str
    parameters : mapping of str to float
    """

    variant: str
    parameters: Mapping[str, float]

    def parameter(self, name: str) -> float:
        """A parameter's value."""
        return self.parameters.get(name, PARAMETERS[name][0])


@dataclass(frozen=True)
class LayerRule:
    """A rule for the layers that fit.

    Attributes
    ----------
    rule : str
    op : str
        Operator, e.g. "Conv"; "" for any linear or convolution layer.
    name : str
        The node's name, or "re:" and a regular expression that the whole name matches; "" for any.
    position : {"", "first"}
        "first": layers with no other layer between them and the inputs.
    kind : {"", "linear", "conv"}
        For one kind of layer alone; the first of them are those with no other of their kind before them.
    parameters : mapping of str to float
    """

    rule: str
    op: str = ""
    name: str = ""
    position: str = ""
    kind: str = ""
    parameters: Mapping[str, float] = field(default_factory=dict)

    def fits(self, node: Node, kind: str, position: str) -> bool:
        """Whether it is for this node."""
        # A MatMul that was put together with its bias is still one in the file.
        known = {"Linear": ("linear", "matmul")}.get(node.op_type, (node.op_type.lower(),))
        if self.op and self.op.lower() not in known:
            return False
        if self.kind and self.kind != kind:
            return False
        if self.position and position != "first" and not (self.kind and position == FIRST_OF_KIND):
            return False
        if self.name.startswith("re:"):
            return re.fullmatch(self.name[3:], node.name) is not None
        return not self.name or self.name == node.name


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
    layers : tuple of LayerRule
        For linear and convolution layers; the first that fits wins over `variants`.
    parameters : mapping of str to float
        See `PARAMETERS`.

    Raises
    ------
    InputError
        An unknown kind, rule or parameter, or a value that makes no sense.
    """

    name: str
    about: str = ""
    variants: Mapping[str, str] = field(default_factory=dict)
    layers: tuple[LayerRule, ...] = ()
    parameters: Mapping[str, float] = field(default_factory=dict)

    def __post_init__(self) -> None:
        for kind, variant in self.variants.items():
            if kind not in VARIANTS or variant not in VARIANTS[kind]:
                hint = near(variant, VARIANTS[kind]) if kind in VARIANTS else near(kind, VARIANTS)
                raise InputError(
                    f"composite {self.name!r}: no rule {shown(variant)} for {shown(kind)} layers; {hint}"
                )
        secants = {self.variant(kind) == "secant" for kind in VARIANTS} | {
            r.rule == "secant" for r in self.layers
        }
        if len(secants) > 1:
            raise InputError(
                f"composite {self.name!r}: secants are of a difference, other rules are not: take the rule "
                "'secant' for every kind of layer, or for none"
            )
        for rule in self.layers:
            if rule.rule not in _LAYER:
                raise InputError(
                    f"composite {self.name!r}: no rule {shown(rule.rule)}; {near(rule.rule, _LAYER)}"
                )
            if rule.position not in ("", "first"):
                raise InputError(f"composite {self.name!r}: no position {shown(rule.position)}; known: first")
            if rule.kind not in ("", "linear", "conv"):
                raise InputError(
                    f"composite {self.name!r}: no layers {shown(rule.kind)}; known: linear, conv"
                )
            try:
                re.compile(rule.name.removeprefix("re:"))
            except (re.error, RecursionError, OverflowError) as e:
                raise InputError(
                    f"composite {self.name!r}: {shown(rule.name)} is no regular expression ({one_line(e)})"
                ) from None
        for parameters in (self.parameters, *(r.parameters for r in self.layers)):
            for key, value in parameters.items():
                _check_parameter(self.name, key, value)
        for choice in (Choice("", self.parameters), *(self._choice(r) for r in self.layers)):
            if not math.isclose(choice.parameter("alpha") - choice.parameter("beta"), 1, abs_tol=1e-9):
                raise InputError(
                    f"composite {self.name!r}: alpha - beta must be 1, or relevance is not conserved"
                )
            if choice.parameter("low") > choice.parameter("high"):
                raise InputError(f"composite {self.name!r}: low must not be above high")

    def _choice(self, rule: LayerRule) -> Choice:
        return Choice(rule.rule, {**self.parameters, **rule.parameters})

    def choose(self, kind: str, node: Node, position: str = "") -> Choice:
        """The rule for a node as a layer of some kind, with its parameters."""
        if kind in ("linear", "conv"):
            for rule in self.layers:
                if rule.fits(node, kind, position):
                    return self._choice(rule)
        return Choice(self.variant(kind), self.parameters)

    def variant(self, kind: str) -> str:
        """The rule for one kind of layer, where no layer's own rule says otherwise."""
        return self.variants.get(kind) or VARIANTS.get(kind, ("adjoint",))[0]

    def with_parameters(self, **parameters: float) -> Composite:
        """The same composite with other parameters."""
        return replace(self, parameters={**self.parameters, **parameters})

    @property
    def is_gradient(self) -> bool:
        """Whether every operator gets its true derivative."""
        return self.variant("activation") == "gradient"

    @property
    def is_derivative(self) -> bool:
        """Whether multipliers are gradients: so for every kind of layer, and no layer has its own rule."""
        return not self.layers and all(self.variant(kind) == "gradient" for kind in VARIANTS)

    @property
    def is_difference(self) -> bool:
        """Whether relevance is that of a difference: of what is explained from a reference."""
        return self.variant("activation") == "secant"

    @property
    def holds_nothing(self) -> bool:
        """Whether relevance goes wherever something depends on the input: no factor is a constant."""
        return self.is_gradient or self.is_difference

    def to_yaml(self, *, about: str = "") -> str:
        """The composite as YAML that `from_file` reads.

        Parameters
        ----------
        about : str
            In the place of its own sentence.
        """
        import yaml

        data: dict[str, Any] = {"name": self.name, "about": about or self.about, "rules": dict(self.variants)}
        if self.layers:
            data["layers"] = [
                {k: v for k, v in vars(r).items() if k != "parameters" and v} | dict(r.parameters)
                for r in self.layers
            ]
        data["parameters"] = {k: float(v) for k, v in self.parameters.items()}
        return str(yaml.safe_dump(data, sort_keys=False, allow_unicode=True, width=100))

    @classmethod
    def from_file(cls, path: str | Path) -> Composite:
        """Read a composite from YAML.

        The keys are `name`, `about`, `base` (a preset to start from), `rules` (kind of layer to rule),
        `first` (a rule for the first layers), `layers` (a list of rules with `op`, `name`, `position`, `kind`
        and parameters) and `parameters`.

        Raises
        ------
        InputError
            The file cannot be read, or says something unknown.
        """
        path = Path(path)
        return _from_data(read_yaml(path, "a composite", "a YAML composite"), path)


_TOP = frozenset({"name", "about", "base", "rules", "first", "layers", "parameters"})
_OWN = frozenset({"rule", "op", "name", "position", "kind"})


def _from_data(data: Any, path: Path) -> Composite:
    if not isinstance(data, dict):
        raise InputError(f"{path}: a composite has the keys {', '.join(sorted(_TOP))} (found {shown(data)})")
    if unknown := [key for key in data if key not in _TOP]:
        hint = near(unknown[0], sorted(_TOP))
        raise InputError(f"{path}: there is no key {shown(unknown[0])} in a composite; {hint}")
    base = _preset(data["base"], path) if "base" in data else Composite("")
    first, layers, rules, parameters = (data.get(k) or {} for k in ("first", "layers", "rules", "parameters"))
    own = (
        [dict(first, position="first") if isinstance(first, dict) else {"rule": first, "position": "first"}]
        if first
        else []
    )
    entries = [*(layers or []), *own] if isinstance(layers or [], list) else [layers]
    for entry in entries:
        if not isinstance(entry, dict) or "rule" not in entry:
            raise InputError(
                f"{path}: every layer needs a rule, e.g. {{name: 're:head.*', rule: gamma, gamma: 0.1}}"
            )
    for what, where in (("rules", rules), ("parameters", parameters)):
        if not isinstance(where, dict):
            raise InputError(f"{path}: rules and parameters are mappings; {what} is {shown(where)}")
    for kind, rule in rules.items():
        if not isinstance(kind, str) or not isinstance(rule, str):
            raise InputError(f"{path}: rules: {shown(kind)}: must be the name of a rule, not {shown(rule)}")
    try:
        return Composite(
            one_line(_text(data.get("name") or path.stem), 80),
            _text(data.get("about", base.about)),
            {**base.variants, **rules},
            (*map(_layer_rule, entries), *base.layers),
            {**base.parameters, **parameters},
        )
    except InputError as e:
        raise InputError(f"{path}: {e}") from None


def _layer_rule(entry: dict[Any, Any]) -> LayerRule:
    return LayerRule(
        **{k: _text(v) for k, v in entry.items() if k in _OWN},
        parameters={k: v for k, v in entry.items() if k not in _OWN},
    )


def _text(value: Any) -> str:
    if isinstance(value, dict | list):
        raise InputError(f"must be text, not {shown(value)}")
    return str(value)


def _preset(name: Any, path: Path) -> Composite:
    """What a file starts from: a preset, and not another file, which could start from this one."""
    found = {c.name: c for c in _PRESETS}.get(str(name).lower() if isinstance(name, str) else "")
    if found is None:
        raise InputError(f"{path}: base: no preset {shown(name)}; {near(name, [c.name for c in _PRESETS])}")
    return found


def _check_parameter(composite: str, name: str, value: Any) -> None:
    if name not in PARAMETERS:
        raise InputError(f"composite {composite!r} has no parameter {shown(name)}; {near(name, PARAMETERS)}")
    lowest = PARAMETERS[name][1]
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        raise InputError(f"parameter {name} must be a number, not {shown(value)}")
    if not abs(value) <= sys.float_info.max or value < lowest:  # math.isfinite cannot take every whole number
        at_least = f" >= {lowest:g}" if math.isfinite(lowest) else ""
        raise InputError(f"parameter {name} must be a finite number{at_least}, not {shown(value)}")


def _layers(rule: str) -> dict[str, str]:
    return {"linear": rule, "conv": rule}


_ZENNIT = {"epsilon": 1e-6, "stabilizer": 1e-6}


def _zennit(name: str, conv: str, first: str = "", of: str = "") -> Composite:
    about = f"Zennit's: epsilon on dense layers, {conv.replace('_', '-')} on convolutions"
    return Composite(
        name,
        f"{about}, {first} on the first{' of these' if of else ''}" if first else about,
        {"conv": conv, "activation": "pass"},
        (LayerRule(first, position="first", kind=of),) if first else (),
        _ZENNIT,
    )


_PRESETS = (
    Composite("attnlrp", "LRP aware of attention (Achtibat et al. 2024): the default"),
    Composite(
        "cplrp",
        "CP-LRP (Ali et al. 2022): attention weights count as constants, relevance goes through the values",
        {"softmax": "constant", "product": "signal"},
    ),
    Composite(
        "attnlrp_pooled",
        "attnlrp with the derivative of norms that pool over positions or electrodes (GroupNorm and kin)",
        {"norm": "pooled"},
    ),
    Composite(
        "cplrp_pooled",
        "cplrp with the derivative of norms that pool over positions or electrodes (GroupNorm and kin)",
        {"softmax": "constant", "product": "signal", "norm": "pooled"},
    ),
    Composite(
        "epsilon",
        "LRP-epsilon on every linear layer (Bach et al. 2015), attention as attnlrp",
        {},
        (),
        {"epsilon": 1e-6, "stabilizer": 1e-6},
    ),
    Composite(
        "gamma", "LRP-gamma for signed inputs: contributions of the output's sign favoured", _layers("gamma")
    ),
    Composite(
        "gamma_positive",
        "LRP-gamma as w + gamma w+ (Montavon et al. 2019, Captum)",
        _layers("gamma_positive"),
    ),
    Composite("zplus", "only positive contributions (Montavon et al. 2017): evidence for", _layers("zplus")),
    Composite(
        "alpha2_beta1", "positive evidence twice, negative once (Bach et al. 2015)", _layers("alpha_beta")
    ),
    _zennit("epsilon_plus", "zplus"),
    _zennit("epsilon_plus_flat", "zplus", "flat"),
    _zennit("epsilon_gamma_box", "gamma", "zbox", "conv"),
    _zennit("epsilon_alpha2_beta1", "alpha_beta"),
    _zennit("epsilon_alpha2_beta1_flat", "alpha_beta", "flat"),
    Composite(
        "gradient",
        "the true derivative of every operator; relevance is input x gradient",
        dict.fromkeys(VARIANTS, "gradient"),
    ),
    Composite(
        "difference",
        "against real reference windows: exact secants of every operator, so that relevance sums to "
        "f(x) - f(reference)",
        dict.fromkeys(VARIANTS, "secant"),
    ),
)


def composites() -> dict[str, str]:
    """Names of the presets, and what each is."""
    return {c.name: c.about for c in _PRESETS}


def composite(which: str | Path | Composite, parameters: Mapping[str, float] | None = None) -> Composite:
    """A preset by name, a YAML file, or a composite as it is, with parameters of one's own.

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
        if key in by_name:
            found = by_name[key]
        elif key.endswith((".yaml", ".yml")):
            found = Composite.from_file(Path(which))
        else:
            raise InputError(f"unknown composite {shown(str(which))}; {near(key, by_name)} (or a .yaml file)")
    return found.with_parameters(**dict(parameters)) if parameters else found
