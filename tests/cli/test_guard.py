"""The guard: limits, crashes, signals, and what must be left behind: nothing."""

from __future__ import annotations

import contextlib
import os
import pty
import re
import signal
import subprocess
import sys
import textwrap
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from onnxplain.cli import guard, processes

if sys.platform == "win32":
    pytest.skip("needs POSIX processes", allow_module_level=True)

PROLOGUE = """
import ctypes, os, signal, sys, time
from pathlib import Path
from onnxplain.cli import console, guard, output, worker
from onnxplain.engine.errors import InputError
from onnxplain.engine.steps import step
"""

Script = Callable[..., list[str]]

# Seconds to wait for what comes at once on an idle machine. Nothing is measured by it.
PATIENCE = 120


@pytest.fixture
def script(tmp_path: Path) -> Script:
    """The command that runs a job under the guard; the job's source is the body of a function."""

    def script(job: str, limits: str = "time_limit=60") -> list[str]:
        path = tmp_path / "job.py"
        path.write_text(
            f"{PROLOGUE}\ndef job():\n{textwrap.indent(textwrap.dedent(job), '    ')}\n"
            f"sys.exit(guard.run(job, {limits}))\n"
        )
        return [sys.executable, str(path)]

    return script


def finish(command: list[str], **more: object) -> subprocess.CompletedProcess[str]:
    return subprocess.run(command, capture_output=True, text=True, timeout=PATIENCE, **more)


def until(condition: Callable[[], object]) -> None:
    end = time.monotonic() + PATIENCE
    while not condition():
        assert time.monotonic() < end, "it did not happen in time"
        time.sleep(0.02)


def alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
        return "Z" not in Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
    except (ProcessLookupError, FileNotFoundError):
        return False


@pytest.fixture
def started(script: Script) -> Iterator[Callable[..., subprocess.Popen[str]]]:
    processes_: list[subprocess.Popen[str]] = []

    def start(job: str, **more: object) -> subprocess.Popen[str]:
        process = subprocess.Popen(
            script(job), stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, **more
        )
        processes_.append(process)
        return process

    yield start
    for process in processes_:
        with contextlib.suppress(ProcessLookupError):
            process.kill()
        process.communicate()


@pytest.mark.parametrize("code", [0, 1, 2, 7])
def test_hands_on_the_exit_code(script: Script, code: int) -> None:
    done = finish(script(f"console.say('done'); return {code}"))
    assert (done.returncode, done.stdout, done.stderr) == (code, "done\n", "")


@pytest.mark.row("M14")
def test_stops_a_step_without_progress(script: Script, line: Callable[[str], str]) -> None:
    done = finish(
        script("step('running the model')\nwhile True: time.sleep(0.01)", "time_limit=1.5"),
    )
    assert done.returncode == 3
    assert "1.5 s" in line(done.stderr)
    assert "while running the model" in line(done.stderr)


@pytest.mark.row("M14")
def test_stops_what_does_not_listen(script: Script, line: Callable[[str], str]) -> None:
    """A library that never returns to Python does not see SIGTERM either."""
    job = "step('hanging')\nsignal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGTERM})\ntime.sleep(60)"
    done = finish(script(job, "time_limit=1.5"))
    assert done.returncode == 3
    assert "while hanging" in line(done.stderr)


def test_progress_is_no_standstill(script: Script) -> None:
    done = finish(
        script("for i in range(16): step('explaining', i / 16); time.sleep(0.2)", "time_limit=2.5"),
    )
    assert (done.returncode, done.stderr) == (0, "")


def test_repeating_oneself_is_no_progress(script: Script) -> None:
    done = finish(script("while True: step('explaining', 0.5); time.sleep(0.05)", "time_limit=0.5"))
    assert done.returncode == 3


@pytest.mark.row("M16")
def test_stops_at_the_memory_limit(script: Script, line: Callable[[str], str]) -> None:
    done = finish(
        script(
            "step('expanding')\nkept = []\nwhile True: kept.append(b'x' * 2**20); time.sleep(0.001)",
            "time_limit=60, memory_limit=150 * 2**20",
        )
    )
    assert done.returncode == 3
    assert "150 MiB" in line(done.stderr)
    assert "while expanding" in line(done.stderr)


@pytest.mark.row("M16")
def test_a_fast_bomb_does_not_get_far_beyond_the_limit(script: Script, line: Callable[[str], str]) -> None:
    """It is looked at the more often the nearer it comes."""
    job = "kept = []\nwhile True: kept.append(b'x' * 2**23)"
    done = finish(script(job, "time_limit=60, memory_limit=600 * 2**20"))
    assert done.returncode == 3
    stopped = re.search(r"stopped at ([\d.]+) (MiB|GiB)", line(done.stderr))
    assert stopped is not None
    assert float(stopped[1]) * {"MiB": 1, "GiB": 1024}[stopped[2]] < 800


def test_the_limit_leaves_the_machine_what_it_needs(monkeypatch: pytest.MonkeyPatch) -> None:
    giga = 2**30
    monkeypatch.setattr(processes, "machine_memory", lambda: 100 * giga)
    monkeypatch.setattr(processes, "free_memory", lambda: 90 * giga)
    assert guard.default_limit() == 75 * giga
    assert guard.default_limit(0.25) == 25 * giga
    monkeypatch.setattr(processes, "free_memory", lambda: 20 * giga)
    assert guard.default_limit() == 15 * giga
    monkeypatch.setattr(processes, "free_memory", lambda: giga)
    assert guard.default_limit() == guard.LEAST


def test_what_the_kernel_ends_near_the_limit_has_reached_one(
    script: Script, line: Callable[[str], str]
) -> None:
    job = "kept = b'x' * 400 * 2**20\ntime.sleep(1)\nos.kill(os.getpid(), signal.SIGKILL)"
    done = finish(script(job, "time_limit=60, memory_limit=600 * 2**20"))
    assert done.returncode == 3
    assert "ended by the system" in line(done.stderr)


@pytest.mark.row("M16")
def test_counts_the_memory_of_grandchildren(script: Script) -> None:
    job = """
    import subprocess
    subprocess.run([sys.executable, "-c", "x = bytearray(b'x' * 2**28); import time; time.sleep(60)"])
    """
    done = finish(script(job, "time_limit=60, memory_limit=150 * 2**20"))
    assert done.returncode == 3


@pytest.mark.row("E15")
def test_says_which_step_crashed(script: Script, line: Callable[[str], str]) -> None:
    done = finish(
        script("step('reading')\nprint('noise', file=sys.stderr)\nos.kill(os.getpid(), signal.SIGSEGV)")
    )
    assert done.returncode == 2
    assert "SIGSEGV" in line(done.stderr)
    assert "while reading" in line(done.stderr)


def test_a_crash_on_the_way_out_changes_nothing(script: Script) -> None:
    job = "import atexit; atexit.register(os.kill, os.getpid(), signal.SIGSEGV); console.say('result')"
    done = finish(script(job))
    assert (done.returncode, done.stdout, done.stderr) == (0, "result\n", "")


@pytest.mark.parametrize(
    ("job", "code", "text"),
    [
        ("raise InputError('x.npy: holds NaN')", 2, "onnxplain: x.npy: holds NaN"),
        ("raise InputError('a\\nb\\x1b[31m\\u202e')", 2, r"onnxplain: a\nb\x1b[31m\u202e"),
        (
            "raise ValueError('two\\nlines')",
            2,
            "onnxplain: unexpected ValueError: two lines (ONNXPLAIN_DEBUG=1 ",
        ),
        ("raise MemoryError", 3, "memory"),
    ],
)
def test_an_error_is_one_line(
    script: Script, line: Callable[[str], str], job: str, code: int, text: str
) -> None:
    done = finish(script(job))
    assert done.returncode == code
    assert text in line(done.stderr)


def test_debug_shows_the_traceback(script: Script) -> None:
    done = finish(script("raise ValueError('x')"), env={**os.environ, "ONNXPLAIN_DEBUG": "1"})
    assert done.returncode == 2
    assert "Traceback" in done.stderr


def test_libraries_do_not_reach_the_terminal(script: Script) -> None:
    job = """
    print("python")
    os.write(1, b"C"); os.write(2, b"C")
    import warnings, logging
    warnings.warn("warning"); logging.warning("log")
    os.system("echo child; echo child >&2")
    console.say_json({"x": float("nan")})
    """
    done = finish(script(job))
    assert (done.returncode, done.stdout.split(), done.stderr) == (0, ["{", '"x":', "null", "}"], "")


@pytest.mark.row("O5")
@pytest.mark.parametrize(
    ("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143), (signal.SIGHUP, 129)]
)
@pytest.mark.parametrize("deaf", [False, True])
def test_a_signal_reaches_the_child(
    started: Callable[..., subprocess.Popen[str]],
    line: Callable[[str], str],
    tmp_path: Path,
    number: int,
    code: int,
    deaf: bool,
) -> None:
    block = "signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT, signal.SIGTERM})" if deaf else "pass"
    process = started(
        f"""
        {block}
        step('waiting')
        with output.folder(Path({str(tmp_path / "out")!r})) as out:
            (out / "half").write_text("half")
            Path({str(tmp_path / "pid")!r}).write_text(str(os.getpid()))
            time.sleep(60)
        """
    )
    until((tmp_path / "pid").exists)
    until((tmp_path / "pid").read_text)
    child = int((tmp_path / "pid").read_text())
    assert [p.name for p in tmp_path.glob(".out.*.partial")]
    process.send_signal(number)
    _, stderr = process.communicate(timeout=PATIENCE)
    assert process.returncode == code
    assert "while waiting" in line(stderr)
    assert not alive(child)
    assert sorted(p.name for p in tmp_path.iterdir()) == ["job.py", "pid"]


def test_what_nohup_ignores_stays_ignored(
    started: Callable[..., subprocess.Popen[str]], tmp_path: Path
) -> None:
    """By the guard, and by the child: the work goes on when the terminal is gone."""
    there, go = tmp_path / "there", tmp_path / "go"
    process = started(
        f"""
        Path({str(there)!r}).touch()
        os.kill(os.getpid(), signal.SIGHUP)
        while not Path({str(go)!r}).exists(): time.sleep(0.01)
        console.say("done")
        """,
        preexec_fn=lambda: signal.signal(signal.SIGHUP, signal.SIG_IGN),
    )
    until(there.exists)
    process.send_signal(signal.SIGHUP)
    go.touch()
    stdout, stderr = process.communicate(timeout=PATIENCE)
    assert (process.returncode, stdout, stderr) == (0, "done\n", "")


@pytest.mark.row("O5")
def test_no_unfinished_output_after_a_kill(script: Script, tmp_path: Path) -> None:
    job = f"""
    with output.file(Path({str(tmp_path / "model.onnx")!r})) as out:
        out.write_text("half")
        os.kill(os.getpid(), signal.SIGKILL)
    """
    done = finish(script(job))
    assert done.returncode == 2
    assert [p.name for p in tmp_path.iterdir()] == ["job.py"]


@pytest.mark.row("O5")
def test_the_child_does_not_outlive_the_guard(
    started: Callable[..., subprocess.Popen[str]], tmp_path: Path
) -> None:
    pid = tmp_path / "pid"
    process = started(f"Path({str(pid)!r}).write_text(str(os.getpid())); time.sleep(60)")
    until(lambda: pid.exists() and pid.read_text())
    process.kill()
    process.wait()
    until(lambda: not alive(int(pid.read_text())))


def test_a_closed_reader_is_no_error(script: Script) -> None:
    command = script("for _ in range(100000): console.say('x' * 100)")
    shell = f"{command[0]} {command[1]} | head -1; exit ${{PIPESTATUS[0]}}"
    done = finish(["bash", "-c", shell])
    assert done.stderr == ""
    assert done.returncode == 141


@pytest.mark.parametrize("closed", [">&-", "2>&-", "<&- >&- 2>&-"])
def test_closed_streams(script: Script, closed: str) -> None:
    command = script("console.say('x')")
    done = finish(["bash", "-c", f"{command[0]} {command[1]} {closed}"])
    assert (done.returncode, done.stderr) == (0, "")


def test_on_a_terminal(script: Script) -> None:
    """Progress is drawn and taken off again; Ctrl-C works although the child has its own group."""
    shown = terminal(script("step('thinking', 0.5); time.sleep(0.2); console.say('result')"), None)
    assert "\rthinking  50 %" in shown.replace("\x1b[K", "")
    assert shown.endswith("\r\x1b[Kresult\r\n[0]")
    shown = terminal(script("step('thinking'); time.sleep(60)"), "thinking")
    assert shown.endswith("\r\x1b[Konnxplain: interrupted while thinking\r\n[130]")


def test_in_a_log(script: Script) -> None:
    """Progress is plain lines there, seldom; a short job has none."""
    job = """
    console.SELDOM = 0.3
    for i in range(20):
        step('thinking', i / 20)
        time.sleep(0.05)
    """
    done = finish(script(job))
    lines = done.stderr.splitlines()
    assert 1 <= len(lines) <= 4
    assert all(re.fullmatch(r"\d\d:\d\d:\d\d thinking +\d+ %", line) for line in lines)
    for said in ("quiet", "no_log"):
        quiet = finish(script(f"console.{said}(); console.SELDOM = 0; step('x'); step('y')"))
        assert (quiet.returncode, quiet.stderr) == (0, "")
    assert finish(script("step('thinking')")).stderr == ""


def terminal(command: list[str], interrupt_at: str | None) -> str:
    """What a terminal shows; Ctrl-C is typed when `interrupt_at` appears. Ends with [exit code]."""
    pid, terminal_ = pty.fork()
    if pid == 0:
        os.execv(command[0], command)
    shown = b""
    while True:
        try:
            new = os.read(terminal_, 1000)
        except OSError:  # Linux says end of file of a terminal like this
            break
        if not new:
            break
        shown += new
        if interrupt_at is not None and interrupt_at.encode() in shown:
            os.write(terminal_, b"\x03")
            interrupt_at = None
    os.close(terminal_)
    _, status = os.waitpid(pid, 0)
    return shown.replace(b"^C", b"").decode() + f"[{os.waitstatus_to_exitcode(status)}]"


def test_works_where_nothing_can_be_forked(tmp_path: Path) -> None:
    """The way of Windows, in a process that may not fork: the command line is started anew."""
    start = "import sys; from onnxplain.cli import guard, main; guard.FORK = False; main.main()"
    done = finish([sys.executable, "-c", start, "models", "labram"], cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    assert "LaBraM" in done.stdout
    done = finish([sys.executable, "-c", start, "models", "nobody"], cwd=tmp_path)
    assert done.returncode == 2
    assert done.stderr.count("\n") == 1


def test_both_ways_of_counting_memory_agree() -> None:
    keep = bytearray(b"x" * 2**27)
    ps, proc = processes.ps_tree_memory(os.getpid()), processes.proc_tree_memory(os.getpid())
    assert len(keep) < ps
    assert abs(ps - proc) < 0.2 * proc
    assert processes.machine_memory() > proc


def test_nothing_heavy_in_the_guard() -> None:
    """What the small process has imported by the time it watches."""
    program = """
import sys
from onnxplain.cli import guard, main
guard.run = lambda job, **limits: print(*sorted(m for m in sys.modules if "." not in m)) or 0
sys.argv = ["onnxplain", "models"]
main.main()
"""
    done = finish([sys.executable, "-c", program])
    heavy = {
        "numpy",
        "onnx",
        "onnxruntime",
        "mne",
        "pydantic",
        "scipy",
        "sklearn",
        "matplotlib",
        "xarray",
        "yaml",
        "torch",
    }
    assert "click" in done.stdout.split()
    assert heavy.isdisjoint(done.stdout.split())
