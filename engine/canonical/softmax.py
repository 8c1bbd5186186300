"""Softmax and LogSoftmax written in parts as one operator.

``exp(x - max x) / sum exp(x - max x)``: taken operator by operator, the exponential would be an activation
and the sum a normaliser, and relevance of the logits would come out by another rule than softmax has.

The maximum and the sum may lose their axis and get it back (Reshape, Unsqueeze, Expand), and the maximum may
be kept finite on its way.

Before opset 13 a Softmax is over all axes from one on. A converter writes that as Flatten, Softmax and
Reshape, and where a model ends in them, it would not be seen that it ends in a Softmax.
"""

from __future__ import annotations

from dataclasses import dataclass

from ..analysis.probe import Probe
from ..analysis.shapes import Shape
from ..file.graph import Graph, Node
from . import match

# The same elements in the same order.
_RESHAPES = ("Reshape", "Unsqueeze", "Squeeze", "Flatten")
# What keeps a maximum finite: beside the maximum, constants and conditions.
_GUARDS = ("Max", "Min", "Clip", "Where")


def run(graph: Graph, probe: Probe) -> Graph:
    """Put a Softmax in the place of every quotient of exponentials, a LogSoftmax for its logarithm."""
    made: dict[Node, Node] = {}
    for node in graph.nodes:
        found = _quotient(graph, probe, node) or _difference(graph, probe, node)
        if found is not None:
            kind, x, axis = found
            made[node] = Node(node.name, "", kind, 13, (x,), node.outputs, {"axis": axis})
        elif (whole := _flattened(graph, probe, node)) is not None:
            kind, x, axis = whole
            # Over several axes at once, as the operator was before opset 13.
            version = 13 if axis == -1 else 11
            made[node] = Node(node.name, "", kind, version, (x,), node.outputs, {"axis": axis})
    return match.replace(graph, made, set())


@dataclass(frozen=True)
class _Total:
    """A sum over one axis, laid beside what was summed; `inverse` and `log` tell what became of it."""

    of: str
    axis: int
    values: tuple[str, ...]
    inverse: bool
    log: bool


def _quotient(graph: Graph, probe: Probe, node: Node) -> tuple[str, str, int] | None:
    """``e / sum e`` or ``e * (1 / sum e)``, e an exponential."""
    if node.domain != "" or node.op_type not in ("Div", "Mul") or node.outputs[0] not in probe.varying:
        return None
    orders = list(match.pairs(node))
    for e, total in orders[:1] if node.op_type == "Div" else orders:
        power = match.made_by(graph, probe, e, "Exp")
        found = None if power is None else _total(graph, probe, total)
        if power is None or found is None or found.log or found.inverse != (node.op_type == "Mul"):
            continue
        if not match.same(graph, probe, found.of, e) or any(graph.keeps(v) for v in (e, *found.values)):
            continue
        return "Softmax", _unshifted(graph, probe, power.inputs[0], found.axis), found.axis
    return None


def _difference(graph: Graph, probe: Probe, node: Node) -> tuple[str, str, int] | None:
    """``x - log sum exp x``."""
    if node.domain != "" or node.op_type != "Sub" or node.outputs[0] not in probe.varying:
        return None
    x, other = node.inputs
    found = _total(graph, probe, other)
    power = None if found is None else match.made_by(graph, probe, found.of, "Exp")
    if found is None or power is None or not found.log or found.inverse:
        return None
    if not match.same(graph, probe, power.inputs[0], x):
        return None
    if any(graph.keeps(v) for v in (*found.values, *power.outputs)):
        return None
    return "LogSoftmax", _unshifted(graph, probe, x, found.axis), found.axis


def _flattened(graph: Graph, probe: Probe, node: Node) -> tuple[str, str, int] | None:
    """A softmax over the last axis of two, into which others are flattened, and which become them again."""
    if (
        node.domain != ""
        or node.op_type not in ("Reshape", "Flatten")
        or node.outputs[0] not in probe.varying
    ):
        return None
    inner = match.made_by(graph, probe, node.inputs[0], "Softmax", "LogSoftmax")
    if inner is None or inner.version < 13:
        return None
    flat = probe.shapes[inner.inputs[0]]
    before = match.made_by(graph, probe, inner.inputs[0], "Reshape", "Flatten")
    if before is None or len(flat) != 2 or inner.attributes.get("axis", -1) not in (-1, 1):
        return None
    x = before.inputs[0]
    shape = probe.shapes[x]
    if shape != probe.shapes[node.outputs[0]] or any(graph.keeps(n.outputs[0]) for n in (before, inner)):
        return None
    width: object = 1
    for axis in range(-1, -len(shape) - 1, -1):
        size = shape[axis]
        if not isinstance(size, int) or not isinstance(width, int):
            return None
        width *= size
        if width == flat[1]:
            return inner.op_type, x, axis
    return None


def _total(graph: Graph, probe: Probe, value: str) -> _Total | None:
    """What a value is the sum of, if every element of the sum is where it came from."""
    wide = beside = match.root(graph, probe, value)
    values, passed = [value], set[str]()
    while True:
        value = match.root(graph, probe, value)
        values.append(value)
        node = graph.producer.get(value)
        if node is None or node.domain != "":
            return None
        if node.op_type == "ReduceSum":
            break
        inverse = node.op_type == "Reciprocal" or (
            node.op_type == "Div" and match.number(probe, node.inputs[0]) == 1
        )
        kind = "inverse" if inverse else node.op_type
        # Each but a reshape once: expanding is the last that is done, and what is wide is not reshaped.
        if kind not in (*_RESHAPES, "Expand", "Log", "inverse") or (kind in passed and kind not in _RESHAPES):
            return None
        if kind == "Expand" and passed & {*_RESHAPES}:
            return None
        passed.add(kind)
        value = node.inputs[-1] if inverse else node.inputs[0]
        if kind == "Expand":
            beside = value
    axes = match.axes_of(node, probe)
    if axes is None or len(axes) != 1:
        return None
    full = probe.shapes[node.inputs[0]]
    kept = _trimmed((*full[: len(full) + axes[0]], 1, *full[len(full) + axes[0] + 1 :]))
    if _trimmed(probe.shapes[beside]) != kept or _trimmed(probe.shapes[wide]) not in (kept, _trimmed(full)):
        return None
    return _Total(node.inputs[0], axes[0], tuple(values), "inverse" in passed, "Log" in passed)


def _trimmed(shape: Shape) -> Shape:
    """Without the axes of size 1 in front, which broadcasting adds by itself."""
    while shape and shape[0] == 1:
        shape = shape[1:]
    return shape


def _unshifted(graph: Graph, probe: Probe, value: str, axis: int) -> str:
    """The logits before their maximum was taken off, which softmax does not see."""
    node = match.made_by(graph, probe, value, "Sub")
    if node is None or graph.keeps(value) or graph.keeps(node.outputs[0]):
        return value
    x, top = node.inputs
    if probe.shapes[x] != probe.shapes[value] or not _flat(graph, probe, top, axis):
        return value
    return x if _is_maximum(graph, probe, top, x, axis) else value


def _flat(graph: Graph, probe: Probe, value: str, axis: int) -> bool:
    """Whether a value is the same all along an axis: softmax does not see it, whatever it is."""
    shape = probe.shapes.get(value)
    if shape is None:
        return False
    if len(shape) < -axis or shape[axis] == 1:
        return True
    node = graph.producer.get(value)
    if node is None or node.domain != "" or node.op_type not in (*_GUARDS, "Expand", "Identity", "Cast"):
        return False
    read = node.inputs[:1] if node.op_type == "Expand" else node.inputs
    return all(_flat(graph, probe, v, axis) for v in read if v)


def _is_maximum(graph: Graph, probe: Probe, value: str, x: str, axis: int) -> bool:
    """Whether a value is the maximum of x, kept finite, and nothing is asked of what is on the way."""
    while not graph.keeps(value):
        value = match.root(graph, probe, value)
        node = graph.producer.get(value)
        if node is None or node.domain != "" or graph.keeps(value):
            return False
        if node.op_type == "ReduceMax":
            return match.axes_of(node, probe) == (axis,) and match.same(graph, probe, node.inputs[0], x)
        if node.op_type in (*_RESHAPES, "Expand"):
            value = node.inputs[0]
            continue
        if node.op_type not in _GUARDS:
            return False
        read = node.inputs[1:] if node.op_type == "Where" else node.inputs
        signals = [v for v in read if v in probe.varying]
        if len(signals) != 1:
            return False
        value = signals[0]
    return False
