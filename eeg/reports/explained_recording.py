"""What `explain_recording` gives: an explanation that can write, report and draw itself."""

from __future__ import annotations

import os
import shutil
import tempfile
from dataclasses import fields
from pathlib import Path
from typing import TYPE_CHECKING

from ...engine.errors import InputError
from ...engine.notebook.boxes import box
from ...engine.notebook.kernel import show_figures
from ...engine.storage import outputs
from ..explanation.explained import Explained
from ..text import plain

if TYPE_CHECKING:
    from matplotlib.figure import Figure


class ExplainedRecording(Explained):
    """The explanation of a recording, which can be saved, reported and plotted.

    Examples
    --------
    >>> e = explain_recording("model.onnx", raw)  # doctest: +SKIP
    >>> e.save("out")  # doctest: +SKIP
    >>> e.plot().savefig("head.png")  # doctest: +SKIP
    """

    @classmethod
    def of(cls, explained: Explained) -> ExplainedRecording:
        """The same explanation, with these methods."""
        return cls(**{f.name: getattr(explained, f.name) for f in fields(explained)})

    def _repr_html_(self) -> str:
        """What a notebook shows: what the command line prints, and what can be done with it."""
        offered = ".save(folder) writes all of it, .report(path) the page; .plot() draws the head map"
        return box(self.title(), self.lines(), below=(offered,))

    def save(
        self,
        folder: str | os.PathLike[str],
        *,
        report: bool = True,
        csv: bool = False,
        overwrite: bool = False,
    ) -> list[Path]:
        """Write what the command line writes: relevance.nc, summary.json, shares.csv, figures, report.html.

        Parameters
        ----------
        folder : path-like
            Made where it does not exist; other files in it are left alone.
        report : bool
            Whether to write figures and report.html too.
        csv : bool
            Whether to write relevance.csv too: a row for each window, electrode and band.
        overwrite : bool
            Replace an explanation that is there.

        Returns
        -------
        list of Path
            The files written.

        Raises
        ------
        InputError
            There is an explanation already, another run is writing it, it is no folder and cannot be made, or
            there is no space left.
        """
        from .write import write

        out = Path(folder)
        there = next((out / n for n in ("relevance.nc", "summary.json") if (out / n).exists()), None)
        if there is not None and not overwrite:
            raise InputError(f"{plain(there, 300)}: exists; overwrite=True replaces it")
        try:
            out.mkdir(parents=True, exist_ok=True)
        except OSError as e:
            raise InputError(f"{plain(out, 300)}: cannot be made a folder ({e.strerror})") from None
        made = outputs.temporary(out)
        try:
            with outputs.alone(out), outputs.named(out, made):
                made.mkdir()
                files = [file.relative_to(made) for file in write(self, made, report=report, csv=csv)]
                for file in files:
                    (out / file).parent.mkdir(parents=True, exist_ok=True)
                    os.replace(made / file, out / file)
        finally:
            shutil.rmtree(made, ignore_errors=True)
        return [out / file for file in files]

    def report(self, path: str | os.PathLike[str], *, overwrite: bool = False) -> Path:
        """Write the report: one HTML file with its figures in it.

        Parameters
        ----------
        path : path-like
        overwrite : bool
            Replace a file that is there.

        Returns
        -------
        Path
            The file written.

        Raises
        ------
        InputError
            The file exists, or its folder does not.
        """
        from .recording import write_report
        from .recording_figures import draw

        path = Path(path)
        if path.is_dir() or (path.exists() and not overwrite):
            raise InputError(f"{plain(path, 300)}: exists; overwrite=True replaces a file")
        if not path.parent.is_dir():
            raise InputError(f"{plain(path, 300)}: there is no folder {plain(path.parent, 300)}")
        made = outputs.temporary(path)
        try:
            # The page has the figures inside.
            with outputs.alone(path), outputs.named(path, made), tempfile.TemporaryDirectory() as temporary:
                write_report(self, draw(self, Path(temporary)), made)
                os.replace(made, path)
        finally:
            made.unlink(missing_ok=True)
        return path

    def plot(self) -> Figure:
        """Head maps of relevance for each explained class, and of the electrodes' shares.

        Returns
        -------
        matplotlib.figure.Figure
            Pyplot does not know of it; a notebook draws it where it is the value of a cell.

        Raises
        ------
        InputError
            It is not known where the electrodes lie.
        """
        from .recording_figures import head_figure

        show_figures()
        figure, said = head_figure(self)
        if figure is None:
            raise InputError(said or "there is no head map of these electrodes")
        return figure
