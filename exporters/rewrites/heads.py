"""Attention whose heads are laid along the batch, with an axis of their own instead.

``split(batch_size)`` makes parts as long as the example's batch: exporters write that number down, and the
file takes no other batch (ATCNet).
"""

from __future__ import annotations

import math
from typing import Any

from ..extras import need

_PARTS = ("fc_q", "fc_k", "fc_v", "fc_o", "dropout", "head_dim", "embed_dim")


def apply(network: Any, example: Any = None) -> Any:
    """Put such layers in the places of theirs."""
    torch = need("torch")

    class Heads(torch.nn.Module):  # type: ignore[misc, name-defined]
        def __init__(self, layer: Any) -> None:
            super().__init__()
            self.layer = layer

        def forward(self, q: Any, k: Any, v: Any) -> Any:
            layer = self.layer
            parts = (layer.fc_q(q), layer.fc_k(k), layer.fc_v(v))
            heads = (layer.embed_dim // layer.head_dim, layer.head_dim)
            q, k, v = (t.unflatten(-1, heads).transpose(1, 2) for t in parts)
            weights = torch.softmax(q @ k.transpose(-2, -1) / math.sqrt(layer.head_dim), -1)
            return layer.dropout(layer.fc_o((weights @ v).transpose(1, 2).flatten(-2)))

    found = [
        name
        for name, part in network.named_modules()
        if type(part).__name__ == "_MHA" and all(hasattr(part, a) for a in _PARTS)
    ]
    for name in found:
        outer, _, last = name.rpartition(".")
        setattr(network.get_submodule(outer), last, Heads(network.get_submodule(name)))
    return network if found else None
