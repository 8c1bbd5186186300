"""The signal before it is cut: what is wrong with it, reference, filters, sampling rate.

Everything works on pieces, stretches of uninterrupted signal, so that no filter reaches over a gap.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, replace

import mne
import numpy as np
from numpy.typing import NDArray

from ...engine.contract import InputContract
from ...engine.errors import InputError
from ..electrodes.names import normalise, parse
from ..electrodes.positions import Electrodes
from ..text import counted, listed, plain
from .resampling import resample

Signal = NDArray[np.float64]

# Median absolute amplitude that an EEG channel can have, in microvolt, once offset and drift are gone.
PLAUSIBLE = (0.5, 500.0)


@dataclass(frozen=True)
class SignalPiece:
    """A stretch of uninterrupted signal.

    Attributes
    ----------
    start : float
        Seconds from the recording's first sample.
    data : ndarray, shape (channel, time)
        Microvolt.
    zero : float
        Seconds from `start` to the event, in an epoch.
    label : str or None
        The epoch's event.
    holes : tuple of (str, float, float)
        Channel, and seconds from `start`, between which it has values that are not numbers (see `holes`).
    """

    start: float
    data: Signal
    zero: float = 0.0
    label: str | None = None
    holes: tuple[tuple[str, float, float], ...] = ()


def amplitude(x: Signal, sfreq: float) -> NDArray[np.float64]:
    """Median absolute value of each channel after offset and drift are removed.

    Parameters
    ----------
    x : ndarray, shape (channel, time)
    sfreq : float
        A straight line is removed from blocks of at most ten seconds, since electrodes drift.
    """
    length = max(2, min(x.shape[-1], round(10 * sfreq)))
    blocks = max(1, x.shape[-1] // length)
    line = np.arange(length) - (length - 1) / 2
    line /= np.linalg.norm(line)
    out = np.empty(len(x))
    # One channel at a time: a recording may fill a good part of memory.
    for i, channel in enumerate(x):
        cut = channel[: blocks * length].reshape(blocks, length)
        level = cut - cut.mean(-1, keepdims=True)
        level -= (level @ line)[:, None] * line
        out[i] = np.median(np.abs(level, out=level))
    return out


def check(
    pieces: Sequence[SignalPiece],
    names: Sequence[str],
    sfreq: float,
    *,
    unscaled: Sequence[str] = (),
    forced: bool = False,
    declared: Mapping[str, str] | None = None,
    repair: bool = False,
    where: str,
) -> tuple[list[str], list[str]]:
    """Look for channels that cannot be what they claim to be.

    Parameters
    ----------
    pieces : sequence of SignalPiece
        With the channels `names`, in microvolt.
    names : sequence of str
    sfreq : float
    unscaled : sequence of str
        Channels whose header gives no scale.
    forced : bool
        Amplitudes that no EEG has are taken all the same, and told.
    declared : dict of str to str, optional
        The header's units, for the message.
    repair : bool
        Unusable channels are returned, to be interpolated, instead of refused.
    where : str
        The recording's name, for messages.

    Returns
    -------
    unusable : list of str
    said : list of str

    Raises
    ------
    InputError
        Not-a-number, flat or unscaled channels (without `repair`), or amplitudes that no EEG has.
    """
    data = [p.data for p in pieces]
    low, high = _extremes(data)
    wrong = _broken(data, names, low == high, unscaled)
    unusable = [n for group in wrong.values() for n in group]
    sound = {n: i for i, n in enumerate(names) if n not in unusable}
    said = []
    if sound:
        off = _implausible(_levels(data, sound, sfreq), declared or {}, where, forced)
        if off and forced:
            each = [f"{plain(n)} ({v:.3g} uV)" for n, v in off.items()]
            said.append(
                f"Of an amplitude that no EEG has, and taken all the same, as was asked: {listed(each, 8)}."
            )
        elif off:
            wrong["of implausible amplitude"] = [f"{plain(n)} ({v:.3g} uV)" for n, v in off.items()]
            unusable += off
    if wrong and not repair:
        raise InputError(f"{where}: {_refusal(wrong)}")
    return unusable, said + _repaired_said(wrong) + _clipped_said(data, sound)


def _extremes(data: Sequence[Signal]) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """The smallest and the largest value of each channel."""
    return np.min([x.min(-1) for x in data], axis=0), np.max([x.max(-1) for x in data], axis=0)


def _levels(data: Sequence[Signal], rows: Mapping[str, int], sfreq: float) -> dict[str, float]:
    """Typical amplitude of channels over all pieces."""
    each = [amplitude(x[list(rows.values())], sfreq) for x in data]
    level = np.average(each, axis=0, weights=[x.shape[-1] for x in data])
    return dict(zip(rows, level, strict=True))


def _refusal(wrong: Mapping[str, list[str]]) -> str:
    groups = "; ".join(f"{listed(group)} {what}" for what, group in wrong.items())
    return f"unusable channels: {groups}; they can be interpolated on request (--interpolate-missing)"


def _repaired_said(wrong: Mapping[str, list[str]]) -> list[str]:
    return [
        f"Recorded but {what}, and interpolated from the other electrodes: {listed(group, 40)}."
        for what, group in wrong.items()
    ]


def _broken(
    data: Sequence[Signal], names: Sequence[str], flat: NDArray[np.bool_], unscaled: Sequence[str]
) -> dict[str, list[str]]:
    """What is wrong with channels that hold no signal at all -> their names."""
    finite = np.all([np.isfinite(x).all(-1) for x in data], axis=0)
    wrong: dict[str, list[str]] = {}
    for i, name in enumerate(names):
        if name in unscaled:
            wrong.setdefault("with equal minimum and maximum in the header", []).append(name)
        elif not finite[i]:
            wrong.setdefault("with values that are not numbers", []).append(name)
        elif flat[i]:
            wrong.setdefault("flat", []).append(name)
    return wrong


def _implausible(
    level: Mapping[str, float], declared: Mapping[str, str], where: str, forced: bool
) -> dict[str, float]:
    """Channels whose typical amplitude no EEG has, and that amplitude; refused where it is most of them."""
    off = {n: v for n, v in level.items() if not PLAUSIBLE[0] <= v <= PLAUSIBLE[1]}
    if len(off) * 2 > len(level) and not forced:
        units = sorted({declared.get(n) or "n/a" for n in off})
        raise InputError(
            f"{where}: a typical amplitude of {np.median(list(off.values())):.3g} uV is no EEG (expected "
            f"{PLAUSIBLE[0]:g} to {PLAUSIBLE[1]:g}; unit in the header: {listed(units)}); "
            "say which unit the stored numbers have (unit V, mV or uV), or "
            "take them all the same (--force-unit)"
        )
    return off


def _clipped_said(data: Sequence[Signal], rows: Mapping[str, int]) -> list[str]:
    """Which channels stay at their extremes in more samples than chance would have it."""
    low, high = _extremes(data)
    total = sum(x.shape[-1] for x in data)
    clipped = []
    for name, i in rows.items():
        stuck = sum(_stuck(x[i], low[i]) + _stuck(x[i], high[i]) for x in data)
        if stuck >= 20 and stuck / total > 0.001:
            clipped.append(f"{plain(name)} ({stuck / total:.1%} of its samples)")
    said = f"Clipped at the amplifier's limit, used all the same: {listed(clipped, 40)}."
    return [said] if clipped else []


def _stuck(x: Signal, limit: float) -> int:
    """Samples that stay at the channel's extreme, where noise alone would leave it at once."""
    at = x == limit
    return int((at[1:] & at[:-1]).sum())


def spline(
    pieces: Sequence[SignalPiece], names: Electrodes, wanted: Electrodes, *, where: str
) -> list[Signal]:
    """Interpolate channels from all recorded electrodes by spherical splines (Perrin et al. 1989).

    Parameters
    ----------
    pieces : sequence of SignalPiece
        With the sound channels `names`.
    names : Electrodes
    wanted : Electrodes
        The channels to make.

    Returns
    -------
    list of ndarray, shape (len(wanted), time)
        One a piece.
    """
    lost = wanted.nowhere
    if lost:
        raise InputError(f"{where}: {listed(lost)} cannot be interpolated, since no position is known for it")
    keys = {n: normalise(n) for n in wanted}
    # Channels with names of their own count where there are too few whose names say where they lie.
    named = [n for n in names.positions if n not in names.measured]
    base = _base(names, named, keys)
    if len(base) < max(4, len(wanted)):
        base = _base(names, names.positions, keys)
    if len(base) < max(4, len(wanted)):
        raise InputError(
            f"{where}: {counted(len(wanted), 'channel')} cannot be interpolated from {len(base)} electrodes"
        )
    info = mne.create_info([*base, *keys.values()], 100.0, "eeg")
    place = {normalise(n): p for each in (names, wanted) for n, p in each.positions.items()}
    montage = mne.channels.make_dig_montage({n: place[n] for n in info["ch_names"]}, coord_frame="head")
    info.set_montage(montage)
    info["bads"] = list(keys.values())
    out = []
    for piece in pieces:
        filled = np.vstack([piece.data[list(base.values())], np.zeros((len(wanted), piece.data.shape[-1]))])
        raw = mne.io.RawArray(filled, info.copy(), verbose="error")
        raw.interpolate_bads(reset_bads=True, verbose="error")
        out.append(np.asarray(raw.get_data(picks=list(keys.values()))))
    return out


def _base(names: Electrodes, chosen: Collection[str], keys: Mapping[str, str]) -> dict[str, int]:
    """Rows of the chosen channels by their normalised names, without those that are to be made."""
    return {normalise(n): i for i, n in enumerate(names) if n in chosen and normalise(n) not in keys.values()}


def reference(
    pieces: Sequence[SignalPiece],
    names: Electrodes,
    contract: InputContract,
    *,
    leave: Collection[str],
    where: str,
    own: Collection[str] = (),
    made: Sequence[str] = (),
) -> tuple[list[Signal] | None, str | None]:
    """The signal that the contract's reference sees.

    Parameters
    ----------
    pieces : sequence of SignalPiece
        With every channel of the recording, `names`, in the first rows.
    names : Electrodes
    leave : collection of str
        Channels that must not enter an average (bad or unusable ones).
    own : collection of str
        Recorded channels that the model takes: what an average is of where no channel's place is known.
    made : sequence of str
        What the rows behind the recorded channels are: derived and interpolated ones.

    Returns
    -------
    signals : list of ndarray, shape (time,), or None
        What to subtract from every channel, one a piece; None to leave the reference alone.
    said : str or None
    """
    wanted = contract.reference
    if wanted == "as recorded":
        return None, None
    if wanted == "average":
        rows, whose = _averaged(names, leave, own)
        said = f"Re-referenced to the average of {len(rows)} electrodes{whose}."
    else:
        electrodes = (wanted,) if isinstance(wanted, str) else wanted
        said_so = {parse(n).against for n in own}
        if len(electrodes) == 1 and said_so == {normalise(electrodes[0])}:
            return None, f"Recorded against {listed(electrodes)} already."
        found = rows_of(electrodes, [*names, *made])
        missing = [n for n in electrodes if n not in found]
        if missing:
            raise InputError(
                f"{where}: the reference that the model expects is missing: {listed(missing)}; "
                f"the recording has {listed(names, 40)}"
            )
        rows = [found[n] for n in electrodes]
        said = f"Re-referenced to {listed(electrodes)}."
    if not rows:
        raise InputError(f"{where}: there is no electrode to make an average reference of")
    return [np.mean([p.data[i] for i in rows], axis=0) for p in pieces], said


def rows_of(electrodes: Collection[str], names: Sequence[str]) -> dict[str, int]:
    """Where recorded electrodes are: by the very name first, then by another spelling of it."""
    parsed = [parse(n) for n in names]
    found: dict[str, int] = {}
    for wanted in electrodes:
        exact = [i for i, n in enumerate(names) if n.casefold() == wanted.casefold()]
        key = normalise(wanted)
        alike = [i for i, said in enumerate(parsed) if said.key == key and said.against is None]
        if exact or alike:
            found[wanted] = (exact or alike)[0]
    return found


def _averaged(names: Electrodes, leave: Collection[str], own: Collection[str]) -> tuple[list[int], str]:
    """Rows of the channels that an average is of, and whose they are where that has to be said."""
    placed = [n for n in names.positions if n not in names.measured]
    if not placed or 2 * len(set(own) & set(placed)) < len(own):  # a cap with names of its own
        placed = list(names.positions)
    rows = [i for i, n in enumerate(names) if n in placed and n not in leave]
    if rows:
        return rows, ""
    rows = [i for i, n in enumerate(names) if n in own and n not in leave]
    return rows, " that the model takes (where channels lie is not known)"


def condition(
    pieces: Sequence[SignalPiece], sfreq: float, contract: InputContract, *, recorded: tuple[float, float]
) -> tuple[list[SignalPiece], list[str]]:
    """Filter and resample as the contract says, with MNE's zero-phase FIR filters.

    Parameters
    ----------
    pieces : sequence of SignalPiece
    sfreq : float
        Hz, of the recording.
    contract : InputContract
    recorded : (float, float)
        High-pass and low-pass edge that the recording was made with; 0 and Nyquist for none.

    Returns
    -------
    pieces : list of SignalPiece
    said : list of str
        What was done and what was left alone, and why.
    """
    low, high, notch, said = _edges(sfreq, contract, recorded)
    steps: list[Callable[[Signal], Signal]] = []
    if notch is not None:
        steps.append(lambda x: mne.filter.notch_filter(x, sfreq, [notch], verbose="warning"))
        said.append(f"Notch filter at {notch:g} Hz.")
    if low is not None or high is not None:
        band = {(True, True): f"Band-pass {low} to {high} Hz", (True, False): f"High-pass at {low} Hz"}.get(
            (low is not None, high is not None), f"Low-pass at {high} Hz"
        )
        steps.append(lambda x: mne.filter.filter_data(x, sfreq, low, high, verbose="warning"))
        said.append(f"{band} (zero-phase FIR).")
    rate = contract.sfreq
    longest = max((p.data.shape[-1] for p in pieces), default=0)
    if abs(rate / sfreq - 1) * longest > 0.05:  # of a sample, at the end
        steps.append(lambda x: resample(x, sfreq, rate))
        empty = f"; nothing is added above {sfreq / 2:g} Hz" if rate > sfreq * 1.001 else ""
        said.append(f"Resampled from {sfreq:.9g} to {rate:g} Hz{empty}.")
    if not steps:
        return list(pieces), said
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        out = [replace(piece, data=_applied(steps, piece.data)) for piece in pieces]
    if any("longer than the signal" in str(w.message) for w in caught):
        said.append("A filter is longer than a piece of signal: windows near its ends are distorted.")
    return out, said


def _edges(
    sfreq: float, contract: InputContract, recorded: tuple[float, float]
) -> tuple[float | None, float | None, float | None, list[str]]:
    """High-pass, low-pass and notch that the recording still needs; which it does not, and why."""
    said: list[str] = []
    nyquist = sfreq / 2
    low, high, notch = contract.highpass, contract.lowpass, contract.notch
    if low is not None and recorded[0] >= low * 0.999:
        more = ", so slower activity that the model may use is missing" if recorded[0] > low * 1.5 else ""
        said.append(f"No high-pass at {low:g} Hz: the recording was made with {recorded[0]:g} Hz{more}.")
        low = None
    if high is not None and high >= nyquist:
        said.append(
            f"No low-pass at {high:g} Hz: the recording, at {sfreq:g} Hz, holds nothing above {nyquist:g} Hz."
        )
        high = None
    elif high is not None and recorded[1] <= high * 1.001 and recorded[1] < nyquist * 0.999:
        said.append(f"No low-pass at {high:g} Hz: the recording was made with {recorded[1]:g} Hz.")
        high = None
    if notch is not None and notch >= min(nyquist, recorded[1]):
        said.append(f"No notch at {notch:g} Hz: the recording ends at {min(nyquist, recorded[1]):g} Hz.")
        notch = None
    return low, high, notch, said


def _applied(steps: Sequence[Callable[[Signal], Signal]], data: Signal) -> Signal:
    """Some channels at a time: MNE's filters make several copies of what they are given."""
    done = []
    for first in range(0, len(data), 8):
        x = data[first : first + 8]
        for step in steps:
            x = np.asarray(step(x), dtype=np.float64)
        done.append(x)
    return np.vstack(done)
