"""No process but a cohort's own can have code run in it: there is no port, and what could be tried fails."""

from __future__ import annotations

import contextlib
import os
import shutil
import subprocess
import sys
import time
from pathlib import Path

import psutil
import pytest

from onnxplain.models import demo_file

pytestmark = pytest.mark.skipif(os.name == "nt", reason="sessions are POSIX")

# Another process, without any secret of a cohort's: has a folder made through a port, if the port lets it.
ATTACK = """
import os
import sys
from distributed import Client
with Client(sys.argv[1], timeout=3, set_as_default=False) as client:
    client.submit(os.mkdir, sys.argv[2]).result(timeout=20)
"""


def _attack(port: int, planted: Path) -> bool:
    """Whether another process can have code run through a port."""
    with contextlib.suppress(subprocess.TimeoutExpired):
        subprocess.run(
            [sys.executable, "-c", ATTACK, f"tcp://127.0.0.1:{port}", str(planted)],
            capture_output=True, timeout=60, check=False,
        )  # fmt: skip
    return planted.exists()


def _processes(session: int) -> list[psutil.Process]:
    found = []
    for process in psutil.process_iter():
        with contextlib.suppress(psutil.Error, ProcessLookupError):
            if os.getsid(process.pid) == session:
                found.append(process)
    return found


def _doors(processes: list[psutil.Process]) -> set[object]:
    """Ports that processes listen on, and sockets of theirs that have a name."""
    found: set[object] = set()
    for process in processes:
        with contextlib.suppress(psutil.Error):
            for c in process.net_connections("inet"):
                if c.status == psutil.CONN_LISTEN:
                    found.add(c.laddr.port)
            found |= {c.laddr for c in process.net_connections("unix") if c.laddr}
    return found


def test_nobody_else_can_run_code_in_a_cohort(tmp_path: Path) -> None:
    for i in range(3):
        folder = tmp_path / "data" / f"sub-{i}"
        folder.mkdir(parents=True)
        shutil.copy(demo_file("recording.edf"), folder / f"rec{i}.edf")
    command = [
        "cohort", demo_file("honest.onnx"), tmp_path / "data", "--out", tmp_path / "store.zarr", "--events",
        "left,right", "--workers", 2, "--quiet",
    ]  # fmt: skip
    process = subprocess.Popen(
        [sys.executable, "-m", "onnxplain", *map(str, command)], cwd=tmp_path, start_new_session=True
    )
    doors: set[object] = set()
    most, planted = 0, tmp_path / "planted"
    try:
        deadline = time.monotonic() + 600
        while process.poll() is None and time.monotonic() < deadline:
            there = _processes(process.pid)
            most = max(most, len(there))
            new = _doors(there) - doors
            doors |= new
            assert not any(_attack(port, planted) for port in new if isinstance(port, int))
            time.sleep(0.1)
    finally:
        process.kill()
        process.wait()
    assert process.returncode == 0
    assert most >= 4  # the guard, the one that does the work, and two workers: they were seen
    assert doors == set()
    assert not planted.exists()


def test_the_attack_is_one(tmp_path: Path) -> None:
    """Against a dask scheduler without TLS it succeeds."""
    import distributed

    with distributed.LocalCluster(
        n_workers=1, threads_per_worker=1, processes=False, dashboard_address=None, protocol="tcp"
    ) as cluster:
        port = int(cluster.scheduler_address.rsplit(":", 1)[1])
        assert port in _doors([psutil.Process()])
        assert _attack(port, tmp_path / "planted")
