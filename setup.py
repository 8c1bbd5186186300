"""The packages, read from the tree so that no list of them has to be kept. All else is in pyproject.toml."""

from __future__ import annotations

import shutil
import sys
import tomllib
from pathlib import Path

from setuptools import setup
from setuptools.command.build_py import build_py

ROOT = Path(__file__).parent


def packages() -> list[str]:
    """Every folder with Python files in the folders that `package-dir` names, as a package.

    Raises
    ------
    SystemExit
        A folder is not there, or is no package: it would be left out without a word.
    """
    with (ROOT / "pyproject.toml").open("rb") as file:
        folders = tomllib.load(file)["tool"]["setuptools"]["package-dir"]
    found = set()
    for package, name in folders.items():
        if not package:  # where packages without a folder of their own would be
            continue
        top = ROOT / name
        inside = {path.parent.relative_to(top).parts for path in top.rglob("*.py")} | {()}
        for parts in filter(lambda parts: all(map(str.isidentifier, parts)), inside):
            if not top.joinpath(*parts, "__init__.py").is_file():
                sys.exit(f"{Path(name, *parts)}: no package, since it has no __init__.py; nothing was built")
            found.add(".".join((package, *parts)))
    return sorted(found)


class Build(build_py):
    """Modules that have moved since the last build in this folder must not be in the next wheel."""

    def run(self) -> None:
        """Build into an empty folder."""
        shutil.rmtree(Path(self.build_lib, "onnxplain"), ignore_errors=True)
        super().run()


setup(packages=packages(), cmdclass={"build_py": Build})
