"""What a window is explained against: other windows, which the model calls otherwise, or of a rest condition.

EEG is never silent, and what a network says of one window is made by how it differs from others: relevance
against a few real windows follows what decides, where relevance against zero follows what is there.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypedDict

import numpy as np
from numpy.typing import NDArray

from ...engine.contract import InputContract
from ...engine.errors import InputError
from ...engine.explainer import Explainer
from ..recording.windows import Windows, from_model_layout
from ..text import counted, listed, plain

NONE, OTHER, ANY = "none", "other", "any"
FEW = 4
# Of the windows of an output that is a number, the part at either end of its range that counts as far away.
_FAR = 0.25


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


Recut = Callable[[str], Windows]


def references_for(
    explainer: Explainer,
    windows: Windows,
    contract: InputContract,
    options: ReferenceOptions,
    *,
    seed: int = 0,
    recut: Callable[[str | Path], Windows] | None = None,
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
        return _within(explainer, windows, contract, options, rng)
    named = [i for i, label in enumerate(windows.labels) if fits(label, asked)]
    if named:
        how = f"{counted(min(options.references, len(named)), 'window')} labelled {plain(asked, 40)}"
        return _drawn(windows, [np.array(named)] * len(windows), options.references, rng, how, own=True)
    found = _elsewhere(asked, windows, contract, recut)
    wanted = min(options.references, len(found))
    picked = np.sort(rng.choice(len(found), wanted, replace=False))
    index = np.tile(np.arange(wanted), (len(windows), 1))
    said = f"labelled {plain(asked, 40)}" if not _is_file(asked) else f"of {plain(Path(asked).name, 60)}"
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


def fits(label: str | None, asked: str) -> bool:
    """Whether a label is the one asked for, or has it among its tags ("rest/eyes-open")."""
    if label is None:
        return False
    tags = [label.casefold(), *label.casefold().split("/")]
    return asked.casefold() in tags


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
) -> ReferenceWindows | None:
    n, wanted = len(windows), options.references
    if n < 2:
        raise InputError(
            "against other windows: the recording has one window only; name another recording to hold "
            "it against (against=FILE), or ask for relevance against zero (against='none')"
        )
    everybody = np.arange(n)
    if str(options.against) == ANY:
        return _drawn(windows, [everybody] * n, wanted, rng, "{n} of any other windows", own=True)
    said = said_of(explainer, windows, contract)
    if said.ndim == 2 and said.shape[1] > 1:
        guess = said.argmax(1)
        pools = [np.flatnonzero(guess != g) for g in guess]
        if all(len(p) for p in pools):
            how = "{n} windows that the model calls otherwise"
            return _drawn(windows, pools, wanted, rng, how)
        why = f"the model calls all {n} windows alike, so there is none that it calls otherwise"
    else:
        value = said.reshape(n, -1).mean(1)
        if np.ptp(value) > 0:
            order = np.argsort(value, kind="stable")
            far = max(1, int(np.ceil(_FAR * n)))
            middle = np.median(value)
            pools = [order[-far:] if v < middle else order[:far] for v in value]
            how = "{n} windows at the far end of the output's range"
            return _drawn(windows, pools, wanted, rng, how, own=True)
        why = f"the model gives one value for all {n} windows"
    found = _drawn(windows, [everybody] * n, wanted, rng, "{n} of any other windows", own=True)
    note = f"{why[0].upper()}{why[1:]}: they are held against any others."
    return ReferenceWindows(**{**vars(found), "notes": (note, *found.notes)})


def _drawn(
    windows: Windows,
    pools: Sequence[NDArray[np.int64]],
    wanted: int,
    rng: np.random.Generator,
    how: str,
    *,
    own: bool = False,
) -> ReferenceWindows:
    """The same few of a pool for all windows that have it; never a window itself.

    Where a window can be in its own pool, one more is drawn, to stand in for it.
    """
    order: dict[bytes, NDArray[np.int64]] = {}
    rows, fewest = [], wanted
    for i, pool in enumerate(pools):
        key = pool.tobytes()
        if key not in order:
            order[key] = rng.permutation(pool)[: wanted + own]
        row = order[key][order[key] != i][:wanted]
        rows.append(row)
        fewest = min(fewest, len(row))
    if not fewest:
        raise InputError("against other windows: there is a window that has none to be held against")
    chosen = np.stack([row[:fewest] for row in rows])
    used, index = np.unique(chosen, return_inverse=True)
    return ReferenceWindows(
        windows.data[used],
        windows.signal[used],
        index.reshape(chosen.shape),
        windows.onsets[used],
        tuple(windows.labels[i] for i in used),
        how.format(n=fewest),
        _few(fewest, wanted),
    )


def _few(found: int, wanted: int) -> tuple[str, ...]:
    if found >= wanted:
        return ()
    return (f"Only {counted(found, 'window')} to be held against, {wanted} were asked for.",)


def _is_file(asked: str) -> bool:
    return Path(asked).suffix != "" and Path(asked).exists()


def _elsewhere(
    asked: str, windows: Windows, contract: InputContract, recut: Callable[[str | Path], Windows] | None
) -> Windows:
    """Windows of a label that is not among those explained, or of a file."""
    if _is_file(asked):
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
    try:
        data = np.load(path, allow_pickle=False)
    except (OSError, ValueError) as e:
        raise InputError(f"{where}: cannot be read ({type(e).__name__})") from None
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
    from ..recording.windows import FROM_MICROVOLT

    factor = FROM_MICROVOLT[contract.unit] * contract.scale
    signal = (from_model_layout(data, contract) / factor).astype(np.float32)
    return Windows(
        data, signal, windows.channels, windows.times, np.full(len(data), np.nan), (None,) * len(data),
        windows.sfreq, (),
    )  # fmt: skip
