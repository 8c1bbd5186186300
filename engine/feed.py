"""From what a user gives to what onnxruntime takes, with every mismatch told in one line."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import onnxruntime as ort

from . import runtime
from .errors import InputError, ModelError
from .probe import Probe

Array = np.ndarray[Any, Any]

# Samples carried back at once: more cost memory and gain no speed.
MICRO_BATCH = 4


@dataclass(frozen=True)
class Input:
    """A declared input.

    Attributes
    ----------
    name : str
    dtype : dtype or None
        None for what is no numeric tensor.
    shape : tuple
        An int where a dimension is fixed, a name or None where it is open.
    """

    name: str
    dtype: np.dtype[Any] | None
    shape: tuple[Any, ...]

    @property
    def open(self) -> bool:
        """Whether any number of rows is taken."""
        return bool(self.shape) and not isinstance(self.shape[0], int)

    @property
    def has_rows(self) -> bool:
        """Whether the first axis counts rows: open, or fixed at one and fed row by row."""
        return bool(self.shape) and (self.open or self.shape[0] == 1)

    def array(self, value: Any, where: str) -> Array:
        """The value as this input's type, checked.

        Raises
        ------
        InputError
            Shape, type or values do not fit.
        """
        if self.dtype is None:
            raise ModelError(f"{where}: input {self.name!r} is not a numeric tensor")
        array = np.asarray(value)
        if array.dtype.kind not in "fiub":
            raise InputError(f"input {self.name!r} must be numeric, not {array.dtype}")
        fits = len(self.shape) == array.ndim and all(
            not isinstance(want, int) or want == got or (axis == 0 and want == 1)
            for axis, (want, got) in enumerate(zip(self.shape, array.shape, strict=True))
        )
        if not fits:
            want = "[" + ", ".join(str(d) if isinstance(d, int) else (d or "any") for d in self.shape) + "]"
            raise InputError(f"input {self.name!r} has shape {list(array.shape)}; {where} wants {want}")
        if array.size == 0:
            raise InputError(f"input {self.name!r} is empty (shape {list(array.shape)})")
        if array.dtype.kind == "f" and not np.isfinite(array).all():
            raise InputError(f"input {self.name!r} has NaN or infinite values")
        if self.dtype.kind in "iu" and array.dtype.kind == "f" and (array != np.round(array)).any():
            raise InputError(f"input {self.name!r} takes whole numbers ({self.dtype})")
        return np.ascontiguousarray(array, dtype=self.dtype)


class Inputs:
    """The inputs of a model.

    Parameters
    ----------
    session : onnxruntime.InferenceSession
    where : str
        The file, for messages.
    """

    def __init__(self, session: ort.InferenceSession, where: str) -> None:
        self.where = where
        self.by_name = {
            i.name: Input(i.name, runtime.numpy_dtype(i.type), tuple(i.shape)) for i in session.get_inputs()
        }

    def __iter__(self) -> Iterator[str]:
        return iter(self.by_name)

    def feed(self, x: Any) -> dict[str, Array]:
        """What to run the model on.

        Parameters
        ----------
        x : ndarray, or dict of input name to ndarray

        Raises
        ------
        InputError
            Names, shapes, types or values do not fit.
        """
        names = ", ".join(self.by_name)
        if not isinstance(x, Mapping):
            if len(self.by_name) != 1:
                raise InputError(f"{self.where} has {len(self.by_name)} inputs; give a dict with {names}")
            x = {next(iter(self.by_name)): x}
        problems = [f"input {n!r} is missing" for n in self.by_name if n not in x]
        problems += [f"no input {n!r}" for n in x if n not in self.by_name]
        if problems:
            raise InputError(f"{self.where}: {'; '.join(problems)}; its inputs are {names}")
        feed = {name: known.array(x[name], self.where) for name, known in self.by_name.items()}
        rows = {name: len(a) for name, a in feed.items() if self.by_name[name].open}
        if len(set(rows.values())) > 1:
            counts = ", ".join(f"{n}: {k}" for n, k in rows.items())
            raise InputError(f"{self.where}: the inputs have different numbers of rows ({counts})")
        return feed

    def signature(self, feed: Mapping[str, Array]) -> tuple[Any, ...]:
        """What the shapes inside the model depend on: the inputs' shapes without their open rows."""
        return tuple((n, a.shape[1:] if self.by_name[n].open else a.shape) for n, a in feed.items())

    def example(self, feed: Mapping[str, Array]) -> dict[str, Array]:
        """Enough of a feed to probe the model with."""
        out = {}
        for name, a in feed.items():
            known = self.by_name[name]
            out[name] = a[:64] if known.open else a[:1] if known.has_rows else a
        return out

    def pieces(self, probe: Probe, feed: dict[str, Array]) -> list[tuple[slice, dict[str, Array]]]:
        """Micro-batches, and which samples each one has.

        Raises
        ------
        InputError
            The rows do not make whole samples, or whole batches where the file fixes the batch size.
        """
        rows = max((len(a) for n, a in feed.items() if self.by_name[n].has_rows), default=1)
        if probe.fixed:
            size = probe.batch * probe.rows
            if rows % size:
                raise InputError(f"{self.where} takes {size} rows at a time; {rows} were given")
        else:
            if rows % probe.rows:
                raise InputError(f"{self.where} makes one sample of {probe.rows} rows; {rows} were given")
            # Rows of one sample need not be neighbours: then everything goes at once.
            size = MICRO_BATCH if probe.rows == 1 and self._rows_come_first(probe, feed) else rows
        if rows == size:
            return [(slice(0, rows // probe.rows), feed)]
        pieces = []
        for start in range(0, rows, size):
            stop = min(start + size, rows)
            piece = {n: a[start:stop] if self.by_name[n].has_rows else a for n, a in feed.items()}
            pieces.append((slice(start // probe.rows, stop // probe.rows), piece))
        return pieces

    @staticmethod
    def _rows_come_first(probe: Probe, feed: Mapping[str, Array]) -> bool:
        """Whether what comes out for several micro-batches can be joined along the first axis."""
        ends = [*feed, *probe.outputs]
        layouts = [(probe.layouts.get(n), len(probe.shapes[n])) for n in ends if n in probe.shapes]
        return all(layout is None or (layout.axis == -rank and layout.outer == 1) for layout, rank in layouts)


def of_samples(target: Any, at: slice, samples: int) -> Any:
    """The part of a target that belongs to some of the samples, where it has one for each.

    Raises
    ------
    InputError
        It has more or fewer than there are samples.
    """
    if isinstance(target, (str, int, np.integer, tuple, Mapping)):
        return target
    try:
        given = len(target)
    except TypeError:
        return target
    if given != samples and isinstance(target, np.ndarray) and target.dtype.kind == "f":
        raise InputError(f"a target array must have the output's shape: {given} rows for {samples} samples")
    if given != samples:
        raise InputError(f"{given} targets for {samples} samples; give one target, or one a sample")
    return target[at]


def joined_targets(targets: Sequence[Any], several: bool) -> Any:
    """The targets of several micro-batches as one."""
    if len(targets) == 1 or several or not isinstance(targets[0], np.ndarray):
        return targets[0]
    return np.concatenate(targets)
