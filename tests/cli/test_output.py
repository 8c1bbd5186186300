"""Outputs appear whole or not at all, and never in the place of what somebody else wrote."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from onnxplain.cli import output
from onnxplain.engine.errors import InputError


def write(path: Path, *, overwrite: bool = False, **files: str) -> None:
    with output.folder(path, overwrite=overwrite) as temporary:
        for name, text in files.items():
            target = temporary / name.replace("__", "/")
            target.parent.mkdir(exist_ok=True)
            target.write_text(text)


def contents(path: Path) -> dict[str, str]:
    files = (p for p in path.rglob("*") if p.is_file() and p.name != output.MARKER)
    return {p.relative_to(path).as_posix(): p.read_text() for p in files}


def test_folder(tmp_path: Path) -> None:
    write(tmp_path / "out", a="1", sub__b="2")
    assert contents(tmp_path) == {"out/a": "1", "out/sub/b": "2"}
    assert output.is_ours(tmp_path / "out")


@pytest.mark.row("O3")
def test_a_failure_leaves_nothing(tmp_path: Path) -> None:
    def fail(path: Path) -> None:
        (path / "half").write_text("half")
        raise RuntimeError

    with pytest.raises(RuntimeError), output.folder(tmp_path / "out") as temporary:
        fail(temporary)
    with pytest.raises(RuntimeError), output.file(tmp_path / "out") as temporary:
        temporary.mkdir()
        temporary.rmdir()
        temporary.write_text("half")
        raise RuntimeError
    assert list(tmp_path.iterdir()) == []


@pytest.mark.row("O3")
def test_existing_outputs_are_refused(tmp_path: Path) -> None:
    (tmp_path / "folder").mkdir()
    (tmp_path / "file").write_text("mine")
    with pytest.raises(InputError, match="--overwrite"):
        write(tmp_path / "folder", a="1")
    with pytest.raises(InputError, match="--overwrite"), output.file(tmp_path / "file"):
        pass
    with pytest.raises(InputError, match="there is a file of this name"):
        write(tmp_path / "file", overwrite=True, a="1")
    with (
        pytest.raises(InputError, match="there is a folder"),
        output.file(tmp_path / "folder", overwrite=True),
    ):
        pass
    assert contents(tmp_path) == {"file": "mine"}


@pytest.mark.row("O3")
def test_overwriting_replaces_ours_and_spares_the_rest(tmp_path: Path) -> None:
    out = tmp_path / "out"
    write(out, a="1", old="1", sub__b="1")
    write(out, overwrite=True, a="2")
    assert contents(out) == {"a": "2"}
    assert not (out / "sub").exists()
    (out / "notes").write_text("mine")
    assert not output.is_ours(out)
    write(out, overwrite=True, a="3", b="3")
    assert contents(out) == {"a": "3", "b": "3", "notes": "mine"}
    assert [p.name for p in tmp_path.iterdir()] == ["out"]


@pytest.mark.row("O3")
def test_a_marker_cannot_lead_out_of_the_folder(tmp_path: Path) -> None:
    (tmp_path / "precious").write_text("mine")
    write(tmp_path / "out", a="1")
    (tmp_path / "out" / output.MARKER).write_text(
        f'{{"files": ["../precious", "{(tmp_path / "precious").as_posix()}", "a"]}}'
    )
    write(tmp_path / "out", overwrite=True, b="2")
    assert contents(tmp_path) == {"precious": "mine", "out/b": "2"}


@pytest.mark.row("O3")
def test_links_are_refused(tmp_path: Path) -> None:
    (tmp_path / "real").mkdir()
    (tmp_path / "link").symlink_to("real")
    (tmp_path / "dangling").symlink_to("nowhere")
    for name in ("link", "dangling"):
        with pytest.raises(InputError, match="symbolic link"):
            write(tmp_path / name, overwrite=True, a="1")
        with pytest.raises(InputError, match="symbolic link"), output.file(tmp_path / name, overwrite=True):
            pass
    write(tmp_path / "out", a="1")
    (tmp_path / "out" / "sub").symlink_to(tmp_path / "real")
    with pytest.raises(InputError, match="symbolic link"):
        write(tmp_path / "out", overwrite=True, sub__b="1")
    assert list((tmp_path / "real").iterdir()) == []


@pytest.mark.row("O4")
def test_the_same_output_twice_at_once(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="appeared"), output.file(tmp_path / "a") as temporary:
        (tmp_path / "a").write_text("theirs")
        temporary.write_text("ours")
    with pytest.raises(InputError, match="appeared"), output.folder(tmp_path / "b"):
        (tmp_path / "b").mkdir()
        (tmp_path / "b" / "a").write_text("theirs")
    with output.folder(tmp_path / "c"), pytest.raises(InputError, match="another run is writing it"):
        write(tmp_path / "c", overwrite=True, a="theirs")
    (tmp_path / "c" / output.MARKER).unlink()
    assert contents(tmp_path) == {"a": "theirs", "b/a": "theirs"}
    assert not [p for p in tmp_path.iterdir() if p.name.startswith(".")]


@pytest.mark.row("O4")
def test_without_hard_links(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object) -> None:
        raise OSError("not on this file system")

    monkeypatch.setattr(os, "link", refuse)
    with output.file(tmp_path / "a") as temporary:
        temporary.write_text("ours")
    with pytest.raises(InputError, match="appeared"), output.file(tmp_path / "b") as temporary:
        (tmp_path / "b").write_text("theirs")
        temporary.write_text("ours")
    assert contents(tmp_path) == {"a": "ours", "b": "theirs"}


@pytest.mark.row("O3")
@pytest.mark.parametrize("path", [".", "..", "no/such/folder", "/"])
def test_no_place_to_write(path: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    with pytest.raises(InputError):
        write(Path(path), a="1")


@pytest.mark.row("O3")
def test_a_full_disk_is_named(tmp_path: Path) -> None:
    import errno

    with (
        pytest.raises(InputError, match=r"out: cannot be written \(No space left"),
        output.file(tmp_path / "out"),
    ):
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))


def test_other_errors_keep_their_words(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError), output.folder(tmp_path / "out"):
        (tmp_path / "input.edf").read_text()
