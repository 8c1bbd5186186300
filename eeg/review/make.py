"""Blinded expert review, made: a page of head maps whose origin the expert cannot know, and its key.

Experts who know that a map is a trained network's find it plausible. So maps of the network are mixed with
those of others (a random-weight copy, another subject), as many of each side and of each class, each drawn
at a scale of its own. The order follows from the relevance itself: neither the page nor this code and the
seed give it away. `review_score` reads the answers.
"""

from __future__ import annotations

import hashlib
import io
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import xarray as xr
from numpy.typing import NDArray

from ...engine.contract import InputContract
from ...engine.errors import InputError
from ...engine.file.load import load
from ...engine.steps import step
from ..drawing.figures import head_maps
from ..electrodes.positions import Electrodes
from ..explanation import dataset as views
from ..explanation.explained import Explained, restored, said, said_target
from ..explanation.provenance import versions, write_json
from ..text import counted, listed, plain
from .page import render
from .score import Expert, Score, fleiss_kappa, score

__all__ = ["Expert", "Score", "fleiss_kappa", "make", "score", "shuffled", "unlike"]

FEWEST, MOST = 4, 200
OWN = "explained"  # what the key calls the maps under review
PAGE, KEY = "review.html", "key.json"


@dataclass(frozen=True)
class _Source:
    """One side's explanation: its name in the key, whether it is the true one, windows by class shown."""

    label: str
    true: bool
    channels: Electrodes
    relevance: NDArray[Any]
    onsets: NDArray[np.float64]
    windows: dict[str, list[int]]


def make(
    explained_true: Explained | xr.Dataset,
    others: Mapping[str, Explained | xr.Dataset],
    out_dir: Path,
    *,
    n: int = 24,
    seed: int = 0,
) -> Path:
    """Write review.html, which goes to the experts, and key.json, which does not.

    Half of the maps are of `explained_true`, the rest evenly of `others`; every class that all of them
    explain is shown as often on either side, so that the class named beside a map does not tell where it
    comes from. For that, explain the others with the same target, class by
    class where it was the predicted one.

    Parameters
    ----------
    explained_true : Explained or xarray.Dataset
        An explanation, or what `views.explanation` reads back of one; the page is the same.
    others : dict of str to (Explained or xarray.Dataset)
        By what they are: "random weights", "another subject".
    out_dir : Path
        Made where it does not exist.
    n : int
        Maps in all, 4 to 200; rounded down to a number that can be dealt evenly.
    seed : int
        Which windows are taken.

    Returns
    -------
    Path
        review.html.

    Raises
    ------
    InputError
        No others, or one called "explained"; other electrodes; no class in common; too few windows;
        electrodes without a position.
    """
    if not others:
        raise InputError("review: nothing to compare with; give a random-weight copy or another subject")
    if OWN in others:
        raise InputError(
            f"review: {OWN!r} is what the key calls the reviewed maps; name the others otherwise"
        )
    if not FEWEST <= n <= MOST:
        raise InputError(f"review: {n} maps; {FEWEST} to {MOST} can be reviewed")
    sources = [_source(OWN, explained_true), *(_source(label, other) for label, other in others.items())]
    for source in sources:
        if source.channels.names != sources[0].channels.names:
            raise InputError(
                f"review: {plain(source.label, 40)} has other electrodes; explain it with one contract"
            )
    classes = [c for c in sources[0].windows if all(c in s.windows for s in sources)]
    if not classes:
        raise InputError(
            "review: no class has maps of every explanation, so the class would tell them apart; "
            "explain all of them with the same target"
        )
    # Whole numbers a class and other, and as many true ones as others.
    each = n // (2 * len(others) * len(classes))
    if each < 1:
        least = 2 * len(others) * len(classes)
        raise InputError(
            f"review: {n} maps are too few for {counted(len(classes), 'class', 'classes')} and "
            f"{counted(len(others), 'other')}; {least} or more are needed"
        )
    rng = np.random.default_rng(seed)
    dealt: list[tuple[_Source, str, int]] = []
    for source in sources:
        wanted = each * (len(others) if source.true else 1)
        for name in classes:
            there = source.windows[name]
            if len(there) < wanted:
                raise InputError(
                    f"review: {plain(source.label, 40)} has {counted(len(there), 'map')} of "
                    f"{plain(name, 40)} and {wanted} are needed; ask for fewer maps"
                )
            dealt += [(source, name, int(i)) for i in rng.choice(there, wanted, replace=False)]
    secret = _secret(sources, seed)
    # A digest decides the order: a seeded permutation could be run again by who has this code.
    dealt.sort(key=lambda d: _digest(secret, d[0].label, d[2]))
    review = _digest(secret, "review", len(dealt))[:16]
    ids = [_digest(secret, "item", k)[:10] for k in range(len(dealt))]
    shown = [(i, name, _picture(s, w)) for i, (s, name, w) in zip(ids, dealt, strict=True)]
    key = {
        "review": review,
        "seed": seed,
        "versions": versions(),
        "items": {
            i: {
                "label": s.label,
                "true": s.true,
                "class": name,
                "window": w,
                "onset": float(s.onsets[w]),
            }
            for i, (s, name, w) in zip(ids, dealt, strict=True)
        },
    }
    out_dir = Path(out_dir)
    out_dir.mkdir(parents=True, exist_ok=True)
    write_json(key, out_dir / KEY)
    page = out_dir / PAGE
    page.write_text(render(review, shown), encoding="utf-8")
    return page


def shuffled(
    explained: xr.Dataset, model: Path, *, contract: Path | None = None, seed: int = 0
) -> xr.Dataset:
    """What a copy of the explained network with shuffled weights makes of the same windows and classes.

    Parameters
    ----------
    explained : xarray.Dataset
        As `views.explanation` reads it.
    model : Path
        The file that was explained.
    contract : Path, optional
        The input contract, where the file carries none.
    seed : int
        Of the copy.

    Returns
    -------
    xarray.Dataset

    Raises
    ------
    InputError
        Another file was explained, or there is no input contract, or another.
    """
    from ..views.baselines import random_copies

    where = plain(model, 300)
    loaded = load(model)
    known = views.provenance(explained).get("model")
    if not isinstance(known, dict) or known.get("sha256") != loaded.sha256:
        raise InputError(f"{where}: is not the file that was explained; give that one")
    found = loaded.contract if contract is None else InputContract.from_file(contract)
    if found is None:
        raise InputError(f"{where}: no input contract in its metadata; give the one that `explain` was given")
    step("explaining a copy with random weights")
    (made,) = random_copies(restored(explained, found), model, copies=1, seed=seed)
    return made.dataset


def unlike(explained: xr.Dataset, others: Mapping[str, xr.Dataset]) -> list[str]:
    """What besides the network could tell maps apart: rules and contrast that differ, in sentences."""

    def asked(data: xr.Dataset) -> dict[str, Any]:
        found = views.provenance(data)
        options = found.get("options")
        known = {"composite": options.get("composite")} if isinstance(options, dict) else {}
        return known | ({"contrast": found["contrast"] or "none"} if "contrast" in found else {})

    own = asked(explained)
    return [
        f"{plain(label, 40)} has {what} {plain(value, 40)} and {OWN} {plain(own[what], 40)}: "
        "experts may tell them apart by it"
        for label, data in others.items()
        for what, value in asked(data).items()
        if value != own.get(what, value)
    ]


def _source(label: str, explained: Explained | xr.Dataset) -> _Source:
    data = explained if isinstance(explained, xr.Dataset) else explained.dataset
    if "target_class" in data.coords:
        names = [str(c) for c in data["target_class"].values]
    elif "target" in data:
        names = [f"class {int(t)}" for t in data["target"].values]
    elif isinstance(explained, Explained):
        names = [said_target(explained)] * data.sizes["epoch"]
    else:
        classes = data["class"].values.tolist() if "class" in data.coords else []
        named = [c for c in classes if isinstance(c, str)]  # numbers stand for classes without names
        names = [said(data, views.provenance(data), named)] * data.sizes["epoch"]
    source = _Source(
        label=label,
        true=label == OWN,
        channels=views.electrodes(data),
        relevance=data["relevance"].values,
        onsets=data["onset"].values,
        windows={},
    )
    size = np.abs(_maps(source)).max(-1)
    for i in np.flatnonzero(np.isfinite(size) & (size > 0)):  # a window without relevance has no map
        source.windows.setdefault(names[i], []).append(int(i))
    return source


def _maps(source: _Source) -> NDArray[np.float64]:
    return np.asarray(source.relevance.sum(-1, dtype=np.float64))


def _picture(source: _Source, window: int) -> bytes:
    """The head map as PNG, at its own scale: the size of relevance would tell a network apart."""
    values = _maps(source)[window]
    figure, why = head_maps({"": values / np.abs(values).max()}, source.channels, unit="1 = the largest")
    if figure is None:
        raise InputError(f"review: {why} {listed(source.channels, 4)}")
    buffer = io.BytesIO()
    figure.savefig(buffer, format="png", dpi=100, metadata={"Software": None})
    return buffer.getvalue()


def _secret(sources: list[_Source], seed: int) -> str:
    """What only who has the explanations can know."""
    found = hashlib.sha256(str(seed).encode())
    for source in sources:
        found.update(source.label.encode())
        found.update(np.ascontiguousarray(source.relevance).tobytes())
    return found.hexdigest()


def _digest(secret: str, what: str, number: int) -> str:
    return hashlib.sha256(f"{secret}|{what}|{number}".encode()).hexdigest()
