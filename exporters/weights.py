"""Random weights under which every layer matters."""

from __future__ import annotations

from typing import Any

from .extras import need


def enliven(network: Any, seed: int = 1) -> Any:
    """Draw a network's weights anew, so that its outputs move with its input.

    Weights fresh from an initialiser make a comparison meaningless: LaBraM's head starts at 0.001 and
    its biases at 0, so that outputs barely move and no bias absorbs anything.

    Parameters
    ----------
    network : torch.nn.Module
        Is changed.
    seed : int

    Returns
    -------
    torch.nn.Module
        The same, in evaluation mode.
    """
    torch = need("torch")
    rng = torch.Generator().manual_seed(seed)
    with torch.no_grad():
        for name, p in network.named_parameters():
            if not p.is_floating_point():
                continue
            noise = torch.randn(p.shape, generator=rng)
            if "embedding" in name or "token" in name:
                p.copy_(0.3 * noise)
            elif p.ndim >= 2:
                p.copy_(noise / max(1, p[0].numel()) ** 0.5)
            else:
                p.copy_((1.0 if "weight" in name else 0.0) + 0.3 * noise)
        for name, b in network.named_buffers():
            if name.endswith("running_mean"):
                b.copy_(0.2 * torch.randn(b.shape, generator=rng))
            elif name.endswith("running_var"):
                b.copy_(0.5 + torch.rand(b.shape, generator=rng))
    return network.eval()
