"""The steps from a recording to windows: match, check, interpolate, condition, take.

Each takes what the steps before it found, and says in words what it did (`Opened.said`).
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from ...engine.contract import InputContract
from ...engine.errors import InputError
from ..electrodes.names import Match, match, normalise
from ..electrodes.positions import Electrodes, of_recording
from ..electrodes.regions import unknown
from ..text import counted, listed, plain
from .conditioning import SignalPiece, check, condition, reference, spline
from .labels import Labels
from .read import Mark, Recording
from .slicing import Slices, take

_TYPES = {"eeg", "eog", "ecg", "emg", "bio", "misc", "seeg", "ecog", "dbs"}


@dataclass(frozen=True)
class Opened:
    """A recording whose channels are matched with the model's; every step says here what it did.

    Attributes
    ----------
    where : str
        The recording's name, for messages.
    names : list of str
        Its channels that hold a signal; rows of pieces are in their order.
    match : Match
        Which of them each channel of the model is.
    recorded : Electrodes
        `names`, and where they lie.
    electrodes : Electrodes
        The model's channels, and where they lie.
    interpolate : bool
        Spline missing and unusable channels instead of refusing.
    said : list of str
    """

    recording: Recording
    contract: InputContract
    where: str
    names: list[str]
    match: Match
    recorded: Electrodes
    electrodes: Electrodes
    interpolate: bool
    said: list[str]

    @property
    def sfreq(self) -> float:
        """Hz, of the recording."""
        return float(self.recording.data.info["sfreq"])

    @property
    def bads(self) -> set[str]:
        """Channels that the recording marks bad."""
        return set(self.recording.data.info["bads"])

    @property
    def picked(self) -> list[str]:
        """The recorded channels that the model takes."""
        return list(self.match.names.values())

    def only(self, pieces: Sequence[SignalPiece], names: Sequence[str]) -> list[SignalPiece]:
        """Pieces with some channels alone."""
        rows = [self.names.index(n) for n in names]
        return [replace(p, data=p.data[rows]) for p in pieces]


def opened_for(
    contract: InputContract,
    recording: Recording,
    channels: str | Sequence[str] | Mapping[str, str] | None,
    *,
    interpolate: bool,
) -> Opened:
    """Match a recording's channels with the model's.

    Raises
    ------
    InputError
        A channel is missing or ambiguous.
    """
    where = plain(recording.name)
    kinds = dict(zip(recording.data.ch_names, recording.data.get_channel_types(), strict=True))
    names = [n for n, kind in kinds.items() if kind in _TYPES]
    recorded = of_recording(recording.data.info, names)
    found = match(
        contract.channels, names, given=channels, interpolate=interpolate, where=where,
        places=recorded.positions,
    )  # fmt: skip
    electrodes = _electrodes(contract.channels, found.names, recorded)
    # An EOG channel may have been digitised too, and is no electrode to interpolate from or to average.
    scalp = {n for n in names if kinds[n] == "eeg"} | set(found.names.values())
    recorded = Electrodes(names, {n: p for n, p in recorded.measured.items() if n in scalp}, recorded.own)
    said = [*recording.notes, *found.said]
    return Opened(recording, contract, where, names, found, recorded, electrodes, interpolate, said)


def in_microvolt(opened: Opened, unit: str | None) -> list[SignalPiece]:
    """The uninterrupted stretches of the recording, with all of its channels."""
    factors = np.full(len(opened.names), 1e6)
    if unit is not None:
        factors *= [opened.recording.factor(n, unit) for n in opened.names]
        opened.said.append(f"The stored numbers were taken as {unit}, as asked.")
    pieces = _pieces(opened.recording, opened.names, factors)
    if not pieces:
        raise InputError(f"{opened.where}: there is no signal in it")
    opened.said.extend(_places_said(opened.electrodes))
    return pieces


def unusable_of(opened: Opened, pieces: Sequence[SignalPiece], *, unit_given: bool) -> list[str]:
    """Channels that the model takes and that have to be made of others."""
    recording, picked = opened.recording, opened.picked
    unusable, judged = check(
        opened.only(pieces, picked),
        picked,
        opened.sfreq,
        unscaled=[n for n in picked if plain(n) in recording.facts.unscaled],
        unit_given=unit_given,
        declared=recording.declared,
        repair=opened.interpolate,
        where=opened.where,
    )
    opened.said.extend([*judged, *_slow_said(opened)])
    marked = [n for n in picked if n in opened.bads and n not in unusable]
    if not marked:
        return unusable
    how = "interpolated from the others" if opened.interpolate else "used all the same"
    opened.said.append(f"Marked bad in the recording, {how}: {listed(marked, 40)}.")
    return [*unusable, *marked] if opened.interpolate else unusable


def _slow_said(opened: Opened) -> list[str]:
    rates = {n: opened.recording.facts.rates.get(plain(n), opened.sfreq) for n in opened.picked}
    slow = [f"{plain(n)} ({r:g} Hz)" for n, r in rates.items() if r < opened.sfreq]
    if not slow:
        return []
    brought = f"brought to {opened.sfreq:g} Hz by the reader"
    return [f"Recorded at a lower rate, {brought}: {listed(slow, 40)}."]


def broken_of(opened: Opened, pieces: Sequence[SignalPiece]) -> set[str]:
    """Channels with values that are not numbers."""
    return {n for i, n in enumerate(opened.names) if not all(np.isfinite(p.data[i]).all() for p in pieces)}


def with_interpolated(
    opened: Opened, whole: list[SignalPiece], unusable: Sequence[str], leave: Collection[str]
) -> tuple[list[SignalPiece], tuple[str, ...], list[int]]:
    """Pieces with the channels that had to be made behind the others, their names, and the model's rows."""
    wanted, found, names = opened.contract.channels, opened.match, opened.names
    interpolated = tuple(n for n in wanted if n in found.interpolated or found.names.get(n) in unusable)
    if interpolated and whole:
        sound = [n for n in names if n not in leave]
        made = spline(
            opened.only(whole, sound),
            opened.recorded.some(sound),
            opened.electrodes.some(interpolated),
            where=opened.where,
        )
        whole = [replace(p, data=np.vstack([p.data, m])) for p, m in zip(whole, made, strict=True)]
    rows = [
        len(names) + interpolated.index(n) if n in interpolated else names.index(found.names[n])
        for n in wanted
    ]
    return whole, interpolated, rows


def conditioned(
    opened: Opened, whole: Sequence[SignalPiece], rows: Sequence[int], leave: Collection[str]
) -> list[SignalPiece]:
    """The model's channels, referenced, filtered and resampled as the contract says."""
    against, sentence = reference(
        whole, opened.recorded, opened.contract, leave=leave, where=opened.where, own=opened.picked
    )
    opened.said.extend([sentence] if sentence else [])
    info = opened.recording.data.info
    ready, filters = condition(
        [replace(p, data=p.data[rows] - (against[i] if against else 0)) for i, p in enumerate(whole)],
        opened.sfreq,
        opened.contract,
        recorded=(float(info["highpass"] or 0), float(info["lowpass"] or opened.sfreq / 2)),
    )
    opened.said.extend(filters)
    return ready


def taken(
    opened: Opened,
    pieces: Sequence[SignalPiece],
    whole: Sequence[SignalPiece],
    ready: Sequence[SignalPiece],
    rows: Sequence[int],
    marks: Sequence[Mark] | None,
    labels: Labels | None,
) -> Slices:
    """The windows, and how many were lost and why."""
    recording, contract = opened.recording, opened.contract
    counted_off = None if labels is None or labels.onsets is not None else labels
    slices = take(ready, whole, rows, opened.sfreq, recording, contract, marks, counted_off)
    if labels is not None:
        opened.said.append(f"Labels are those of {plain(labels.name)}.")
    if recording.is_epochs and len(pieces) > len(whole):
        slices.lost["shorter than a window"] += len(pieces) - len(whole)
    lost = [(counted(n, "window"), reason) for reason, n in slices.lost.items()]
    opened.said.extend([f"{n} dropped: {reason}." for n, reason in lost])
    if not len(slices.signal):
        longest = max(p.data.shape[-1] for p in pieces) / opened.sfreq
        why = "; ".join(f"{n} {reason}" for n, reason in lost)
        why = why or f"the longest uninterrupted signal has {longest:.3g} s"
        raise InputError(f"{opened.where}: no window of {contract.seconds:g} s is left: {why}")
    whence = "one at each event that was asked for" if marks is not None else "one after another"
    whence = "one from each epoch" if recording.is_epochs else whence
    opened.said.append(f"{counted(len(slices.signal), 'window')} of {contract.seconds:g} s, {whence}.")
    if contract.tmin and (marks is not None or recording.is_epochs):
        till = contract.tmin + contract.seconds
        opened.said.append(f"Windows reach from {contract.tmin:g} to {till:g} s around the event.")
    opened.said.extend(_overlap_said(slices.onsets, contract))
    return slices


def _overlap_said(onsets: Sequence[float], contract: InputContract) -> list[str]:
    """That windows overlap, where most do."""
    apart = np.diff(np.sort(np.array(onsets)))
    usual = float(np.median(apart)) if len(apart) else contract.seconds
    if usual > contract.seconds - 0.5 / contract.sfreq:
        return []
    return [
        f"Windows start every {usual:g} s and overlap by {1 - usual / contract.seconds:.0%}: neighbours "
        "share signal and are no independent windows."
    ]


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


def _pieces(recording: Recording, names: Sequence[str], factors: NDArray[np.float64]) -> list[SignalPiece]:
    sfreq = float(recording.data.info["sfreq"])
    if recording.is_epochs:
        epochs = recording.data
        data = epochs.get_data(picks=list(names), copy=True, verbose="error")
        kinds = {code: name for name, code in epochs.event_id.items()}
        # MNE does not keep the rate in which event samples count; it is the epochs' own unless they
        # were resampled after they were cut.
        return [
            SignalPiece(
                event[0] / sfreq + epochs.tmin, x * factors[:, None], -epochs.tmin, kinds.get(event[2])
            )
            for x, event in zip(data, epochs.events, strict=True)
        ]
    data = recording.data.get_data(picks=list(names), verbose="error")
    data *= factors[:, None]
    edges = [0, *(round(b * sfreq) for b in recording.breaks), data.shape[-1]]
    return [SignalPiece(a / sfreq, data[:, a:b]) for a, b in pairwise(edges) if b > a + 1]
