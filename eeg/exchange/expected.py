"""What a task may use, and the parts of a signal that lie outside of it.

What may be brain has to be said, and cannot be guessed: a slow potential is a readiness potential or a
drifting electrode, gamma over the temples is cortex or jaw. Whoever knows the task says in which bands, over
which regions and when a model may look. What lies outside is exchanged as a whole, so that nothing has to be
known of it.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import linalg

from .parts import (
    FADE,
    Floats,
    LinearPart,
    Project,
    frequencies,
    in_frequency,
    in_time,
    one_after_another,
    stretch,
)
from .spatial import second_moment

# A rhythm's band is not known to the hertz, and a short window blurs it.
WIDER = 1.0  # Hz
RIDGE = 1e-3  # of the mean power of the electrodes that predict


@dataclass(frozen=True)
class Expected:
    """What a task may use, for windows of one shape.

    Attributes
    ----------
    bands : tuple of (float, float), or None
        In Hz; None for any frequency. One that begins at 0 has the offset too.
    electrodes : ndarray of bool, shape (channel,), or None
        None for any.
    seconds : (float, float) or None
        Of the window; None for all of it.
    sfreq : float
    samples : int
    """

    bands: tuple[tuple[float, float], ...] | None
    electrodes: NDArray[np.bool_] | None
    seconds: tuple[float, float] | None
    sfreq: float
    samples: int

    @property
    def frequencies(self) -> NDArray[np.bool_] | None:
        """Coefficients of the cosine transform that the task may use; None for all."""
        if self.bands is None:
            return None
        f = frequencies(self.samples, self.sfreq)
        inside = np.zeros(len(f), bool)
        for low, high in self.bands:
            inside |= (f >= low - WIDER if low > WIDER else f >= low) & (f < high + WIDER)
        return inside

    @property
    def gate(self) -> Floats | None:
        """One for samples that the task may use, with soft edges; None for all."""
        if self.seconds is None:
            return None
        start, stop = (round(s * self.sfreq) for s in self.seconds)
        fade = max(1, round(FADE * self.sfreq))
        return stretch(self.samples, max(0, start), min(self.samples, stop), fade)

    def inside(self) -> Project:
        """What of a window the task may use: these bands of these electrodes in these seconds."""
        steps: list[Project] = []
        if self.electrodes is not None:
            rows = self.electrodes
            steps.append(lambda x: np.where(rows[:, None], x, 0.0))
        f, gate = self.frequencies, self.gate
        if f is not None:
            steps.append(in_frequency(f.astype(float)))
        if gate is not None:
            steps.append(in_time(gate))
        return one_after_another(*steps)

    def outside_of(self, part: Floats) -> Floats:
        """What of a part of the signal the task may not use."""
        return part - self.inside()(part)


def outside_parts(expected: Expected, x: Floats) -> list[LinearPart]:
    """What lies outside of the declared bands, electrodes and seconds, each by itself.

    Parameters
    ----------
    expected : Expected
    x : ndarray, shape (window, channel, time)
        All windows: how far the declared electrodes predict the others.

    Returns
    -------
    list of LinearPart
        One for each thing that was declared, and that leaves something out.
    """
    found = []
    f, gate, rows = expected.frequencies, expected.gate, expected.electrodes
    if f is not None and not f.all():
        found.append(
            LinearPart(
                "outside bands",
                "what lies at frequencies that the task has no use for",
                "band",
                in_frequency((~f).astype(float)),
            )
        )
    if rows is not None and not rows.all():
        within = in_frequency(f.astype(float)) if f is not None else None
        said = "what electrodes elsewhere have that those of the task's regions do not predict"
        if rows.any():
            elsewhere = _elsewhere(rows, x, within)
        else:  # the model has no electrode in them
            said, elsewhere = (
                "the signal of its electrodes, of which none is in the task's regions,",
                _all(within),
            )
        found.append(LinearPart("outside regions", said, "space", elsewhere))
    if gate is not None and gate.min() < 0.5:
        found.append(
            LinearPart(
                "outside seconds", "the signal outside of the task's seconds", "time", in_time(1 - gate)
            )
        )
    return found


def _all(within: Project | None) -> Project:
    """All that there is in the task's bands."""
    return within or (lambda x: x)


def _elsewhere(rows: NDArray[np.bool_], x: Floats, within: Project | None) -> Project:
    """What electrodes elsewhere have, in the task's bands, that those of its regions do not predict.

    One source reaches all electrodes: what the ones outside have of it is no other signal.
    """
    moment = second_moment(x if within is None else within(x))
    own = moment[np.ix_(rows, rows)]
    level = max(float(np.trace(own)) / len(own), 1e-12)
    weights = linalg.solve(
        own + RIDGE * level * np.eye(len(own)), moment[np.ix_(rows, ~rows)], assume_a="pos"
    ).T

    def project(signal: Floats) -> Floats:
        y = signal if within is None else within(signal)
        out = np.zeros_like(y)
        out[:, ~rows] = y[:, ~rows] - np.einsum("ab,nbt->nat", weights, y[:, rows], optimize=True)
        return out

    return project
