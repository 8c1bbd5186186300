"""Relevance by independent component: how much of a decision is carried by brain, eye, muscle, heart.

The signal is ``x = A s + rest`` with the topographies A of an independent component analysis and the time
courses s. With the multiplier m at the input, component k has ``R_k(t) = s_k(t) (A^T m)_k(t)``, exactly and
without dividing by anything; what no component has (the common average, dropped components, electrodes
without a position) is the residual ``rest * m``. Their sum is the relevance of all electrodes at every
sample. Components are labelled by ICLabel (Pion-Tonachini, Kreutz-Delgado & Makeig 2019).
"""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import mne
import numpy as np
import xarray as xr
from numpy.typing import NDArray

from ..engine.errors import InputError, OnnxplainError
from .channels import positions
from .explained import Explained
from .text import counted, listed, plain
from .windows import FROM_MICROVOLT, from_model_layout

Floats = NDArray[np.float64]

CLASSES = ("brain", "muscle", "eye", "heart", "line noise", "channel noise", "other")
RESIDUAL, UNASSIGNED = "residual", "unassigned"
FEWEST = 5  # electrodes
# Samples that a decomposition of n electrodes should have, in n squared (Onton & Makeig 2006).
ENOUGH = 20
# Components are fitted to this part of the variance: what is left is sensor noise, cut into pieces.
VARIANCE = 0.99


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
    of_variance : float
        Its part of the variance of the electrodes' signal: what relevance that follows amplitude would have.
    """

    name: str
    share: float
    spread: float
    of_classes: float
    signed: float
    components: int
    of_variance: float


@dataclass(frozen=True)
class Components:
    """Relevance in the coordinates of independent components.

    Attributes
    ----------
    dataset : xarray.Dataset
        relevance (epoch, component, time), residual (epoch, time), unassigned (epoch, time) where there is
        any; map (component, channel) in microvolt per unit of the time course, probability (component,
        class), variance (component); coordinate label (component).
    ica : mne.preprocessing.ICA
    notes : tuple of str
        What limits the labels.
    """

    dataset: xr.Dataset
    ica: Any
    notes: tuple[str, ...]

    def by_class(self) -> xr.DataArray:
        """Relevance of each class and the residual, dims (epoch, class); sums to the electrode view."""
        data = self.dataset
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
        """Relevance shares of the classes; they sum to 1. Units are components."""
        data = self.dataset
        units = data["relevance"].sum("time").values
        extra = [n for n in (RESIDUAL, UNASSIGNED) if n in data]
        every = np.column_stack([units, *(data[n].sum("time").values for n in extra)])
        names = np.array([*data["label"].values.tolist(), *extra])
        variance = np.array([*data["variance"].values, data.attrs["residual_variance"], 0.0])[: len(names)]
        size = np.abs(every)
        total = size.sum(-1, keepdims=True)
        kept = total[:, 0] > 0
        each = size[kept] / total[kept]
        by_class = np.abs(self.by_class().values)[kept]
        whole = dict(
            zip((*CLASSES, *extra), (by_class / by_class.sum(-1, keepdims=True)).mean(0), strict=True)
        )
        found = []
        for name in (*CLASSES, *extra):
            inside = names == name
            part = each[:, inside].sum(-1)
            found.append(
                ClassShare(
                    name=name,
                    share=float(part.mean()) if len(part) else float("nan"),
                    spread=float(part.std()) if len(part) else float("nan"),
                    of_classes=float(whole[name]),
                    signed=float(every[:, inside].sum(-1).mean()),
                    components=int(inside.sum()) if name in CLASSES else 0,
                    of_variance=float(variance[inside].sum() / max(variance.sum(), 1e-300)),
                )
            )
        return found


def components(
    explained: Explained, *, ica: Any = None, n_components: int | None = None, seed: int = 0
) -> Components:
    """Split relevance by independent components.

    Parameters
    ----------
    explained : Explained
    ica : mne.preprocessing.ICA, optional
        A decomposition of one's own, of electrodes that the model has; by default extended infomax is fitted
        on the windows in common average reference, which is what ICLabel was trained on.
    n_components : int, optional
        How many are fitted; by default those of `VARIANCE` of the variance.
    seed : int
        Of the fit.

    Returns
    -------
    Components

    Raises
    ------
    InputError
        There is no multiplier; too few electrodes have a position; the decomposition is of others.
    OnnxplainError
        A package of the `eeg` extra is missing.
    """
    if "multiplier" not in explained.dataset:
        raise InputError("components: this explanation has no multiplier, so its relevance has no components")
    contract = explained.contract
    factor = FROM_MICROVOLT[contract.unit] * contract.scale
    signal = from_model_layout(explained.windows.data, contract).astype(np.float64) / factor
    m = explained.dataset["multiplier"].values.astype(np.float64) * factor
    channels = list(explained.windows.channels)
    placed = [c for c in channels if c in positions(channels)]
    picked = placed if ica is None else list(ica.ch_names)
    unknown = [c for c in picked if c not in channels]
    if unknown:
        raise InputError(
            f"components: the decomposition has electrodes that the model has not: {listed(unknown)}"
        )
    if len(picked) < FEWEST:
        raise InputError(
            f"components: {counted(len(picked), 'electrode')} with a known position; {FEWEST} are needed"
        )
    rows = [channels.index(c) for c in picked]
    raw = _joined(signal[:, rows], picked, explained.windows.sfreq)
    notes = _limits(signal, picked, explained, ica is not None)
    if ica is None:
        ica = _fitted(raw, n_components or VARIANCE, contract.highpass, seed)
    probability = _labels(raw, ica)
    # Topographies in microvolt: MNE decomposes the signal divided by its pre-whitener.
    maps = np.asarray(ica.get_components() * ica.pre_whitener_) * 1e6
    n = signal.shape[-1]
    sources = ica.get_sources(raw).get_data().reshape(maps.shape[1], len(signal), n).swapaxes(0, 1)
    rest = signal.copy()
    rest[:, rows] -= np.einsum("ck,ekt->ect", maps, sources)
    relevance = sources * np.einsum("ck,ect->ekt", maps, m[:, rows])
    data: dict[str, Any] = {
        "relevance": (("epoch", "component", "time"), relevance, {"units": explained.unit}),
        "residual": (("epoch", "time"), (rest * m).sum(1), {"units": explained.unit}),
        "map": (("component", "channel"), maps.T),
        "probability": (("component", "class"), probability),
        "variance": ("component", (sources.var(axis=(0, 2)) * (maps**2).sum(0))),
    }
    if UNASSIGNED in explained.dataset:
        data[UNASSIGNED] = (("epoch", "time"), explained.dataset[UNASSIGNED].values.sum(1, dtype=np.float64))
    coords = {
        "component": np.arange(maps.shape[1]),
        "channel": picked,
        "class": list(CLASSES),
        "label": ("component", np.array(CLASSES, dtype=object)[probability.argmax(-1)]),
        "time": explained.windows.times,
        "epoch": explained.dataset["epoch"].values,
    }
    attrs = {"residual_variance": float(rest.var(axis=(0, 2)).sum())}
    return Components(xr.Dataset(data, coords, attrs), ica, tuple(notes))


def _joined(signal: Floats, names: Sequence[str], sfreq: float) -> Any:
    """The windows one after another, in volt, with the electrodes' places."""
    info = mne.create_info(list(names), sfreq, "eeg", verbose="error")
    raw = mne.io.RawArray(np.concatenate(list(signal), -1) * 1e-6, info, verbose="error")
    found = positions(names)
    places = {n: found[n] for n in names if n in found}
    raw.set_montage(
        mne.channels.make_dig_montage(places, coord_frame="head"), on_missing="ignore", verbose="error"
    )
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        raw.set_eeg_reference("average", projection=False, verbose="error")
    return raw


def _fitted(raw: Any, n: float, highpass: float | None, seed: int) -> Any:
    """Extended infomax on the windows."""
    fit = raw
    if not highpass or highpass < 1.0:
        # Drifts would get components of their own.
        fit = raw.copy().filter(1.0, None, verbose="error")
    made = mne.preprocessing.ICA(
        n,
        method="infomax",
        fit_params={"extended": True},
        random_state=seed,
        max_iter="auto",
        verbose="error",
    )
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            made.fit(fit, verbose="error")
        except Exception as e:
            raise InputError(f"components: the windows cannot be decomposed ({plain(e, 100)})") from None
    return made


def _labels(raw: Any, ica: Any) -> Floats:
    """Probability of each class, [component, class]."""
    try:
        from mne_icalabel.iclabel import iclabel_label_components
    except ImportError:
        raise OnnxplainError('components need mne-icalabel: pip install "onnxplain[eeg]"') from None
    with warnings.catch_warnings(), mne.utils.use_log_level("error"):
        warnings.simplefilter("ignore")
        found = iclabel_label_components(raw, ica, inplace=False, backend="onnx")
    return np.asarray(found, dtype=np.float64)


def _limits(signal: Floats, names: Sequence[str], explained: Explained, given: bool) -> list[str]:
    """What a reader of the labels should know."""
    said = ["ICLabel gives probabilities; a component is counted for its likeliest class."]
    have, need = signal.shape[0] * signal.shape[-1], ENOUGH * len(names) ** 2
    if not given and have < need:
        said.append(
            f"The decomposition rests on {have} samples of {len(names)} electrodes; {need} would be fair."
        )
    sfreq, contract = explained.windows.sfreq, explained.contract
    top = min(sfreq / 2, contract.lowpass or np.inf)
    if top < 100:
        said.append(
            f"ICLabel was trained on 1 to 100 Hz; the model sees up to {top:g} Hz: muscle is harder to tell."
        )
    if len(names) < 16:
        said.append(f"With {len(names)} electrodes, components mix what more would separate.")
    return said
