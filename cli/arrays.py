"""`explain` for arrays: read them, explain them, write what came out."""

from __future__ import annotations

import platform
import re
from collections.abc import Mapping
from importlib import metadata
from pathlib import Path
from typing import Any

import numpy as np

from .. import __version__
from ..eeg.explanation.provenance import jsonable, sha256, write_json
from ..eeg.explanation.references import NONE
from ..engine.attribution import MAX_CLOSURE, Array, Attribution
from ..engine.contract import InputContract
from ..engine.errors import InputError
from ..engine.explainer import Explainer
from ..engine.steps import step
from ..engine.storage.arrays import load as load_arrays

VERSIONED = ("numpy", "onnx", "onnxruntime-gpu", "onnxruntime")


def explain(
    model: Path,
    data: Path,
    out: Path,
    *,
    target: Any,
    contrast: str,
    composite: str,
    params: Mapping[str, Any],
    backend: str,
    contract: InputContract | None,
    threads: int | None,
    seed: int,
    report: bool,
    against: str | None = None,
    references: int = 4,
    max_closure: float | None = MAX_CLOSURE,
) -> tuple[dict[str, Any], list[tuple[str, str]]]:
    """Explain the arrays in a file and write the results to the folder `out`.

    Returns
    -------
    summary : dict
        What was written to summary.json.
    lines : list of (str, str)
        The summary in a few lines.
    """
    step("reading the data")
    inputs = load(data)
    step("reading the model")
    held = _held(against, references, seed)
    if held is not None and composite == "attnlrp":
        composite = "difference"
    explainer = Explainer(
        model,
        composite=composite,
        backend=backend,
        threads=threads,
        contract=contract,
        max_closure=max_closure,
        **params,
    )
    if explainer.composite.is_difference and held is None:
        raise InputError(
            f"composite {explainer.composite.name}: explains a difference; --against FILE names the "
            "arrays that these are held against"
        )
    step("explaining")
    against_rest = None if contrast == "none" else contrast
    found = explainer(inputs, target=target, contrast=against_rest, reference=held)
    step("writing the results")
    np.savez(out / "relevance.npz", **_arrays(found))  # type: ignore[arg-type]
    summary = {
        "onnxplain": __version__,
        "model": {"file": model.name, "sha256": explainer.sha256},
        "data": {"file": data.name, "sha256": sha256(data), "samples": int(found.explained.shape[-1])},
        "output": found.output,
        "target": target,
        "contrast": contrast,
        "against": None if held is None else f"{len(found.per_reference)} of {Path(str(against)).name}",
        "explained": {name: float(getattr(found.explained, name)()) for name in ("mean", "min", "max")},
        "closure": float(np.max(found.closure())),
        "ledger": {kind: float(np.mean(value)) for kind, value in found.ledger.by_kind().items()},
        "notes": list(found.notes),
        "options": {
            "composite": composite,
            "parameters": dict(params),
            "backend": backend,
            "threads": threads,
            "seed": seed,
            "against": None if against in (None, NONE) else Path(str(against)).name,
            "references": len(found.per_reference) if held is not None else 0,
        },
        "versions": {"python": platform.python_version(), **_versions()},
    }
    summary = jsonable(summary)
    write_json(summary, out / "summary.json")
    if report:
        from .array_report import write_report

        step("drawing the report")
        write_report(out, found, summary, contract or explainer.contract)
    return summary, _lines(model, found, summary)


def _held(against: str | None, references: int, seed: int) -> dict[str, Array] | Array | None:
    """Some rows of the file that arrays are held against, each a reference for all.

    Raises
    ------
    InputError
        It is no file of arrays.
    """
    if against in (None, NONE):
        return None
    path = Path(str(against))
    if not path.is_file():
        raise InputError(
            f"--against {against}: arrays are held against those of a file (.npy, .npz); windows of a "
            "recording against others of it"
        )
    found = load(path)
    each = found if isinstance(found, dict) else {"": found}
    rows = min(map(len, each.values()))
    picked = np.sort(np.random.default_rng(seed).choice(rows, min(references, rows), replace=False))
    taken = {name: array[picked][:, None] for name, array in each.items()}
    return taken if isinstance(found, dict) else taken[""]


def load(path: Path) -> Array | dict[str, Array]:
    """The array of an .npy file, or the arrays of an .npz file by name.

    Raises
    ------
    InputError
        The file is not what its name says, or holds Python objects instead of numbers.
    """
    inputs = load_arrays(path)
    arrays = inputs if isinstance(inputs, dict) else {"": inputs}
    if not arrays:
        raise InputError(f"{path}: holds no array")
    for name, array in arrays.items():
        what = f"{path}: {name[:60]}" if name else str(path)
        if array.dtype.kind not in "fiub" or array.dtype.names:
            raise InputError(f"{what}: holds {str(array.dtype)[:60]} values, not numbers")
        if array.ndim == 0 or array.size == 0:
            raise InputError(f"{what}: is empty; the first axis is the batch")
        if array.dtype.kind == "f" and np.isnan(array).any():
            raise InputError(f"{what}: holds NaN")
    return inputs


def _arrays(found: Attribution) -> dict[str, Array]:
    arrays = {
        **{f"relevance.{name}": value for name, value in found.relevance.items()},
        **{f"multiplier.{name}": value for name, value in found.multiplier.items()},
        **{f"unassigned.{name}": value for name, value in found.unassigned.items()},
        **{f"output.{name}": value for name, value in found.outputs.items()},
        **{f"ledger.{kind}": value for kind, value in found.ledger.by_kind().items()},
        "explained": found.explained,
    }
    target = np.asarray(found.target)
    # A contrast has no array form that loads without pickle.
    arrays["target"] = target if target.dtype.kind in "biuf" else np.asarray(str(found.target))
    return arrays


def _lines(model: Path, found: Attribution, summary: Mapping[str, Any]) -> list[tuple[str, str]]:
    value = found.explained
    against = " against the mean of the others" if summary["contrast"] == "rest" else ""
    held = f", held against {summary['against']}" if summary["against"] else ""
    kept = ", ".join(f"{kind} {amount:.3g}" for kind, amount in list(summary["ledger"].items())[:3])
    return [
        ("model", f"{model}  (sha256 {summary['model']['sha256'][:12]})"),
        (
            "explained",
            f"{_said(summary['target'])} of {found.output}{against}{held}: mean {value.mean():.4g}, "
            f"{value.min():.4g} to {value.max():.4g} over {value.shape[-1]} samples",
        ),
        ("kept back", f"{kept} (mean)" if kept else "nothing"),
        ("closure", f"{summary['closure']:.1e} (relevance and ledger against what was explained)"),
        *(("note", note) for note in found.notes),
    ]


def _said(target: Any) -> str:
    if isinstance(target, Mapping):
        return ", ".join(f"{weight:+g} {name}" for name, weight in target.items())
    return {"predicted": "the predicted class", "all": "every class"}.get(str(target), f"class {target}")


def _versions() -> dict[str, str]:
    found = {}
    for name in VERSIONED:
        try:
            found[re.sub("-gpu$", "", name)] = metadata.version(name)
        except metadata.PackageNotFoundError:
            continue
    return found
