"""Weights that the forward pass itself brings back into bounds, as the values they have.

``self.beta.data.clamp_(min=0)`` at each call is for training. What it does to a weight is done after one
call; in an exporter, where weights are stand-ins without memory, it ends the process (SyncNet, SSTDPN).
"""

from __future__ import annotations

from typing import Any

from ..extras import need


def apply(network: Any, example: Any) -> Any:
    """The network with weights that nothing writes to, where it writes to them."""
    torch = need("torch")
    from torch.overrides import TorchFunctionMode

    data = torch.Tensor.data

    class Kept(TorchFunctionMode):
        def __init__(self) -> None:
            super().__init__()
            self.met = False

        def __torch_function__(self, function: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
            if function == data.__get__:
                self.met = True
                return args[0].detach().clone()
            if function == data.__set__:
                self.met = True
                return None
            return function(*args, **(kwargs or {}))

    class Constrained(torch.nn.Module):  # type: ignore[misc, name-defined]
        """A network whose weights are as its forward pass left them."""

        def __init__(self, network: Any) -> None:
            super().__init__()
            self.network = network

        def forward(self, x: Any) -> Any:
            with Kept():
                return self.network(x)

    with torch.no_grad():
        network(example)  # brings them into bounds
        with Kept() as mode:
            network(example)
    return Constrained(network) if mode.met else None
