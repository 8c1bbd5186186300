"""What holds for every rewritten model, checked against onnxruntime running the source."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import onnxruntime as ort
from onnx import TensorProto, helper, numpy_helper, parser

import onnxplain as ox
from onnxplain.engine.lowering import Lowered, lower

Array = np.ndarray[Any, Any]
Feed = Callable[[int], dict[str, Array]]


def model(
    body: str,
    inputs: Mapping[str, Iterable[Any]],
    weights: Mapping[str, Any] | None = None,
    *,
    outputs: Iterable[str] = ("y",),
    opset: int = 17,
    domains: Mapping[str, int] | None = None,
    types: Mapping[str, int] | None = None,
) -> onnx.ModelProto:
    """A model from ONNX text; what nothing in it makes is an initialiser."""
    graph = parser.parse_graph(f"g () => () {{ {body} }}")
    kinds = types or {}
    for name, shape in inputs.items():
        graph.input.append(
            helper.make_tensor_value_info(name, kinds.get(name, TensorProto.FLOAT), list(shape))
        )
    for name in outputs:
        graph.output.append(helper.make_tensor_value_info(name, kinds.get(name, TensorProto.FLOAT), None))
    graph.initializer.extend(numpy_helper.from_array(np.asarray(w), n) for n, w in (weights or {}).items())
    opsets = [helper.make_opsetid("", opset)]
    opsets += [helper.make_opsetid(d, v) for d, v in (domains or {}).items()]
    return helper.make_model(graph, opset_imports=opsets, ir_version=10)


def session(proto: onnx.ModelProto) -> ort.InferenceSession:
    """An unoptimised session."""
    options = ort.SessionOptions()
    options.log_severity_level = 4
    options.intra_op_num_threads = 1
    options.graph_optimization_level = ort.GraphOptimizationLevel.ORT_DISABLE_ALL
    return ort.InferenceSession(proto.SerializeToString(), options, providers=["CPUExecutionProvider"])


def operators(proto: onnx.ModelProto) -> set[str]:
    """Operators of the outermost graph, with their domains."""
    return {f"{n.domain}.{n.op_type}" if n.domain else n.op_type for n in proto.graph.node}


def well_formed(proto: onnx.ModelProto, x: Mapping[str, Array]) -> None:
    """onnx.checker accepts it, once the ranks of the outputs are declared."""
    declared = onnx.ModelProto()
    declared.CopyFrom(proto)
    for output, value in zip(declared.graph.output, session(proto).run(None, dict(x)), strict=True):
        kind = helper.np_dtype_to_tensor_dtype(value.dtype)
        output.CopyFrom(helper.make_tensor_value_info(output.name, kind, [None] * value.ndim))
    onnx.checker.check_model(declared, full_check=True)


def same(got: Iterable[Array], want: Iterable[Array], tolerance: float = 1e-5) -> None:
    """Shapes, types and values are the same."""
    for a, b in zip(got, want, strict=True):
        assert a.shape == b.shape
        assert a.dtype == b.dtype
        size = float(np.abs(b[np.isfinite(b)]).max(initial=0)) or 1.0
        np.testing.assert_allclose(a, b, rtol=0, atol=tolerance * size)


def check(
    source: onnx.ModelProto,
    feed: Feed,
    gone: str,
    folder: Path,
    *,
    open_batch: bool = True,
    smooth: bool = True,
    explain: bool = True,
    tolerance: float = 1e-5,
    checker: bool = True,
    composites: Iterable[str] = ("attnlrp", "epsilon"),
) -> Lowered:
    """Rewrite at one sample and at three; compare; explain.

    Parameters
    ----------
    source : onnx.ModelProto
    feed : callable
        Inputs for so many samples.
    gone : str
        The operator that must not be left.
    folder : Path
    open_batch : bool
        Whether what is made for one sample serves three.
    smooth : bool
        Whether the gradient can be compared with differences.
    """
    original = source.SerializeToString()
    outputs = [o.name for o in source.graph.output]
    before = session(source)
    rng = np.random.default_rng(11)
    for batch in (1, 3):
        x = feed(batch)
        made = lower(source, x, where="source")
        assert source.SerializeToString() == original
        assert gone not in operators(made.proto)
        names = [n.name for n in made.proto.graph.node if n.name]
        assert len(names) == len(set(names))
        if checker:
            well_formed(made.proto, x)
        same(session(made.proto).run(outputs, x), before.run(outputs, x), tolerance)
        if batch == 1 and open_batch:
            three = feed(3)
            same(session(made.proto).run(outputs, three), before.run(outputs, three), tolerance)
    if explain:
        _explained(made.proto, source, x, folder, rng, smooth, composites)
    return made


def _explained(
    proto: onnx.ModelProto,
    source: onnx.ModelProto,
    x: dict[str, Array],
    folder: Path,
    rng: np.random.Generator,
    smooth: bool,
    composites: Iterable[str],
) -> None:
    path = folder / "lowered.onnx"
    onnx.save(proto, path)
    output = next(o.name for o in source.graph.output)
    before = session(source)
    y = before.run([output], x)[0]
    seed = rng.standard_normal(y.shape).astype(np.float32)
    for composite in composites:
        a = ox.Explainer(path, composite=composite)(x, target=seed)
        size = np.abs(a.explained).max() + max(np.abs(r).sum() for r in a.relevance.values())
        gap = a.ledger.total() + sum(a.reached.values()) - a.explained
        assert np.abs(gap).max() <= 1e-4 * size
    if not smooth:
        return
    a = ox.Explainer(path, composite="gradient")(x, target=seed)
    for _ in range(3):
        step = {n: rng.standard_normal(v.shape) for n, v in x.items() if v.dtype.kind == "f"}
        h = 1e-2

        def along(sign: float, step: dict[str, Array] = step, h: float = h) -> float:
            moved = {n: (v + sign * h * step[n]).astype(v.dtype) if n in step else v for n, v in x.items()}
            return float((seed.astype(np.float64) * before.run([output], moved)[0]).sum())

        want = (along(1) - along(-1)) / (2 * h)
        parts = [a.multiplier[n] * step[n] for n in step]
        got = sum(float(p.sum()) for p in parts)
        assert abs(got - want) <= 5e-3 * sum(float(np.abs(p).sum()) for p in parts) + 1e-5


def normal(*shape: int, seed: int = 0) -> Array:
    """Standard normal numbers."""
    return np.random.default_rng([seed, *shape]).standard_normal(shape).astype(np.float32)
