"""A plan that onnxruntime runs whole: one session forward, one back.

Two graphs instead of one: the explained class is known only when the model has spoken, and a second forward
pass would cost as much as the way back. Activations go from one to the other as onnxruntime's own
values, without a copy, on the device where they are.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import onnxruntime as ort

from ..file import runtime
from .facts import Facts

Array = np.ndarray[Any, Any]

# What a walk that is written out starts from.
SEED = "seed"


@dataclass(frozen=True)
class Result:
    """What one run of a plan gives.

    Attributes
    ----------
    multipliers, remainders : dict of str to ndarray, [K, *shape of the input]
        m and r of every input that relevance reached.
    entries : list of ndarray, [K, batch]
        The ledger, in the order of the trace's entries.
    at : dict of str to ndarray, [K, *shape]
        Relevance of inner tensors.
    """

    multipliers: Mapping[str, Array]
    remainders: Mapping[str, Array]
    entries: Sequence[Array]
    at: Mapping[str, Array]


class Values(Mapping[str, Any]):
    """Values of a forward pass: onnxruntime's own, as arrays where they are asked for.

    Parameters
    ----------
    feed : dict of str to ndarray
    made : dict of str to OrtValue
    other : callable
        Gives a value by name that is no tensor.
    """

    def __init__(
        self, feed: Mapping[str, Array], made: Mapping[str, ort.OrtValue], other: Callable[[str], Any]
    ) -> None:
        self._arrays: dict[str, Any] = dict(feed)
        self._made, self._other = made, other

    def __getitem__(self, name: str) -> Any:
        if name not in self._arrays:
            value = self._made[name]
            self._arrays[name] = value.numpy() if value.is_tensor() else self._other(name)
        return self._arrays[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self._arrays.keys() | self._made.keys())

    def __len__(self) -> int:
        return len(self._arrays.keys() | self._made.keys())

    def own(self, name: str) -> ort.OrtValue:
        """A value as onnxruntime has it."""
        if name in self._made:
            return self._made[name]
        return ort.OrtValue.ortvalue_from_numpy(np.ascontiguousarray(self._arrays[name]))


class Sessions:
    """A model ready to be explained.

    Parameters
    ----------
    facts : Facts
    forward : onnxruntime.InferenceSession
        Gives outputs, the explained tensor and what the way back reads.
    names : sequence of str
        All that it is asked for.
    back : callable
        The session back for K targets: of ``seed`` and what it reads of the forward pass. Without an axis
        K for one target.
    where : str
        The file, for messages.
    """

    def __init__(
        self,
        facts: Facts,
        forward: ort.InferenceSession,
        names: Sequence[str],
        back: Callable[[int], ort.InferenceSession],
        where: str,
    ) -> None:
        self.facts, self.names, self.where = facts, list(names), where
        self._forward, self._back = forward, back

    def free(self) -> None:
        """Free what was only needed to make it: nothing, where it was read from the cache."""

    def forward(self, feed: Mapping[str, Array]) -> Values:
        """Run the model."""

        def other(name: str) -> Any:
            return runtime.run(self._forward, [name], feed, where=self.where)[0]

        return Values(feed, runtime.run_values(self._forward, self.names, feed, where=self.where), other)

    def backward(self, values: Values, seed: Array, batch: int) -> Result:
        """Carry `seed`, [K, *shape of the explained tensor], back to the inputs."""
        opened = self._back(len(seed))
        given = np.ascontiguousarray(seed if len(seed) > 1 else seed[0], self.facts.dtype)
        feed = {SEED: ort.OrtValue.ortvalue_from_numpy(given)}
        feed |= {i.name: values.own(i.name) for i in opened.get_inputs() if i.name != SEED}
        names = [o.name for o in opened.get_outputs()]
        made = runtime.run_values(opened, names, feed, where=self.where)
        arrays = {n: v.numpy() for n, v in made.items()}
        if len(seed) == 1:
            arrays = {n: a[None] for n, a in arrays.items()}
        facts = self.facts
        return Result(
            {n: arrays[f"m.{n}"] for n, (m, _) in facts.messages.items() if m},
            {n: arrays[f"r.{n}"] for n, (_, r) in facts.messages.items() if r},
            [arrays[f"entry.{i}"] for i in range(len(facts.entries))],
            {n: arrays[f"at.{n}"] for n in facts.at},
        )
