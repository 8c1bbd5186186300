"""What is explained: from a user's `target` to the seed that the walk starts from."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import onnx
from onnx import TensorProto

from ..errors import InputError, ModelError

if TYPE_CHECKING:
    from ..file.graph import Graph

Array = np.ndarray[Any, Any]

# A model that ends in one of these is explained at the logit before it: after a softmax, a class's
# relevance is mixed with its rivals' (ROBUSTNESS M27).
_FINAL = frozenset({"Softmax", "LogSoftmax", "Sigmoid", "HardSigmoid"})
_HALF = (TensorProto.FLOAT16, TensorProto.BFLOAT16)
_THROUGH = frozenset({"Identity", "Cast", "Dropout", "ZipMap"})


def explained_tensor(graph: Graph, output: str, logits: bool = True) -> tuple[str, str | None]:
    """The tensor to start from for an output, and a note where it is not the output itself.

    Parameters
    ----------
    graph : Graph
    output : str
    logits : bool
        Whether to start before a softmax or sigmoid that the model ends in.
    """
    at = output
    while (node := graph.producer.get(at)) is not None and node.domain in ("", "ai.onnx.ml"):
        if node.op_type in _THROUGH:
            at = node.inputs[0]
        elif node.op_type in _FINAL and logits:
            return node.inputs[0], f"the model ends in {node.op_type}; the logit before it is explained"
        else:
            break
    last = graph.producer.get(output)
    if last is not None and last.op_type == "Cast" and last.attributes.get("to") in _HALF:
        return last.inputs[0], None  # what is rounded to half precision is known before it is
    if last is not None and last.op_type == "ZipMap":
        return at, "the model ends in ZipMap; the scores before it are explained"
    return output, None


def zip_maps(proto: onnx.ModelProto) -> set[str]:
    """Outputs that a ZipMap made of scores: a list of dicts, explained at the scores."""
    return {o for n in proto.graph.node if n.op_type == "ZipMap" for o in n.output}


def default_output(
    outputs: Mapping[str, np.dtype[Any] | None], asked: str | None, where: str, maps: Collection[str] = ()
) -> str:
    """The output to explain: the one asked for, or the first floating one.

    Raises
    ------
    InputError
        There is no such output; the known ones are listed.
    ModelError
        No output is a floating tensor.
    """
    if asked is not None:
        if asked not in outputs:
            raise InputError(f"{where}: no output {asked!r}; known: {', '.join(outputs)}")
        return asked
    for name, dtype in outputs.items():
        if dtype is not None and dtype.kind == "f":
            return name
    for name in outputs:
        if name in maps:
            return name
    raise ModelError(f"{where}: none of the outputs ({', '.join(outputs)}) is a floating tensor")


@dataclass(frozen=True)
class Asked:
    """What is explained of one micro-batch.

    Attributes
    ----------
    seed : ndarray, shape (K, *shape of the explained tensor)
    target : object
        Class indices where there are any, else what was given.
    several : bool
        Whether the axis K is kept in results.
    """

    seed: Array
    target: Any
    several: bool


def ask(
    y: Array, target: Any, contrast: str | None, classes: Sequence[str], samples: slice, of: int
) -> Asked:
    """What a user's target is for one micro-batch.

    Parameters
    ----------
    y : ndarray
        The explained tensor of the micro-batch.
    target, contrast, classes
        As for `seed_for`.
    samples : slice
        Which samples of the whole batch these are.
    of : int
        Samples of the whole batch.

    Raises
    ------
    InputError
        The target does not fit.
    """
    batch = samples.stop - samples.start
    own = target if batch == of else _of_samples(target, samples, of, y.ndim)
    return Asked(*seed_for(y, own, contrast, classes, batch))


def seed_for(
    y: Array, target: Any, contrast: str | None, classes: Sequence[str] = (), batch: int | None = None
) -> tuple[Array, Any, bool]:
    """The seed for an explained tensor.

    Parameters
    ----------
    y : ndarray, shape (batch, ...)
        The explained tensor.
    target : object
        An int; one int a sample; "predicted"; a class name; {class: weight}; an index tuple for dense
        outputs; "all"; or an array of the shape of y, or K of them, [K, *the shape of y].
    contrast : {"rest", None}
        "rest" explains each class against the mean of the others.
    classes : sequence of str
        Names along the last axis.
    batch : int, optional
        Number of samples; the length of y by default.

    Returns
    -------
    seed : ndarray, shape (K, batch, ...)
    target : object
        Class indices where there are any, else what was given.
    several : bool
        Whether the axis K is to be kept in the results.

    Raises
    ------
    InputError
        The target does not fit; what is known is listed.
    """
    if contrast not in (None, "rest", "none"):
        raise InputError(f"unknown contrast {contrast!r}; known: rest, none")
    against_rest = contrast == "rest"
    if batch is None:
        batch = y.shape[0] if y.ndim else 1
    flat = y.reshape(batch, -1)
    n = flat.shape[1]
    if isinstance(target, np.ndarray) and target.dtype.kind == "f":
        several = target.ndim == y.ndim + 1 and len(target) > 0
        if (target.shape[1:] if several else target.shape) != y.shape:
            raise InputError(
                f"a target array must have the output's shape {list(y.shape)} (or K of them: [K, ...]), not "
                f"{list(target.shape)}"
            )
        return (target if several else target[None]).astype(y.dtype), target, several
    if isinstance(target, Mapping):
        row = np.zeros(n, dtype=y.dtype)
        for name, weight in target.items():
            row[class_index(name, n, classes)] += float(weight)
        return _shaped(np.broadcast_to(row, flat.shape)[None], y), dict(target), False
    if isinstance(target, tuple):
        return _shaped(_one_hot(np.full(batch, _dense(target, y)), n, y.dtype)[None], y), target, False
    if isinstance(target, str) and target == "all":
        eye = np.broadcast_to(np.eye(n, dtype=y.dtype)[:, None, :], (n, batch, n))
        return _shaped(_rest(eye) if against_rest else eye, y), np.arange(n), True
    if isinstance(target, str) and target == "predicted":
        index = flat.argmax(axis=1)
    elif isinstance(target, (str, int, np.integer)):
        index = np.full(batch, class_index(target, n, classes))
    else:
        try:
            given = list(target)
        except TypeError:
            raise InputError(f"target {target!r} is not understood; {_known(n, classes)}") from None
        if len(given) != batch:
            raise InputError(f"{len(given)} targets for {batch} samples; give one target, or one a sample")
        index = np.array([class_index(t, n, classes) for t in given])
    seed = _one_hot(index, n, y.dtype)[None]
    return _shaped(_rest(seed) if against_rest else seed, y), index, False


def _one_hot(index: Array, n: int, dtype: np.dtype[Any]) -> Array:
    out = np.zeros((len(index), n), dtype=dtype)
    out[np.arange(len(index)), index] = 1
    return out


def _rest(seed: Array) -> Array:
    """One-hot minus the mean of the other classes; a single output is explained as it is."""
    n = seed.shape[-1]
    return seed if n < 2 else seed - (1 - seed) / (n - 1)


def _shaped(seed: Array, y: Array) -> Array:
    return np.ascontiguousarray(seed).reshape(seed.shape[0], *y.shape)


def class_index(target: Any, n: int, classes: Sequence[str]) -> int:
    """A class, by number or by name, as an index.

    Raises
    ------
    InputError
        There is no such class; the known ones are listed.
    """
    if isinstance(target, str):
        lower = [c.lower() for c in classes]
        if target.lower() in lower:
            return lower.index(target.lower())
        if not target.lstrip("-").isdigit():
            raise InputError(f"unknown target {target!r}; {_known(n, classes)}")
        target = int(target)
    if isinstance(target, bool) or not isinstance(target, (int, np.integer)):
        raise InputError(f"target {target!r} is not understood; {_known(n, classes)}")
    if not 0 <= target < n:
        raise InputError(f"target {target} is out of range; {_known(n, classes)}")
    return int(target)


def _known(n: int, classes: Sequence[str]) -> str:
    names = f" ({', '.join(classes)})" if classes else ""
    return f"known: 0 to {n - 1}{names}, 'predicted', 'all'"


def _dense(target: tuple[Any, ...], y: Array) -> int:
    shape = y.shape[1:]
    if len(target) != len(shape) or not all(
        isinstance(t, (int, np.integer)) and 0 <= t < s for t, s in zip(target, shape, strict=False)
    ):
        raise InputError(f"index {target} does not fit an output of shape {list(shape)} for each sample")
    return int(np.ravel_multi_index(tuple(int(t) for t in target), shape)) if shape else 0


def _of_samples(target: Any, at: slice, samples: int, rank: int) -> Any:
    """The part of a target that belongs to some of the samples, where it has one for each.

    `rank` is that of the explained tensor.

    Raises
    ------
    InputError
        It has more or fewer than there are samples.
    """
    if isinstance(target, (str, int, np.integer, tuple, Mapping)):
        return target
    try:
        given = len(target)
    except TypeError:
        return target
    several = isinstance(target, np.ndarray) and target.dtype.kind == "f" and target.ndim == rank + 1
    if several and target.shape[1] == samples:
        return target[:, at]
    if given != samples and isinstance(target, np.ndarray) and target.dtype.kind == "f":
        raise InputError(f"a target array must have the output's shape: {given} rows for {samples} samples")
    if given != samples:
        raise InputError(f"{given} targets for {samples} samples; give one target, or one a sample")
    return target[at]
