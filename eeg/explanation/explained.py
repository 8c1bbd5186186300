"""What an explanation of a recording is, and the numbers that sum it up."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np
import xarray as xr
from numpy.typing import NDArray

from ...engine.contract import InputContract
from ...engine.errors import InputError
from ...engine.notebook.boxes import box, line
from ..electrodes.positions import Electrodes
from ..electrodes.region_file import Regions
from ..recording.labels import number_in
from ..recording.windows import Windows, as_input
from ..text import counted, listed, plain
from . import dataset as files
from . import shares
from .references import ReferenceWindows
from .view import View

if TYPE_CHECKING:
    from .answer import Answer


@dataclass(frozen=True)
class Explained:
    """The explanation of a recording.

    Attributes
    ----------
    dataset : xarray.Dataset
        Everything by name (see `dataset.to_dataset`).
    windows : Windows
    contract : InputContract
    provenance : dict
        Files, hashes, options, versions; anything JSON can hold.
    notes : tuple of str
        What the engine had to say.
    unit : str
        Of what was explained.
    regions : Regions
        The electrode sets and regions it is read by.
    references : ReferenceWindows or None
        What the windows are held against; None where relevance is against zero.
    views : dict of str to View
        What stands beside the map, by name, in the order of the report.
    unasked : mapping
        What `summary` has for each view that was not asked for.
    """

    dataset: xr.Dataset
    windows: Windows
    contract: InputContract
    provenance: Mapping[str, Any]
    notes: tuple[str, ...] = ()
    unit: str = field(default="logit")
    regions: Regions = field(default_factory=Regions)
    references: ReferenceWindows | None = None
    views: Mapping[str, View] = field(default_factory=dict)
    unasked: Mapping[str, Any] = field(default_factory=dict)

    def __repr__(self) -> str:
        held = "" if self.references is None else f"held against {self.references.how}"
        windows = f"{counted(len(self.windows), 'window')}, {counted(len(self.electrodes), 'electrode')}"
        what = f"{said_target(self)} in {self.unit}"
        return line(type(self).__name__, self.title(), windows, what, held)

    def _repr_html_(self) -> str:
        """What a notebook shows: what the command line prints."""
        return box(self.title(), self.lines())

    def title(self) -> str:
        """The recording and the model, by their files."""
        model, data = (self.provenance.get(what, {}).get("file", "?") for what in ("model", "data"))
        return f"{plain(data)} by {plain(model)}"

    @property
    def electrodes(self) -> Electrodes:
        """Names of the channels, in the model's order, and where they lie."""
        return self.windows.channels

    @property
    def relevance(self) -> NDArray[Any]:
        """Relevance, shape (window, channel, time)."""
        return self.dataset["relevance"].values

    @cached_property
    def answer(self) -> Answer:
        """What the model used, in the words of the field: what the report and the command line say first."""
        from .answering import answer_of

        return answer_of(self)

    def summary(self) -> dict[str, Any]:
        """The numbers of summary.json: answer, shares, ledger, closure, accuracy, decisions, provenance."""
        data, held = self.dataset, self.references
        found = data["explained"].values
        out: dict[str, Any] = {
            **self.provenance,
            "answer": self.answer.summary(),
            "what": said_target(self) + ("" if held is None else f", held against {held.how}"),
            "against": None if held is None else held.how,
            "agreement": agreement(self),
            "unit": self.unit,
            "windows": len(self.windows),
            "windows_dropped": self.windows.dropped,
            "labels": dict(Counter(label for label in self.windows.labels if label is not None)),
            "accuracy": accuracy(self),
            "fit": fit(self),
            "explained": {"mean": float(found.mean()), "min": float(found.min()), "max": float(found.max())},
            "reached_input": float(self.relevance.sum((-2, -1), dtype=np.float64).mean()),
            "ledger": {str(k): float(v) for k, v in data["ledger"].mean("epoch").to_series().items()}
            if "ledger" in data
            else {},
            "closure": float(np.max(data["closure"].values)) if "closure" in data else None,
            "shares": [asdict(s) for s in shares.by_set(self.relevance, self.electrodes, self.regions.sets)],
            "regions": [
                asdict(s)
                for s in shares.by_region(
                    self.relevance, self.electrodes, self.regions.partition(self.electrodes)
                )
            ],
            **self.unasked,
            **{name: view.summary(self) for name, view in self.views.items()},
            "splined": list(self.windows.interpolated),
            "decisions": list(self.windows.decisions),
            "notes": self.all_notes(),
        }
        if "unassigned" in data:
            out["unassigned"] = float(data["unassigned"].sum(("channel", "time")).mean())
        return out

    def all_notes(self) -> list[str]:
        """What the engine had to say, and what limits the views."""
        return [
            *self.notes,
            *_assumed(self.contract),
            *(note for view in self.views.values() for note in view.notes),
        ]

    def lines(self) -> list[tuple[str, str]]:
        """The summary in a few lines, as (what, text)."""
        s = self.summary()
        value: dict[str, float] = s["explained"]
        kept = ", ".join(f"{kind} {amount:.3g}" for kind, amount in list(s["ledger"].items())[:3])
        spread = f"{value['min']:.4g} to {value['max']:.4g}"
        rows = [
            ("model", f"{s['model']['file']}  (sha256 {s['model']['sha256'][:12]})"),
            ("recording", f"{s['data']['file']}: {s['windows']} windows of {self.contract.seconds:g} s"),
            ("explained", f"{s['what']}: mean {value['mean']:.4g} {self.unit}, {spread}"),
        ]
        rows += self.answer.lines()
        made = self.windows.interpolated
        if made:
            whole = dict(zip(self.electrodes, shares.by_electrode(self.relevance), strict=True))
            part = sum(float(whole[n]) for n in made)
            rows.append(("interpolated", f"{listed(made)}: {part:.0%} of the relevance lies there"))
        for share in s["shares"]:
            if share["electrodes"]:
                on = f"on {share['of_electrodes']:.0%} of the electrodes"
                rows.append((share["name"], f"{share['share']:.0%} of the relevance {on}"))
        if s["agreement"] is not None:
            like = f"as many others would give a map that correlates with this one at {s['agreement']:.2f}"
            rows.append(("references", like))
        rows += [row for view in self.views.values() for row in view.lines(self)]
        rows.append(("kept back", f"{kept} (mean)" if kept else "nothing"))
        if s["closure"] is not None:
            rows.append(("closure", f"{s['closure']:.1e} (relevance and ledger against what was explained)"))
        return [*rows, *(("note", note) for note in s["notes"])]


def _assumed(contract: InputContract) -> list[str]:
    """What is taken for granted of a signal where the contract does not know."""
    if not contract.unknown:
        return []
    said = contract.model_dump(mode="json")
    taken = ", ".join(
        f"{key} {plain(said[key]) if said[key] is not None else 'none'}" for key in contract.unknown
    )
    return [
        f"The contract does not know what the model was trained on: assumed are {taken}. With others the map "
        "may be another; put what is right into the contract."
    ]


def restored(dataset: xr.Dataset, contract: InputContract) -> Explained:
    """An explanation that was read back, with the windows that the model saw.

    Parameters
    ----------
    dataset : xarray.Dataset
        As `dataset.explanation` reads it.
    contract : InputContract
        The model's; the length of a window is taken from the dataset.

    Returns
    -------
    Explained
        Without notes and views.

    Raises
    ------
    InputError
        The contract has other electrodes or another rate, or cannot have windows of this length.
    """
    channels, n = files.electrodes(dataset), dataset.sizes["time"]
    if channels.names != contract.channels or dataset.attrs.get("sfreq") != contract.sfreq:
        raise InputError(
            f"the explanation has other electrodes ({listed(channels, 4)}) or another rate than the contract"
        )
    if contract.patch and n % contract.patch:
        raise InputError(f"the explanation's windows of {n} samples are no multiple of {contract.patch}")
    contract = contract.model_copy(update={"window": n})
    if settled := json.loads(dataset.attrs.get("inputs", "{}")):
        # What the recording said of further inputs, and how large its signal was.
        contract = InputContract.model_validate({**contract.model_dump(), **settled})
    signal = np.asarray(dataset["signal"].values, dtype=np.float32)
    windows = Windows(
        data=as_input(signal, contract),
        signal=signal,
        channels=channels,
        times=dataset["time"].values,
        onsets=dataset["onset"].values,
        labels=tuple(str(label) or None for label in dataset["label"].values),
        sfreq=contract.sfreq,
        decisions=tuple(map(str, json.loads(dataset.attrs.get("decisions", "[]")))),
        interpolated=tuple(map(str, json.loads(dataset.attrs.get("splined", "[]")))),
        tmin=float(dataset.attrs.get("tmin", 0.0)),
        **_band(dataset),
    )
    return Explained(
        dataset,
        windows,
        contract,
        files.provenance(dataset),
        unit=str(dataset["explained"].attrs.get("units") or contract.unit_of()),
        references=_held(dataset, contract),
    )


def _band(dataset: xr.Dataset) -> dict[str, Any]:
    """What the recording held, where the dataset says so."""
    low, high = json.loads(dataset.attrs.get("band", "[null, null]"))
    return {} if high is None else {"band": (float(low), float(high))}


def _held(dataset: xr.Dataset, contract: InputContract) -> ReferenceWindows | None:
    """What the windows of an explanation that was read back were held against."""
    if "reference_index" not in dataset:
        return None
    signal = np.asarray(dataset["reference_signal"].values, dtype=np.float32)
    return ReferenceWindows(
        data=as_input(signal, contract),
        signal=signal,
        index=np.asarray(dataset["reference_index"].values, dtype=np.int64),
        onsets=dataset["held_onset"].values,
        labels=tuple(str(label) or None for label in dataset["held_label"].values),
        how=str(dataset.attrs.get("against", "")),
    )


def truth(labels: tuple[str | None, ...], classes: tuple[str, ...]) -> NDArray[np.int64]:
    """Class index that each label names with one of its tags ("left/agree" is "left"); -1 for none.

    Parameters
    ----------
    labels : tuple of (str or None)
    classes : tuple of str

    Returns
    -------
    ndarray of int, shape (len(labels),)
    """
    folded = {c.casefold(): i for i, c in enumerate(classes)}
    out = []
    for label in labels:
        tags = [] if label is None else [label.casefold(), *label.casefold().split("/")]
        found = {folded[t] for t in tags if t in folded}
        out.append(found.pop() if len(found) == 1 else -1)
    return np.array(out, dtype=np.int64)


def predictions(explained: Explained) -> NDArray[np.int64] | None:
    """Class with the largest output in each window; None where the output has no class axis."""
    if "output" not in explained.dataset or "class" not in explained.dataset["output"].dims:
        return None
    out: NDArray[np.int64] = explained.dataset["output"].values.argmax(-1)
    return out


def accuracy(explained: Explained) -> dict[str, Any] | None:
    """How often the model was right where a label names a class; None where no label does."""
    guess = predictions(explained)
    real = truth(explained.windows.labels, explained.contract.classes)
    if guess is None or not (real >= 0).any():
        return None
    known = real >= 0
    correct = int((guess[known] == real[known]).sum())
    return {"correct": correct, "of": int(known.sum()), "accuracy": correct / int(known.sum())}


def numbers(explained: Explained) -> NDArray[np.float64] | None:
    """What the model says of each window where its output is a number; of several the one explained."""
    output = explained.dataset.get("output")
    if output is None or (predictions(explained) is not None and output.shape[-1] > 1):
        return None
    y = np.asarray(output.values, dtype=np.float64).reshape(len(output), -1)
    if y.shape[1] == 1:
        return y[:, 0]
    target = explained.dataset.get("target")
    return None if target is None else y[np.arange(len(y)), np.asarray(target.values, dtype=np.int64)]


def fit(explained: Explained) -> dict[str, Any] | None:
    """How an output that is a number goes with labels that are numbers; None where either is not one.

    Returns
    -------
    dict or None
        r (None where either is the same in all windows), mae (mean absolute error), of (windows), unit, and
        the means: said by the model, and of the labels.
    """
    said, true = numbers(explained), np.array([number_in(label) for label in explained.windows.labels])
    known = np.isfinite(true)
    if said is None or known.sum() < 2 or explained.contract.classes:
        return None
    y, true = said[known], true[known]
    r = float(np.corrcoef(y, true)[0, 1]) if y.std() and true.std() else None
    unit = explained.unit if explained.contract.regresses else ""
    means = {"said": float(y.mean()), "labelled": float(true.mean())}
    off = float(np.abs(y - true).mean())
    return {"r": r, "mae": off, "of": int(known.sum()), "unit": unit, **means}


def said_fit(found: Mapping[str, Any]) -> str:
    """In words."""
    r = "" if found["r"] is None else f"r = {found['r']:.2f}, "
    off = f"mean absolute error {found['mae']:.3g} {plain(found['unit'], 20)}".rstrip()
    return f"{r}{off}, of {counted(found['of'], 'window')}"


def agreement(explained: Explained) -> float | None:
    """How alike the electrodes' relevance would be with as many other references; None for one or none.

    The correlation of two halves of the references, over electrodes and windows, stepped up to all of them
    (Spearman and Brown).
    """
    if "by_reference" not in explained.dataset:
        return None
    each = explained.dataset["by_reference"].values
    n = each.shape[1]
    if n < 2:
        return None
    a, b = each[:, : n // 2].mean(1).ravel(), each[:, n // 2 : 2 * (n // 2)].mean(1).ravel()
    if not a.std() or not b.std():
        return None
    r = float(np.corrcoef(a, b)[0, 1])
    return 2 * r / (1 + r) if r > 0 else r


def said_target(explained: Explained) -> str:
    """What was explained, in words."""
    return said(explained.dataset, explained.provenance, explained.contract.classes)


def said(dataset: xr.Dataset, provenance: Mapping[str, Any], classes: Sequence[str]) -> str:
    """What was explained, in words, of an explanation in its parts."""
    target, contrast = provenance.get("target"), provenance.get("contrast")
    if isinstance(target, Mapping):
        text = ", ".join(f"{weight:+g} {plain(name)}" for name, weight in target.items())
    elif target == "predicted":
        text = "the predicted class" if classes else "the largest output"
    elif isinstance(target, int) and 0 <= target < len(classes):
        text = f"class {plain(classes[target])}"
    else:
        text = f"class {plain(target)}"
    output = dataset.get("output")
    if output is not None and "number" in output.dims and "target" in dataset:
        names = output["number"].values.tolist()
        first = int(dataset["target"].values[0])
        if isinstance(names[first], str):
            return plain(names[first], 60)
        return "the output" if len(names) == 1 else f"number {first} of the output"
    alone = output is not None and output.ndim > 1 and output.shape[-1] == 1
    against = contrast == "rest" and not isinstance(target, Mapping)  # weights are their own contrast
    return "the output" if alone else text + (" against the mean of the others" if against else "")
