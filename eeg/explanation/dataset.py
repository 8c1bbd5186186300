"""Relevance with names on its axes: xarray Datasets, one for a recording."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import xarray as xr
from numpy.typing import NDArray

from ...engine.contract import InputContract
from ...engine.errors import InputError
from ..electrodes.positions import Electrodes
from ..recording.windows import Windows, from_model_layout
from ..text import plain
from .references import ReferenceWindows

RESULT = "relevance.nc"


def to_dataset(
    windows: Windows,
    contract: InputContract,
    *,
    relevance: NDArray[Any],
    multiplier: NDArray[Any] | None = None,
    unassigned: NDArray[Any] | None = None,
    explained: NDArray[Any],
    target: NDArray[Any] | None = None,
    output: NDArray[Any] | None = None,
    ledger: Mapping[str, NDArray[Any]] | None = None,
    closure: NDArray[Any] | None = None,
    provenance: Mapping[str, Any] | None = None,
    references: ReferenceWindows | None = None,
) -> xr.Dataset:
    """Name the axes of an explanation.

    Relevance is only reshaped, never scaled or cast, so its sums stay what they were.

    Parameters
    ----------
    windows : Windows
    contract : InputContract
    relevance, multiplier, unassigned : ndarray, shape (epoch, *contract.shape)
        In the model's layout. The multiplier is relevance per unit of the model's input, which is the
        signal in the contract's unit times its scale.
    explained : ndarray, shape (epoch,)
    target : ndarray of int, shape (epoch,), optional
        Class that was explained.
    output : ndarray, shape (epoch, ...), optional
        What the model said.
    ledger : dict of str to ndarray, shape (epoch,), optional
        Per kind, what did not reach the input.
    closure : ndarray, shape (epoch,), optional
    provenance : mapping, optional
        Anything JSON can hold; kept as JSON text in the attribute "provenance".
    references : ReferenceWindows, optional
        What the windows were held against. Then the multiplier has an axis of references after the first.

    Returns
    -------
    xarray.Dataset
        relevance, multiplier and signal (epoch, channel, time); explained, target, onset, label
        (epoch); output (epoch, class), or (epoch, number) of a regression; ledger (epoch, kind). Against
        references: multiplier (epoch, reference, channel, time); reference_signal (held, channel, time) of
        all windows that others were held against, held_onset and held_label; reference_index (epoch,
        reference), which of them.
    """
    number = int(target[0]) if contract.regresses and target is not None and len(target) else None
    unit = contract.unit_of(number)
    wide = ("epoch", "channel", "time")
    data: dict[str, Any] = {
        "relevance": (wide, from_model_layout(relevance, contract), {"units": unit}),
        "signal": (wide, windows.signal, {"units": "uV"}),
        "explained": (("epoch",), explained, {"units": unit}),
    }
    if multiplier is not None:
        own_scale = "" if contract.scaling is None else f", {contract.scaling.by} by {contract.scaling.over}"
        per = f"{unit} per model input unit ({contract.scale:g} x {contract.unit}{own_scale})"
        own = wide if references is None else ("epoch", "reference", "channel", "time")
        data["multiplier"] = (own, from_model_layout(multiplier, contract), {"units": per})
    if unassigned is not None:
        data["unassigned"] = (wide, from_model_layout(unassigned, contract), {"units": unit})
    coords: dict[str, Any] = {
        "epoch": np.arange(len(windows)),
        "channel": list(windows.channels),
        "time": ("time", windows.times, {"units": "s", "long_name": "time from the window's start"}),
        "onset": ("epoch", windows.onsets, {"units": "s", "long_name": "time from the recording's start"}),
        "label": ("epoch", np.array([label or "" for label in windows.labels], dtype=object)),
    }
    if windows.tmin:
        lag = {"units": "s", "long_name": "time from the event"}
        coords["from_event"] = ("time", windows.times + windows.tmin, lag)
    if target is not None:
        data["target"] = (("epoch",), np.asarray(target))
        if contract.classes:
            names = np.array(contract.classes, dtype=object)
            coords["target_class"] = ("epoch", names[np.asarray(target)])
    if output is not None:
        dims = ["epoch", *(f"output_{i}" for i in range(1, output.ndim))]
        if output.ndim == 2 and len(contract.names) in (0, output.shape[1]):
            dims[1] = "number" if contract.regresses else "class"
            coords[dims[1]] = list(contract.names) or np.arange(output.shape[1])
        data["output"] = (tuple(dims), output, {"long_name": "what the model gives"})
    if references is not None:
        data["reference_signal"] = (("held", "channel", "time"), references.signal, {"units": "uV"})
        data["reference_index"] = (("epoch", "reference"), references.index)
        coords["held_onset"] = ("held", references.onsets, {"units": "s"})
        coords["held_label"] = ("held", np.array([label or "" for label in references.labels], dtype=object))
    if ledger:
        coords["kind"] = list(ledger)
        data["ledger"] = (("epoch", "kind"), np.stack(list(ledger.values()), -1), {"units": unit})
    if closure is not None:
        note = {"long_name": "abs(sum of relevance + ledger - explained), relative"}
        data["closure"] = (("epoch",), closure, note)
    attrs = {
        "title": "Relevance of an EEG recording for a model's output",
        "sfreq": windows.sfreq,
        "tmin": windows.tmin,
        "splined": json.dumps(list(windows.interpolated)),
        **({"band": json.dumps(windows.band)} if np.isfinite(windows.band[1]) else {}),
        "places": places_attribute(windows.channels),
        "decisions": json.dumps(list(windows.decisions), ensure_ascii=False),
        "provenance": json.dumps(dict(provenance or {}), ensure_ascii=False),
        "against": "zero" if references is None else references.how,
        "explains": "value" if references is None else "difference",
        "inputs": json.dumps(
            contract.model_dump(mode="json", include={"inputs", "scaling"}, exclude_defaults=True)
        ),
    }
    return xr.Dataset(data, coords, attrs)


def save(dataset: xr.Dataset, path: Path) -> Path:
    """Write a Dataset as compressed NetCDF (through h5netcdf)."""
    # Made in memory first: HDF5 (2.0) crashes when it closes a file that there was no space for.
    packed = {n: {"zlib": True, "complevel": 4} for n, v in dataset.data_vars.items() if v.ndim >= 3}
    path.write_bytes(dataset.to_netcdf(engine="h5netcdf", encoding=packed))
    return path


def load(path: Path) -> xr.Dataset:
    """Read what `save` wrote into memory."""
    with xr.open_dataset(path, engine="h5netcdf") as dataset:
        return dataset.load()


def explanation(path: Path) -> xr.Dataset:
    """Read the explanation of one recording back.

    Parameters
    ----------
    path : Path
        The folder that `explain` wrote, or relevance.nc itself.

    Returns
    -------
    xarray.Dataset
        As `to_dataset` made it.

    Raises
    ------
    InputError
        There is no explanation of a recording, or it cannot be read.
    """
    file = path if path.suffix == ".nc" else path / RESULT
    where = plain(file, 300)
    if not file.is_file():
        raise InputError(
            f"{plain(path, 300)}: holds no {RESULT}; `onnxplain explain` writes one for a recording"
        )
    try:
        data = load(file)
    except Exception as e:
        raise InputError(f"{where}: cannot be read ({type(e).__name__})") from None
    if "relevance" not in data or data["relevance"].dims != ("epoch", "channel", "time"):
        raise InputError(f"{where}: is no explanation of a recording")
    return data


def electrodes(data: xr.Dataset | xr.DataArray) -> Electrodes:
    """The channels of a Dataset, and where they lie; by name alone where it carries no position of theirs."""
    names = list(map(str, data["channel"].values.tolist()))
    try:
        found = json.loads(data.attrs.get("places", "{}"))
        places = {str(k): (float(x), float(y), float(z)) for k, (x, y, z) in found.items()}
    except (TypeError, ValueError, AttributeError):
        places = {}
    return Electrodes(names, places, own=places)


def places_attribute(electrodes: Electrodes) -> str:
    """Measured positions as `electrodes` reads them back from the attribute "places"."""
    return json.dumps({k: list(v) for k, v in electrodes.measured.items()})


def provenance(dataset: xr.Dataset) -> dict[str, Any]:
    """Files, hashes and options of a Dataset; empty where it carries none."""
    try:
        found = json.loads(dataset.attrs.get("provenance", "{}"))
    except (TypeError, ValueError):
        return {}
    return found if isinstance(found, dict) else {}


def digest(dataset: xr.Dataset) -> str | None:
    """The hash of the recording that was explained; None where it is not known."""
    found = provenance(dataset).get("data")
    known = found.get("sha256") if isinstance(found, dict) else None
    return None if known is None else str(known)
