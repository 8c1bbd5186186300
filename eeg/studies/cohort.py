"""A model on every recording of a dataset: one task each, one Zarr store for all.

Tasks run on dask.distributed, by default on this machine. A store can be gone on with: what it has of the
same model, data and options is not computed again, and a recording appears in it whole or not at all.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import logging
import os
import shutil
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

import numpy as np
import xarray as xr
from numpy.typing import NDArray

from ...engine.errors import InputError, OnnxplainError
from ...engine.steps import step
from ..electrodes import regions
from ..electrodes.positions import Electrodes, Place, together
from ..explanation import dataset as views
from ..explanation import shares
from ..explanation.provenance import sha256, versions
from ..recording.dataset import Item
from ..text import counted, plain
from . import statistics

NEEDS = 'a cohort needs Zarr and dask.distributed: pip install "onnxplain[cohort]"'
ROWS, KEY = "onnxplain.json", "onnxplain_key"
# Of Zarr: text and consolidated metadata have no specification in the third yet.
FORMAT: Literal[2] = 2


@dataclass(frozen=True)
class CohortRow:
    """What became of one recording.

    Attributes
    ----------
    name, subject : str
    said : str
        Why it was refused; empty where it was explained.
    windows : int
    channels : tuple of str
    share : tuple of float
        Relevance share of each electrode.
    accuracy : float or None
    fit : dict or None
        Of an output that is a number, with labels that are: as `explained.fit` gives it.
    places : dict of str to (float, float, float)
        Measured positions of channels with names of their own, in metre.
    """

    name: str
    subject: str
    said: str
    windows: int = 0
    channels: tuple[str, ...] = ()
    share: tuple[float, ...] = ()
    accuracy: float | None = None
    fit: Mapping[str, Any] | None = None
    places: Mapping[str, Place] = field(default_factory=dict)


@dataclass(frozen=True)
class Cohort:
    """What became of a dataset.

    Attributes
    ----------
    rows : tuple of CohortRow
        In order of the recordings' names.
    kept : int
        Of them, those that the store had already.
    """

    rows: tuple[CohortRow, ...]
    kept: int

    @property
    def good(self) -> tuple[CohortRow, ...]:
        """Those that were explained."""
        return tuple(r for r in self.rows if not r.said)

    def maps(self) -> dict[str, NDArray[np.float64]]:
        """Relevance share of each electrode by subject: the mean over the subject's recordings."""
        found: dict[str, list[tuple[float, ...]]] = {}
        for r in self.good:
            found.setdefault(r.subject, []).append(r.share)
        return {s: np.mean(each, axis=0) for s, each in found.items()}

    @property
    def electrodes(self) -> Electrodes:
        """The model's channels; positions of those with names of their own are means over recordings."""
        return together([Electrodes(r.channels, r.places, own=r.places) for r in self.good])

    def summary(self) -> dict[str, Any]:
        """Shares of sets over subjects, how consistent subjects are, and every recording."""
        maps = self.maps()
        out: dict[str, Any] = {
            "recordings": len(self.good),
            "refused": len(self.rows) - len(self.good),
            "kept": self.kept,
            "subjects": len(maps),
            "sets": [],
            "consistency": None,
            "fit": self._fit(),
            "runs": [],
            "rows": [
                {k: v for k, v in vars(r).items() if k not in ("share", "channels", "places")}
                for r in self.rows
            ],
        }
        if not maps:
            return out
        channels = self.electrodes
        stack = np.stack(list(maps.values()))
        for name, electrodes in regions.SETS.items():
            inside = np.isin(channels, regions.members(list(electrodes), channels))
            if inside.any():
                each = stack[:, inside].sum(1)
                out["sets"].append(
                    {
                        "name": name,
                        "share": float(each.mean()),
                        "spread": float(each.std(ddof=1)) if len(each) > 1 else None,
                        "of_electrodes": float(inside.mean()),
                    }
                )
        alike = statistics.consistency(stack)
        out["consistency"] = None if alike is None else vars(alike)
        out["runs"] = self._runs()
        return out

    def _fit(self) -> dict[str, Any] | None:
        """How a number goes with labels, over subjects and within recordings."""
        found: dict[str, list[Mapping[str, Any]]] = {}
        for r in self.good:
            if r.fit is not None:
                found.setdefault(r.subject, []).append(r.fit)
        if not found:
            return None
        said, true = (
            np.array([np.mean([f[what] for f in fits]) for fits in found.values()])
            for what in ("said", "labelled")
        )
        within = [f["r"] for fits in found.values() for f in fits if f["r"] is not None]
        apart = len(said) > 2 and said.std() and true.std()
        return {
            "subjects": len(found),
            "r": float(np.corrcoef(said, true)[0, 1]) if apart else None,
            "mae": float(np.abs(said - true).mean()),
            "within": float(np.median(within)) if within else None,
            "unit": next(iter(found.values()))[0]["unit"],
            "by_subject": {
                name: {"said": float(a), "labelled": float(b)}
                for name, a, b in zip(found, said, true, strict=True)
            },
        }

    def lines(self) -> list[tuple[str, str]]:
        """The summary in a few lines, as (what, text)."""
        s = self.summary()
        kept = f" ({s['kept']} of them from before)" if s["kept"] else ""
        rows = [
            (
                "explained",
                f"{counted(s['recordings'], 'recording')} of {counted(s['subjects'], 'subject')}{kept}",
            )
        ]
        for each in s["sets"]:
            spread = "" if each["spread"] is None else f", standard deviation {each['spread']:.0%}"
            on = f"on {each['of_electrodes']:.0%} of the electrodes{spread}"
            rows.append((each["name"], f"{each['share']:.0%} of the relevance {on}"))
        if s["fit"] is not None:
            rows.append(("fit", _said_fit(s["fit"])))
        alike = s["consistency"]
        if alike is not None:
            interval = f"{alike['low']:.2f} to {alike['high']:.2f}"
            rows.append(("consistency", f"correlation of subjects {alike['value']:.2f} ({interval})"))
        elif s["recordings"]:
            rows.append(("consistency", "not told for fewer than three subjects"))
        rows += [
            (f"runs, {r['name']}", f"ICC {r['value']:.2f} ({r['low']:.2f} to {r['high']:.2f})")
            for r in s["runs"]
        ]
        return [*rows, *(("refused", f"{plain(r.name, 60)}: {r.said}") for r in self.rows if r.said)]

    def _runs(self) -> list[dict[str, Any]]:
        """Whether a subject's runs give the same share of a set: ICC(2,1), over as many runs as all have."""
        by_subject: dict[str, list[CohortRow]] = {}
        for r in self.good:
            by_subject.setdefault(r.subject, []).append(r)
        runs = min(map(len, by_subject.values()))
        if runs < 2 or len(by_subject) < 2:
            return []
        channels, found = self.electrodes, []
        for name, electrodes in regions.SETS.items():
            inside = np.isin(channels, regions.members(list(electrodes), channels))
            each = np.array(
                [[np.array(r.share)[inside].sum() for r in rows[:runs]] for rows in by_subject.values()]
            )
            if inside.any() and np.ptp(each) > 0:
                found.append({"name": name, "runs": runs, **vars(statistics.icc(each))})
        return found


def is_store(path: Path) -> bool:
    """Whether a folder is a store that `explain_cohort` began."""
    try:
        attributes = json.loads((path / ".zattrs").read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return False
    return isinstance(attributes, dict) and KEY in attributes


def explain_cohort(
    model: Path,
    items: Sequence[Item],
    store: Path,
    *,
    options: Mapping[str, Any],
    scheduler: str | None = None,
    workers: int | None = None,
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
        Address of a dask scheduler whose workers see the same files; by default this machine's cores.
    workers : int, optional
        Processes on this machine; by default one for each two cores, at least one.

    Returns
    -------
    Cohort

    Raises
    ------
    InputError
        The store has explanations of another model or other options.
    OnnxplainError
        Zarr or dask is missing, or the scheduler cannot be reached.
    """
    try:
        import distributed
        import zarr
    except ImportError:
        raise OnnxplainError(NEEDS) from None
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
    for left in store.glob(".*.partial"):  # of a run that was ended
        shutil.rmtree(left, ignore_errors=True)
    rows: dict[str, CohortRow] = {}
    todo = []
    for item in items:
        known = _known(store, item, question)
        if known is None:
            todo.append(item)
        else:
            rows[item.name] = known
    kept = len(rows)
    if todo:
        with _client(distributed, scheduler, workers, len(todo)) as client, client.as_current():
            step("explaining recordings", 0.0)
            futures = {
                client.submit(_task, str(model), item, str(store), dict(options), question, pure=False): item
                for item in todo
            }
            done: Any = distributed.as_completed  # it has no types
            for future in done(list(futures)):
                item = futures[future]
                rows[item.name] = _result(future, item)
                step("explaining recordings", (len(rows) - kept) / len(todo))
    cohort = Cohort(tuple(rows[i.name] for i in items), kept)
    _finish(cohort, store)
    return cohort


def _result(future: Any, item: Item) -> CohortRow:
    try:
        row: CohortRow = future.result()
    except Exception as e:  # a worker that was killed, or ran out of memory
        return CohortRow(item.name, item.subject, f"the worker failed ({type(e).__name__})")
    return row


@contextlib.contextmanager
def _client(distributed: Any, scheduler: str | None, workers: int | None, tasks: int) -> Iterator[Any]:
    """A client of the scheduler named, or of processes on this machine."""
    for name in ("distributed", "distributed.worker", "distributed.nanny", "distributed.scheduler"):
        logging.getLogger(name).setLevel(logging.CRITICAL)
    step("starting workers")
    if scheduler is not None:
        try:
            client = distributed.Client(scheduler, timeout=20, set_as_default=False)
        except Exception as e:
            raise OnnxplainError(
                f"scheduler {plain(scheduler, 100)}: cannot be reached ({type(e).__name__})"
            ) from None
        with client:
            yield client
        return
    n = max(1, min(workers or (os.cpu_count() or 2) // 2, tasks))
    with (
        distributed.LocalCluster(
            n_workers=n,
            threads_per_worker=1,
            processes=True,
            dashboard_address=None,
            silence_logs=50,
            # Without a dashboard distributed still serves a page of health, on port 8787 of every interface.
            scheduler_kwargs={"dashboard_address": "127.0.0.1:0"},
        ) as cluster,
        distributed.Client(cluster, set_as_default=False) as client,
    ):
        yield client


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


def _task(model: str, item: Item, store: str, options: dict[str, Any], question: str) -> CohortRow:
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
    )
    temporary = Path(store) / f".{item.name}.partial"
    shutil.rmtree(temporary, ignore_errors=True)
    data = found.dataset.assign_attrs(subject=item.subject)
    _plain_strings(data).to_zarr(temporary, mode="w", consolidated=True, zarr_format=FORMAT)
    (temporary / ROWS).write_text(
        json.dumps({**vars(row), "question": question, "stamp": stamp}), encoding="utf-8"
    )
    final = Path(store) / item.name
    shutil.rmtree(final, ignore_errors=True)
    os.replace(temporary, final)
    return row


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
    temporary.write_text(text + "\n", encoding="utf-8")
    os.replace(temporary, store / ROWS)


def subjects_of(store: Path) -> dict[str, xr.Dataset]:
    """Explanations of a store by subject; recordings of one subject one after the other.

    Raises
    ------
    InputError
        There is none in it, or one cannot be read.
    OnnxplainError
        Zarr is missing.
    """
    try:
        import zarr  # noqa: F401
    except ImportError:
        raise OnnxplainError(NEEDS) from None
    found: dict[str, list[xr.Dataset]] = {}
    for path in sorted(p.parent for p in store.glob(f"*/{ROWS}")):
        try:
            with xr.open_zarr(path) as data:
                loaded = data.load()
            found.setdefault(str(loaded.attrs["subject"]), []).append(loaded)
        except Exception as e:
            raise InputError(f"{plain(path, 300)}: cannot be read ({type(e).__name__})") from None
    if not found:
        raise InputError(f"{plain(store, 300)}: holds no explanation; `onnxplain cohort` writes them")
    return {subject: each[0] if len(each) == 1 else _joined(each, subject) for subject, each in found.items()}


def _joined(each: Sequence[xr.Dataset], subject: str) -> xr.Dataset:
    first = each[0]
    if any(list(d["channel"].values) != list(first["channel"].values) for d in each):
        raise InputError(f"subject {plain(subject)}: recordings of unlike electrodes")
    # Each recording has references of its own, and not always as many.
    keep = [
        n
        for n, v in first.data_vars.items()
        if "epoch" in v.dims and "reference" not in v.dims and all(n in d for d in each)
    ]
    joined = xr.concat(
        [d[keep] for d in each], "epoch", combine_attrs="drop_conflicts", join="override", coords="minimal",
        compat="override",
    )  # fmt: skip
    # A head digitised anew for each recording has other positions each time.
    return joined.assign_attrs(places=views.places_attribute(together([views.electrodes(d) for d in each])))


def _said_fit(fit: Mapping[str, Any]) -> str:
    """How a number goes with labels, in words."""
    r = "" if fit["r"] is None else f"r = {fit['r']:.2f}, "
    within = "" if fit["within"] is None else f"; within recordings r = {fit['within']:.2f} (median)"
    off = f"mean absolute error {fit['mae']:.3g} {plain(fit['unit'], 20)}".rstrip()
    return f"{r}{off} over {counted(fit['subjects'], 'subject')}{within}"
