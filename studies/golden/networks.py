"""The small networks of the golden maps, in torch, with the weights of their ONNX files."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import torch
from onnx import numpy_helper
from torch import nn
from torch.nn import functional

RMS_EPS = 1e-6


class Square(nn.Module):
    """x squared."""

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return x * x


class SafeLog(nn.Module):
    """The logarithm of what is at least 1e-6."""

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return torch.log(torch.clamp(x, min=1e-6))


def mlp() -> nn.Module:
    """Three dense layers."""
    return nn.Sequential(
        nn.Linear(20, 32), nn.ReLU(), nn.Linear(32, 16), nn.ReLU(), nn.Linear(16, 4)
    )  # fmt: skip


def cnn_bn() -> nn.Module:
    """Two convolutions with batch normalisation, both kinds of pooling, two dense layers."""
    return nn.Sequential(
        nn.Conv2d(3, 8, 3, padding=1), nn.BatchNorm2d(8), nn.ReLU(), nn.MaxPool2d(2),
        nn.Conv2d(8, 16, 3, padding=1), nn.BatchNorm2d(16), nn.ReLU(), nn.AvgPool2d(2),
        nn.Flatten(), nn.Linear(256, 32), nn.ReLU(), nn.Linear(32, 5),
    )  # fmt: skip


def shallow() -> nn.Module:
    """ShallowFBCSPNet in small: filters in time and space, power, logarithm."""
    return nn.Sequential(
        nn.Conv2d(1, 12, (1, 25)), nn.Conv2d(12, 12, (8, 1), bias=False), nn.BatchNorm2d(12), Square(),
        nn.AvgPool2d((1, 32), (1, 8)), SafeLog(), nn.Dropout(), nn.Flatten(), nn.Linear(192, 4),
    )  # fmt: skip


def eegnet() -> nn.Module:
    """EEGNet in small: depthwise and pointwise convolutions, ELU, average pooling."""
    return nn.Sequential(
        nn.Conv2d(1, 4, (1, 16), padding="same", bias=False), nn.BatchNorm2d(4),
        nn.Conv2d(4, 8, (6, 1), groups=4, bias=False), nn.BatchNorm2d(8), nn.ELU(),
        nn.AvgPool2d((1, 4)), nn.Dropout(), nn.Conv2d(8, 8, (1, 8), padding=(0, 4), groups=8, bias=False),
        nn.Conv2d(8, 8, 1, bias=False), nn.BatchNorm2d(8), nn.ELU(), nn.AvgPool2d((1, 4)), nn.Dropout(),
        nn.Flatten(), nn.Linear(32, 3),
    )  # fmt: skip


class Sum(nn.Module):
    """What zennit has its own module for: a sum along the last axis."""

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return x.sum(-1)


class Residual(nn.Module):
    """A residual block; `stacked` sums as zennit needs it, in a module of one input."""

    stacked = False

    def __init__(self, width: int, out: int, stride: int) -> None:
        super().__init__()
        self.conv1, self.bn1 = nn.Conv2d(width, out, 3, stride, 1, bias=False), nn.BatchNorm2d(out)
        self.relu = nn.ReLU()
        self.conv2, self.bn2 = nn.Conv2d(out, out, 3, 1, 1, bias=False), nn.BatchNorm2d(out)
        self.short = nn.Sequential(nn.Conv2d(width, out, 1, stride, bias=False), nn.BatchNorm2d(out))
        self.sum, self.last = Sum(), nn.ReLU()

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        a, b = self.short(x), self.bn2(self.conv2(self.relu(self.bn1(self.conv1(x)))))
        return self.last(self.sum(torch.stack([a, b], -1)) if self.stacked else a + b)


def resnet() -> nn.Module:
    """A residual network: two blocks, global average pooling."""
    return nn.Sequential(
        nn.Conv2d(3, 6, 3, 1, 1, bias=False), nn.BatchNorm2d(6), nn.ReLU(), nn.MaxPool2d(3, 2, 1),
        Residual(6, 6, 1), Residual(6, 10, 2), nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(10, 4),
    )  # fmt: skip


def decoder() -> nn.Module:
    """Transposed convolutions, and normalisations with a layer before them and without."""
    return nn.Sequential(
        nn.BatchNorm1d(3), nn.ConvTranspose1d(3, 8, 4, 2, 1, bias=False), nn.BatchNorm1d(8),
        nn.Softplus(beta=2),
        nn.Conv1d(8, 8, 3, dilation=2, groups=2), nn.LeakyReLU(0.1), nn.MaxPool1d(3, 2), nn.BatchNorm1d(8),
        nn.ConvTranspose1d(8, 6, 3, 2, 1, 1), nn.SiLU(), nn.AvgPool1d(4), nn.Flatten(),
        nn.BatchNorm1d(36), nn.Linear(36, 3),
    )  # fmt: skip


class Block(nn.Module):
    """A transformer block with normalised queries and keys and LayerScale, as LaBraM's.

    `calls` are the functions it is made of, so that a library can bring its own.
    """

    heads = 4

    def __init__(self, calls: Any, dim: int = 32, hidden: int = 64) -> None:
        super().__init__()
        self.calls = calls
        self.g1, self.g2 = nn.Parameter(torch.ones(dim)), nn.Parameter(torch.ones(dim))
        self.n1, self.n2 = nn.LayerNorm(dim, eps=1e-6), nn.LayerNorm(dim, eps=1e-6)
        self.qkv, self.proj = nn.Linear(dim, 3 * dim, bias=False), nn.Linear(dim, dim)
        self.qn = nn.LayerNorm(dim // self.heads, eps=1e-6)
        self.kn = nn.LayerNorm(dim // self.heads, eps=1e-6)
        self.f1, self.f2 = nn.Linear(dim, hidden), nn.Linear(hidden, dim)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        c = self.calls
        n, tokens, dim = x.shape
        h = c.linear(c.norm(x, self.n1), self.qkv).reshape(n, tokens, 3, self.heads, dim // self.heads)
        q, k, v = h.permute(2, 0, 3, 1, 4).unbind(0)
        q, k = c.norm(q, self.qn), c.norm(k, self.kn)
        o = c.attention(c.scale(q, q.new_tensor((dim // self.heads) ** -0.5)), k, v)
        o = o.transpose(1, 2).reshape(n, tokens, dim)
        x = c.add(x, c.scale(c.linear(o, self.proj), self.g1))
        h = c.linear(c.activation(c.linear(c.norm(x, self.n2), self.f1), functional.gelu), self.f2)
        return c.add(x, c.scale(h, self.g2))


class Labramlike(nn.Module):
    """LaBraM in small: patches by convolution, a class token, positions, two blocks."""

    def __init__(self, calls: Any) -> None:
        super().__init__()
        self.calls = calls
        self.cls, self.pos = nn.Parameter(torch.zeros(1, 1, 32)), nn.Parameter(torch.zeros(1, 25, 32))
        self.conv = nn.Conv1d(1, 32, 24, stride=24)
        self.blocks = nn.ModuleList(Block(calls) for _ in range(2))
        self.norm, self.head = nn.LayerNorm(32, eps=1e-6), nn.Linear(32, 4)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        c = self.calls
        n, channels, samples = x.shape
        h = c.conv(x.reshape(n * channels, 1, samples), self.conv)
        h = h.transpose(1, 2).reshape(n, -1, 32)
        h = c.add_constant(torch.cat([self.cls.expand(n, -1, -1), h], 1), self.pos)
        for block in self.blocks:
            h = block(h)
        return c.linear(c.norm(h, self.norm)[:, 0], self.head)


class PostBlock(nn.Module):
    """A transformer block as BERT's: normalised after each sum, tokens that are masked."""

    heads = 2

    def __init__(self, calls: Any, dim: int = 16) -> None:
        super().__init__()
        self.calls = calls
        self.q, self.k, self.v, self.o = (nn.Linear(dim, dim) for _ in range(4))
        self.n1, self.n2 = nn.LayerNorm(dim, eps=1e-6), nn.LayerNorm(dim, eps=1e-6)
        self.f1, self.f2 = nn.Linear(dim, 2 * dim), nn.Linear(2 * dim, dim)

    def forward(self, x: torch.Tensor, mask: torch.Tensor) -> torch.Tensor:
        c = self.calls
        q, k, v = (split(c.linear(x, layer), self.heads) for layer in (self.q, self.k, self.v))
        o = c.attention(c.scale(q, q.shape[-1] ** -0.5), k, v, mask)
        x = c.norm(c.add(x, c.linear(joined(o), self.o)), self.n1)
        h = c.linear(c.activation(c.linear(x, self.f1), functional.gelu), self.f2)
        return c.norm(c.add(x, h), self.n2)


class Bertlike(nn.Module):
    """BERT in small, over embeddings: positions, two blocks, a pooler."""

    def __init__(self, calls: Any) -> None:
        super().__init__()
        self.calls = calls
        self.embed, self.pos = nn.Linear(8, 16), nn.Parameter(torch.zeros(1, 6, 16))
        self.norm = nn.LayerNorm(16, eps=1e-6)
        self.blocks = nn.ModuleList(PostBlock(calls) for _ in range(2))
        self.pool, self.head = nn.Linear(16, 16), nn.Linear(16, 3)
        self.mask: torch.Tensor
        self.register_buffer("mask", torch.arange(6).expand(6, 6) < 5)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        c = self.calls
        h = c.norm(c.add_constant(c.linear(x, self.embed), self.pos), self.norm)
        for block in self.blocks:
            h = block(h, self.mask)
        return c.linear(c.activation(c.linear(h[:, 0], self.pool), torch.tanh), self.head)


class GatedBlock(nn.Module):
    """A transformer block as LLaMA's: rotary positions, fewer keys than queries, a gated unit."""

    heads, groups = 4, 2

    def __init__(self, calls: Any, dim: int = 16, hidden: int = 24) -> None:
        super().__init__()
        self.calls = calls
        small = dim // self.heads * self.groups
        self.q, self.o = nn.Linear(dim, dim, bias=False), nn.Linear(dim, dim, bias=False)
        self.k, self.v = nn.Linear(dim, small, bias=False), nn.Linear(dim, small, bias=False)
        self.gate, self.up = nn.Linear(dim, hidden, bias=False), nn.Linear(dim, hidden, bias=False)
        self.down = nn.Linear(hidden, dim, bias=False)
        self.n1, self.n2 = nn.Parameter(torch.ones(dim)), nn.Parameter(torch.ones(dim))

    def turned(self, x: torch.Tensor, cos: torch.Tensor, sin: torch.Tensor) -> torch.Tensor:
        a, b = x.chunk(2, -1)
        half = torch.cat([self.calls.activation(b, torch.neg), a], -1)
        return self.calls.add(self.calls.scale(x, cos), self.calls.scale(half, sin))

    def forward(
        self, x: torch.Tensor, cos: torch.Tensor, sin: torch.Tensor, mask: torch.Tensor
    ) -> torch.Tensor:
        c = self.calls
        h = c.rms_norm(x, self.n1)
        q = self.turned(split(c.linear(h, self.q), self.heads), cos, sin)
        k = self.turned(split(c.linear(h, self.k), self.groups), cos, sin)
        k, v = (repeated(t, self.heads) for t in (k, split(c.linear(h, self.v), self.groups)))
        o = c.attention(c.scale(q, q.shape[-1] ** -0.5), k, v, mask)
        x = c.add(x, c.linear(joined(o), self.o))
        h = c.rms_norm(x, self.n2)
        gate = c.activation(c.gate(c.linear(h, self.gate)), functional.silu)
        return c.add(x, c.linear(c.gated(gate, c.linear(h, self.up)), self.down))


class Llamalike(nn.Module):
    """LLaMA in small, over embeddings: two blocks, causal."""

    def __init__(self, calls: Any) -> None:
        super().__init__()
        self.calls = calls
        self.embed = nn.Linear(8, 16, bias=False)
        self.blocks = nn.ModuleList(GatedBlock(calls) for _ in range(2))
        self.norm, self.head = nn.Parameter(torch.ones(16)), nn.Linear(16, 4, bias=False)
        angles = torch.outer(torch.arange(6.0), torch.tensor([1.0, 0.1])).repeat(1, 2)
        self.cos: torch.Tensor
        self.sin: torch.Tensor
        self.mask: torch.Tensor
        self.register_buffer("cos", angles.cos())
        self.register_buffer("sin", angles.sin())
        self.register_buffer("mask", torch.full((6, 6), -torch.inf).triu(1))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        c = self.calls
        h = c.linear(x, self.embed)
        for block in self.blocks:
            h = block(h, self.cos, self.sin, self.mask)
        return c.linear(c.rms_norm(h, self.norm)[:, -1], self.head)


TRANSFORMERS = {"labramlike": Labramlike, "bertlike": Bertlike, "llamalike": Llamalike}


def split(x: torch.Tensor, heads: int) -> torch.Tensor:
    """[n, tokens, dim] as [n, heads, tokens, dim of a head]."""
    return x.reshape(x.shape[0], x.shape[1], heads, -1).transpose(1, 2)


def joined(x: torch.Tensor) -> torch.Tensor:
    """The heads side by side again."""
    return x.transpose(1, 2).reshape(x.shape[0], x.shape[2], -1)


def repeated(x: torch.Tensor, heads: int) -> torch.Tensor:
    """Each group's keys or values for all of its heads."""
    n, groups, tokens, dim = x.shape
    wide = x[:, :, None].expand(n, groups, heads // groups, tokens, dim)
    return wide.reshape(n, heads, tokens, dim)


class Plain:
    """Torch's own functions."""

    def linear(self, x: torch.Tensor, layer: nn.Linear) -> torch.Tensor:
        return functional.linear(x, layer.weight, layer.bias)

    def conv(self, x: torch.Tensor, layer: nn.Module) -> torch.Tensor:
        return layer(x)

    def norm(self, x: torch.Tensor, layer: nn.LayerNorm) -> torch.Tensor:
        return layer(x)

    def rms_norm(self, x: torch.Tensor, weight: torch.Tensor) -> torch.Tensor:
        return x * torch.rsqrt(x.square().mean(-1, keepdim=True) + RMS_EPS) * weight

    def activation(self, x: torch.Tensor, f: Callable[[torch.Tensor], torch.Tensor]) -> torch.Tensor:
        return f(x)

    def gate(self, x: torch.Tensor) -> torch.Tensor:
        return x

    def gated(self, gate: torch.Tensor, x: torch.Tensor) -> torch.Tensor:
        return gate * x

    def scale(self, x: torch.Tensor, by: torch.Tensor | float) -> torch.Tensor:
        return x * by

    def add(self, a: torch.Tensor, b: torch.Tensor) -> torch.Tensor:
        return a + b

    def add_constant(self, x: torch.Tensor, constant: torch.Tensor) -> torch.Tensor:
        return x + constant

    def attention(
        self, q: torch.Tensor, k: torch.Tensor, v: torch.Tensor, mask: torch.Tensor | None = None
    ) -> torch.Tensor:
        if mask is not None and mask.dtype == torch.bool:
            return functional.scaled_dot_product_attention(q, k, v, mask, scale=1.0)
        scores = q @ k.transpose(-1, -2)
        return torch.softmax(scores if mask is None else scores + mask, -1) @ v


def with_weights(network: nn.Module, file: Path) -> nn.Module:
    """The network in float64 with the weights of a file, asking for no gradient of them."""
    graph = onnx.load(file).graph
    weights = {
        i.name: torch.from_numpy(numpy_helper.to_array(i).astype(np.float64)) for i in graph.initializer
    }
    missing, extra = network.double().load_state_dict(weights, strict=False)
    missing = [m for m in missing if not m.endswith("num_batches_tracked")]
    if missing or extra:
        raise ValueError(f"{file.name}: weights missing {missing}, left over {extra}")
    return network.eval().requires_grad_(False)
