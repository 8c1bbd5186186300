"""A model on every recording of a dataset: one task each, one Zarr store for all.

Tasks run in processes of this machine (`pool`), or on a dask scheduler that is named. A store can be gone on
with: what it has of the same model, data and options is not computed again, and a recording appears in it
whole or not at all.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import logging
import os
import shutil
import warnings
from collections.abc import Callable, Generator, Mapping, Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any, Literal

import xarray as xr

from ...engine.errors import InputError, OnnxplainError
from ...engine.steps import step
from ...engine.storage import outputs
from ..electrodes.region_file import Regions
from ..explanation import shares
from ..explanation.provenance import sha256, versions
from ..recording import participants
from ..recording.dataset import Item
from ..text import plain
from . import pool
from .cohort_result import Cohort, CohortRow
from .cohort_store import KEY, NEEDS, ROWS
from .cohort_store import is_store as is_store
from .cohort_store import subjects_of as subjects_of
from .scores import near_random

NEEDS_DASK = 'a scheduler needs dask.distributed: pip install "onnxplain[cohort]"'
# Of Zarr: text and consolidated metadata have no specification in the third yet.
FORMAT: Literal[2] = 2


def explain_cohort(
    model: Path,
    items: Sequence[Item],
    store: Path,
    *,
    options: Mapping[str, Any],
    scheduler: str | None = None,
    workers: int | None = None,
    overwrite: bool = False,
) -> Cohort:
    """Explain every recording, and keep the explanations in a Zarr store: a group for each.

    Parameters
    ----------
    model : Path
    items : sequence of Item
    store : Path
        Made where it does not exist.
    options : mapping
        For `run.explain_recording`, other than model and data.
    scheduler : str, optional
        Address of a dask scheduler whose workers see the same files; by default processes of this machine,
        which nothing but this one can reach. Who can connect to a scheduler can have any code run there, and
        what its workers answer is unpickled here: name one that is yours, with TLS (``tls://``, set in dask's
        configuration) where others share the network or the machine.
    workers : int, optional
        Processes on this machine; by default one for each two cores, at least one.
    overwrite : bool
        Begin anew, whatever the store has.

    Returns
    -------
    Cohort

    Raises
    ------
    InputError
        The store has explanations of another model or other options, another run is writing it, or there is
        no space left.
    OnnxplainError
        Zarr or dask is missing, or the scheduler cannot be reached.
    """
    try:
        import zarr
    except ImportError:
        raise OnnxplainError(NEEDS) from None
    store.parent.mkdir(parents=True, exist_ok=True)
    with outputs.alone(store), outputs.named(store):
        if overwrite and store.exists():
            shutil.rmtree(store)
        question = _opened(zarr, model, store, options)
        return _filled(model, items, store, options, question, scheduler, workers)


def _opened(zarr: Any, model: Path, store: Path, options: Mapping[str, Any]) -> str:
    """Open or make the store; returns what is asked of every recording."""
    question = _question(model, options)
    store.mkdir(parents=True, exist_ok=True)
    root = zarr.open_group(str(store), mode="a", zarr_format=FORMAT)
    before = root.attrs.get(KEY)
    if before is not None and before != question:
        raise InputError(
            f"{plain(store, 300)}: has explanations by another model, version or options; "
            "--overwrite replaces it, or name another store"
        )
    root.attrs[KEY] = question
    _sweep(store)  # of a run that was ended
    return question


def _sweep(store: Path) -> None:
    """Remove what is unfinished: of a writer that failed, Zarr's threads may go on for a moment."""
    for left in store.glob(".*.partial"):
        shutil.rmtree(left, ignore_errors=True)
        with contextlib.suppress(OSError):
            left.unlink(missing_ok=True)


def _filled(
    model: Path,
    items: Sequence[Item],
    store: Path,
    options: Mapping[str, Any],
    question: str,
    scheduler: str | None,
    workers: int | None,
) -> Cohort:
    """Explain what the store does not have yet."""
    rows: dict[str, CohortRow] = {}
    todo = []
    for item in items:
        known = _known(store, item, question)
        if known is None:
            todo.append(item)
        else:
            rows[item.name] = known if known.subject == item.subject else _renamed(known, item.subject, store)
    kept = len(rows)
    if todo:
        task = partial(_task, str(model), store=str(store), options=dict(options), question=question)
        step("starting workers")
        done = _here(task, todo, workers) if scheduler is None else _scheduled(task, todo, scheduler)
        with contextlib.closing(done):
            for item, said in done:
                rows[item.name] = (
                    CohortRow(item.name, item.subject, said.why) if isinstance(said, pool.Failed) else said
                )
                step("explaining recordings", (len(rows) - kept) / len(todo))
    _sweep(store)
    given = options.get("regions")
    cohort = Cohort(
        tuple(rows[i.name] for i in items),
        kept,
        whose=participants.said((i.subject, i.origin) for i in items),
        regions=given if isinstance(given, Regions) else Regions(),
    )
    _finish(cohort, store)
    return cohort


_Task = Callable[[Item], CohortRow]
_Done = Generator[tuple[Item, CohortRow | pool.Failed], None, None]


def _here(task: _Task, todo: Sequence[Item], workers: int | None) -> _Done:
    """Rows as they are done by processes of this machine."""
    n = max(1, workers or (os.cpu_count() or 2) // 2)
    step("explaining recordings", 0.0)
    yield from pool.each(task, todo, n)


def _scheduled(task: _Task, todo: Sequence[Item], scheduler: str) -> _Done:
    """Rows as they are done by the workers of a dask scheduler."""
    try:
        import distributed
    except ImportError:
        raise OnnxplainError(NEEDS_DASK) from None
    for name in ("distributed", "distributed.worker", "distributed.nanny", "distributed.scheduler"):
        logging.getLogger(name).setLevel(logging.CRITICAL)
    connect: Any = distributed.Client  # it has no types
    try:
        client = connect(scheduler, timeout=20, set_as_default=False)
    except Exception as e:
        raise OnnxplainError(
            f"scheduler {plain(scheduler, 100)}: cannot be reached ({type(e).__name__})"
        ) from None
    with client, client.as_current():
        step("explaining recordings", 0.0)
        futures = {client.submit(task, item, pure=False): item for item in todo}
        done: Any = distributed.as_completed
        for future in done(list(futures)):
            try:
                yield futures[future], future.result()
            except Exception as e:  # a worker that was killed, or ran out of memory
                yield futures[future], pool.Failed(f"the worker failed ({type(e).__name__})")


def _question(model: Path, options: Mapping[str, Any]) -> str:
    """What is asked of every recording: the model, the options, and onnxplain's version."""
    plainly = {k: str(v) if isinstance(v, Path) else v for k, v in sorted(options.items())}
    text = json.dumps([sha256(model), plainly, versions()["onnxplain"]], sort_keys=True, default=str)
    return hashlib.sha256(text.encode()).hexdigest()


def _stamp(path: Path) -> str:
    """What tells a recording that has changed since: sizes and times of the files with its stem."""
    stem = path.name.split(".")[0].removesuffix("_eeg")
    files = sorted(p for p in path.parent.iterdir() if p.name.startswith(stem) and p.is_file())
    said = [(p.name, p.stat().st_size, p.stat().st_mtime_ns) for p in files]
    return hashlib.sha256(json.dumps(said).encode()).hexdigest()


def _known(store: Path, item: Item, question: str) -> CohortRow | None:
    """What the store has of a recording, if the question and the file are the same."""
    path = store / item.name / ROWS
    try:
        data = json.loads(path.read_text(encoding="utf-8"))
        if data.pop("question") != question or data.pop("stamp") != _stamp(item.path):
            return None
        places = {name: (x, y, z) for name, (x, y, z) in data.get("places", {}).items()}
        return CohortRow(
            **{
                **data,
                "channels": tuple(data["channels"]),
                "share": tuple(data["share"]),
                "places": places,
            }
        )
    except (OSError, ValueError, KeyError, TypeError):
        return None


def _renamed(row: CohortRow, subject: str, store: Path) -> CohortRow:
    """The same recording as another subject's, in the store too."""
    import zarr

    path = store / row.name
    data = json.loads((path / ROWS).read_text(encoding="utf-8"))
    zarr.open_group(str(path), mode="r+", zarr_format=FORMAT).attrs["subject"] = subject
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of a file that is none of Zarr's: ours
        zarr.consolidate_metadata(str(path), zarr_format=FORMAT)
    temporary = path / f".{ROWS}.partial"
    temporary.write_text(json.dumps({**data, "subject": subject}), encoding="utf-8")
    os.replace(temporary, path / ROWS)
    return replace(row, subject=subject)


def _task(model: str, item: Item, *, store: str, options: dict[str, Any], question: str) -> CohortRow:
    """Explain one recording and write its group; runs on a worker."""
    from ..views.explain import explain_with_views

    try:
        stamp = _stamp(item.path)
        found = explain_with_views(Path(model), item.path, **options)
    except OnnxplainError as e:
        return CohortRow(item.name, item.subject, plain(e, 400))
    except MemoryError:
        return CohortRow(item.name, item.subject, "there is not enough memory for this")
    summary = found.summary()
    accuracy = summary["accuracy"]
    row = CohortRow(
        name=item.name,
        subject=item.subject,
        said="",
        windows=len(found.windows),
        channels=found.electrodes.names,
        share=tuple(map(float, shares.by_electrode(found.relevance))),
        accuracy=None if accuracy is None else accuracy["accuracy"],
        fit=summary["fit"],
        places=dict(found.electrodes.measured),
        random=near_random(found.dataset),
    )
    try:
        _keep(found.dataset.assign_attrs(subject=item.subject), row, Path(store), question, stamp)
    except OSError as e:
        why = os.strerror(e.errno) if e.errno else type(e).__name__
        return CohortRow(item.name, item.subject, f"{plain(store, 300)}: cannot be written ({why})")
    return row


def _keep(data: xr.Dataset, row: CohortRow, store: Path, question: str, stamp: str) -> None:
    """Write one recording's group, whole or not at all."""
    temporary, final = store / f".{row.name}.partial", store / row.name
    shutil.rmtree(temporary, ignore_errors=True)
    try:
        _plain_strings(data).to_zarr(temporary, mode="w", consolidated=True, zarr_format=FORMAT)
        (temporary / ROWS).write_text(
            json.dumps({**vars(row), "question": question, "stamp": stamp}), encoding="utf-8"
        )
        shutil.rmtree(final, ignore_errors=True)
        os.replace(temporary, final)
    finally:
        shutil.rmtree(temporary, ignore_errors=True)


def _plain_strings(data: xr.Dataset) -> xr.Dataset:
    """Object arrays as strings of one width, which Zarr's format specifies."""
    new = {}
    for name, variable in data.variables.items():
        if variable.dtype.kind == "O":
            new[name] = (variable.dims, variable.values.astype(str), variable.attrs)
    return data.assign_coords({k: v for k, v in new.items() if k in data.coords}).assign(
        {k: v for k, v in new.items() if k not in data.coords}
    )


def _finish(cohort: Cohort, store: Path) -> None:
    """Write the summary of the whole beside the groups."""
    text = json.dumps(cohort.summary(), indent=2, ensure_ascii=False)
    temporary = store / f".{ROWS}.partial"
    try:
        temporary.write_text(text + "\n", encoding="utf-8")
        os.replace(temporary, store / ROWS)
    finally:
        temporary.unlink(missing_ok=True)
