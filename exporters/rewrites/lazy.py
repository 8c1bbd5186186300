"""Branches on a value that the network keeps (set up at the first call, say) as the way that they go.

An exporter sees no values: ``if not self.ready`` on a tensor stops it. After a first run such a value stays
as it is, and is put in the network as a plain Python one.
"""

from __future__ import annotations

from typing import Any

from ..extras import need

_READS = frozenset(("__bool__", "item", "__int__", "__index__", "__float__"))


def apply(network: Any, example: Any) -> Any:
    """Settle the buffers that the network asks for their value."""
    torch = need("torch")
    from torch.overrides import TorchFunctionMode

    asked: list[Any] = []

    class Listening(TorchFunctionMode):
        def __torch_function__(self, function: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
            if getattr(function, "__name__", "") in _READS and args:
                asked.append(args[0])
            return function(*args, **(kwargs or {}))

    with torch.no_grad():
        network(example)  # what is set up at the first call is set up
        with Listening():
            wanted = network(example)
    found = {
        name: buffer
        for name, buffer in network.named_buffers()
        if buffer.numel() == 1 and any(buffer is a for a in asked)
    }
    if not found:
        return None
    for name, buffer in found.items():
        outer, _, last = name.rpartition(".")
        part = network.get_submodule(outer)
        delattr(part, last)
        setattr(part, last, buffer.item())
    try:
        with torch.no_grad():
            same = torch.equal(network(example), wanted)
    except Exception:  # it does more with the value than to ask for it
        same = False
    if not same:
        for name, buffer in found.items():
            outer, _, last = name.rpartition(".")
            part = network.get_submodule(outer)
            delattr(part, last)
            part.register_buffer(last, buffer)
        return None
    return network
