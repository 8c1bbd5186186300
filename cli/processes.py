"""What the guard asks the operating system: memory of a process tree, and how to end one.

Standard library only, and nothing of it slow to import: this runs in the process that stays small.
"""

from __future__ import annotations

import contextlib
import os
import signal
import sys
from collections.abc import Iterator
from pathlib import Path

if sys.platform != "win32":
    _PAGE = os.sysconf("SC_PAGE_SIZE")
    # Some kernels are built without the file that lists a process's children; `ps` knows them too.
    _HAS_PROC = Path(f"/proc/self/task/{os.getpid()}/children").exists()


def machine_memory() -> int:
    """Bytes of memory there are: the machine's, or its container's if that is less."""
    if sys.platform == "win32":
        from . import windows

        return windows.machine_memory()[0]
    return min([_PAGE * os.sysconf("SC_PHYS_PAGES"), *(limit for limit, _ in _groups())])


def free_memory() -> int:
    """Bytes of memory that can be had without taking them from another: what is cached counts as free.

    Where the system does not say so, all that there are.
    """
    if sys.platform == "win32":
        from . import windows

        return windows.machine_memory()[1]
    free = _numbers(Path("/proc/meminfo")).get("MemAvailable", machine_memory() // 1024) * 1024
    return min([free, *(max(limit - used, 0) for limit, used in _groups())])


def _groups() -> Iterator[tuple[int, int]]:
    """Limits of the control groups that this process is in, each with what is held within it."""
    for top, limit, used, cache in (
        ("/sys/fs/cgroup", "memory.max", "memory.current", "inactive_file"),
        (
            "/sys/fs/cgroup/memory", "memory.limit_in_bytes", "memory.usage_in_bytes", "total_inactive_file",
        ),
    ):  # fmt: skip
        for folder in (Path(top), *_own_groups(Path(top))):
            with contextlib.suppress(OSError, ValueError):  # no such group, or "max"
                most = int((folder / limit).read_text(encoding="ascii"))
                held = int((folder / used).read_text(encoding="ascii"))
                yield most, held - _numbers(folder / "memory.stat").get(cache, 0)


def _own_groups(top: Path) -> Iterator[Path]:
    """Folders of the groups below the topmost one that this process is in."""
    with contextlib.suppress(OSError):
        for line in Path("/proc/self/cgroup").read_text(encoding="utf-8").splitlines():
            _, kinds, path = line.split(":", 2)
            if kinds in ("", "memory"):
                within = top / path.lstrip("/")
                yield from (f for f in (within, *within.parents) if top in f.parents)


def _numbers(file: Path) -> dict[str, int]:
    """Lines of a name and a number, as /proc and control groups write them."""
    found = {}
    with contextlib.suppress(OSError):
        for line in file.read_text(encoding="ascii").splitlines():
            name, _, number = line.replace(":", " ").partition(" ")
            if number.split():
                found[name] = int(number.split()[0])
    return found


def tree_memory(pid: int) -> int:
    """Resident bytes of a process and all its descendants; 0 when it is gone.

    A page that several of them share counts once for each: good enough for a limit that is meant to
    save the machine, and it errs on the safe side.
    """
    if sys.platform == "win32":
        from . import windows

        return windows.tree_memory(pid)
    if _HAS_PROC:
        return proc_tree_memory(pid)
    return ps_tree_memory(pid)


def poll_seconds() -> float:
    """How often a look at the memory is cheap enough: starting `ps` costs more than reading /proc."""
    return 0.02 if sys.platform == "win32" or _HAS_PROC else 0.5


def first_to_go() -> None:
    """Let the kernel, where it is out of memory, end this process before any other."""
    with contextlib.suppress(OSError):
        Path("/proc/self/oom_score_adj").write_text("1000", encoding="ascii")


def proc_tree_memory(pid: int) -> int:
    """`tree_memory` as Linux tells it."""
    total, stack, seen = 0, [pid], {pid}
    while stack:
        process = stack.pop()
        try:
            with open(f"/proc/{process}/statm", encoding="ascii") as file:
                total += int(file.read().split()[1]) * _PAGE
            for task in os.listdir(f"/proc/{process}/task"):
                with open(f"/proc/{process}/task/{task}/children", encoding="ascii") as file:
                    new = set(map(int, file.read().split())) - seen
                stack += new
                seen |= new
        except (OSError, IndexError):  # ended between two looks
            continue
    return total


def ps_tree_memory(pid: int) -> int:
    """`tree_memory` as POSIX's ps tells it."""
    import subprocess

    table = subprocess.run(["ps", "-A", "-o", "pid=,ppid=,rss="], capture_output=True, text=True, check=False)
    resident: dict[int, int] = {}
    children: dict[int, list[int]] = {}
    for line in table.stdout.splitlines():
        process, parent, kilobytes = map(int, line.split())
        resident[process] = kilobytes * 1024
        children.setdefault(parent, []).append(process)
    total, stack = 0, [pid]
    while stack:
        process = stack.pop()
        total += resident.get(process, 0)
        stack += children.get(process, [])
    return total


def signal_group(pid: int, number: int) -> None:
    """Send a signal to the process group that `pid` leads; nothing happens when it is gone."""
    if sys.platform == "win32":
        from . import windows

        if number != signal.SIGINT:  # the console has already told the child about Ctrl-C
            windows.end_tree(pid)
        return
    # PermissionError is what macOS says where only zombies are left.
    with contextlib.suppress(ProcessLookupError, PermissionError):
        os.killpg(pid, number)


def signal_name(number: int) -> str:
    """SIGSEGV for 11, and so on."""
    try:
        return signal.Signals(number).name
    except ValueError:
        return f"signal {number}"
