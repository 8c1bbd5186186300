"""Packages as pip would have installed them, in a folder to put on the path."""

from __future__ import annotations

from pathlib import Path


def installed(
    folder: Path,
    name: str,
    group: str,
    module: str,
    source: str,
    *,
    entry: str = "lab",
    attribute: str = "",
) -> Path:
    """Put a package with one module and one entry point into a folder.

    Parameters
    ----------
    folder : Path
        That goes on the path, and is given back.
    name : str
        The package's, as it is installed by.
    group : str
        Of entry points.
    module : str
        With dots where it is inside another.
    source : str
    entry : str
        The entry point's name.
    attribute : str
        Of the module, which the entry point is; by default the module itself.
    """
    path = folder / f"{module.replace('.', '/')}.py"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(source, encoding="utf-8")
    about = folder / f"{name.replace('-', '_')}-1.0.dist-info"
    about.mkdir()
    (about / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {name}\nVersion: 1.0\n")
    value = f"{module}:{attribute}" if attribute else module
    (about / "entry_points.txt").write_text(f"[{group}]\n{entry} = {value}\n")
    return folder
