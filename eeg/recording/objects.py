"""Recordings that somebody else holds in memory: MNE's objects, and windows of a braindecode dataset.

Nothing here changes the object that it is given, and braindecode need not be installed: its datasets are
known by what they hold.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import mne
import numpy as np

from ...engine.errors import InputError
from ..text import listed, plain

TAKEN = "a path, an mne.io.Raw, mne.Epochs, or a braindecode dataset of windows"
# Columns of a braindecode dataset's table of windows.
_START, _STOP, _TARGET = "i_start_in_trial", "i_stop_in_trial", "target"


def as_mne(data: Any) -> tuple[Any, str, tuple[str, ...]]:
    """A copy of somebody's recording as MNE's raw or epochs object, loaded; and what it is.

    Parameters
    ----------
    data : mne.io.BaseRaw, mne.BaseEpochs, or braindecode dataset of windows

    Returns
    -------
    copy : mne.io.BaseRaw or mne.BaseEpochs
    kind : {"Raw", "Epochs", "braindecode windows"}
    notes : tuple of str
        Sentences for the user.

    Raises
    ------
    InputError
        It is another thing, or has no epoch or window.
    """
    if isinstance(data, mne.io.BaseRaw):
        return data.copy().load_data(verbose="error"), "Raw", ()
    if isinstance(data, mne.BaseEpochs):
        copy = data.copy().load_data()
        if len(copy) == 0:
            raise InputError("the epochs in memory: no epoch is left in them")
        return copy, "Epochs", ()
    if isinstance(data, mne.Evoked):
        raise InputError(
            "an average of epochs (mne.Evoked) is no recording; give the mne.Epochs that it is of"
        )
    if isinstance(data, np.ndarray):
        raise InputError(
            "a numpy array has no names of channels, rate or unit; onnxplain.Explainer(model)(array) takes "
            "arrays in the model's own layout, and mne.io.RawArray makes a recording of one"
        )
    parts = list(_windowed(data))
    if not parts:
        raise InputError(f"data of type {plain(type(data).__name__)} is no recording; it has to be {TAKEN}")
    several = (f"Windows of {len(parts)} recordings, whose times count on from one to the next.",)
    return _together(parts), "braindecode windows", several if len(parts) > 1 else ()


def _windowed(data: Any) -> Iterator[Any]:
    """The parts of a braindecode dataset, each with windows of one recording; none for other things."""
    if isinstance(getattr(data, "datasets", None), (list, tuple)):
        for part in data.datasets:
            yield from _windowed(part)
    elif _rows(data) is not None or _has_windows(getattr(data, "windows", None)):
        yield data
    elif isinstance(getattr(data, "raw", None), mne.io.BaseRaw):
        raise InputError(
            "a braindecode dataset that is not cut into windows; give its .raw, or cut it "
            "(braindecode.preprocessing.create_windows_from_events)"
        )


def _has_windows(epochs: Any) -> bool:
    table = epochs.metadata if isinstance(epochs, mne.BaseEpochs) else None
    return {_START, _STOP} <= set(getattr(table, "columns", ()))


def _rows(part: Any) -> Any | None:
    """The table of windows that are cut from a raw object on demand; None where there is none."""
    table = getattr(part, "metadata", None)
    raw = isinstance(getattr(part, "raw", None), mne.io.BaseRaw)
    return table if raw and {_START, _STOP} <= set(getattr(table, "columns", ())) else None


def _together(parts: list[Any]) -> Any:
    """The windows of all parts as one object of epochs, named by their targets."""
    first, signals, starts, names = None, [], [], []
    offset = 0
    for part in parts:
        own, signal, begin, end, called = _cut(part)
        first = own if first is None else first
        if own.ch_names != first.ch_names or own["sfreq"] != first["sfreq"]:
            raise InputError("the braindecode dataset has recordings of unlike channels or rates; give one")
        signals.extend(signal)
        starts.extend(begin + offset)
        names.extend(called)
        offset += end
    if not signals:
        raise InputError("the braindecode dataset has no window")
    lengths = {x.shape[-1] for x in signals}
    if len(lengths) > 1:
        raise InputError(f"the braindecode dataset has windows of unlike lengths ({listed(sorted(lengths))})")
    codes = {name: code for code, name in enumerate(dict.fromkeys(names), start=1)}
    events = np.array([(at, 0, codes[name]) for at, name in zip(starts, names, strict=True)], dtype=np.int64)
    order = np.argsort(events[:, 0], kind="stable")
    if len(np.unique(events[:, 0])) < len(events):
        raise InputError("the braindecode dataset has two windows that start at one sample")
    whole = np.stack(signals)[order]
    # What the dataset gives its network has no projector applied beyond those that its own object applied.
    return mne.EpochsArray(whole, first, events[order], 0.0, codes, proj=False, verbose="error")


def _cut(part: Any) -> tuple[Any, list[Any], Any, int, list[str]]:
    """Of one recording: info, each window in volt and its first sample, the end, and what targets say."""
    table = _rows(part)
    if table is None:
        epochs = part.windows.copy().load_data()
        info, signal, table = epochs.info, list(epochs.get_data(copy=True)), epochs.metadata
    else:
        info, rows = part.raw.info.copy(), table[[_START, _STOP]].to_numpy(dtype=np.int64)
        signal = [part.raw.get_data(start=a, stop=b) for a, b in rows]
    end = part.raw.n_times if hasattr(part, "raw") else table[_STOP].max() if len(table) else 0
    return info, signal, table[_START].to_numpy(dtype=np.int64), int(end), _names(part, table)


def _names(part: Any, table: Any) -> list[str]:
    """What the target of each window is called: by the dataset's own mapping where it has one."""
    if _TARGET not in table.columns:
        return ["window"] * len(table)
    called: dict[Any, str] = {}
    for _, options in getattr(part, "window_kwargs", ()):
        mapping = options.get("mapping") if isinstance(options, Mapping) else None
        called.update({code: str(name) for name, code in (mapping or {}).items()})
    return [called.get(target, str(target)) for target in table[_TARGET].tolist()]
