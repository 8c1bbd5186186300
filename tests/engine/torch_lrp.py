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


def _gelu(x: Any, approximate: str = "none") -> Any:
    return x * (0.5 * (1 + torch.erf(x / 2**0.5))).detach()


def _elu(x: Any, *_: Any, **__: Any) -> Any:
    safe = torch.where(x == 0, torch.ones_like(x), x)
    return x * torch.where(x == 0, torch.ones_like(x), functional.elu(safe) / safe).detach()


def _log(x: Any) -> Any:
    return x * (torch.log(x) / x).detach()


class Lrp(TorchFunctionMode):
    """AttnLRP (Achtibat et al. 2024), or CP-LRP (Ali et al. 2022), by detaching.

    Under "..._pooled" group norms keep their derivative.
    """

    def __init__(self, composite: str) -> None:
        super().__init__()
        self.pooled = composite.endswith("_pooled")
        self.composite = composite.removesuffix("_pooled")

    def __torch_function__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        kwargs = kwargs or {}
        name = getattr(func, "__name__", "")
        if name == "float":  # what a network does in float32 for speed is in float64 here
            return args[0]
        if self.composite == "gradient":
            return func(*args, **kwargs)
        whole = self._layer(func)
        if whole is not None:
            return whole(*args, **kwargs)
        if name == "rsqrt" or (name == "softmax" and self.composite == "cplrp"):
            return func(*args, **kwargs).detach()  # the normaliser of RMSNorm, or attention, is constant
        if name == "abs" and args[0].is_complex():
            return _modulus(args[0])
        product = self._of_signals(name, args)
        return func(*args, **kwargs) if product is None else product

    def _layer(self, func: Any) -> Callable[..., Any] | None:
        """What stands for a whole layer."""
        found: dict[Any, Callable[..., Any]] = {
            functional.layer_norm: _layer_norm,
            functional.gelu: _gelu,
            functional.elu: _elu,
            torch.log: _log,
            torch.Tensor.log: _log,
            functional.multi_head_attention_forward: self._multi_head,
            functional.scaled_dot_product_attention: self._attention,
        }
        if not self.pooled:
            found[functional.group_norm] = _group_norm
        return found.get(func)

    def _of_signals(self, name: str, args: Any) -> Any:
        """A product whose factors are both signals; None for anything else."""
        if name in ("matmul", "__matmul__", "bmm") and _needs(args[0]) and _needs(args[1]):
            return self._product(torch.matmul, *args)
        if name == "einsum" and sum(_needs(a) for a in args[1:]) == 2:
            return self._product(lambda a, b: torch.einsum(args[0], a, b), *args[1:])
        if name in ("mul", "__mul__", "square") and all(_needs(a) for a in args):
            a, b = (args[0], args[0]) if name == "square" else args
            return 0.5 * (a * b.detach() + a.detach() * b)
        return None

    @staticmethod
    def _product(product: Callable[[Any, Any], Any], a: Any, b: Any) -> Any:
        """The uniform rule: half of each adjoint."""
        return 0.5 * (product(a, b.detach()) + product(a.detach(), b))

    def _attention(
        self, q: Any, k: Any, v: Any, attn_mask: Any = None, dropout_p: float = 0.0, **more: Any
    ) -> Any:
        assert attn_mask is None
        assert not more.get("is_causal")
        scores = self._product(torch.matmul, q, k.transpose(-1, -2)) / q.shape[-1] ** 0.5
        weights = scores.softmax(-1)
        if self.composite == "cplrp":
            return weights.detach() @ v
        return self._product(torch.matmul, weights, v)

    def _multi_head(self, query: Any, key: Any, value: Any, *args: Any, **named: Any) -> Any:
        """Self-attention by one weight for queries, keys and values; (steps, batch, width)."""
        width, heads, weight, bias = args[:4]
        out_weight, out_bias = args[8:10]
        assert query is key or torch.equal(query, key)
        steps, batch, _ = query.shape
        parts = functional.linear(query, weight, bias).chunk(3, -1)
        q, k, v = (p.reshape(steps, batch * heads, width // heads).transpose(0, 1) for p in parts)
        mixed = self._attention(q, k, v).transpose(0, 1).reshape(steps, batch, width)
        return functional.linear(mixed, out_weight, out_bias), None


def _modulus(z: Any) -> Any:
    """``sqrt(re^2 + im^2)``: squares gated by what is squared, all of the root's relevance to the sum."""
    re, im = z.real, z.imag
    return (re * re.detach() + im * im.detach()) / z.detach().abs()


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
