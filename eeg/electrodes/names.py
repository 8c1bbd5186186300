"""Channel names: one spelling for each electrode, and a recording's channels for a model's.

Electrodes are named by the 10-10 and 10-5 systems (Oostenveld & Praamstra 2001), where the old
T3, T4, T5 and T6 of the 10-20 system are T7, T8, P7 and P8.
"""

from __future__ import annotations

import difflib
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
_EARS = {"A1", "A2", "M1", "M2"}
# What stands behind the dash when a channel is one electrode against a common reference.
_REFERENCES = {
    *("REF", "REFERENCE", "VREF", "LE", "RE", "LER", "LM", "AVG", "AV", "AR", "AVR", "AVE", "CAR", "AVERAGE"),
    *("AA", "EAR", "EARS", "LINKED", "A1A2", "A1+A2", "A12", "M1M2", "M1+M2", "M12", "COMMON", "ORG", "G2"),
}


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
    """

    key: str
    kind: str
    reference: str | None = None


@dataclass(frozen=True)
class Match:
    """Which recorded channel each model channel is read from.

    Attributes
    ----------
    names : dict of str to str
        Model name -> recorded name, in the model's order; without the interpolated ones.
    interpolated : tuple of str
        Model channels that the recording lacks and that are to be interpolated.
    said : tuple of str
        Sentences about what was decided.
    """

    names: Mapping[str, str]
    interpolated: tuple[str, ...]
    said: tuple[str, ...]


def _electrode(token: str) -> str | None:
    """The standard spelling of one electrode's name, or None where it is none."""
    if not _ELECTRODE.fullmatch(token):
        return None
    name = token.upper()
    name = ALIASES.get(name, name)
    name = re.sub(r"^(A?F)P(?=\d|Z)", r"\1p", name)
    return name.replace("Z", "z").replace("H", "h")


def parse(name: str) -> Name:
    """Read a channel's name.

    Prefixes ("EEG Fp1"), references ("Fp1-REF", "C3-A2"), dots ("Fp1."), case and old names go;
    a name of two electrodes ("Fp1-F7") is a bipolar derivation and never one of the two. A running
    number at the end is how MNE tells duplicates apart and does not count.

    >>> parse("EEG T3-LE").key, parse("FP1.").key, parse("Fp1-F7").kind
    ('T7', 'Fp1', 'bipolar')
    """
    text = plain(name).strip(" .'\"").replace("\u2013", "-")
    bare = re.sub(r"^(EEG|POL)[\s_:\-]*(?=\w)", "", text, flags=re.IGNORECASE)
    tokens = [t.strip(".") for t in re.split(r"[\s\-_/:]+", bare) if t.strip(".")]
    if len(tokens) > 1 and _electrode(tokens[0]) and re.search(r"-\d+$", bare):
        tokens = tokens[:-1]
    found = [_electrode(t) for t in tokens]
    if found and found[0] is not None:
        if len(tokens) == 1:
            return Name(found[0], "electrode")
        if len(tokens) == 2:
            ear_to_ear = found[0] in _EARS and found[1] in _EARS
            if tokens[1].upper() in _REFERENCES or (found[1] in _EARS and not ear_to_ear):
                return Name(found[0], "electrode", tokens[1])
            if found[1] is not None:
                return Name(f"{found[0]}-{found[1]}", "bipolar")
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


def _hint(
    name: str,
    parsed: Mapping[str, Name],
    free: Sequence[str],
    recorded: Mapping[str, NDArray[np.float64]],
) -> str:
    """What in the recording comes closest to a missing channel."""
    key = parse(name).key
    pairs = [n for n in free if parsed[n].kind == "bipolar" and key in parsed[n].key.split("-")]
    if pairs:
        return f"{plain(name)} (only in bipolar {listed(pairs, 2)})"
    places = {**template_positions([name, *free]), **recorded}
    if name in places:
        near = sorted(
            (n for n in free if n in places),
            key=lambda n: float(np.linalg.norm(places[n] - places[name])),
        )
    else:
        folded = {n.casefold(): n for n in free}
        near = [folded[n] for n in difflib.get_close_matches(key.casefold(), folded, 2, 0.6)]
    return f"{plain(name)} (nearest: {listed(near[:2])})" if near else plain(name)


def match(
    model_names: Sequence[str],
    recorded: Sequence[str],
    *,
    given: str | Sequence[str] | Mapping[str, str] | None = None,
    interpolate: bool = False,
    where: str = "recording",
    places: Mapping[str, NDArray[np.float64]] | None = None,
) -> Match:
    """Find the recorded channel of every channel that the model takes.

    Parameters
    ----------
    model_names : sequence of str
        The contract's channels, in its order.
    recorded : sequence of str
        The recording's channels.
    given : str, sequence or mapping, optional
        What the user says about it (see `parse_mapping`); it wins over the names.
    interpolate : bool
        Missing channels with a known position are listed for splining instead of refused.
    where : str
        The recording's name, for messages.
    places : mapping of str to ndarray, shape (3,), optional
        Positions of recorded channels, to name the nearest ones of a missing channel by.

    Raises
    ------
    InputError
        A channel is missing, or two recorded channels mean the same electrode. A missing channel
        is never filled with zeros, and a bipolar channel is never taken for one electrode.
    """
    chosen = parse_mapping(given, model_names) if given is not None else {}
    absent = [n for n in chosen.values() if n not in recorded]
    if absent:
        raise InputError(
            f"{where}: channels: there is no channel {listed(absent)}; it has {listed(recorded)}"
        )
    parsed = {n: parse(n) for n in recorded}
    by_key: dict[str, list[str]] = {}
    for name in recorded:
        by_key.setdefault(parsed[name].key, []).append(name)

    names: dict[str, str] = {}
    missing: list[str] = []
    twice: list[str] = []
    for name in model_names:
        hits = [chosen[name]] if name in chosen else by_key.get(parse(name).key, [])
        if len(hits) > 1:
            twice.append(f"{plain(name)} ({listed(hits)})")
        elif hits:
            names[name] = hits[0]
        else:
            missing.append(name)
    if twice:
        raise InputError(
            f"{where}: several channels mean the same electrode: {', '.join(twice)}; "
            "say which with channels (MODEL=RECORDED)"
        )
    _refuse_shared(names, where)
    free = [n for n in recorded if n not in names.values()]
    placed = template_positions(model_names)
    beyond = [n for n in missing if n not in placed] if interpolate else missing
    if beyond:
        hints = [_hint(n, parsed, free, places or {}) for n in beyond]
        raise InputError(f"{where}: {_missing(hints, len(model_names), interpolate)}")
    return Match(names, tuple(missing), tuple(_said(model_names, recorded, names, missing, parsed)))


def _missing(hints: Sequence[str], of: int, interpolate: bool) -> str:
    why = "missing channels are interpolated only on request (--interpolate-missing)"
    if interpolate:
        why = "there is no known position to spline them at"
    be = "is" if len(hints) == 1 else "are"
    return f"{len(hints)} of the model's {of} channels {be} missing: {', '.join(hints)}; {why}"


def _refuse_shared(names: Mapping[str, str], where: str) -> None:
    owners: dict[str, list[str]] = {}
    for name, source in names.items():
        owners.setdefault(source, []).append(name)
    shared = [f"{plain(s)} for {listed(who)}" for s, who in owners.items() if len(who) > 1]
    if shared:
        raise InputError(
            f"{where}: one recorded channel stands for several model channels: {'; '.join(shared)}"
        )


def _said(
    model_names: Sequence[str],
    recorded: Sequence[str],
    names: Mapping[str, str],
    missing: Sequence[str],
    parsed: Mapping[str, Name],
) -> list[str]:
    said = []
    # That FP1 is Fp1 goes without saying; that T7 is T3 does not.
    renamed = [f"{plain(m)} from '{plain(r)}'" for m, r in names.items() if m.casefold() != r.casefold()]
    said.append(
        f"{len(names)} of {len(model_names)} model channels found by name"
        + (f", {len(renamed)} of them under another name: {listed(renamed, 40)}." if renamed else ".")
    )
    references = sorted({parsed[r].reference or "" for r in names.values()} - {""})
    if references:
        said.append(f"The channel names mention the reference {listed(references)}.")
    order = [recorded.index(r) for r in names.values()]
    if order != sorted(order):
        said.append("The channels were put into the model's order, which differs from the recording's.")
    extra = [n for n in recorded if n not in set(names.values())]
    if extra:
        said.append(f"Not used, since the model does not take them: {listed(extra)}.")
    if missing:
        said.append(
            f"Not recorded and interpolated from the other electrodes: {listed(missing, 40)}. "
            "Relevance there belongs to their neighbours."
        )
    return said
