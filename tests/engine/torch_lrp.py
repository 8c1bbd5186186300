"""The reference: relevance by torch autograd in float64, its rules written by detaching.

Written from the papers, not from the engine. A `TorchFunctionMode` gets every torch call of the
network and replaces those that need another backward pass than their derivative.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import torch
from torch.nn import functional
from torch.overrides import TorchFunctionMode


def _needs(x: Any) -> bool:
    return isinstance(x, torch.Tensor) and x.requires_grad


class Lrp(TorchFunctionMode):
    """AttnLRP (Achtibat et al. 2024), or CP-LRP (Ali et al. 2022), by detaching."""

    def __init__(self, composite: str) -> None:
        super().__init__()
        self.composite = composite

    def __torch_function__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        kwargs = kwargs or {}
        if self.composite == "gradient":
            return func(*args, **kwargs)
        name = getattr(func, "__name__", "")
        if func is functional.layer_norm:
            return _layer_norm(*args, **kwargs)
        if func is functional.group_norm:
            return _group_norm(*args, **kwargs)
        if func is functional.gelu:
            x = args[0]
            return x * (0.5 * (1 + torch.erf(x / 2**0.5))).detach()
        if func is functional.elu:
            x = args[0]
            safe = torch.where(x == 0, torch.ones_like(x), x)
            return x * torch.where(x == 0, torch.ones_like(x), functional.elu(safe) / safe).detach()
        if func in (torch.log, torch.Tensor.log):
            x = args[0]
            return x * (torch.log(x) / x).detach()
        if name == "softmax" and self.composite == "cplrp":
            return func(*args, **kwargs).detach()
        if name in ("matmul", "__matmul__") and _needs(args[0]) and _needs(args[1]):
            a, b = args
            return 0.5 * (a @ b.detach() + a.detach() @ b)
        if name in ("mul", "__mul__", "square") and all(_needs(a) for a in args):
            a, b = (args[0], args[0]) if name == "square" else args
            return 0.5 * (a * b.detach() + a.detach() * b)
        return func(*args, **kwargs)


def _layer_norm(x: Any, shape: Any, weight: Any = None, bias: Any = None, eps: float = 1e-5) -> Any:
    axes = tuple(range(-len(shape), 0))
    centred = x - x.mean(axes, keepdim=True)
    y = centred / (centred.square().mean(axes, keepdim=True) + eps).sqrt().detach()
    y = y if weight is None else y * weight
    return y if bias is None else y + bias


def _group_norm(x: Any, groups: int, weight: Any = None, bias: Any = None, eps: float = 1e-5) -> Any:
    y = _layer_norm(x.reshape(len(x), groups, -1), (x[0].numel() // groups,), eps=eps).reshape(x.shape)
    channel = (1, -1, *(1 for _ in x.shape[2:]))
    y = y if weight is None else y * weight.reshape(channel)
    return y if bias is None else y + bias.reshape(channel)


def relevance(
    network: Callable[[Any], Any], x: np.ndarray[Any, Any], target: list[int], composite: str
) -> np.ndarray[Any, Any]:
    """Relevance of `x` for one class a sample, float64.

    Parameters
    ----------
    network : torch.nn.Module
        In eval mode; a float64 copy of the one that was exported. Its parameters must not require
        gradients, so that what does depends on the input.
    """
    t = torch.tensor(x, dtype=torch.float64, requires_grad=True)
    with Lrp(composite):
        y = network(t)
        y[torch.arange(len(x)), torch.tensor(target)].sum().backward()
    return (t * t.grad).detach().numpy()
