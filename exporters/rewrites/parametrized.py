"""Weights that are computed from others (a max-norm constraint, weight norm) as the values they have.

The constraint is for training; as operators in the file it would only repeat itself at each run, and the
legacy exporter has no word for it (renorm).
"""

from __future__ import annotations

import copy
from typing import Any

from ..extras import need


def copied(network: Any) -> Any:
    """A deep copy, also where weight norm has left a weight that came of others, which cannot be copied."""
    norm = need("torch.nn.utils.weight_norm")
    for part in network.modules():
        for hook in getattr(part, "_forward_pre_hooks", {}).values():
            if isinstance(hook, norm.WeightNorm):
                setattr(part, hook.name, getattr(part, hook.name).detach())  # made anew at each call
    return copy.deepcopy(network)


def _own_class(part: Any) -> None:
    """A copy of a parametrised part shares its class with the original, and baking changes that class."""
    cls = type(part)
    body = {k: v for k, v in vars(cls).items() if k not in ("__dict__", "__weakref__")}
    part.__class__ = type(cls.__name__, cls.__bases__, body)


def apply(network: Any, example: Any = None) -> Any:
    """Bake every parametrised or weight-normed part."""
    parametrize, norm = need("torch.nn.utils.parametrize"), need("torch.nn.utils.weight_norm")
    found = False
    for part in list(network.modules()):
        if parametrize.is_parametrized(part):
            _own_class(part)
            for name in list(part.parametrizations):
                parametrize.remove_parametrizations(part, name, leave_parametrized=True)
            found = True
        for hook in list(getattr(part, "_forward_pre_hooks", {}).values()):
            if isinstance(hook, norm.WeightNorm):
                norm.remove_weight_norm(part, hook.name)
                found = True
    return network if found else None
