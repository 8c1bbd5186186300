"""Inside the network: what each attention head carries, and what the position embedding is worth.

Both are relevance at inner tensors of the same walk. A head's relevance is that of the values it has read.
An embedding that tells the network which electrode is which is a constant: relevance that lands on it did not
come from the signal, and a network may decide much by it.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import xarray as xr
from numpy.typing import NDArray

from ...engine.attribution import Attribution
from ...engine.errors import InputError
from ...engine.explainer import Explainer
from ...engine.file.landmarks import Heads, attention_heads, embedded
from ...engine.file.load import load
from ...engine.steps import step
from ..explanation import shares
from ..explanation.explained import Explained
from ..text import counted, plain

Floats = NDArray[np.float64]


@dataclass(frozen=True)
class Inside:
    """Relevance inside a network.

    Attributes
    ----------
    heads : xarray.DataArray or None
        Relevance that each head carries (epoch, layer, head); NaN where a layer has fewer heads. The layers'
        tensors are in the coordinate "tensor".
    positions : xarray.DataArray or None
        Relevance of the position embedding (epoch, channel).
    notes : tuple of str
        What was not found, and why.
    """

    heads: xr.DataArray | None
    positions: xr.DataArray | None
    notes: tuple[str, ...]

    def head_shares(self) -> Floats:
        """Share of each head in that of all, mean over windows, shape (layer, head); NaN for none."""
        if self.heads is None:
            return np.zeros((0, 0))
        size = np.abs(self.heads.values)
        whole = np.nansum(size, (1, 2), keepdims=True)
        some = whole[:, 0, 0] > 0
        return (
            np.asarray((size[some] / whole[some]).mean(0)) if some.any() else np.full(size.shape[1:], np.nan)
        )

    def summary(self, explained: Explained) -> dict[str, Any]:
        """The numbers: per layer and head, and the embedding beside the signal."""
        out: dict[str, Any] = {"layers": [], "positions": None, "notes": list(self.notes)}
        if self.heads is not None:
            share = self.head_shares()
            signed = self.heads.mean("epoch").values
            for i, tensor in enumerate(self.heads["tensor"].values):
                there = np.isfinite(signed[i])
                out["layers"].append(
                    {
                        "layer": i,
                        "tensor": plain(tensor),
                        "signed": float(signed[i][there].sum()),
                        "share": float(share[i][there].sum()),
                        "heads": [
                            {"share": float(a), "signed": float(b)}
                            for a, b in zip(share[i][there], signed[i][there], strict=True)
                        ],
                    }
                )
        if self.positions is not None:
            own = self.positions.values
            signal = explained.relevance.sum(-1, dtype=np.float64)
            both = np.abs(own).sum(1) + np.abs(signal).sum(1)
            part = np.abs(own).sum(1)[both > 0] / both[both > 0]
            mine, theirs = shares.by_electrode(own[..., None]), shares.by_electrode(explained.relevance)
            out["positions"] = {
                "tensor": plain(self.positions.attrs["tensor"]),
                "signed": float(own.sum(1).mean()),
                "signal_signed": float(signal.sum(1).mean()),
                "part": float(part.mean()) if len(part) else float("nan"),
                "electrodes": [
                    {"name": plain(c), "embedding": float(a), "signal": float(b)}
                    for c, a, b in zip(explained.windows.channels, mine, theirs, strict=True)
                ],
            }
        return out


def inside(explained: Explained, model: Path, *, batch_size: int = 8) -> Inside:
    """Relevance of attention heads, and of the position embedding by electrode.

    Parameters
    ----------
    explained : Explained
    model : Path
        The network's file.
    batch_size : int

    Returns
    -------
    Inside
    """
    proto = load(model).proto
    notes: list[str] = []
    sites = attention_heads(proto)
    if not sites:
        notes.append("No attention was found: no softmax in the file weighs values.")
    some = _again(explained, model, (), slice(0, min(batch_size, len(explained.windows))))
    constants = [e.tensor for e in some.ledger.entries if e.kind == "constant"]
    asked = [s.tensor for s in sites]
    n = len(explained.windows.channels)
    table = next((c for c in embedded(proto, constants, n) if _reached(explained, model, c, n)), None)
    if table is None:
        notes.append("No position embedding by electrode was found: no constant of that shape is added.")
    asked, lost = _reachable(explained, model, asked)
    if lost:
        notes.append(f"{counted(len(lost), 'layer')} of attention has no relevance, and is left out.")
    sites = tuple(s for s in sites if s.tensor in asked)
    parts, places = [], []
    for start in range(0, len(explained.windows), batch_size):
        step("looking inside", start / len(explained.windows))
        rows = slice(start, min(start + batch_size, len(explained.windows)))
        a = _again(explained, model, [*asked, *([table] if table else [])], rows)
        parts.append([s.per_head(a.at[s.tensor], rows.stop - rows.start) for s in sites])
        if table is not None:
            places.append(_by_electrode(a.at[table], n))
    step("looking inside", 1.0)
    return Inside(_heads(sites, parts), _positions(explained, table, places), tuple(notes))


def _heads(sites: Sequence[Heads], parts: Sequence[Sequence[Floats]]) -> xr.DataArray | None:
    if not sites:
        return None
    each = [np.concatenate([p[i] for p in parts]) for i in range(len(sites))]
    most = max(e.shape[1] for e in each)
    values = np.stack([np.pad(e, ((0, 0), (0, most - e.shape[1])), constant_values=np.nan) for e in each], 1)
    return xr.DataArray(
        values,
        dims=("epoch", "layer", "head"),
        coords={"tensor": ("layer", np.array([s.tensor for s in sites], dtype=object))},
        name="heads",
    )


def _positions(explained: Explained, table: str | None, places: Sequence[Floats]) -> xr.DataArray | None:
    if table is None:
        return None
    return xr.DataArray(
        np.concatenate(places),
        dims=("epoch", "channel"),
        coords={"channel": list(explained.windows.channels)},
        attrs={"tensor": table, "units": explained.unit},
        name="positions",
    )


def _by_electrode(relevance: NDArray[Any], n: int) -> Floats:
    """Summed over all axes but the samples' and the first one that is as long as there are electrodes."""
    axis = 1 + relevance.shape[1:].index(n)
    others = tuple(i for i in range(1, relevance.ndim) if i != axis)
    return np.asarray(relevance.sum(others, dtype=np.float64))


def _again(explained: Explained, model: Path, at: Sequence[str], rows: slice) -> Attribution:
    """The same question once more, with inner tensors."""
    options = explained.provenance.get("options", {})
    explainer = Explainer(
        model,
        composite=options.get("composite", "attnlrp"),
        contract=explained.contract,
        at=at,
        **options.get("parameters", {}),
    )
    target: Any = explained.provenance.get("target", "predicted")
    against = explained.provenance.get("contrast", "rest")
    if "target" in explained.dataset:
        target = [int(t) for t in explained.dataset["target"].values[rows]]
    return explainer(explained.windows.data[rows], target=target, contrast=against)


def _reached(explained: Explained, model: Path, name: str, length: int | None = None) -> bool:
    """Whether relevance lands on a tensor, in a shape that has an axis of a given length."""
    try:
        found = _again(explained, model, [name], slice(0, 1)).at[name]
    except InputError:
        return False
    return length is None or length in found.shape[1:]


def _reachable(explained: Explained, model: Path, asked: Sequence[str]) -> tuple[list[str], list[str]]:
    """Inner tensors that relevance reaches, and the others."""
    try:
        _again(explained, model, asked, slice(0, 1))
    except InputError:
        good = [name for name in asked if _reached(explained, model, name)]
        return good, [name for name in asked if name not in good]
    return list(asked), []
