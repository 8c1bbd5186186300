"""What `cohort` wrote, read back: a recording at a time, lazily, or by subject."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import xarray as xr

from ...engine.errors import InputError, OnnxplainError
from ..electrodes.positions import together
from ..explanation import dataset as views
from ..text import plain
from .codecs import check_codecs
from .scores import BASELINES

NEEDS = 'a cohort needs Zarr: pip install "onnxplain[cohort]"'
ROWS, KEY = "onnxplain.json", "onnxplain_key"
RECORDING = "recording"  # coordinate of epochs of several runs: the hash of each one's recording, or ""


def is_store(path: Path) -> bool:
    """Whether a folder is a store that `explain_cohort` began."""
    try:
        attributes = json.loads((path / ".zattrs").read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return False
    return isinstance(attributes, dict) and KEY in attributes


def load_cohort(path: str | Path, *, chunks: Any = None) -> xr.DataTree:
    """Open what `cohort` wrote; values are read where they are used.

    Parameters
    ----------
    path : path-like
        The store.
    chunks : optional
        As for `xarray.open_zarr`: by default values are read from the disk by index; `{}` makes dask arrays
        of the chunks that the store has.

    Returns
    -------
    xarray.DataTree
        A node for each recording, by its name, with what relevance.nc of `explain` has (see
        `dataset.to_dataset`) and the attribute "subject". Attributes of the whole: "subjects", recording to
        subject, and "summary", what onnxplain.json has.

    Raises
    ------
    InputError
        It is no store, holds no explanation, or cannot be read.
    OnnxplainError
        Zarr is missing.

    Examples
    --------
    >>> tree = load_cohort("all.zarr")  # doctest: +SKIP
    >>> {name: float(node["relevance"].sum()) for name, node in tree.children.items()}  # doctest: +SKIP
    """
    store = Path(path)
    if not is_store(store):
        raise InputError(f"{plain(store, 300)}: is no store that onnxplain cohort wrote")
    found = dict(recordings_of(store, chunks=chunks))
    tree = xr.DataTree.from_dict(found)
    tree.attrs["subjects"] = {name: str(data.attrs.get("subject", "")) for name, data in found.items()}
    tree.attrs["summary"] = _summary(store)
    return tree


def _summary(store: Path) -> dict[str, Any]:
    try:
        found = json.loads((store / ROWS).read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    return found if isinstance(found, dict) else {}


def recordings_of(store: Path, *, chunks: Any = None) -> Iterator[tuple[str, xr.Dataset]]:
    """Each recording of a store by its name, opened and not read.

    Raises
    ------
    InputError
        There is none in it, or one cannot be read or is packed in a way that is not safe.
    OnnxplainError
        Zarr is missing.
    """
    try:
        import zarr  # noqa: F401
    except ImportError:
        raise OnnxplainError(NEEDS) from None
    paths = sorted(p.parent for p in store.glob(f"*/{ROWS}"))
    if not paths:
        raise InputError(f"{plain(store, 300)}: holds no explanation; `onnxplain cohort` writes them")
    for path in paths:
        check_codecs(path)
        try:
            data = xr.open_zarr(path, chunks=chunks)
        except Exception as e:
            raise InputError(f"{plain(path, 300)}: cannot be read ({type(e).__name__})") from None
        yield path.name, data


def subjects_of(store: Path) -> dict[str, xr.Dataset]:
    """Explanations of a store by subject; recordings of one subject one after the other.

    Raises
    ------
    InputError
        There is none in it, or one cannot be read.
    OnnxplainError
        Zarr is missing.
    """
    found: dict[str, list[xr.Dataset]] = {}
    for name, data in recordings_of(store):
        try:
            loaded = data.load()
            found.setdefault(str(loaded.attrs["subject"]), []).append(loaded)
        except Exception as e:
            raise InputError(f"{plain(store / name, 300)}: cannot be read ({type(e).__name__})") from None
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
    runs = [views.digest(d) or "" for d in each for _ in range(d.sizes["epoch"])]
    joined = joined.assign_coords({RECORDING: ("epoch", runs)})
    if all(BASELINES in d for d in each):
        joined[BASELINES] = xr.concat([d[BASELINES] for d in each], "run").mean("run")
    # A head digitised anew for each recording has other positions each time.
    return joined.assign_attrs(places=views.places_attribute(together([views.electrodes(d) for d in each])))
