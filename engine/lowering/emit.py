"""New nodes for one old one: names, constants, and operators whose form depends on the opset."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import numpy as np
import onnx
from onnx import helper, numpy_helper

from ..file.opset_forms import axes_are_operand
from ..file.protobuf import Array, subgraphs
from .graphs import rename_free
from .workspace import Workspace


class Emit:
    """Collects the nodes that take the place of one.

    Parameters
    ----------
    work : Workspace
    node : onnx.NodeProto
        The old node; new names begin with its name.

    Attributes
    ----------
    nodes, initialisers, sparse : list
    notes : list of (str, ndarray)
        Values that the rewriting takes as given.
    """

    def __init__(self, work: Workspace, node: onnx.NodeProto) -> None:
        self.work, self.node = work, node
        self.prefix, self.reason = work.label(node), work.named(node)
        self.opset = work.version()
        self.nodes: list[onnx.NodeProto] = []
        self.initialisers: list[onnx.TensorProto] = []
        self.sparse: list[onnx.SparseTensorProto] = []
        self.notes: list[tuple[str, Array]] = []
        self._constants: dict[tuple[Any, ...], str] = {}

    # -- values -----------------------------------------------------------------------------------

    def op(self, op_type: str, *inputs: str, what: str = "", domain: str = "", **attributes: Any) -> str:
        """Emit a node of one output."""
        return self.ops(op_type, *inputs, what=what, domain=domain, count=1, **attributes)[0]

    def ops(
        self, op_type: str, *inputs: str, count: int, what: str = "", domain: str = "", **attributes: Any
    ) -> list[str]:
        """Emit a node of several outputs."""
        base = f"{self.prefix}/{what or op_type}"
        ends = [""] if count == 1 else [f":{i}" for i in range(count)]
        outputs = [self.work.fresh(base + end) for end in ends]
        self.nodes.append(
            helper.make_node(
                op_type,
                list(inputs),
                outputs,
                name=self.work.fresh_node(base),
                domain=domain,
                **{k: v for k, v in attributes.items() if v is not None},
            )
        )
        return outputs

    def const(self, value: Any, what: str = "constant", dtype: Any = None) -> str:
        """An initialiser; equal ones are one."""
        array = np.asarray(value, dtype=dtype)
        key = (array.dtype.str, array.shape, array.tobytes())
        if key not in self._constants:
            name = self.work.fresh(f"{self.prefix}/{what}")
            self.initialisers.append(numpy_helper.from_array(np.array(array, order="C"), name))
            self._constants[key] = name
        return self._constants[key]

    def ints(self, *values: int) -> str:
        """A list of int64."""
        return self.const(np.array(values, np.int64))

    def give(self, values: Mapping[str, str]) -> None:
        """Let outputs of the old node (keys) be these values.

        A value made here takes the output's name; others are handed on by an Identity.
        """
        mine = {o for node in self.nodes for o in node.output}
        rename: dict[str, str] = {}
        handed: list[onnx.NodeProto] = []
        for output, value in values.items():
            if not output:
                continue
            if value in mine and value not in rename:
                rename[value] = output
            else:
                name = self.work.fresh_node(f"{self.prefix}/Identity")
                handed.append(helper.make_node("Identity", [rename.get(value, value)], [output], name=name))
        for node in self.nodes if rename else ():
            for field in (node.input, node.output):
                for i, name in enumerate(field):
                    if name in rename:
                        field[i] = rename[name]
            for inner in subgraphs(node):
                rename_free(inner, rename)
        self.notes = [(rename.get(name, name), value) for name, value in self.notes]
        self.nodes.extend(handed)

    def note(self, name: str, value: Array) -> None:
        """A value made here that the rewriting takes as given."""
        self.notes.append((name, value))

    def note_size(self, x: str, axis: int, size: int) -> None:
        """The size of an axis that the rewriting takes as given."""
        if self.work.varies(x):
            shape = self.op("Shape", x, what="Shape")
            self.note(
                self.op("Gather", shape, self.const(np.int64(axis)), what="size", axis=0), np.array(size)
            )

    # -- operators that changed their form ---------------------------------------------------------

    def squeeze(self, x: str, *axes: int, what: str = "") -> str:
        """Take away axes of size one."""
        return self._along("Squeeze", x, axes, what=what)

    def unsqueeze(self, x: str, *axes: int, what: str = "") -> str:
        """Put in axes of size one."""
        return self._along("Unsqueeze", x, axes, what=what)

    def split(self, x: str, sizes: Sequence[int], axis: int, what: str = "") -> list[str]:
        """Cut along an axis; sizes are always told, so that another size of input is an error."""
        if len(sizes) == 1:
            return [x]
        if self.opset < 13:
            return self.ops("Split", x, count=len(sizes), what=what, axis=axis, split=list(sizes))
        return self.ops("Split", x, self.ints(*sizes), count=len(sizes), what=what, axis=axis)

    def slice(self, x: str, start: int, stop: int, axis: int, what: str = "") -> str:
        """A range of one axis."""
        if self.opset < 10:
            return self.op("Slice", x, what=what, starts=[start], ends=[stop], axes=[axis])
        return self.op("Slice", x, self.ints(start), self.ints(stop), self.ints(axis), what=what)

    def concat(self, parts: Iterable[str], axis: int, what: str = "") -> str:
        """Join along an axis; one part stays as it is."""
        given = list(parts)
        return given[0] if len(given) == 1 else self.op("Concat", *given, what=what, axis=axis)

    def reduce(self, kind: str, x: str, *axes: int, keepdims: int = 1, what: str = "") -> str:
        """ReduceSum, ReduceMean and kin."""
        return self._along(kind, x, axes, what=what, keepdims=keepdims)

    def _along(self, kind: str, x: str, axes: Sequence[int], *, what: str, **attributes: Any) -> str:
        if axes_are_operand(kind, self.opset):
            return self.op(kind, x, self.ints(*axes), what=what, **attributes)
        return self.op(kind, x, what=what, axes=list(axes), **attributes)

    def clip(self, x: str, low: float, high: float, dtype: Any, what: str = "") -> str:
        """Keep values between two bounds."""
        if self.opset < 11:
            return self.op("Clip", x, what=what, min=low, max=high)
        return self.op("Clip", x, self.const(low, dtype=dtype), self.const(high, dtype=dtype), what=what)

    def softmax(self, x: str, what: str = "") -> str:
        """Softmax over the last axis; before opset 13 the rank decides, so the last axis is named."""
        return self.op("Softmax", x, what=what, axis=-1)

    def reshape(self, x: str, shape: Sequence[int], what: str = "") -> str:
        """Reshape; 0 keeps a dimension, -1 is what is left."""
        return self.op("Reshape", x, self.ints(*shape), what=what)

    def transpose(self, x: str, perm: Sequence[int], what: str = "") -> str:
        """Order axes anew."""
        if list(perm) == sorted(perm):
            return x
        return self.op("Transpose", x, what=what, perm=list(perm))


def apply(work: Workspace, made: Mapping[int, Emit]) -> None:
    """Put what was emitted in the place of the nodes at these positions."""
    work.replace(
        {i: emit.nodes for i, emit in made.items()},
        [t for emit in made.values() for t in emit.initialisers],
        [t for emit in made.values() for t in emit.sparse],
    )
    for emit in made.values():
        for name, value in emit.notes:
            work.decide(name, value, emit.reason)
