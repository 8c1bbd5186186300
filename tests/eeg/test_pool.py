"""Tasks in processes of their own: as they are done, tried again where a process is killed, and no port."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from functools import partial
from pathlib import Path

import psutil
import pytest

from onnxplain.eeg.studies import pool
from onnxplain.eeg.studies.pool import Failed, each
from onnxplain.engine.errors import OnnxplainError


def square(x: int) -> int:
    if x == 3:
        raise ValueError("of a patient's name no word goes on")
    return x * x


def fragile(folder: str, x: int) -> tuple[int, int]:
    """Ends its process without a word: item 1 once, item 2 every time."""
    with (Path(folder) / f"{x}").open("a") as file:
        file.write(".")
        tried = file.tell()
    if x == 2 or (x == 1 and tried == 1):
        os.kill(os.getpid(), signal.SIGKILL)
    return os.getpid(), tried


def environment(name: str) -> str | None:
    return os.environ.get(name)


def waits(seconds: float) -> float:
    time.sleep(seconds)
    return seconds


def test_every_item_is_done_once_and_what_is_raised_is_told() -> None:
    found = dict(each(square, range(6), 2))
    assert found.pop(3) == Failed("the worker failed (ValueError)")
    assert found == {0: 0, 1: 1, 2: 4, 4: 16, 5: 25}


def test_a_killed_process_is_started_anew_and_its_task_tried_again(tmp_path: Path) -> None:
    found = dict(each(partial(fragile, str(tmp_path)), range(4), 2))
    assert found[2] == Failed(f"the worker failed (SIGKILL, {pool.TRIES} times)")
    assert found[1][1] == 2
    assert found[0][1] == found[3][1] == 1
    assert os.getpid() not in {found[i][0] for i in (0, 1, 3)}


def test_processes_have_one_thread_each_unless_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("OMP_NUM_THREADS", raising=False)
    monkeypatch.setenv("MKL_NUM_THREADS", "3")
    found = dict(each(environment, ["OMP_NUM_THREADS", "MKL_NUM_THREADS"], 1))
    assert found == {"OMP_NUM_THREADS": "1", "MKL_NUM_THREADS": "3"}
    assert "OMP_NUM_THREADS" not in os.environ


def test_what_cannot_be_sent_is_one_line() -> None:
    with pytest.raises(OnnxplainError, match="cannot be sent to its processes") as caught:
        list(each(lambda x: x, [1], 1))
    assert "\n" not in str(caught.value)


def test_processes_that_do_not_start_are_one_line(tmp_path: Path) -> None:
    """As in a script without the lines that keep it from being run again by each process."""
    script = tmp_path / "script.py"
    script.write_text(
        "from onnxplain.eeg.studies.pool import each\n"
        "from onnxplain.engine.errors import OnnxplainError\n"
        "try:\n"
        "    print(dict(each(abs, [-1], 1)))\n"
        "except OnnxplainError as e:\n"
        "    print(e)\n"
    )
    done = subprocess.run([sys.executable, script], capture_output=True, text=True, timeout=300, check=True)
    assert done.stdout.splitlines()[-1].startswith("a process for a cohort does not start (exit code 1);")


def _children() -> set[int]:
    return {p.pid for p in psutil.Process().children(recursive=True)}


def test_nothing_is_left_of_a_run_that_is_given_up() -> None:
    before = _children()
    running = each(waits, [0.0, 600.0, 600.0], 2)
    assert next(running) == (0.0, 0.0)
    began = _children() - before
    assert began
    running.close()
    left = [p for p in began if psutil.pid_exists(p) and "resource_tracker" not in _command(p)]
    assert left == []


def _command(pid: int) -> str:
    return " ".join(psutil.Process(pid).cmdline())


@pytest.fixture
def parent(tmp_path: Path) -> Iterator[subprocess.Popen[str]]:
    """A process with two of a pool's that are at work."""
    script = tmp_path / "parent.py"
    script.write_text(
        "import time\n"
        "from onnxplain.eeg.studies.pool import each\n"
        'if __name__ == "__main__":\n'
        "    for item, _ in each(time.sleep, [0, 600, 600], 2):\n"
        "        print(item, flush=True)\n"
    )
    process = subprocess.Popen([sys.executable, script], stdout=subprocess.PIPE, text=True)
    yield process
    process.kill()
    process.wait()


def test_processes_end_with_their_parent(parent: subprocess.Popen[str]) -> None:
    assert parent.stdout is not None
    assert parent.stdout.readline() == "0\n"
    began = psutil.Process(parent.pid).children(recursive=True)
    assert len(began) >= 2
    parent.kill()
    parent.wait()
    _, alive = psutil.wait_procs(began, timeout=60)
    assert not [p for p in alive if p.status() != psutil.STATUS_ZOMBIE]
