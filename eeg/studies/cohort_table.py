"""A cohort's store as one table: a row for each window, electrode and band of each recording."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import xarray as xr

from ...engine.errors import InputError
from ..explanation.long_form import HEAD, rows
from ..text import plain, write_csv
from .codecs import check_codecs
from .cohort_store import ROWS


def write_table(store: Path, path: Path) -> Path:
    """Write the explanations of a store in long form, one recording at a time.

    Parameters
    ----------
    store : Path
        As `cohort.explain_cohort` wrote it.
    path : Path

    Returns
    -------
    Path
        The file written.

    Raises
    ------
    InputError
        The store holds no explanation, or one that cannot be read.
    """
    groups = sorted(p.parent for p in store.glob(f"*/{ROWS}"))
    if not groups:
        raise InputError(f"{plain(store, 300)}: holds no explanation; `onnxplain cohort` writes them")
    return write_csv(HEAD, (row for group in groups for row in _rows(group)), path)


def _rows(group: Path) -> Iterator[tuple[object, ...]]:
    check_codecs(group)
    try:
        with xr.open_zarr(group) as opened:
            wanted = ("bands", "output", "target") if "bands" in opened else ("relevance", "output", "target")
            data = opened[[n for n in wanted if n in opened]].load()
    except Exception as e:
        raise InputError(f"{plain(group, 300)}: cannot be read ({type(e).__name__})") from None
    yield from rows(data, recording=group.name)
