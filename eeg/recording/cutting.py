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
from ..electrodes.matching import Match, match
from ..electrodes.names import normalise, parse, template_positions
from ..electrodes.positions import Electrodes, of_recording
from ..electrodes.regions import unknown
from ..text import counted, listed, plain
from .conditioning import SignalPiece, check, condition, reference, rows_of, spline
from .holes import beyond, bridged, holes_said, outside
from .labels import Labels
from .marks import Mark
from .read import Recording
from .slicing import Slices, later, take
from .units import understood

NOMINAL = 1e-3  # of the rate: epochs are taken as they are
_TYPES = {"eeg", "eog", "ecg", "emg", "bio", "misc", "seeg", "ecog", "dbs"}


@dataclass(frozen=True)
class Opened:
    """A recording whose channels are matched with the model's; every step says here what it did.

    Attributes
    ----------
    where : str
        The recording's name, for messages.
    names : list of str
        Its channels that hold a signal, and behind them those derived from them under the model's names; rows
        of pieces are in their order.
    match : Match
        Which of them each channel of the model is.
    recorded : Electrodes
        The recorded ones of `names`, and where they lie.
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
        """Hz, of the recording; in epochs that differ by less than 0.1 % from the model's rate, that one.

        An epoch has the samples of its nominal length, and none beyond them to make up for 0.1 %.
        """
        own = float(self.recording.data.info["sfreq"])
        nominal = self.recording.is_epochs and abs(own / self.contract.sfreq - 1) < NOMINAL
        return self.contract.sfreq if nominal else own

    @property
    def band(self) -> tuple[float, float]:
        """What the recording holds, in Hz, by the filters in its header and by its rate."""
        info, most = self.recording.data.info, self.sfreq / 2
        return float(info["highpass"] or 0), min(float(info["lowpass"] or most), most)

    @property
    def bads(self) -> set[str]:
        """Channels that the recording marks bad."""
        return set(self.recording.data.info["bads"])

    @property
    def picked(self) -> list[str]:
        """The recorded channels that the model takes, or that its channels are derived from."""
        sources = [n for made in self.match.derived.values() for n in made.weights]
        return list(dict.fromkeys([*self.match.names.values(), *sources]))

    @property
    def sources(self) -> dict[str, str]:
        """Model channel -> row of the pieces that it is read from; without the interpolated ones."""
        return {**self.match.names, **{n: n for n in self.match.derived}}

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
        places=recorded.positions, own=recorded.own, bads=recording.data.info["bads"],
    )  # fmt: skip
    electrodes = _electrodes(contract.channels, found.names, recorded)
    # An EOG channel may have been digitised too, and is no electrode to interpolate from or to average.
    scalp = {n for n in names if kinds[n] == "eeg"} | set(found.names.values())
    recorded = Electrodes(names, {n: p for n, p in recorded.measured.items() if n in scalp}, recorded.own)
    said = [*recording.notes, *found.said]
    rows = [*names, *found.derived]
    return Opened(recording, contract, where, rows, found, recorded, electrodes, interpolate, said)


def in_microvolt(opened: Opened, unit: str | None) -> list[SignalPiece]:
    """The uninterrupted stretches of the recording, with all of its channels."""
    names = opened.recorded.names
    factors = np.full(len(names), 1e6)
    if unit is not None:
        factors *= [opened.recording.factor(n, unit) for n in names]
        opened.said.append(f"The stored numbers were taken as {unit}, as asked.")
    elif mistaken := opened.recording.mistaken():
        factors *= [mistaken.get(n, 1.0) for n in names]
        spelt = sorted({opened.recording.declared[n] for n in mistaken if n in names})
        as_units = [f"'{plain(s)}' as {understood(s)}" for s in spelt]
        opened.said.extend(
            [f"Units were read as the header spells them: {listed(as_units)}."] if spelt else []
        )
    own = float(opened.recording.data.info["sfreq"])
    if own != opened.sfreq:
        opened.said.append(f"Epochs at {own:.9g} Hz were taken as at {opened.sfreq:g} Hz.")
    pieces = _pieces(opened.recording, names, factors)
    if not pieces:
        raise InputError(f"{opened.where}: there is no signal in it")
    pieces = bridged(pieces, names, opened.sfreq)
    if opened.match.derived:
        pieces = [replace(p, data=np.vstack([p.data, *_derived(opened, p.data)])) for p in pieces]
    opened.said.extend(_places_said(opened.electrodes))
    return pieces


def _derived(opened: Opened, data: NDArray[np.float64]) -> list[NDArray[np.float64]]:
    """The model's derivations of a piece, each as a row."""
    row = {n: i for i, n in enumerate(opened.recorded.names)}
    return [
        np.sum([data[row[n]] * weight for n, weight in made.weights.items()], axis=0)[None]
        for made in opened.match.derived.values()
    ]


def unusable_of(opened: Opened, pieces: Sequence[SignalPiece], *, forced: bool) -> list[str]:
    """Channels that the model takes and that have to be made of others.

    `forced`: amplitudes that no EEG has are taken, and told.
    """
    recording, picked = opened.recording, opened.picked
    unusable, judged = check(
        opened.only([outside(p, picked, opened.sfreq) for p in pieces], picked),
        picked,
        opened.sfreq,
        unscaled=[n for n in picked if plain(n) in recording.facts.unscaled],
        forced=forced,
        declared=recording.declared,
        repair=opened.interpolate,
        where=opened.where,
    )
    opened.said.extend([*judged, *holes_said(pieces, picked), *_slow_said(opened)])
    for name, made in opened.match.derived.items():
        broken = [n for n in made.weights if n in unusable]
        if broken:
            raise InputError(
                f"{opened.where}: {plain(name)} is derived from {listed(broken)}, which cannot be used "
                f"({judged[0]})"
            )
    derived_from = {n for made in opened.match.derived.values() for n in made.weights}
    marked = [n for n in picked if n in opened.bads and n not in unusable and n not in derived_from]
    doubtful = [n for n in picked if n in opened.bads and n in derived_from]
    if doubtful:
        opened.said.append(f"Marked bad in the recording, derived from all the same: {listed(doubtful, 40)}.")
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
    """Channels with values that are not numbers, but for holes that drop windows anyhow."""
    whole = {n for i, n in enumerate(opened.names) if not all(np.isfinite(p.data[i]).all() for p in pieces)}
    return whole | beyond(pieces, opened.picked or opened.recorded)


def with_interpolated(
    opened: Opened, whole: list[SignalPiece], unusable: Sequence[str], leave: Collection[str]
) -> tuple[list[SignalPiece], tuple[str, ...], list[int]]:
    """Pieces with the channels that had to be made behind the others, their names, and the model's rows."""
    wanted, found, names = opened.contract.channels, opened.match, opened.names
    interpolated = tuple(n for n in wanted if n in found.interpolated or found.names.get(n) in unusable)
    more = lacking_reference(opened, interpolated)
    if more:
        opened.said.append(
            f"The model's reference is interpolated from the other electrodes: {listed(more)}."
        )
    if (interpolated or more or found.spanned) and whole:
        sound = [n for n in opened.recorded if n not in leave]
        base = replace(opened, names=sound, recorded=opened.recorded.some(sound))
        whole = [
            replace(p, data=np.vstack([p.data, m]))
            for p, m in zip(whole, _made(base, opened.only(whole, sound), interpolated, more), strict=True)
        ]
    interpolated = (*interpolated, *found.spanned)
    rows = [
        len(names) + interpolated.index(n) if n in interpolated else names.index(opened.sources[n])
        for n in wanted
    ]
    return whole, interpolated, rows


def _made(
    base: Opened, pieces: Sequence[SignalPiece], interpolated: Sequence[str], more: Sequence[str]
) -> list[NDArray[np.float64]]:
    """Rows of interpolated electrodes, of differences of such, and of the reference, from sound channels."""
    spanned = base.match.spanned
    ends = dict.fromkeys(end for pair in spanned.values() for end in pair)
    there = rows_of(ends, base.recorded)
    known = {normalise(n): i for i, n in enumerate([*interpolated, *more])}
    lacking = [e for e in ends if e not in there and e not in known]
    made = spline(
        pieces,
        base.recorded,
        base.electrodes.some([*interpolated, *more, *lacking]),
        where=base.where,
    )
    known.update({e: len(interpolated) + len(more) + i for i, e in enumerate(lacking)})
    out = []
    for piece, new in zip(pieces, made, strict=True):
        row = {e: piece.data[there[e]] if e in there else new[known[e]] for e in ends}
        pairs = [row[a] - row[b] for a, b in spanned.values()]
        out.append(np.vstack([new[: len(interpolated)], *pairs, new[len(interpolated) :][: len(more)]]))
    return out


def lacking_reference(opened: Opened, interpolated: Sequence[str]) -> list[str]:
    """Electrodes of the model's reference that have to be interpolated, where that was asked for."""
    wanted = opened.contract.reference
    if not opened.interpolate or wanted in ("as recorded", "average"):
        return []
    electrodes = (wanted,) if isinstance(wanted, str) else wanted
    own = [opened.recorded.key(n) for n in opened.recorded]
    there = {*own, *map(normalise, interpolated)}
    return [n for n in electrodes if normalise(n) not in there and n in template_positions([n])]


def conditioned(
    opened: Opened,
    whole: Sequence[SignalPiece],
    rows: Sequence[int],
    leave: Collection[str],
    interpolated: Sequence[str] = (),
) -> list[SignalPiece]:
    """The model's channels, referenced, filtered and resampled as the contract says."""
    # A voltage between two electrodes is the same against any reference.
    own = [_between(opened, n) for n in opened.contract.channels]
    against, sentence = None, None
    if not all(own):
        against, sentence = reference(
            whole, opened.recorded, opened.contract, leave=leave, where=opened.where, own=opened.picked,
            made=[*opened.match.derived, *interpolated, *lacking_reference(opened, interpolated)],
        )  # fmt: skip
    opened.said.extend([sentence] if sentence else [])
    if sentence and any(own):
        opened.said.append("Derivations, which no reference changes, were left as they are.")
    moved = np.array([[0.0] if still else [1.0] for still in own])
    ready, filters = condition(
        [replace(p, data=p.data[rows] - (moved * against[i] if against else 0)) for i, p in enumerate(whole)],
        opened.sfreq,
        opened.contract,
        recorded=opened.band,
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
    interpolated: Collection[str] = (),
) -> Slices:
    """The windows, and how many were lost and why."""
    recording, contract = opened.recording, opened.contract
    counted_off = None if labels is None or labels.onsets is not None else labels
    made = {opened.match.names.get(n) for n in interpolated}
    used = [n for n in opened.picked if n not in made] or list(opened.recorded)
    slices = take(ready, whole, rows, opened.sfreq, recording, contract, marks, counted_off, used)
    if labels is not None:
        opened.said.append(f"Labels are those of {plain(labels.name)}.")
        away = later(recording, labels)
        if away:
            how = "after" if away > 0 else "before"
            opened.said.append(
                f"They begin {abs(away):g} s {how} the recording, by the clocks of both files."
            )
    if recording.is_epochs and len(pieces) > len(whole):
        slices.lost["shorter than a window"] += len(pieces) - len(whole)
    lost = [(counted(n, "window"), reason) for reason, n in slices.lost.items()]
    opened.said.extend([f"{n} dropped: {reason}." for n, reason in lost])
    if not len(slices.signal):
        longest = max(p.data.shape[-1] for p in pieces) / opened.sfreq
        why = "; ".join(f"{n} {reason}" for n, reason in lost)
        why = why or f"the longest uninterrupted signal has {longest:.3g} s"
        raise InputError(f"{opened.where}: no window of {contract.seconds:g} s is left: {why}")
    left = sum(max(0, int(m.duration / contract.seconds + 1e-6) - 1) for m in marks or ())
    if left and not recording.is_epochs:
        opened.said.append(
            f"Only the first window of each event was taken: {counted(left, 'further window')} would fit "
            "into events that last longer than one."
        )
    whence = "one at each event that was asked for" if marks is not None else "one after another"
    whence = "one from each epoch" if recording.is_epochs else whence
    opened.said.append(f"{counted(len(slices.signal), 'window')} of {contract.seconds:g} s, {whence}.")
    if contract.tmin and (marks is not None or recording.is_epochs):
        till = contract.tmin + contract.seconds
        opened.said.append(f"Windows reach from {contract.tmin:g} to {till:g} s around the event.")
    opened.said.extend(_overlap_said(slices.onsets, contract))
    return slices


def _between(opened: Opened, channel: str) -> bool:
    """Whether a model's channel is a voltage between two electrodes, as made or as recorded."""
    found = opened.match
    made = channel in found.derived or channel in found.spanned
    return made or parse(found.names.get(channel, channel)).kind == "bipolar"


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
