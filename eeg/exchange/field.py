"""What the part that decides looks like on the head: the field that goes with the decision, and whose it is.

A network's weights say what it filters, not where its cue lies; the field that goes along with its answers
does (Haufe et al. 2014, NeuroImage 87, eq. 6: patterns are covariances with what is decided). A field names a
cue, and proves nothing: what decides is for an exchange to say.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import lru_cache
from typing import Literal

import mne
import numpy as np
from scipy import linalg

from ..electrodes.positions import Electrodes
from ..text import plain
from .parts import Floats

SHUFFLES, STANDS_OUT = 24, 5.0  # answers dealt out anew; standard deviations above what they give
RIDGE = 1e-3  # of the mean power of an electrode
PLACED = 12  # electrodes with a place: of fewer any field is like any other
ALIKE = 0.9  # correlation with the field of the eyes; tests/eeg/test_exchange_field.py has the brain's
NO_SOURCE = 1.5  # of a field's power that the other electrodes do not predict; see `disorder`
SOURCES, NOISE = 600, 0.02  # dipoles, not all of which lie in the brain; of an electrode's power
OWN, SHARED = 0.75, 0.9  # of a field's power: on one electrode, or the same on all
# Metre, in the template's frame: below Fp1, T7 and O1, which lie on one ring; before the ears.
LOW, FRONT = -0.025, 0.01
MOSTLY = 0.6
NECK = "largest at the cap's lower edge, where heart, pulse and muscles of neck and jaw are"
FACE = "largest in the face, where eyes and muscles are"
EYES = ((-0.034, 0.078, -0.045), (0.034, 0.078, -0.045))  # metre, from the middle of the head
INSIDE = 0.97  # of the inner skull's radius, where the sphere has the eyes that it has no room for


@dataclass(frozen=True)
class Field:
    """What goes with the decision, on each electrode.

    Attributes
    ----------
    values : ndarray, shape (channel,)
        Largest 1.
    kind : {"course", "power"}
        Whether its course goes with the decision, sign and all, or its size.
    stands_out : float
        Standard deviations above what answers give that are dealt out anew.
    filter : ndarray, shape (channel,)
        What gets its course out of the signal, as large as it is at the electrode that has most of it.
    """

    values: Floats
    kind: Literal["course", "power"]
    stands_out: float
    filter: Floats = field(default_factory=lambda: np.zeros(0))

    def project(self, x: Floats) -> Floats:
        """What of windows has the field, (window, channel, time)."""
        return np.asarray(self.values[:, None] * np.einsum("c,nct->nt", self.filter, x)[:, None])

    def largest(self, n: int = 2) -> tuple[int, ...]:
        """The n electrodes that have most of it."""
        return tuple(np.argsort(-np.abs(self.values), kind="stable")[:n].tolist())


def field_of(part: Floats, outputs: Floats, rng: np.random.Generator) -> Field | None:
    """The field that goes with answers; None where none stands out.

    Parameters
    ----------
    part : ndarray, shape (window, channel, time)
        Of the signal: a band, a stretch of time.
    outputs : ndarray, shape (window, class) or (window, 1)
    rng : Generator
    """
    signal = part - part.mean(0)
    if not signal.any():
        return None
    found = [f for score in _scores(outputs) for f in _fields(signal, score, rng)]
    best = max(found, key=lambda f: f.stands_out, default=None)
    return best if best is not None and best.stands_out >= STANDS_OUT else None


def _scores(outputs: Floats) -> list[Floats]:
    """Of each class, which windows it is decided for; of a number, how large it is. Means are 0."""
    if outputs.ndim != 2 or outputs.shape[1] < 2:
        y = outputs.reshape(len(outputs))
        return [(y - y.mean()) / max(float(y.std()), 1e-12)]
    d = outputs.argmax(-1)
    classes = [c for c in np.unique(d) if 0 < (d == c).sum() < len(d)]
    # Of two classes one says it all.
    chosen = classes[1:] if len(classes) == 2 else classes
    return [np.where(d == c, 1 / (d == c).sum(), -1 / (d != c).sum()) for c in chosen]


def _fields(signal: Floats, score: Floats, rng: np.random.Generator) -> list[Field]:
    """The course and the power that go with a score, more than anything else on the head does.

    As in xDAWN and in SPoC (Dähne et al. 2014, NeuroImage 86, eq. 5; of two classes CSP): what is largest
    beside all that there is, so that blinks which say nothing do not hide a smaller cue.
    """
    n, channels, samples = signal.shape
    moments = np.einsum("nct,ndt->ncd", signal, signal, optimize=True) / samples
    whole = moments.mean(0)
    whole = whole + RIDGE * np.trace(whole) / channels * np.eye(channels)
    orders = [np.arange(n), *(rng.permutation(n) for _ in range(SHUFFLES))]
    scores = np.stack([score[o] for o in orders])
    powers = (scores @ (moments - moments.mean(0)).reshape(n, -1)).reshape(-1, channels, channels)
    courses = (scores @ signal.reshape(n, -1)).reshape(-1, channels, samples)
    found = []
    for kind, all_ in (("course", courses @ courses.swapaxes(1, 2)), ("power", powers)):
        sizes, filters = zip(*(_largest(one, whole) for one in all_), strict=True)
        chance = np.asarray(sizes[1:])
        out = (sizes[0] - chance.mean()) / max(float(chance.std()), 1e-12)
        u = whole @ filters[0]
        top = u[np.abs(u).argmax()]
        found.append(Field(u / top, kind, float(out), filters[0] * top))  # type: ignore[arg-type]
    return found


def _largest(of: Floats, beside: Floats) -> tuple[float, Floats]:
    """The filter for which something is largest beside all that there is, and how large."""
    values, filters = linalg.eigh(of, beside)
    k = int(np.abs(values).argmax())
    return float(abs(values[k])) ** 0.5, filters[:, k]


def likeness(field: Field, electrodes: Electrodes, *, fast: bool = False) -> str:
    """Whose field it is like, in words that follow "its field is"; empty where it is like no one's.

    Parameters
    ----------
    field : Field
    electrodes : Electrodes
        The model's, in order.
    fast : bool
        Of what has no frequency below 8 Hz, as eyes that move have.
    """
    u = field.values
    odd = disorder(u, electrodes) >= NO_SOURCE
    if len(u) >= PLACED and u.max() ** 2 / (u**2).sum() >= OWN and odd:
        return f"on one electrode alone, {plain(electrodes[field.largest(1)[0]])}"
    if len(u) >= PLACED and u.mean() ** 2 * len(u) / (u**2).sum() >= SHARED:
        return "the same on all electrodes, as what comes in by the reference or from outside of the head is"
    for said, r in () if fast else eyes_like(u, electrodes).items():
        if r >= ALIKE:
            return f"like that of {said} (r = {r:.2f})"
    return _below(u, electrodes) or ("one that hardly a source in the head has" if odd else "")


def _below(u: Floats, electrodes: Electrodes) -> str:
    """Whether a field is largest below the brain: at the cap's lower edge, which few caps have."""
    placed = [i for i, name in enumerate(electrodes) if name in electrodes.positions]
    if len(placed) < PLACED:
        return ""
    places = np.array([electrodes.positions[electrodes[i]] for i in placed])
    power = u[placed] ** 2 / (u[placed] ** 2).sum()
    low, front = places[:, 2] < LOW, places[:, 1] > FRONT
    for there, said in ((low & ~front, NECK), (low & front, FACE)):
        if power[there].sum() >= MOSTLY and there.sum() < len(placed) / 2:
            return said
    return ""


def eyes_like(u: Floats, electrodes: Electrodes) -> dict[str, float]:
    """How far a field is that of the eyes, as a correlation, whatever its reference.

    Parameters
    ----------
    u : ndarray, shape (channel,)
    electrodes : Electrodes

    Returns
    -------
    dict of str to float
        "eye movements to the side" and "blinks or eye movements up and down"; empty where too few electrodes
        have a place.
    """
    placed = [i for i, name in enumerate(electrodes) if name in electrodes.positions]
    if len(placed) < PLACED:
        return {}
    gain = eye_fields(np.array([electrodes.positions[electrodes[i]] for i in placed]))
    v = _centred(u[placed])
    sideways, upright = _centred(gain[:, 0]), np.linalg.qr(_centred(gain[:, 1:]))[0]
    return {
        "eye movements to the side": abs(float(sideways @ v)),
        "blinks or eye movements up and down": float(np.linalg.norm(upright.T @ v)),
    }


def _centred(maps: Floats) -> Floats:
    """Without the mean over electrodes, which the reference decides, and of length 1."""
    centred = maps - maps.mean(0)
    return np.asarray(centred / np.maximum(np.linalg.norm(centred, axis=0), 1e-30))


def disorder(u: Floats, electrodes: Electrodes) -> float:
    """How little of a field its other electrodes predict, as a source in the head would have it.

    The skull blurs: each electrode's value is predicted from the others' by the covariance that sources all
    over the head give (leave one out, as in kriging). Patches of cortex reach 1.1 at most under a skull that
    conducts 80 times less than the brain, and 1.5 in one of 50 on 19 electrodes under one that conducts 25
    times less; electrodes each by itself have 2 or so. Any reference counts as none.

    Parameters
    ----------
    u : ndarray, shape (channel,)
    electrodes : Electrodes

    Returns
    -------
    float
        Power of what is not predicted, of that of the field; 0 where too few electrodes have a place.
    """
    placed = [i for i, name in enumerate(electrodes) if name in electrodes.positions]
    if len(placed) < PLACED:
        return 0.0
    inverse = _precision(tuple(tuple(electrodes.positions[electrodes[i]].tolist()) for i in placed))
    v = u[placed]
    left = inverse @ v / np.diag(inverse)
    return float((left**2).sum() / max(((v - v.mean()) ** 2).sum(), 1e-30))


@lru_cache(maxsize=8)
def _precision(places: tuple[tuple[float, ...], ...]) -> Floats:
    """The inverse covariance of what sources all over the head put on electrodes, whatever the reference."""
    at, rng = np.array(places), np.random.default_rng(0)
    toward = rng.normal(size=(SOURCES, 3))
    toward /= np.linalg.norm(toward, axis=1)[:, None]
    toward = toward[toward[:, 2] > -0.4]  # no brain below the ears
    gain = _gain(at, rng.uniform(0.5, 0.9, len(toward))[:, None] * toward).reshape(len(at), -1)
    spread = gain @ gain.T
    spread *= len(at) / np.trace(spread)
    return np.asarray(np.linalg.inv(spread + 5.0 + NOISE * np.eye(len(at))))


def eye_fields(places: Floats) -> Floats:
    """What both eyes put on electrodes, turned alike along x (right), y (front) and z (up).

    Parameters
    ----------
    places : ndarray, shape (electrode, 3)
        Metre, in head coordinates.

    Returns
    -------
    ndarray, shape (electrode, 3)
    """
    eyes = np.asarray(EYES)
    return np.asarray(_gain(places, INSIDE * eyes / np.linalg.norm(eyes, axis=1)[:, None]).sum(1))


def _gain(places: Floats, sources: Floats) -> Floats:
    """What dipoles put on electrodes, (electrode, source, direction): four shells, by MNE's forward model.

    Sources are in parts of the inner skull's radius, from the middle of the head.
    """
    names = [str(i) for i in range(len(places))]
    info = mne.create_info(names, 100.0, "eeg")
    montage = mne.channels.make_dig_montage(dict(zip(names, places, strict=True)), coord_frame="head")
    info.set_montage(montage, verbose="error")
    sphere = mne.make_sphere_model("auto", "auto", info, verbose="error")
    there = np.asarray(sphere["r0"]) + float(sphere["layers"][0]["rad"]) * sources
    upright = np.tile([0.0, 0.0, 1.0], (len(there), 1))
    source = mne.setup_volume_source_space(
        pos={"rr": there, "nn": upright}, sphere_units="m", verbose="error"
    )
    forward = mne.make_forward_solution(
        info, None, source, sphere, meg=False, eeg=True, mindist=0, verbose="error"
    )
    return np.asarray(forward["sol"]["data"]).reshape(len(places), len(there), 3)
