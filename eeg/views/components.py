"""Relevance by independent component: how much of a decision is carried by brain, eye, muscle, heart.

The signal is ``x = A s + rest`` with the topographies A of an independent component analysis and the time
courses s. With the multiplier m at the input, component k has ``R_k(t) = s_k(t) (A^T m)_k(t)``, exactly and
without dividing by anything; what no component has (the common average, dropped components, electrodes
without a position) is the residual ``rest * m``. Their sum is the relevance of all electrodes at every
sample. Components are labelled by ICLabel (Pion-Tonachini, Kreutz-Delgado & Makeig 2019).
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass, field
from typing import Any

import mne
import numpy as np
import xarray as xr
from numpy.typing import NDArray

from ...engine.errors import InputError
from ...engine.steps import step
from ..artefacts import ica as decompose
from ..artefacts.ica import CLASSES, ENOUGH, FEWEST, VARIANCE
from ..drawing.sections import Section, Table, Term
from ..electrodes.positions import Electrodes
from ..explanation.explained import Explained
from ..explanation.pairs import n_pairs, pairs
from ..explanation.shares import summed
from ..explanation.view import View
from ..recording.scaling import centre_and_gain
from ..recording.windows import from_model_layout
from ..text import counted, listed
from .leading_components import Leading, leading, section
from .registry import ViewContext, register

Floats = NDArray[np.float64]

HIGHEST = 80.0  # Hz, of the spectra that are drawn
RESIDUAL, UNASSIGNED = "residual", "unassigned"


@dataclass(frozen=True)
class ClassShare:
    """The relevance share of one class of components.

    Attributes
    ----------
    name : str
        One of `CLASSES`, "residual" or "unassigned".
    share : float
        0 to 1: |R| of its components over |R| of all components and the residual, mean over windows.
    spread : float
        Standard deviation over windows.
    of_classes : float
        The same with classes as units: what for and against cancels within a class does not count.
    signed : float
        Sum with its sign, mean over windows, in the unit of the output.
    components : int
        How many it has.
    of_components : float
        Its part of all components: the share that evenly spread relevance would have.
    of_variance : float
        Its part of the variance of the electrodes' signal: what relevance that follows amplitude would have.
    """

    name: str
    share: float
    spread: float
    of_classes: float
    signed: float
    components: int
    of_components: float
    of_variance: float


@dataclass(frozen=True)
class Components:
    """Relevance in the coordinates of independent components.

    Attributes
    ----------
    dataset : xarray.Dataset
        relevance and course (epoch, component, time), residual (epoch, time), unassigned (epoch, time)
        where there is any; map (component, channel) in microvolt per unit of the course, variance
        (component) in microvolt squared; where labelled probability (component, class) and the coordinate
        label (component).
    ica : mne.preprocessing.ICA
    notes : tuple of str
        What limits the labels.
    """

    dataset: xr.Dataset
    ica: Any
    notes: tuple[str, ...]

    def by_class(self) -> xr.DataArray:
        """Relevance of each class and the residual, dims (epoch, class); sums to the electrode view.

        Raises
        ------
        InputError
            The components were not labelled.
        """
        data = self.dataset
        if "label" not in data.coords:
            raise InputError("components: they were not labelled; ask for label=True to have classes")
        total = data["relevance"].sum("time").values
        label = data["label"].values
        names = [*CLASSES, RESIDUAL]
        found = [total[:, label == name].sum(-1) for name in CLASSES]
        found.append(data["residual"].sum("time").values)
        if UNASSIGNED in data:
            names.append(UNASSIGNED)
            found.append(data[UNASSIGNED].sum("time").values)
        return xr.DataArray(np.stack(found, -1), {"class": names}, ("epoch", "class"), name="relevance")

    def shares(self) -> list[ClassShare]:
        """Relevance shares of the classes; they sum to 1. Units are components.

        A window without relevance has no share and is left out; NaN where no window has any.

        Raises
        ------
        InputError
            The components were not labelled.
        """
        classes = self.by_class()
        data = self.dataset
        units = data["relevance"].sum("time").values
        extra = [n for n in (RESIDUAL, UNASSIGNED) if n in data]
        every = np.column_stack([units, *(data[n].sum("time").values for n in extra)])
        names = np.array([*data["label"].values.tolist(), *extra])
        variance = np.array([*data["variance"].values, data.attrs["residual_variance"], 0.0])[: len(names)]
        whole = dict(zip(classes["class"].values.tolist(), _each(np.asarray(classes.values)), strict=True))
        found = []
        for name in (*CLASSES, *extra):
            inside = names == name
            found.append(
                ClassShare(
                    name=name,
                    **asdict(summed(every, inside)),
                    of_classes=whole[name],
                    components=int(inside.sum()) if name in CLASSES else 0,
                    of_components=float(inside.sum() / units.shape[1]) if name in CLASSES else 0.0,
                    of_variance=float(variance[inside].sum() / max(variance.sum(), 1e-300)),
                )
            )
        return found


def _each(units: Floats) -> list[float]:
    """The share of each unit."""
    return [summed(units, np.arange(units.shape[1]) == i).share for i in range(units.shape[1])]


def components(
    explained: Explained,
    *,
    ica: Any = None,
    n_components: int | float | None = None,
    seed: int = 0,
    label: bool = True,
) -> Components:
    """Split relevance by independent components.

    Parameters
    ----------
    explained : Explained
    ica : mne.preprocessing.ICA, optional
        A decomposition of one's own, of electrodes that the model has, in whatever reference it was fitted;
        by default extended infomax's solution (`decompose`) is fitted on the windows in common
        average reference, which is what ICLabel was trained on.
    n_components : int or float, optional
        How many are fitted, or for what part of the variance; by default `VARIANCE` of it. Shares of
        classes depend on it: each component is a unit, and sizes within a class do not cancel.
    seed : int
        Of the fit.
    label : bool
        Ask ICLabel for classes; without, there are components but no `by_class` and no `shares`.

    Returns
    -------
    Components

    Raises
    ------
    InputError
        There is no multiplier; too few electrodes have a position; the decomposition is of others or was
        not fitted; `n_components` is none that can be fitted; too little signal to label.
    """
    if "multiplier" not in explained.dataset:
        raise InputError("components: this explanation has no multiplier, so its relevance has no components")
    contract = explained.contract
    factor = centre_and_gain(explained.windows.signal, contract)[1]
    signal = from_model_layout(explained.windows.data, contract).astype(np.float64) / factor
    channels = explained.electrodes
    placed = channels.some(channels.positions)
    picked = placed if ica is None else channels.some(_names_of(ica, n_components))
    unknown = [c for c in picked if c not in channels]
    if unknown:
        raise InputError(
            f"components: the decomposition has electrodes that the model has not: {listed(unknown)}"
        )
    if len(picked) < FEWEST:
        raise InputError(
            f"components: {counted(len(picked), 'electrode')} with a known position; {FEWEST} are needed"
        )
    nowhere = [c for c in picked if c not in placed]
    if label and nowhere:
        raise InputError(
            f"components: ICLabel needs positions, and {listed(nowhere)} of the decomposition has none; "
            "fit it without, or ask for label=False"
        )
    rows = [channels.index(c) for c in picked]
    recorded = decompose.joined(signal[:, rows], picked, explained.windows.sfreq)
    raw = decompose.averaged(recorded)
    # Drifts would get components of their own, and ICLabel has learned on signals without them.
    slow = _seen(explained)[0] < 1.0
    fit = raw.copy().filter(1.0, None, verbose="error") if slow else raw
    given = ica is not None
    if ica is None:
        ica = decompose.fitted(fit, VARIANCE if n_components is None else n_components, seed)
    maps = decompose.maps(ica)
    # One's own decomposition is of its own reference; maps of average reference sum to zero.
    averaged = bool((np.abs(maps.sum(0)) <= 1e-3 * np.abs(maps).sum(0)).all())
    notes = _limits(signal, picked, explained, given, averaged)
    taken = raw if averaged else recorded

    def courses(of: Floats) -> Floats:
        own = decompose.joined(of[:, rows], picked, explained.windows.sfreq)
        own = decompose.averaged(own) if averaged else own
        made = ica.get_sources(own).get_data().reshape(maps.shape[1], len(of), of.shape[-1])
        return np.asarray(made.swapaxes(0, 1))

    n = signal.shape[-1]
    sources = ica.get_sources(taken).get_data().reshape(maps.shape[1], len(signal), n).swapaxes(0, 1)
    rest = signal.copy()
    rest[:, rows] -= np.einsum("ck,ekt->ect", maps, sources)
    held = explained.references
    # A decomposition takes a mean away first, which is the same for a window and its reference.
    others = None if held is None else courses(held.signal.astype(np.float64))
    relevance, residual = np.zeros_like(sources), np.zeros((len(signal), n))
    for j, (x, m) in enumerate(pairs(explained, "components", microvolt=True)):
        own = sources if held is None or others is None else sources - others[held.index[:, j]]
        left = rest if held is None else x.copy()
        if held is not None:
            left[:, rows] -= np.einsum("ck,ekt->ect", maps, own)
        relevance += own * np.einsum("ck,ect->ekt", maps, m[:, rows])
        residual += (left * m).sum(1)
    relevance /= n_pairs(explained)
    residual /= n_pairs(explained)
    data: dict[str, Any] = {
        "relevance": (("epoch", "component", "time"), relevance, {"units": explained.unit}),
        "residual": (("epoch", "time"), residual, {"units": explained.unit}),
        "course": (("epoch", "component", "time"), sources),
        "map": (("component", "channel"), maps.T),
        "variance": ("component", (sources.var(axis=(0, 2)) * (maps**2).sum(0))),
    }
    if UNASSIGNED in explained.dataset:
        data[UNASSIGNED] = (("epoch", "time"), explained.dataset[UNASSIGNED].values.sum(1, dtype=np.float64))
    coords: dict[str, Any] = {
        "component": np.arange(maps.shape[1]),
        "channel": list(picked),
        "time": explained.windows.times,
        "epoch": explained.dataset["epoch"].values,
    }
    if label:
        probability = decompose.labels(fit, ica)
        data["probability"] = (("component", "class"), probability)
        coords["class"] = list(CLASSES)
        coords["label"] = ("component", np.array(CLASSES, dtype=object)[probability.argmax(-1)])
    attrs = {"residual_variance": float(rest.var(axis=(0, 2)).sum())}
    return Components(xr.Dataset(data, coords, attrs), ica, tuple(notes))


def _names_of(ica: Any, n_components: float | None) -> list[str]:
    """Electrodes of a decomposition of one's own."""
    if not isinstance(ica, mne.preprocessing.ICA):
        raise InputError(f"components: ica is a {type(ica).__name__}; give an mne.preprocessing.ICA")
    if ica.current_fit == "unfitted":
        raise InputError("components: the decomposition was not fitted; call its fit first")
    if n_components is not None:
        raise InputError("components: n_components is for a decomposition made here; leave it out with ica")
    return list(ica.ch_names)


def _seen(explained: Explained) -> tuple[float, float]:
    """The band that the model sees, in Hz: what was recorded, less what the contract takes away."""
    windows, contract = explained.windows, explained.contract
    top = min(windows.sfreq / 2, contract.lowpass or np.inf, windows.band[1])
    return max(contract.highpass or 0.0, windows.band[0]), top


def _limits(
    signal: Floats, names: Electrodes, explained: Explained, given: bool, averaged: bool
) -> list[str]:
    """What a reader of the labels should know."""
    said = [
        "ICLabel gives probabilities; a component is counted for its likeliest class.",
        f"ICLabel expects average reference: components are of the signal against the mean of {len(names)} "
        "electrodes, and relevance of that mean is in the residual.",
    ]
    if not averaged:
        said[1] = (
            "The decomposition is not in average reference, which ICLabel expects: labels are less certain."
        )
    have, need = signal.shape[0] * signal.shape[-1], ENOUGH * len(names) ** 2
    if not given and have < need:
        said.append(
            f"The decomposition rests on {have} samples of {len(names)} electrodes; {need} would be fair."
        )
    low, top = _seen(explained)
    if top < 100:
        said.append(
            f"ICLabel was trained on 1 to 100 Hz; the model sees up to {top:g} Hz: muscle is harder to tell."
        )
    if low < 1:
        said.append(
            f"The model sees from {low:g} Hz: components were "
            f"{'' if given else 'fitted and '}labelled above 1 Hz, and relevance is of the whole signal."
        )
    if len(names) < 16:
        said.append(f"With {len(names)} electrodes, components mix what more would separate.")
    return said


@dataclass(frozen=True)
class ComponentClasses(View):
    """Relevance by class of components: what is kept of `Components` with an explanation.

    Attributes
    ----------
    by_class : xarray.DataArray, dims (epoch, class)
    shares : tuple of ClassShare
    notes : tuple of str
        What limits the labels.
    leading : tuple of Leading
        The components with most relevance.
    channels : Electrodes
        Of their topographies.
    """

    by_class: xr.DataArray
    shares: tuple[ClassShare, ...]
    notes: tuple[str, ...]
    leading: tuple[Leading, ...] = ()
    channels: Electrodes = field(default_factory=lambda: Electrodes(()))

    name = "components"

    def data_vars(self) -> Mapping[str, xr.DataArray]:
        """Relevance of each class (epoch, component_class)."""
        return {"components": self.by_class.rename({"class": "component_class"})}

    def summary(self, explained: Explained) -> list[dict[str, Any]]:
        """The shares of the classes."""
        return [asdict(share) for share in self.shares]

    def lines(self, explained: Explained) -> Iterator[tuple[str, str]]:
        """The classes with most."""
        most = sorted(self.shares, key=lambda share: -share.share)[:3]
        yield "components", ", ".join(f"{share.name} {share.share:.0%}" for share in most)

    def rows(self, explained: Explained) -> Iterator[tuple[str, str, float, float, float]]:
        """A row for each class, beside its part of the components."""
        for share in self.shares:
            yield "component", share.name, share.share, share.signed, share.of_components

    def sections(self, explained: Explained) -> Iterator[Section]:
        """A table of the classes, and the leading components as an expert judges them."""
        head = (
            "Class",
            "relevance share",
            "with classes as units",
            "share of variance",
            "signed sum",
            "components",
        )
        rows = [
            (
                share.name,
                f"{share.share:.1%}",
                f"{share.of_classes:.1%}",
                f"{share.of_variance:.1%}",
                f"{share.signed:+.3g}",
                share.components or "",
            )
            for share in self.shares
        ]
        words = (
            "The signal is split into independent components, each labelled by ICLabel; relevance goes with "
            "them through the multiplier, exactly. ",
            Term(RESIDUAL),
            " is what no component has.",
        )
        sfreq, limits = explained.windows.sfreq, []
        if np.isfinite(sfreq) and sfreq < 250:
            limits.append(
                f"ICLabel was trained on wider bands than {sfreq:g} Hz holds: muscle components, which it "
                "knows by their power above 50 Hz, are told less surely."
            )
        table = Table(head, rows, range(1, 6))
        yield Section("Brain, eye, muscle, heart", (table, words), limits=tuple(limits))
        if self.leading:
            top = min(sfreq / 2, 1.25 * (explained.contract.lowpass or np.inf), HIGHEST)
            yield section(self.leading, self.channels, explained.windows.times, explained.unit, top)


@register("components", order=40, absent=[])
def _classes(explained: Explained, context: ViewContext) -> ComponentClasses:
    step("finding independent components")
    made = components(explained, seed=context.seed)
    found = leading(made.dataset, explained.windows.sfreq)
    channels = explained.electrodes.some(made.dataset["channel"].values.tolist())
    return ComponentClasses(made.by_class(), tuple(made.shares()), made.notes, found, channels)
