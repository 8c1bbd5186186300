"""A recording's channels for a model's: by name, derived, to be interpolated, or refused."""

from __future__ import annotations

import difflib
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from ...engine.errors import InputError
from ..text import listed, plain
from .derivations import Derived, Voltages, is_derivation
from .names import EARS, Name, parse, parse_mapping, template_positions


@dataclass(frozen=True)
class Match:
    """Which recorded channel each model channel is read from.

    Attributes
    ----------
    names : dict of str to str
        Model name -> recorded name, in the model's order; without the derived and the interpolated ones.
    interpolated : tuple of str
        Model channels that the recording lacks and that are to be interpolated.
    said : tuple of str
        Sentences about what was decided.
    derived : dict of str to Derived
        Model channels that are differences of recorded ones.
    spanned : dict of str to (str, str)
        Model channels that are differences of two electrodes, one of which at least is to be interpolated.
    """

    names: Mapping[str, str]
    interpolated: tuple[str, ...]
    said: tuple[str, ...]
    derived: Mapping[str, Derived] = field(default_factory=dict)
    spanned: Mapping[str, tuple[str, str]] = field(default_factory=dict)


def match(
    model_names: Sequence[str],
    recorded: Sequence[str],
    *,
    given: str | Sequence[str] | Mapping[str, str] | None = None,
    interpolate: bool = False,
    where: str = "recording",
    places: Mapping[str, NDArray[np.float64]] | None = None,
    own: Collection[str] = (),
    bads: Collection[str] = (),
) -> Match:
    """Find the recorded channel of every channel that the model takes.

    A channel with the model's very name is the one. A reference in the model's name is part of what it wants:
    C3-M2 is derived from what was recorded where no channel is it, and C3 alone never is.

    Parameters
    ----------
    model_names : sequence of str
        The contract's channels, in its order.
    recorded : sequence of str
        The recording's channels.
    given : str, sequence or mapping, optional
        What the user says about it (see `parse_mapping`); it wins over the names.
    interpolate : bool
        Missing channels with a known position are listed for interpolation instead of refused.
    where : str
        The recording's name, for messages.
    places : mapping of str to ndarray, shape (3,), optional
        Positions of recorded channels, to name the nearest ones of a missing channel by.
    own : collection of str, optional
        Recorded names that are the cap's own although they are spelt like an electrode's (C3 of C1 to C32).
    bads : collection of str, optional
        Recorded channels that must not enter an average.

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
            f"{where}: channels: there is no channel {listed(absent)}; it has {listed(recorded, 40)}"
        )
    if not set(model_names) - set(chosen) <= set(recorded):  # names of the 10-20 system on a cap of its own
        known = [n for n in recorded if n not in own]
    else:
        known = list(recorded)
    parsed = {n: parse(n) for n in known}
    voltages = Voltages(parsed, bads)

    names: dict[str, str] = {}
    derived: dict[str, Derived] = {}
    missing: dict[str, str] = {}
    twice: list[str] = []
    for name in model_names:
        hits = [chosen[name]] if name in chosen else _same(name, parsed)
        if len(hits) > 1:
            twice.append(f"{plain(name)} ({listed(hits)})")
        elif hits:
            names[name] = hits[0]
        elif is_derivation(parse(name)):
            made = voltages.between(parse(name))
            if made.weights:
                derived[name] = made
            else:
                missing[name] = made.lacks
        else:
            missing[name] = ""
    if twice:
        raise InputError(
            f"{where}: several channels mean the same electrode: {', '.join(twice)}; "
            "say which with channels (MODEL=RECORDED)"
        )
    _refuse_shared(names, where)
    spanned = _spanned(missing) if interpolate else {}
    missing = {n: lacks for n, lacks in missing.items() if n not in spanned}
    # A voltage between two electrodes cannot be interpolated as if it were one of them.
    placed = template_positions([n for n, lacks in missing.items() if not lacks])
    beyond = [n for n in missing if n not in placed] if interpolate else list(missing)
    if beyond:
        free = [n for n in recorded if n not in names.values()]
        hints = [_hint(n, missing[n], free, places or {}) for n in beyond]
        raise InputError(f"{where}: {_missing(hints, len(model_names), interpolate, missing, recorded)}")
    said = _said(model_names, recorded, names, list(missing), derived)
    if spanned:
        said.append(f"Differences of electrodes interpolated from the others: {listed(spanned, 40)}.")
    return Match(names, tuple(missing), tuple(said), derived, spanned)


def _spanned(missing: Mapping[str, str]) -> dict[str, tuple[str, str]]:
    """The missing differences whose two electrodes lie on the scalp, so that each can be interpolated.

    Ears and mastoids lie below any cap, and what they would be is not in what it has.
    """
    found = {}
    for name in missing:
        said = parse(name)
        if said.against is None or not {said.first, said.against}.isdisjoint(EARS):
            continue
        if len(template_positions([said.first, said.against])) == 2:
            found[name] = (said.first, said.against)
    return found


def _same(name: str, parsed: Mapping[str, Name]) -> list[str]:
    """The recorded channels that a model's channel is, by the strictest reading that finds any."""
    wanted = parse(name)
    exact = [n for n in parsed if n == name]
    if exact:
        return exact
    folded = [n for n in parsed if n.strip().casefold() == name.strip().casefold()]
    if folded:
        return folded
    alike = [n for n, said in parsed.items() if _voltage(said) == _voltage(wanted)]
    if alike or is_derivation(wanted):
        return alike
    electrode = [n for n, said in parsed.items() if said.key == wanted.key and said.kind == wanted.kind]
    # Against the recording's common reference before against one ear.
    return [n for n in electrode if parsed[n].against is None] or electrode


def _voltage(said: Name) -> tuple[str, str]:
    """What a name says in full: its electrode and what it is against."""
    return said.key, said.against or (said.reference or "").upper().replace("+", "")


def _hint(name: str, lacks: str, free: Sequence[str], recorded: Mapping[str, NDArray[np.float64]]) -> str:
    """What in the recording comes closest to a missing channel."""
    if lacks:
        return f"{plain(name)} ({lacks})"
    key = parse(name).key
    pairs = [n for n in free if parse(n).kind == "bipolar" and key in parse(n).key.split("-")]
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


def _missing(
    hints: Sequence[str], of: int, interpolate: bool, missing: Mapping[str, str], recorded: Sequence[str]
) -> str:
    why = "missing channels are interpolated only on request (--interpolate-missing)"
    if interpolate:
        why = "there is no known position to interpolate them at"
    if all(missing.values()):
        why = "say which recorded channel is meant (channels MODEL=RECORDED), or record what is missing"
    be = "is" if len(hints) == 1 else "are"
    has = (
        f"the recording has {listed(recorded, 40)}" if recorded else "the recording has no channel of signal"
    )
    return f"{len(hints)} of the model's {of} channels {be} missing: {', '.join(hints)}; {why}; {has}"


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
    derived: Mapping[str, Derived],
) -> list[str]:
    said = []
    # That FP1 is Fp1 goes without saying; that T7 is T3 does not.
    renamed = [f"{plain(m)} from '{plain(r)}'" for m, r in names.items() if m.casefold() != r.casefold()]
    said.append(
        f"{len(names)} of {len(model_names)} model channels found by name"
        + (f", {len(renamed)} of them under another name: {listed(renamed, 40)}." if renamed else ".")
    )
    if derived:
        sums = [f"{plain(m)} = {made.said()}" for m, made in derived.items()]
        said.append(f"Derived from recorded channels: {listed(sums, 40)}.")
    references = sorted({parse(r).reference or "" for r in names.values()} - {""})
    if references:
        said.append(f"The channel names mention the reference {listed(references)}.")
    order = [recorded.index(r) for r in names.values()]
    if order != sorted(order):
        said.append("The channels were put into the model's order, which differs from the recording's.")
    used = {*names.values(), *(n for made in derived.values() for n in made.weights)}
    extra = [n for n in recorded if n not in used]
    if extra:
        said.append(f"Not used, since the model does not take them: {listed(extra)}.")
    if missing:
        said.append(
            f"Not recorded and interpolated from the other electrodes: {listed(missing, 40)}. "
            "Relevance there belongs to their neighbours."
        )
    return said
