"""What onnxplain makes of a model: coverage, closure, and its gradient against differences in float64."""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import onnxruntime as ort
from float64 import Double
from onnx import TensorProto, helper, numpy_helper

import onnxplain as ox

Array = np.ndarray[Any, Any]

# The second is the one that differences can judge.
COMPOSITES = ("attnlrp", "gradient")
# Of an input's own size; float64 leaves about 1e-9 of the difference, and few kinks are that near.
STEP = 1e-6
# For each input; of a model with one input, two.
DIRECTIONS = 1
# An input that matters less than this part of the most important one is measured by this part of it.
LEAST = 1e-4

_FLOATING = ("tensor(float)", "tensor(double)", "tensor(float16)")
_FLOATS = (TensorProto.FLOAT, TensorProto.FLOAT16)
# What moves elements about: an index behind it is still the same index.
_MOVES = {
    "Clip", "Concat", "Expand", "Flatten", "Gather", "Identity", "Pad", "Reshape", "Slice", "Split",
    "Squeeze", "Tile", "Transpose", "Unsqueeze",
}  # fmt: skip
_QUANTISED = (TensorProto.INT8, TensorProto.UINT8)
_INTEGERS = (TensorProto.INT32, TensorProto.INT64)


@dataclass
class Explained:
    """What came of one output.

    Attributes
    ----------
    output : str
    nodes : int
        On the active path.
    coverage : float
    finite : bool
    closure : dict of str to float
        By composite.
    reached : tuple of str
        Inputs that have relevance.
    depth : float
        How far the relevance of integer inputs is from that of the embeddings they read, relative.
    forward : float
        How far the output in float64 is from onnxruntime's, relative.
    gradient : dict of str to float
        By input, or by embedding that was read: the error of directional derivatives, relative.
    seconds : float
    """

    output: str
    nodes: int
    coverage: float
    finite: bool = True
    closure: dict[str, float] = field(default_factory=dict)
    reached: tuple[str, ...] = ()
    depth: float = 0.0
    forward: float = 0.0
    gradient: dict[str, float] = field(default_factory=dict)
    seconds: float = 0.0


def floating_outputs(path: Path) -> list[str]:
    """Names of a model's outputs that hold floating tensors, or the one that ZipMap made of one."""
    session = ort.InferenceSession(path, providers=["CPUExecutionProvider"])
    outputs = session.get_outputs()
    return [o.name for o in outputs if o.type in _FLOATING] or [o.name for o in outputs if "map" in o.type]


_OF_BYTES = frozenset(
    {"MatMulInteger", "MatMulIntegerToFloat", "DynamicQuantizeMatMul", "DynamicQuantizeLSTM"}
)


@cache
def saturates() -> bool:
    """Whether this processor cuts sums of two products of bytes off at 16 bits (x86 without VNNI).

    What a file of 8-bit products says there is far from what float64 says of it where weights are large.
    """
    size = 64
    weights = numpy_helper.from_array(np.full((size, 8), 127, np.int8), "w")
    graph = helper.make_graph(
        [helper.make_node("MatMulInteger", ["x", "w"], ["y"])],
        "bytes",
        [helper.make_tensor_value_info("x", TensorProto.UINT8, [1, size])],
        [helper.make_tensor_value_info("y", TensorProto.INT32, [1, 8])],
        [weights],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 13)], ir_version=8)
    session = ort.InferenceSession(model.SerializeToString(), providers=["CPUExecutionProvider"])
    (y,) = session.run(None, {"x": np.full((1, size), 255, np.uint8)})
    return bool((y != 255 * 127 * size).any())


def multiplies_bytes(path: Path) -> bool:
    """Whether a file has products of bytes that processors may cut off."""
    return any(node.op_type in _OF_BYTES for node in onnx.load(path).graph.node)


def explained(path: Path, feed: Mapping[str, Array], output: str) -> Explained:
    """Explain one output with two composites; the seed is random, so that every element counts."""
    start = time.perf_counter()
    found = ox.inspect(path, example=dict(feed), output=output)
    made = Explained(output, len(found.on_path), found.coverage)
    graph = onnx.load(path).graph
    tables = look_ups(graph, output)
    for composite in COMPOSITES:
        a, target = _explain(path, composite, feed, output, tables)
        made.closure[composite] = float(np.max(a.closure()))
        made.finite &= all(np.isfinite(r).all() for r in a.relevance.values())
    made.reached = tuple(n for n, r in a.relevance.items() if np.any(r))
    indices = index_inputs(graph)
    made.depth = _depth(a, tables, [n for n in feed if n in indices])
    _slopes(made, path, feed, a, target, tables, indices)
    made.seconds = time.perf_counter() - start
    return made


@dataclass
class Compiled:
    """Relevance by a compiled file, and by the numpy backend.

    Attributes
    ----------
    model : onnx.ModelProto
        The compiled file.
    feed : dict of str to ndarray
        What it was given, the seed included.
    numpy, compiled : dict of str to ndarray
        Relevance by input, of those that it reaches.
    """

    model: onnx.ModelProto
    feed: dict[str, Array]
    numpy: dict[str, Array]
    compiled: dict[str, Array]

    @property
    def apart(self) -> float:
        """How far they are from each other, in units of the largest."""
        pairs = [(r, self.compiled[n]) for n, r in self.numpy.items()]
        return max((float(np.abs(c - r).max() / np.abs(r).max()) for r, c in pairs), default=0.0)

    def errors(self) -> dict[str, tuple[float, float]]:
        """How far numpy and the compiled file are from float64, as parts of the whole map; by input."""
        feed = {n: v.astype(np.float64) if v.dtype.kind == "f" else v for n, v in self.feed.items()}
        found = {}
        for name, r in self.numpy.items():
            model = onnx.ModelProto()
            model.CopyFrom(self.model)
            truth = Double(model, f"relevance.{name}", {})(feed)
            size = float(np.linalg.norm(truth))
            off = [float(np.linalg.norm(v - truth)) / size for v in (r, self.compiled[name])]
            found[name] = (off[0], off[1])
        return found


def compiled(path: Path, feed: Mapping[str, Array], output: str, folder: Path) -> Compiled:
    """Explain one output by both backends."""
    explain = ox.Explainer(path, output=output, backend="numpy")
    y = explain.predict(feed)[output]
    shape = y.shape if isinstance(y, np.ndarray) else (len(y), len(y[0]))  # a list of dicts: of their scores
    seed = np.random.default_rng(1).standard_normal(shape).astype(np.float32)
    a = explain(feed, target=seed)
    file = ox.compile(path, folder / "compiled.onnx", output=output, example=dict(feed))
    session = ort.InferenceSession(file, providers=["CPUExecutionProvider"])
    names = [o.name for o in session.get_outputs()]
    given = {**feed, "seed": seed}
    got = dict(zip(names, session.run(names, given), strict=True))
    model = onnx.load(file)
    file.unlink()
    reached = {n: r for n, r in a.relevance.items() if np.any(r)}
    return Compiled(model, given, reached, {n: got[f"relevance.{n}"] for n in reached})


@dataclass
class Held:
    """What came of holding a window against another.

    Attributes
    ----------
    closure : float
        By either backend, the larger.
    part : float
        The same of the sum of |R|: what float32 leaves of a forward pass is small against that, where what is
        explained is a small difference of large numbers.
    apart : float
        How far both backends are from each other, in units of the largest relevance.
    kinds : set of str
        Of what is in the ledger and is not nothing.
    finite, reached : bool
        Whether all relevance is finite, and whether there is any.
    """

    closure: float
    part: float
    apart: float
    kinds: set[str]
    finite: bool
    reached: bool


def held(path: Path, feed: Mapping[str, Array], other: Mapping[str, Array], output: str) -> Held:
    """Explain one output of a feed against another feed, by both backends.

    Other numbers are the reference; integers, lengths say, stay as they are where there are numbers.
    """
    numbers = {n: v for n, v in other.items() if v.dtype.kind == "f"}
    reference = {n: v[None] for n, v in (numbers or other).items()}
    made = []
    for backend in ("numpy", "onnx"):
        explain = ox.Explainer(path, composite="difference", output=output, backend=backend)
        y = explain.predict(feed)[output]
        target: Any = 0
        if isinstance(y, np.ndarray):
            target = np.random.default_rng(1).standard_normal(y.shape).astype(np.float32)
        made.append(explain(feed, target=target, reference=reference))
    a, b = made
    size = max(float(np.abs(r).max()) for r in a.relevance.values())
    apart = max(float(np.abs(r - b.relevance[n]).max()) for n, r in a.relevance.items())
    return Held(
        max(float(each.closure().max()) for each in made),
        max(_part(each) for each in made),
        apart / size if size else apart,
        {e.kind for each in made for e in each.ledger if np.any(e.relevance)},
        all(bool(np.isfinite(r).all()) for r in a.relevance.values()),
        size > 0,
    )


def _part(a: ox.Attribution) -> float:
    """How far the account is open, of the sum of |R|."""
    whole = sum(a.per_sample(n, np.abs(r)) for n, r in a.relevance.items())
    rest = sum(a.reached.values()) + a.ledger.total() - a.explained
    return float(np.max(np.abs(rest) / np.maximum(whole, 1e-30)))


def _explain(
    path: Path, composite: str, feed: Mapping[str, Array], output: str, tables: list[str]
) -> tuple[ox.Attribution, Any]:
    """A map and its target; of the tables, those that relevance reaches."""
    at = list(tables)
    while True:
        explain = ox.Explainer(path, composite=composite, output=output, at=at)
        y = explain.predict(feed)[output]
        target: Any = 0  # scores in a list of dicts: those of the first class
        if isinstance(y, np.ndarray):
            target = np.random.default_rng(1).standard_normal(y.shape).astype(np.float32)
        try:
            return explain(feed, target=target), target
        except ox.InputError as e:
            unreached = [n for n in at if repr(n) in str(e)]
            if not unreached:
                raise
            at = [n for n in at if n not in unreached]


def look_ups(graph: onnx.GraphProto, output: str) -> list[str]:
    """What the output has of constant floating tables, read by an index that is none."""
    constant = _constants(graph)
    needed = {output}
    for node in reversed(graph.node):
        if needed & set(node.output):
            needed.update(node.input)
    varying = {i.name for i in graph.input} - set(constant)
    found, quantised = [], set[str]()
    for node in graph.node:
        if any(n in varying for n in node.input) and node.op_type not in ("Shape", "Size"):
            varying.update(node.output)
            reads = node.op_type == "Gather" and node.input[1] in varying and node.output[0] in needed
            if reads and constant.get(node.input[0]) in _FLOATS:
                found.append(node.output[0])
            elif reads and constant.get(node.input[0]) in _QUANTISED:
                quantised.add(node.output[0])
            elif node.op_type in _MOVES and node.input[0] in quantised:
                quantised.update(node.output)
            elif node.op_type == "DequantizeLinear" and node.input[0] in quantised:
                found.append(node.output[0])
    return found


def _constants(graph: onnx.GraphProto) -> dict[str, int]:
    """Types of what no input can change."""
    constant = {i.name: i.data_type for i in graph.initializer}
    for node in graph.node:
        if node.op_type == "Constant" and node.attribute[0].HasField("t"):
            constant[node.output[0]] = node.attribute[0].t.data_type
        if (
            node.op_type in ("Identity", "Cast", "DequantizeLinear", "Transpose")
            and node.input[0] in constant
        ):
            constant[node.output[0]] = TensorProto.FLOAT
        if node.op_type in ("Mul", "Sub") and all(n in constant for n in node.input):
            constant[node.output[0]] = TensorProto.FLOAT  # numbers of integers, and their scale
    return constant


def index_inputs(graph: onnx.GraphProto) -> set[str]:
    """Inputs that hold integers, whatever their type says: nothing but a cast reads them."""
    found = set()
    for i in graph.input:
        if i.type.tensor_type.elem_type not in _FLOATS:
            found.add(i.name)
            continue
        moved, cast = {i.name}, False
        number = False
        for node in graph.node:
            if moved & set(node.input):
                to = next((a.i for a in node.attribute if a.name == "to"), 0)
                cast |= to in _INTEGERS
                if node.op_type in _MOVES:
                    moved.update(node.output)
                elif to not in _INTEGERS and node.op_type not in ("Shape", "Size"):
                    number = True
        if cast and not number:
            found.add(i.name)
    return found


def _depth(a: ox.Attribution, tables: list[str], indices: list[str]) -> float:
    read = sum(float(np.sum(a.at[n])) for n in tables if n in a.at)
    size = max((float(np.abs(a.at[n]).max()) for n in tables if n in a.at), default=0.0)
    got = sum(float(np.sum(a.relevance[n])) for n in indices if n in a.relevance)
    return abs(read - got) / size if size else 0.0


def _slopes(
    made: Explained,
    path: Path,
    feed: Mapping[str, Array],
    a: ox.Attribution,
    target: Any,
    tables: list[str],
    indices: set[str],
) -> None:
    """Directional derivatives by central differences of a float64 model, and those of the map."""
    model = onnx.load(path)
    inner = {o for node in model.graph.node for o in node.output}
    scales = {n: f"{n}/onnxplain/scale" for n in tables}
    double = Double(model, a.output if a.output in inner else made.output, scales)
    at = {n: v.astype(np.float64) if v.dtype.kind == "f" else v for n, v in feed.items()}
    # A table that relevance does not reach is scaled as a whole: its derivative has to be 0.
    reached = {n: np.float64(a.at.get(n, 0.0)) for n in tables}
    at |= {scale: np.ones(reached[n].shape) for n, scale in scales.items()}
    predicted = {n: np.float64(m) for n, m in a.multiplier.items() if n not in indices}
    predicted |= {scale: reached[n] for n, scale in scales.items()}
    if not predicted:
        return

    # A score behind moves of a sigmoid's output is no tensor of the file: it is the logit of what is.
    of_sigmoid = a.output not in inner and any("of Sigmoid; the logit" in note for note in a.notes)

    def value(inputs: Mapping[str, Array]) -> float:
        y = double(inputs)
        y = np.log(y) - np.log1p(-y) if of_sigmoid else y
        return float(np.sum(target * y) if isinstance(target, np.ndarray) else np.sum(y[:, target]))

    total = float(np.sum(a.explained))
    made.forward = abs(value(at) - total) / max(abs(total), 1e-3)
    rng = np.random.default_rng(2)
    directions = DIRECTIONS if len(predicted) > 1 else 2 * DIRECTIONS
    sizes = {n: float(np.sqrt(np.mean(at[n] ** 2)) or 1.0) for n in predicted}
    slopes: dict[str, tuple[Array, Array]] = {}
    for name, multiplier in predicted.items():
        wanted, got = np.zeros((2, directions))
        for k in range(directions):
            along = rng.standard_normal(at[name].shape) * sizes[name]
            ends = [value({**at, name: at[name] + s * STEP * along}) for s in (1, -1)]
            wanted[k] = (ends[0] - ends[1]) / (2 * STEP)
            got[k] = np.sum(along * multiplier)
        slopes[name] = wanted, got
    # The slope to expect along a random direction: one that happens to be flat is no measure.
    usual = {
        n: max(float(np.abs(w).max()), float(np.linalg.norm(predicted[n])) * sizes[n])
        for n, (w, _) in slopes.items()
    }
    least = max(LEAST * max(usual.values()), 1e-12)
    for name, (w, g) in slopes.items():
        error = np.abs(w - g).max() / max(usual[name], least)
        made.gradient[name.removesuffix("/onnxplain/scale")] = float(error)
