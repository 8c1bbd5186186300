"""Small networks of kinds that EEG models take up: state spaces, experts, rotary positions, FFT, codes."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional

CHANNELS, TIME, CLASSES = 5, 12, 3


class StateSpace(nn.Module):
    """A selective state space, step by step (Mamba; Gu & Dao 2023, algorithm 2)."""

    def __init__(self, wide: int = 8, states: int = 4) -> None:
        super().__init__()
        self.states = states
        self.into, self.out = nn.Linear(CHANNELS, 2 * wide), nn.Linear(wide, CLASSES)
        self.conv = nn.Conv1d(wide, wide, 3, padding=2, groups=wide)
        self.select, self.step = nn.Linear(wide, 1 + 2 * states), nn.Linear(1, wide)
        self.rates = nn.Parameter(torch.log(torch.arange(1, states + 1).float()).repeat(wide, 1))
        self.skip = nn.Parameter(torch.ones(wide))

    def forward(self, x: Tensor) -> Tensor:
        u, z = self.into(x.transpose(1, 2)).chunk(2, -1)
        u = functional.silu(self.conv(u.transpose(1, 2))[..., :TIME].transpose(1, 2))
        p = self.select(u)
        dt = functional.softplus(self.step(p[..., :1]))
        b, c = p[..., 1 : 1 + self.states], p[..., 1 + self.states :]
        a = -torch.exp(self.rates)
        h, given = torch.zeros_like(u[:, 0, :, None] * a), []
        for t in range(TIME):
            h = torch.exp(dt[:, t, :, None] * a) * h + dt[:, t, :, None] * b[:, t, None] * u[:, t, :, None]
            given.append((h * c[:, t, None]).sum(-1))
        y = (torch.stack(given, 1) + u * self.skip) * functional.silu(z)
        made: Tensor = self.out(y.mean(1))
        return made


class Experts(nn.Module):
    """Two of four experts for each token (Shazeer et al. 2017, eq. 1 to 5 without noise)."""

    def __init__(self, wide: int = 8, experts: int = 4, chosen: int = 2) -> None:
        super().__init__()
        self.chosen = chosen
        self.into, self.gate = nn.Linear(CHANNELS, wide), nn.Linear(wide, experts)
        self.first = nn.Parameter(torch.randn(experts, wide, 16) * 0.3)
        self.second = nn.Parameter(torch.randn(experts, 16, wide) * 0.3)
        self.norm, self.out = nn.LayerNorm(wide), nn.Linear(wide, CLASSES)

    def forward(self, x: Tensor) -> Tensor:
        t = self.into(x.transpose(1, 2))
        g = self.gate(t)
        best, which = g.topk(self.chosen, -1)
        weight = torch.zeros_like(g).scatter(-1, which, best.softmax(-1))
        y = functional.gelu(torch.einsum("btd,edh->bteh", t, self.first))
        y = torch.einsum("bteh,ehd->bted", y, self.second)
        made: Tensor = self.out(self.norm(t + (y * weight[..., None]).sum(2)).mean(1))
        return made


class Rotary(nn.Module):
    """Causal attention with rotary positions and a root-mean-square norm (Su et al. 2021, eq. 34)."""

    def __init__(self, wide: int = 16, heads: int = 2) -> None:
        super().__init__()
        self.heads = heads
        self.into, self.qkv = nn.Linear(CHANNELS, wide), nn.Linear(wide, 3 * wide)
        self.back, self.out, self.norm = nn.Linear(wide, wide), nn.Linear(wide, CLASSES), nn.RMSNorm(wide)
        size = wide // heads
        angle = torch.outer(torch.arange(TIME).float(), 10000 ** (-torch.arange(0, size, 2) / size))
        self.register_buffer("cos", torch.cat([angle, angle], -1).cos())
        self.register_buffer("sin", torch.cat([angle, angle], -1).sin())

    def turned(self, x: Tensor) -> Tensor:
        a, b = x.chunk(2, -1)
        return x * self.cos + torch.cat([-b, a], -1) * self.sin

    def forward(self, x: Tensor) -> Tensor:
        t = self.into(x.transpose(1, 2))
        n, length, wide = t.shape
        q, k, v = (
            u.view(n, length, self.heads, -1).transpose(1, 2) for u in self.qkv(self.norm(t)).chunk(3, -1)
        )
        y = functional.scaled_dot_product_attention(self.turned(q), self.turned(k), v, is_causal=True)
        made: Tensor = self.out((t + self.back(y.transpose(1, 2).reshape(n, length, wide))).mean(1))
        return made


class LongConvolution(nn.Module):
    """A filter as long as the window, multiplied in frequency (Hyena; Poli et al. 2023, section 2)."""

    def __init__(self, wide: int = 8) -> None:
        super().__init__()
        self.into, self.out = nn.Linear(CHANNELS, wide), nn.Linear(wide, CLASSES)
        self.filter = nn.Parameter(torch.randn(wide, TIME) * 0.3)

    def forward(self, x: Tensor) -> Tensor:
        t, n = self.into(x.transpose(1, 2)).transpose(1, 2), 2 * TIME
        y = torch.fft.irfft(torch.fft.rfft(t, n=n) * torch.fft.rfft(self.filter, n=n), n=n)[..., :TIME]
        made: Tensor = self.out(functional.gelu(y + t).mean(-1))
        return made


class Codes(nn.Module):
    """Tokens that are rows of a codebook, and attention over them (van den Oord et al. 2017, eq. 1 to 3).

    Attributes
    ----------
    how : str
        How distances are written, and how the row is taken.
    """

    def __init__(self, how: str = "product", wide: int = 8, rows: int = 32) -> None:
        super().__init__()
        self.how, self.rows = how, rows
        self.into = nn.Sequential(nn.Linear(TIME, 16), nn.GELU(), nn.Linear(16, wide))
        self.codebook = nn.Embedding(rows, wide)
        self.block = nn.TransformerEncoderLayer(wide, 2, 16, batch_first=True, dropout=0.0)
        self.out = nn.Linear(wide, CLASSES)

    def quantised(self, z: Tensor) -> Tensor:
        table, f = self.codebook.weight, z.reshape(-1, z.shape[-1])
        if self.how == "cosine":
            table, f = functional.normalize(table, dim=-1), functional.normalize(f, dim=-1)
            z = f.view(z.shape)
        if self.how == "cdist":
            distance = torch.cdist(f, table)
        elif self.how == "each row":
            distance = ((f[:, None] - table[None]) ** 2).sum(-1)
        elif self.how == "einsum":
            distance = f.pow(2).sum(1, keepdim=True) + table.pow(2).sum(1)
            distance = distance - 2 * torch.einsum("bd,nd->bn", f, table)
        else:
            distance = f.pow(2).sum(1, keepdim=True) + table.pow(2).sum(1) - 2 * f @ table.t()
        i = distance.argmin(-1)
        if self.how == "scatter":
            q = torch.zeros(i.shape[0], self.rows).scatter(1, i[:, None], 1.0) @ table
        elif self.how == "one-hot":
            q = functional.one_hot(i, self.rows).float() @ table
        else:
            q = functional.embedding(i, table)
        return z + (q.view(z.shape) - z).detach()

    def forward(self, x: Tensor) -> Tensor:
        made: Tensor = self.out(self.block(self.quantised(self.into(x))).mean(1))
        return made
