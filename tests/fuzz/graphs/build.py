"""A graph that grows node by node; each node is run as it is added, so shapes and sizes are known.

The runtime is asked, never a second implementation: what it refuses, or what is not finite, is not added.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import numpy as np
import onnx
import onnxruntime as ort
from onnx import helper, numpy_helper

Array = np.ndarray[Any, Any]
MICROSOFT = "com.microsoft"
# The largest tensor, and between what the largest number of one stays.
ELEMENTS, SMALL, LARGE = 2048, 0.02, 20.0


class UnfitError(Exception):
    """Nothing in the graph fits what an operator needs, or the runtime refuses it."""


class Graph:
    """A graph while it is made.

    Parameters
    ----------
    rng : numpy.random.Generator
    opset : int
    batch : int
        Samples of the example that runs along.
    is_open : bool
        Whether the file leaves the number of samples open.

    Attributes
    ----------
    values : dict of str to ndarray
        What further operators may take: samples along the first axis.
    known : dict of str to ndarray
        Every tensor, constants too.
    """

    def __init__(self, rng: np.random.Generator, opset: int, batch: int, is_open: bool) -> None:
        self.rng, self.opset, self.batch, self.is_open = rng, opset, batch, is_open
        self.nodes: list[onnx.NodeProto] = []
        self.constants: dict[str, Array] = {}
        self.known: dict[str, Array] = {}
        self.values: dict[str, Array] = {}
        self.used: Counter[str] = Counter()
        self._count = 0

    # What chance decides.

    def chance(self, p: float = 0.5) -> bool:
        """True so often."""
        return bool(self.rng.random() < p)

    def one_of(self, options: Sequence[Any]) -> Any:
        """One of several, alike."""
        return options[int(self.rng.integers(len(options)))]

    def integer(self, low: int, high: int) -> int:
        """From low to high, both included."""
        return int(self.rng.integers(low, high + 1))

    def normal(self, *shape: int, scale: float = 1.0) -> Array:
        """Weights."""
        return np.asarray(self.rng.standard_normal(shape) * scale, np.float32)

    # What is in the graph.

    def fresh(self, stem: str = "t") -> str:
        """A name that nothing has yet."""
        self._count += 1
        return f"{stem}{self._count}"

    def add_input(self, name: str, value: Array) -> None:
        """A graph input with its example."""
        self.known[name] = self.values[name] = value

    def const(self, value: Any, dtype: Any = np.float32) -> str:
        """A constant: mostly an initialiser, sometimes a node."""
        array = np.asarray(value, dtype)
        name = self.fresh("c")
        if self.chance(0.1):
            self.nodes.append(helper.make_node("Constant", [], [name], value=numpy_helper.from_array(array)))
        self.constants[name] = self.known[name] = array
        return name

    def ints(self, *value: int) -> str:
        """A list of integers as a constant."""
        return self.const(list(value), np.int64)

    def __getitem__(self, name: str) -> Array:
        return self.known[name]

    def shape(self, name: str) -> tuple[int, ...]:
        """The example's shape."""
        return self.known[name].shape

    def pick(
        self,
        rank: int | None = None,
        least: int = 1,
        where: Callable[[Array], bool] | None = None,
    ) -> str:
        """One of the values, rather what is new and unused."""
        fit = [
            (i, name)
            for i, (name, v) in enumerate(self.values.items())
            if (v.ndim == rank if rank is not None else v.ndim >= least) and (where is None or where(v))
        ]
        if not fit:
            raise UnfitError
        weights = np.array([(1.0 + i) * (1 if self.used[name] else 3) for i, name in fit])
        return fit[int(self.rng.choice(len(fit), p=weights / weights.sum()))][1]

    def alike(self, name: str) -> str:
        """Another value (or the same) of the very same shape."""
        shape = self.shape(name)
        return self.pick(where=lambda v: v.shape == shape)

    # How it grows.

    def node(
        self,
        op: str,
        *inputs: str,
        outputs: int = 1,
        domain: str = "",
        captures: Sequence[str] = (),
        finite: bool = True,
        **attributes: Any,
    ) -> Any:
        """Add a node; the name of its output, or of each of several.

        Raises
        ------
        UnfitError
        """
        names = [self.fresh() for _ in range(outputs)]
        node = helper.make_node(op, inputs, names, f"{op}_{self._count}", domain=domain, **attributes)
        made = self._run(node, [*dict.fromkeys(i for i in (*inputs, *captures) if i)])
        for name, value in zip(names, made, strict=True):
            floating = value.dtype.kind == "f"
            if not 0 < value.size <= ELEMENTS or (finite and floating and not np.isfinite(value).all()):
                raise UnfitError
            self.known[name] = value
        self.nodes.append(node)
        self.used.update(inputs)
        return names[0] if outputs == 1 else names

    def _run(self, node: onnx.NodeProto, inputs: Sequence[str]) -> list[Array]:
        graph = helper.make_graph(
            [node],
            "one",
            [
                helper.make_tensor_value_info(
                    i, helper.np_dtype_to_tensor_dtype(self.known[i].dtype), self.shape(i)
                )
                for i in inputs
                if i not in self.constants
            ],
            [onnx.ValueInfoProto(name=o) for o in node.output],
            [numpy_helper.from_array(self.constants[i], i) for i in inputs if i in self.constants],
        )
        feed = {i: self.known[i] for i in inputs if i not in self.constants}
        try:
            return session(self.model_of(graph)).run(None, feed)
        except Exception as e:  # onnxruntime has no one class for what it refuses
            raise UnfitError(str(e)) from None

    def model_of(self, graph: onnx.GraphProto) -> onnx.ModelProto:
        """A model of this opset."""
        opsets = [helper.make_opsetid("", self.opset), helper.make_opsetid(MICROSOFT, 1)]
        return helper.make_model(graph, opset_imports=opsets, ir_version=8 if self.opset < 21 else 10)

    def offer(self, name: str) -> str:
        """Let others take a tensor, brought to a size at which it can go on.

        Raises
        ------
        UnfitError
            It has no sample along its first axis.
        """
        value = self.known[name]
        if value.dtype != np.float32 or not value.ndim or value.shape[0] != self.batch:
            raise UnfitError
        if not np.isfinite(value).all():
            raise UnfitError
        largest = float(np.abs(value).max())
        if largest > LARGE or 0 < largest < SMALL:
            name = self.node("Mul", name, self.const(2 / largest))
        self.values[name] = self.known[name]
        return name

    @contextmanager
    def attempt(self) -> Iterator[None]:
        """What is added within is taken back where something in it does not fit."""
        held = (
            len(self.nodes),
            dict(self.constants),
            dict(self.known),
            dict(self.values),
            Counter(self.used),
        )
        try:
            yield
        except UnfitError:
            del self.nodes[held[0] :]
            self.constants, self.known, self.values, self.used = held[1:]
            raise

    # What several families need.

    def axes_node(self, op: str, x: str, axes: Sequence[int], since: int, **attributes: Any) -> str:
        """An operator whose axes became an input at some opset."""
        if self.opset >= since:
            return str(self.node(op, x, self.ints(*axes), **attributes))
        return str(self.node(op, x, axes=list(axes), **attributes))

    def limited(self, x: str, to: str) -> str:
        """What a function with a bounded domain may take."""
        if to == "unit":
            return str(self.node("Mul", self.node("Tanh", x), self.const(0.8)))
        if to == "small":
            return str(self.node("Mul", self.node("Tanh", x), self.const(1.2)))
        if to == "positive":
            return str(self.node("Add", self.node("Abs", x), self.const(0.5)))
        if to == "above one":
            return str(self.node("Add", self.node("Abs", x), self.const(1.3)))
        return x


def session(model: onnx.ModelProto) -> ort.InferenceSession:
    """onnxruntime, one thread, nothing rewritten."""
    options = ort.SessionOptions()
    options.log_severity_level = 4
    options.intra_op_num_threads = 1
    options.inter_op_num_threads = 1
    options.graph_optimization_level = ort.GraphOptimizationLevel.ORT_DISABLE_ALL
    return ort.InferenceSession(model.SerializeToString(), options, providers=["CPUExecutionProvider"])
