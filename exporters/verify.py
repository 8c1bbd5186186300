"""Is the written file the module? The checks that no export can skip.

An absolute tolerance says little here: the outputs of a network fresh from its initialiser hardly
move (LaBraM scales its head by 0.001), so that any two files agree to 1e-4. Every difference is
therefore measured against how far that output moves when the input changes.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from onnxplain.engine.contract import InputContract
from onnxplain.engine.errors import ModelError, OnnxplainError

Array = NDArray[Any]

BATCHES = (1, 2, 3)
TOLERANCE = 1e-3
# A network may do to float32 what no file of it could keep better. Where torch itself differs from float64 by
# more than the tolerance, a file may differ by this many times that, up to a limit that no fault stays under.
AS_TORCH, AT_MOST = 3.0, 5e-2
CLOSURE = 1e-4


@dataclass(frozen=True)
class Agreement:
    """How well the file agrees with the module; see `ExportReport`."""

    error: float
    sensitivity: float
    parity: float
    rounding: float = 0.0


def probes(example: Array, seed: int = 0) -> list[Array]:
    """Inputs like `example`, a different one for each sample of each batch size."""
    rng = np.random.default_rng(seed)

    def draw(n: int) -> Array:
        shape = (n, *example.shape[1:])
        if not np.issubdtype(example.dtype, np.floating):
            return rng.choice(example.ravel(), shape).astype(example.dtype)
        spread = float(example.std()) or 1.0
        return (float(example.mean()) + spread * rng.standard_normal(shape)).astype(example.dtype)

    return [draw(n) for n in BATCHES]


def verify(
    path: Path,
    reference: Callable[[Array], Array],
    example: Array,
    contract: InputContract,
    exact: Callable[[], Callable[[Array], Array] | None] = lambda: None,
) -> Agreement:
    """Run every check on the file at `path`.

    Parameters
    ----------
    path : Path
        The ONNX file.
    reference : callable
        The module that it came from, arrays in and out.
    example : array
        An input, batch first.
    contract : InputContract
        What must be readable from the file.
    exact : callable
        Gives the module in float64, or None; asked where the file is not as near as it should be.

    Raises
    ------
    ModelError
        The first check that fails, and by how much.
    """
    session = open_session(path)
    _contract_inside(session, contract)
    _batch_is_free(session)
    xs = probes(example)
    wanted = [_ask(reference, x) for x in xs]
    if contract.classes and wanted[0].shape[-1:] != (len(contract.classes),):
        raise ModelError(
            f"contract: it names {len(contract.classes)} classes, the output is {list(wanted[0].shape)}"
        )
    name = session.get_inputs()[0].name
    got = [_run(session, name, x) for x in xs]
    for x, want, have in zip(xs, wanted, got, strict=True):
        if want.shape != have.shape:
            raise ModelError(
                f"dynamic batch: at batch {len(x)} the file answers with shape {list(have.shape)}, "
                f"torch with {list(want.shape)}"
            )
    return _agreement(wanted, got, lambda: _exactly(exact, xs))


def covered(path: Path, example: Array, name: str) -> float:
    """The part of the nodes between input and output that relevance has a rule for; it is explained too.

    Raises
    ------
    ModelError
        It is not all of them, and the nodes are named; or the account of the relevance does not close.
    """
    from onnxplain.engine.explainer import Explainer
    from onnxplain.engine.inspection import inspect

    found = inspect(path, example={name: example})
    if found.unsupported:
        names = ", ".join(f"{n.name!r} ({n.op_type})" for n in found.unsupported[:5])
        raise ModelError(
            f"coverage: no relevance rule for {len(found.unsupported)} node(s) of the file: {names}"
        )
    explain = Explainer(path, backend="numpy")
    y = explain.predict({name: example})[explain.output]
    seed = np.asarray(np.random.default_rng(0).standard_normal(y.shape), np.float32)
    closure = float(np.max(explain({name: example}, target=seed).closure()))
    if not closure <= CLOSURE:
        raise ModelError(f"coverage: relevance and ledger miss what is explained by {closure:.1e}")
    return found.coverage


def open_session(path: Path) -> Any:
    """The file in onnxruntime, on the CPU."""
    import onnxruntime as ort

    options = ort.SessionOptions()
    options.log_severity_level = 4  # what goes wrong is in the exception, not in a log line
    try:
        return ort.InferenceSession(str(path), options, providers=["CPUExecutionProvider"])
    except Exception as e:
        reason = first_line(e).replace(f"Load model from {path} failed:", "")
        raise ModelError(f"loading: onnxruntime refuses the exported file ({reason})") from e


def first_line(error: BaseException) -> str:
    """An exception in one line."""
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    return f"{type(error).__name__}: {lines[0][:300]}" if lines else type(error).__name__


def _contract_inside(session: Any, contract: InputContract) -> None:
    try:
        found = InputContract.from_metadata(session.get_modelmeta().custom_metadata_map)
    except OnnxplainError as e:
        raise ModelError(f"contract: {e}") from e
    if found != contract:
        raise ModelError("contract: the file does not give back the contract that was written into it")
    inputs = [i.name for i in session.get_inputs()]
    if inputs != [contract.input]:
        raise ModelError(f"contract: its input is {contract.input!r}, the file's inputs are {inputs}")
    if contract.output is not None and contract.output not in [o.name for o in session.get_outputs()]:
        raise ModelError(f"contract: the file has no output {contract.output!r}")


def _batch_is_free(session: Any) -> None:
    first = session.get_inputs()[0].shape[0]
    if isinstance(first, int):
        raise ModelError(f"dynamic batch: the file's input is fixed at batch {first}")


def _ask(reference: Callable[[Array], Array], x: Array) -> Array:
    try:
        return reference(x)
    except Exception as e:  # the module is anyone's
        raise ModelError(
            f"dynamic batch: the module itself does not run at batch {len(x)} ({first_line(e)})"
        ) from e


def _run(session: Any, name: str, x: Array) -> Array:
    try:
        return np.asarray(session.run(None, {name: x})[0])
    except Exception as e:
        raise ModelError(f"dynamic batch: the file does not run at batch {len(x)} ({first_line(e)})") from e


def _exactly(exact: Callable[[], Callable[[Array], Array] | None], xs: list[Array]) -> Array | None:
    try:
        double = exact()
        return None if double is None else np.concatenate([double(x) for x in xs]).astype(np.float64)
    except Exception:  # a module with float32 written into its code has no float64
        return None


def _agreement(
    wanted: list[Array], got: list[Array], exactly: Callable[[], Array | None] = lambda: None
) -> Agreement:
    want = np.concatenate(wanted).astype(np.float64)
    have = np.concatenate(got).astype(np.float64)
    if not np.isfinite(want).all():
        raise ModelError("parity: the module's own outputs are not finite")
    moves = np.ptp(want, axis=0)  # one number an output
    sensitivity = float(moves.max(initial=0.0))
    if sensitivity == 0.0:
        raise ModelError("parity: the outputs do not depend on the input, there is nothing to compare")
    # An output that never moves (padding, say) is held to the others' scale.
    scale = np.maximum(moves, 1e-3 * sensitivity)

    def off(a: Array, b: Array) -> float:
        return float((np.abs(a - b).max(axis=0) / scale).max())

    error = float(np.abs(have - want).max())
    parity, rounding = off(have, want), 0.0
    if not parity <= TOLERANCE:
        ideal = exactly()
        if ideal is not None and np.isfinite(ideal).all() and np.isfinite(have).all():
            rounding = off(want, ideal)
            parity, error = off(have, ideal), float(np.abs(have - ideal).max())
        allowed = max(TOLERANCE, min(AS_TORCH * rounding, AT_MOST))
        if not parity <= allowed:
            beside = f"; torch's own float32 by {rounding:.1e}" if rounding else ""
            raise ModelError(
                f"parity: onnxruntime differs from torch by {parity:.1e} of how far the output moves "
                f"(allowed {allowed:.0e}{beside}; largest difference {error:.1e}, "
                f"output moves {sensitivity:.1e})"
            )
    return Agreement(error=error, sensitivity=sensitivity, parity=parity, rounding=rounding)
