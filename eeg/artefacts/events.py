"""Events in a recording: R peaks, blinks, saccades, and what its annotations say."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import mne
import numpy as np
from numpy.typing import NDArray
from scipy.signal import find_peaks

from ...engine.errors import InputError
from ..electrodes.positions import of_recording
from ..electrodes.regions import members
from ..recording.read import Recording
from ..recording.slicing import named
from ..text import plain
from .heartbeats import pulse
from .parts import HEART_ABOVE, HEART_BELOW

Floats = NDArray[np.float64]

PULSE_RATE, PULSE_WINDOW, PULSE_BLOCK = 200.0, 4.0, 300.0  # Hz, seconds: what the pulse finder is given
BLINK = 10  # times the usual size of the signal between 1 and 10 Hz: what may be a blink


def r_peaks(recording: Recording) -> Floats:
    """R peaks in seconds from the first sample: on an ECG channel, else what EEG has of the heart.

    Without an ECG channel the pulse finder of `heartbeats` looks for them in the EEG, five minutes at a time.

    Raises
    ------
    InputError
        No peak is found.
    """
    raw = _continuous(recording, "R peaks")
    names = [n for n, t in zip(raw.ch_names, raw.get_channel_types(), strict=True) if t == "ecg"]
    names = names or [n for n in raw.ch_names if n.upper().replace("EKG", "ECG").startswith("ECG")]
    if not names:
        return _pulse(raw, recording)
    found, _, _ = mne.preprocessing.find_ecg_events(raw, ch_name=names[0], verbose="error")
    return _seconds(raw, found, recording, "R peak")


def _pulse(raw: Any, recording: Recording) -> Floats:
    """R peaks that the EEG itself shows, block by block."""
    where = f"{plain(recording.name)}: no ECG channel to find R peaks on"
    picks = mne.pick_types(raw.info, eeg=True, exclude="bads")
    sfreq = float(raw.info["sfreq"])
    if not len(picks) or sfreq < 2.5 * HEART_BELOW:
        raise InputError(f"{where}, and no EEG that shows them")
    every = max(1, round(sfreq / PULSE_RATE))
    rate, size = sfreq / every, round(PULSE_WINDOW * sfreq / every)
    block = round(PULSE_BLOCK / PULSE_WINDOW) * size * every
    found = [np.zeros(0)]
    for first in range(0, raw.n_times, block):
        x = raw.get_data(picks=picks, start=first, stop=min(first + block, raw.n_times)) * 1e6
        x = x - x.mean(axis=0) if len(x) > 2 else x
        x = mne.filter.filter_data(x, sfreq, HEART_ABOVE, HEART_BELOW, verbose="error")[:, ::every]
        n = x.shape[1] // size
        if n < 2:
            continue
        cut = x[:, : n * size].reshape(len(x), n, size).swapaxes(0, 1)
        beats = pulse(cut, rate, onsets=np.arange(n) * size / rate)
        if beats is not None:
            found.append(np.array([first / sfreq + (i * size + t) / rate for i, t in beats]))
    times = np.sort(np.concatenate(found))
    if not len(times):
        raise InputError(f"{where}, and no heartbeat was seen in the EEG")
    return times


def blinks(recording: Recording) -> Floats:
    """Blinks, in seconds from the first sample: on an EOG channel, or on Fp1 or Fp2.

    Raises
    ------
    InputError
        There is no such channel, or no blink is found.
    """
    raw = _continuous(recording, "blinks")
    names = [n for n, t in zip(raw.ch_names, raw.get_channel_types(), strict=True) if t == "eog"]
    names = names or list(members(["Fp1", "Fp2"], of_recording(raw.info, raw.ch_names)))
    if not names:
        raise InputError(f"{plain(recording.name)}: neither an EOG channel nor Fp1 or Fp2 to find blinks on")
    # MNE's own threshold, a quarter of the range, takes the filter's ringing between blinks for some, and one
    # jerk of the cable hides all others: somewhat more than half a good blink's height is neither.
    band = mne.filter.filter_data(
        raw.get_data(picks=[names[0]])[0], raw.info["sfreq"], 1.0, 10.0, verbose="error"
    )
    band -= np.median(band)
    side = 1 if band.max() > -band.min() else -1
    usual = float(np.median(np.abs(band)))
    _, far = find_peaks(side * band, height=BLINK * usual, distance=max(1, round(0.2 * raw.info["sfreq"])))
    height = far["peak_heights"]
    found = np.zeros((0, 3), dtype=int)
    if len(height):
        found = mne.preprocessing.find_eog_events(
            raw, ch_name=names[0], thresh=0.6 * float(np.quantile(height, 0.75)), verbose="error"
        )
    return _seconds(raw, found, recording, "blink")


def saccades(recording: Recording) -> Floats:
    """Horizontal saccades, in seconds from the first sample: steps of F7 less F8, or of a HEOG channel.

    A step is a change within 50 ms that is above six times its usual size (median), and at least 0.2 s from a
    larger one.

    Raises
    ------
    InputError
        There are no such channels, or no saccade is found.
    """
    raw = _continuous(recording, "saccades")
    heog = [n for n in raw.ch_names if "HEOG" in n.upper()]
    electrodes = of_recording(raw.info, raw.ch_names)
    sides = [members([side], electrodes) for side in ("F7", "F8")]
    if heog:
        signal = raw.get_data(picks=heog[:1])[0]
    elif all(sides):
        a, b = raw.get_data(picks=[side[0] for side in sides])
        signal = a - b
    else:
        raise InputError(f"{plain(recording.name)}: neither a HEOG channel nor F7 and F8 to find saccades on")
    sfreq = raw.info["sfreq"]
    smooth = mne.filter.filter_data(
        signal - signal.mean(), sfreq, 0.1, min(15.0, 0.45 * sfreq), verbose="error"
    )
    lag = max(1, round(0.05 * sfreq))
    change = np.abs(smooth[lag:] - smooth[:-lag])
    peaks, _ = find_peaks(change, height=6 * float(np.median(change)), distance=max(1, round(0.2 * sfreq)))
    if not len(peaks):
        raise InputError(f"{plain(recording.name)}: no saccade was found")
    return np.asarray((peaks + lag / 2) / sfreq, dtype=np.float64)


def stimuli(recording: Recording, description: str) -> Floats:
    """Onsets of annotations, in seconds from the first sample.

    Raises
    ------
    InputError
        There is no such annotation.
    """
    return np.array([m.onset for m in named(recording, description, plain(recording.name))])


# Events that are looked for in the signal; any other name is an annotation's.
DETECTORS: Mapping[str, Callable[[Recording], Floats]] = {
    "r-peaks": r_peaks,
    "blinks": blinks,
    "saccades": saccades,
}


def is_detected(name: str) -> bool:
    """Whether events of a name are looked for in the signal."""
    return _key(name) in DETECTORS


def _key(name: str) -> str:
    return name.casefold().replace("_", "-").replace(" ", "-")


def times_of(recording: Recording, name: str) -> Floats:
    """When events of a name are, in seconds from the recording's first sample.

    Parameters
    ----------
    recording : Recording
    name : str
        One of `DETECTORS`, however it is written, or an annotation's.

    Raises
    ------
    InputError
        There is none.
    """
    key = _key(name)
    return DETECTORS[key](recording) if key in DETECTORS else stimuli(recording, name)


def _continuous(recording: Recording, what: str) -> Any:
    if recording.is_epochs:
        raise InputError(
            f"{plain(recording.name)}: {what} need a continuous recording, this one is cut into epochs"
        )
    return recording.data


def _seconds(raw: Any, events: Any, recording: Recording, what: str) -> Floats:
    if len(events) == 0:
        raise InputError(f"{plain(recording.name)}: no {what} was found")
    return np.asarray((events[:, 0] - raw.first_samp) / raw.info["sfreq"], dtype=np.float64)
