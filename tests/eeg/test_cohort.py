"""A dataset: found, explained once, gone on with, compared."""

from __future__ import annotations

import csv
import json
import shutil
import warnings
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import xarray as xr

from onnxplain.eeg.explanation import dataset as views
from onnxplain.eeg.explanation import shares
from onnxplain.eeg.recording import bids
from onnxplain.eeg.recording.dataset import recordings
from onnxplain.eeg.recording.read import read
from onnxplain.eeg.reports import cohort as cohort_page
from onnxplain.eeg.run import explain_recording
from onnxplain.eeg.studies.cohort import explain_cohort, is_store, subjects_of
from onnxplain.eeg.studies.cohort_result import Cohort, CohortRow
from onnxplain.eeg.studies.cohort_store import load_cohort
from onnxplain.eeg.studies.compare import compare, read_side
from onnxplain.eeg.studies.group import group_of
from onnxplain.engine.errors import InputError, OnnxplainError

Make = Callable[..., Any]


@pytest.fixture(scope="module")
def scheduler() -> Iterator[str]:
    """A scheduler with workers in this process: what a cluster is to the cohort."""
    import distributed

    with distributed.LocalCluster(
        n_workers=2, threads_per_worker=1, processes=False, dashboard_address=None, protocol="tcp"
    ) as cluster:
        yield cluster.scheduler_address


@pytest.fixture
def dataset(make_raw: Make, tmp_path: Path, naming: Any) -> Path:
    """Three subjects, the first with two runs, and a file that is none."""
    return write_dataset(make_raw, tmp_path, naming)


@pytest.fixture
def plain_dataset(make_raw: Make, tmp_path: Path, demo_of: Any) -> Path:
    """The same under 10-20 names alone, for what does not depend on names."""
    return write_dataset(make_raw, tmp_path, demo_of(False).naming)


def write_dataset(make_raw: Make, tmp_path: Path, naming: Any) -> Path:
    root = tmp_path / "data"
    for i, name in enumerate(["sub-01/run1", "sub-01/run2", "sub-02/run1", "sub-03/run1"]):
        path = root / f"{name}_raw.fif"
        path.parent.mkdir(parents=True, exist_ok=True)
        naming.raw(make_raw(seed=i, seconds=10)).save(path, verbose="error")
    (root / "sub-03" / "broken.edf").write_text("nothing")
    (root / "derivatives").mkdir()
    shutil.copy(root / "sub-02" / "run1_raw.fif", root / "derivatives" / "copy_raw.fif")
    return root


def test_recordings_are_found_with_their_subjects(plain_dataset: Path) -> None:
    dataset = plain_dataset
    found = recordings(dataset)
    assert {(i.name, i.subject) for i in found} == {
        ("sub-01_run1_raw", "01"), ("run2_raw", "01"), ("sub-02_run1_raw", "02"), ("sub-03_run1_raw", "03"),
        ("broken", "03"),
    }  # fmt: skip
    assert [i.name for i in recordings(dataset, "run2")] == ["run2_raw"]
    with pytest.raises(InputError, match="none of 5 recordings has task-x"):
        recordings(dataset, "task-x")
    with pytest.raises(InputError, match="no recording in it"):
        recordings(_empty(dataset))


def _empty(dataset: Path) -> Path:
    path = dataset / "empty"
    path.mkdir()
    return path


def _run(model: Path, dataset: Path, store: Path, scheduler: str, **options: Any) -> Cohort:
    return explain_cohort(model, recordings(dataset), store, options=options, scheduler=scheduler)


def test_a_cohort_is_explained_once(
    plain_dataset: Path, make_contract: Make, make_model: Make, tmp_path: Path, scheduler: str
) -> None:
    dataset, model, store = plain_dataset, make_model(make_contract()), tmp_path / "store.zarr"
    found = _run(model, dataset, store, scheduler)
    assert is_store(store)
    assert found.kept == 0
    assert len(found.good) == 4
    refused = [r for r in found.rows if r.said]
    assert [r.name for r in refused] == ["broken"]
    assert "not an EDF file" in refused[0].said
    summary = json.loads((store / "onnxplain.json").read_text(encoding="utf-8"))
    assert summary["subjects"] == 3
    assert summary["refused"] == 1
    assert -1 <= summary["consistency"]["value"] <= 1
    # What the store holds is what the recording gives alone, and every subject is in it.
    alone = explain_recording(model, dataset / "sub-02" / "run1_raw.fif")
    subjects = subjects_of(store)
    assert set(subjects) == {"01", "02", "03"}
    np.testing.assert_array_equal(subjects["02"]["relevance"].values, alone.relevance)
    assert subjects["02"]["label"].dtype.kind in "UOT"
    assert subjects["01"].sizes["epoch"] == 2 * subjects["02"].sizes["epoch"]

    # Again: nothing is computed.
    assert list(store.glob("*/relevance/0*"))
    times = {p: p.stat().st_mtime_ns for p in store.glob("*/relevance/*") if p.is_file()}
    again = _run(model, dataset, store, scheduler)
    assert again.kept == 4
    assert again.rows == found.rows
    assert times == {p: p.stat().st_mtime_ns for p in store.glob("*/relevance/*") if p.is_file()}

    # A run that was ended left a part, and a recording has changed: only that one is made again.
    (store / ".run2_raw.partial").mkdir()
    changed = dataset / "sub-03" / "run1_raw.fif"
    shutil.copy(dataset / "sub-02" / "run1_raw.fif", changed)
    third = _run(model, dataset, store, scheduler)
    assert third.kept == 3
    assert not list(store.glob(".*.partial"))
    np.testing.assert_array_equal(subjects_of(store)["03"]["relevance"].values, alone.relevance)

    with pytest.raises(InputError, match="another model, version or options"):
        _run(model, dataset, store, scheduler, target=0)


def test_a_store_is_read_lazily_and_reported(
    plain_dataset: Path, make_contract: Make, make_model: Make, tmp_path: Path, scheduler: str
) -> None:
    model, store = make_model(make_contract()), tmp_path / "all.zarr"
    found = _run(model, plain_dataset, store, scheduler)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        tree = load_cohort(store)
        assert set(tree.children) == {r.name for r in found.good}
        assert tree.attrs["subjects"]["run2_raw"] == "01"
        relevance = tree["run2_raw"]["relevance"]
        assert not relevance.variable._in_memory
        n = relevance.sizes["epoch"]
        assert n > 0
        np.testing.assert_array_equal(
            relevance.values, explain_recording(model, plain_dataset / "sub-01" / "run2_raw.fif").relevance
        )
        assert load_cohort(store, chunks={})["run2_raw"]["relevance"].chunks is not None
    with pytest.raises(InputError, match="is no store"):
        load_cohort(tmp_path)

    out = tmp_path / "page"
    out.mkdir()
    files = {f.name for f in cohort_page.write(found, store, out)}
    assert files >= {"report.html", "subjects.csv", "head_maps.png", "time_course.svg", "clusters.png"}
    page = (out / "report.html").read_text(encoding="utf-8")
    assert "not an EDF file" in page  # who was refused
    assert "3 subjects can be flipped in 4 ways" in page
    assert "no p below 0.25 can come out" in page
    with (out / "subjects.csv").open(encoding="utf-8") as file:
        rows = {r["subject"]: r for r in csv.DictReader(file)}
    maps = found.maps()
    others = np.mean([m for s, m in maps.items() if s != "01"], axis=0)
    assert float(rows["01"]["correlation"]) == pytest.approx(np.corrcoef(maps["01"], others)[0, 1])
    assert rows["01"]["recordings"] == "2"

    # The same recordings, of other people: nothing is computed again, and the store follows.
    (plain_dataset / "sub-03" / "broken.edf").unlink()
    items = recordings(plain_dataset, subject="*/{subject}_raw.fif")
    again = explain_cohort(model, items, store, options={}, scheduler=scheduler)
    assert again.kept == 4
    assert again.whose == "2 subjects of 4 recordings by --subject."
    assert {r.name: r.subject for r in again.rows}["run2_raw"] == "run2"
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert set(load_cohort(store).attrs["subjects"].values()) == {"run1", "run2"}
    assert set(subjects_of(store)) == {"run1", "run2"}


def test_a_group_agrees_where_its_sign_does(tmp_path: Path) -> None:
    """Seven subjects with relevance at C3 in the second half of the window; the cluster is there."""
    names, rng = ("Fp1", "Fp2", "C3", "Cz", "C4", "O1", "O2", "T7"), np.random.default_rng(0)
    store, rows = tmp_path / "s.zarr", []
    for i in range(7):
        relevance = rng.normal(0, 1.0, (20, len(names), 40))
        relevance[:, 2, 20:] += 2
        times = np.arange(40) / 40
        data = xr.Dataset(
            {"relevance": (("epoch", "channel", "time"), relevance)},
            {"channel": list(names), "time": times, "from_event": ("time", times - 0.5)},
            {"subject": f"s{i}"},
        )
        data.to_zarr(store / f"r{i}", mode="w", consolidated=True, zarr_format=2)
        (store / f"r{i}" / "onnxplain.json").write_text("{}")
        share = tuple(map(float, shares.by_electrode(relevance)))
        rows.append(CohortRow(f"r{i}", f"s{i}", "", 20, names, share))
    found = Cohort(tuple(rows), 0)
    group = group_of(found, store)
    assert group is not None
    assert group.from_event
    np.testing.assert_allclose(group.course.sum(1), 1.0)
    assert group.test is not None
    best = max(group.test.clusters, key=lambda c: c.mass)
    assert "C3" in best.electrodes
    assert best.p == pytest.approx(1 / 64)
    assert abs(best.start) < 0.1
    assert "7 subjects can be flipped in 64 ways" in group.said
    assert "on central electrodes" in found.answer()[0]
    few = group_of(Cohort(tuple(rows[:4]), 0), store)
    assert few is not None
    assert few.said.startswith("No cluster test. The signs of 4 subjects can be flipped in 8 ways")


def test_stores_are_compared_by_subject(
    dataset: Path, make_contract: Make, make_model: Make, tmp_path: Path, scheduler: str, naming: Any
) -> None:
    """And a cohort knows its electrodes, whatever they are called."""
    stores = []
    contract = naming.contract(make_contract())
    for seed in range(2):
        model, store = make_model(contract, f"m{seed}.onnx", seed=seed), tmp_path / f"net{seed}.zarr"
        made = _run(model, dataset, store, scheduler)
        assert [(s["name"], s["of_electrodes"]) for s in made.summary()["sets"]] == [
            ("frontal-ocular", 4 / 12), ("sensorimotor", 3 / 12), ("muscle-prone", 4 / 12)
        ]  # fmt: skip
        stores.append(read_side(store))
    # What the store has is read back with its places: nothing is computed again, and sets are the same.
    assert _run(model, dataset, store, scheduler).summary()["sets"] == made.summary()["sets"]
    # One subject's runs are one after the other, with the places of both.
    assert views.electrodes(stores[0].subjects["01"]).nowhere == ()
    assert [s.label for s in stores] == ["net0", "net1"]
    found = compare(stores)
    assert found.subjects == (3, 3)
    # Runs of one subject have the same onsets, and are not taken for each other.
    windows = [d.sizes["epoch"] for d in stores[0].subjects.values()]
    assert found.agreements[0].windows == sum(windows)
    whole = stores[0].subjects["01"]
    half, rest = (
        replace(stores[0], subjects={"01": whole.isel(epoch=part)})
        for part in (slice(windows[0] // 2), slice(windows[0] // 2, None))
    )
    assert compare([half, rest]).agreements[0].windows == 0
    assert all(r.effect is None for r in found.rows)  # three subjects a side are too few
    assert "p = " not in (found.test or "")


@pytest.mark.row("E17")
def test_one_subject_gives_no_consistency(
    plain_dataset: Path, make_contract: Make, make_model: Make, tmp_path: Path, scheduler: str
) -> None:
    found = explain_cohort(
        make_model(make_contract()), recordings(plain_dataset, "sub-02"), tmp_path / "one.zarr", options={},
        scheduler=scheduler,
    )  # fmt: skip
    summary = found.summary()
    assert summary["subjects"] == 1
    assert summary["consistency"] is None
    assert summary["sets"][0]["spread"] is None
    assert ("consistency", "not told for fewer than three subjects") in found.lines()


def test_a_scheduler_that_is_not_there(
    plain_dataset: Path,
    make_contract: Make,
    make_model: Make,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    import distributed

    def refuse(*_: Any, **__: Any) -> Any:
        raise OSError("timed out")

    monkeypatch.setattr(distributed, "Client", refuse)
    with pytest.raises(OnnxplainError, match=r"scheduler tcp://127\.0\.0\.1:9: cannot be reached"):
        _run(make_model(make_contract()), plain_dataset, tmp_path / "x.zarr", "tcp://127.0.0.1:9")


@pytest.fixture
def bids_dataset(make_raw: Make, tmp_path: Path) -> Path:
    """Two subjects in BIDS, as mne-bids writes it: events in events.tsv, a bad channel in channels.tsv."""
    import mne_bids

    root = tmp_path / "bids"
    for i, subject in enumerate(("01", "02")):
        raw = make_raw(seed=i, marks=[(1.0, 0.5, "left"), (6.0, 0.5, "right"), (12.0, 0.5, "left")])
        raw.info["line_freq"], raw.info["bads"] = 50, ["Cz"]
        where = mne_bids.BIDSPath(subject=subject, task="hands", datatype="eeg", root=root)
        mne_bids.write_raw_bids(raw, where, format="EDF", allow_preload=True, verbose="error")
    return root


def test_bids_tables_are_read(bids_dataset: Path, make_contract: Make, make_model: Make) -> None:
    items = recordings(bids_dataset)
    assert [(i.name, i.subject) for i in items] == [
        ("sub-01_task-hands_eeg", "01"),
        ("sub-02_task-hands_eeg", "02"),
    ]
    for item in items:
        assert bids.root_of(item.path) == bids_dataset.resolve()
        recording = read(item.path)
        assert [m.description for m in recording.marks] == ["left", "right", "left"]
        assert recording.data.info["bads"] == ["Cz"]
        assert any("Read as BIDS" in n for n in recording.notes)
    found = explain_recording(make_model(make_contract()), items[0].path, events="annotations")
    assert found.windows.labels == ("left", "right", "left")
    assert any("Marked bad" in d and "Cz" in d for d in found.windows.decisions)
    assert any("Read as BIDS" in d for d in found.windows.decisions)


def test_a_broken_bids_table_is_one_line(bids_dataset: Path) -> None:
    item = recordings(bids_dataset)[0]
    table = item.path.with_name("sub-01_task-hands_channels.tsv")
    text = table.read_text(encoding="utf-8-sig").replace("Cz\t", "XX\t")
    table.write_text(text, encoding="utf-8")
    with pytest.raises(InputError) as caught:
        read(item.path)
    assert "\n" not in str(caught.value)
    assert item.path.name in str(caught.value)
