"""Channel names: one spelling for each electrode, and a recording's channels for a model's.

Electrodes are named by the 10-10 and 10-5 systems (Oostenveld & Praamstra 2001), where the old
T3, T4, T5 and T6 of the 10-20 system are T7, T8, P7 and P8.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import mne
import numpy as np
from numpy.typing import NDArray

from ...engine.errors import InputError
from ..text import listed, plain

ALIASES = {"T3": "T7", "T4": "T8", "T5": "P7", "T6": "P8"}

_ELECTRODE = re.compile(
    r"(N|FP|AFP|AF|AFF|F|FFC|FFT|FC|FT|FCC|FTT|C|T|CCP|TTP|CP|TP|CPP|TPP|P|PPO|PO|POO|O|OI|I)"
    r"(Z|(?:10|[1-9])H?)|[AM][12]",
    re.IGNORECASE,
)
EARS = {"A1", "A2", "M1", "M2"}
# What stands behind the dash when a channel is one electrode against a common reference.
_REFERENCES = {
    *("REF", "REFERENCE", "VREF", "LE", "RE", "LER", "LM", "AVG", "AV", "AR", "AVR", "AVE", "CAR", "AVERAGE"),
    *("AA", "EAR", "EARS", "LINKED", "A1A2", "A1+A2", "A12", "M1M2", "M1+M2", "M12", "COMMON", "ORG", "G2"),
}
# Of these, what says which electrodes the reference is made of: both ears, or all electrodes.
_LINKED = {"A1A2", "A1+A2", "A12", "M1M2", "M1+M2", "M12"}
LINKED = _LINKED | {"AA", "EARS", "LINKED", "LM", "LER"}
AVERAGE = {"AVG", "AV", "AR", "AVR", "AVE", "CAR", "AVERAGE"}


@dataclass(frozen=True)
class Name:
    """What a channel's name says.

    Attributes
    ----------
    key : str
        The one spelling: "Fp1", "T7-P7"; for other channels the lower-case name.
    kind : {"electrode", "bipolar", "other"}
    reference : str or None
        The reference that the name mentions.
    against : str or None
        The electrode that is subtracted, in the one spelling, where the name says one: "M2" of "C3-M2", "F7"
        of "Fp1-F7".
    """

    key: str
    kind: str
    reference: str | None = None
    against: str | None = None

    @property
    def first(self) -> str:
        """The electrode that it is subtracted from; the whole key where there is none."""
        if self.against is None:
            return self.key
        return re.split("[- ]", self.key)[0] if self.kind != "electrode" else self.key


def _electrode(token: str) -> str | None:
    """The standard spelling of one electrode's name, or None where it is none."""
    if not _ELECTRODE.fullmatch(token):
        return None
    name = token.upper()
    name = ALIASES.get(name, name)
    name = re.sub(r"^(A?F)P(?=\d|Z)", r"\1p", name)
    return name.replace("Z", "z").replace("H", "h")


def _undashed(token: str) -> list[str]:
    """Two electrodes without a dash, "C3M2", are two tokens; others stay whole."""
    if _electrode(token):
        return [token]
    parts = [(token[:i], token[i:]) for i in range(2, len(token) - 1)]
    found = [[a, b] for a, b in parts if _electrode(a) and (_electrode(b) or b.upper() in _LINKED)]
    return found[0] if len(found) == 1 else [token]


def parse(name: str) -> Name:
    """Read a channel's name.

    Prefixes ("EEG Fp1"), references ("Fp1-REF", "C3-A2"), dots ("Fp1."), case and old names go;
    a name of two electrodes ("Fp1-F7") is a bipolar derivation and never one of the two. A running
    number at the end is how MNE tells duplicates apart and does not count. A dash may be missing ("C3M2").

    >>> parse("EEG T3-LE").key, parse("FP1.").key, parse("Fp1-F7").kind
    ('T7', 'Fp1', 'bipolar')
    """
    text = plain(name).strip(" .'\"").replace("\u2013", "-")
    bare = re.sub(r"^(EEG|POL)[\s_:\-]*(?=\w)", "", text, flags=re.IGNORECASE)
    bare = re.sub(r"\(?([AM]1)\s*\+\s*([AM]2)\)?(/2)?", r"\1+\2", bare, flags=re.IGNORECASE)
    tokens = [t.strip(".") for t in re.split(r"[\s\-_/:]+", bare) if t.strip(".")]
    if len(tokens) == 1 or (len(tokens) == 2 and tokens[1].isdigit()):
        tokens = [*_undashed(tokens[0]), *tokens[1:]]
    if len(tokens) > 1 and _electrode(tokens[0]) and re.search(r"-\d+$", bare):
        tokens = tokens[:-1]
    found = [_electrode(t) for t in tokens]
    if found and found[0] is not None:
        if len(tokens) == 1:
            return Name(found[0], "electrode")
        if len(tokens) == 2:
            ear_to_ear = found[0] in EARS and found[1] in EARS
            if tokens[1].upper() in _REFERENCES or (found[1] in EARS and not ear_to_ear):
                return Name(found[0], "electrode", tokens[1], found[1])
            if found[1] is not None:
                return Name(f"{found[0]}-{found[1]}", "bipolar", None, found[1])
    if len(tokens) == 2 and found[1] in EARS:  # an eye against a mastoid
        return Name(" ".join(tokens).casefold(), "other", tokens[1], found[1])
    return Name(" ".join(tokens).casefold() or text.casefold(), "other")


def normalise(name: str) -> str:
    """The one spelling of a channel's name: "EEG FP1-REF" -> "Fp1", "T3" -> "T7"."""
    return parse(name).key


@lru_cache(maxsize=1)
def _template() -> Mapping[str, Any]:
    # MNE 1.13 calls the template colin27_1005; older versions know it as standard_1005.
    known = mne.channels.get_builtin_montages()
    name = "colin27_1005" if "colin27_1005" in known else "standard_1005"
    found: Mapping[str, Any] = mne.channels.make_standard_montage(name).get_positions()
    return found


@lru_cache(maxsize=1)
def _standard() -> dict[str, NDArray[np.float64]]:
    places: dict[str, NDArray[np.float64]] = {}
    for electrode, place in _template()["ch_pos"].items():
        places.setdefault(normalise(electrode), np.asarray(place, dtype=np.float64))
    return places


def template() -> tuple[str, ...]:
    """Names of all electrodes that have a position."""
    return tuple(_standard())


def fiducials() -> dict[str, NDArray[np.float64]]:
    """Nasion and ears ("nasion", "lpa", "rpa") of the template, in metre, in the frame of its electrodes."""
    return {k: np.asarray(_template()[k], dtype=np.float64) for k in ("nasion", "lpa", "rpa")}


def template_positions(names: Sequence[str]) -> dict[str, NDArray[np.float64]]:
    """Where the template (10-5 system) has the electrodes that names say, whatever a recording says.

    Parameters
    ----------
    names : sequence of str
        Channel names, in any spelling.

    Returns
    -------
    dict of str to ndarray, shape (3,)
        Name as given -> position in metre; only names of electrodes that the template has.
    """
    standard = _standard()
    found = {}
    for name in names:
        known = parse(name)
        if known.kind == "electrode" and known.key in standard:
            found[name] = standard[known.key]
    return found


def parse_mapping(
    given: str | Sequence[str] | Mapping[str, str], model_names: Sequence[str]
) -> dict[str, str]:
    """What a user says about channels, as model name -> recorded name.

    Parameters
    ----------
    given : str, sequence of str or mapping
        ``"T7=left ear,Cz=vertex"`` or a mapping names some channels; a list (or a comma list without
        ``=``) names all of them in the model's order.
    model_names : sequence of str

    Raises
    ------
    InputError
        A list of another length, or a name that the model does not have.
    """
    if isinstance(given, str):
        parts = [p.strip() for p in given.split(",") if p.strip()]
        if parts and all("=" in p for p in parts):
            pairs = [p.split("=", 1) for p in parts]
            given = {a.strip(): b.strip() for a, b in pairs}
        elif any("=" in p for p in parts):
            raise InputError("channels: either MODEL=RECORDED pairs or a list in the model's order, not both")
        else:
            given = parts
    if not isinstance(given, Mapping):
        if len(given) != len(model_names):
            raise InputError(
                f"channels: {len(given)} names are given and the model takes {len(model_names)}; "
                "name some as MODEL=RECORDED instead"
            )
        given = dict(zip(model_names, given, strict=True))
    unknown = [n for n in given if n not in model_names]
    if unknown:
        raise InputError(
            f"channels: the model has no channel {listed(unknown)}; it has {listed(model_names)}"
        )
    return dict(given)
