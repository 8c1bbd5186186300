"""What a plain export trips over, taken out of a network beforehand: one file a cause.

Each has ``apply(network, example) -> network or None``: a network that computes the same, None where
there was nothing to do. The network is a copy, which may be changed.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from . import attention, constrained, frozen, heads, lazy, pairs, parametrized

REWRITES: dict[str, Callable[[Any, Any], Any]] = {
    "parametrised weights baked": parametrized.apply,
    "heads taken off the batch": heads.apply,
    "weights constrained beforehand": constrained.apply,
    "lazy branches settled": lazy.apply,
    "constant parts frozen": frozen.apply,
    "Fourier transforms as products": pairs.apply,
    "attention written out": attention.apply,
}


def rewritten(network: Any, example: Any) -> tuple[Any, tuple[str, ...]]:
    """A network after every rewrite that found something, and the names of those."""
    done = []
    for name, apply in REWRITES.items():
        made = apply(network, example)
        if made is not None:
            network = made
            done.append(name)
    return network, tuple(done)
