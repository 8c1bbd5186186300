"""onnxruntime runs a plan whole: one session forward, one back.

Two graphs instead of one: the explained class is known only when the model has spoken, and a second forward
pass would cost as much as the backward pass. Activations go from one to the other as onnxruntime's own
values, without a copy, on the device where they are.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
import onnxruntime as ort

from ..file.runtime import Runtime
from .facts import Facts
from .runner import Result, check_alike

Array = np.ndarray[Any, Any]

# Name of what a backward pass that is written as a graph starts from.
SEED = "seed"
# Before the name of a value of the reference's forward pass.
REFERENCE = "onnxplain/reference/"


class Values(dict[str, Any]):
    """Values of a forward pass: onnxruntime's own, as arrays where they are asked for.

    Attributes
    ----------
    made : dict of str to OrtValue
    """

    made: Mapping[str, ort.OrtValue]

    def __missing__(self, name: str) -> Array:
        array: Array = self.made[name].numpy()
        self[name] = array
        return array

    def own(self, name: str) -> ort.OrtValue:
        """A value as onnxruntime has it."""
        if name in self.made:
            return self.made[name]
        return ort.OrtValue.ortvalue_from_numpy(np.ascontiguousarray(self[name]))


class OnnxRunner:
    """Two sessions of onnxruntime: the model forward, and relevance back.

    Parameters
    ----------
    facts : Facts
    runtime : Runtime
    forward : onnxruntime.InferenceSession
        Gives outputs, the explained tensor and what the backward pass reads.
    names : sequence of str
        All that it is asked for.
    back : callable
        Opens the session back for K targets: of ``seed`` and what it reads of the forward pass. Without an
        axis K for one target.
    """

    def __init__(
        self,
        facts: Facts,
        runtime: Runtime,
        forward: ort.InferenceSession,
        names: Sequence[str],
        back: Callable[[int], ort.InferenceSession],
    ) -> None:
        self._facts, self._runtime, self._names = facts, runtime, list(names)
        self._forward, self._open = forward, back
        self._back = {1: back(1)}  # what cannot be written shows at once

    def forward(self, feed: Mapping[str, Array]) -> Values:
        """Run the model."""
        values, facts = Values(feed), self._facts
        values.made = self._runtime.run_values(self._forward, self._names, feed)
        for name in (*facts.outputs, facts.target):
            value = values.made.get(name)
            if value is not None and value.is_tensor():
                values[name] = value.numpy()
            elif value is not None:  # a list of scores by name
                (values[name],) = self._runtime.run(self._forward, [name], feed)
        return values

    def size(self, values: Values) -> int:
        """Bytes that the values of a forward pass take."""
        tensors = [v for v in values.made.values() if v.is_tensor()]
        return sum(v.tensor_size_in_bytes() for v in tensors)

    def backward(self, values: Values, seed: Array, batch: int, reference: Values | None = None) -> Result:
        """Carry `seed`, [K, *shape of the explained tensor], back to the inputs."""
        if len(seed) not in self._back:
            self._back[len(seed)] = self._open(len(seed))
        opened, facts = self._back[len(seed)], self._facts
        given = np.ascontiguousarray(seed if len(seed) > 1 else seed[0], facts.dtype)
        feed = {SEED: ort.OrtValue.ortvalue_from_numpy(given)}
        for name in (i.name for i in opened.get_inputs() if i.name != SEED):
            if name.startswith(REFERENCE):
                assert reference is not None
                own = name.removeprefix(REFERENCE)
                feed[name] = reference.own(own)
                check_alike(self._runtime.where, own, values.own(own).shape(), feed[name].shape())
            else:
                feed[name] = values.own(name)
        names = [o.name for o in opened.get_outputs()]
        made = self._runtime.run_values(opened, names, feed)
        arrays = {n: v.numpy() for n, v in made.items()}
        if len(seed) == 1:
            arrays = {n: a[None] for n, a in arrays.items()}
        return Result(
            {n: arrays[f"m.{n}"] for n, (m, _) in facts.messages.items() if m},
            {n: arrays[f"r.{n}"] for n, (_, r) in facts.messages.items() if r},
            [arrays[f"entry.{i}"] for i in range(len(facts.entries))],
            {n: arrays[f"at.{n}"] for n in facts.at},
            {n: arrays[f"at_m.{n}"] for n in facts.at_multipliers},
        )
