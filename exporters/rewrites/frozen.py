"""Parts whose output does not depend on what is in their input, as the constants that they are.

Position encodings are computed anew at each call, from shapes, in ways that exporters write wrongly (rows
written into an empty tensor come out as a scatter that runs at no batch size). What comes out is the same for
every window: it is kept, and laid out for as many windows as there are.
"""

from __future__ import annotations

from typing import Any

from ..extras import need


def apply(network: Any, example: Any) -> Any:
    """Freeze the outermost parts that give the same for other input."""
    torch = need("torch")
    nn = torch.nn
    found: list[tuple[str, Any]] = []
    for name, out in _constant(network, example).items():
        if not any(name.startswith(f"{outer}.") for outer, _ in found):
            found.append((name, out))
    if not found:
        return None

    class Frozen(nn.Module):  # type: ignore[misc, name-defined]
        def __init__(self, value: Any) -> None:
            super().__init__()
            self.register_buffer("value", value)

        def forward(self, x: Any, *_: Any, **__: Any) -> Any:
            return self.value.expand(x.shape[0], *self.value.shape[1:])

    for name, out in found:
        outer, _, last = name.rpartition(".")
        setattr(network.get_submodule(outer), last, Frozen(out[:1].clone()))
    return network


def _constant(network: Any, example: Any) -> dict[str, Any]:
    """Outputs of parts, by name, that other windows and other numbers of them leave as they are."""
    torch = need("torch")
    seen: list[dict[str, Any]] = []
    names = {part: name for name, part in network.named_modules() if name}

    def watch(part: Any, inputs: Any, output: Any) -> None:
        reads = bool(inputs) and isinstance(inputs[0], torch.Tensor)
        if reads and isinstance(output, torch.Tensor) and output.ndim > 1:
            calls = seen[-1]
            # What is called twice may give two things.
            calls[names[part]] = None if names[part] in calls else (inputs[0], output)

    hooks = [part.register_forward_hook(watch) for part in names]
    generator = torch.Generator().manual_seed(0)
    try:
        with torch.no_grad():
            for batch in (2, 2, 3):
                seen.append({})
                spread = float(example.std()) or 1.0
                network(spread * torch.randn(batch, *example.shape[1:], generator=generator))
    except Exception:  # it takes no such batch, which the checks of the file will say
        return {}
    finally:
        for hook in hooks:
            hook.remove()
    found = {}
    first, second, third = seen
    for name, call in first.items():
        other, larger = second.get(name), third.get(name)
        if call is None or other is None or larger is None:
            continue
        (x, a), (y, b), (z, c) = call, other, larger
        if not (len(x) == len(a) == 2 and len(z) == len(c) == 3) or torch.equal(x, y):
            continue
        if torch.equal(a, b) and torch.equal(a[:1], a[1:]) and torch.equal(a[:1].expand_as(c), c):
            found[name] = a
    return found
