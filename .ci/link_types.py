"""Make build/types: onnxplain as it is when installed, out of links, for what finds packages by folder.

That is mypy, and editors: `python .ci/link_types.py [FOLDER]`. Where links cannot be made, files are copied,
which shows them as they are now.
"""

from __future__ import annotations

import shutil
import sys
import tomllib
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]


def link(original: Path, place: Path) -> None:
    """Put a file or folder at a second place."""
    try:
        place.symlink_to(original, target_is_directory=original.is_dir())
    except OSError:  # Windows, without the right to make links
        (shutil.copytree if original.is_dir() else shutil.copyfile)(original, place)


def main(types: Path) -> None:
    """Make the tree anew."""
    with (ROOT / "pyproject.toml").open("rb") as file:
        folders = tomllib.load(file)["tool"]["setuptools"]["package-dir"]
    shutil.rmtree(types / "onnxplain", ignore_errors=True)
    (types / "onnxplain").mkdir(parents=True)
    for original in (ROOT / folders[""] / "onnxplain").iterdir():
        if original.is_file():
            link(original, types / "onnxplain" / original.name)
    for package, folder in folders.items():
        if "." in package:
            link(ROOT / folder, types.joinpath(*package.split(".")))


if __name__ == "__main__":
    main(Path(sys.argv[1]) if sys.argv[1:] else ROOT / "build" / "types")
