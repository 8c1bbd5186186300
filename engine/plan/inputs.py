"""From what a user gives to what onnxruntime takes, with every mismatch told in one line."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import onnxruntime as ort

from ..errors import InputError, ModelError
from ..file import runtime
from .facts import Facts

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
        """Whether the first axis takes any number of rows."""
        return bool(self.shape) and not isinstance(self.shape[0], int)

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
        # numpy makes an axis of what is a single number.
        return np.ascontiguousarray(array, dtype=self.dtype).reshape(array.shape)


class Inputs:
    """The inputs of a model.

    Parameters
    ----------
    session : onnxruntime.InferenceSession
    where : str
        The file, for messages.
    shapeless : collection of str
        Inputs of which the file gives no shape; onnxruntime shows them as single numbers.
    """

    def __init__(self, session: ort.InferenceSession, where: str, shapeless: Collection[str] = ()) -> None:
        self.where = where
        self.shapeless = frozenset(shapeless)
        self.by_name = {
            i.name: Input(i.name, runtime.numpy_dtype(i.type), tuple(i.shape)) for i in session.get_inputs()
        }

    def __iter__(self) -> Iterator[str]:
        return iter(self.by_name)

    def checked(self, x: Any) -> dict[str, Array]:
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
        for name in self.by_name:
            if name in self.shapeless:
                shape = ", ".join(["batch", *map(str, np.shape(x[name])[1:])])
                raise InputError(
                    f"{self.where}: the file gives input {name!r} no shape, so that nothing says which of "
                    f"its axes are open; export the model with the shape of {name!r}, such as [{shape}]"
                )
        return {name: known.array(x[name], self.where) for name, known in self.by_name.items()}

    def axes(self, feed: Mapping[str, Array]) -> dict[str, int | None]:
        """The axis of each input along which its rows lie; None where it is the same for all rows.

        Rows lie along the first axis where the file leaves it open, or along an axis of the same name (a
        recurrent state is often [layers, batch, units]). Inputs of different lengths are no rows of one
        batch: then there are none. A file fixed at one row is fed row by row.
        """
        known = self.by_name.values()
        if not any(i.open for i in known):
            return {i.name: 0 if i.shape and i.shape[0] == 1 else None for i in known}
        if len({len(feed[i.name]) for i in known if i.open}) > 1:
            return dict.fromkeys(self.by_name)
        names = {i.shape[0] for i in known if i.open and i.shape[0]}
        return {
            i.name: 0 if i.open else next((k for k, d in enumerate(i.shape) if d in names), None)
            for i in known
        }

    def signatures(self, feed: Mapping[str, Array]) -> tuple[Any, Any]:
        """What the shapes inside the model depend on: without the number of rows, and with it."""
        axes = self.axes(feed)
        some, own = [], []
        for name, a in feed.items():
            axis = axes[name]
            some.append((name, a.shape if axis is None else (*a.shape[:axis], *a.shape[axis + 1 :])))
            own.append((name, a.shape))
        return tuple(some), tuple(own)

    def rows(self, feed: Mapping[str, Array]) -> int:
        """How many rows a feed has.

        Raises
        ------
        InputError
            Its inputs have different numbers of them.
        """
        return self._rows(feed, self.axes(feed))

    def take(self, feed: Mapping[str, Array], start: int, stop: int) -> dict[str, Array]:
        """Some of a feed's rows."""
        return _taken(feed, self.axes(feed), start, stop)

    def micro_batches(self, facts: Facts, feed: dict[str, Array]) -> list[tuple[slice, dict[str, Array]]]:
        """Micro-batches, and which samples each one has.

        Parameters
        ----------
        facts : Facts
        feed : dict of str to ndarray

        Raises
        ------
        InputError
            The rows do not make whole samples, or whole batches where the file fixes the batch size.
        """
        axes = self.axes(feed)
        rows = self._rows(feed, axes)
        if facts.mode == "joint":
            return [(slice(0, 1), feed)]
        if facts.mode == "open":
            if rows % facts.rows:
                raise InputError(f"{self.where} makes one sample of {facts.rows} rows; {rows} were given")
            # What is asked for of a constant has no batch of its own: then each sample is explained alone.
            at_once = 1 if facts.constants else MICRO_BATCH
            # Rows of one sample need not be neighbours: then everything goes at once.
            size = at_once if facts.rows == 1 and _rows_come_first(facts, axes) else rows
        elif not any(axis is not None for axis in axes.values()):
            return [(slice(0, facts.batch), feed)]
        else:
            size = 1 if facts.mode == "single" else facts.batch * facts.rows
            if rows % size:
                raise InputError(f"{self.where} takes {size} rows at a time; {rows} were given")
        if rows == size:
            return [(slice(0, rows // facts.rows), feed)]
        cuts = [(start, min(start + size, rows)) for start in range(0, rows, size)]
        return [(slice(a // facts.rows, b // facts.rows), _taken(feed, axes, a, b)) for a, b in cuts]

    def _rows(self, feed: Mapping[str, Array], axes: Mapping[str, int | None]) -> int:
        counts = {n: feed[n].shape[axis] for n, axis in axes.items() if axis is not None}
        if len(set(counts.values())) > 1:
            listed = ", ".join(f"{n}: {k}" for n, k in counts.items())
            raise InputError(f"{self.where}: the inputs have different numbers of rows ({listed})")
        return next(iter(counts.values()), 1)


def _taken(
    feed: Mapping[str, Array], axes: Mapping[str, int | None], start: int, stop: int
) -> dict[str, Array]:
    return {
        n: a if (axis := axes[n]) is None else np.ascontiguousarray(np.take(a, range(start, stop), axis=axis))
        for n, a in feed.items()
    }


def _rows_come_first(facts: Facts, axes: Mapping[str, int | None]) -> bool:
    """Whether what comes out for several micro-batches can be joined again along one axis."""
    for name, axis in {**axes, **dict.fromkeys(facts.outputs, 0)}.items():
        layout = facts.layouts.get(name)
        if layout is None or axis is None:
            continue
        if layout.axis != axis - facts.ranks[name] or layout.outer != 1:
            return False
    return True
