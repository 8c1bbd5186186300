"""What is evaluated: a model, windows, the question asked of it, and the features; and maps by any method."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import Any

import numpy as np

from ..attribution import Attribution
from ..composite import Composite, composite
from ..errors import InputError
from ..explainer import Explainer
from ..methods import expected_gradients, integrated_gradients
from ..steps import step
from .features import Features
from .references import OTHER, Against, Held, one_number
from .replacement import Partners, Replacement, Transplant

Array = np.ndarray[Any, Any]
Method = str | Composite

INTEGRATED, OCCLUSION = "integrated_gradients", "occlusion"
DIFFERENCE, EXPECTED, EXCHANGE = "difference", "expected_gradients", "exchange"
# Against zero, or taking away; and against reference windows.
AGAINST_ZERO = ("attnlrp", "cplrp", "cplrp_pooled", INTEGRATED, OCCLUSION)
AGAINST_OTHERS = (DIFFERENCE, EXPECTED, EXCHANGE)
METHODS = (*AGAINST_ZERO, *AGAINST_OTHERS)
# Those that are no composites.
OTHERS = (INTEGRATED, OCCLUSION, EXPECTED, EXCHANGE)

BATCH = 64
STEPS = 32  # of integrated gradients
DONORS = 4


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
    against : Against
        Which windows those are held against, for methods that explain a difference.
    donors : int
        Other windows that curves transplant features from (`Transplant` with this setting's seed): a window
        is not held against its donors.
    column : int or None
        Of outputs that are numbers, and no choice between classes, the one that is explained.
    holding : Held or None
        The references, where they are chosen already.
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
    against: Against = field(default_factory=Against)
    donors: int = DONORS
    column: int | None = None
    holding: Held | None = field(default=None, repr=False)
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
        # What the model says depends on no rules; a difference could not be had without references.
        explain = self._under("gradient") if self.explainer.composite.is_difference else self.explainer
        found = []
        for start in range(0, len(self), size):
            x = np.resize(self.x[start : start + size], (size, *self.x.shape[1:]))
            first = explain(x, target=self.target, contrast=self.contrast)
            found.append(np.asarray(first.target)[: len(self) - start])
        return replace(self, target=np.concatenate(found))

    def some(self, rows: Array) -> Setting:
        """The same with some of the windows."""
        return replace(
            self,
            x=self.x[rows],
            target=self._target(rows),
            against=self.against.some(rows),
            holding=None,
        )

    def held_against(self, against: Against) -> Setting:
        """The same, held against other windows."""
        return replace(self, against=against, holding=None)

    @cached_property
    def held(self) -> Held:
        """What each window is held against: as `against` says, by what the model gives for them."""
        if self.holding is not None:
            return self.holding
        n = len(self)
        if n < 2 and self.against.beside is None:
            raise InputError(f"{n} window: there is none to hold it against; give two or more")
        step("choosing what windows are held against")
        outputs = self._outputs(self.against.candidates(self.x)) if self.against.which == OTHER else None
        if outputs is not None and self.column is not None:
            outputs = one_number(outputs, self.column)
        tested = np.zeros((n, 0), dtype=np.int64)
        if n > 1:
            tested = Transplant(self.features, self.x, donors=self.donors, seed=self.seed).donors
        return self.against.held(self.x, outputs, tested, self.seed)

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

    def _outputs(self, x: Array) -> Array:
        """What the model gives for windows, shape (window, ...)."""
        first, found = self.explainer.inputs.by_name[self.input].shape[0], []
        size = first if isinstance(first, int) else self.batch  # some files take so many and no others
        for start in range(0, len(x), size):
            part = x[start : start + size]
            full = np.resize(part, (size, *x.shape[1:])) if isinstance(first, int) else part
            made = self.explainer.predict({self.input: full})
            y = made.get(self.explainer.output, next(iter(made.values())))
            found.append(np.asarray(y)[: len(part)])
        return np.concatenate(found)

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
            A composite's name, a Composite; "integrated_gradients" (from 0, 32 steps); "expected_gradients"
            (from the references, 8 steps each); "occlusion": the fall of what is explained when one group is
            transplanted from other windows (mean over donors); or "exchange": the same with the references.
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
        paired = holds(method)
        at = replace(
            self,
            x=self.x if x is None else x.astype(self.x.dtype, copy=False),
            target=self.target if target is None else target,
            contrast=self.contrast if contrast == "" else contrast,
            explainer=self.explainer if model is None else self._other(model),
            # Changed windows and other weights are held against what these are.
            holding=self.held if paired else self.holding,
            known=self.known if model is None else {},
        )
        if method in (OCCLUSION, EXCHANGE):
            return at._taken_away(str(method))
        made = []
        for start in range(0, len(at), at.batch):
            step(f"explaining by {said(method)}", start / len(at))
            rows = np.arange(start, min(start + at.batch, len(at)))
            a = at._explained(method, rows, at.held.of(rows) if paired else None)
            if at.input not in a.relevance:
                raise InputError(f"input {at.input!r}: the explained output does not depend on it")
            made.append(np.mean([at._grouped(each, rows) for each in a.per_reference], axis=0))
        return np.concatenate(made)

    def _explained(self, method: Method, rows: Array, held: Array | None) -> Attribution:
        feed, own = {self.input: self.x[rows]}, self._target(rows)
        explain = self._under("gradient" if method in (INTEGRATED, EXPECTED) else method)
        if method == INTEGRATED:
            return integrated_gradients(explain, feed, target=own, contrast=self.contrast, steps=STEPS)
        against = None if held is None else {self.input: held}
        if method == EXPECTED:
            assert against is not None
            return expected_gradients(explain, feed, target=own, contrast=self.contrast, reference=against)
        return explain(feed, target=own, contrast=self.contrast, reference=against)

    def _grouped(self, a: Attribution, rows: Array) -> Array:
        """Relevance of each group, against zero or one reference."""
        name, x = self.input, self.x[rows]
        m = None if name in a.unassigned else a.multiplier.get(name)
        if a.reference is not None:
            x = x.astype(np.float64) - a.reference[name]
        return self.features.relevance(x, a.relevance[name], m)

    def _taken_away(self, method: str) -> Array:
        """How far the number falls with each group alone."""
        filling: Replacement
        if method == EXCHANGE:
            filling = Partners(self.features, self.held.data, self.held.index)
        else:  # Other donors than those of the curves: the map must not know what it will be tested with.
            filling = Transplant(self.features, self.x, donors=4, seed=self.seed + 1)
        n, groups = len(self), len(self.features.names)
        out = np.zeros((n, groups))
        rows = np.arange(n)
        for group in range(groups):
            step("occluding features" if method == OCCLUSION else "exchanging features", group / groups)
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


def holds(method: Method) -> bool:
    """Whether a method holds windows against others."""
    if isinstance(method, str) and method in OTHERS:
        return method in AGAINST_OTHERS
    return composite(method).is_difference


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
