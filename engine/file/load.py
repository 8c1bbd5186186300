"""Load a model file that nobody has vouched for.

Everything that can be refused without running anything is refused here, before onnxruntime sees
the file: files that are no ONNX models, external data that reaches outside the model's folder,
function libraries that explode when they are inlined, weights that are not numbers.
"""

from __future__ import annotations

import hashlib
import os
import stat
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import onnx
import onnx.inliner
from google.protobuf.message import DecodeError  # type: ignore[import-untyped]
from onnx import numpy_helper

from .. import extensions
from ..contract import InputContract
from ..errors import LimitError, ModelError, UnsupportedOperator
from ..steps import step
from ..storage.text import one_line
from .own_names import set_apart
from .protobuf import every_node, subgraphs
from .sound import check_element, check_names

_OPSET_OF_OWN = 17

MAX_PROTOBUF = 2**31 - 1
# Bytes of weights stored beside a model; several copies of them are in memory while it is made ready.
MAX_WEIGHTS = 2**33
MAX_NODES = 100_000
MAX_CHAIN = 10_000
MAX_DEPTH = 50
MAX_CALLS = 100  # of one function inside another: onnx puts no more in place

_LOOKS_LIKE = (
    (b"PK\x03\x04", "a zip archive or a PyTorch checkpoint"),
    (b"\x80\x02", "a Python pickle"),
    (b"\x80\x04", "a Python pickle"),
    (b"\x80\x05", "a Python pickle"),
    (b"version https://git-lfs", "a git-lfs pointer: fetch the real file with `git lfs pull`"),
    (b"\x1f\x8b", "a gzip archive: unpack it first"),
    (b"\x89HDF", "an HDF5 file"),
    (b"TFL3", "a TensorFlow Lite model"),
    (b"ORTM", "an onnxruntime .ort file: explain the .onnx it was made from"),
)


@dataclass(frozen=True)
class LoadedModel:
    """A model file that passed the checks.

    Attributes
    ----------
    path : Path
        The file, links resolved.
    proto : onnx.ModelProto
        The model with local functions inlined and external data read in.
    sha256 : str
        Of the file (of the main file where there is external data).
    contract : InputContract or None
        From the file's metadata.
    identity : str
        Of all that the model is made of, external data included; "" where that is not known.
    """

    path: Path
    proto: onnx.ModelProto
    sha256: str
    contract: InputContract | None
    identity: str = ""

    @property
    def metadata(self) -> dict[str, str]:
        """The file's metadata entries."""
        return {p.key: p.value for p in self.proto.metadata_props}


def load(path: str | os.PathLike[str]) -> LoadedModel:
    """Read and check an ONNX file.

    Parameters
    ----------
    path : path-like
        A file, not bytes: external data is looked for beside it.

    Raises
    ------
    ModelError
        The file is missing, is no ONNX model, or has something that must not be trusted.
    LimitError
        The model is too large once its functions are inlined.
    """
    if isinstance(path, (bytes, bytearray, memoryview)):
        raise ModelError(
            "a model is given as a path, not as bytes: its external data is looked for beside it"
        )
    step("reading the model")
    given = Path(path)
    data = _read(given)
    resolved = given.resolve()
    proto = _parse(given, data)
    check_names(given, proto)
    _check_structure(given, proto)
    _check_functions(given, proto)
    if not any(o.domain in ("", "ai.onnx") for o in proto.opset_import):
        # A model of ai.onnx.ml operators alone names no opset for what is written beside them.
        proto.opset_import.append(onnx.helper.make_opsetid("", _OPSET_OF_OWN))
    beside = _read_external(resolved, proto)
    if beside:
        step("reading the model's external data")
    if proto.functions:
        proto = _inlined(given, proto)
    set_apart(proto)
    _check_weights(given, proto)
    metadata = {p.key: p.value for p in proto.metadata_props}
    contract = InputContract.from_metadata(metadata, where=str(given))
    sha256 = hashlib.sha256(data).hexdigest()
    return LoadedModel(resolved, proto, sha256, contract, "" if beside else sha256)


def _read(path: Path) -> bytes:
    try:
        status = os.stat(path)
    except FileNotFoundError:
        raise ModelError(f"{path}: no such file") from None
    except (OSError, ValueError) as e:
        raise ModelError(f"{path}: cannot be read ({getattr(e, 'strerror', None) or e})") from None
    if stat.S_ISDIR(status.st_mode):
        raise ModelError(f"{path}: is a folder; give the .onnx file in it")
    if not stat.S_ISREG(status.st_mode):
        raise ModelError(f"{path}: not a regular file")
    if status.st_size > MAX_PROTOBUF:
        raise ModelError(f"{path}: larger than 2 GiB in one file; store its weights as external data")
    try:
        data = path.read_bytes()
    except OSError as e:
        raise ModelError(f"{path}: cannot be read ({e.strerror})") from None
    if not data:
        raise ModelError(f"{path}: not an ONNX model (the file is empty)")
    return data


def _looks_like(data: bytes) -> str:
    for magic, what in _LOOKS_LIKE:
        if magic in data[:24]:
            return what
    head = data[:512].lstrip().lower()
    if head.startswith((b"<!doctype", b"<html", b"<?xml")):
        return "a web page: the download was not the file"
    try:
        data[:4096].decode("ascii")
    except UnicodeDecodeError:
        return "binary data of another kind, or a truncated file"
    return "a text file"


def _parse(path: Path, data: bytes) -> onnx.ModelProto:
    proto = onnx.ModelProto()
    try:
        proto.ParseFromString(data)
        # Strings are decoded on access; do it here, where it can be told apart.
        broken = any(not n.op_type for n in every_node(proto.graph))
    except (DecodeError, UnicodeDecodeError, RuntimeError):
        raise ModelError(f"{path}: not an ONNX model (looks like {_looks_like(data)})") from None
    if not proto.ir_version or not proto.HasField("graph") or not proto.opset_import:
        raise ModelError(f"{path}: not an ONNX model (looks like {_looks_like(data)})")
    if broken:
        raise ModelError(f"{path}: a node has no operator type; the file is damaged")
    return proto


def _check_structure(path: Path, proto: onnx.ModelProto) -> None:
    if proto.ir_version > onnx.IR_VERSION:
        raise ModelError(
            f"{path}: IR version {proto.ir_version} is newer than this onnx knows ({onnx.IR_VERSION}); "
            "update onnx"
        )
    for entry in proto.opset_import:
        if entry.domain in ("", "ai.onnx") and entry.version > onnx.defs.onnx_opset_version():
            raise ModelError(
                f"{path}: opset {entry.version} is newer than this onnx knows "
                f"({onnx.defs.onnx_opset_version()}); update onnx or export with a lower opset"
            )
    unknown = [n for n in every_node(proto.graph) if not _is_known(n, proto)]
    if unknown:
        names = one_line(", ".join(sorted({f"{n.domain}.{n.op_type}"[:80] for n in unknown})[:5]), 300)
        raise UnsupportedOperator(
            f"{path}: {names}: operators of a domain that neither onnx nor onnxruntime defines; refused (a "
            "package with their library and rules can be installed beside onnxplain: docs/extending.md)"
        )
    if not proto.graph.output:
        raise ModelError(f"{path}: the model has no output")
    depth = _depth(proto.graph)
    if depth > MAX_DEPTH:
        raise LimitError(f"{path}: subgraphs are nested more than {MAX_DEPTH} deep")
    longest = _longest_chain(proto.graph)
    if longest > MAX_CHAIN:
        raise LimitError(
            f"{path}: {longest:,} nodes one after the other; the limit is {MAX_CHAIN:,} (onnxruntime takes "
            "minutes to open more)"
        )
    count = sum(1 for _ in every_node(proto.graph))
    if count > MAX_NODES:
        raise LimitError(f"{path}: {count:,} nodes; the limit is {MAX_NODES:,}")


# Domains that onnx or onnxruntime defines operators in.
_DOMAINS = (
    "ai.onnx",
    "ai.onnx.ml",
    "ai.onnx.preview",
    "ai.onnx.preview.training",
    "ai.onnx.training",
    "com.microsoft",
    "com.ms.internal.nhwc",
    "org.pytorch.aten",
)


def _is_known(node: onnx.NodeProto, proto: onnx.ModelProto) -> bool:
    """Whether somebody defines the operator: a function of the model, onnx or onnxruntime."""
    domain = node.domain
    if not domain or domain in _DOMAINS or domain.startswith("com.microsoft."):
        return True
    if domain in extensions.domains():
        return True
    return any((f.domain, f.name) == (domain, node.op_type) for f in proto.functions)


def _depth(graph: onnx.GraphProto) -> int:
    """How deep subgraphs are nested, counted no further than the limit needs."""
    level, depth = [graph], 0
    while level and depth <= MAX_DEPTH:
        level = [g for parent in level for node in parent.node for g in subgraphs(node)]
        depth += 1
    return depth


def _longest_chain(graph: onnx.GraphProto) -> int:
    """How many nodes of a graph stand one after the other, each reading what the one before it makes."""
    behind: dict[str, int] = {}
    longest = 0
    for node in graph.node:
        here = 1 + max((behind.get(name, 0) for name in node.input), default=0)
        behind.update(dict.fromkeys(node.output, here))
        longest = max(longest, here)
    return longest


def _check_functions(path: Path, proto: onnx.ModelProto) -> None:
    """Count the nodes there will be after inlining, without inlining ("billion laughs")."""
    functions = {(f.domain, f.name): f for f in proto.functions}
    sizes: dict[tuple[str, str], int] = {}

    def count(nodes: list[onnx.NodeProto], trail: tuple[tuple[str, str], ...]) -> int:
        total = 0
        for node in nodes:
            key = (node.domain, node.op_type)
            if key in functions:
                if key in trail:
                    raise ModelError(f"{path}: function {node.op_type[:80]} calls itself")
                if len(trail) >= MAX_CALLS:
                    raise LimitError(f"{path}: functions call each other more than {MAX_CALLS} deep")
                if key not in sizes:
                    sizes[key] = count(list(functions[key].node), (*trail, key))
                total += sizes[key]
            else:
                total += 1
            for graph in subgraphs(node):
                total += count(list(graph.node), trail)
        return total

    total = count(list(proto.graph.node), ())
    if total > MAX_NODES:
        raise LimitError(
            f"{path}: {total:,} nodes once its functions are inlined; the limit is {MAX_NODES:,}"
        )


def _inlined(path: Path, proto: onnx.ModelProto) -> onnx.ModelProto:
    try:
        return onnx.inliner.inline_local_functions(proto)
    except Exception as e:  # of onnx's checker and of its C++ side, with no common base
        said = one_line(e, 200)
        raise ModelError(f"{path}: its local functions cannot be put in place ({said})") from None


def every_tensor(proto: onnx.ModelProto) -> Iterator[onnx.TensorProto]:
    """All tensors of a model: of attributes, subgraphs and functions, and of sparse ones, too."""

    def of_nodes(nodes: Iterator[onnx.NodeProto]) -> Iterator[onnx.TensorProto]:
        for node in nodes:
            for a in node.attribute:
                if a.HasField("t"):
                    yield a.t
                yield from a.tensors
                sparse = [*a.sparse_tensors, *([a.sparse_tensor] if a.HasField("sparse_tensor") else [])]
                for s in sparse:
                    yield from (s.values, s.indices)
                for graph in subgraphs(node):
                    yield from of_graph(graph)

    def of_graph(graph: onnx.GraphProto) -> Iterator[onnx.TensorProto]:
        yield from graph.initializer
        for s in graph.sparse_initializer:
            yield from (s.values, s.indices)
        yield from of_nodes(iter(graph.node))

    yield from of_graph(proto.graph)
    for function in proto.functions:
        yield from of_nodes(iter(function.node))


def _read_external(path: Path, proto: onnx.ModelProto) -> bool:
    """Check and read tensors stored beside the model; whether there were any."""
    found = False
    total = 0
    for tensor in every_tensor(proto):
        if tensor.data_location != onnx.TensorProto.EXTERNAL:
            continue
        found = True
        entries = {e.key: e.value for e in tensor.external_data}
        where = _external_path(path, tensor.name, entries.get("location", ""))
        size = where.stat().st_size
        try:
            offset = int(entries.get("offset", "0") or "0")
            length = int(entries.get("length", size - offset))
        except ValueError:
            raise ModelError(
                f"{path}: external data of {tensor.name[:80]!r} has an offset that is no number"
            ) from None
        if offset < 0 or length < 0 or offset + length > size:
            raise ModelError(
                f"{path}: external data of {tensor.name[:80]!r} reaches past the end of {where.name}"
            )
        total += length
        if total > MAX_WEIGHTS:
            raise LimitError(
                f"{path}: more than {MAX_WEIGHTS >> 30} GiB of weights; this version explains smaller models"
            )
        with where.open("rb") as f:
            f.seek(offset)
            tensor.raw_data = f.read(length)
        tensor.data_location = onnx.TensorProto.DEFAULT
        del tensor.external_data[:]
    return found


def _external_path(path: Path, name: str, location: str) -> Path:
    what, said = f"{path}: external data of {name[:80]!r}", repr(one_line(location, 120))
    if not location or location.startswith("*/_ORT_MEM_ADDR_"):
        raise ModelError(f"{what} does not name a file")
    # More characters than any file system has in a name, or in a path.
    if "\0" in location or len(os.fsencode(location)) > 4000 or max(map(len, _parts(location))) > 255:
        raise ModelError(f"{what} has a name that no file can have ({said}); refused")
    parts = Path(location.replace("\\", "/"))
    if parts.is_absolute() or ".." in parts.parts or ":" in location:
        raise ModelError(f"{what} lies outside the model's folder ({said}); refused")
    where = path.parent / parts
    for part in [where, *where.parents]:
        if part == path.parent:
            break
        if part.is_symlink():
            raise ModelError(f"{what} goes through a symbolic link ({said}); refused")
    try:
        status = os.stat(where)
    except OSError:
        raise ModelError(f"{what} is missing: no file {said} beside the model") from None
    if not stat.S_ISREG(status.st_mode):
        raise ModelError(f"{what} is not a regular file ({said}); refused")
    if status.st_nlink > 1:
        raise ModelError(f"{what} is a hard link ({said}); refused: copy the file by content")
    return where


def _parts(location: str) -> list[bytes]:
    return os.fsencode(location.replace("\\", "/")).split(b"/")


def _check_weights(path: Path, proto: onnx.ModelProto) -> None:
    for tensor in proto.graph.initializer:
        if any(d < 0 for d in tensor.dims):
            raise ModelError(f"{path}: initialiser {tensor.name[:80]!r} has a negative dimension")
        check_element(path, tensor)
        try:
            array = numpy_helper.to_array(tensor)
        except (ValueError, TypeError, OverflowError, MemoryError):
            raise ModelError(
                f"{path}: initialiser {tensor.name[:80]!r} does not hold as much data as its shape "
                f"{list(tensor.dims)} says"
            ) from None
        # Infinity is not refused: attention masks carry -inf.
        if array.dtype.kind == "f" and np.isnan(array).any():
            raise ModelError(f"{path}: initialiser {tensor.name[:80]!r} has NaN in it; nothing to explain")
