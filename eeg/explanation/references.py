"""What a window is explained against: other windows, which the model calls otherwise, or of a rest condition.

EEG is never silent, and what a network says of one window is made by how it differs from others: relevance
against a few real windows follows what decides, where relevance against zero follows what is there.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, TypedDict

import numpy as np
from numpy.typing import NDArray

from ...engine.contract import InputContract
from ...engine.errors import InputError
from ...engine.evaluation.references import ANY, FEW, OTHER, anybody, drawn, otherwise
from ...engine.explainer import Explainer
from ...engine.storage.arrays import load as load_arrays
from ..recording.options import WindowOptions
from ..recording.read import Recording, recording_of
from ..recording.scaling import FROM_MICROVOLT
from ..recording.slicing import tagged
from ..recording.windows import Windows, from_model_layout
from ..text import counted, listed, plain
from .question import Question

NONE = "none"


@dataclass(frozen=True)
class ReferenceOptions:
    """Which windows the others are held against.

    Attributes
    ----------
    against : str or path-like
        "other": windows that the model calls otherwise (of an output that is a number: of the far end of its
        range); "any": any others; "none": nothing, relevance is against zero; a label of the recording; or a
        file of windows, a recording or .npy in the model's layout.
    references : int
        How many each window is held against.
    """

    against: str | Path = OTHER
    references: int = FEW


class ReferenceKeywords(TypedDict, total=False):
    """The fields of `ReferenceOptions`, as keywords."""

    against: str | Path
    references: int


@dataclass(frozen=True)
class ReferenceWindows:
    """The windows that others are held against.

    Attributes
    ----------
    data : ndarray of float32, shape (window, *contract.shape)
        In the model's layout.
    signal : ndarray of float32, shape (window, channel, time)
        In microvolt.
    index : ndarray of int, shape (epoch, reference)
        Which of them each explained window is held against.
    onsets : ndarray, shape (window,)
        Seconds from the recording's first sample; NaN for those of a file of arrays.
    labels : tuple of (str or None)
    how : str
        Which they are, in words that go on from "against".
    notes : tuple of str
    """

    data: NDArray[np.float32]
    signal: NDArray[np.float32]
    index: NDArray[np.int64]
    onsets: NDArray[np.float64]
    labels: tuple[str | None, ...]
    how: str
    notes: tuple[str, ...] = ()

    def groups(self) -> list[tuple[NDArray[np.int64], NDArray[np.int64]]]:
        """Windows with the same references: which they are, and which of `data` they are held against."""
        rows, of = np.unique(self.index, axis=0, return_inverse=True)
        return [(np.flatnonzero(of.reshape(-1) == i), row) for i, row in enumerate(rows)]


def references_for(
    explainer: Explainer,
    windows: Windows,
    contract: InputContract,
    options: ReferenceOptions,
    *,
    seed: int = 0,
    recut: Callable[[str | Path], Windows] | None = None,
    asked_for: Question | None = None,
) -> ReferenceWindows | None:
    """Choose what windows are held against.

    Parameters
    ----------
    explainer : Explainer
        Says what the model calls each window.
    windows : Windows
    contract : InputContract
    options : ReferenceOptions
    seed : int
        Of the choice among those that fit.
    recut : callable, optional
        Gives windows of the recording that start at a label, or windows of another recording.
    asked_for : Question, optional
        What is explained: of several numbers the one that is.

    Returns
    -------
    ReferenceWindows or None
        None where relevance is against zero: it was asked for.

    Raises
    ------
    InputError
        There are no such windows.
    """
    asked = str(options.against)
    if options.references < 1:
        raise InputError(f"references {options.references}: at least 1")
    if asked == NONE:
        return None
    rng = np.random.default_rng(seed)
    if asked in (OTHER, ANY):
        return _within(explainer, windows, contract, options, rng, asked_for)
    named = [i for i, label in enumerate(windows.labels) if fits(label, asked)]
    if named:
        how = f"{{n}} windows labelled {plain(asked, 40)}"
        return _drawn(windows, [np.array(named)] * len(windows), options.references, rng, how)
    found = _elsewhere(asked, windows, contract, recut)
    wanted = min(options.references, len(found))
    picked = np.sort(rng.choice(len(found), wanted, replace=False))
    index = np.tile(np.arange(wanted), (len(windows), 1))
    said = f"labelled {plain(asked, 40)}" if not is_file(asked) else f"of {plain(Path(asked).name, 60)}"
    notes = _few(wanted, options.references)
    return ReferenceWindows(
        found.data[picked],
        found.signal[picked],
        index,
        found.onsets[picked],
        tuple(found.labels[i] for i in picked),
        f"{counted(wanted, 'window')} {said}",
        notes,
    )


def recutting(
    windowing: WindowOptions, recording: Recording, contract: InputContract
) -> Callable[[str | Path], Windows]:
    """What gives windows of a recording that start at a label, or those of another recording.

    Parameters
    ----------
    windowing : WindowOptions
        How the windows are cut that are held against them.
    recording : Recording
    contract : InputContract
    """

    def recut(what: str | Path) -> Windows:
        if isinstance(what, Path):
            return replace(windowing, events=None, labels=None).cut(recording_of(what), contract)
        return replace(windowing, events=what).cut(recording, contract)

    return recut


def fits(label: str | None, asked: str) -> bool:
    """Whether a label is the one asked for, or has it among its tags ("rest/eyes-open")."""
    return label is not None and tagged(label, asked)


def said_of(explainer: Explainer, windows: Windows, contract: InputContract, batch: int = 32) -> NDArray[Any]:
    """What the model gives for each window."""
    parts = []
    for start in range(0, len(windows), batch):
        made = explainer.predict({contract.input: windows.data[start : start + batch]})
        name = contract.output or explainer.output
        parts.append(np.asarray(made[name] if name in made else next(iter(made.values()))))
    return np.concatenate(parts)


def _within(
    explainer: Explainer,
    windows: Windows,
    contract: InputContract,
    options: ReferenceOptions,
    rng: np.random.Generator,
    asked_for: Question | None,
) -> ReferenceWindows | None:
    n, wanted = len(windows), options.references
    if n < 2:
        raise InputError(
            "against other windows: the recording has one window only; name another recording to hold "
            "it against (against=FILE), or ask for relevance against zero (against='none')"
        )
    if str(options.against) == ANY:
        found = anybody(n)
    else:
        outputs = said_of(explainer, windows, contract)
        found = otherwise(outputs if asked_for is None else asked_for.of(outputs))
    made = _drawn(windows, found.rows, wanted, rng, f"{{n}} {found.how}")
    return replace(made, notes=(found.note, *made.notes)) if found.note else made


def _drawn(
    windows: Windows,
    pools: Sequence[NDArray[np.int64]],
    wanted: int,
    rng: np.random.Generator,
    how: str,
) -> ReferenceWindows:
    """The same few of a pool for all windows that have it; never a window itself."""
    rows = drawn(pools, wanted, rng, overlapping(windows))
    fewest = min(map(len, rows))
    if not fewest:
        raise InputError("against other windows: there is a window that has none to be held against")
    # A window with fewer has them more than once; where all have fewer, there are fewer.
    most = max(map(len, rows))
    chosen = np.stack([np.resize(row, most) for row in rows])
    used, index = np.unique(chosen, return_inverse=True)
    return ReferenceWindows(
        windows.data[used],
        windows.signal[used],
        index.reshape(chosen.shape),
        windows.onsets[used],
        tuple(windows.labels[i] for i in used),
        how.replace("{n}", str(most)),
        _few(fewest, wanted),
    )


def overlapping(windows: Windows, rows: NDArray[np.int64] | None = None) -> list[NDArray[np.int64]] | None:
    """For each of some windows of a recording those that share signal with it; None where none do."""
    onsets = windows.onsets if rows is None else windows.onsets[rows]
    length = (len(windows.times) - 0.5) / windows.sfreq
    if len(onsets) < 2 or not (np.diff(np.sort(onsets)) < length).any():
        return None
    return [np.flatnonzero(np.abs(onsets - at) < length) for at in onsets]


def _few(found: int, wanted: int) -> tuple[str, ...]:
    if found >= wanted:
        return ()
    return (f"Some windows are held against {counted(found, 'other')} only; {wanted} were asked for.",)


def is_file(asked: str) -> bool:
    """Whether what windows are held against is a file."""
    return Path(asked).suffix != "" and Path(asked).exists()


def _elsewhere(
    asked: str, windows: Windows, contract: InputContract, recut: Callable[[str | Path], Windows] | None
) -> Windows:
    """Windows of a label that is not among those explained, or of a file."""
    if is_file(asked):
        if Path(asked).suffix == ".npy":
            return _arrays(Path(asked), windows, contract)
        if recut is not None:
            return recut(Path(asked))
    elif recut is not None:
        try:
            found = recut(asked)
        except InputError as e:
            labels = sorted({label for label in windows.labels if label is not None})
            there = f"; labels are {listed(labels, 6)}" if labels else ""
            raise InputError(
                f"against {plain(asked, 80)}: no such label, and no such file ({e}); there are other, any "
                f"and none{there}"
            ) from None
        if len(found):
            return found
    raise InputError(f"against {plain(asked, 80)}: no such label, and no such file")


def _arrays(path: Path, windows: Windows, contract: InputContract) -> Windows:
    """Windows of a .npy file in the model's layout."""
    where = plain(path, 300)
    data = load_arrays(path, where=where)
    if isinstance(data, dict):
        raise InputError(f"{where}: several arrays by name; references are one array (.npy)")
    shape = windows.data.shape[1:]
    data = data[None] if data.shape == shape else data
    if data.shape[1:] != shape or not len(data) or data.dtype.kind not in "fiu":
        raise InputError(
            f"{where}: holds an array of shape {list(data.shape)}; references have the model's layout, "
            f"[n, {', '.join(map(str, shape))}]"
        )
    data = np.ascontiguousarray(data, np.float32)
    if not np.isfinite(data).all():
        raise InputError(f"{where}: has values that are not finite")
    # How large a window was before it was scaled by itself, nobody can say any more.
    factor = FROM_MICROVOLT[contract.unit] * contract.scale
    signal = (from_model_layout(data, contract) / factor).astype(np.float32)
    return Windows(
        data, signal, windows.channels, windows.times, np.full(len(data), np.nan), (None,) * len(data),
        windows.sfreq, (),
    )  # fmt: skip
