"""Parts whose output does not depend on what is in their input, as the constants that they are.

Position encodings are computed anew at each call, from shapes, in ways that exporters write wrongly (rows
written into an empty tensor come out as a scatter that runs at no batch size). What comes out is the same for
every window: it is kept, and laid out for as many windows as there are.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any
from zlib import crc32

from ..extras import need


def apply(network: Any, example: Any) -> Any:
    """Freeze the outermost parts that give the same for other input."""
    torch = need("torch")
    nn = torch.nn
    found: list[str] = []
    for name in _constant(network, example):
        if not any(name.startswith(f"{outer}.") for outer in found):
            found.append(name)
    if not found:
        return None

    class Frozen(nn.Module):  # type: ignore[misc, name-defined]
        def __init__(self, value: Any) -> None:
            super().__init__()
            self.register_buffer("value", value)

        def forward(self, x: Any, *_: Any, **__: Any) -> Any:
            return self.value.expand(x.shape[0], *self.value.shape[1:])

    for name, out in _outputs(network, example, found).items():
        outer, _, last = name.rpartition(".")
        setattr(network.get_submodule(outer), last, Frozen(out[:1].clone()))
    return network


def _outputs(network: Any, example: Any, names: list[str]) -> dict[str, Any]:
    """What some parts give."""
    torch = need("torch")
    found: dict[str, Any] = {}
    hooks = [
        network.get_submodule(name).register_forward_hook(
            lambda part, inputs, output, name=name: found.update({name: output})
        )
        for name in names
    ]
    with torch.no_grad():
        network(example)
    for hook in hooks:
        hook.remove()
    return found


@dataclass(frozen=True)
class _Call:
    """What is kept of a call: outputs of every part at once would not fit into memory."""

    batches: tuple[int, int]
    input: int
    row: int
    alike: bool


def _call(x: Any, out: Any) -> _Call:
    rows = out.detach().contiguous().cpu().numpy()
    first = rows[:1].tobytes()
    alike = all(rows[i : i + 1].tobytes() == first for i in range(1, len(rows)))
    return _Call(
        (len(x), len(out)), crc32(x.detach().contiguous().cpu().numpy().tobytes()), crc32(first), alike
    )


def _constant(network: Any, example: Any) -> list[str]:
    """Names of parts that other windows and other numbers of them leave as they are, outermost first."""
    torch = need("torch")
    seen: list[dict[str, _Call | None]] = []
    names = {part: name for name, part in network.named_modules() if name}

    def watch(part: Any, inputs: Any, output: Any) -> None:
        reads = bool(inputs) and isinstance(inputs[0], torch.Tensor) and inputs[0].ndim > 0
        if reads and isinstance(output, torch.Tensor) and output.ndim > 1:
            calls = seen[-1]
            # What is called twice may give two things.
            calls[names[part]] = None if names[part] in calls else _call(inputs[0], output)

    hooks = [part.register_forward_hook(watch) for part in names]
    generator = torch.Generator().manual_seed(0)
    try:
        with torch.no_grad():
            for batch in (2, 2, 3):
                seen.append({})
                spread = float(example.std()) or 1.0
                network(spread * torch.randn(batch, *example.shape[1:], generator=generator))
    except Exception:  # it takes no such batch, which the checks of the file will say
        return []
    finally:
        for hook in hooks:
            hook.remove()
    first, second, third = seen
    return [name for name in names.values() if _alike(first.get(name), second.get(name), third.get(name))]


def _alike(a: _Call | None, b: _Call | None, c: _Call | None) -> bool:
    """Whether a part gave the same for every window of two batches of two, and of one of three."""
    if a is None or b is None or c is None or a.batches != (2, 2) or c.batches != (3, 3):
        return False
    return a.input != b.input and a.row == b.row == c.row and a.alike and c.alike
