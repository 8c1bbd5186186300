"""A PyTorch module to a checked ONNX file."""

from __future__ import annotations

import contextlib
import io
import logging
import os
import shutil
import tempfile
import warnings
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Literal

import numpy as np

from onnxplain.engine.contract import InputContract
from onnxplain.engine.errors import InputError, ModelError, OnnxplainError
from onnxplain.engine.steps import step

from .extras import need
from .report import ExportReport
from .rewrites import attention, parametrized, rewritten
from .verify import BATCHES, Array, covered, first_line, verify

Exporter = Literal["auto", "dynamo", "legacy"]

OPSET = {"dynamo": 20, "legacy": 17}
LARGEST = 2**31 - 2**20  # protobuf's limit, with some room for the graph


def export_module(
    module: Any,
    example: Any,
    path: str | Path,
    *,
    contract: InputContract,
    exporter: Exporter = "auto",
    opset: int | None = None,
    overwrite: bool = False,
    notes: tuple[str, ...] = (),
) -> ExportReport:
    """Export a module that takes one array and returns one, and check the file against it.

    The file is written beside `path` under another name and moved there when every check has
    passed: it loads in onnxruntime, carries the contract, runs at batch 1, 2 and 3, agrees with
    torch at each, and has a rule for every node that relevance passes. The checks cannot be skipped.

    Parameters
    ----------
    module : torch.nn.Module
        Is put into evaluation mode for the export, and back afterwards.
    example : array or torch.Tensor
        One or more samples, batch first, with the amplitude of real input.
    path : str or Path
        Where the file goes.
    contract : InputContract
        Goes into the file; names its input and output.
    exporter : {"auto", "dynamo", "legacy"}
        "auto" takes dynamo, and legacy where that fails.
    opset : int, optional
        By default 20 for dynamo, 17 for legacy.
    overwrite : bool
        Replace a file that exists.
    notes : tuple of str
        Handed on to the report.

    Returns
    -------
    ExportReport

    Raises
    ------
    ModelError
        The module cannot be exported or a check failed; no file is left.
    InputError
        The output exists, or cannot be written, or an option is unknown.
    """
    torch = need("torch")
    path = Path(path)
    kinds = _kinds(exporter)
    check_writable(path, overwrite)
    x = _example(example, contract)
    size = sum(p.numel() * p.element_size() for p in [*module.parameters(), *module.buffers()])
    if size > LARGEST:
        raise ModelError(f"{path}: {size / 2**30:.1f} GiB of weights do not fit one file (limit 2 GiB)")

    # What is exported is a copy: the module stays as it is, and is what the file is compared with.
    network = parametrized.copied(module)
    with evaluating(module):
        answer(module, torch.from_numpy(x))  # a module that does not run is told so here, once
    network, rewrites = rewritten(network.eval(), torch.from_numpy(x))
    failures: list[OnnxplainError] = []
    for kind in kinds:
        try:
            return _attempt(module, network, x, path, contract, kind, opset or OPSET[kind], notes, rewrites)
        except ModelError as e:
            failures.append(e)
            notes = (*notes, f"the {kind} exporter failed: {e}")
    raise ModelError(
        f"{path}: not exported; " + "; ".join(f"{kind}: {e}" for kind, e in zip(kinds, failures, strict=True))
    ) from failures[0]


def answer(module: Any, example: Any) -> tuple[int, ...]:
    """The shape of what a module gives.

    Raises
    ------
    ModelError
        It does not run on the example, or gives no single tensor.
    """
    torch = need("torch")
    try:
        with evaluating(module), torch.no_grad():
            made = module(example)
    except Exception as e:  # the module is anyone's
        raise ModelError(f"the module does not run on its input ({first_line(e)})") from e
    if not isinstance(made, torch.Tensor):
        raise ModelError(f"the module gives {type(made).__name__}, not one tensor; wrap it")
    return tuple(made.shape)


def check_writable(path: Path, overwrite: bool) -> None:
    """Refuse early what would fail after minutes of work."""
    if os.path.lexists(path) and not overwrite:
        raise InputError(f"{path}: exists (overwrite replaces it)")
    if path.is_dir():
        raise InputError(f"{path}: is a directory")
    if not path.parent.is_dir():
        raise InputError(f"{path}: there is no directory {path.parent}")


def _kinds(exporter: str) -> list[str]:
    if exporter == "auto":
        return list(OPSET)
    if exporter not in OPSET:
        raise InputError(f"exporter: {exporter!r} is not one of auto, {', '.join(OPSET)}")
    return [exporter]


def _example(example: Any, contract: InputContract) -> Array:
    x = np.asarray(example.detach().cpu() if hasattr(example, "detach") else example)
    if x.ndim < 1 or len(x) < 1 or x.shape[1:] != contract.shape:
        raise InputError(
            f"example: its shape is {list(x.shape)}, the contract says {['batch', *contract.shape]}"
        )
    # A batch of 1 is special-cased by tracers, so two samples are traced.
    return np.concatenate([x, x])[:2] if len(x) < 2 else x


def _attempt(
    module: Any,
    network: Any,
    x: Array,
    path: Path,
    contract: InputContract,
    kind: str,
    opset: int,
    notes: tuple[str, ...],
    rewrites: tuple[str, ...],
) -> ExportReport:
    """One exporter, from the module to the file in its place."""
    import onnx

    try:
        folder = Path(tempfile.mkdtemp(prefix=".onnxplain-export-", dir=path.parent))
    except OSError as e:
        raise InputError(f"{path}: cannot be written ({e.strerror})") from None
    try:
        with evaluating(module), evaluating(network):
            file = folder / "model.onnx"
            step(f"exporting with the {kind} exporter")
            _write(network, x[:2], file, contract, kind, opset)
            model = _finish(file, contract)
            step("comparing the file with torch")
            agreement = verify(file, _reference(module), x, contract, lambda: _double(module))
            step("looking for the rule of every node")
            coverage = covered(file, x, contract.input)
        report = ExportReport(
            path=path,
            exporter=kind,
            opset=next(o.version for o in model.opset_import if o.domain in ("", "ai.onnx")),
            ops=dict(Counter(node.op_type for node in model.graph.node).most_common()),
            parameters=sum(int(np.prod(t.dims)) for t in model.graph.initializer),
            size=file.stat().st_size,
            batches=BATCHES,
            contract=contract,
            notes=notes,
            error=agreement.error,
            sensitivity=agreement.sensitivity,
            parity=agreement.parity,
            rounding=agreement.rounding,
            rewrites=rewrites,
            coverage=coverage,
        )
        try:
            os.replace(file, path)
        except OSError as e:
            raise InputError(f"{path}: cannot be written ({e.strerror})") from None
        return report
    except onnx.checker.ValidationError as e:
        raise ModelError(f"checking: {first_line(e)}") from e
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _write(module: Any, x: Array, file: Path, contract: InputContract, kind: str, opset: int) -> None:
    torch = need("torch")
    names = {"input_names": [contract.input], "output_names": [contract.output or "output"]}
    options: dict[str, Any]
    if kind == "dynamo":
        need("onnxscript")
        options = {
            "dynamo": True,
            "external_data": False,
            "dynamic_shapes": ({0: torch.export.Dim("batch")},),
            "verbose": False,
        }
    else:
        options = {"dynamo": False, "dynamic_axes": {name[0]: {0: "batch"} for name in names.values()}}
    heard = io.StringIO()
    try:
        with hushed(heard, deep=kind == "legacy"), torch.no_grad(), attention.written_out():
            tensor = torch.from_numpy(x.copy())
            if not isinstance(module(tensor), torch.Tensor):
                raise TypeError("the module must return one tensor; wrap it")
            torch.onnx.export(module, (tensor,), str(file), opset_version=opset, **names, **options)
    except Exception as e:  # the exporters raise anything
        failure = ModelError(f"exporting: {_cause(e)}")
        failure.add_note(heard.getvalue()[-4000:])
        raise failure from e


def _cause(error: BaseException) -> str:
    """The line that says why: exporters wrap the reason in pages about how to report it."""
    while error.__cause__ is not None and "torch" in type(error).__module__:
        error = error.__cause__
    return first_line(error)


def _finish(file: Path, contract: InputContract) -> Any:
    """Drop what exporters note about the machine, add the contract, check the format."""
    import onnx

    model = onnx.load(str(file))
    for things in (model.graph.node, model.graph.value_info, model.graph.initializer):
        _forget(things)
    _forget([*model.graph.input, *model.graph.output, model.graph])
    for function in model.functions:
        _forget([function, *function.node])
    onnx.helper.set_model_props(model, contract.to_metadata())
    onnx.checker.check_model(model)
    onnx.save(model, str(file))
    return model


def _forget(things: Any) -> None:
    """Remove stack traces and doc strings: they hold the paths of the machine that exported."""
    for thing in things:
        if thing.metadata_props:
            del thing.metadata_props[:]
        thing.doc_string = ""


def _reference(module: Any) -> Any:
    torch = need("torch")

    def run(x: Array) -> Array:
        with torch.no_grad():
            return np.asarray(module(torch.from_numpy(x)))

    return run


def _double(module: Any) -> Any:
    """The module in float64, as a reference."""
    torch = need("torch")
    double = parametrized.copied(module).double().eval()

    def run(x: Array) -> Array:
        with torch.no_grad():
            return np.asarray(double(torch.from_numpy(x.astype(np.float64))))

    return run


@contextlib.contextmanager
def evaluating(module: Any) -> Iterator[None]:
    """Evaluation mode inside, every part's own mode again outside."""
    training = [part for part in module.modules() if part.training]
    module.eval()
    try:
        yield
    finally:
        for part in training:
            part.training = True


@contextlib.contextmanager
def hushed(heard: io.StringIO, *, deep: bool) -> Iterator[None]:
    """Collect what exporters print, warn and log; show none of it.

    The legacy exporter also prints from C++, below Python's streams: `deep` keeps that back too.
    """
    before = logging.root.manager.disable
    logging.disable(logging.CRITICAL)
    try:
        with (
            warnings.catch_warnings(),
            contextlib.redirect_stdout(heard),
            contextlib.redirect_stderr(heard),
            _descriptors_hushed() if deep else contextlib.nullcontext(),
        ):
            warnings.simplefilter("ignore")
            yield
    finally:
        logging.disable(before)


@contextlib.contextmanager
def _descriptors_hushed() -> Iterator[None]:
    saved = [(fd, os.dup(fd)) for fd in (1, 2)]
    null = os.open(os.devnull, os.O_WRONLY)
    try:
        for fd, _ in saved:
            os.dup2(null, fd)
        yield
    finally:
        for fd, copy in saved:
            os.dup2(copy, fd)
            os.close(copy)
        os.close(null)
