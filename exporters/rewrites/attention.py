"""PyTorch's attention layers as the products and the softmax that they are.

In evaluation mode ``nn.MultiheadAttention`` and ``nn.TransformerEncoderLayer`` call one fused operator, for
which the legacy exporter has no word.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from typing import Any

from ..extras import need


@contextlib.contextmanager
def written_out() -> Iterator[None]:
    """No fused attention inside."""
    mha = need("torch").backends.mha
    before = mha.get_fastpath_enabled()
    mha.set_fastpath_enabled(False)
    try:
        yield
    finally:
        mha.set_fastpath_enabled(before)


def apply(network: Any, example: Any) -> Any:
    """The network itself, where it has such layers: `written_out` holds while it is exported."""
    nn = need("torch").nn
    kinds = (nn.MultiheadAttention, nn.TransformerEncoderLayer)
    return network if any(isinstance(p, kinds) for p in network.modules()) else None
