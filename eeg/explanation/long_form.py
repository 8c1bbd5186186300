"""Relevance in long form: a row for each window, electrode and band, as statistics programs read it."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import xarray as xr

from ..text import plain

TABLE = "relevance.csv"
HEAD = (
    "subject", "recording", "window", "onset", "label", "explained", "electrode", "band", "relevance",
    "share",
)  # fmt: skip
ALL = "all"  # where an explanation has no bands


def explained_names(data: xr.Dataset) -> list[str]:
    """What was explained in each window: its class, or the number of a regression, by name."""
    if "target_class" in data.coords:
        return [plain(c) for c in data["target_class"].values.tolist()]
    if "target" not in data:
        return ["explained"] * data.sizes["epoch"]
    output = data.get("output")
    if output is not None and "number" in output.dims:
        names = output["number"].values.tolist()
        said = [n if isinstance(n, str) else f"number {n}" for n in names]
        return [plain(said[int(t)]) for t in data["target"].values]
    return [f"class {int(t)}" for t in data["target"].values]


def rows(data: xr.Dataset, *, recording: str = "") -> Iterator[tuple[object, ...]]:
    """The rows of one explanation, as `HEAD` names them.

    Parameters
    ----------
    data : xarray.Dataset
        As `dataset.to_dataset` makes it; with ``bands`` rows are of bands, which sum to
        the electrode's relevance, and else of all frequencies together ("all").
    recording : str
        Its name.

    Yields
    ------
    tuple
        subject is the dataset's attribute, "" where it has none; relevance is summed over the window's time,
        in the unit of what was explained; share is its size over that of all rows of the window, "" where a
        window has no relevance.
    """
    if "bands" in data:
        amounts = data["bands"].transpose("epoch", "channel", "band").values.astype(np.float64)
        names = [plain(b) for b in data["band"].values.tolist()]
    else:
        amounts, names = data["relevance"].sum("time", dtype=np.float64).values[..., None], [ALL]
    subject = plain(data.attrs.get("subject", ""))
    electrodes = [plain(c) for c in data["channel"].values.tolist()]
    whole = np.abs(amounts).sum((1, 2))
    each = zip(data["onset"].values, data["label"].values, explained_names(data), strict=True)
    for i, (onset, label, explained) in enumerate(each):
        about = (subject, plain(recording), i, float(onset), plain(label), explained)
        for j, electrode in enumerate(electrodes):
            for k, band in enumerate(names):
                amount = float(amounts[i, j, k])
                yield *about, electrode, band, amount, abs(amount) / whole[i] if whole[i] > 0 else ""
