"""What can be asked for beside the map: components, baselines, clusters, events, a look inside."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, replace
from pathlib import Path

import numpy as np
import xarray as xr

from ...engine.steps import step
from ..artefacts.events import blinks, r_peaks, saccades, stimuli
from ..electrodes.regions import members
from ..explanation import shares
from ..explanation.explained import Explained
from ..recording.read import Recording
from ..text import plain
from .clusters import Spray, artefact_scores, maps_of, spray
from .event_locked import Floats, Locked, locked

# Events that are looked for in the signal; any other name is an annotation's.
FOUND: Mapping[str, Callable[[Recording], Floats]] = {
    "r-peaks": r_peaks,
    "blinks": blinks,
    "saccades": saccades,
}


@dataclass(frozen=True)
class Extras:
    """What is asked for.

    Attributes
    ----------
    components : bool
        Relevance by independent component (see `components.components`).
    baselines : bool
        CSP + LDA, channel power and copies with random weights beside (see `baselines.beside`).
    inside : bool
        Attention heads and the position embedding (see `inside.inside`).
    clusters : bool
        Strategies, as clusters of the windows' maps (see `spray.spray`).
    locked : tuple of str
        Events to lock relevance to: r-peaks, blinks, saccades, or annotations' names.
    """

    components: bool = False
    baselines: bool = False
    inside: bool = False
    clusters: bool = False
    locked: tuple[str, ...] = ()


def with_extras(
    explained: Explained, asked: Extras, *, model: Path, recording: Recording, seed: int = 0
) -> Explained:
    """The same with everything that was asked for.

    Parameters
    ----------
    explained : Explained
    asked : Extras
    model : Path
        The network's file.
    recording : Recording
    seed : int

    Raises
    ------
    InputError
        Something asked for cannot be had of this recording, in one line.
    """
    if asked.locked:
        explained = with_locked(explained, recording, asked.locked, seed)
    if asked.clusters:
        explained = with_clusters(explained, seed)
    if asked.inside:
        explained = with_inside(explained, model)
    if asked.components:
        explained = with_components(explained, seed)
    return with_baselines(explained, model, seed) if asked.baselines else explained


def with_locked(
    explained: Explained, recording: Recording, events: tuple[str, ...], seed: int = 0
) -> Explained:
    """The same with relevance locked to events."""
    made: dict[str, Locked] = {}
    for name in events:
        step(f"locking to {plain(name, 40)}")
        key = name.casefold().replace("_", "-").replace(" ", "-")
        times = FOUND[key](recording) if key in FOUND else stimuli(recording, name)
        made[plain(name, 40)] = locked(explained, times, seed=seed)
    first = next(iter(made.values()))
    curves = {
        f"locked_{what}": (("event", "lag"), np.stack([getattr(m, what) for m in made.values()]))
        for what in ("mean", "low", "high", "null_low", "null_high")
    }
    coords = {"event": list(made), "lag": ("lag", first.times, {"units": "s"})}
    data = explained.dataset.merge(xr.Dataset(curves, coords))
    return replace(explained, dataset=data, locked=made)


def with_clusters(explained: Explained, seed: int = 0) -> Explained:
    """The same with the windows' strategies."""
    step("clustering the maps")
    target = explained.dataset["target"].values.tolist() if "target" in explained.dataset else None
    made: Spray = spray(
        maps_of(explained), classes=target, artefacts=artefact_scores(explained.windows), seed=seed
    )
    data = explained.dataset.assign(strategy=("epoch", made.label))
    return replace(explained, dataset=data, clusters=made)


def with_inside(explained: Explained, model: Path) -> Explained:
    """The same with attention heads and the position embedding."""
    from .network import inside

    made = inside(explained, model)
    new = {a.name: a for a in (made.heads, made.positions) if a is not None}
    data = explained.dataset.assign(new) if new else explained.dataset
    return replace(explained, dataset=data, inside=made, notes=(*explained.notes, *made.notes))


def with_components(explained: Explained, seed: int = 0) -> Explained:
    """The same with relevance by independent component: shares, the dataset, and notes on their limits."""
    from .components import components

    step("finding independent components")
    made = components(explained, seed=seed)
    data = explained.dataset.assign(components=made.by_class().rename({"class": "component_class"}))
    return replace(
        explained,
        dataset=data,
        components=tuple(asdict(s) for s in made.shares()),
        notes=(*explained.notes, *made.notes),
    )


def with_baselines(explained: Explained, model: Path, seed: int = 0) -> Explained:
    """The same with what stands beside: shares of sets and electrodes, agreement, accuracy of CSP + LDA."""
    from .baselines import beside

    step("explaining copies with random weights")
    made = beside(explained, model, seed=seed)
    channels = explained.windows.channels
    units = {"this model": shares.by_electrode(explained.relevance), **made.share}
    sets = {
        name: {who: float(share[np.isin(channels, members(list(names), channels))].sum())
               for who, share in units.items()}
        for name, names in explained.regions.sets.items()
        if members(list(names), channels)
    }  # fmt: skip
    found = {
        "sets": sets,
        "electrodes": {
            who: dict(zip(channels, map(float, share), strict=True)) for who, share in units.items()
        },
        "agreement": {who: asdict(a) for who, a in made.agreement.items()},
        "csp": None if made.csp is None else {k: v for k, v in asdict(made.csp).items() if k != "share"},
    }
    return replace(explained, baselines=found, notes=(*explained.notes, *made.notes))
