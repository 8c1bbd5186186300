"""What can stand beside the map of an explanation: a view of the same relevance, or of the same windows."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Any, ClassVar, Protocol

import xarray as xr

from ..drawing.sections import Section

if TYPE_CHECKING:
    from .explained import Explained


class View(Protocol):
    """One view, as an explanation and its report ask for it.

    A class that derives from this one needs a name and a summary; the rest may be left as it is.

    Attributes
    ----------
    name : str
        Its key in `Explained.views` and in summary.json.
    notes : tuple of str
        What limits it, in sentences.
    """

    name: ClassVar[str]
    notes: tuple[str, ...] = ()

    def data_vars(self) -> Mapping[str, xr.DataArray]:
        """What it adds to the dataset, by name, with its own coordinates."""
        return {}

    @abstractmethod
    def summary(self, explained: Explained) -> Any:
        """Its part of summary.json: anything that JSON can hold."""
        ...

    def lines(self, explained: Explained) -> Iterable[tuple[str, str]]:
        """What the command line prints of it, as (what, text)."""
        return ()

    def answer(self, explained: Explained) -> str:
        """Its sentence of the answer, the report's first paragraph; empty for none."""
        return ""

    def rows(self, explained: Explained) -> Iterable[tuple[str, str, float, float, float]]:
        """Its rows of shares.csv: kind, name, share, signed sum, and even.

        Even is what evenly spread relevance would have: the row's part of the units of its kind (electrodes,
        frequencies, components), never of anything else.
        """
        return ()

    def sections(self, explained: Explained) -> Iterable[Section]:
        """Its sections of the report."""
        return ()
