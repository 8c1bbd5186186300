"""Ten small networks, and one recipe to train them on windows."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray


class Recipe(NamedTuple):
    """Epochs, windows of a step, the highest learning rate, noise on the input (in its own spread)."""

    epochs: int
    batch: int
    rate: float
    noise: float = 0.1


RECIPES: dict[str, Recipe] = {
    "EEGNet": Recipe(18, 24, 4e-3),
    "ShallowFBCSPNet": Recipe(13, 24, 3e-3),
    "Deep4Net": Recipe(16, 24, 4e-3),
    "EEGConformer": Recipe(16, 24, 1.5e-3),
    "ATCNet": Recipe(15, 24, 2e-3),
    "PatchNet": Recipe(20, 24, 2e-3),
    "GRU": Recipe(24, 24, 4e-3),
    "BandPower": Recipe(80, 48, 1e-2, 0.02),
    "LSTM": Recipe(24, 24, 4e-3),
    "DepthNet": Recipe(18, 24, 3e-3),
}
# torch's older exporter is the faster one, but no runtime loads what it makes of these (their first layer).
NEWER = ("ShallowFBCSPNet", "Deep4Net")
# The last layer of a network that gives a rating: its middle and half its span.
MIDDLE, HALF = 5.0, 4.0
BANDS = ((1.0, 4.0), (4.0, 8.0), (8.0, 13.0), (13.0, 20.0), (20.0, 30.0), (30.0, 45.0))


def built(architecture: str, contract: Any) -> Any:
    """An untrained network for the contract's windows, [batch, channel, time]; one output a class, or one."""
    from torch import nn

    channels, samples, rate = len(contract.channels), contract.window, contract.sfreq
    outputs = len(contract.classes) or 1
    own = {
        "PatchNet": _patch_net, "GRU": _gru, "BandPower": _band_power, "LSTM": _lstm, "DepthNet": _depth_net,
    }  # fmt: skip
    if architecture in own:
        net = own[architecture](channels, samples, rate, outputs)
    else:
        net = _braindecode(architecture, channels, samples, rate, outputs)
    return net if contract.classes else nn.Sequential(net, _rating())


def _braindecode(architecture: str, channels: int, samples: int, rate: float, outputs: int) -> Any:
    from onnxplain.exporters.extras import braindecode_models

    quarter = int(rate / 4)
    options: dict[str, Any] = {
        "EEGNet": {"F1": 4, "D": 2, "kernel_length": int(rate / 4) // 2 * 2, "drop_prob": 0.2},
        "ShallowFBCSPNet": {
            "n_filters_time": 10, "n_filters_spat": 10, "filter_time_length": int(rate / 8),
            "pool_time_length": min(quarter * 2, samples // 3), "pool_time_stride": quarter,
            "final_conv_length": "auto", "drop_prob": 0.3,
        },
        "Deep4Net": {
            "n_filters_time": 8, "n_filters_spat": 8, "n_filters_2": 12, "n_filters_3": 16, "n_filters_4": 24,
            "filter_length_2": 5, "filter_length_3": 5, "filter_length_4": 5, "final_conv_length": "auto",
            "drop_prob": 0.2,
        },
        "EEGConformer": {
            "n_filters_time": 12, "num_layers": 2, "num_heads": 4, "filter_time_length": int(rate / 8),
            "pool_time_length": quarter, "pool_time_stride": quarter // 2, "drop_prob": 0.2,
            "att_drop_prob": 0.2, "final_fc_length": "auto",
        },
        "ATCNet": {
            "input_window_seconds": samples / rate, "sfreq": rate, "n_windows": 2, "conv_block_n_filters": 8,
            "tcn_depth": 1, "num_heads": 2, "head_dim": 4,
            "conv_block_kernel_length_1": int(rate / 4), "conv_block_kernel_length_2": 8,
            "conv_block_pool_size_1": 8, "conv_block_pool_size_2": 4 if samples < 400 else 7,
        },
    }[architecture]  # fmt: skip
    cls = getattr(braindecode_models(), architecture)
    return cls(n_chans=channels, n_outputs=outputs, n_times=samples, **options)


def _rating() -> Any:
    """The one output as a rating."""
    import torch
    from torch import nn

    class Rating(nn.Module):  # type: ignore[misc]
        def __init__(self) -> None:
            super().__init__()
            self.register_buffer("middle", torch.tensor(MIDDLE))

        def forward(self, x: Any) -> Any:
            return x * (HALF / 2) + self.middle

    return Rating()


def _patch_net(channels: int, samples: int, rate: float, outputs: int) -> Any:
    """A token for each half of a second of all electrodes; pre-norm attention; the tokens' mean is read."""
    import torch
    from torch import nn

    width, heads = 32, 4
    patch = next(p for p in range(round(rate / 2), 0, -1) if samples % p == 0)

    class Block(nn.Module):  # type: ignore[misc]
        def __init__(self) -> None:
            super().__init__()
            self.norm1, self.norm2 = nn.LayerNorm(width), nn.LayerNorm(width)
            self.qkv, self.out = nn.Linear(width, 3 * width), nn.Linear(width, width)
            self.mlp = nn.Sequential(nn.Linear(width, 2 * width), nn.GELU(), nn.Linear(2 * width, width))

        def forward(self, x: Any) -> Any:
            n, tokens = x.shape[0], x.shape[1]
            parts = self.qkv(self.norm1(x)).reshape(n, tokens, 3, heads, width // heads)
            q, k, v = parts.permute(2, 0, 3, 1, 4).unbind(0)
            weights = torch.softmax(q @ k.transpose(-1, -2) * (width // heads) ** -0.5, -1)
            x = x + self.out((weights @ v).transpose(1, 2).reshape(n, tokens, width))
            return x + self.mlp(self.norm2(x))

    class PatchNet(nn.Module):  # type: ignore[misc]
        def __init__(self) -> None:
            super().__init__()
            self.mix = nn.Linear(channels, 8)
            self.embed = nn.Sequential(nn.Linear(8 * patch, 64), nn.GELU(), nn.Linear(64, width))
            self.moment = nn.Parameter(torch.randn(1, samples // patch, width) * 0.1)
            self.blocks = nn.Sequential(Block(), Block())
            self.norm, self.head = nn.LayerNorm(width), nn.Linear(width, outputs)

        def forward(self, x: Any) -> Any:
            mixed = self.mix(x.transpose(1, 2)).reshape(-1, samples // patch, patch * 8)
            read = self.norm(self.blocks(self.embed(mixed) + self.moment))
            return self.head(read.mean(1))

    return PatchNet()


def _gru(channels: int, samples: int, rate: float, outputs: int) -> Any:
    """Pooled to about 32 Hz, electrodes mixed, and read by a GRU."""
    import torch
    from torch import nn

    pool = max(1, round(rate / 40))

    class Recurrent(nn.Module):  # type: ignore[misc]
        def __init__(self) -> None:
            super().__init__()
            self.pool = nn.AvgPool1d(pool)
            self.mix = nn.Linear(channels, 12)
            self.gru = nn.GRU(12, 24, batch_first=True)
            self.head = nn.Linear(24, outputs)

        def forward(self, x: Any) -> Any:
            mixed = torch.tanh(self.mix(self.pool(x).transpose(1, 2)))
            return self.head(self.gru(mixed)[0].mean(1))

    return Recurrent()


def _lstm(channels: int, samples: int, rate: float, outputs: int) -> Any:
    """Pooled to about 40 Hz, electrodes mixed, read by an LSTM, and its states weighed by attention."""
    import torch
    from torch import nn

    pool = max(1, round(rate / 40))

    class Attentive(nn.Module):  # type: ignore[misc]
        def __init__(self) -> None:
            super().__init__()
            self.pool = nn.AvgPool1d(pool)
            self.mix = nn.Linear(channels, 12)
            self.lstm = nn.LSTM(12, 24, batch_first=True)
            self.weigh, self.head = nn.Linear(24, 1), nn.Linear(24, outputs)

        def forward(self, x: Any) -> Any:
            states = self.lstm(torch.tanh(self.mix(self.pool(x).transpose(1, 2))))[0]
            return self.head((torch.softmax(self.weigh(states), 1) * states).sum(1))

    return Attentive()


def _depth_net(channels: int, samples: int, rate: float, outputs: int) -> Any:
    """Electrodes mixed, then each mixture filtered in time by itself, with GroupNorm; stretches are read."""
    from torch import nn

    width, taps = 16, round(rate / 8) * 2 + 1
    first = max(1, round(rate / 32))
    second = max(1, samples // first // 8)
    return nn.Sequential(
        nn.Conv1d(channels, width, 1, bias=False),
        nn.Conv1d(width, 2 * width, taps, padding=taps // 2, groups=width, bias=False),
        nn.GroupNorm(8, 2 * width), nn.GELU(), nn.AvgPool1d(first), nn.Dropout(0.2),
        nn.Conv1d(2 * width, 2 * width, 9, padding=4, groups=2 * width, bias=False),
        nn.Conv1d(2 * width, width, 1), nn.GroupNorm(4, width), nn.GELU(), nn.AvgPool1d(second),
        nn.Dropout(0.2), nn.Flatten(), nn.Linear(width * (samples // first // second), outputs),
    )  # fmt: skip


def _band_power(channels: int, samples: int, rate: float, outputs: int) -> Any:
    """Logistic regression on the log power of fixed bands at each electrode."""
    import torch
    from torch import nn

    taps = min(int(rate) // 2 * 2 + 1, samples // 2 * 2 - 1)
    t = (np.arange(taps) - taps // 2) / rate

    def kernel(low: float, high: float) -> NDArray[np.float64]:
        sinc = 2 * high * np.sinc(2 * high * t) - 2 * low * np.sinc(2 * low * t)
        return np.asarray(sinc * np.hamming(taps) / rate)

    bands = [(a, b) for a, b in BANDS if b < rate / 2]
    kernels = np.stack([kernel(a, b) for a, b in bands])[:, None, None]

    class BandPower(nn.Module):  # type: ignore[misc]
        def __init__(self) -> None:
            super().__init__()
            self.filters = nn.Conv2d(1, len(bands), (1, taps), bias=False)
            self.filters.weight.data = torch.from_numpy(kernels.astype(np.float32))
            self.filters.weight.requires_grad_(False)
            self.even = nn.BatchNorm1d(len(bands) * channels)
            self.head = nn.Linear(len(bands) * channels, outputs)

        def power(self, x: Any) -> Any:
            filtered = self.filters(x.unsqueeze(1))
            return torch.log((filtered * filtered).mean(-1).flatten(1) + 1e-4)

        def forward(self, x: Any) -> Any:
            return self.read(self.power(x))

        def read(self, power: Any) -> Any:
            return self.head(self.even(power))

    return BandPower()


def fit(net: Any, architecture: str, x: NDArray[np.float32], y: NDArray[Any]) -> None:
    """Train a network on windows [n, channel, time], and classes (int) or ratings (float)."""
    import torch

    recipe = RECIPES[architecture]
    data, aim = torch.from_numpy(x), torch.from_numpy(y)
    rating = aim.is_floating_point()
    weights = [p for p in net.parameters() if p.requires_grad]
    optimiser = torch.optim.AdamW(weights, lr=recipe.rate, weight_decay=0.05)
    steps = len(data) // recipe.batch
    schedule = torch.optim.lr_scheduler.OneCycleLR(
        optimiser, recipe.rate, recipe.epochs * steps, pct_start=0.2
    )
    answer = net
    if architecture == "BandPower":  # its filters are fixed: they are needed once
        first = net[0] if rating else net
        with torch.no_grad():
            data = torch.cat([first.power(part) for part in data.split(64)])
        answer = (lambda power: net[1](first.read(power))) if rating else first.read
    spread = recipe.noise * float(data.std())
    net.train()
    for _ in range(recipe.epochs):
        for rows in torch.randperm(len(data))[: steps * recipe.batch].reshape(steps, recipe.batch):
            out = answer(data[rows] + spread * torch.randn(recipe.batch, *data.shape[1:]))
            if rating:
                loss = torch.nn.functional.mse_loss(out[:, 0] / HALF, aim[rows] / HALF)
            else:
                loss = torch.nn.functional.cross_entropy(out, aim[rows], label_smoothing=0.05)
            optimiser.zero_grad()
            loss.backward()
            torch.nn.utils.clip_grad_norm_(weights, 1.0)
            optimiser.step()
            schedule.step()
    net.eval()
