"""The cohort command: killed in the middle and gone on with, and its mistakes."""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import psutil
import pytest
import xarray as xr

from onnxplain.models import demo_file

Run = Callable[..., "subprocess.CompletedProcess[str]"]
RECORDINGS = 8


@pytest.fixture(scope="module")
def dataset(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("dataset")
    for i in range(RECORDINGS):
        folder = root / f"sub-{i:02d}"
        folder.mkdir()
        shutil.copy(demo_file("recording.edf"), folder / f"rec{i}.edf")
    return root


def _in_session(leader: int) -> list[int]:
    """What is left of a session."""
    found = []
    for process in psutil.process_iter():
        with contextlib.suppress(psutil.Error, ProcessLookupError):
            if os.getsid(process.pid) == leader and process.status() != psutil.STATUS_ZOMBIE:
                found.append(process.pid)
    return found


def _groups(store: Path) -> set[str]:
    return {p.parent.name for p in store.glob("rec*/onnxplain.json")}


@pytest.mark.row("O5")
@pytest.mark.skipif(not hasattr(os, "killpg"), reason="process groups are POSIX")
def test_a_killed_run_is_gone_on_with(dataset: Path, tmp_path: Path, run: Run) -> None:
    store = tmp_path / "store.zarr"
    command = [
        "cohort",
        demo_file("honest.onnx"),
        dataset,
        "--out",
        store,
        "--events",
        "left,right",
        "--workers",
        1,
    ]
    process = subprocess.Popen(
        [sys.executable, "-m", "onnxplain", *map(str, command), "--quiet"],
        cwd=tmp_path,
        start_new_session=True,
    )
    try:
        deadline = time.monotonic() + 600
        while not _groups(store) and process.poll() is None and time.monotonic() < deadline:
            time.sleep(0.02)
        before = _groups(store)
        assert before
        assert process.poll() is None, "it was done before it could be killed: take more recordings"
    finally:
        process.send_signal(signal.SIGKILL)
        process.wait()
    while _in_session(process.pid):  # the workers see that the guard is gone
        assert time.monotonic() < deadline, "it outlives its guard"
        time.sleep(0.1)
    before = _groups(store)
    assert len(before) < RECORDINGS
    times = {g: (store / g / "onnxplain.json").stat().st_mtime_ns for g in before}
    done = run(*command, "--json", "--csv", "all.csv")
    assert done.returncode == 0, done.stderr
    head, *rows = (tmp_path / "all.csv").read_text(encoding="utf-8").splitlines()
    assert head.startswith("subject,recording,window,")
    assert len({row.split(",")[1] for row in rows}) == RECORDINGS
    summary = json.loads(done.stdout)
    assert summary["recordings"] == RECORDINGS
    assert summary["kept"] == len(before)
    assert times == {g: (store / g / "onnxplain.json").stat().st_mtime_ns for g in before}
    assert not [p.name for p in store.iterdir() if p.name.endswith(".partial")]
    side = run("compare", store, store, "--out", "both", "--json")
    assert side.returncode == 0, side.stderr
    assert json.loads(side.stdout)["subjects"] == [RECORDINGS, RECORDINGS]


def test_a_flat_folder(tmp_path: Path, run: Run, line: Callable[[str], str]) -> None:
    """Runs are not counted as subjects in silence; the report lies beside the store, and is made anew."""
    flat = tmp_path / "flat"
    flat.mkdir()
    for name in ("anna_run1.edf", "anna_run2.edf"):
        shutil.copy(demo_file("recording.edf"), flat / name)
    command = ("cohort", demo_file("honest.onnx"), flat, "--out", "s.zarr", "--events", "left,right",
               "--locked", "left", "--lags", "0,0.5", "--at", "C3")  # fmt: skip
    page = tmp_path / "s-report"
    page.mkdir()
    (page / "mine.txt").write_text("mine")
    refused = run(*command)
    assert refused.returncode == 2
    assert "s-report: exists" in line(refused.stderr)
    assert not (tmp_path / "s.zarr").exists()
    shutil.rmtree(page)

    alone = run(*command, "--workers", 2, "--no-report")
    assert alone.returncode == 0, alone.stderr
    assert "2 recordings count as subjects by the file's name" in " ".join(alone.stdout.split())
    assert not page.exists()
    with xr.open_zarr(tmp_path / "s.zarr" / "anna_run1") as kept:
        assert (kept["lag"].values[0], kept["lag"].values[-1]) == pytest.approx((0, 0.5), abs=0.01)

    named = run(*command, "--subject", "{subject}_run*.edf")
    assert named.returncode == 0, named.stderr
    assert "1 subject of 2 recordings by --subject." in named.stdout
    assert "2 recordings of 1 subject (2 of them from before)" in named.stdout
    text = (page / "report.html").read_text(encoding="utf-8")
    assert "by --subject" in text
    assert "one subject says nothing about others" in text
    assert {p.name for p in page.iterdir()} >= {"subjects.csv", "head_maps.png", "clusters.svg"}
    again = run(*command, "--subject", "{subject}_run*.edf", "--json")  # ours is written anew
    assert again.returncode == 0, again.stderr
    summary = json.loads(again.stdout)
    assert [s["name"] for s in summary["by_subject"]] == ["anna"]
    assert summary["subjects_from"].endswith("by --subject.")
    lost = run(*command, "--subject", "x{subject}.edf")
    assert lost.returncode == 2
    assert "does not fit 2 recordings of 2" in line(lost.stderr)


@pytest.mark.parametrize(
    ("make", "said"),
    [
        (lambda d, t: [demo_file("recording.edf"), "--out", "s.zarr"], "is no folder"),
        (lambda d, t: [t, "--out", "s.zarr"], "no recording in it"),
        (lambda d, t: [d, "--out", "s.zarr", "--pattern", "nope"], "none of 8 recordings has nope"),
        (lambda d, t: [d, "--out", "no/s.zarr"], "there is no folder no"),
        (lambda d, t: [d, "--out", d], "no store that onnxplain cohort wrote"),
        (
            lambda d, t: [d, "--out", "s.zarr", "--events", "P300"],
            "no recording could be explained; the first",
        ),
    ],
)
def test_mistakes(
    dataset: Path, tmp_path: Path, run: Run, line: Callable[[str], str], make, said: str
) -> None:  # type: ignore[no-untyped-def]
    (tmp_path / "empty").mkdir()
    done = run("cohort", demo_file("honest.onnx"), *make(dataset, tmp_path / "empty"), "--quiet")
    assert done.returncode == 2
    assert said in line(done.stderr)
    assert sorted(p.name for p in dataset.iterdir()) == [f"sub-{i:02d}" for i in range(RECORDINGS)]
