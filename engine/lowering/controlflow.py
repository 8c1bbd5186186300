"""If as the branch that is taken, Loop and Scan as the iterations that are made.

Which branch, and how many iterations, is found by running the model. What they depend on is noted, so
that the next input can be checked against it. Subgraphs inside subgraphs come up one level a round.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import onnx
from onnx import TensorProto, helper

from ..errors import LimitError
from ..file.load import MAX_NODES
from ..file.protobuf import attributes, every_node
from ..file.sound import is_random
from .emit import Emit, apply
from .graphs import reads
from .inline import inline
from .workspace import Workspace

OPERATORS = frozenset({"If", "Loop", "Scan"})


def run(work: Workspace) -> bool:
    """Rewrite every If, Loop and Scan of the outermost graph; whether there were any.

    Raises
    ------
    LimitError
        A Loop or Scan makes more nodes than a model may have.
    """
    found = {i: n for i, n in enumerate(work.nodes) if n.op_type in OPERATORS and not n.domain}
    found = {i: n for i, n in found.items() if n.op_type != "Scan" or work.version() >= 9}
    if not found:
        return False
    counts = _iterations(work, found)
    operands = [n.input[0] for n in found.values() if n.op_type == "If"]
    operands += [v for n in found.values() if n.op_type == "Loop" for v in n.input[:2] if v]
    work.observe(operands)
    made: dict[int, Emit] = {}
    for i, node in found.items():
        emit = made[i] = Emit(work, node)
        if node.op_type == "If":
            _if(emit, node)
        else:
            (_loop if node.op_type == "Loop" else _scan)(emit, node, counts[i])
    apply(work, made)
    return True


def _body(node: onnx.NodeProto, name: str = "body") -> onnx.GraphProto:
    found: onnx.GraphProto = next(a.g for a in node.attribute if a.name == name)
    return found


# -- If ---------------------------------------------------------------------------------------------


def _if(emit: Emit, node: onnx.NodeProto) -> None:
    """The branch that is taken."""
    work, condition = emit.work, node.input[0]
    value = work.given.get(condition)
    if value is None:
        value = work.observe([condition])[condition]
    work.conditions.add(condition)
    emit.note(condition, value)
    branch = _body(node, "then_branch" if value.reshape(-1)[0] else "else_branch")
    known = inline(emit, branch, {}, emit.prefix, keep=True)
    emit.give({o: known.get(b.name, b.name) for o, b in zip(node.output, branch.output, strict=False)})


# -- how often ----------------------------------------------------------------------------------------


def _iterations(work: Workspace, found: dict[int, onnx.NodeProto]) -> dict[int, int]:
    """Iterations of every Loop and Scan."""
    counts: dict[int, int] = {}
    patched: dict[int, onnx.NodeProto] = {}
    for i, node in found.items():
        if node.op_type == "Loop":
            patched[i] = _counting(work, node)
    names = [n.output[-1] for n in patched.values()]
    made = work.run(names, patched) if names else {}
    counts.update({i: len(made[n.output[-1]]) for i, n in patched.items()})
    scans = {i: n for i, n in found.items() if n.op_type == "Scan"}
    values = work.observe(n.input[-1] for n in scans.values())
    for i, node in scans.items():
        given = attributes(node)
        axis = (given.get("scan_input_axes") or [0])[-1]
        counts[i] = values[node.input[-1]].shape[axis]
    return counts


def _counting(work: Workspace, node: onnx.NodeProto) -> onnx.NodeProto:
    """The Loop with one more output, which has one element for each iteration."""
    patched = onnx.NodeProto()
    patched.CopyFrom(node)
    body = _body(patched)
    # Optional outputs at the end may be left out; the new one comes after all of them.
    patched.output.extend([""] * (len(body.output) - 1 - len(patched.output)))
    patched.output.append(work.fresh(f"{work.label(node)}/iterations"))
    inner = work.fresh(f"{work.label(node)}/iteration")
    body.node.append(helper.make_node("Identity", [body.input[0].name], [inner]))
    body.output.append(helper.make_tensor_value_info(inner, TensorProto.INT64, None))
    for i, output in enumerate(patched.output):
        if not output:
            patched.output[i] = work.fresh(f"{work.label(node)}/unused")
    return patched


def _check_size(emit: Emit, node: onnx.NodeProto, count: int) -> None:
    size = sum(1 for _ in every_node(_body(node)))
    if count * size > MAX_NODES:
        raise LimitError(
            f"{emit.work.at(node)}: {count:,} iterations of {size:,} nodes; the limit is {MAX_NODES:,} nodes"
        )


# -- Loop -------------------------------------------------------------------------------------------


class _Iterations:
    """The body, once for each iteration; what is the same in all of them once."""

    def __init__(self, emit: Emit, body: onnx.GraphProto, changing: set[str]) -> None:
        self.emit, self.body = emit, body
        self.shared: dict[str, str] = {}
        self._invariant = _invariant(body, changing)

    def once(self, k: int, given: dict[str, str]) -> dict[str, str]:
        """Emit iteration k; the names of the body's values in it."""
        known = inline(self.emit, self.body, {**self.shared, **given}, f"{self.emit.prefix}/{k}")
        if not self.shared:
            self.shared = {name: known[name] for name in self._invariant}
        return known


def _invariant(body: onnx.GraphProto, changing: set[str]) -> set[str]:
    """Values of a body that no iteration changes."""
    changing = set(changing)
    found = {t.name for t in body.initializer} | {s.values.name for s in body.sparse_initializer}
    for node in body.node:
        outputs = {o for o in node.output if o}
        if is_random(node) or reads(node) & changing:
            changing |= outputs
        else:
            found |= outputs
    return found


def _shaped_like(body_input: onnx.ValueInfoProto) -> tuple[int, ...]:
    """Iteration number and condition come as the body declares them: a scalar, or one element."""
    kind = body_input.type.tensor_type
    return (1,) if kind.HasField("shape") and len(kind.shape.dim) == 1 else ()


def _loop(emit: Emit, node: onnx.NodeProto, count: int) -> None:
    work, body = emit.work, _body(node)
    _check_size(emit, node, count)
    carried = list(node.input[2:])
    for name in node.input[:2]:
        if name:
            emit.note(name, work.observe([name])[name])
    number, condition = body.input[0], body.input[1]
    formal = [v.name for v in body.input[2:]]
    steps = _Iterations(emit, body, {v.name for v in body.input})
    going = node.input[1] if len(node.input) > 1 and node.input[1] else ""
    values, ends = carried, list[str]()
    scanned: list[list[str]] = [[] for _ in body.output[1 + len(carried) :]]
    for k in range(count):
        given = dict(zip(formal, values, strict=True))
        given[number.name] = emit.const(np.full(_shaped_like(number), k, np.int64), "iteration")
        given[condition.name] = going or emit.const(np.full(_shaped_like(condition), True), "condition")
        known = steps.once(k, given)
        out = [known.get(v.name, v.name) for v in body.output]
        going, values = out[0], out[1 : 1 + len(carried)]
        ends.append(going)
        for parts, value in zip(scanned, out[1 + len(carried) :], strict=True):
            parts.append(value)
    _note_conditions(emit, node, ends)
    names = list(node.output) + [""] * (len(body.output) - 1 - len(node.output))
    give = dict(zip(names, values, strict=False))
    for name, parts in zip(names[len(carried) :], scanned, strict=True):
        if name:
            give[name] = _stacked(emit, name, parts, 0)
    emit.give({k: v for k, v in give.items() if k})


def _note_conditions(emit: Emit, node: onnx.NodeProto, ends: Sequence[str]) -> None:
    """Every iteration went on but the last, unless the trip count ended it."""
    work = emit.work
    limit = work.observe([node.input[0]])[node.input[0]] if node.input and node.input[0] else None
    for k, name in enumerate(ends):
        last = k == len(ends) - 1
        if last and limit is not None and len(ends) >= int(limit.reshape(-1)[0]):
            return
        emit.note(name, np.array(not last))


def _stacked(emit: Emit, output: str, parts: Sequence[str], axis: int) -> str:
    """Scan outputs joined along a new axis; what there is where no iteration was made."""
    work = emit.work
    if not parts:
        return emit.const(work.observe([output])[output], "nothing")
    rows = [emit.unsqueeze(part, axis, what=f"{k}/Unsqueeze") for k, part in enumerate(parts)]
    return emit.concat(rows, axis)


# -- Scan -------------------------------------------------------------------------------------------


def _scan(emit: Emit, node: onnx.NodeProto, count: int) -> None:
    work, body, given = emit.work, _body(node), attributes(node)
    _check_size(emit, node, count)
    scans = int(given["num_scan_inputs"])
    states = len(node.input) - scans
    outputs = len(body.output) - states
    observed = work.observe(node.input[states:])
    pieces: list[list[str]] = []
    axes = given.get("scan_input_axes") or [0] * scans
    backwards = given.get("scan_input_directions") or [0] * scans
    for name, axis, back in zip(node.input[states:], axes, backwards, strict=True):
        axis %= observed[name].ndim
        emit.note_size(name, axis, count)
        parts = emit.split(name, [1] * count, axis, what="Split") if count else []
        parts = [emit.squeeze(p, axis) for p in parts]
        pieces.append(parts[::-1] if back else parts)
    formal = [v.name for v in body.input]
    steps = _Iterations(emit, body, set(formal))
    values = list(node.input[:states])
    scanned: list[list[str]] = [[] for _ in range(outputs)]
    for k in range(count):
        known = steps.once(k, dict(zip(formal, [*values, *(p[k] for p in pieces)], strict=True)))
        out = [known.get(v.name, v.name) for v in body.output]
        values = out[:states]
        for collected, value in zip(scanned, out[states:], strict=True):
            collected.append(value)
    names = list(node.output) + [""] * (len(body.output) - len(node.output))
    give = dict(zip(names[:states], values, strict=True))
    axes = given.get("scan_output_axes") or [0] * outputs
    backwards = given.get("scan_output_directions") or [0] * outputs
    for name, parts, axis, back in zip(names[states:], scanned, axes, backwards, strict=True):
        if name:
            if axis < 0:
                axis += work.observe([name])[name].ndim
            give[name] = _stacked(emit, name, parts[::-1] if back else parts, axis)
    emit.give({k: v for k, v in give.items() if k})
