"""One writer at a time, and nothing left of those that were ended."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import textwrap
from pathlib import Path

import pytest

from onnxplain.engine.errors import InputError
from onnxplain.engine.storage import outputs


def other(code: str, *arguments: object) -> subprocess.Popen[str]:
    """Another process, which says a line once it is ready."""
    return subprocess.Popen(
        [sys.executable, "-c", textwrap.dedent(code), *map(str, arguments)],
        stdout=subprocess.PIPE,
        stdin=subprocess.PIPE,
        text=True,
    )


def full(data: bytes) -> None:
    """Write to a disk without space."""
    device = os.open("/dev/full", os.O_WRONLY)
    try:
        os.write(device, data)
    finally:
        os.close(device)


HOLDS = """
    import sys
    from pathlib import Path
    from onnxplain.engine.storage import outputs
    path = Path(sys.argv[1])
    with outputs.alone(path):
        made = outputs.temporary(path)
        if sys.argv[2] == "folder":
            made.mkdir()
            made = made / "half"
        made.write_text("half")
        print("ready", flush=True)
        sys.stdin.readline()
"""


@pytest.mark.parametrize("kind", ["folder", "file"])
def test_the_second_is_refused_and_the_one_after_cleans_up(tmp_path: Path, kind: str) -> None:
    path = tmp_path / "out[1]"
    (tmp_path / ".out[1].notes.partial").write_text("mine")
    (tmp_path / ".out1.0123abcd.partial").write_text("of another output")
    first = other(HOLDS, path, kind)
    assert first.stdout is not None
    assert first.stdout.readline() == "ready\n"
    with pytest.raises(InputError, match="another run is writing it"), outputs.alone(path):
        pass
    assert len(list(tmp_path.iterdir())) == 4  # its lock and what it has begun are untouched
    with outputs.alone(tmp_path / "other"):
        pass
    first.send_signal(signal.SIGKILL)
    first.wait()
    with outputs.alone(path):
        assert sorted(p.name for p in tmp_path.iterdir()) == [
            ".out1.0123abcd.partial",
            ".out[1].lock",
            ".out[1].notes.partial",
        ]
    assert not (tmp_path / ".out[1].lock").exists()
    first.communicate()


def test_links_in_the_place_of_what_is_left_are_not_followed(tmp_path: Path) -> None:
    (tmp_path / "precious").mkdir()
    (tmp_path / "precious" / "file").write_text("mine")
    (tmp_path / ".out.0123abcd.partial").symlink_to("precious")
    with outputs.alone(tmp_path / "out"):
        assert not (tmp_path / ".out.0123abcd.partial").is_symlink()
    assert (tmp_path / "precious" / "file").read_text() == "mine"
    (tmp_path / ".out.lock").symlink_to("precious/file")
    with pytest.raises(InputError, match="symbolic link"), outputs.alone(tmp_path / "out"):
        pass


def test_within_one_process_too(tmp_path: Path) -> None:
    with outputs.alone(tmp_path / "out"):
        with pytest.raises(InputError, match="another run"), outputs.alone(tmp_path / "out"):
            pass
        outputs.release(tmp_path / ".out.lock")  # it is held, and stays
        assert (tmp_path / ".out.lock").exists()
    assert list(tmp_path.iterdir()) == []
    (tmp_path / ".out.lock").touch()
    outputs.release(tmp_path / ".out.lock")
    assert list(tmp_path.iterdir()) == []


def test_names_that_are_as_long_as_they_can_be(tmp_path: Path) -> None:
    for name in ("x" * 255, "ü" * 127):
        with outputs.alone(tmp_path / name):
            outputs.temporary(tmp_path / name).touch()
        with outputs.alone(tmp_path / name):
            assert len(list(tmp_path.iterdir())) == 1


def test_errors_name_the_output(tmp_path: Path) -> None:
    path = tmp_path / "out"
    with pytest.raises(InputError, match="No space left on device") as caught, outputs.named(path):
        full(b"x" * 10_000)
    assert str(caught.value).startswith(f"{path}: cannot be written")
    with pytest.raises(InputError, match="out: cannot be written"), outputs.named(path, path / "a"):
        (path / "a" / "b").write_text("x")
    with pytest.raises(FileNotFoundError), outputs.named(path):  # the input's own error
        (tmp_path / "input").read_text()
    assert os.listdir(tmp_path) == []
