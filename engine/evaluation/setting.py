"""What is evaluated: a model, windows, the question asked of it, and the features; and maps by any method."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import Any

import numpy as np

from ..composite import Composite, composite
from ..errors import InputError
from ..explainer import Explainer
from ..methods import integrated_gradients
from ..steps import step
from .features import Features
from .replacement import Replacement, Transplant

Array = np.ndarray[Any, Any]
Method = str | Composite

INTEGRATED, OCCLUSION = "integrated_gradients", "occlusion"
METHODS = ("attnlrp", "cplrp", "cplrp_pooled", INTEGRATED, OCCLUSION)

BATCH = 64
STEPS = 32  # of integrated gradients


@dataclass(frozen=True, eq=False)
class Setting:
    """A model and its windows.

    Attributes
    ----------
    explainer : Explainer
        Its composite is not looked at, only its model.
    x : ndarray, shape (window, *input)
    features : Features
    target : object
        As for `Explainer`; fixed to classes by `settle`.
    contrast : str or None
    name : str
        The input; "" where there is only one.
    batch : int
        Windows that the model runs on at a time.
    seed : int
    known : dict
        Explainers that were made for other composites and files.
    """

    explainer: Explainer
    x: Array
    features: Features
    target: Any = "predicted"
    contrast: str | None = "rest"
    name: str = ""
    batch: int = BATCH
    seed: int = 0
    known: dict[Any, Explainer] = field(default_factory=dict, repr=False)

    def __post_init__(self) -> None:
        names = list(self.explainer.inputs)
        if len(names) != 1:
            raise InputError(
                f"{self.explainer.path}: has the inputs {', '.join(names)}; "
                "only a model of one can be evaluated"
            )
        if self.x.dtype.kind != "f":
            raise InputError(f"input {names[0]!r}: {self.x.dtype} values have nothing to be replaced with")
        if isinstance(self.target, str) and self.target == "all":
            raise InputError("target all: an evaluation follows one number a window; name a class")

    def __len__(self) -> int:
        return len(self.x)

    @property
    def input(self) -> str:
        """The model's input."""
        return self.name or next(iter(self.explainer.inputs))

    def settled(self) -> Setting:
        """The same with what the model says of the windows as they are for "predicted"."""
        if not (isinstance(self.target, str) and self.target == "predicted"):
            return self
        size = self.fixed or len(self)
        found = []
        for start in range(0, len(self), size):
            x = np.resize(self.x[start : start + size], (size, *self.x.shape[1:]))
            first = self.explainer(x, target=self.target, contrast=self.contrast)
            found.append(np.asarray(first.target)[: len(self) - start])
        return replace(self, target=np.concatenate(found))

    def some(self, rows: Array) -> Setting:
        """The same with some of the windows."""
        return replace(self, x=self.x[rows], target=self._target(rows))

    @cached_property
    def explained(self) -> Array:
        """What is explained of each window, shape (window,)."""
        return self.value(self.x, np.arange(len(self)))

    @cached_property
    def outputs(self) -> int:
        """How many numbers the explained output has for a window."""
        few = self.fixed or 1
        first = self.explainer.predict(np.resize(self.x, (few, *self.x.shape[1:])))[self.explainer.output]
        return int(np.size(first)) // few

    def value(self, x: Array, rows: Array) -> Array:
        """The number that is followed, for changed windows.

        Parameters
        ----------
        x : ndarray, shape (n, *input)
        rows : ndarray of int, shape (n,)
            Which window each is.

        Returns
        -------
        ndarray, shape (n,), of float64
        """
        made = []
        size = self.fixed or self.batch
        for start in range(0, len(x), size):
            part = np.arange(start, min(start + size, len(x)))
            full = part if self.fixed is None else np.resize(part, size)  # such a file takes so many
            found = self.explainer.value(
                {self.input: x[full].astype(self.x.dtype, copy=False)},
                target=self._target(rows[full]),
                contrast=self.contrast,
            )
            made.append(found[..., : len(part)])
        return np.concatenate(made, axis=-1).astype(np.float64)

    @property
    def fixed(self) -> int | None:
        """How many windows the file takes at a time, where that is more than one and no choice."""
        first = self.explainer.inputs.by_name[self.input].shape[0]
        return first if isinstance(first, int) and first > 1 else None

    def maps(
        self,
        method: Method,
        *,
        x: Array | None = None,
        model: str | os.PathLike[str] | None = None,
        target: Any = None,
        contrast: str | None = "",
    ) -> Array:
        """Relevance of each group by a method.

        Parameters
        ----------
        method : str or Composite
            A composite's name, a Composite, "integrated_gradients" (from 0, 32 steps), or "occlusion": the
            fall of what is explained when one group is transplanted from other windows (mean over donors).
        x : ndarray, shape (window, *input), optional
            Changed windows.
        model : path-like, optional
            Another file of the same shape: a copy with other weights.
        target, contrast : optional
            Another question.

        Returns
        -------
        ndarray, shape (window, group)
        """
        at = replace(
            self,
            x=self.x if x is None else x.astype(self.x.dtype, copy=False),
            target=self.target if target is None else target,
            contrast=self.contrast if contrast == "" else contrast,
            explainer=self.explainer if model is None else self._other(model),
            known=self.known if model is None else {},
        )
        if method == OCCLUSION:
            return at._occluded()
        made = []
        explain = at._under("gradient" if method == INTEGRATED else method)
        for start in range(0, len(at), at.batch):
            step(f"explaining by {said(method)}", start / len(at))
            rows = np.arange(start, min(start + at.batch, len(at)))
            feed, own = {at.input: at.x[rows]}, at._target(rows)
            if method == INTEGRATED:
                a = integrated_gradients(explain, feed, target=own, contrast=at.contrast, steps=STEPS)
            else:
                a = explain(feed, target=own, contrast=at.contrast)
            if at.input not in a.relevance:
                raise InputError(f"input {at.input!r}: the explained output does not depend on it")
            m = None if at.input in a.unassigned else a.multiplier.get(at.input)
            made.append(at.features.relevance(at.x[rows], a.relevance[at.input], m))
        return np.concatenate(made)

    def _occluded(self) -> Array:
        # Other donors than those of the curves: the map must not know what it will be tested with.
        filling: Replacement = Transplant(self.features, self.x, donors=4, seed=self.seed + 1)
        n, groups = len(self), len(self.features.names)
        out = np.zeros((n, groups))
        rows = np.arange(n)
        for group in range(groups):
            step("occluding features", group / groups)
            gone = np.zeros((n, groups), dtype=bool)
            gone[:, group] = True
            for draw in range(filling.draws):
                out[:, group] += self.value(filling(self.x, rows, gone, draw), rows)
        return self.explained[:, None] - out / filling.draws

    def _under(self, method: Method) -> Explainer:
        rules = composite(method)
        if rules == self.explainer.composite:
            return self.explainer
        key = repr(rules)
        if key not in self.known:
            self.known[key] = self.explainer.with_composite(rules)
        return self.known[key]

    def _target(self, rows: Array) -> Any:
        one_each = isinstance(self.target, np.ndarray | list) and len(self.target) == len(self)
        return np.asarray(self.target)[rows] if one_each else self.target

    def _other(self, model: str | os.PathLike[str]) -> Explainer:
        own = self.explainer
        return Explainer(
            model, own.composite, backend=own.backend, output=own.output, contract=own.contract, ledger=False
        )


def said(method: Method) -> str:
    """A method's name."""
    return method.name if isinstance(method, Composite) else method


def named(methods: Mapping[str, Method] | tuple[Method, ...]) -> dict[str, Method]:
    """Methods by name.

    Raises
    ------
    InputError
        None is given, or a name stands twice.
    """
    if isinstance(methods, Mapping):
        found = dict(methods)
    else:
        found = {said(m): m for m in methods}
        if len(found) != len(methods):
            raise InputError("a method stands twice; leave one out, or give one of them another name")
    if not found:
        raise InputError(f"no method to evaluate; e.g. {', '.join(METHODS)}")
    return found
