"""One relevance map a subject: windows are averaged within runs, and runs within subjects."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import xarray as xr
from numpy.typing import NDArray

from ...engine.errors import InputError
from ..electrodes.names import normalise
from ..electrodes.positions import together
from ..explanation import dataset as views
from ..explanation.explained import Explained
from ..text import listed, plain


def subject_maps(
    items: Mapping[str, Sequence[Explained | xr.DataArray]], *, signed: bool = False
) -> xr.DataArray:
    """One map of electrodes and time a subject, for `statistics.cluster_test` and the like.

    Parameters
    ----------
    items : mapping of str to sequence of (Explained or DataArray (epoch, channel, time))
        Subject -> runs. Runs of a subject weigh alike, however many windows they have.
    signed : bool
        Mean relevance with its sign, in the output's unit, in place of shares. A share is the size of an
        electrode's sample over the sum of all sizes in the window, so each subject's map sums to 1. (Its sum
        over time is not `shares.share`, which sums relevance within the electrode first.)

    Returns
    -------
    xarray.DataArray, shape (subject, channel, time)
        With coordinates subject, channel (as the first run spells them), time (seconds), and runs (subject).
        `views.electrodes` has the channels with their positions, for `statistics.cluster_test`.

    Raises
    ------
    InputError
        No subject or run; other electrodes or times than the first run has; numbers that are not finite; or,
        for shares, a run without any relevance.
    """
    if not items or not all(len(runs) for runs in items.values()):
        raise InputError("subject maps: at least one subject, and one run of each, is needed")
    first: xr.DataArray | None = None
    maps, electrodes = [], []
    for subject, runs in items.items():
        made = []
        for i, run in enumerate(runs):
            where = f"subject maps: {plain(subject)}, run {i + 1}"
            data = run.dataset["relevance"] if isinstance(run, Explained) else run
            if set(data.dims) != {"epoch", "channel", "time"}:
                raise InputError(f"{where}: axes {listed(data.dims)} are not epoch, channel and time")
            data = data.transpose("epoch", "channel", "time")
            electrodes.append(views.electrodes(run.dataset if isinstance(run, Explained) else run))
            first = data if first is None else first
            made.append(_map(_alike(data, first, where), signed, where))
        maps.append(np.mean(made, axis=0))
    assert first is not None
    return xr.DataArray(
        np.stack(maps),
        dims=("subject", "channel", "time"),
        coords={
            "subject": list(items),
            "channel": first["channel"].values,
            "time": ("time", first["time"].values, dict(first["time"].attrs)),
            "runs": ("subject", [len(runs) for runs in items.values()]),
        },
        attrs={
            "long_name": "mean relevance" if signed else "mean share of relevance",
            "places": views.places_attribute(together(electrodes)),
        },
    )


def _alike(data: xr.DataArray, first: xr.DataArray, where: str) -> NDArray[np.float64]:
    """The run's relevance with its electrodes in the first run's order."""
    own = [normalise(str(c)) for c in data["channel"].values]
    wanted = [normalise(str(c)) for c in first["channel"].values]
    if sorted(own) != sorted(wanted):
        odd = sorted(set(own) ^ set(wanted))
        raise InputError(f"{where}: other electrodes than the first run ({listed(odd)}); keep common ones")
    a, b = data["time"].values, first["time"].values
    if len(a) != len(b) or not np.allclose(a, b, rtol=0, atol=1e-6):
        raise InputError(f"{where}: {len(a)} samples at other times than the first run's {len(b)}")
    out = np.asarray(data.values, dtype=np.float64)[:, [own.index(c) for c in wanted]]
    if not len(out) or not np.isfinite(out).all():
        raise InputError(f"{where}: no window, or relevance that is not finite")
    return out


def _map(relevance: NDArray[np.float64], signed: bool, where: str) -> NDArray[np.float64]:
    if signed:
        return np.asarray(relevance.mean(0))
    size = np.abs(relevance)
    whole = size.sum((1, 2))
    if not whole.any():
        raise InputError(
            f"{where}: no window has any relevance, so there is no share of it; leave the run out"
        )
    # Windows without relevance have no share, as in `shares`.
    return np.asarray((size[whole > 0] / whole[whole > 0, None, None]).mean(0))
