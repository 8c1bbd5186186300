"""The windows that an audit looks at: of a recording, of a folder of them, or of arrays."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from ...engine.contract import InputContract
from ...engine.errors import InputError, OnnxplainError
from ...engine.steps import step
from ...engine.storage.arrays import load as load_arrays
from ..electrodes.positions import Electrodes, together
from ..explanation.explained import truth
from ..recording.dataset import Item, of_path, unsaid
from ..recording.labels import Labels
from ..recording.options import WindowOptions
from ..recording.read import Recording, read
from ..recording.remarks import Remarks
from ..recording.slicing import chosen
from ..recording.windows import Windows
from ..text import counted, listed, plain
from .audit import Audit, audit
from .audit_labels import FEWEST

MOST = 1000  # windows
LONGEST, SHORTEST, USUAL = 4.0, 0.5, 2.0  # seconds of a window, where nobody says
MACHINE = "the rate, channels and filters in files' headers"
VOLT = 1e-3  # below this amplitudes are no microvolts
_BESIDE = ("EOG", "ECG", "EKG", "EMG")


@dataclass(frozen=True)
class _Cut:
    """The windows of one recording, and what its file says of the machine."""

    windows: Windows
    item: Item
    header: str


def audit_of(
    data: Path,
    *,
    contract: InputContract | None = None,
    options: WindowOptions | None = None,
    seed: int = 0,
    subject: str | None = None,
) -> Audit:
    """Audit a recording, a folder of recordings (BIDS or not), or an .npz of windows.

    Parameters
    ----------
    data : Path
        An .npz has `x` (window, channel, time) in microvolt or volt, `y` (window,), `sfreq` and `channels`,
        and may have `subjects` and `onsets`.
    contract : InputContract, optional
        A model's: windows are cut as it would have them. By default at the recording's own rate and
        electrodes, as recorded and without filters.
    options : WindowOptions, optional
        Events, length of a window, labels, unit. By default windows start at annotations.
    seed : int
    subject : str, optional
        Where a file's name has the subject: "{subject}_run*.edf" (see `participants.pattern_of`).

    Returns
    -------
    Audit

    Raises
    ------
    OnnxplainError
        One line with the file, the reason and what to do.
    """
    options = (options or WindowOptions()).loaded()
    items = of_path(data, subject)
    if data.suffix.lower() == ".npz":
        return _of_arrays(data, options, seed)
    if len(items) > 1 and options.labels is not None:
        raise InputError(
            f"{plain(data, 300)}: a table of labels is for one recording, and here are {len(items)}"
        )
    opened, notes = _opened(items)
    notes = [*unsaid(items), *notes]
    shown = Remarks(contract.classes if contract else (), options.events, options.show_annotations)
    opened = [(item, shown.of(recording)) for item, recording in opened]
    if contract is None:
        contract, more = _own_contract([r for _, r in opened], options)
        notes += more
        options = replace(options, window=None)
    else:
        # What else the model takes says nothing of the windows.
        contract = options.contract(contract).model_copy(update={"inputs": {}})
    cuts, lost = [], []
    for i, (item, recording) in enumerate(opened):
        step("cutting windows", i / len(opened) if len(opened) > 1 else None)
        asked = replace(options, events=_events(recording, contract, options))
        try:
            windows = asked.cut(recording, contract)
        except OnnxplainError as e:
            if len(opened) == 1:
                raise
            lost.append(f"Left out: {e}")
            continue
        notes += _dropped(recording, asked, windows)
        cuts.append(_Cut(windows, item, _header(recording)))
    if not cuts:
        raise InputError(
            f"{plain(data, 300)}: no recording can be used; the first: {lost[0].removeprefix('Left out: ')}"
        )
    return _joined(cuts, contract, _classes(contract, options), [*lost, *notes], data, seed)


def _classes(contract: InputContract, options: WindowOptions) -> tuple[str, ...]:
    """What labels are read as, where that is known: the model's classes, or the events that were named."""
    if contract.classes or options.events in (None, "annotations"):
        return contract.classes
    return tuple(dict.fromkeys(w.strip() for w in str(options.events).split(",") if w.strip()))


def _opened(items: Sequence[Item]) -> tuple[list[tuple[Item, Recording]], list[str]]:
    """Recordings that can be read; why others cannot."""
    found, notes = [], []
    for i, item in enumerate(items):
        step("reading the recordings", i / len(items) if len(items) > 1 else None)
        try:
            found.append((item, read(item.path)))
        except OnnxplainError as e:
            if len(items) == 1:
                raise
            notes.append(f"Left out: {e}")
    if not found:
        raise InputError(notes[0].removeprefix("Left out: "))
    return found, notes


def _own_contract(opened: Sequence[Recording], options: WindowOptions) -> tuple[InputContract, list[str]]:
    """What recordings are cut by where there is no model: their own electrodes and rate."""
    each, left = [], []
    for recording in opened:
        names, flat = _electrodes(recording)
        each.append(names)
        left += flat
    common = [n for n in each[0] if all(n in names for names in each)]
    where = plain(opened[0].name)
    if not common:
        raise InputError(
            f"{where}: no EEG channel"
            + (" that all recordings have" if len(opened) > 1 else " with a signal")
        )
    rate = min(float(r.data.info["sfreq"]) for r in opened)
    seconds = options.window or min(_seconds(r, options) for r in opened)
    samples = round(seconds * rate)
    if samples < 8:
        raise InputError(
            f"window {seconds:g} s: {counted(samples, 'sample')} at {rate:g} Hz; --seconds makes it longer"
        )
    notes = [
        f"Windows of {samples / rate:.3g} s (--seconds) at {rate:g} Hz, as recorded and without filters, of "
        f"{counted(len(common), 'electrode')}."
    ]
    if left:
        notes.append(f"Channels that are flat, or not numbers, left out: {listed(dict.fromkeys(left))}.")
    fewer = len({n for names in each for n in names}) - len(common)
    if fewer:
        notes.append(f"{counted(fewer, 'channel')} that some recordings lack left out.")
    return InputContract(input="x", channels=tuple(common), sfreq=rate, window=samples), notes


def _electrodes(recording: Recording) -> tuple[list[str], list[str]]:
    """Names of EEG channels with a signal, and of those without."""
    data = recording.data
    names: list[str] = []
    flat: list[str] = []
    for name, kind in zip(data.ch_names, data.get_channel_types(), strict=True):
        if kind != "eeg" or any(b in name.upper() for b in _BESIDE):
            continue
        x = data.get_data(picks=[name])
        (names if np.isfinite(x).all() and np.ptp(x) > 0 else flat).append(name)
    return names, flat


def _seconds(recording: Recording, options: WindowOptions) -> float:
    """How long windows are where nobody says: as epochs are, or as events lie apart."""
    if recording.is_epochs:
        times = recording.data.times
        step_ = 1 / float(recording.data.info["sfreq"])
        return float((times[-1] - times[0] if times[0] >= 0 or times[-1] <= 0 else times[-1]) + step_)
    onsets = np.array([m.onset for m in _marks(recording, options)])
    apart = np.diff(np.sort(onsets))
    apart = apart[apart > 0]
    return float(np.clip(np.quantile(apart, 0.1), SHORTEST, LONGEST)) if len(apart) else USUAL


def _marks(recording: Recording, options: WindowOptions) -> list[Any]:
    """Where windows would start."""
    if isinstance(options.labels, Labels):
        return options.labels.marks() or []
    marks = [m for m in recording.marks if not m.bad]
    if options.events in (None, "annotations"):
        return marks
    return chosen(recording, options.events, plain(recording.name)) or []


def _events(recording: Recording, contract: InputContract, options: WindowOptions) -> str | None:
    """At which annotations windows start: those that were named, that name classes, or all."""
    if options.events is not None or options.labels is not None or recording.is_epochs:
        return options.events
    named = {m.description for m in recording.marks if not m.bad}
    if not named:
        raise InputError(
            f"{plain(recording.name)}: no annotation that could be a label; give a table with --labels FILE "
            "(columns label and onset)"
        )
    real = truth(tuple(named), contract.classes)
    present = [contract.classes[i] for i in sorted(set(real[real >= 0].tolist()))]
    return ",".join(present) if present and not any("," in p for p in present) else "annotations"


def _dropped(recording: Recording, options: WindowOptions, windows: Windows) -> list[str]:
    """How many windows of each label were lost: that, too, may go with the label."""
    if not windows.dropped or recording.is_epochs or options.events is None:
        return [f"{counted(windows.dropped, 'window')} left out."] if windows.dropped else []
    marks = chosen(recording, options.events, plain(recording.name)) or []
    asked = Counter(plain(m.description) for m in marks)
    asked.subtract(Counter(label for label in windows.labels if label is not None))
    each = listed((f"{label}: {n}" for label, n in asked.items() if n > 0), 6)
    return [f"Windows left out, by label: {each}."] if each else []


def _header(recording: Recording) -> str:
    """What a file says of the machine: rate, channels, filters."""
    info = recording.data.info
    return f"{info['sfreq']:g} {len(info['ch_names'])} {info['highpass']:g} {info['lowpass']:g}"


def _joined(
    cuts: Sequence[_Cut],
    contract: InputContract,
    classes: tuple[str, ...],
    notes: Sequence[str],
    data: Path,
    seed: int,
) -> Audit:
    """The audit of the windows of all recordings."""
    every = [c.windows for c in cuts]
    of = np.repeat(np.arange(len(cuts)), [len(w) for w in every])
    labels: list[str | None] = [label for w in every for label in w.labels]
    found = truth(tuple(labels), classes)
    if (found >= 0).any():
        labels = [classes[k] if k >= 0 else None for k in found]
    counts = Counter(v for v in labels if v is not None)
    rows = np.flatnonzero([v is not None for v in labels])
    said = list(notes)
    if len(rows) > MOST:
        keep = np.random.default_rng([seed, 0x0D]).permutation(len(rows))[:MOST]
        rows = rows[np.sort(keep)]
        said.append(f"{MOST} of {len(of)} windows were taken, at random (seed {seed}).")
    elif not len(rows) or sum(n >= FEWEST for n in counts.values()) < 2:
        rows = np.arange(len(of))  # `audit` says what is wrong with the labels
    names = [c.item.name for c in cuts]
    return _audited(
        data,
        np.concatenate([w.signal for w in every])[rows],
        contract.sfreq,
        together([w.channels for w in every]),
        [labels[i] for i in rows],
        onsets=np.concatenate([w.onsets for w in every])[rows],
        subjects=[cuts[k].item.subject for k in of[rows]],
        recordings=[names[k] for k in of[rows]],
        groups={"machine": (MACHINE, [cuts[k].header for k in of[rows]])},
        seed=seed,
        notes=said,
        about={
            "file": plain(data.name), "channels": list(contract.channels), "sfreq": contract.sfreq,
            "seconds": contract.seconds, "seed": seed,
            "decisions": list(dict.fromkeys(d for w in every for d in w.decisions)),
        },
    )  # fmt: skip


def _audited(data: Path, *windows: Any, **more: Any) -> Audit:
    """The audit; what is wrong with the labels is said with the file."""
    try:
        return audit(*windows, **more)
    except InputError as e:
        raise InputError(f"{plain(data, 300)}: {e}") from None


def _of_arrays(path: Path, options: WindowOptions, seed: int) -> Audit:
    """The audit of an .npz of windows."""
    where = plain(path, 300)
    if options.events is not None or options.labels is not None or options.window is not None:
        raise InputError(
            f"{where}: has windows and labels of its own; leave --events, --labels and --seconds out"
        )
    found = load_arrays(path, where=where)
    if not isinstance(found, dict):
        raise InputError(f"{where}: one array alone; an .npz file with x, y, sfreq and channels is needed")
    missing = [n for n in ("x", "y", "sfreq", "channels") if n not in found]
    if missing:
        raise InputError(
            f"{where}: lacks {listed(missing)}; x (window, channel, time), y, sfreq and channels are needed"
        )
    x, y, names = found["x"], found["y"].reshape(-1), [str(n) for n in found["channels"].reshape(-1)]
    if x.ndim != 3 or x.dtype.kind not in "fiu" or not np.isfinite(x).all():
        raise InputError(
            f"{where}: x has shape {list(x.shape)}; finite numbers of (window, channel, time) are needed"
        )
    if len(y) != len(x) or len(names) != x.shape[1]:
        raise InputError(f"{where}: {len(y)} labels and {len(names)} channels for x of shape {list(x.shape)}")
    beside = {k: found[k].reshape(-1) for k in ("subjects", "onsets") if k in found}
    if any(len(v) != len(x) for v in beside.values()):
        raise InputError(f"{where}: subjects and onsets need one for each of the {len(x)} windows")
    if (
        found["sfreq"].size != 1
        or found["sfreq"].dtype.kind not in "fiu"
        or not float(found["sfreq"].reshape(-1)[0]) > 0
    ):
        raise InputError(f"{where}: sfreq is no number of Hz")
    sfreq = float(found["sfreq"].reshape(-1)[0])
    signal, notes = x.astype(np.float64), []
    if np.median(np.abs(signal - signal.mean(-1, keepdims=True))) < VOLT:
        signal, notes = signal * 1e6, ["x was taken as volt, by its size."]
    rows = np.arange(len(x))
    if len(rows) > MOST:
        rows = np.sort(np.random.default_rng([seed, 0x0D]).permutation(len(rows))[:MOST])
        notes.append(f"{MOST} of {len(x)} windows were taken, at random (seed {seed}).")
    return _audited(
        path, signal[rows], sfreq, Electrodes(names), y[rows].tolist(),
        onsets=beside["onsets"][rows].astype(np.float64) if "onsets" in beside else None,
        subjects=beside["subjects"][rows].astype(str).tolist() if "subjects" in beside else None,
        seed=seed, notes=notes,
        about={
            "file": plain(path.name), "channels": names, "sfreq": sfreq, "seconds": x.shape[-1] / sfreq,
            "seed": seed,
        },
    )  # fmt: skip
