"""From a recording to the windows a model takes, with every decision in words."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ...engine.contract import InputContract
from ...engine.errors import InputError
from ...engine.notebook.boxes import line
from ...engine.steps import step
from ..electrodes.positions import Electrodes, Place, measured_in
from ..text import counted, plain
from . import remarks
from .cutting import (
    Opened,
    broken_of,
    conditioned,
    in_microvolt,
    opened_for,
    taken,
    unusable_of,
    with_interpolated,
)
from .further import said, settled
from .labels import Labels
from .read import Recording
from .scaling import said as scaling_said
from .scaling import scaled, with_recording
from .slicing import chosen, labelled_marks
from .units import given


@dataclass(frozen=True)
class Windows:
    """What the model sees, and what it was made from.

    Attributes
    ----------
    data : ndarray of float32, shape (n, *contract.shape)
        The model's input: signal in the contract's unit times its scale, in the model's layout.
    signal : ndarray of float32, shape (n, channel, time)
        The same in microvolt, channel by time.
    channels : Electrodes
        The model's, in its order, and where they lie. Names alone may be given, which then are all that is
        known of them.
    times : ndarray, shape (time,)
        Seconds from the window's start.
    onsets : ndarray, shape (n,)
        Seconds from the recording's first sample to each window's start.
    labels : tuple of (str or None)
        The annotation or event that a window starts at.
    sfreq : float
        Hz.
    decisions : tuple of str
        Sentences: what was matched, filtered, resampled, interpolated, dropped, and why.
    interpolated : tuple of str
        Channels that were not recorded.
    dropped : int
        Windows that were left out.
    tmin : float
        Seconds from the event that a window is cut at to its start; 0 where it is cut at none.
    contract : InputContract or None
        The model's, with what the recording says of its further inputs filled in.
    band : (float, float)
        Hz: what the recording holds, by its header and its rate, before the contract's filters.
    """

    data: NDArray[np.float32]
    signal: NDArray[np.float32]
    channels: Electrodes
    times: NDArray[np.float64]
    onsets: NDArray[np.float64]
    labels: tuple[str | None, ...]
    sfreq: float
    decisions: tuple[str, ...]
    interpolated: tuple[str, ...] = ()
    dropped: int = 0
    tmin: float = 0.0
    contract: InputContract | None = None
    band: tuple[float, float] = (0.0, np.inf)

    def __repr__(self) -> str:
        seconds = self.signal.shape[-1] / self.sfreq
        return line(
            "Windows",
            f"{counted(len(self), 'window')} of {seconds:g} s at {self.sfreq:g} Hz",
            counted(len(self.channels), "electrode"),
        )

    def __post_init__(self) -> None:
        if not isinstance(self.channels, Electrodes):
            object.__setattr__(self, "channels", Electrodes(self.channels))

    def __len__(self) -> int:
        return len(self.data)


def to_model_layout(signal: NDArray[Any], contract: InputContract) -> NDArray[Any]:
    """Channel by time -> the model's layout; the values are not touched.

    Parameters
    ----------
    signal : ndarray, shape (..., channel, time)
    contract : InputContract

    Returns
    -------
    ndarray, shape (..., *contract.shape)
    """
    lead = signal.shape[:-2]
    order = [len(lead) + axis for axis in contract.order]
    named = signal.reshape(*lead, *contract.lengths.values())
    return named.transpose(*range(len(lead)), *order).reshape(*lead, *contract.shape)


def as_input(signal: NDArray[Any], contract: InputContract) -> NDArray[np.float32]:
    """What the model gets of a signal: its unit, its scale, its scaling by window, its layout.

    Parameters
    ----------
    signal : ndarray, shape (..., channel, time)
        Microvolt.
    contract : InputContract

    Returns
    -------
    ndarray of float32, shape (..., *contract.shape)
    """
    return np.ascontiguousarray(to_model_layout(scaled(signal, contract), contract))


def from_model_layout(array: NDArray[Any], contract: InputContract) -> NDArray[Any]:
    """The model's layout -> channel by time: the exact inverse of `to_model_layout`."""
    lead = array.shape[: array.ndim - len(contract.shape)]
    if array.shape[len(lead) :] != contract.shape:
        raise InputError(f"an array of shape {array.shape} does not end in the model's {contract.shape}")
    lengths, order = tuple(contract.lengths.values()), contract.order
    named = array.reshape(*lead, *(lengths[axis] for axis in order))
    back = [len(lead) + order.index(axis) for axis in range(len(order))]
    return named.transpose(*range(len(lead)), *back).reshape(*lead, len(contract.channels), contract.window)


def cut(
    recording: Recording,
    contract: InputContract,
    *,
    events: str | None = None,
    channels: str | Sequence[str] | Mapping[str, str] | None = None,
    unit: str | None = None,
    interpolate: bool = False,
    labels: Labels | None = None,
    force_unit: bool = False,
    show_annotations: bool = False,
) -> Windows:
    """Cut a recording into the windows that a model takes.

    Parameters
    ----------
    recording : Recording
    contract : InputContract
    events : str, optional
        None for consecutive windows over the whole recording; "annotations" for one window at the
        start of each annotation; or a comma list of descriptions or tags ("left" matches "left/agree").
    channels : str, sequence or mapping, optional
        Which recorded channel each model channel is (see `channels.parse_mapping`).
    unit : {"V", "mV", "uV"}, optional
        Unit of the numbers stored in the file, whatever its header says, or of those in memory. In any case.
    interpolate : bool
        Spline missing and unusable channels instead of refusing.
    labels : Labels, optional
        From a table; where it has onsets, windows start there, and `events` must not be given.
    force_unit : bool
        Amplitudes that no EEG has are taken all the same, and marked.
    show_annotations : bool
        Texts of annotations are shown that are neither classes nor events (see `remarks`).

    Returns
    -------
    Windows

    Raises
    ------
    InputError
        A channel is missing, ambiguous or unusable; amplitudes that no EEG has; no such event; no
        window left; a further input of the model that the recording does not say.
    """
    where = plain(recording.name)
    if unit is not None:
        asked, unit = unit, given(unit)
        if unit is None:
            raise InputError(f"unit {plain(asked)}: V, mV or uV")
    recording = remarks.Remarks(contract.classes, events, show_annotations).of(recording)
    opened = opened_for(contract, recording, channels, interpolate=interpolate)
    opened.said.extend(said(contract))
    contract = settled(contract, opened.electrodes, recording.whose, where, _measured(opened))
    marks = labelled_marks(recording, labels, events, where, contract.seconds) or chosen(
        recording, events, where
    )
    pieces = in_microvolt(opened, unit)
    step("checking the signal")
    unusable = unusable_of(opened, pieces, forced=force_unit)
    step("filtering and resampling")
    # A shorter stretch holds no window.
    whole = [p for p in pieces if p.data.shape[-1] >= round(contract.seconds * opened.sfreq)]
    leave = {*unusable, *opened.bads, *broken_of(opened, pieces)}
    whole, interpolated, rows = with_interpolated(opened, whole, unusable, leave)
    ready = conditioned(opened, whole, rows, leave, interpolated)
    opened.said.extend(scaling_said(contract))
    contract = with_recording(contract, [p.data for p in ready])
    step("cutting windows")
    if contract.unit == "V" and contract.scale < 1e3:
        opened.said.append(
            f"The model gets volt, numbers around {1e-5 * contract.scale:.0e}: right only where it was "
            "trained on volt, and most networks are trained on microvolt."
        )
    slices = taken(opened, pieces, whole, ready, rows, marks, labels, interpolated)
    opened.said.extend(remarks.said(recording, slices.labels))
    return Windows(
        data=as_input(slices.signal, contract),
        signal=slices.signal.astype(np.float32),
        channels=opened.electrodes,
        times=np.arange(contract.window) / contract.sfreq,
        onsets=np.array(slices.onsets, dtype=np.float64),
        labels=tuple(slices.labels),
        sfreq=contract.sfreq,
        decisions=tuple(opened.said),
        interpolated=interpolated,
        dropped=sum(slices.lost.values()),
        tmin=contract.tmin if marks is not None or recording.is_epochs else 0.0,
        contract=contract,
        band=opened.band,
    )


def _measured(opened: Opened) -> dict[str, Place]:
    """Where the recording itself says that the model's electrodes lie."""
    own = opened.match.names
    there = measured_in(opened.recording.data.info, list(own.values()))
    return {model: there[name] for model, name in own.items() if name in there}


def with_window(
    contract: InputContract,
    seconds: float | None = None,
    *,
    tmin: float | None = None,
    tmax: float | None = None,
    stride: float | None = None,
) -> InputContract:
    """The contract with windows of another length, at another place, or closer together.

    Parameters
    ----------
    contract : InputContract
    seconds : float, optional
        Length of a window.
    tmin, tmax : float, optional
        Seconds from an event to the start and the end of its window. A contract that has a sample more, since
        it counts the one at `tmax` as MNE does, keeps it.
    stride : float, optional
        Seconds from the start of a window to that of the next.

    Raises
    ------
    InputError
        Both a length and an end; or a length that windows cannot have.
    """
    if seconds is not None and tmax is not None:
        raise InputError("window and tmax both say where windows end; leave out one of them")
    begin = contract.tmin if tmin is None else tmin
    if not all(np.isfinite(t) for t in (begin, tmax or 0.0)):
        raise InputError(f"tmin {begin:g} and tmax {tmax}: seconds are needed")
    changes: dict[str, Any] = {"tmin": begin}
    if stride is not None:
        if not (np.isfinite(stride) and round(stride * contract.sfreq) >= 1):
            raise InputError(f"stride {stride:g} s: a sample at {contract.sfreq:g} Hz at least")
        changes["stride"] = stride
    if tmax is not None:
        if tmax <= begin:
            raise InputError(f"tmax {tmax:g} s: has to lie after tmin ({begin:g} s)")
        seconds = tmax - begin
        if round(seconds * contract.sfreq) + 1 == contract.window:
            seconds = contract.seconds
    if seconds is not None:
        samples = round(seconds * contract.sfreq) if 0 < seconds < 1e9 else 0
        if samples < 1 or (contract.patch and samples % contract.patch):
            need = (
                f"; a multiple of {contract.patch / contract.sfreq:g} s is needed" if contract.patch else ""
            )
            raise InputError(f"window {seconds:g} s: cannot be cut at {contract.sfreq:g} Hz{need}")
        changes["window"] = samples
    return contract.model_copy(update=changes)
