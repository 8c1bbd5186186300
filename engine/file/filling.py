"""Inputs that are always the same, as constants of the graph: what is left takes the signal alone."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import onnx
from onnx import helper, numpy_helper

from ..errors import InputError
from .load import LoadedModel

Array = np.ndarray[Any, Any]


def filled(loaded: LoadedModel, signal: str, values: Mapping[str, Array]) -> LoadedModel:
    """A model some of whose inputs are constants.

    Parameters
    ----------
    loaded : LoadedModel
    signal : str
        The input whose rows say how many windows there are.
    values : dict of str to ndarray
        For each input its values: for all windows alike, where they have an axis less than the input; or the
        input itself, where they have as many. A single number fills an input of any shape that is known.

    Returns
    -------
    LoadedModel
        Relevance that meets a constant goes on to the signal or to the ledger, as for any weight. The file's
        digest is kept, and `identity` tells it from the model that has those inputs.

    Raises
    ------
    InputError
        There is no such input, or values do not fit it.
    """
    if not values:
        return loaded
    proto = onnx.ModelProto()
    proto.CopyFrom(loaded.proto)
    graph = proto.graph
    fixed = {t.name for t in graph.initializer}
    inputs = {i.name: i for i in graph.input if i.name not in fixed}
    where = loaded.path
    lost = [n for n in (signal, *values) if n not in inputs]
    if lost or signal in values:
        raise InputError(
            f"{where}: the contract fills input {', '.join(map(repr, lost or [signal]))}, and the inputs are "
            f"{', '.join(inputs)}"
        )
    batch = _dims(inputs[signal])[0]
    known = {t for n in graph.node for t in (*n.input, *n.output)} | set(inputs) | fixed
    digest, made = hashlib.sha256(loaded.identity.encode()), []
    rows = _free("filled.rows", known)
    for name, given in values.items():
        kind = helper.tensor_dtype_to_np_dtype(inputs[name].type.tensor_type.elem_type)
        value, expand = _shaped(np.asarray(given), _dims(inputs[name]), batch, f"{where}: input {name!r}")
        value = np.ascontiguousarray(value.astype(kind))
        digest.update(repr((name, value.shape, value.dtype.str)).encode() + value.tobytes())
        if expand:
            once, shape = (_free(f"{name}.{what}", known) for what in ("once", "shape"))
            made += [
                _constant(once, value),
                _constant(f"{shape}.rest", np.array(value.shape[1:], np.int64)),
                helper.make_node("Concat", [rows, f"{shape}.rest"], [shape], axis=0),
                helper.make_node("Expand", [once, shape], [name]),
            ]
        else:
            made.append(_constant(name, value))
        graph.input.remove(inputs[name])
    counted = [
        _constant(f"{rows}.first", np.array([0], np.int64)),
        helper.make_node("Shape", [signal], [f"{rows}.shape"]),
        helper.make_node("Gather", [f"{rows}.shape", f"{rows}.first"], [rows]),
    ]
    nodes = [*(counted if any(n.op_type == "Expand" for n in made) else []), *made, *graph.node]
    del graph.node[:]
    graph.node.extend(nodes)
    return replace(loaded, proto=proto, identity=loaded.identity and digest.hexdigest())


def _shaped(value: Array, dims: Sequence[int | str], batch: int | str, what: str) -> tuple[Array, bool]:
    """The values with the input's own axes, and whether their first one is repeated for each window."""
    open_batch = not isinstance(batch, int)
    if not value.ndim and dims:
        # "" is a length without a name: it may be the batch as well as any other.
        own = open_batch and dims[0] in (batch, "")
        if any(not isinstance(d, int) for d in dims[1:] if d != batch) or (
            not own and not isinstance(dims[0], int)
        ):
            raise InputError(f"{what} has the open shape {_listed(dims)}; one number cannot fill it")
        first = 1 if own else dims[0]
        return np.full((first, *dims[1:]), value), own
    if value.ndim == len(dims) - 1:
        value = value[None]
        if isinstance(dims[0], int) and dims[0] > 1 and dims[0] == batch:
            value = np.repeat(value, dims[0], axis=0)
        own = not isinstance(dims[0], int)
    else:
        own = value.ndim == len(dims) > 0 and len(value) == 1 and open_batch and dims[0] in (batch, "")
    if value.ndim != len(dims) or any(
        isinstance(d, int) and d != n for d, n in zip(dims, value.shape, strict=True)
    ):
        shape = list(value.shape[1:] if own else value.shape)
        raise InputError(f"{what} has shape {_listed(dims)}, and the contract fills it with {shape} values")
    return value, own


def _dims(value: onnx.ValueInfoProto) -> list[int | str]:
    """Declared lengths; a name, or "", for what is open."""
    return [d.dim_value if d.HasField("dim_value") else d.dim_param for d in value.type.tensor_type.shape.dim]


def _listed(dims: Sequence[int | str]) -> str:
    return "[" + ", ".join(str(d) or "any" for d in dims) + "]"


def _constant(name: str, value: Array) -> onnx.NodeProto:
    return helper.make_node("Constant", [], [name], value=numpy_helper.from_array(value))


def _free(name: str, known: set[str]) -> str:
    while any(k == name or k.startswith(f"{name}.") for k in known):
        name += "_"
    known.add(name)
    return name
