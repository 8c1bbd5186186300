"""From a recording to the windows a model takes, with every decision in words."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import pairwise
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..engine.contract import InputContract
from ..engine.errors import InputError
from ..engine.steps import step
from .channels import match, normalise
from .conditioning import Piece, check, condition, reference, spline
from .electrodes import Electrodes, of_recording
from .labels import Labels
from .recording import Recording
from .regions import unknown
from .slicing import chosen, labelled_marks, take
from .text import counted, listed, plain

FROM_MICROVOLT = {"V": 1e-6, "mV": 1e-3, "uV": 1.0}
_TYPES = {"eeg", "eog", "ecg", "emg", "bio", "misc", "seeg", "ecog", "dbs"}


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
        Sentences: what was matched, filtered, resampled, splined, dropped, and why.
    splined : tuple of str
        Channels that were not recorded.
    dropped : int
        Windows that were left out.
    """

    data: NDArray[np.float32]
    signal: NDArray[np.float32]
    channels: Electrodes
    times: NDArray[np.float64]
    onsets: NDArray[np.float64]
    labels: tuple[str | None, ...]
    sfreq: float
    decisions: tuple[str, ...]
    splined: tuple[str, ...] = ()
    dropped: int = 0

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
    return signal.reshape(*signal.shape[:-2], *contract.shape)


def as_input(signal: NDArray[Any], contract: InputContract) -> NDArray[np.float32]:
    """What the model gets of a signal: its unit, its scale, its layout.

    Parameters
    ----------
    signal : ndarray, shape (..., channel, time)
        Microvolt.
    contract : InputContract

    Returns
    -------
    ndarray of float32, shape (..., *contract.shape)
    """
    scaled = signal * np.float64(FROM_MICROVOLT[contract.unit] * contract.scale)
    return np.ascontiguousarray(to_model_layout(scaled.astype(np.float32), contract))


def from_model_layout(array: NDArray[Any], contract: InputContract) -> NDArray[Any]:
    """The model's layout -> channel by time: the exact inverse of `to_model_layout`."""
    lead = array.shape[: array.ndim - len(contract.shape)]
    if array.shape[len(lead) :] != contract.shape:
        raise InputError(f"an array of shape {array.shape} does not end in the model's {contract.shape}")
    return array.reshape(*lead, len(contract.channels), contract.window)


def cut(
    recording: Recording,
    contract: InputContract,
    *,
    events: str | None = None,
    channels: str | Sequence[str] | Mapping[str, str] | None = None,
    unit: str | None = None,
    interpolate: bool = False,
    labels: Labels | None = None,
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
        Unit of the numbers stored in the file, whatever its header says.
    interpolate : bool
        Spline missing and unusable channels instead of refusing.
    labels : Labels, optional
        From a table; where it has onsets, windows start there, and `events` must not be given.

    Returns
    -------
    Windows

    Raises
    ------
    InputError
        A channel is missing, ambiguous or unusable; amplitudes that no EEG has; no such event; no
        window left.
    """
    where = plain(recording.name)
    if unit is not None and unit not in FROM_MICROVOLT:
        raise InputError(f"unit {plain(unit)}: V, mV or uV")
    sfreq = float(recording.data.info["sfreq"])
    types = recording.data.get_channel_types()
    names = [n for n, t in zip(recording.data.ch_names, types, strict=True) if t in _TYPES]
    recorded = of_recording(recording.data.info, names)
    kinds = dict(zip(recording.data.ch_names, types, strict=True))
    found = match(
        contract.channels, names, given=channels, interpolate=interpolate, where=where,
        places=recorded.positions,
    )  # fmt: skip
    said = [*recording.notes, *found.said]
    marks = labelled_marks(recording, labels, events, where) or chosen(recording, events, where)
    factors = np.full(len(names), 1e6)
    if unit is not None:
        factors *= [recording.factor(n, unit) for n in names]
        said.append(f"The stored numbers were taken as {unit}, as asked.")
    pieces = _pieces(recording, names, factors)
    if not pieces:
        raise InputError(f"{where}: there is no signal in it")

    electrodes = _electrodes(contract.channels, found.names, recorded)
    # An EOG channel may have been digitised too, and is no electrode to interpolate from or to average.
    scalp = {n for n in names if kinds[n] == "eeg"} | set(found.names.values())
    recorded = Electrodes(names, {n: p for n, p in recorded.measured.items() if n in scalp}, recorded.own)
    said += _places_said(electrodes)
    step("checking the signal")
    picked = list(found.names.values())
    bads = set(recording.data.info["bads"])
    unusable, judged = check(
        [replace(p, data=p.data[[names.index(n) for n in picked]]) for p in pieces],
        picked,
        sfreq,
        unscaled=[n for n in picked if plain(n) in recording.facts.unscaled],
        unit_given=unit is not None,
        declared=recording.declared,
        repair=interpolate,
        where=where,
    )
    said += judged
    rates = {n: recording.facts.rates.get(plain(n), sfreq) for n in picked}
    slow = [f"{plain(n)} ({r:g} Hz)" for n, r in rates.items() if r < sfreq]
    if slow:
        said.append(f"Recorded at a lower rate, brought to {sfreq:g} Hz by the reader: {listed(slow, 40)}.")
    marked = [n for n in picked if n in bads and n not in unusable]
    if marked:
        how = "splined from the others" if interpolate else "used all the same"
        said.append(f"Marked bad in the recording, {how}: {listed(marked, 40)}.")
        unusable += marked if interpolate else []

    step("filtering and resampling")
    splined = tuple(n for n in contract.channels if n in found.splined or found.names.get(n) in unusable)
    whole = [p for p in pieces if p.data.shape[-1] >= round(contract.seconds * sfreq)]
    broken = {n for i, n in enumerate(names) if not all(np.isfinite(p.data[i]).all() for p in pieces)}
    leave = {*unusable, *bads, *broken}
    if splined and whole:
        sound = [n for n in names if n not in leave]
        made = spline(
            [replace(p, data=p.data[[names.index(n) for n in sound]]) for p in whole],
            recorded.some(sound),
            electrodes.some(splined),
            where=where,
        )
        whole = [replace(p, data=np.vstack([p.data, m])) for p, m in zip(whole, made, strict=True)]
    rows = [
        len(names) + splined.index(n) if n in splined else names.index(found.names[n])
        for n in contract.channels
    ]
    own = found.names.values()
    against, sentence = reference(whole, recorded, contract, leave=leave, where=where, own=own)
    said += [sentence] if sentence else []
    info = recording.data.info
    ready, filters = condition(
        [replace(p, data=p.data[rows] - (against[i] if against else 0)) for i, p in enumerate(whole)],
        sfreq,
        contract,
        recorded=(float(info["highpass"] or 0), float(info["lowpass"] or sfreq / 2)),
    )
    said += filters

    step("cutting windows")
    rows_of = None if labels is None or labels.onsets is not None else labels
    slices = take(ready, whole, rows, sfreq, recording, contract, marks, rows_of)
    if labels is not None:
        said.append(f"Labels are those of {plain(labels.name)}.")
    lost = slices.lost
    if recording.is_epochs and len(pieces) > len(whole):
        lost["shorter than a window"] += len(pieces) - len(whole)
    said += [f"{counted(n, 'window')} dropped: {reason}." for reason, n in lost.items()]
    if not len(slices.signal):
        longest = max(p.data.shape[-1] for p in pieces) / sfreq
        why = "; ".join(f"{counted(n, 'window')} {reason}" for reason, n in lost.items())
        why = why or f"the longest uninterrupted signal has {longest:.3g} s"
        raise InputError(f"{where}: no window of {contract.seconds:g} s is left: {why}")
    whence = "one at each event that was asked for" if marks is not None else "one after another"
    whence = "one from each epoch" if recording.is_epochs else whence
    said.append(f"{counted(len(slices.signal), 'window')} of {contract.seconds:g} s, {whence}.")
    return Windows(
        data=as_input(slices.signal, contract),
        signal=slices.signal.astype(np.float32),
        channels=electrodes,
        times=np.arange(contract.window) / contract.sfreq,
        onsets=np.array(slices.onsets, dtype=np.float64),
        labels=tuple(slices.labels),
        sfreq=contract.sfreq,
        decisions=tuple(said),
        splined=splined,
        dropped=sum(lost.values()),
    )


def _electrodes(channels: Sequence[str], names: Mapping[str, str], recorded: Electrodes) -> Electrodes:
    """The model's channels, each where the recorded one lies that it is read from."""
    there = {model: recorded.positions[own] for model, own in names.items() if own in recorded.positions}
    places = {model: (float(x), float(y), float(z)) for model, (x, y, z) in there.items()}
    own = [m for m, r in names.items() if r in recorded.own and normalise(m) == normalise(r)]
    return Electrodes(channels, places, own)


def _places_said(electrodes: Electrodes) -> list[str]:
    """What names do not say about where channels lie."""
    said = []
    if electrodes.measured:
        said.append(
            f"{counted(len(electrodes.measured), 'channel')} whose names are no known electrode's lie where "
            "the recording says; regions and sets take each for the nearest electrode of the 10-10 system."
        )
    lost = unknown(electrodes)
    if lost:
        said.append(
            f"No place on the head is known of {counted(len(lost), 'channel')}, by name or by a position in "
            f"the recording: no electrode set, region, head map or artefact has them ({listed(lost, 12)})."
        )
    return said


def _pieces(recording: Recording, names: Sequence[str], factors: NDArray[np.float64]) -> list[Piece]:
    sfreq = float(recording.data.info["sfreq"])
    if recording.is_epochs:
        epochs = recording.data
        data = epochs.get_data(picks=list(names), copy=True, verbose="error")
        kinds = {code: name for name, code in epochs.event_id.items()}
        # MNE does not keep the rate in which event samples count; it is the epochs' own unless they
        # were resampled after they were cut.
        return [
            Piece(event[0] / sfreq + epochs.tmin, x * factors[:, None], -epochs.tmin, kinds.get(event[2]))
            for x, event in zip(data, epochs.events, strict=True)
        ]
    data = recording.data.get_data(picks=list(names), verbose="error")
    data *= factors[:, None]
    edges = [0, *(round(b * sfreq) for b in recording.breaks), data.shape[-1]]
    return [Piece(a / sfreq, data[:, a:b]) for a, b in pairwise(edges) if b > a + 1]
