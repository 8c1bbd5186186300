"""The four small networks of the golden maps, in torch, with the weights of their ONNX files."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import onnx
import torch
from onnx import numpy_helper
from torch import nn
from torch.nn import functional


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
        h = c.linear(c.gelu(c.linear(c.norm(x, self.n2), self.f1)), self.f2)
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


class Plain:
    """Torch's own functions."""

    def linear(self, x: torch.Tensor, layer: nn.Linear) -> torch.Tensor:
        return functional.linear(x, layer.weight, layer.bias)

    def conv(self, x: torch.Tensor, layer: nn.Module) -> torch.Tensor:
        return layer(x)

    def norm(self, x: torch.Tensor, layer: nn.LayerNorm) -> torch.Tensor:
        return layer(x)

    def gelu(self, x: torch.Tensor) -> torch.Tensor:
        return functional.gelu(x)

    def scale(self, x: torch.Tensor, by: torch.Tensor) -> torch.Tensor:
        return x * by

    def add(self, a: torch.Tensor, b: torch.Tensor) -> torch.Tensor:
        return a + b

    def add_constant(self, x: torch.Tensor, constant: torch.Tensor) -> torch.Tensor:
        return x + constant

    def attention(self, q: torch.Tensor, k: torch.Tensor, v: torch.Tensor) -> torch.Tensor:
        return torch.softmax(q @ k.transpose(-1, -2), -1) @ v


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
