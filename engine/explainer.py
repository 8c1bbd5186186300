"""`Explainer`: a model file in, explanations of its outputs out."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import onnx

from .attribution import MAX_CLOSURE, Attribution
from .composite import Composite
from .composite import composite as find_composite
from .contract import InputContract
from .errors import InputError
from .file.filling import filled
from .file.landmarks import last_features
from .file.load import load
from .file.runtime import Runtime
from .plan.plans import Plans
from .plan.references import References, references
from .plan.request import Request
from .plan.results import (
    NotClosedError,
    NotFiniteError,
    Part,
    attribution,
    averaged,
    check_closure,
    explained,
    picked,
)
from .plan.source import Source
from .plan.targets import ask

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
        What runs the backward pass: numpy, onnxruntime on a graph made for it, or that where it can be made.
    providers : sequence of str, optional
        onnxruntime execution providers for the forward pass.
    threads : int, optional
        Threads of onnxruntime.
    output : str, optional
        The output to explain; the contract's, or the first floating one.
    contract : InputContract, optional
        In the place of the one in the file's metadata: names of classes, and which output they are of. Inputs
        that it fills with constants are none that have to be given.
    ledger : bool
        Whether to account for relevance that does not reach an input.
    at : sequence of str
        Inner tensors (attention weights, the output of a layer) and constants (a position embedding)
        whose relevance is wanted, by name, or "re:" and a regular expression that the whole name matches.
    max_closure : float, optional
        How far relevance and ledger may be from what was explained, relative (`Attribution.closure`): beyond
        it an explanation is refused, with the node at which the account opens. None lets everything pass that
        is finite; without a ledger there is nothing to look at.
    logits : bool
        Whether the logit is explained where the model ends in a softmax or sigmoid; False explains the output
        itself, in which a class is mixed with its rivals.
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
    at : tuple of str
    logits : bool

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
        max_closure: float | None = MAX_CLOSURE,
        logits: bool = True,
        **parameters: Any,
    ) -> None:
        if backend not in BACKENDS:
            raise InputError(f"unknown backend {backend!r}; known: {', '.join(BACKENDS)}")
        if threads is not None and (isinstance(threads, bool) or threads < 1):
            raise InputError(f"threads must be at least 1, not {threads}")
        self.composite = find_composite(composite, parameters)
        self._is_difference = self.composite.is_difference
        if max_closure is not None and not max_closure > 0:
            raise InputError(f"max_closure must be more than 0, not {max_closure}")
        self.max_closure = max_closure
        loaded = load(model)
        self.path, self.sha256, self.contract = Path(model), loaded.sha256, contract or loaded.contract
        if self.contract is not None and (values := self.contract.constants()):
            loaded = filled(loaded, self.contract.input, values)
        runtime = Runtime(str(self.path), providers, threads)
        self._source = Source(loaded.proto, runtime)
        self._request = Request.of(
            loaded.proto,
            self._source.session,
            runtime,
            self.composite,
            output or (self.contract.output if self.contract else None),
            ledger=ledger,
            at=(at,) if isinstance(at, str) else tuple(at),
            backend=backend,
            logits=logits,
            identity=loaded.identity,
        )
        self._plans = Plans(self._request, self._source)
        self._classes = self.contract.names if self.contract else ()
        self._inner: Any = None
        self.inputs, self.output, self.backend = self._request.inputs, self._request.output, backend
        self.at, self.logits = self._request.at, logits

    def __call__(
        self,
        x: Array | Mapping[str, Array],
        target: Any = "predicted",
        contrast: str | None = None,
        *,
        reference: Array | Mapping[str, Array] | References | None = None,
    ) -> Attribution:
        """Explain a batch.

        Parameters
        ----------
        x : ndarray, or dict of input name to ndarray
            Batch first.
        target : object
            An int; one int a sample; "predicted"; a class name of the contract; {class: weight}; an index
            tuple for dense outputs; "all"; or an array of the output's shape, or K of them.
        contrast : {"rest", None}
            "rest" explains the class against the mean of the others.
        reference : ndarray, or dict of input name to ndarray
            For the composite `difference`: what the batch is explained against. One window; as many as the
            batch has, one for each; or a set [n, ...] that all are held against (of as many as the batch has:
            [n, 1, ...]). "predicted" is what the model says of x.

        Returns
        -------
        Attribution
            Of a difference, relevance sums to what is explained at x less its mean over the references.

        Raises
        ------
        InputError
            The input or the target does not fit the model.
        UnsupportedOperator
            A node between input and output has no rule.
        ModelError
            The output is not finite, the model cannot run on this input, or relevance and ledger do not add
            up to what was explained.
        """
        feed, where = self.inputs.checked(x), str(self.path)
        axes, name = self.inputs.axes(feed), self.composite.name
        against = None
        if self._is_difference or reference is not None:
            against = self._against(reference, feed)
        # For each reference, the micro-batches held against it.
        parts: dict[int, list[Part]] = {}
        for run in self._plans.runs(feed):
            facts, y = run.plan.facts, run.values[run.plan.facts.target]
            asked = ask(y, target, contrast, self._classes, run.samples, run.of)
            for i in range(len(against) if against else 1):
                there, pair = against.values(run, i) if against else (None, None)
                result = run.plan.runner.backward(run.values, asked.seed, run.batch, pair)
                own = None if pair is None else pair[facts.target]
                part = Part(facts, run.feed, run.outputs, y, asked, result, run.batch, there, own)
                parts.setdefault(i, []).append(part)
        try:
            each = [attribution(of, axes, name, where) for of in parts.values()]
            if self.max_closure is not None and self._request.ledger:
                for one, of in zip(each, parts.values(), strict=True):
                    check_closure(one, of, where, self.max_closure)
        except (NotFiniteError, NotClosedError) as error:
            from .plan.blame import named

            raise named(error, self._request) from None
        made = each[0] if against is None else averaged(each)
        return replace(made, contract=self.contract)

    def references(
        self, reference: Array | Mapping[str, Array], x: Array | Mapping[str, Array]
    ) -> References:
        """References to give to several calls, so that their forward passes are made once for all.

        Parameters
        ----------
        reference : ndarray, or dict of input name to ndarray
            A set, or one window, as for a call.
        x : ndarray, or dict of input name to ndarray
            A batch of the kind that will be explained; one row is enough.

        Returns
        -------
        References
            To be given as ``reference=``.

        Raises
        ------
        InputError
            They do not fit the model.
        """
        return references(self.inputs, reference, self.inputs.checked(x), str(self.path))

    def _against(self, reference: Any, feed: Mapping[str, Array]) -> References | None:
        """What a difference is explained against."""
        if not self._is_difference:
            if reference is not None:
                raise InputError(
                    f"composite {self.composite.name!r} explains against zero; with a reference: "
                    "composite='difference'"
                )
            return None
        if reference is None:
            raise InputError(
                f"composite {self.composite.name!r} explains a difference: give reference=, windows of the "
                "same shape to hold these against (some that the model calls otherwise, or a rest condition)"
            )
        if isinstance(reference, References):
            reference.check(dict(feed))
            return reference
        return references(self.inputs, reference, dict(feed), str(self.path))

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
        feed, where = self.inputs.checked(x), str(self.path)
        chosen = self._plans.choose(feed)
        facts, total = chosen.plan.facts, chosen.cuts[-1][0].stop
        if facts.mode == "open" and facts.rows == 1 and facts.target in self._request.outputs:
            y = self._predict(feed)[facts.target]
            asked = ask(y, target, contrast, self._classes, slice(0, total), total)
            made = [(facts, picked(y, asked.seed), total)]
        else:
            made = []
            for run in self._plans.runs(feed, chosen):
                facts, y = run.plan.facts, run.values[run.plan.facts.target]
                asked = ask(y, target, contrast, self._classes, run.samples, run.of)
                made.append((facts, picked(y, asked.seed), run.batch))
        joined = explained(made, where)
        return joined if asked.several else joined[0]

    def predict(self, x: Array | Mapping[str, Array]) -> dict[str, Array]:
        """The model's own outputs for a batch, by name."""
        return self._predict(self.inputs.checked(x))

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
        name = last_features(self._request.proto, self.output)
        if name is None:
            return None
        if self._inner is None:
            proto = onnx.ModelProto()
            proto.CopyFrom(self._request.proto)
            if name not in {o.name for o in proto.graph.output}:
                proto.graph.output.append(onnx.ValueInfoProto(name=name))
            self._inner = self._request.runtime.session(proto)
        return self._request.runtime.run(self._inner, [name], self.inputs.checked(x))[0]

    def with_options(self, **options: Any) -> Explainer:
        """The same model, opened anew with other arguments of `Explainer`; the rest stay as they are."""
        request = self._request
        own = {
            "composite": self.composite,
            "backend": self.backend,
            "providers": request.runtime.providers,
            "threads": request.runtime.threads,
            "output": self.output,
            "contract": self.contract,
            "ledger": request.ledger,
            "at": self.at,
            "max_closure": self.max_closure,
            "logits": self.logits,
        }
        return Explainer(self.path, **{**own, **options})

    def with_composite(self, composite: str | Composite, **parameters: Any) -> Explainer:
        """The same model and options under another composite."""
        return self.with_options(composite=composite, **parameters)

    def with_contract(self, contract: InputContract) -> Explainer:
        """The same model and options under another contract, whose constants fill its further inputs."""
        return self.with_options(contract=contract)

    def _predict(self, feed: Mapping[str, Array]) -> dict[str, Array]:
        request = self._request
        made = request.runtime.run(self._source.session, request.outputs, feed)
        return dict(zip(request.outputs, made, strict=True))
