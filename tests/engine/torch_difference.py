"""The reference for the composite `difference`: secants by torch autograd in float64.

Written from the formulas, not from the engine. A network is run twice: on the reference windows, where what
goes into every operator that is not linear is noted, and on the windows, where each of these operators is
replaced by a linear one of the same value, whose slope is the secant between the two. Autograd does the rest.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import torch
from torch.nn import functional
from torch.overrides import TorchFunctionMode

Tensor = torch.Tensor


class Secants(TorchFunctionMode):
    """Notes what operators get, or replaces them by their secants from what was noted.

    Parameters
    ----------
    noted : list of tuple, optional
        What the operators of the reference's pass got, in order; without it this is that pass.
    """

    def __init__(self, noted: list[tuple[Tensor, ...]] | None = None) -> None:
        super().__init__()
        self.noted: list[tuple[Tensor, ...]] = [] if noted is None else list(noted)
        self.records = noted is None

    def __torch_function__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        kwargs = kwargs or {}
        name = getattr(func, "__name__", "")
        if name == "float":  # what a network does in float32 for speed is in float64 here
            return args[0]
        if func is functional.scaled_dot_product_attention:
            with self:
                return _attention(*args, **kwargs)
        if func is functional.multi_head_attention_forward:
            with self:
                return _multi_head(*args)
        found = _secant(func, name, args, kwargs)
        if found is None:
            return func(*args, **kwargs)
        made, here = found
        if self.records:
            self.noted.append(tuple(x.detach() for x in here))
            return func(*args, **kwargs)
        there = self.noted.pop(0)
        assert [x.shape for x in there] == [x.shape for x in here]
        value = func(*args, **kwargs).detach()
        # Zero, with the secant's slope.
        sloped = made(*(x - x.detach() for x in here), *(x.detach() for x in here), *there)
        return value + sloped


Found = tuple[Callable[..., Tensor], tuple[Tensor, ...]]


def _secant(func: Any, name: str, args: Any, kwargs: Any) -> Found | None:
    """The secant of a call, as a function of steps, values here and values there; and its signals."""
    products: dict[str, Callable[[Any, Any], Any]] = {
        "matmul": torch.matmul, "__matmul__": torch.matmul, "bmm": torch.bmm,
        "mul": torch.mul, "__mul__": torch.mul, "__rmul__": torch.mul,
    }  # fmt: skip
    if name in products and len(args) == 2 and all(_is_signal(a) for a in args):
        return _product(products[name]), tuple(args)
    if name == "einsum" and sum(_is_signal(a) for a in args[1:]) == 2:
        return _product(lambda a, b: torch.einsum(args[0], a, b)), tuple(args[1:])
    if not args or not _is_signal(args[0]):
        return None
    x = args[0]
    if name == "square" or (name in ("pow", "__pow__") and args[1] == 2):
        return (lambda d, a, b: d * (a + b)), (x,)
    if name == "softmax":
        axis = kwargs.get("dim", args[1] if len(args) > 1 else -1)
        return (lambda d, a, b: _softmax(d, a, b, axis)), (x,)
    if name == "layer_norm":
        return (lambda d, a, b: _layer_norm(d, a, b, *args[1:], **kwargs)), (x,)
    if name == "group_norm":
        return (lambda d, a, b: _group_norm(d, a, b, *args[1:], **kwargs)), (x,)
    if name in ("gelu", "elu", "relu", "tanh", "sigmoid", "exp", "log", "sqrt"):
        return (lambda d, a, b: d * _quotient(lambda v: func(v, *args[1:], **kwargs), a, b)), (x,)
    if name == "max_pool2d":
        raise NotImplementedError(name)
    return None


def _is_signal(x: Any) -> bool:
    """Whether it depends on the input: the pass on the references runs with gradients, too."""
    return isinstance(x, Tensor) and x.requires_grad


def _quotient(function: Callable[[Tensor], Tensor], a: Tensor, b: Tensor) -> Tensor:
    """``(f(a) - f(b)) / (a - b)``; in float64 no noise comes so near that it cancels."""
    assert (a != b).all()
    return (function(a) - function(b)) / (a - b)


def _product(times: Callable[[Any, Any], Any]) -> Callable[..., Tensor]:
    """Each factor with the mean of the other's two values."""

    def secant(da: Tensor, db: Tensor, a: Tensor, b: Tensor, a_there: Tensor, b_there: Tensor) -> Tensor:
        made: Tensor = times(da, (b + b_there) / 2) + times((a + a_there) / 2, db)
        return made

    return secant


def _softmax(d: Tensor, a: Tensor, b: Tensor, axis: int) -> Tensor:
    """``L (d - sum(L d) / sum(L))``, L the logarithmic mean of the probabilities."""
    s, t = a.softmax(axis), b.softmax(axis)
    mean = (s - t) / (a.log_softmax(axis) - b.log_softmax(axis))
    return mean * (d - (mean * d).sum(axis, keepdim=True) / mean.sum(axis, keepdim=True))


def _layer_norm(
    d: Tensor, a: Tensor, b: Tensor, shape: Any, weight: Any = None, bias: Any = None, eps: float = 1e-5
) -> Tensor:
    """``c = r y`` undone: ``dy = (dc - ybar dr) / rbar`` with ``dr = mean((c + c') dc) / (r + r')``."""
    del bias
    axes = tuple(range(-len(shape), 0))
    (c, r), (c_there, r_there) = _centred(a, axes, eps), _centred(b, axes, eps)
    step = d - d.mean(axes, keepdim=True)
    dr = ((c + c_there) * step).mean(axes, keepdim=True) / (r + r_there)
    y = (step - (c / r + c_there / r_there) / 2 * dr) / ((r + r_there) / 2)
    return y if weight is None else y * weight


def _centred(x: Tensor, axes: tuple[int, ...], eps: float) -> tuple[Tensor, Tensor]:
    c = x - x.mean(axes, keepdim=True)
    return c, (c.square().mean(axes, keepdim=True) + eps).sqrt()


def _group_norm(
    d: Tensor, a: Tensor, b: Tensor, groups: int, weight: Any = None, bias: Any = None, eps: float = 1e-5
) -> Tensor:
    del bias
    flat = [x.reshape(len(x), groups, -1) for x in (d, a, b)]
    y = _layer_norm(*flat, (flat[0].shape[-1],), eps=eps).reshape(d.shape)
    return y if weight is None else y * weight.reshape(1, -1, *(1 for _ in d.shape[2:]))


def _attention(q: Tensor, k: Tensor, v: Tensor, attn_mask: Any = None, **more: Any) -> Tensor:
    assert attn_mask is None
    assert not more.get("is_causal")
    return (q @ k.transpose(-1, -2) / q.shape[-1] ** 0.5).softmax(-1) @ v


def _multi_head(query: Tensor, key: Tensor, value: Tensor, *args: Any) -> tuple[Tensor, None]:
    """Self-attention by one weight for queries, keys and values; (steps, batch, width)."""
    width, heads, weight, bias = args[:4]
    steps, batch, _ = query.shape
    parts = functional.linear(query, weight, bias).chunk(3, -1)
    q, k, v = (p.reshape(steps, batch * heads, width // heads).transpose(0, 1) for p in parts)
    mixed = _attention(q, k, v).transpose(0, 1).reshape(steps, batch, width)
    return functional.linear(mixed, *args[8:10]), None


def difference(
    network: Callable[[Any], Any], x: np.ndarray[Any, Any], reference: np.ndarray[Any, Any], target: list[int]
) -> tuple[np.ndarray[Any, Any], np.ndarray[Any, Any]]:
    """Relevance of the difference of `x` from `reference` for one class a sample, and that difference's size.

    Parameters
    ----------
    network : torch.nn.Module
        In eval mode, in float64. Its parameters must not require gradients.
    x, reference : ndarray
        Of one shape.
    target : list of int
    """
    here = torch.tensor(x, dtype=torch.float64, requires_grad=True)
    there = torch.tensor(reference, dtype=torch.float64, requires_grad=True)
    rows = torch.arange(len(x)), torch.tensor(target)
    noting = Secants()
    with noting:
        y_there = network(there)[rows]
    replacing = Secants(noting.noted)
    with replacing:
        y = network(here)[rows]
        y.sum().backward()
    assert not replacing.noted
    apart = (here - there).detach()
    return (apart * here.grad).numpy(), (y - y_there).detach().numpy()
