"""onnxruntime sessions: providers that are really there, threads, and errors of one line."""

from __future__ import annotations

import os
import re
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import onnxruntime as ort

from .. import extensions
from ..errors import ModelError, RunError

Array = np.ndarray[Any, Any]

# A model above this keeps its weights in a file beside it: protobuf ends at 2 GB, nodes and names included.
LARGEST = 2**31 - 2**26
# Bytes of a tensor below which it stays in the model; and where the others begin, for memory mapping.
_SMALL, _PAGE = 1024, 4096

ort.set_default_logger_severity(4)  # errors come back as exceptions; nothing is printed beside them


def providers(asked: Sequence[str] | None = None) -> list[str]:
    """Execution providers to use.

    onnxruntime-gpu lists CUDA and TensorRT on machines without a GPU, and then every session starts
    with an error; so CUDA is chosen only where there is a device.
    """
    if asked:
        unknown = [p for p in asked if p not in ort.get_available_providers()]
        if unknown:
            raise ModelError(
                f"execution provider {unknown[0]!r} is not available; known here: "
                + ", ".join(ort.get_available_providers())
            )
        return list(asked)
    gpu = "CUDAExecutionProvider" in ort.get_available_providers() and os.path.exists("/dev/nvidia0")
    return [*(["CUDAExecutionProvider"] if gpu else []), "CPUExecutionProvider"]


@dataclass(frozen=True)
class Runtime:
    """How one model's files are run.

    Attributes
    ----------
    where : str
        The file, for messages.
    providers : sequence of str, optional
        onnxruntime's execution providers; what is there by default.
    threads : int, optional
        Of onnxruntime.
    """

    where: str
    providers: Sequence[str] | None = None
    threads: int | None = None

    def on_cpu(self) -> Runtime:
        """The same on the CPU, with onnxruntime's own number of threads."""
        return Runtime(self.where, ("CPUExecutionProvider",))

    def session(
        self, model: onnx.ModelProto | Path | bytes, *, optimise: bool = True
    ) -> ort.InferenceSession:
        """Open a session.

        Raises
        ------
        ModelError
            onnxruntime refuses the model.
        """
        return session(model, where=self.where, asked=self.providers, threads=self.threads, optimise=optimise)

    def run(
        self, opened: ort.InferenceSession, fetch: Sequence[str], feed: Mapping[str, Array]
    ) -> list[Array]:
        """Run a session on arrays.

        Raises
        ------
        RunError
            It cannot be run on them.
        """
        return run(opened, fetch, feed, where=self.where)

    def run_values(
        self, opened: ort.InferenceSession, fetch: Sequence[str], feed: Mapping[str, Any]
    ) -> dict[str, ort.OrtValue]:
        """Run a session on arrays or onnxruntime's own values; what comes out stays where it is.

        Raises
        ------
        RunError
            It cannot be run on them.
        """
        return run_values(opened, fetch, feed, where=self.where)


# Nodes of a graph that is opened without a plan for its buffers; and of one that is run as it stands.
MANY = 1000
VERY_MANY = 5000


def session(
    model: onnx.ModelProto | Path | bytes,
    *,
    where: str,
    asked: Sequence[str] | None = None,
    threads: int | None = None,
    optimise: bool = True,
) -> ort.InferenceSession:
    """Open a session; what onnxruntime refuses becomes a ModelError of one line."""
    options = ort.SessionOptions()
    options.log_severity_level = 4
    if threads:
        options.intra_op_num_threads = threads
        options.inter_op_num_threads = 1
    # Threads that spin while numpy works would take its cores.
    options.add_session_config_entry("session.intra_op.allow_spinning", "0")
    # What is run once has no use for memory kept for the next run.
    options.enable_cpu_mem_arena = options.enable_mem_pattern = optimise
    # onnxruntime (1.31) looks for buffers to use again among all that it has seen: of the thousands of steps
    # of a recurrent layer written out, opening takes half a minute with that, and a second without.
    options.enable_mem_reuse = isinstance(model, onnx.ModelProto) and len(model.graph.node) <= MANY
    # Its optimisations take half a minute for 7500 nodes, with their square; without, opening takes 4 s.
    levels = ort.GraphOptimizationLevel
    plain = not optimise or _nodes(model) > VERY_MANY
    options.graph_optimization_level = levels.ORT_DISABLE_ALL if plain else levels.ORT_ENABLE_ALL
    try:
        for library in extensions.libraries():
            options.register_custom_ops_library(library)
        try:
            return _opened(model, options, asked)
        except Exception as e:
            if not optimise or "QuantizeLinear" not in str(e):
                raise
            # onnxruntime (1.31) makes int8 of opset 21 into uint8 on some CPUs, and leaves the old type in
            # nodes that it has put in itself. Without what it rewrites of quantised numbers, models load.
            options.add_session_config_entry("session.disable_quant_qdq", "1")
            return _opened(model, options, asked)
    except Exception as e:  # onnxruntime raises its own classes, none with a common base
        raise ModelError(f"{where}: onnxruntime cannot load it ({one_line(e)})") from None


def _opened(
    model: onnx.ModelProto | Path | bytes, options: ort.SessionOptions, asked: Sequence[str] | None
) -> ort.InferenceSession:
    if isinstance(model, Path | bytes):
        given = model if isinstance(model, bytes) else str(model)
        return ort.InferenceSession(given, options, providers=providers(asked))
    if size(model) <= LARGEST:
        return ort.InferenceSession(model.SerializeToString(), options, providers=providers(asked))
    with tempfile.TemporaryDirectory(prefix="onnxplain-") as folder:
        path = Path(folder) / "model.onnx"
        write(model, path)
        return ort.InferenceSession(str(path), options, providers=providers(asked))


def _nodes(model: onnx.ModelProto | Path | bytes) -> int:
    """How many nodes a model has; 0 for a file that is too small for very many, or too large to be read."""
    if isinstance(model, onnx.ModelProto):
        return len(model.graph.node)
    length = len(model) if isinstance(model, bytes) else model.stat().st_size
    if not 16 * VERY_MANY < length < 2**26:
        return 0
    data = model if isinstance(model, bytes) else model.read_bytes()
    return len(onnx.load_from_string(data).graph.node)


def size(model: onnx.ModelProto) -> int:
    """Bytes of a model's weights, for short: those of subgraphs are not counted."""
    return sum(len(t.raw_data) for t in model.graph.initializer)


def write(model: onnx.ModelProto, path: Path) -> None:
    """Write a model; where it is too large for protobuf, with its weights in ``<name>.data`` beside it.

    The weights go into their file as they are met, and the model is not changed.
    """
    if size(model) <= LARGEST:
        path.write_bytes(model.SerializeToString())
        return
    slim = onnx.ModelProto()
    for field, value in model.ListFields():
        if field.name != "graph":
            _put(slim, field, value)
    for field, value in model.graph.ListFields():
        if field.name != "initializer":
            _put(slim.graph, field, value)
    data = path.with_name(path.name + ".data")
    with data.open("wb") as file:
        for tensor in model.graph.initializer:
            if len(tensor.raw_data) < _SMALL:
                slim.graph.initializer.add().CopyFrom(tensor)
                continue
            file.seek(-file.tell() % _PAGE, os.SEEK_CUR)
            kept = slim.graph.initializer.add(name=tensor.name, data_type=tensor.data_type, dims=tensor.dims)
            kept.data_location = onnx.TensorProto.EXTERNAL
            about = {"location": data.name, "offset": file.tell(), "length": len(tensor.raw_data)}
            for key, entry in about.items():
                kept.external_data.add(key=key, value=str(entry))
            file.write(tensor.raw_data)
    path.write_bytes(slim.SerializeToString())


def _put(to: Any, field: Any, value: Any) -> None:
    """Set a field of a message, whatever its kind."""
    if isinstance(value, str | bytes | int | float):
        setattr(to, field.name, value)
    elif hasattr(value, "CopyFrom"):
        getattr(to, field.name).CopyFrom(value)
    else:
        getattr(to, field.name).extend(value)


def run(
    opened: ort.InferenceSession, fetch: Sequence[str], feed: Mapping[str, Array], *, where: str
) -> list[Array]:
    """Run a session; failures become a RunError of one line."""
    try:
        out: list[Array] = opened.run(list(fetch), dict(feed))
    except Exception as e:
        raise RunError(f"{where}: onnxruntime cannot run it on this input ({one_line(e)})") from None
    return out


def run_values(
    opened: ort.InferenceSession, fetch: Sequence[str], feed: Mapping[str, Any], *, where: str
) -> dict[str, ort.OrtValue]:
    """Run a session on arrays or onnxruntime's own values; what comes out stays where it is.

    On a GPU nothing is copied to the host.
    """
    values = {
        n: x if isinstance(x, ort.OrtValue) else ort.OrtValue.ortvalue_from_numpy(x) for n, x in feed.items()
    }
    try:
        if opened.get_providers()[0] == "CUDAExecutionProvider":
            binding = opened.io_binding()
            for name, value in values.items():
                binding.bind_ortvalue_input(name, value)
            for name in fetch:
                binding.bind_output(name, "cuda")
            opened.run_with_iobinding(binding)
            made = binding.get_outputs()
        else:
            made = opened.run_with_ort_values(list(fetch), values)
    except Exception as e:
        raise RunError(f"{where}: onnxruntime cannot run it on this input ({one_line(e)})") from None
    return dict(zip(fetch, made, strict=True))


# What stands before the reason: a code, the node, and where in onnxruntime's own source it was found out.
_CODE = re.compile(r"^\[ONNXRuntimeError\] : \d+ : \w+ : ")
_NODE = re.compile(
    r"Non-zero status code returned while running (\S+) node\. Name:'([^']*)' Status Message: "
)
_PLACE = re.compile(r"(?:/\S*/)?[\w.]+\.(?:h|hpp|cc|cpp|cu|cuh):\d+ ")
_SIGNATURE = re.compile(
    r"(?<=\|)[^()|]*?[\w>]::~?\w+(?:<[^()]*>)?\((?:[^()]|\([^()]*\))*\)(?: const)?(?: \[with [^\]]*\])? "
)


def one_line(error: Exception, limit: int = 4000) -> str:
    """The message of a library's error, on one line: the reason whole, without the library's own addresses.

    Parameters
    ----------
    error : Exception
    limit : int
        Characters after which even a reason is cut.
    """
    text = _CODE.sub("", " ".join(str(error).split()))
    text = _NODE.sub(lambda m: f"{m[1]} node" + (f" {m[2]!r}: " if m[2] else ": "), text)
    # A bar marks where an address was: only behind one does a function's signature stand.
    text = _SIGNATURE.sub("", _PLACE.sub("|", text.replace("|", "\0"))).replace("|", "").replace("\0", "|")
    text = re.sub(r"\S{300,}", lambda m: m[0][:80] + "…", text)  # a file's own name of any length
    return text if len(text) <= limit else text[: limit - 1] + "…"


def numpy_dtype(ort_type: str) -> np.dtype[Any] | None:
    """The dtype of ``tensor(float)`` and kin; None for what is no numeric tensor."""
    names = {
        "float": "float32",
        "double": "float64",
        "float16": "float16",
        "bool": "bool",
        **{f"{u}int{b}": f"{u}int{b}" for u in ("", "u") for b in (8, 16, 32, 64)},
    }
    inner = ort_type.removeprefix("tensor(").removesuffix(")")
    return np.dtype(names[inner]) if inner in names and ort_type.startswith("tensor(") else None
