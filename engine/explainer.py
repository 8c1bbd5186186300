"""`Explainer`: a model file in, explanations of its outputs out."""

from __future__ import annotations

import os
from collections.abc import Collection, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import onnx

from .attribution import Attribution
from .composite import Composite
from .composite import composite as find_composite
from .contract import InputContract
from .errors import InputError, ModelError
from .file import runtime
from .file.landmarks import last_features
from .file.load import load
from .plan.inputs import Inputs, of_samples
from .plan.parity import check_parity, spread_of
from .plan.ready import Ready, readied
from .plan.request import Task
from .plan.results import Part, assemble, per_sample
from .plan.targets import seed_for
from .steps import step

Array = np.ndarray[Any, Any]

BACKENDS = ("auto", "numpy", "onnx")


class Explainer:
    """Explains the outputs of an ONNX model.

    Parameters
    ----------
    model : path-like
        The file that is deployed is the file that is explained.
    composite : str or Composite
        Which rules: a preset's name (see `composites`) or a composite of one's own.
    backend : {"auto", "numpy", "onnx"}
        What runs the way back: numpy, onnxruntime on a graph made for it, or that where it can be made.
    providers : sequence of str, optional
        onnxruntime execution providers for the forward pass.
    threads : int, optional
        Threads of onnxruntime.
    output : str, optional
        The output to explain; the contract's, or the first floating one.
    contract : InputContract, optional
        In the place of the one in the file's metadata: names of classes, and which output they are of.
    ledger : bool
        Whether to account for relevance that does not reach an input.
    at : sequence of str
        Inner tensors (attention weights, the output of a layer) and constants (a position embedding)
        whose relevance is wanted, by name, or "re:" and a regular expression that the whole name matches.
    **parameters : float
        Of the composite, e.g. ``epsilon=1e-6``.

    Attributes
    ----------
    path : Path
    sha256 : str
        Of the file.
    contract : InputContract or None
        The input contract: the one given, or the one in the file's metadata.
    inputs : Inputs
    output : str
        The output that is explained.
    composite : Composite

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
        contract: InputContract | None = None,
        ledger: bool = True,
        at: Sequence[str] = (),
        **parameters: Any,
    ) -> None:
        if backend not in BACKENDS:
            raise InputError(f"unknown backend {backend!r}; known: {', '.join(BACKENDS)}")
        if threads is not None and (isinstance(threads, bool) or threads < 1):
            raise InputError(f"threads must be at least 1, not {threads}")
        self.composite = find_composite(composite, parameters)
        loaded = load(model)
        self.path, self.sha256, self.contract = Path(model), loaded.sha256, contract or loaded.contract
        self._where = str(self.path)
        self._proto, self._identity = loaded.proto, loaded.identity
        self._providers, self._threads, self._ledger = providers, threads, ledger
        self._at = (at,) if isinstance(at, str) else tuple(at)
        self._session = runtime.session(self._proto, where=self._where, asked=providers, threads=threads)
        self.inputs = Inputs(self._session, self._where)
        outputs = {o.name: runtime.numpy_dtype(o.type) for o in self._session.get_outputs()}
        self.output = default_output(
            outputs,
            output or (self.contract.output if self.contract else None),
            self._where,
            zip_maps(self._proto),
        )
        self._outputs = list(outputs)
        self._inner: Any = None
        self._prepared: dict[Any, list[Ready]] = {}
        self._task = Task(
            self._proto,
            self._where,
            self.inputs,
            self.output,
            self.composite,
            ledger,
            self._at,
            providers,
            threads,
            backend,
        )
        self.backend = backend

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
        feed = self.inputs.feed(x)
        known = self._ready(feed)
        ready = known[0]
        pieces = self._pieces(ready, feed)
        parts = []
        for done, (at, piece) in enumerate(pieces):
            step("explaining", done / len(pieces))
            own = target if len(pieces) == 1 else of_samples(target, at, pieces[-1][0].stop)
            if done:
                del known  # before others are computed: activations are what takes memory
                known = self._ready(piece)
            parts.append(self._part(piece, own, at, contrast, known))
        made = assemble(
            parts, self.inputs, self._outputs, composite=self.composite.name, notes=ready.facts.notes
        )
        if not all(np.isfinite(r).all() for r in made.relevance.values()):
            raise ModelError(
                f"{self._where}: relevance is not finite under composite {self.composite.name!r}"
            )
        return made

    def value(
        self, x: Array | Mapping[str, Array], target: Any = "predicted", contrast: str | None = None
    ) -> Array:
        """The number that would be explained, without explaining it: the forward pass alone.

        Parameters
        ----------
        x, target, contrast
            As for a call.

        Returns
        -------
        ndarray, shape (batch,) or (K, batch)
            What `Attribution.explained` of the same call has.

        Raises
        ------
        OnnxplainError
            As for a call.
        """
        feed = self.inputs.feed(x)
        known = self._ready(feed)
        facts = known[0].facts
        if facts.mode == "open" and facts.rows == 1 and facts.target in self._outputs:
            rows = self.inputs.rows(feed)
            y = self._predict(feed)[facts.target]
            return self._value(known[0], y, target, contrast, rows)
        pieces = self._pieces(known[0], feed)
        made: list[Array] = []
        for at, piece in pieces:
            ready, values = known if not made else self._ready(piece)
            own = target if len(pieces) == 1 else of_samples(target, at, pieces[-1][0].stop)
            y = values[ready.facts.target]
            made.append(self._value(ready, y, own, contrast, at.stop - at.start))
        return np.concatenate(made, axis=-1)

    def predict(self, x: Array | Mapping[str, Array]) -> dict[str, Array]:
        """The model's own outputs for a batch, by name."""
        return self._predict(self.inputs.feed(x))

    def features(self, x: Array | Mapping[str, Array]) -> Array | None:
        """What the last layer with weights before the output reads, for a batch.

        Parameters
        ----------
        x : ndarray or mapping of str to ndarray

        Returns
        -------
        ndarray or None
            None where no such layer is found.
        """
        name = last_features(self._proto, self.output)
        if name is None:
            return None
        if self._inner is None:
            proto = onnx.ModelProto()
            proto.CopyFrom(self._proto)
            if name not in {o.name for o in proto.graph.output}:
                proto.graph.output.append(onnx.ValueInfoProto(name=name))
            self._inner = runtime.session(
                proto, where=self._where, asked=self._providers, threads=self._threads
            )
        return runtime.run(self._inner, [name], self.inputs.feed(x), where=self._where)[0]

    def with_composite(self, composite: str | Composite, **parameters: Any) -> Explainer:
        """The same model and options under another composite."""
        return Explainer(
            self.path,
            composite,
            self.backend,
            providers=self._providers,
            threads=self._threads,
            output=self.output,
            contract=self.contract,
            ledger=self._ledger,
            at=self._at,
            **parameters,
        )

    def _predict(self, feed: Mapping[str, Array]) -> dict[str, Array]:
        made = runtime.run(self._session, self._outputs, feed, where=self._where)
        return dict(zip(self._outputs, made, strict=True))

    def _pieces(self, ready: Ready, feed: dict[str, Array]) -> list[tuple[slice, dict[str, Array]]]:
        return self.inputs.pieces(ready.facts, feed, alone=bool(ready.facts.constants))

    def _ready(self, feed: dict[str, Array]) -> tuple[Ready, Any]:
        """What is worked out for inputs like this one, and what the model gives for its first piece."""
        candidates = [
            ready
            for rows in (False, True)
            for ready in self._prepared.get(self.inputs.signature(feed, rows=rows), ())
        ]
        for ready in candidates:
            try:
                values = ready.runner.forward(self._pieces(ready, feed)[0][1])
            except ModelError:
                # Steps written out for another length cannot be run; whether the file can is seen below.
                if not ready.facts.decisions:
                    raise
                continue
            if ready.facts.holds(values):
                return ready, values
        ready = readied(self._task, feed, self._identity)
        first = self._pieces(ready, feed)[0][1]
        step("checking the instrumented model")
        values = ready.runner.forward(first)
        spread = partial(spread_of, self._session, self._proto, first, self._where)
        own = self._predict(first)
        check_parity(own, values, self._where, spread if ready.facts.approximate else None, self._proto)
        key = self.inputs.signature(feed, rows=ready.facts.by_rows)
        self._prepared.setdefault(key, []).append(ready)
        return ready, values

    def _part(
        self,
        feed: dict[str, Array],
        target: Any,
        at: slice,
        contrast: str | None,
        known: tuple[Ready, Any],
    ) -> Part:
        ready, values = known
        batch = at.stop - at.start
        y = values[ready.facts.target]
        classes = self.contract.classes if self.contract else ()
        seed, chosen, several = seed_for(y, target, contrast, classes, batch)
        result = ready.runner.backward(values, seed, batch)
        explained = self._explained(ready, y, seed, batch)
        outputs = {name: values[name] for name in self._outputs}  # all else that was computed can go
        return Part(ready.facts, feed, outputs, result, explained, chosen, several, batch)

    def _explained(self, ready: Ready, y: Array, seed: Array, batch: int) -> Array:
        """What the seed picks out of the explained tensor, [K, batch]."""
        # A masked class is -inf: what is not explained is not touched.
        amounts = np.where(seed == 0, 0, seed * np.where(seed == 0, 0, y))
        explained = per_sample(ready.facts, ready.facts.target, amounts, batch)
        if not np.isfinite(explained).all():
            raise ModelError(
                f"{self._where}: output {ready.facts.target!r} is not finite; nothing to explain"
            )
        return explained

    def _value(self, ready: Ready, y: Array, target: Any, contrast: str | None, batch: int) -> Array:
        classes = self.contract.classes if self.contract else ()
        seed, _, several = seed_for(y, target, contrast, classes, batch)
        explained = self._explained(ready, y, seed, batch)
        return explained if several else explained[0]


def zip_maps(proto: onnx.ModelProto) -> set[str]:
    """Outputs that a ZipMap made of scores: a list of dicts, explained at the scores."""
    return {o for n in proto.graph.node if n.op_type == "ZipMap" for o in n.output}


def default_output(
    outputs: Mapping[str, np.dtype[Any] | None], asked: str | None, where: str, maps: Collection[str] = ()
) -> str:
    """The output to explain: the one asked for, or the first floating one.

    Raises
    ------
    InputError
        There is no such output; the known ones are listed.
    ModelError
        No output is a floating tensor.
    """
    if asked is not None:
        if asked not in outputs:
            raise InputError(f"{where}: no output {asked!r}; known: {', '.join(outputs)}")
        return asked
    for name, dtype in outputs.items():
        if dtype is not None and dtype.kind == "f":
            return name
    for name in outputs:
        if name in maps:
            return name
    raise ModelError(f"{where}: none of the outputs ({', '.join(outputs)}) is a floating tensor")
