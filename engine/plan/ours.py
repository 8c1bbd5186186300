"""Files that only this user can have written: what is kept on disk is opened as if it had just been made.

A plan that somebody else put there, or changed, would have a model say what they please. So nothing is taken
from a folder that others can write to or that is a link, and no file that is a link or not what was written.
"""

from __future__ import annotations

import hashlib
import os
import stat
from pathlib import Path

import onnx

from ..file.load import every_tensor

_LARGEST = 2**31


class NotOursError(Exception):
    """What is there is not used; the reason in a few words, without where it is."""


def check_folder(folder: Path) -> None:
    """Whether a folder is this user's alone.

    Raises
    ------
    NotOursError
    FileNotFoundError
    """
    about = folder.lstat()
    if not stat.S_ISDIR(about.st_mode):
        raise NotOursError("it is a link" if stat.S_ISLNK(about.st_mode) else "it is no folder")
    if os.name == "nt":  # the profile's folders are the user's, and modes say nothing
        return
    if about.st_uid != os.geteuid():
        raise NotOursError("it belongs to another user")
    if about.st_mode & 0o077:
        raise NotOursError(f"others may use it (mode {stat.S_IMODE(about.st_mode):o}, not 700)")


def read(path: Path) -> bytes:
    """What a file of this user's has; links are not followed, and devices not opened for long.

    Raises
    ------
    NotOursError
        It is a link, of another user, or no plain file.
    OSError
        It cannot be read.
    """
    flags = (
        os.O_RDONLY | getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_BINARY", 0)
    )
    if path.is_symlink():
        raise NotOursError(f"its {path.name} is a link")
    with os.fdopen(os.open(path, flags), "rb") as file:
        about = os.fstat(file.fileno())
        if not stat.S_ISREG(about.st_mode) or about.st_size > _LARGEST:
            raise NotOursError(f"its {path.name} is no plain file")
        if about.st_nlink != 1:
            raise NotOursError(f"its {path.name} is a link")
        if os.name != "nt" and (about.st_uid != os.geteuid() or about.st_mode & 0o022):
            raise NotOursError(f"others may write its {path.name}")
        return file.read()


def digest(data: bytes) -> str:
    """SHA-256, in hexadecimal."""
    return hashlib.sha256(data).hexdigest()


def graph(path: Path, wanted: str) -> bytes:
    """A model that was kept, as it was.

    Parameters
    ----------
    path : Path
    wanted : str
        Its `digest`.

    Raises
    ------
    NotOursError
        It is another, or has weights in other files: onnxruntime would read those.
    OSError
        It cannot be read.
    """
    data = read(path)
    if digest(data) != wanted:
        raise NotOursError(f"its {path.name} is not what was kept")
    try:
        model = onnx.ModelProto.FromString(data)
    except Exception as e:  # protobuf's own classes
        raise NotOursError(f"its {path.name} is no model") from e
    for tensor in every_tensor(model):
        if tensor.data_location == onnx.TensorProto.EXTERNAL or tensor.external_data:
            raise NotOursError(f"its {path.name} has data in another file")
    return data
