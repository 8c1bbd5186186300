"""Electrode sets: a partition of the head, and sets that stand for a question.

Names are normalised first, so "EEG T3-REF" lies where T7 lies.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence

from ..engine.errors import InputError
from .channels import nearest, normalise
from .text import listed

# One region for each electrode, from its row of the 10-10 system. The lateral columns 7 to 10 of the
# FT, T and TP rows lie over the temporal lobe; intermediate rows of the 10-5 system go to the row
# that is nearer to the vertex.
_ROWS = {
    "frontopolar": "N FP AFP AF",
    "frontal": "AFF F",
    "frontocentral": "FFC FC",
    "central": "FCC C",
    "temporal": "FFT FT FTT T TTP TP",
    "centroparietal": "CCP CP",
    "parietal": "CPP TPP P",
    "parieto-occipital": "PPO PO",
    "occipital": "POO O OI I",
}
_REGION = {row: region for region, rows in _ROWS.items() for row in rows.split()}
PARTITION = (*_ROWS, "other")

# Where the eyes are seen. In a spherical head model a blink (radial dipoles in both eyes) reaches 60 %
# and more of its largest potential on the Fp row, AF3 to AF10; a horizontal saccade on F7 to F10, AF7
# to AF10. Frontotemporal FT7 to FT10 see saccades as well, and are left out because the temporal
# muscle and the temporal lobe are seen there too.
FRONTAL_OCULAR = ("Fp1", "Fpz", "Fp2", "AF3", "AF4", "AF7", "AF8", "AF9", "AF10", "F7", "F8", "F9", "F10")

# Hand and foot areas with the electrodes around them, where the mu and beta rhythms of imagined and
# executed movement fall and rise: C5 to C6, and columns 1 to 4 of the rows before and behind.
SENSORIMOTOR = (
    *("C5", "C3", "C1", "Cz", "C2", "C4", "C6"),
    *("FC3", "FC1", "FCz", "FC2", "FC4"),
    *("CP3", "CP1", "CPz", "CP2", "CP4"),
)

# Where muscles are seen: over the temporal muscle (its fibres run under F7 to T7 and F8 to T8), the masseter
# behind it, and over the neck's, below and behind the ears (Goncharova et al. 2003, fig. 3). Beta and gamma
# there may be anybody's jaw.
MUSCLE_PRONE = (
    *("F7", "F8", "F9", "F10", "FT7", "FT8", "FT9", "FT10", "T7", "T8", "T9", "T10"),
    *("TP7", "TP8", "TP9", "TP10", "P9", "P10", "PO9", "PO10", "O9", "O10", "Iz"),
)

# Where the heart is seen: the field of the chest falls off over the head, and is largest at its lower edge,
# on both sides of the neck; the pulse moves electrodes over the arteries before and behind the ears.
CARDIAC_PRONE = (
    *("F9", "F10", "FT9", "FT10", "T9", "T10", "TP9", "TP10", "P9", "P10", "PO9", "PO10", "O9", "O10", "Iz"),
    *("A1", "A2", "M1", "M2"),
)

SETS: Mapping[str, tuple[str, ...]] = {
    "frontal-ocular": FRONTAL_OCULAR,
    "sensorimotor": SENSORIMOTOR,
    "muscle-prone": MUSCLE_PRONE,
    "cardiac-prone": CARDIAC_PRONE,
}
# Another name for a set, as papers and policies write it.
SAME = {"ocular-prone": "frontal-ocular"}


def region(name: str) -> str:
    """The region of the partition that an electrode lies in; "other" for what is no scalp electrode.

    >>> region("EEG T3-REF"), region("Cz"), region("EOG")
    ('temporal', 'central', 'other')
    """
    found = re.fullmatch(r"([A-Z]+p?)(?:z|\d+)h?", _key(name))
    return _REGION.get(found[1].upper(), "other") if found else "other"


def _key(name: str) -> str:
    """The electrode that a name says, or the one nearest to where it was measured to be."""
    return nearest(name) or normalise(name)


def partition(names: Sequence[str]) -> dict[str, tuple[str, ...]]:
    """Each region that has electrodes -> their names as given; every name is in exactly one."""
    out: dict[str, tuple[str, ...]] = {}
    for where in PARTITION:
        inside = tuple(n for n in names if region(n) == where)
        if inside:
            out[where] = inside
    return out


def members(wanted: str | Sequence[str], names: Sequence[str]) -> tuple[str, ...]:
    """The channels among `names` that belong to a set.

    Parameters
    ----------
    wanted : str or sequence of str
        A set's name ("frontal-ocular"), a region's ("temporal"), or electrode names.
    names : sequence of str

    Raises
    ------
    InputError
        No such set.
    """
    if isinstance(wanted, str):
        if wanted in PARTITION:
            return tuple(n for n in names if region(n) == wanted)
        wanted = SAME.get(wanted, wanted)
        if wanted not in SETS:
            raise InputError(f"no region {wanted!r}; there are {listed([*SETS, *SAME, *PARTITION], 40)}")
        wanted = SETS[wanted]
    keys = {normalise(w) for w in wanted}
    return tuple(n for n in names if normalise(n) in keys or _key(n) in keys)
