"""Three small networks of unlike kinds, and one recipe to train them on simulated windows.

LaBraM has GroupNorm over all electrodes and LayerNorm, EEGNet has convolutions, batch norms, ELU and pooling,
the patch network is a transformer with LayerNorm only.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray
from simulate import CHANNELS, SFREQ
from sources import SAMPLES
from training import SIZE, START, descend

from onnxplain.exporters.request import Built, Request


class Recipe(NamedTuple):
    """How one architecture is trained: epochs, windows of a step, and the highest learning rate."""

    epochs: int
    batch: int
    rate: float


RECIPES: Mapping[str, Recipe] = {
    "LaBraM": Recipe(8, 20, 2e-3),
    "EEGNet": Recipe(12, 20, 3e-3),
    "patch net": Recipe(8, 20, 2e-3),
}
# The patch network: samples of a patch, width, heads, layers.
PATCH, WIDTH, HEADS, LAYERS = 100, 48, 4, 2
NOISE = 0.1  # of each electrode and sample, in the network's unit


def built(architecture: str, classes: tuple[str, str]) -> Built:
    """An untrained network and its contract."""
    options: dict[str, Any] = {
        "LaBraM": {**SIZE, **START},
        "EEGNet": {"F1": 4, "D": 2, "kernel_length": 32, "drop_prob": 0.25},
    }.get(architecture, {})
    request = Request(
        channels=CHANNELS, sfreq=SFREQ, window=SAMPLES / SFREQ, classes=classes, options=options
    )
    if architecture == "LaBraM":
        from onnxplain.exporters.labram import labram

        return labram(request)
    from onnxplain.exporters.networks import network

    made = network("EEGNet", request)
    return made if architecture == "EEGNet" else Built(_patch_net(), made.contract, ())


def _patch_net() -> Any:
    """A token for each electrode and patch of time; pre-norm attention; each electrode's mean is read."""
    import torch
    from torch import nn

    class Block(nn.Module):  # type: ignore[misc]
        def __init__(self) -> None:
            super().__init__()
            self.norm1, self.norm2 = nn.LayerNorm(WIDTH), nn.LayerNorm(WIDTH)
            self.qkv, self.out = nn.Linear(WIDTH, 3 * WIDTH), nn.Linear(WIDTH, WIDTH)
            self.mlp = nn.Sequential(nn.Linear(WIDTH, 2 * WIDTH), nn.GELU(), nn.Linear(2 * WIDTH, WIDTH))

        def forward(self, x: Any) -> Any:
            n, tokens = x.shape[0], x.shape[1]
            parts = self.qkv(self.norm1(x)).reshape(n, tokens, 3, HEADS, WIDTH // HEADS)
            q, k, v = parts.permute(2, 0, 3, 1, 4).unbind(0)
            weights = torch.softmax(q @ k.transpose(-1, -2) * (WIDTH // HEADS) ** -0.5, -1)
            x = x + self.out((weights @ v).transpose(1, 2).reshape(n, tokens, WIDTH))
            return x + self.mlp(self.norm2(x))

    class PatchNet(nn.Module):  # type: ignore[misc]
        def __init__(self) -> None:
            super().__init__()
            self.embed = nn.Sequential(nn.Linear(PATCH, 2 * WIDTH), nn.GELU(), nn.Linear(2 * WIDTH, WIDTH))
            # Input of about 0.1 starts as large as positions are.
            self.embed[0].weight.data *= 10
            self.place = nn.Parameter(torch.randn(1, len(CHANNELS), 1, WIDTH) * 0.1)
            self.moment = nn.Parameter(torch.randn(1, 1, SAMPLES // PATCH, WIDTH) * 0.1)
            self.blocks = nn.Sequential(*(Block() for _ in range(LAYERS)))
            self.norm, self.head = nn.LayerNorm(WIDTH), nn.Linear(len(CHANNELS) * WIDTH, 2)

        def forward(self, x: Any) -> Any:
            tokens = self.embed(x.reshape(-1, len(CHANNELS), SAMPLES // PATCH, PATCH))
            flat = (tokens + self.place + self.moment).flatten(1, 2)
            read = self.norm(self.blocks(flat)).reshape(-1, *tokens.shape[1:]).mean(2)
            return self.head(read.flatten(1))

    return PatchNet()


def trained(
    architecture: str,
    classes: tuple[str, str],
    x: NDArray[np.float32],
    label: NDArray[np.int64],
    seed: int,
) -> Built:
    """A network that has learnt to tell the classes of windows [n, channel, time] apart."""
    import torch

    torch.set_num_threads(1)
    torch.manual_seed(seed)
    made, recipe = built(architecture, classes), RECIPES[architecture]
    net = made.module
    data = torch.from_numpy(x).reshape(-1, *made.contract.shape)
    y = torch.from_numpy(label)
    optimiser = torch.optim.AdamW(net.parameters(), lr=recipe.rate, weight_decay=0.05, fused=True)
    steps = len(data) // recipe.batch
    schedule = torch.optim.lr_scheduler.OneCycleLR(
        optimiser, recipe.rate, recipe.epochs * steps, pct_start=0.15
    )
    net.train()
    for _ in range(recipe.epochs):
        for rows in torch.randperm(len(data))[: steps * recipe.batch].reshape(steps, recipe.batch):
            noisy = data[rows] + NOISE * torch.randn(recipe.batch, *data.shape[1:])
            descend(net, noisy, y[rows], optimiser, schedule)
    return Built(net.eval(), made.contract, ())
