"""`Explainer`: a model file in, explanations of its outputs out."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from . import runtime
from .attribution import Attribution, Ledger, LedgerEntry
from .canonical import canonical
from .composite import Composite
from .composite import composite as find_composite
from .contract import InputContract
from .errors import InputError, ModelError
from .graph import Graph, from_model
from .model import LoadedModel, load
from .ops import numpy as kernels
from .plan import Plan, Result
from .probe import Probe, batched, probe
from .steps import step
from .targets import explained_tensor, seed_for
from .walk import Trace, trace

Array = np.ndarray[Any, Any]

# Samples carried back at once: more cost memory and gain no speed.
MICRO_BATCH = 4

# How far the instrumented forward may be from the file's own, relative to the output's size:
# onnxruntime fuses other nodes once inner values are asked for, and rounds differently.
PARITY = 1e-3

BACKENDS = ("auto", "numpy")


@dataclass(frozen=True)
class _Prepared:
    """What is worked out once for one shape of input."""

    probe: Probe
    plan: Plan
    trace: Trace


class Explainer:
    """Explains the outputs of an ONNX model.

    Parameters
    ----------
    model : path-like
        The file that is deployed is the file that is explained.
    composite : str or Composite
        Which rules: a preset's name (see `composites`) or a composite of one's own.
    backend : {"auto", "numpy"}
    providers : sequence of str, optional
        onnxruntime execution providers for the forward pass.
    threads : int, optional
        Threads of onnxruntime.
    output : str, optional
        The output to explain; the contract's, or the first floating one.
    ledger : bool
        Whether to account for relevance that does not reach an input.
    **parameters : float
        Of the composite, e.g. ``epsilon=1e-6``.

    Raises
    ------
    ModelError
        The file cannot be used.
    InputError
        A name or parameter is unknown.

    Examples
    --------
    >>> explain = Explainer("model.onnx", composite="attnlrp")  # doctest: +SKIP
    >>> a = explain(x, target="predicted")  # doctest: +SKIP
    >>> a.relevance["x"].shape == x.shape  # doctest: +SKIP
    True
    """

    def __init__(
        self,
        model: str | os.PathLike[str],
        composite: str | Composite = "attnlrp",
        backend: str = "auto",
        providers: Sequence[str] | None = None,
        threads: int | None = None,
        *,
        output: str | None = None,
        ledger: bool = True,
        **parameters: float,
    ) -> None:
        if backend not in BACKENDS:
            raise InputError(f"unknown backend {backend!r}; known: {', '.join(BACKENDS)}")
        if threads is not None and threads < 1:
            raise InputError(f"threads must be at least 1, not {threads}")
        self.composite = find_composite(composite, parameters)
        self._loaded: LoadedModel = load(model)
        self.path = Path(model)
        self._graph: Graph = from_model(self._loaded.proto)
        self._providers, self._threads, self._ledger = providers, threads, ledger
        self._session = runtime.session(
            self._loaded.proto, where=str(self.path), asked=providers, threads=threads
        )
        self.inputs = {
            i.name: (runtime.numpy_dtype(i.type), tuple(i.shape)) for i in self._session.get_inputs()
        }
        self.output = self._output(output)
        self._prepared: dict[Any, _Prepared] = {}

    @property
    def contract(self) -> InputContract | None:
        """The input contract in the file's metadata."""
        return self._loaded.contract

    @property
    def sha256(self) -> str:
        """Of the model file."""
        return self._loaded.sha256

    def __call__(
        self, x: Array | Mapping[str, Array], target: Any = "predicted", contrast: str | None = None
    ) -> Attribution:
        """Explain a batch.

        Parameters
        ----------
        x : ndarray, or dict of input name to ndarray
            Batch first.
        target : object
            An int; one int a sample; "predicted"; a class name of the contract; {class: weight}; an index
            tuple for dense outputs; "all"; or an array of the output's shape.
        contrast : {"rest", None}
            "rest" explains the class against the mean of the others.

        Returns
        -------
        Attribution

        Raises
        ------
        InputError
            The input or the target does not fit the model.
        UnsupportedOperator
            A node between input and output has no rule.
        ModelError
            The output is not finite, or the model cannot run on this input.
        """
        feed = self._feed(x)
        ready = self._prepare(feed)
        parts = [self._part(ready, piece, at, target, contrast) for at, piece in self._pieces(ready, feed)]
        return self._join(ready, parts)

    def predict(self, x: Array | Mapping[str, Array]) -> dict[str, Array]:
        """The model's own outputs for a batch."""
        feed = self._feed(x)
        names = [o.name for o in self._session.get_outputs()]
        return dict(zip(names, runtime.run(self._session, names, feed, where=str(self.path)), strict=True))

    # -- input ----------------------------------------------------------------------------------

    def _output(self, asked: str | None) -> str:
        outputs = {o.name: runtime.numpy_dtype(o.type) for o in self._session.get_outputs()}
        asked = asked or (self.contract.output if self.contract else None)
        if asked is not None:
            if asked not in outputs:
                raise InputError(f"{self.path}: no output {asked!r}; known: {', '.join(outputs)}")
            return asked
        floating = [n for n, d in outputs.items() if d is not None and d.kind == "f"]
        if not floating:
            raise ModelError(f"{self.path}: none of the outputs ({', '.join(outputs)}) is a floating tensor")
        return str(floating[0])

    def _feed(self, x: Array | Mapping[str, Array]) -> dict[str, Array]:
        if not isinstance(x, Mapping):
            if len(self.inputs) != 1:
                raise InputError(
                    f"{self.path} has {len(self.inputs)} inputs; give a dict with {', '.join(self.inputs)}"
                )
            x = {next(iter(self.inputs)): x}
        missing = [n for n in self.inputs if n not in x]
        unknown = [n for n in x if n not in self.inputs]
        if missing or unknown:
            raise InputError(
                f"{self.path}: "
                + "; ".join(
                    [*(f"input {n!r} is missing" for n in missing), *(f"no input {n!r}" for n in unknown)]
                )
                + f"; its inputs are {', '.join(self.inputs)}"
            )
        return {name: self._array(name, x[name]) for name in self.inputs}

    def _array(self, name: str, value: Any) -> Array:
        dtype, shape = self.inputs[name]
        if dtype is None:
            raise ModelError(f"{self.path}: input {name!r} is not a numeric tensor")
        array = np.asarray(value)
        if array.dtype.kind not in "fiub":
            raise InputError(f"input {name!r} must be numeric, not {array.dtype}")
        fits = len(shape) == array.ndim and all(
            not isinstance(want, int) or want == got or (axis == 0 and want == 1)
            for axis, (want, got) in enumerate(zip(shape, array.shape, strict=True))
        )
        if not fits:
            want = "[" + ", ".join(str(d) if isinstance(d, int) else (d or "any") for d in shape) + "]"
            raise InputError(f"input {name!r} has shape {list(array.shape)}; {self.path} wants {want}")
        if array.size == 0:
            raise InputError(f"input {name!r} is empty (shape {list(array.shape)})")
        if array.dtype.kind == "f" and not np.isfinite(array).all():
            raise InputError(f"input {name!r} has NaN or infinite values")
        if dtype.kind in "iu" and array.dtype.kind == "f" and (array != np.round(array)).any():
            raise InputError(f"input {name!r} takes whole numbers ({dtype})")
        return np.ascontiguousarray(array, dtype=dtype)

    # -- preparation ------------------------------------------------------------------------------

    def _prepare(self, feed: Mapping[str, Array]) -> _Prepared:
        where = str(self.path)
        declared = {n: s for n, (_, s) in self.inputs.items()}
        key = tuple((n, a.shape[1:] if batched(declared[n]) else a.shape) for n, a in feed.items())
        if key in self._prepared:
            return self._prepared[key]
        example = {n: self._first(declared[n], a) for n, a in feed.items()}
        found = probe(self._loaded.proto, self._graph, example, where=where)
        step("preparing the relevance rules")
        graph = canonical(self._graph_copy(), found)
        target, _ = explained_tensor(graph, self.output)
        recorded = trace(graph, found, self.composite, target, where=where, ledger=self._ledger)
        plan = Plan(
            self._loaded.proto, found, recorded, where=where, providers=self._providers, threads=self._threads
        )
        ready = _Prepared(found, plan, recorded)
        self._check_parity(
            ready, example if found.fixed else {n: a[: found.rows] for n, a in example.items()}
        )
        self._prepared[key] = ready
        return ready

    def _graph_copy(self) -> Graph:
        """A graph of its own for the passes: they mark nodes by what one shape of input showed."""
        return from_model(self._loaded.proto)

    @staticmethod
    def _first(declared: Sequence[Any], a: Array) -> Array:
        """Enough rows to probe with: those of a file fixed at one row are fed one by one."""
        return a[:1] if declared and declared[0] == 1 and a.ndim else a[:64] if batched(declared) else a

    def _check_parity(self, ready: _Prepared, feed: Mapping[str, Array]) -> None:
        """The instrumented forward must give what the file gives, or nothing is explained."""
        try:
            own = self.predict(feed)
        except ModelError:
            return  # one sample alone is not a legal batch here; the run itself will tell
        values = ready.plan.forward(feed)
        for name, y in own.items():
            if not isinstance(y, np.ndarray) or y.dtype.kind != "f":
                continue
            size = float(np.abs(y[np.isfinite(y)]).max(initial=0.0)) or 1.0
            gap = float(np.abs(np.where(np.isfinite(y), values[name] - y, 0)).max(initial=0.0)) / size
            if not gap <= PARITY:
                raise ModelError(
                    f"{self.path}: output {name!r} changes by {gap:.1e} of its size when inner values "
                    "are read; refused"
                )

    # -- explaining -------------------------------------------------------------------------------

    def _pieces(self, ready: _Prepared, feed: dict[str, Array]) -> list[tuple[slice, dict[str, Array]]]:
        """Micro-batches, with the samples that each one has."""
        rows = max(
            (len(a) for n, a in feed.items() if a.ndim and self._has_rows(n)),
            default=1,
        )
        per_sample = ready.probe.rows
        if ready.probe.fixed:
            size = ready.probe.batch * per_sample
            if rows % max(size, 1):
                raise InputError(f"{self.path} takes {size} rows at a time; {rows} were given")
            if rows == size:
                return [(slice(0, ready.probe.batch), feed)]
        else:
            if rows % per_sample:
                raise InputError(f"{self.path} makes one sample of {per_sample} rows; {rows} were given")
            # Rows of one sample need not be neighbours: then everything goes at once.
            size = MICRO_BATCH if per_sample == 1 else rows
        pieces = []
        for start in range(0, rows, size):
            piece = {
                n: a[start : start + size] if self._has_rows(n) and a.ndim else a for n, a in feed.items()
            }
            samples = -(-min(size, rows - start) // per_sample)
            first = start // per_sample
            pieces.append((slice(first, first + samples), piece))
        return pieces

    def _has_rows(self, name: str) -> bool:
        shape = self.inputs[name][1]
        return bool(shape) and (not isinstance(shape[0], int) or shape[0] == 1)

    def _part(
        self, ready: _Prepared, feed: dict[str, Array], at: slice, target: Any, contrast: str | None
    ) -> _Part:
        values = ready.plan.forward(feed)
        y = values[ready.trace.target]
        if not np.isfinite(y).all():
            raise ModelError(f"{self.path}: output {ready.trace.target!r} is not finite; nothing to explain")
        classes = self.contract.classes if self.contract else ()
        own = _of_samples(target, at)
        seed, chosen, several = seed_for(y, own, contrast, classes)
        batch = ready.probe.batch if ready.probe.fixed else (at.stop - at.start)
        result = ready.plan.backward(values, seed, batch)
        explained = (seed * y).reshape(*seed.shape[: 1 + min(y.ndim, 1)], -1).sum(-1)
        return _Part(values, feed, result, explained, chosen, several, batch)

    def _join(self, ready: _Prepared, parts: list[_Part]) -> Attribution:
        several = parts[0].several
        trace_ = ready.trace

        def whole(arrays: list[Array], axis: int) -> Array:
            joined = arrays[0] if len(arrays) == 1 else np.concatenate(arrays, axis=axis)
            return joined if several else joined[0]

        def split(name: str) -> bool:
            return self._has_rows(name) or len(parts) == 1

        multiplier, relevance, unassigned, reached = {}, {}, {}, {}
        for name in self.inputs:
            some = parts[0]
            if name not in trace_.messages:
                shape = (
                    np.concatenate([p.feed[name] for p in parts]).shape
                    if split(name)
                    else some.feed[name].shape
                )
                lead = (some.explained.shape[0],) if several else ()
                zero = np.zeros(lead + shape, dtype=trace_.ops.dtype)
                multiplier[name], relevance[name] = zero, zero.copy()
                reached[name] = whole([np.zeros(p.explained.shape) for p in parts], 1)
                continue
            m = [p.result.multipliers.get(name) for p in parts]
            r = [p.result.remainders.get(name) for p in parts]
            products = []
            for p, m_p, r_p in zip(parts, m, r, strict=True):
                x = p.feed[name]
                # 0 * inf is not relevance: nothing is formed where no multiplier arrived.
                product = 0 if m_p is None else np.where(m_p == 0, 0, m_p * x)
                products.append(np.asarray(product if r_p is None else product + r_p, dtype=trace_.ops.dtype))
            relevance[name] = whole(products, 1)
            layout = ready.probe.layouts.get(name)
            reached[name] = whole(
                [
                    kernels.run("per_sample", [x], {"layout": layout}, kernels.Context(p.batch, 1))
                    for p, x in zip(parts, products, strict=True)
                ],
                1,
            )
            zeros = [np.zeros_like(x) for x in products]
            multiplier[name] = whole([z if m_p is None else m_p for m_p, z in zip(m, zeros, strict=True)], 1)
            if any(r_p is not None for r_p in r):
                unassigned[name] = whole([r_p for r_p in r if r_p is not None], 1)
        explained = whole([p.explained for p in parts], 1)
        if not all(np.isfinite(a).all() for a in relevance.values()):
            raise ModelError(f"{self.path}: relevance is not finite under composite {self.composite.name!r}")
        entries = tuple(
            LedgerEntry(e.node, e.kind, e.tensor, whole([p.result.entries[i] for p in parts], 1))
            for i, e in enumerate(trace_.entries)
        )
        outputs = {
            n: np.concatenate([np.atleast_1d(p.values[n]) for p in parts])
            if len(parts) > 1
            else parts[0].values[n]
            for n in ready.plan.outputs
        }
        _, note = explained_tensor(self._graph, self.output)
        return Attribution(
            relevance=relevance,
            multiplier=multiplier,
            outputs=outputs,
            explained=explained,
            target=_joined_target([p.target for p in parts], several),
            output=trace_.target,
            ledger=Ledger(entries, explained.shape),
            reached=reached,
            unassigned=unassigned,
            composite=self.composite.name,
            notes=(note,) if note else (),
        )


@dataclass(frozen=True)
class _Part:
    """One micro-batch, explained."""

    values: Mapping[str, Array]
    feed: Mapping[str, Array]
    result: Result
    explained: Array
    target: Any
    several: bool
    batch: int


def _of_samples(target: Any, at: slice) -> Any:
    """The part of a target that belongs to some samples, where it has one for each."""
    if isinstance(target, (str, int, np.integer, tuple, Mapping)):
        return target
    try:
        return target[at]
    except (TypeError, IndexError):
        return target


def _joined_target(targets: list[Any], several: bool) -> Any:
    if len(targets) == 1 or several or not isinstance(targets[0], np.ndarray):
        return targets[0]
    return np.concatenate(targets)
