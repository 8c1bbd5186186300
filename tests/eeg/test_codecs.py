"""Stores whose codecs could run code are refused before anything of them is unpacked."""

from __future__ import annotations

import json
import os
import pickle
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import xarray as xr

from onnxplain.eeg.studies.codecs import check_codecs
from onnxplain.eeg.studies.cohort import KEY, subjects_of
from onnxplain.eeg.studies.compare import read_side
from onnxplain.engine.errors import InputError


@pytest.fixture(autouse=True)
def any_version(monkeypatch: pytest.MonkeyPatch) -> None:
    """The libraries as they were: later ones refuse to unpickle by themselves."""
    import numcodecs.pickles

    monkeypatch.setattr(numcodecs.pickles, "ALLOW_UNSAFE_PICKLE_DECODE", True, raising=False)


class Payload:
    """Writes a file when it is unpickled."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def __reduce__(self) -> Any:
        return open, (str(self.path), "w")


def store(root: Path, zarr_format: int) -> Path:
    """What looks like a cohort's store, with one recording in it; its array is `rec/x`."""
    import zarr

    zarr.open_group(str(root), mode="w", zarr_format=2).attrs[KEY] = "question"
    data = xr.Dataset({"x": ("epoch", np.arange(4.0))}, attrs={"subject": "01"})
    data.to_zarr(root / "rec", mode="w", consolidated=True, zarr_format=zarr_format)  # type: ignore[call-overload]
    (root / "rec" / "onnxplain.json").write_text("{}")
    return root


def _chunk(root: Path) -> Path:
    return root / "rec" / "x" / ("0" if (root / "rec" / "x" / ".zarray").exists() else "c/0")


def changed(path: Path, change: Callable[[dict[str, Any]], None]) -> None:
    data = json.loads(path.read_text())
    change(data)
    path.write_text(json.dumps(data))


def _second(root: Path, change: Callable[[dict[str, Any]], None]) -> None:
    """Change an array's metadata where the second format has them: on their own, and among all."""
    changed(root / "rec" / "x" / ".zarray", change)
    changed(root / "rec" / ".zmetadata", lambda d: change(d["metadata"]["x/.zarray"]))


def _third(root: Path, change: Callable[[dict[str, Any]], None]) -> None:
    changed(root / "rec" / "x" / "zarr.json", change)
    changed(root / "rec" / "zarr.json", lambda d: change(d["consolidated_metadata"]["metadata"]["x"]))


SECOND: dict[str, Any] = {
    "filter": {"filters": [{"id": "pickle", "protocol": 5}], "compressor": None},
    "compressor": {"compressor": {"id": "pickle", "protocol": 5}},
    "objects": {
        "dtype": "|O",
        "filters": [{"id": "pickle", "protocol": 5}],
        "compressor": None,
        "fill_value": None,
    },
    "objects without a codec": {"dtype": "|O", "filters": None, "compressor": None},
    "objects inside": {"dtype": [["a", "<f8"], ["b", "|O"]], "compressor": None},
    "unknown": {"filters": [{"id": "of_a_plugin"}]},
    "no name": {"compressor": {"level": 5}},
}
THIRD: dict[str, Any] = {
    "filter": {"codecs": [{"name": "numcodecs.pickle", "configuration": {}}, {"name": "bytes"}]},
    "text": {"codecs": ["pickle"]},
    "inside of a shard": {
        "codecs": [
            {
                "name": "sharding_indexed",
                "configuration": {
                    "chunk_shape": [4], "codecs": [{"name": "numcodecs.pickle"}],
                    "index_codecs": [{"name": "bytes"}],
                },
            }
        ]
    },
    "objects": {"data_type": {"name": "numpy.structured", "configuration": {"fields": [["a", "object"]]}}},
    "transformer": {"storage_transformers": [{"name": "of_a_plugin"}]},
}  # fmt: skip


def _refused(root: Path, planted: Path) -> str:
    with pytest.raises(InputError) as caught:
        read_side(root)
    assert not planted.exists()
    text = str(caught.value)
    assert text.startswith(str(root / "rec"))
    assert "\n" not in text
    assert text.endswith("only stores that onnxplain cohort wrote are read")
    return text


@pytest.mark.parametrize("kind", SECOND)
def test_second_format(tmp_path: Path, kind: str) -> None:
    root, planted = store(tmp_path / "s.zarr", 2), tmp_path / "planted"
    _second(root, lambda d: d.update(SECOND[kind]))
    _chunk(root).write_bytes(pickle.dumps(Payload(planted)))
    _refused(root, planted)


@pytest.mark.parametrize("kind", THIRD)
def test_third_format(tmp_path: Path, kind: str) -> None:
    root, planted = store(tmp_path / "s.zarr", 3), tmp_path / "planted"
    _third(root, lambda d: d.update(THIRD[kind]))
    _chunk(root).write_bytes(pickle.dumps(Payload(planted)))
    _refused(root, planted)


def test_the_payload_is_one(tmp_path: Path) -> None:
    """The codec runs it; what reads a store must not come so far."""
    import numcodecs

    codec = numcodecs.get_codec(dict(SECOND["filter"]["filters"][0]))
    codec.decode(pickle.dumps(Payload(tmp_path / "planted")))
    assert (tmp_path / "planted").exists()


@pytest.mark.parametrize(("zarr_format", "name"), [(2, ".zmetadata"), (3, "zarr.json")])
def test_where_only_one_of_two_places_says_it(tmp_path: Path, zarr_format: int, name: str) -> None:
    """Metadata for all arrays are read in place of each array's own."""
    root, planted = store(tmp_path / "s.zarr", zarr_format), tmp_path / "planted"
    _chunk(root).write_bytes(pickle.dumps(Payload(planted)))
    if zarr_format == 2:
        changed(root / "rec" / name, lambda d: d["metadata"]["x/.zarray"].update(SECOND["filter"]))
    else:
        changed(
            root / "rec" / name, lambda d: d["consolidated_metadata"]["metadata"]["x"].update(THIRD["filter"])
        )
    _refused(root, planted)


@pytest.mark.skipif(os.name == "nt", reason="links are POSIX")
def test_an_array_behind_a_link(tmp_path: Path) -> None:
    root, planted = store(tmp_path / "s.zarr", 2), tmp_path / "planted"
    changed(root / "rec" / "x" / ".zarray", lambda d: d.update(SECOND["filter"]))
    _chunk(root).write_bytes(pickle.dumps(Payload(planted)))
    (root / "rec" / ".zmetadata").unlink()
    shutil.move(root / "rec" / "x", tmp_path / "elsewhere")
    (root / "rec" / "x").symlink_to(tmp_path / "elsewhere")
    (root / "rec" / "again").symlink_to(root)  # and a circle
    _refused(root, planted)


def test_names_that_lead_outside(tmp_path: Path) -> None:
    root = store(tmp_path / "s.zarr", 2)
    changed(root / "rec" / ".zmetadata", lambda d: d["metadata"].update({"../../other/.zarray": {}}))
    with pytest.raises(InputError, match="names an array outside of itself"):
        check_codecs(root / "rec")


@pytest.mark.parametrize("text", ["", "[" * 100_000, "{'x': 1}", "\xff\xfe"])
def test_metadata_that_are_none(tmp_path: Path, text: str) -> None:
    root = store(tmp_path / "s.zarr", 2)
    (root / "rec" / "x" / ".zarray").write_text(text, encoding="latin-1")
    with pytest.raises(InputError, match=r"\.zarray is no metadata of Zarr"):
        check_codecs(root / "rec")


@pytest.mark.parametrize("zarr_format", [2, 3])
def test_what_xarray_writes_is_read(tmp_path: Path, zarr_format: int) -> None:
    root = store(tmp_path / "s.zarr", zarr_format)
    np.testing.assert_array_equal(subjects_of(root)["01"]["x"].values, np.arange(4.0))
