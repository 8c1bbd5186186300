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

from ..analysis.analysis import Analysis
from ..analysis.shapes import Shape
from ..file.graph import Node
from . import match
from .rewrite import Rewrite

# The same elements in the same order.
_RESHAPES = ("Reshape", "Unsqueeze", "Squeeze", "Flatten")
# What keeps a maximum finite: beside the maximum, constants and conditions.
_GUARDS = ("Max", "Min", "Clip", "Where")


def run(analysis: Analysis) -> Analysis:
    """Put a Softmax in the place of every quotient of exponentials, a LogSoftmax for its logarithm."""
    rewrite = Rewrite(analysis)
    for node in analysis.nodes:
        found = _quotient(analysis, node) or _difference(analysis, node)
        if found is not None:
            kind, x, axis = found
            rewrite.put(Node(node.name, "", kind, 13, (x,), node.outputs, {"axis": axis}), node)
        elif (whole := _flattened(analysis, node)) is not None:
            kind, x, axis = whole
            # Over several axes at once, as the operator was before opset 13.
            version = 13 if axis == -1 else 11
            rewrite.put(Node(node.name, "", kind, version, (x,), node.outputs, {"axis": axis}), node)
    return rewrite.done()


@dataclass(frozen=True)
class _Total:
    """A sum over one axis, laid beside what was summed; `inverse` and `log` tell what became of it."""

    of: str
    axis: int
    values: tuple[str, ...]
    inverse: bool
    log: bool


def _quotient(analysis: Analysis, node: Node) -> tuple[str, str, int] | None:
    """``e / sum e`` or ``e * (1 / sum e)``, e an exponential."""
    if node.domain != "" or node.op_type not in ("Div", "Mul") or not analysis.varies(node.outputs[0]):
        return None
    orders = list(match.pairs(node))
    for e, total in orders[:1] if node.op_type == "Div" else orders:
        power = match.made_by(analysis, e, "Exp")
        found = None if power is None else _total(analysis, total)
        if power is None or found is None or found.log or found.inverse != (node.op_type == "Mul"):
            continue
        if not match.same(analysis, found.of, e) or analysis.keeps(e, *found.values):
            continue
        return "Softmax", _unshifted(analysis, power.inputs[0], found.axis), found.axis
    return None


def _difference(analysis: Analysis, node: Node) -> tuple[str, str, int] | None:
    """``x - log sum exp x``."""
    if node.domain != "" or node.op_type != "Sub" or not analysis.varies(node.outputs[0]):
        return None
    x, other = node.inputs
    found = _total(analysis, other)
    power = None if found is None else match.made_by(analysis, found.of, "Exp")
    if found is None or power is None or not found.log or found.inverse:
        return None
    if not match.same(analysis, power.inputs[0], x):
        return None
    if analysis.keeps(*found.values, *power.outputs):
        return None
    return "LogSoftmax", _unshifted(analysis, x, found.axis), found.axis


def _flattened(analysis: Analysis, node: Node) -> tuple[str, str, int] | None:
    """A softmax over the last axis of two, into which others are flattened, and which become them again."""
    if (
        node.domain != ""
        or node.op_type not in ("Reshape", "Flatten")
        or not analysis.varies(node.outputs[0])
    ):
        return None
    inner = match.made_by(analysis, node.inputs[0], "Softmax", "LogSoftmax")
    if inner is None or inner.version < 13:
        return None
    flat = analysis.shape(inner.inputs[0])
    before = match.made_by(analysis, inner.inputs[0], "Reshape", "Flatten")
    if before is None or len(flat) != 2 or inner.attributes.get("axis", -1) not in (-1, 1):
        return None
    x = before.inputs[0]
    shape = analysis.shape(x)
    if shape != analysis.shape(node.outputs[0]) or analysis.keeps(before.outputs[0], inner.outputs[0]):
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


def _total(analysis: Analysis, value: str) -> _Total | None:
    """What a value is the sum of, if every element of the sum is where it came from."""
    wide = beside = match.root(analysis, value)
    values, passed = [value], set[str]()
    while True:
        value = match.root(analysis, value)
        values.append(value)
        node = analysis.producer(value)
        if node is None or node.domain != "":
            return None
        if node.op_type == "ReduceSum":
            break
        inverse = node.op_type == "Reciprocal" or (
            node.op_type == "Div" and match.number(analysis, node.inputs[0]) == 1
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
    axes = match.axes_of(analysis, node)
    if axes is None or len(axes) != 1:
        return None
    full = analysis.shape(node.inputs[0])
    kept = _trimmed((*full[: len(full) + axes[0]], 1, *full[len(full) + axes[0] + 1 :]))
    if _trimmed(analysis.shape(beside)) != kept or _trimmed(analysis.shape(wide)) not in (
        kept,
        _trimmed(full),
    ):
        return None
    return _Total(node.inputs[0], axes[0], tuple(values), "inverse" in passed, "Log" in passed)


def _trimmed(shape: Shape) -> Shape:
    """Without the axes of size 1 in front, which broadcasting adds by itself."""
    while shape and shape[0] == 1:
        shape = shape[1:]
    return shape


def _unshifted(analysis: Analysis, value: str, axis: int) -> str:
    """The logits before their maximum was taken off, which softmax does not see."""
    node = match.made_by(analysis, value, "Sub")
    if node is None or analysis.keeps(value, node.outputs[0]):
        return value
    x, top = node.inputs
    if analysis.shape(x) != analysis.shape(value) or not _flat(analysis, top, axis):
        return value
    return x if _is_maximum(analysis, top, x, axis) else value


def _flat(analysis: Analysis, value: str, axis: int) -> bool:
    """Whether a value is the same all along an axis: softmax does not see it, whatever it is."""
    shape = analysis.probe.shapes.get(value)
    if shape is None:
        return False
    if len(shape) < -axis or shape[axis] == 1:
        return True
    node = analysis.producer(value)
    if node is None or node.domain != "" or node.op_type not in (*_GUARDS, "Expand", "Identity", "Cast"):
        return False
    read = node.inputs[:1] if node.op_type == "Expand" else node.inputs
    return all(_flat(analysis, v, axis) for v in read if v)


def _is_maximum(analysis: Analysis, value: str, x: str, axis: int) -> bool:
    """Whether a value is the maximum of x, kept finite, and nothing is asked of what is on the way."""
    while not analysis.keeps(value):
        value = match.root(analysis, value)
        node = analysis.producer(value)
        if node is None or node.domain != "" or analysis.keeps(value):
            return False
        if node.op_type == "ReduceMax":
            return match.axes_of(analysis, node) == (axis,) and match.same(analysis, node.inputs[0], x)
        if node.op_type in (*_RESHAPES, "Expand"):
            value = node.inputs[0]
            continue
        if node.op_type not in _GUARDS:
            return False
        read = node.inputs[1:] if node.op_type == "Where" else node.inputs
        signals = [v for v in read if analysis.varies(v)]
        if len(signals) != 1:
            return False
        value = signals[0]
    return False
