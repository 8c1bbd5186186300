"""Electrodes: names, and where each lies on the head.

A channel called "T7" or "EEG T3-REF" lies where the template has that electrode. One called E1, A17 or "12"
lies where the recording says, if it says so. Both go as one value with the windows and with what is explained
of them: regions, head maps, artefacts and components ask it, and never a name alone.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property, lru_cache
from typing import Any, overload

import mne
import numpy as np
from numpy.typing import NDArray

from ..text import plain
from .names import fiducials, normalise, parse, template, template_positions

Place = tuple[float, float, float]
Places = Mapping[str, Place]
Floats = NDArray[np.float64]

NEAR = 0.03  # metre: further from any electrode of the 10-10 system a channel stands for none
# Without the intermediate electrodes of the 10-5 system.
_TEN_TEN = re.compile(r"(?:Fp|AF|F|FT|FC|C|T|CP|TP|P|PO|O|I)(?:z|10|[1-9])")
# Electrodes of the 10-5 system are numbered up to 10: A1 to A32 are a cap's own names, A1 and A2 among them.
_SERIES = re.compile(r"(?:EEG[\s_:\-]*)?([A-Z])(\d+)", re.IGNORECASE)
_HIGHEST = 10


@dataclass(frozen=True, init=False)
class Electrodes(Sequence[str]):
    """Names of channels in order, and their positions. A sequence of the names.

    Parameters
    ----------
    names : iterable of str
        In any spelling.
    measured : mapping of str to (float, float, float), optional
        Name -> position in metre, in the template's frame. Only that of a channel whose name is no known
        electrode's counts and is kept: the template's electrodes lie where the template has them.
    own : iterable of str, optional
        Names that are the cap's own although they are spelt like an electrode's. Those of a series beyond the
        10-5 system (A1 to A32, C1 to C32) are known to be.

    Examples
    --------
    >>> cap = Electrodes(("Cz", "E1"), {"E1": (-0.03, 0.08, 0.0)})
    >>> cap.index("E1"), sorted(cap.positions)
    (1, ['Cz', 'E1'])
    """

    names: tuple[str, ...]
    measured: Places
    own: frozenset[str]

    def __init__(self, names: Iterable[str], measured: Places | None = None, own: Iterable[str] = ()) -> None:
        given = tuple(names)
        mine = frozenset(own).intersection(given) | series(given)
        mine = frozenset(n for n in mine if parse(n).kind == "electrode")  # others are its own anyhow
        known = template_positions([n for n in given if n not in mine])
        kept = {n: measured[n] for n in given if n in measured and n not in known} if measured else {}
        object.__setattr__(self, "names", given)
        object.__setattr__(self, "measured", kept)
        object.__setattr__(self, "own", mine)

    def __hash__(self) -> int:
        return hash((self.names, tuple(self.measured.items()), self.own))

    def __len__(self) -> int:
        return len(self.names)

    @overload
    def __getitem__(self, index: int) -> str: ...

    @overload
    def __getitem__(self, index: slice) -> Electrodes: ...

    def __getitem__(self, index: int | slice) -> str | Electrodes:
        return self.some(self.names[index]) if isinstance(index, slice) else self.names[index]

    @cached_property
    def positions(self) -> Mapping[str, Floats]:
        """Name -> position, shape (3,), in metre, in the template's frame; only where it is known."""
        found = template_positions([n for n in self.names if n not in self.own])
        found.update((n, np.array(place, dtype=np.float64)) for n, place in self.measured.items())
        return {n: found[n] for n in self.names if n in found}

    @cached_property
    def _keys(self) -> Mapping[str, str]:
        return {n: self._key(n) for n in self.names}

    def _key(self, name: str) -> str:
        near = self.nearest(name)
        if near is not None:
            return near
        return name.casefold() if name in self.own else normalise(name)

    def key(self, name: str) -> str:
        """The electrode that a channel stands for.

        The one that its name says, or that of the 10-10 system nearest to its measured position; the
        lower-case name where neither is known.
        """
        return self._keys[name]

    def nearest(self, name: str) -> str | None:
        """The electrode of the 10-10 system that lies nearest to a channel with a measured position.

        None for channels without one, and for those more than 3 cm from any.
        """
        place = self.measured.get(name)
        if place is None:
            return None
        names, where = _ten_ten()
        away = np.linalg.norm(where - np.array(place), axis=1)
        return names[int(away.argmin())] if away.min() < NEAR else None

    @property
    def nowhere(self) -> tuple[str, ...]:
        """Channels of which neither the name nor a position says where they lie."""
        return tuple(n for n in self.names if n not in self.positions)

    def some(self, names: Iterable[str]) -> Electrodes:
        """Electrodes by these names, with what is known here of where they lie."""
        return Electrodes(names, self.measured, self.own)


@lru_cache(maxsize=1)
def _ten_ten() -> tuple[tuple[str, ...], Floats]:
    places = template_positions([n for n in template() if _TEN_TEN.fullmatch(n)])
    return tuple(places), np.array(list(places.values()))


def series(names: Iterable[str]) -> frozenset[str]:
    """Names that are a cap's own: a letter and a number, in a series that runs past 10 (A1 to A32).

    >>> sorted(series(["A1", "A32", "C3", "Fp1"]))
    ['A1', 'A32']
    """
    found: dict[str, list[tuple[str, int]]] = {}
    for name in names:
        said = _SERIES.fullmatch(plain(name).strip(" .'\""))
        if said:
            found.setdefault(said[1].upper(), []).append((name, int(said[2])))
    long = [each for each in found.values() if any(number > _HIGHEST for _, number in each)]
    return frozenset(name for each in long for name, _ in each)


def of_recording(info: Any, names: Sequence[str]) -> Electrodes:
    """Channels of a recording, with their positions brought into the template's frame.

    Parameters
    ----------
    info : mne.Info
    names : sequence of str
        The recording's names.
    """
    return Electrodes(names, measured_in(info, names))


def measured_in(info: Any, names: Sequence[str]) -> dict[str, Place]:
    """Positions that a recording has of its channels, in metre, in the template's frame.

    Parameters
    ----------
    info : mne.Info
    names : sequence of str
        The recording's names; those without a position are left out.
    """
    points = fiducials()
    to_head = mne.transforms.get_ras_to_neuromag_trans(points["nasion"], points["lpa"], points["rpa"])
    back = np.linalg.inv(to_head)
    wanted = set(names)
    found = {}
    for ch in info["chs"]:
        loc = np.asarray(ch["loc"][:3], dtype=np.float64)
        if ch["ch_name"] in wanted and np.isfinite(loc).all() and 0.03 < np.linalg.norm(loc) < 0.2:
            x, y, z = mne.transforms.apply_trans(back, loc)
            found[ch["ch_name"]] = (float(x), float(y), float(z))
    return found


def together(each: Sequence[Electrodes]) -> Electrodes:
    """Electrodes of several recordings as one: the first one's names, and means of measured positions.

    Parameters
    ----------
    each : sequence of Electrodes
        At least one; of one model, so that a name means the same channel in all.
    """
    first = each[0]
    places = {n: [e.measured[n] for e in each if n in e.measured] for n in first}
    mean = {n: np.mean(found, axis=0) for n, found in places.items() if found}
    own = frozenset().union(*(e.own for e in each))
    return Electrodes(first, {n: (float(x), float(y), float(z)) for n, (x, y, z) in mean.items()}, own)


def head_positions(electrodes: Electrodes, radius: float = 0.095) -> dict[str, tuple[float, float]]:
    """Positions seen from above (azimuthal equidistant projection), for head maps.

    Parameters
    ----------
    electrodes : Electrodes
    radius : float
        Of the head's outline. The ring through Fpz, T7, Oz and T8 is drawn at 0.83 of it, so that
        lower electrodes (F9, TP10) still lie on the head.

    Returns
    -------
    dict of str to (float, float)
        Only electrodes with a position.
    """
    standard = template_positions(("Fpz", "T7", "T8", "Oz", "Cz"))
    ring = np.array([standard[n] for n in ("Fpz", "T7", "T8", "Oz")])
    vertex = standard["Cz"]
    # The ring lies in one plane nearly; its middle and the vertex span the head's axis.
    middle = (ring.max(0) + ring.min(0)) / 2
    half = np.abs(ring - middle).max(0)[:2]
    flat = {}
    for name, place in electrodes.positions.items():
        x, y = (place - middle)[:2] / half
        z = (place - middle)[2] / (vertex - middle)[2]
        polar = np.arctan2(np.hypot(x, y), z) / (np.pi / 2)
        azimuth = np.arctan2(y, x)
        away = 0.83 * radius * polar
        flat[name] = (float(away * np.cos(azimuth)), float(away * np.sin(azimuth)))
    return flat
