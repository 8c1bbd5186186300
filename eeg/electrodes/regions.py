"""Electrode sets: a partition of the head, and sets that stand for a question.

Names are normalised first, so "EEG T3-REF" lies where T7 lies; a channel with a name of its own counts as the
electrode of the 10-10 system that is nearest to its measured position.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence

from ...engine.errors import InputError
from ..text import listed
from .names import normalise
from .positions import Electrodes

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
    """The region of the partition that an electrode's name says; "other" for what is no scalp electrode.

    For channels of a recording see `regions_of`: theirs may depend on where they were measured to be.

    >>> region("EEG T3-REF"), region("Cz"), region("EOG")
    ('temporal', 'central', 'other')
    """
    return _region(normalise(name))


def _region(key: str) -> str:
    found = re.fullmatch(r"([A-Z]+p?)(?:z|\d+)h?", key)
    return _REGION.get(found[1].upper(), "other") if found else "other"


def regions_of(electrodes: Electrodes) -> tuple[str, ...]:
    """The region that each electrode lies in, in their order."""
    return tuple(_region(electrodes.key(n)) for n in electrodes)


def unknown(electrodes: Electrodes) -> tuple[str, ...]:
    """Channels in no region and without a position: nothing can be looked for there by its place."""
    there = zip(electrodes, regions_of(electrodes), strict=True)
    return tuple(n for n, where in there if where == "other" and n not in electrodes.positions)


def said_unknown(electrodes: Electrodes) -> str:
    """That the place of some channels is not known, as a sentence; empty where it is of all."""
    lost = unknown(electrodes)
    return f"No place on the head is known of {listed(lost, 6)}." if lost else ""


def partition(electrodes: Electrodes) -> dict[str, tuple[str, ...]]:
    """Each region that has electrodes -> their names as given; every name is in exactly one."""
    there = regions_of(electrodes)
    out: dict[str, tuple[str, ...]] = {}
    for where in PARTITION:
        inside = tuple(n for n, its in zip(electrodes, there, strict=True) if its == where)
        if inside:
            out[where] = inside
    return out


def members(wanted: str | Sequence[str], electrodes: Electrodes) -> tuple[str, ...]:
    """The channels among `electrodes` that belong to a set.

    Parameters
    ----------
    wanted : str or sequence of str
        A set's name ("frontal-ocular"), a region's ("temporal"), or electrode names. A name of the 10-5
        system means that place, also on a cap that has a channel of its own by that name.
    electrodes : Electrodes

    Raises
    ------
    InputError
        No such set.
    """
    if isinstance(wanted, str):
        if wanted in PARTITION:
            return partition(electrodes).get(wanted, ())
        wanted = SAME.get(wanted, wanted)
        if wanted not in SETS:
            raise InputError(f"no region {wanted!r}; there are {listed([*SETS, *SAME, *PARTITION], 40)}")
        wanted = SETS[wanted]
    keys = {normalise(w) for w in wanted}
    return tuple(
        n
        for n in electrodes
        if electrodes.key(n) in keys or (n not in electrodes.own and normalise(n) in keys)
    )
