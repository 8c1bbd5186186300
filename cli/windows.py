"""`processes` on Windows, which has neither /proc nor ps nor process groups that take signals."""

from __future__ import annotations

import sys

assert sys.platform == "win32"  # tells type checkers not to look at this file elsewhere

import ctypes  # noqa: E402
import subprocess  # noqa: E402
from ctypes import wintypes  # noqa: E402

_kernel = ctypes.windll.kernel32
_kernel.OpenProcess.restype = wintypes.HANDLE
_kernel.CreateToolhelp32Snapshot.restype = wintypes.HANDLE


class _MemoryStatus(ctypes.Structure):
    _fields_ = [("length", wintypes.DWORD), ("load", wintypes.DWORD)] + [
        (name, ctypes.c_ulonglong)
        for name in ("total", "free", "file", "file_free", "own", "own_free", "more")
    ]


class _Counters(ctypes.Structure):
    _fields_ = [("size", wintypes.DWORD), ("faults", wintypes.DWORD)] + [
        (name, ctypes.c_size_t)
        for name in ("peak", "resident", "a", "b", "c", "d", "pagefile", "pagefile_peak")
    ]


class _ProcessEntry(ctypes.Structure):
    _fields_ = [
        ("size", wintypes.DWORD),
        ("usage", wintypes.DWORD),
        ("pid", wintypes.DWORD),
        ("heap", ctypes.c_size_t),
        ("module", wintypes.DWORD),
        ("threads", wintypes.DWORD),
        ("parent", wintypes.DWORD),
        ("priority", wintypes.LONG),
        ("flags", wintypes.DWORD),
        ("exe", ctypes.c_char * 260),
    ]


def machine_memory() -> tuple[int, int]:
    """Bytes of physical memory, and those that are free."""
    status = _MemoryStatus()
    status.length = ctypes.sizeof(status)
    _kernel.GlobalMemoryStatusEx(ctypes.byref(status))
    return int(status.total), int(status.free)


def tree_memory(pid: int) -> int:
    """Working set of a process and its descendants: a venv's python.exe only starts the real one."""
    children: dict[int, list[int]] = {}
    entry = _ProcessEntry()
    entry.size = ctypes.sizeof(entry)
    snapshot = wintypes.HANDLE(_kernel.CreateToolhelp32Snapshot(0x2, 0))
    more = _kernel.Process32First(snapshot, ctypes.byref(entry))
    while more:
        children.setdefault(entry.parent, []).append(entry.pid)
        more = _kernel.Process32Next(snapshot, ctypes.byref(entry))
    _kernel.CloseHandle(snapshot)
    total, stack, seen = 0, [pid], {0, pid}
    while stack:
        process = stack.pop()
        total += _working_set(process)
        new = set(children.get(process, [])) - seen
        stack += new
        seen |= new
    return total


def _working_set(pid: int) -> int:
    handle = wintypes.HANDLE(_kernel.OpenProcess(0x1010, False, pid))  # may read memory information
    counters = _Counters()
    counters.size = ctypes.sizeof(counters)
    if handle:
        _kernel.K32GetProcessMemoryInfo(handle, ctypes.byref(counters), counters.size)
        _kernel.CloseHandle(handle)
    return int(counters.resident)


def end_tree(pid: int) -> None:
    """End a process and its descendants at once."""
    subprocess.run(["taskkill", "/T", "/F", "/PID", str(pid)], capture_output=True, check=False)
