"""A head for source estimates: a sphere, a grid of dipoles in it, named regions, and the linear inverse.

Everything is MNE's, and offline: positions of the 10-10 template, a sphere of four shells fitted to them,
potentials after Berg & Scherg (1994), and the minimum-norm estimate (Hamalainen & Ilmoniemi 1994) or eLORETA
(Pascual-Marqui 2007) with free orientation.
"""

from __future__ import annotations

import re
import warnings
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import mne
import numpy as np
from numpy.typing import NDArray

from ...engine.errors import InputError
from ..electrodes import regions
from ..electrodes.names import fiducials, normalise, template
from ..electrodes.positions import Electrodes
from ..text import listed, plain

Floats = NDArray[np.float64]

EYES, DEEP, OTHER = "eyes", "deep", "other"
LOBES = ("frontal", "central", "temporal", "parietal", "occipital")
METHODS = ("MNE", "eLORETA")
# Which lobe lies below a row of electrodes.
_LOBE = {
    "frontopolar": "frontal",
    "frontal": "frontal",
    "frontocentral": "central",
    "central": "central",
    "centroparietal": "central",
    "temporal": "temporal",
    "parietal": "parietal",
    "parieto-occipital": "occipital",
    "occipital": "occipital",
}
_TEN_TEN = re.compile(r"(Fp|AF|F|FC|FT|C|T|CP|TP|P|PO|O|I)(z|[1-9]|10)")
# Parts of the inner skull's radius: the brain ends at the first, and is deep within the second.
BRAIN, DEEP_IN = 0.90, 0.50
# Centres of the eyeballs in the head frame, in metre: 32 mm to the side, 25 mm behind the nasion. A sphere
# has no room for them, so that they are drawn towards its middle until the dipoles are inside.
_ASIDE, _BEHIND, _EYE_IN = 0.032, 0.025, 0.96
_EYE, _SKULL = 0.012, 0.985  # an eyeball's radius in metre, and the part of the inner skull's it may reach
# Dipoles of the eyes are 2.5 times as dense in each direction: each has the same expected moment, and a
# volume of eye has stronger currents than one of cortex. Shares of the eyes grow with it, and what the
# signal alone would give grows alike.
_EYE_STEP = 0.4
_APART = 0.028  # no cortex as near as this to an eye, in metre: the orbit is between them


@dataclass(frozen=True)
class Model:
    """The template's head.

    Attributes
    ----------
    sphere : mne.bem.ConductorModel
    centre : ndarray, shape (3,)
        Metre, head frame.
    inner : float
        Radius of the inner skull in metre.
    eyes : ndarray, shape (2, 3)
        Left and right eye, drawn into the sphere, in metre in the head frame.
    """

    sphere: Any
    centre: Floats
    inner: float
    eyes: Floats


@dataclass(frozen=True)
class Inverse:
    """The grid, what it puts on the electrodes, and what the electrodes say of it.

    Attributes
    ----------
    grid : ndarray, shape (source, 3)
        Metre, head frame.
    region : tuple of str
        The region of each source.
    names : tuple of str
        The regions in order.
    gain : ndarray, shape (channel, source, 3)
        Microvolt per nanoampere metre, in the reference that was asked for.
    kernel : ndarray, shape (source, 3, channel)
        Nanoampere metre per microvolt; does not see what all electrodes have in common.
    """

    grid: Floats
    region: tuple[str, ...]
    names: tuple[str, ...]
    gain: Floats
    kernel: Floats


@lru_cache(maxsize=1)
def model() -> Model:
    """The sphere that fits the template's 10-10 electrodes: one head, whatever electrodes a model has."""
    info = _info(Electrodes(n for n in template() if _TEN_TEN.fullmatch(n)))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        sphere = mne.make_sphere_model("auto", "auto", info, verbose="error")
    centre, inner = np.asarray(sphere["r0"], dtype=np.float64), float(sphere["layers"][0]["rad"])
    nasion = next(d["r"] for d in info["dig"] if d["kind"] == 1 and d["ident"] == 2)
    eyes = np.array([[side * _ASIDE, nasion[1] - _BEHIND, nasion[2]] for side in (-1, 1)]) - centre
    eyes *= _EYE_IN * inner / np.linalg.norm(eyes, axis=1, keepdims=True)
    return Model(sphere, centre, inner, eyes + centre)


def _info(names: Electrodes) -> Any:
    """Electrodes at their places in the head frame."""
    info = mne.create_info(list(names), 100.0, "eeg", verbose="error")
    montage = mne.channels.make_dig_montage(dict(names.positions), **fiducials(), coord_frame="mri")
    info.set_montage(montage, verbose="error")
    return info


def gain(names: Electrodes, places: Floats) -> Floats:
    """Potential at each electrode for unit dipoles along x, y and z, against infinity.

    Parameters
    ----------
    names : Electrodes
        With positions.
    places : ndarray, shape (source, 3)
        Metre, head frame, inside the inner skull.

    Returns
    -------
    ndarray, shape (channel, source, 3)
        Microvolt per nanoampere metre.
    """
    forward = _forward(_info(names), places)
    return np.asarray(forward["sol"]["data"] * 1e-3, dtype=np.float64).reshape(len(names), len(places), 3)


def _forward(info: Any, places: Floats) -> Any:
    up = np.tile([0.0, 0.0, 1.0], (len(places), 1))
    src = mne.setup_volume_source_space(pos={"rr": places, "nn": up}, sphere_units="m", verbose="error")
    return mne.make_forward_solution(
        info, None, src, model().sphere, meg=False, eeg=True, mindist=0, verbose="error"
    )


def lattice(spacing: float) -> tuple[Floats, NDArray[np.bool_]]:
    """Dipoles: a grid in the brain above the plane of nasion and ears, then both eyes.

    The grid is symmetric and has no point in the middle plane, so that each is left or right.

    Parameters
    ----------
    spacing : float
        Metre.

    Returns
    -------
    places : ndarray, shape (source, 3)
        Metre, head frame.
    eye : ndarray of bool, shape (source,)
    """
    head = model()
    steps = np.arange(-np.ceil(head.inner / spacing), np.ceil(head.inner / spacing)) + 0.5
    points = spacing * np.stack(np.meshgrid(steps, steps, steps, indexing="ij"), -1).reshape(-1, 3)
    places = points[np.linalg.norm(points, axis=1) <= BRAIN * head.inner] + head.centre
    away = np.linalg.norm(places[:, None] - head.eyes, axis=-1).min(1)
    places = places[(places[:, 2] > 0) & (away > _APART)]
    step = _EYE_STEP * spacing
    steps = step * np.arange(-np.ceil(_EYE / step), np.ceil(_EYE / step) + 1)
    ball = np.stack(np.meshgrid(steps, steps, steps, indexing="ij"), -1).reshape(-1, 3)
    ball = ball[np.linalg.norm(ball, axis=1) <= _EYE]
    eyes = np.concatenate([eye + ball for eye in head.eyes])
    eyes = eyes[np.linalg.norm(eyes - head.centre, axis=1) <= _SKULL * head.inner]
    return np.vstack([places, eyes]), np.arange(len(places) + len(eyes)) >= len(places)


def named(places: Floats, wanted: Mapping[str, Collection[str]] | None) -> tuple[str, ...]:
    """The region of each place in the brain: what lies deep, and cortex by the nearest 10-10 electrode.

    Parameters
    ----------
    places : ndarray, shape (source, 3)
        Metre, head frame.
    wanted : dict of str to collection of str, optional
        Region -> the 10-10 electrodes above it; cortex below none of them is "other". By default `LOBES`,
        left and right.

    Raises
    ------
    InputError
        An electrode that is none of the 10-10 system or stands twice; a name that is taken.
    """
    head = model()
    ten = Electrodes(n for n in template() if _TEN_TEN.fullmatch(n))
    owner = {} if wanted is None else _owners(wanted, ten)
    toward = np.array([c["loc"][:3] for c in _info(ten)["chs"]]) - head.centre
    toward /= np.linalg.norm(toward, axis=1, keepdims=True)
    from_middle = places - head.centre
    nearest = (from_middle @ toward.T).argmax(-1)
    out = []
    for p, i in zip(from_middle, nearest, strict=True):
        if np.linalg.norm(p) < DEEP_IN * head.inner:
            out.append(DEEP)
        elif wanted is None:
            out.append(f"{'left' if p[0] < 0 else 'right'} {_LOBE[regions.region(ten[i])]}")
        else:
            out.append(owner.get(ten[i], OTHER))
    return tuple(out)


def _owners(wanted: Mapping[str, Collection[str]], ten: Sequence[str]) -> dict[str, str]:
    """Which region an electrode belongs to."""
    owner: dict[str, str] = {}
    if not wanted:
        raise InputError("sources: regions is empty; name at least one, or leave it out")
    for region, above in wanted.items():
        if region in (EYES, DEEP, OTHER, "residual", "unassigned"):
            raise InputError(f"sources: a region cannot be called {region!r}; choose another name")
        if isinstance(above, str):
            raise InputError(f"sources: region {plain(region)!r} is a text; give a list of electrodes")
        for given in above:
            name = normalise(given)
            if name not in ten:
                raise InputError(f"sources: {plain(given)} of region {plain(region)} is no 10-10 electrode")
            if name in owner:
                raise InputError(
                    f"sources: {name} is in the regions {plain(owner[name])} and {plain(region)}; keep one"
                )
            owner[name] = region
    return owner


def inverse(
    names: Electrodes,
    *,
    wanted: Mapping[str, Collection[str]] | None,
    reference: Electrodes,
    spacing_mm: float,
    snr: float,
    method: str,
    noise_cov: Any,
) -> Inverse:
    """The grid and MNE's inverse operator for it, as matrices.

    Parameters
    ----------
    names : Electrodes
        With positions.
    wanted : dict of str to collection of str, optional
        As `named` takes them.
    reference : Electrodes
        The gain is against their mean.
    spacing_mm, snr, method, noise_cov
        As `source.sources` takes them.

    Raises
    ------
    InputError
        The regions are wrong or have no source; the noise covariance does not fit.
    """
    places, eye = _grid(spacing_mm)
    region = (*named(places[~eye], wanted), *[EYES] * int(eye.sum()))
    there = [f"{side} {lobe}" for lobe in LOBES for side in ("left", "right")]
    there = [*(there if wanted is None else wanted), *([OTHER] if OTHER in region else []), EYES, DEEP]
    empty = [n for n in there if n not in region]
    if empty:
        raise InputError(
            f"sources: no dipole lies in {listed(empty)}; give it more electrodes, or a smaller spacing_mm"
        )
    known = (names, spacing_mm, snr, method)
    kernel = _usual(*known) if noise_cov is None else _kernel(*known, noise_cov)
    return Inverse(places, region, tuple(there), _against(names, reference, spacing_mm), kernel)


# What does not change from one explanation to the next is kept: models side by side have one head.
@lru_cache(maxsize=4)
def _grid(spacing_mm: float) -> tuple[Floats, NDArray[np.bool_]]:
    return lattice(spacing_mm * 1e-3)


@lru_cache(maxsize=4)
def _against(names: Electrodes, reference: Electrodes, spacing_mm: float) -> Floats:
    """The gain against the mean of the reference's electrodes."""
    every = names.some(dict.fromkeys([*names, *reference]))
    whole = gain(every, _grid(spacing_mm)[0])
    return np.asarray(whole[: len(names)] - whole[[every.index(n) for n in reference]].mean(0))


@lru_cache(maxsize=4)
def _usual(names: Electrodes, spacing_mm: float, snr: float, method: str) -> Floats:
    return _kernel(names, spacing_mm, snr, method, None)


def _kernel(names: Electrodes, spacing_mm: float, snr: float, method: str, noise_cov: Any) -> Floats:
    """MNE's estimate of a unit potential at each electrode is the matrix by which it estimates."""
    unit = mne.EvokedArray(np.eye(len(names)), _info(names), nave=1, verbose="error")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        unit.set_eeg_reference("average", projection=True, verbose="error")
        noise = noise_cov
        if noise is None:
            noise = mne.make_ad_hoc_cov(unit.info, verbose="error")
        try:
            operator = mne.minimum_norm.make_inverse_operator(
                # Depth weighting would let most of what the cortex does appear deep.
                unit.info,
                _forward(unit.info, _grid(spacing_mm)[0]),
                noise,
                loose=1.0,
                fixed=False,
                depth=None,
                verbose="error",
            )
            found = mne.minimum_norm.apply_inverse(
                unit, operator, 1 / snr**2, method, pick_ori="vector", verbose="error"
            )
        except (ValueError, RuntimeError, KeyError, np.linalg.LinAlgError) as e:
            if noise_cov is None:
                raise
            raise InputError(f"sources: the noise covariance does not fit ({plain(e, 100)})") from None
    return np.asarray(found.data * 1e3, dtype=np.float64)
