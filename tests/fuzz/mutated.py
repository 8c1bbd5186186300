"""Model files with some of their bytes, or of their fields, changed, by seed."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import onnx
from graphs import make

from onnxplain.engine.errors import OnnxplainError
from onnxplain.engine.file.load import load

# What a protocol buffer takes for lengths, types and negative numbers.
NUMBERS = (b"\xff" * 9 + b"\x01", b"\x80\x80\x80\x80\x08", b"\x00", b"\x7f", b"\xff\xff\xff\xff\x0f")


def samples(count: int = 8) -> list[bytes]:
    """Good files to start from, small ones, with what makes them different from each other."""
    made = [make(seed, nodes=4).model for seed in range(count - 2)]
    function = onnx.helper.make_function(
        "own", "twice", ["a"], ["b"], [onnx.helper.make_node("Add", ["a", "a"], ["b"])],
        [onnx.helper.make_opsetid("", 17)],
    )  # fmt: skip
    value = [onnx.helper.make_tensor_value_info(n, onnx.TensorProto.FLOAT, ["n", 3]) for n in "xy"]
    node = onnx.helper.make_node("twice", ["x"], ["y"], domain="own")
    graph = onnx.helper.make_graph([node], "g", value[:1], value[1:])
    opsets = [onnx.helper.make_opsetid("", 17), onnx.helper.make_opsetid("own", 1)]
    made.append(onnx.helper.make_model(graph, functions=[function], opset_imports=opsets, ir_version=8))
    outside = onnx.ModelProto()
    outside.CopyFrom(made[0])
    onnx.external_data_helper.set_external_data(outside.graph.initializer[0], "w.bin")
    outside.graph.initializer[0].ClearField("raw_data")
    return [m.SerializeToString() for m in [*made, outside]]


def altered(data: bytes, rng: np.random.Generator) -> bytes:
    """A file that can be parsed, with one to three fields changed: numbers, names, nodes twice or gone."""
    proto = onnx.ModelProto.FromString(data)
    for _ in range(int(rng.integers(1, 4))):
        message: Any = proto
        while True:
            fields = message.ListFields()
            if not fields:
                break
            field, value = fields[int(rng.integers(len(fields)))]
            several = _several(field)
            if several and (rng.random() < 0.15 or not len(value)):
                _reorder(value, rng)
                break
            if field.type == field.TYPE_MESSAGE:
                message = value[int(rng.integers(len(value)))] if several else value
                continue
            odd = _odd(field, rng)
            try:
                if several:
                    value[int(rng.integers(len(value)))] = odd
                else:
                    setattr(message, field.name, odd)
            except ValueError:  # an enumeration has no such number
                pass
            break
    return proto.SerializeToString()


def _several(field: Any) -> bool:
    known = getattr(field, "is_repeated", None)
    return bool(field.label == field.LABEL_REPEATED if known is None else known)


def _reorder(value: Any, rng: np.random.Generator) -> None:
    """An element gone, or there twice."""
    at = int(rng.integers(len(value))) if len(value) else 0
    if rng.random() < 0.5 and len(value):
        del value[at]
    elif len(value):
        value.append(value[at])


def _odd(field: Any, rng: np.random.Generator) -> Any:
    pick = int(rng.integers(8))
    if field.type == field.TYPE_STRING:
        return ("", "x", "y", "t1", "../w.bin", "é\u202e", "Loop", "n" * 3000)[pick]
    if field.type == field.TYPE_BYTES:
        return (b"", b"\xff", b"\x00" * 7, b"x" * 64, b"\xff" * 16, b"1", b"NOTSET", b"\n")[pick]
    if field.type in (field.TYPE_FLOAT, field.TYPE_DOUBLE):
        return (0.0, -1.0, float("nan"), float("inf"), 1e30, -0.0, 1e-40, 2.0)[pick]
    if field.type in (field.TYPE_INT64, field.TYPE_UINT64):
        return (0, 1, 2, 7, 2**31, 2**62, 2**63 - 1, 99 if field.type == field.TYPE_UINT64 else -1)[pick]
    return (0, 1, 2, 7, 8, 16, 99, 2**31 - 1)[pick]


def mutated(data: bytes, rng: np.random.Generator) -> bytes:
    """The same with one to three places changed."""
    found = bytearray(data)
    changes: tuple[Callable[[int], None], ...] = (
        lambda i: found.__setitem__(i, int(rng.integers(256))),
        lambda i: found.__setitem__(i, found[i] ^ (1 << int(rng.integers(8)))),
        lambda i: found.__delitem__(slice(i, i + int(rng.integers(1, 30)))),
        lambda i: found.__setitem__(slice(i, i), found[int(rng.integers(len(found))) :][:40]),
        lambda i: found.__setitem__(slice(i, i + 1), NUMBERS[int(rng.integers(len(NUMBERS)))]),
        lambda i: found.__delitem__(slice(i, None)),
    )
    chances = np.array([4, 4, 2, 2, 3, 0.2])
    for _ in range(int(rng.integers(1, 4))):
        if len(found) < 2:
            break
        which = int(rng.choice(len(changes), p=chances / chances.sum()))
        changes[which](int(rng.integers(len(found))))
    return bytes(found)


def opened(data: bytes, path: Path) -> str:
    """Load bytes as a model file: "" or what was said; one line, whatever the bytes."""
    path.write_bytes(data)
    try:
        load(path)
    except OnnxplainError as e:
        said = str(e)
        if not said.replace(str(path), "").isprintable() or len(said) > 1000:
            raise AssertionError(f"not a plain line: {said[:300]!r}") from None
        return said
    return ""
