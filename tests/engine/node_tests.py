"""The node tests that come with onnx: one small model an operator and form, with its data.

Each is made a file as an exporter would write it, what is no signal (shapes, axes, indices) being a
constant in it, and explained under two composites: relevance and the ledger have to add up, and
`gradient` has to be the derivative that finite differences of onnxruntime give.
"""

from __future__ import annotations

import tempfile
import warnings
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

import onnxplain as ox
from onnxplain.engine.errors import ModelError, OnnxplainError, UnsupportedOperator
from onnxplain.engine.file import runtime

Array = np.ndarray[Any, Any]

CLOSURE, SLOPE = 1e-4, 1e-2
# The newest opset and format that onnxruntime runs; onnx writes its tests for ones that are not out yet.
# Where it has no kernel for an operator's newest version, an older one is tried.
OPSETS, FORMAT = (26, 21, 17, 13), 11
_DIRECTIONS = 2

# Operators that are no functions of their input, and why nothing of them is explained.
NO_FUNCTION = {
    "Bernoulli": "random",
    "Multinomial": "random",
    "RandomNormalLike": "random",
    "RandomUniformLike": "random",
}
# Operators for which onnxruntime has no kernel, in none of the versions that are tried.
NO_KERNEL = frozenset({"SwiGLU"})
# Integers that are samples of a signal.
_SAMPLES = tuple(np.dtype(t) for t in ("uint8", "int8", "uint16", "int16"))
# Operands that are floating but no signal: how far, where, and how much; by position, with the reason.
NO_SIGNAL: dict[str, dict[int, str]] = {
    "BatchNormalization": {4: "a variance cannot be moved freely"},
    "Dropout": {1: "a probability"},
    "MelWeightMatrix": {3: "an edge of a filter bank", 4: "an edge of a filter bank"},
    "OneHot": {0: "an index", 1: "the output's shape depends on it"},
    "Resize": {1: "a region", 2: "a scale: the output's shape depends on it"},
    "STFT": {2: "a window"},
    "Upsample": {1: "a scale: the output's shape depends on it"},
    "Range": {1: "the limit: the output's shape depends on it"},
    "RoiAlign": {1: "a region is held constant"},
    "MaxRoiPool": {1: "a region is held constant"},
    "QuantizeLinear": {1: "a scale"},
    "DequantizeLinear": {1: "a scale"},
    "Attention": {3: "a mask"},
    "FlexAttention": {3: "a mask"},
}
# Operators whose slope is not that of finite differences, and why.
NOT_SMOOTH: dict[str, str] = {
    "QuantizeLinear": "rounding counts as the identity",
    "DequantizeLinear": "integers have no slope",
    "Unique": "what is equal is no longer where it is moved",
    "DynamicQuantizeLinear": "rounding counts as the identity",
}
# Forms that have no relevance, and why; by a word of their name.
REFUSED = {
    "training_dropout": "random",
    "dynamicquantizelinear": "of its outputs only the scale is floating, which is held constant",
    "scan_sum": "an If, Loop or Scan of opset 8 that onnx cannot raise",
    "optional_get_element_optional": "an input that is no tensor",
}
# How many forms of the models of an operator are skipped: onnxruntime has no kernel for them, or there are
# no numbers: exactly these.
NOT_RUN = {
    "AffineGrid": 4, "Attention": 24, "CausalConvWithState": 26, "Celu": 1, "DequantizeLinear": 9, "GRU": 2,
    "LSTM": 2, "LinearAttention": 28, "MelWeightMatrix": 1, "Mod": 12, "Pow": 2, "RNN": 2, "Range": 2,
    "ReduceL1": 2, "ReduceL2": 2, "ReduceLogSum": 2, "ReduceLogSumExp": 2, "ReduceMax": 1, "ReduceMin": 1,
    "ReduceProd": 1, "ReduceSum": 2, "ReduceSumSquare": 2, "Reshape": 1, "Slice": 1, "SpaceToDepth": 2,
    "Split": 2, "SwiGLU": 9, "TreeEnsemble": 1,
}  # fmt: skip
# How many of onnx's models cannot be a test of relevance, and why.
SKIPPED = {
    "no floating output": 584, "of a preview domain": 29, "no floating input": 25, "no input": 1,
    REFUSED["training_dropout"]: 12, REFUSED["dynamicquantizelinear"]: 6, REFUSED["scan_sum"]: 1,
    REFUSED["optional_get_element_optional"]: 2,
}  # fmt: skip


@dataclass(frozen=True)
class NodeTest:
    """One model and its data.

    Attributes
    ----------
    name, domain, op : str
        `op` is the operator that it tests, also where the model is the operator's definition.
    model : onnx.ModelProto
    inputs : dict of str to ndarray
    output : str
        The first floating one.
    """

    name: str
    domain: str
    op: str
    model: onnx.ModelProto
    inputs: Mapping[str, Any]
    output: str = ""
    skipped: str = ""


@dataclass(frozen=True)
class Outcome:
    """What came of one model.

    Attributes
    ----------
    test : NodeTest
    status : {"explained", "unsupported", "skipped", "failed"}
    why : str
    form : {"", "all", "first"}
        Whether all floating operands are inputs, or the first one (the others are then constants).
    slope : str
        "checked", or why it was not.
    """

    test: NodeTest
    status: str
    why: str = ""
    form: str = ""
    slope: str = ""


@cache
def collected() -> tuple[NodeTest, ...]:
    """All of onnx's node tests, in its order; what cannot be a test of relevance says why."""
    from onnx.backend.test.case.node import collect_testcases

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        found = collect_testcases(None)
    ops = {c.name: c.model.graph.node[-1] for c in found if "_expanded" not in c.name}
    tests = []
    for c in found:
        base = c.name.split("_expanded")[0]
        node = ops.get(base) or c.model.graph.node[-1]
        given, wanted = c.data_sets[0]
        names = [v.name for v in c.model.graph.input]
        inputs = dict(zip(names, given, strict=False))
        usable = ("", NO_FUNCTION.get(node.op_type, ""))
        if not usable[1]:
            usable = _usable(c.model, inputs, wanted)
        tests.append(NodeTest(c.name, node.domain, node.op_type, c.model, inputs, *usable))
    return tuple(tests)


def _usable(model: onnx.ModelProto, inputs: Mapping[str, Any], wanted: Any) -> tuple[str, str]:
    """The output to explain, or why there is none."""
    kinds = {n: getattr(getattr(x, "dtype", None), "kind", "") for n, x in inputs.items()}
    outputs = [
        (o.name, np.asarray(y))
        for o, y in zip(model.graph.output, wanted, strict=False)
        if o.type.HasField("tensor_type") and isinstance(y, np.ndarray | np.generic)
    ]
    floating = [n for n, y in outputs if y.dtype.kind == "f"]
    for word, why in REFUSED.items():
        if model.graph.name.find(word) >= 0:
            return "", why
    if any(o not in ("", "ai.onnx.ml", "com.microsoft") for o in (p.domain for p in model.opset_import)):
        return "", "of a preview domain"
    if not floating:
        return "", "no floating output"
    if not inputs:
        return "", "no input"
    if not any(k == "f" for k in kinds.values()):
        return "", "no floating input"
    return floating[0], ""


def saved(test: NodeTest, keep: set[str], folder: Path) -> tuple[Path, dict[str, Array]]:
    """The model as a file in which every input but `keep` is a constant; and what to feed."""
    model = onnx.ModelProto()
    model.CopyFrom(test.model)
    graph = model.graph
    inputs = [i for i in graph.input if i.name in keep]
    for i in graph.input:
        if i.name not in keep and i.name in test.inputs:
            graph.initializer.append(numpy_helper.from_array(np.asarray(test.inputs[i.name]), i.name))
    del graph.input[:]
    graph.input.extend(inputs)
    outputs = [o for o in graph.output if o.name == test.output]
    del graph.output[:]
    graph.output.extend(outputs)
    # A model that ends in a softmax is explained before it: here nothing ends in what is tested.
    graph.node.append(helper.make_node("Neg", [test.output], ["negated"]))
    graph.output[0].name = "negated"
    model.ir_version = min(model.ir_version, FORMAT)
    feed = {n: np.asarray(test.inputs[n]) for n in keep}
    own = next((o for o in model.opset_import if o.domain in ("", "ai.onnx")), None)
    version = own.version if own is not None else 0
    for opset in OPSETS:
        if own is not None:
            own.version = min(version, opset)
        if _runs(model, feed):
            break
    else:
        if own is not None:
            own.version = min(version, OPSETS[0])
        single = _in_single(model)
        if single is not None and _runs(single, {n: x.astype(np.float32) for n, x in feed.items()}):
            model, feed = single, {n: x.astype(np.float32) for n, x in feed.items()}
    path = folder / f"{test.name}.onnx"
    onnx.save(model, path)
    return path, feed


def _in_single(model: onnx.ModelProto) -> onnx.ModelProto | None:
    """A model of doubles in float32, for operators that onnxruntime has only that kernel for."""
    made = onnx.ModelProto()
    made.CopyFrom(model)
    values = [*made.graph.input, *made.graph.output]
    if not any(v.type.tensor_type.elem_type == TensorProto.DOUBLE for v in values):
        return None
    for v in values:
        if v.type.tensor_type.elem_type == TensorProto.DOUBLE:
            v.type.tensor_type.elem_type = TensorProto.FLOAT
    del made.graph.value_info[:]
    for t in made.graph.initializer:
        if t.data_type == TensorProto.DOUBLE:
            t.CopyFrom(numpy_helper.from_array(numpy_helper.to_array(t).astype(np.float32), t.name))
    for node in made.graph.node:
        for a in node.attribute:
            if node.op_type == "Cast" and a.name == "to" and a.i == TensorProto.DOUBLE:
                a.i = TensorProto.FLOAT
    return made


def _runs(model: onnx.ModelProto, feed: Mapping[str, Array]) -> bool:
    try:
        # As the engine looks into it: without what onnxruntime fuses into other kernels.
        session = runtime.session(model, where="", optimise=False)
        runtime.run(session, [model.graph.output[0].name], feed, where="")
    except OnnxplainError:
        return False
    return True


def no_signals(test: NodeTest) -> set[str]:
    """Floating inputs that are none in the sense of `NO_SIGNAL`."""
    base = _bases().get(test.name.split("_expanded")[0])
    known = NO_SIGNAL.get(test.op, {})
    return {v for i, v in enumerate(base.input if base is not None else ()) if i in known}


@cache
def _bases() -> dict[str, onnx.NodeProto]:
    """The node of each test that is not written out."""
    return {t.name: t.model.graph.node[-1] for t in collected() if "_expanded" not in t.name}


def forms(test: NodeTest) -> Iterator[tuple[str, set[str]]]:
    """Which operands are inputs: all floating ones; the first one."""
    floating = [
        n
        for n, x in test.inputs.items()
        if getattr(x, "dtype", np.dtype(bool)).kind == "f" and x.size and n not in no_signals(test)
    ]
    if not floating and test.op == "DequantizeLinear":
        yield from (
            ("first", {n}) for n, x in list(test.inputs.items())[:1] if getattr(x, "dtype", None) in _SAMPLES
        )
    if len(floating) > 1:
        yield "all", set(floating)
    # An operator written out is explained in one form: the other is that of its parts.
    if floating and not (len(floating) > 1 and "_expanded" in test.name):
        yield "first", {floating[0]}


def run(test: NodeTest) -> list[Outcome]:
    """Explain one model in each of its forms."""
    if test.skipped:
        return [Outcome(test, "skipped", test.skipped)]
    found = []
    with tempfile.TemporaryDirectory() as folder, warnings.catch_warnings():
        warnings.simplefilter("ignore")
        for form, keep in forms(test):
            try:
                path, feed = saved(test, keep, Path(folder))
                found.append(_explained(test, form, path, feed))
            except Exception as e:
                found.append(Outcome(test, "failed", f"{type(e).__name__}: {e}"[:300], form))
    return found or [Outcome(test, "skipped", "no data in its floating input")]


def _explained(test: NodeTest, form: str, path: Path, feed: dict[str, Array]) -> Outcome:
    model = onnx.load(path)
    name = model.graph.output[0].name
    rng = np.random.default_rng(0)
    try:
        session = runtime.session(model, where=test.name)
        y = runtime.run(session, [name], feed, where=test.name)[0]
    except OnnxplainError:
        return Outcome(test, "skipped", "onnxruntime cannot run it", form)
    if not isinstance(y, np.ndarray) or y.size == 0:
        return Outcome(test, "skipped", "nothing comes out", form)
    if not np.isfinite(y).all() or not all(np.isfinite(x).all() for x in feed.values()):
        return Outcome(test, "skipped", "its data is not finite", form)
    seed = rng.standard_normal(y.shape).astype(y.dtype if y.dtype != np.float16 else np.float32)
    try:
        explain, multiplier, problem = _accounts(test, path, feed, seed)
    except UnsupportedOperator as e:
        return Outcome(test, "unsupported", str(e), form)
    except OnnxplainError as e:
        return Outcome(test, "failed", f"{type(e).__name__}: {e}", form)
    if problem:
        return Outcome(test, "failed", problem, form)
    if any(x.dtype.kind != "f" for x in feed.values()):
        return Outcome(test, "explained", "", form, "integers have no slope")
    if test.op in NOT_SMOOTH:
        return Outcome(test, "explained", "", form, NOT_SMOOTH[test.op])
    if any(x.dtype == np.float16 for x in (y, *feed.values())):
        return Outcome(test, "explained", "", form, "half precision is too coarse for differences")
    return _smooth(test, form, session, name, feed, seed, explain, multiplier)


def _accounts(
    test: NodeTest, path: Path, feed: dict[str, Array], seed: Array
) -> tuple[ox.Explainer, dict[str, Array], str]:
    """Explain under two composites; the last one's multipliers, and what of an account is open."""
    # What is written out has been explained as a whole.
    for composite in ("gradient",) if "_expanded" in test.name else ("attnlrp", "gradient"):
        explain = ox.Explainer(path, composite=composite)
        try:
            a = explain(feed, target=seed)
        except ModelError:
            if composite == "attnlrp":
                raise
            # An infinite slope: checked beside.
            return explain, dict.fromkeys(feed, np.asarray(np.nan)), ""
        multiplier = {n: np.asarray(m) for n, m in a.multiplier.items()}
        size = np.abs(a.explained).max() + sum(np.abs(r).sum() for r in a.relevance.values())
        gap = a.ledger.total() + sum(a.reached.values()) - a.explained
        # Operands of which some have samples and some have not are one account.
        gap = gap if len(feed) == 1 else gap.sum()
        if not np.abs(gap).max() <= CLOSURE * size + 1e-12:
            return explain, multiplier, f"{composite}: ledger open by {np.abs(gap).max() / size:.1e}"
    return explain, multiplier, ""


def _smooth(
    test: NodeTest,
    form: str,
    session: Any,
    name: str,
    feed: dict[str, Array],
    seed: Array,
    explain: ox.Explainer,
    multiplier: dict[str, Array],
) -> Outcome:
    """Multipliers against differences, where the function has a slope."""
    problem = _slope(session, name, feed, seed, multiplier)
    if not problem:
        return Outcome(test, "explained", "", form, "checked")
    for moved in _beside(feed):
        # The data may lie on a kink (whole numbers, ties) or a pole: then beside it.
        try:
            there = explain(moved, target=seed).multiplier
        except OnnxplainError as e:
            problem = f"beside its data: {e}"
            continue
        if not _slope(session, name, moved, seed, there):
            return Outcome(test, "explained", "", form, "checked beside its data, which lies on a kink")
    return Outcome(test, "failed", problem, form)


def _beside(feed: Mapping[str, Array]) -> Iterator[dict[str, Array]]:
    """Data near by: noise added, a little and more; or every number made larger, which keeps its sign."""
    rng = np.random.default_rng(2)
    for scale in (0.01, 0.1):
        yield {n: np.asarray(x + scale * rng.standard_normal(x.shape), x.dtype) for n, x in feed.items()}
    yield {n: np.asarray(x * (1.1 + 0.3 * rng.random(x.shape)), x.dtype) for n, x in feed.items()}


def _slope(session: Any, name: str, feed: Mapping[str, Array], seed: Array, m: Mapping[str, Array]) -> str:
    """Compare with central differences along random directions; "" where they agree."""
    rng = np.random.default_rng(1)
    s = seed.astype(np.float64)
    for _ in range(_DIRECTIONS):
        way = {n: rng.standard_normal(x.shape) for n, x in feed.items()}
        got = sum(float((m[n] * way[n]).sum()) for n in feed if n in m and m[n] is not None)
        scale = np.sqrt(
            sum(float((m[n].astype(np.float64) ** 2).sum()) for n in feed if n in m and m[n] is not None)
        )
        best, want = np.inf, 0.0
        for step in (1e-1, 3e-2, 1e-2, 3e-3, 1e-3, 1e-4):
            ends, noise = [], 0.0
            for sign in (1, -1):
                moved = {n: np.asarray(x + sign * step * way[n], x.dtype) for n, x in feed.items()}
                y = session.run([name], moved)[0]
                if y.shape != s.shape:
                    break  # as many numbers as there are: a step, or another input, gives fewer
                ends.append(float((s * y).sum()))
                noise = max(noise, float(np.abs(s * y).sum()) * np.finfo(y.dtype).eps)
            if len(ends) < 2:
                continue
            slope = (ends[0] - ends[1]) / (2 * step)
            # What rounding of the outputs alone can make of a difference is no error.
            error = max(abs(got - slope) - noise / step, 0.0) / max(abs(slope), abs(got), scale, 1e-6)
            if error < best:
                best, want = error, slope
        if not best <= SLOPE:
            return f"gradient {got:.4g}, finite differences {want:.4g}"
    return ""
