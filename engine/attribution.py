"""What an explanation is: relevance, multipliers, and the ledger of what did not reach an input."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from .analysis.shapes import Layout, sample_sums
from .contract import ONE, InputContract
from .notebook.boxes import box, line, spread

if TYPE_CHECKING:
    import xarray

Array = NDArray[Any]


# Of the largest output: two that differ by less are alike, and what they differ by is known no better than
# their rounding, some millionths of their size.
ALIKE = 1e-3
# Above which an explanation is refused: relevance and ledger do not say what was explained.
MAX_CLOSURE = 1e-3


@dataclass(frozen=True)
class Piece:
    """Where the samples of one micro-batch are in an input.

    Attributes
    ----------
    rows : int
        Rows of the input that the micro-batch has.
    samples : int
        Samples that these rows are.
    layout : Layout or None
        Where each sample is along an axis; None where samples cannot be told apart.
    """

    rows: int
    samples: int
    layout: Layout | None


@dataclass(frozen=True)
class InputSamples:
    """Where the samples of a whole batch are in one input.

    Attributes
    ----------
    axis : int or None
        Of the input (batch first, no K), along which micro-batches follow each other; None where one array
        is the same for all of them.
    pieces : tuple of Piece
        The micro-batches that were explained, in order.
    """

    axis: int | None
    pieces: tuple[Piece, ...]

    def sums(self, amounts: Array) -> Array:
        """Sums for each sample.

        Parameters
        ----------
        amounts : ndarray, shape (K, *shape of the input)

        Returns
        -------
        ndarray of float64, shape (K, batch)
        """
        if self.axis is None and len(self.pieces) > 1:
            # One array for several micro-batches: what is on it belongs to all samples alike.
            return sample_sums(amounts, sum(p.samples for p in self.pieces), None)
        found, start = [], 0
        for piece in self.pieces:
            if self.axis is None:
                own = amounts
            else:
                stop = start + piece.rows
                own = amounts.take(range(start, stop), axis=1 + self.axis)
                start = stop
            found.append(sample_sums(own, piece.samples, piece.layout))
        return np.concatenate(found, axis=1)


@dataclass(frozen=True)
class LedgerEntry:
    """Relevance that one node kept for one reason.

    Attributes
    ----------
    node : str
        Name of the node.
    kind : str
        bias, constant, softmax, origin (a function's value at 0), stabilizer, nonlinear, ...
    tensor : str
        The tensor at which it was kept.
    relevance : ndarray, shape (batch,) or (K, batch)
    """

    node: str
    kind: str
    tensor: str
    relevance: Array


@dataclass(frozen=True)
class Ledger:
    """What did not reach an input, entry by entry, each computed from its cause."""

    entries: tuple[LedgerEntry, ...]
    shape: tuple[int, ...]

    def __iter__(self) -> Iterator[LedgerEntry]:
        return iter(self.entries)

    def __len__(self) -> int:
        return len(self.entries)

    def total(self) -> Array:
        """Sum over all entries, [batch] ([K, batch] for several targets)."""
        out = np.zeros(self.shape)
        for entry in self.entries:
            out = out + entry.relevance
        return out

    def by_kind(self) -> dict[str, Array]:
        """Sum of the entries of each kind, largest first."""
        out: dict[str, Array] = {}
        for entry in self.entries:
            out[entry.kind] = out.get(entry.kind, np.zeros(self.shape)) + entry.relevance
        return dict(sorted(out.items(), key=lambda kv: -float(np.abs(kv[1]).sum())))


@dataclass(frozen=True)
class Attribution:
    """The explanation of one batch.

    Attributes
    ----------
    relevance : dict of str to ndarray
        Per graph input, in that input's shape (a leading axis K where the target asks for several).
    multiplier : dict of str to ndarray
        Relevance per unit of input: ``relevance = x * multiplier`` where no message r is left.
    reached : dict of str to ndarray, shape (batch,) or (K, batch)
        Per graph input, the sum of its relevance for each sample.
    unassigned : dict of str to ndarray
        The messages r that reached an input without a multiplier; only inputs that have some.
    outputs : dict of str to ndarray
        The model's own outputs.
    explained : ndarray, shape (batch,) or (K, batch)
        The number that was explained.
    target : ndarray or object
        What was explained: class indices, or the seed array.
    output : str
        The tensor whose value was explained. Where the model ends in a softmax or sigmoid this is
        the logit before it.
    ledger : Ledger
    at : dict of str to ndarray
        Relevance of inner tensors that were asked for, batch first; a constant has one value a sample.
    at_multiplier : dict of str to ndarray
        Their multipliers, in the same shape: relevance per unit of the inner tensor. Only those at which one
        arrived.
    composite : str
    samples : dict of str to InputSamples
        Per graph input, where each sample of the batch is in it.
    contract : InputContract or None
        The model's, which names the axes of `to_xarray`.
    reference : dict of str to ndarray, or None
        Per graph input, what a difference was explained against, in that input's shape (or one row of it for
        all); the mean of them where there were several. None where relevance is against zero.
    size : float
        The largest number of the explained tensor, over the batch.
    against : tuple of Attribution
        Where there were several references: the explanation against each. Relevance, multipliers, ledger and
        what is explained are the means of theirs, so ``relevance = (x - reference) * multiplier`` holds for
        each, and not for their mean.
    """

    relevance: Mapping[str, Array]
    multiplier: Mapping[str, Array]
    outputs: Mapping[str, Array]
    explained: Array
    target: Any
    output: str
    ledger: Ledger
    reached: Mapping[str, Array] = field(default_factory=dict)
    unassigned: Mapping[str, Array] = field(default_factory=dict)
    at: Mapping[str, Array] = field(default_factory=dict)
    at_multiplier: Mapping[str, Array] = field(default_factory=dict)
    composite: str = ""
    notes: Sequence[str] = ()
    samples: Mapping[str, InputSamples] = field(default_factory=dict)
    contract: InputContract | None = None
    reference: Mapping[str, Array] | None = None
    against: tuple[Attribution, ...] = ()
    size: float = 0.0

    def __repr__(self) -> str:
        many = self.explained.shape[-1] if self.explained.ndim else 1
        return line(
            "Attribution",
            f"{many} {'sample' if many == 1 else 'samples'} of {', '.join(map(str, self.relevance))}",
            f"{self.output or 'explained'}: {spread(self.explained)}",
            self._closed(),
            self.composite,
        )

    def _repr_html_(self) -> str:
        """What a notebook shows: sums, not the arrays."""
        rows: list[tuple[object, object]] = [
            ("explained", f"{self.output or 'the output'}: {spread(self.explained)}"),
            ("composite", self.composite or None),
        ]
        if self.reference is not None:
            rows.append(("against", f"{len(self.per_reference)} of what was given as reference"))
        for name, r in self.relevance.items():
            reached = spread(self.reached[name]) if name in self.reached else spread(np.zeros(0))
            rows.append((f"on {name}", f"{' x '.join(map(str, r.shape))}; sum of a sample: {reached}"))
        kept = list(self.ledger.by_kind().items())
        rows += [(f"kept by {kind}", spread(amount)) for kind, amount in kept[:6]]
        if len(kept) > 6:
            rows.append(("kept otherwise", f"{len(kept) - 6} more kinds; see .ledger"))
        rows.append(("account", self._closed()))
        return box("Attribution", rows, below=self.notes)

    def _closed(self) -> str:
        """How far the account is from closing, where there is one."""
        if not len(self.ledger) or not self.explained.size:
            return ""
        return f"closes within {float(np.max(self.closure())):.0e}"

    @property
    def per_reference(self) -> tuple[Attribution, ...]:
        """The explanation against each reference; itself alone where there is one or none."""
        return self.against or (self,)

    @property
    def rows_are_samples(self) -> bool:
        """Whether inputs like these can be stacked along their first axis and explained in one call."""
        return all(s.axis == 0 and all(p.rows == p.samples for p in s.pieces) for s in self.samples.values())

    def per_sample(self, name: str, amounts: Array) -> Array:
        """Sums of something shaped like the relevance of an input, for each sample.

        Samples are where they were when this explanation was made: an input of another shape may have them
        elsewhere.

        Parameters
        ----------
        name : str
            A graph input.
        amounts : ndarray
            Shaped like ``relevance[name]``.

        Returns
        -------
        ndarray of float64, shape (batch,) or (K, batch)
        """
        several = self.explained.ndim == 2
        made = self.samples[name].sums(np.asarray(amounts) if several else np.asarray(amounts)[None])
        return made if several else made[0]

    def closure(self) -> Array:
        """How far relevance plus ledger is from what was explained, relative, [batch] or [K, batch].

        ``abs(sum R + ledger - explained) / max(abs(explained), max abs(R))``, where max abs(R) is
        over the batch. A difference of two outputs that are alike is rounding: less than a thousandth of the
        largest output counts as that much.
        """
        missing, size = self.account()
        return np.asarray(np.abs(missing) / size)

    def account(self) -> tuple[Array, Array]:
        """What relevance plus ledger is more than what was explained, and what `closure` measures it by.

        Returns
        -------
        missing, size : ndarray, shape (batch,) or (K, batch)
        """
        total = self.ledger.total()
        largest = np.abs(self.explained).astype(np.float64)
        for name, r in self.relevance.items():
            total = total + self.reached[name]
            largest = np.maximum(largest, np.abs(r).max(initial=0.0))
        if self.reference is not None:
            largest = np.maximum(largest, ALIKE * self.size)
        return np.asarray(total - self.explained), np.maximum(largest, np.finfo(np.float32).tiny)

    def to_xarray(self) -> xarray.Dataset:
        """The explanation with its axes named.

        Returns
        -------
        xarray.Dataset
            ``relevance`` and ``multiplier`` where the model has one input, else ``relevance_<input>`` and so
            on, with the axes of the input contract (channel names and seconds as coordinates) or else
            ``<input>_1``, ``<input>_2``, ...; ``explained`` (sample); ``ledger`` (kind, sample);
            ``output_<name>`` for the model's own outputs. The first axis of what has one for each sample is
            ``sample``; where the target asks for several there is ``target`` before it.
        """
        import xarray

        front = ("target", "sample") if self.explained.ndim == 2 else ("sample",)
        batch = self.explained.shape[-1]
        data: dict[str, Any] = {"explained": (front, self.explained)}
        for name in self.relevance:
            suffix = "" if len(self.relevance) == 1 else f"_{name}"
            shape = self.relevance[name].shape[len(front) - 1 :]
            dims = (*front[:-1], *self._axes(name, shape))
            data[f"relevance{suffix}"] = (dims, self.relevance[name])
            data[f"multiplier{suffix}"] = (dims, self.multiplier[name])
        kinds = self.ledger.by_kind()
        if kinds:
            data["ledger"] = (("kind", *front), np.stack(list(kinds.values())))
        for name, y in self.outputs.items():
            if isinstance(y, np.ndarray):
                first = "sample" if y.ndim and len(y) == batch else f"output_{name}_0"
                dims = (first, *(f"output_{name}_{i}" for i in range(1, y.ndim)))[: y.ndim]
                data[f"output_{name}"] = (dims, y)
        coords: dict[str, Any] = {"sample": np.arange(batch), "kind": list(kinds)}
        if self.explained.ndim == 2:
            coords["target"] = np.arange(len(self.explained))
        contract = self.contract
        if contract is not None and contract.input in self.relevance:
            coords["channel"] = list(contract.channels)
            if "time" in contract.axes:
                coords["time"] = np.arange(contract.window) / contract.sfreq
            if contract.classes and self.explained.ndim == 2 and len(contract.classes) == len(self.explained):
                coords["target"] = list(contract.classes)
        known = {dim for dims, _ in data.values() for dim in dims}
        attrs = {"composite": self.composite, "output": self.output, "notes": list(self.notes)}
        return xarray.Dataset(data, {n: c for n, c in coords.items() if n in known}, attrs)

    def _axes(self, name: str, shape: tuple[int, ...]) -> tuple[str, ...]:
        """Names of the axes of an input."""
        contract = self.contract
        if contract is not None and contract.input == name and len(shape) == len(contract.axes):
            # The contract calls the axis within a patch "sample", which here is a window.
            # Axes of length one are told apart by where they stand.
            called = {"sample": "patch_time"}
            axes = enumerate(contract.axes[1:], start=1)
            return ("sample", *(f"{name}_{i}" if a == ONE else called.get(a, a) for i, a in axes))
        own = self.samples.get(name)
        has_batch = own is not None and own.axis == 0 and sum(p.samples for p in own.pieces) == shape[0]
        return tuple("sample" if i == 0 and has_batch else f"{name}_{i}" for i in range(len(shape)))
