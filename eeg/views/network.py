"""Relevance at inner tensors: what each attention head carries, and what the position embedding is worth.

Both are of the same walk. A head's relevance is that of the values it has read.
An embedding that tells the network which electrode is which is a constant: relevance that lands on it did not
come from the signal, and a network may decide much by it.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import xarray as xr
from numpy.typing import NDArray

from ...engine.attribution import Attribution
from ...engine.errors import InputError
from ...engine.explainer import Explainer
from ...engine.file.landmarks import Heads, attention_heads, embedded
from ...engine.file.load import load
from ...engine.steps import step
from ..drawing.sections import Picture, Section, Strong, Table
from ..explanation import shares
from ..explanation.explained import Explained
from ..explanation.view import View
from ..text import counted, plain
from .registry import ViewContext, register

if TYPE_CHECKING:
    from matplotlib.figure import Figure

Floats = NDArray[np.float64]


@dataclass(frozen=True)
class InnerRelevance(View):
    """Relevance of attention heads and of the position embedding.

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

    name = "inside"

    def data_vars(self) -> Mapping[str, xr.DataArray]:
        """Relevance of heads (epoch, layer, head) and positions (epoch, channel), as far as there are any."""
        return {str(a.name): a for a in (self.heads, self.positions) if a is not None}

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
            signal = _against_zero(explained).sum(-1, dtype=np.float64)
            both = np.abs(own).sum(1) + np.abs(signal).sum(1)
            part = np.abs(own).sum(1)[both > 0] / both[both > 0]
            mine, theirs = shares.by_electrode(own[..., None]), shares.by_electrode(_against_zero(explained))
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

    def lines(self, explained: Explained) -> Iterator[tuple[str, str]]:
        """What the position embedding gets."""
        embedding = self.summary(explained)["positions"]
        if embedding is not None:
            yield "embedding", f"{embedding['part']:.0%} of what signal and position embedding get"

    def sections(self, explained: Explained) -> Iterator[Section]:
        """What each layer's heads carry, and which electrodes' places get most."""
        found = self.summary(explained)
        if found["layers"]:
            yield self._head_section(found["layers"])
        if found["positions"] is not None and self.positions is not None:
            yield self._embedding_section(explained, found["positions"], self.positions)

    def _head_section(self, layers: Sequence[Mapping[str, Any]]) -> Section:
        rows = []
        for layer in layers:
            heads = layer["heads"]
            order = sorted(range(len(heads)), key=lambda i: -heads[i]["share"])[:3]
            most = ", ".join(f"{i} ({heads[i]['share']:.0%})" for i in order)
            rows.append(
                (layer["layer"], len(heads), f"{layer['share']:.1%}", f"{layer['signed']:+.3g}", most)
            )
        head = ("layer", "heads", "share of all heads", "signed sum", "heads with most")
        words = (
            "A head's relevance is that of the values it has read, summed over tokens. What goes past a "
            "layer on its skip connection is in no head, so layers do not add up to what was explained."
        )
        caption = (
            "Share of each attention head in the relevance of all heads: that of the values it has read."
        )
        title = "Attention heads"
        picture = Picture(head_matrix(self.head_shares()), "heads", f"{title}: figure", title, caption)
        return Section(title, (Table(head, rows, (0, 1, 2, 3)), words), (picture,))

    def _embedding_section(
        self, explained: Explained, found: Mapping[str, Any], positions: xr.DataArray
    ) -> Section:
        most = sorted(found["electrodes"], key=lambda e: -e["embedding"])[:8]
        rows = [(e["name"], f"{e['embedding']:.1%}", f"{e['signal']:.1%}") for e in most]
        words = (
            "The constants by which the network tells electrodes apart get ",
            Strong(f"{found['part']:.0%}"),
            " of the size of the relevance that they and the signal get together (signed, mean over windows: "
            f"embedding {found['signed']:+.3g}, signal {found['signal_signed']:+.3g} {explained.unit}). They "
            "are the same in every window: what they get is relevance of where, not of what was recorded. "
            "Both are against zero: of a difference constants get nothing.",
        )
        title, pictures = "Position embedding", []
        both = {
            "signal": shares.by_electrode(_against_zero(explained)),
            "position embedding": shares.by_electrode(positions.values[..., None]),
        }
        from ..drawing.figures import share_maps

        figure = share_maps(both, explained.electrodes)
        if figure is not None:
            caption = (
                "Relevance share of each electrode: in the signal, and in the constants by which the network "
                "tells electrodes apart."
            )
            pictures.append(Picture(figure, "embedding", f"{title}: figure", title, caption))
        table = Table(("electrode", "share in the embedding", "in the signal"), rows, (1, 2))
        return Section(title, (words, table), tuple(pictures))


def inner_relevance(explained: Explained, model: Path, *, batch_size: int = 8) -> InnerRelevance:
    """Relevance of attention heads, and of the position embedding by electrode.

    Parameters
    ----------
    explained : Explained
    model : Path
        The network's file.
    batch_size : int

    Returns
    -------
    InnerRelevance
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
    zero = explained.references is None
    for start in range(0, len(explained.windows), batch_size) if zero or table is not None else ():
        step("explaining inner tensors", start / len(explained.windows))
        rows = slice(start, min(start + batch_size, len(explained.windows)))
        a = _again(explained, model, [*(asked if zero else ()), *([table] if table else [])], rows)
        if zero:
            parts.append([s.per_head(a.at[s.tensor], rows.stop - rows.start) for s in sites])
        if table is not None:
            places.append(_by_electrode(a.at[table], n))
    if not zero and sites:
        parts = [_of_difference(explained, model, sites, batch_size)]
    step("explaining inner tensors", 1.0)
    return InnerRelevance(_heads(sites, parts), _positions(explained, table, places), tuple(notes))


def _against_zero(explained: Explained) -> NDArray[Any]:
    """Relevance of the signal that constants can be held beside: of a difference they get none."""
    found = explained.dataset.get("relevance_zero", explained.dataset["relevance"])
    return np.asarray(found.values)


def _of_difference(
    explained: Explained, model: Path, sites: Sequence[Heads], batch_size: int
) -> list[Floats]:
    """Relevance of each head against other windows, [epoch, head] for each layer."""
    held, name = explained.references, explained.contract.input
    assert held is not None
    explainer = Explainer(
        model, composite="difference", contract=explained.contract, at=[s.tensor for s in sites]
    )
    found: list[Floats | None] = [None] * len(sites)
    for rows, against in held.groups():
        given = explainer.references(
            {name: held.data[against][:, None]}, {name: explained.windows.data[rows[:1]]}
        )
        for start in range(0, len(rows), batch_size):
            own = rows[start : start + batch_size]
            a = explainer(
                explained.windows.data[own],
                target=_target(explained, own),
                contrast=explained.provenance.get("contrast", "rest"),
                reference=given,
            )
            for i, site in enumerate(sites):
                made = site.per_head(a.at[site.tensor], len(own))
                whole = found[i]
                if whole is None:
                    whole = found[i] = np.zeros((len(explained.windows), made.shape[1]))
                whole[own] = made
    return [f for f in found if f is not None]


def _target(explained: Explained, rows: slice | NDArray[np.int64]) -> Any:
    """What was explained of some windows."""
    if "target" in explained.dataset:
        return [int(t) for t in explained.dataset["target"].values[rows]]
    return explained.provenance.get("target", "predicted")


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
    against = explained.provenance.get("contrast", "rest")
    return explainer(explained.windows.data[rows], target=_target(explained, rows), contrast=against)


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


@register("inside", needs=("model",), order=60)
def _inner(explained: Explained, context: ViewContext) -> InnerRelevance:
    return inner_relevance(explained, context.model)


def head_matrix(share: Floats) -> Figure:
    """Shares of attention heads, layer by head.

    Parameters
    ----------
    share : ndarray, shape (layer, head)
        NaN where a layer has no such head.
    """
    from matplotlib.figure import Figure
    from matplotlib.ticker import MaxNLocator, PercentFormatter

    from ..drawing.figures import SIZE, limit, tidy

    layers, heads = share.shape
    figure = Figure(
        figsize=(min(1.8 + 0.5 * heads, 12) + 1.2, min(1.5 + 0.42 * layers, 9)), layout="constrained"
    )
    axis = figure.subplots()
    image = axis.imshow(share, cmap=SIZE, vmin=0, vmax=limit(share), aspect="auto", interpolation="nearest")
    axis.set_xlabel("head", fontsize=9)
    axis.set_ylabel("layer", fontsize=9)
    for each in (axis.xaxis, axis.yaxis):
        each.set_major_locator(MaxNLocator(integer=True, nbins=12))
    axis.tick_params(labelsize=8)
    bar = figure.colorbar(image, ax=axis, pad=0.03, fraction=0.05, aspect=25)
    bar.formatter = PercentFormatter(1.0, decimals=0 if limit(share) > 0.05 else 1)
    bar.update_ticks()
    bar.set_label("share of all heads", fontsize=8)
    tidy(bar)
    return figure
