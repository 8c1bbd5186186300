"""What a model should not care about: how many decisions change when the same is recorded otherwise.

An amplifier's gain, an electrode's offset, a slow drift, the mains, one bad electrode, the first milliseconds
and the reference are none of the brain's doing. That a decision changes with one is no proof of a shortcut: a
model may be honest and fragile.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from ...engine.errors import InputError
from ..electrodes.positions import Electrodes
from ..recording.conditioning import SignalPiece, spline
from ..text import plain
from .parts import EDGE, LINES, Floats

GAINS = (0.8, 1.25)
OFFSET, DRIFT, MAINS = 20.0, 50.0, 10.0  # microvolt
NOTHING = 1e-9  # of the signal: windows have it already


@dataclass(frozen=True)
class Alteration:
    """A way to record the same otherwise.

    Attributes
    ----------
    name : str
        Short, and unlike all others: "gain 0.8".
    said : str
        In words, after "under".
    apply : callable
        The windows (window, channel, time) in microvolt, altered.
    """

    name: str
    said: str
    apply: Callable[[Floats], Floats]


@dataclass(frozen=True)
class Altered:
    """What came of it.

    Attributes
    ----------
    name, said : str
    moved : float
        The part of the windows whose decision is another one; of outputs that are numbers, how far they move
        on average, in standard deviations of the outputs.
    """

    name: str
    said: str
    moved: float


def alterations(
    n: int, sfreq: float, electrodes: Electrodes, rows: Sequence[int] = (), reference: int | None = None
) -> Iterator[Alteration]:
    """All alterations of windows of one shape.

    Parameters
    ----------
    n : int
        Samples of a window.
    sfreq : float
        Hz.
    electrodes : Electrodes
    rows : sequence of int
        Electrodes that are altered one by one.
    reference : int, optional
        The electrode that all are held against. What it has itself is lost, so that it should be one of no
        importance.
    """
    for gain in GAINS:
        yield Alteration(f"gain {gain:g}", f"a gain of {gain:g}", lambda x, g=gain: x * g)  # type: ignore[misc]
    for offset in (OFFSET, -OFFSET):
        said = f"an offset of {offset:+g} uV"
        yield Alteration(f"offset {offset:+g}", f"{said} on all electrodes", lambda x, o=offset: x + o)  # type: ignore[misc]
        for row in rows:
            name = plain(electrodes[row])
            yield Alteration(
                f"offset {offset:+g} {name}", f"{said} on {name}", _added(row, np.full(n, offset))
            )
    yield _plus("drift", f"a drift of {DRIFT:g} uV over the window", np.linspace(-DRIFT / 2, DRIFT / 2, n))
    for line in LINES:
        if line < sfreq / 2:
            wave = MAINS * np.sin(2 * np.pi * line * np.arange(n) / sfreq)
            yield _plus(f"mains {line:g}", f"{MAINS:g} uV at {line:g} Hz", wave)
    for row in rows:
        weights = _spline(electrodes, row)
        if weights is not None:
            name = plain(electrodes[row])
            yield Alteration(
                f"interpolated {name}", f"{name} interpolated from the others", _made(row, weights)
            )
    few = max(1, round(EDGE * sfreq))
    if few < n:
        ms = 1000 * few / sfreq
        yield Alteration("first", f"the first {ms:.0f} ms held at what follows", _held(few))
    if len(electrodes) > 1:
        yield Alteration("average", "an average reference", lambda x: x - x.mean(1, keepdims=True))
        if reference is not None:
            name = plain(electrodes[reference])
            yield Alteration(f"reference {name}", f"the reference {name}", lambda x: x - x[:, [reference]])


def altered(
    signal: Floats, outputs: Floats, run: Callable[[Floats], Floats], each: Iterator[Alteration]
) -> list[Altered]:
    """What alterations do to a model's answers, strongest first; those that change no window are left out.

    Parameters
    ----------
    signal : ndarray, shape (window, channel, time)
        Microvolt.
    outputs : ndarray, shape (window, class) or (window, 1)
        What the model says of them.
    run : callable
        Outputs for windows of signal.
    each : iterator of Alteration
    """
    found = []
    size = float(np.sqrt((signal**2).mean()))
    for one in each:
        made = one.apply(signal)
        if np.abs(made - signal).max() > NOTHING * max(size, 1e-30):
            found.append(Altered(one.name, one.said, _moved(outputs, run(made))))
    return sorted(found, key=lambda a: -a.moved)


def said_of(found: Sequence[Altered], *, of_classes: bool) -> str:
    """One sentence.

    Parameters
    ----------
    found : sequence of Altered
        The strongest first; one at least.
    of_classes : bool
        Whether the output is a choice between classes.
    """
    most = found[0]
    if not of_classes:
        if most.moved < 0.005:
            return "Outputs move under none of the ways to record the same otherwise."
        return f"Outputs move most under {most.said}: by {most.moved:.2f} of their standard deviation."
    if most.moved <= 0:
        return "No decision changes under any of the ways to record the same otherwise."
    return f"Decisions change most under {most.said}: {most.moved:.0%} of them."


def _moved(before: Floats, after: Floats) -> float:
    if before.ndim == 2 and before.shape[1] > 1:
        return float((before.argmax(-1) != after.argmax(-1)).mean())
    return float(np.abs(after - before).mean() / max(float(before.std()), 1e-30))


def _plus(name: str, said: str, course: Floats) -> Alteration:
    return Alteration(name, said, lambda x: x + course)


def _added(row: int, course: Floats) -> Callable[[Floats], Floats]:
    def apply(x: Floats) -> Floats:
        out = x.copy()
        out[:, row] += course
        return out

    return apply


def _made(row: int, weights: Floats) -> Callable[[Floats], Floats]:
    def apply(x: Floats) -> Floats:
        out = x.copy()
        out[:, row] = np.einsum("c,nct->nt", weights, x, optimize=True)
        return out

    return apply


def _held(few: int) -> Callable[[Floats], Floats]:
    def apply(x: Floats) -> Floats:
        out = x.copy()
        out[..., :few] = x[..., few : few + 1]
        return out

    return apply


def _spline(electrodes: Electrodes, row: int) -> Floats | None:
    """Weights that make an electrode from the others, (channel,); None where their places are not known."""
    others = [i for i in range(len(electrodes)) if i != row and electrodes[i] in electrodes.positions]
    names = electrodes.some([electrodes[i] for i in others])
    # A spline is linear: what it makes of one electrode at a time are its weights.
    unit = SignalPiece(0.0, np.eye(len(others)))
    try:
        (made,) = spline([unit], names, electrodes.some([electrodes[row]]), where="windows")
    except InputError:
        return None
    weights = np.zeros(len(electrodes))
    weights[others] = made[0]
    return weights
