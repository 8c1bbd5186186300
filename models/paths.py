"""Where the bundled files are, in a checkout and in an installed package."""

from __future__ import annotations

from pathlib import Path

from onnxplain.engine.errors import InputError

DEMO = Path(__file__).parent / "demo"


def demo_file(name: str) -> Path:
    """Path of a file of the demo: honest.onnx, shortcut.onnx or recording.edf.

    Raises
    ------
    InputError
        There is no such file.
    """
    path = DEMO / name
    if Path(name).name != name or not path.is_file():
        there = sorted(p.name for p in DEMO.glob("*") if p.is_file())
        raise InputError(f"the demo has no file {name!r}; there are: {', '.join(there) or 'none'}")
    return path
