"""MNE's epochs and evoked with relevance in them: what they draw has the unit of what was explained.

To MNE a channel with a place on the head is EEG, in volt, and its figures say microvolt. These hold relevance
as it is, and put its unit and its name in the place of EEG's while they are drawn, or made a table.
"""

from __future__ import annotations

import functools
import inspect
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from typing import Any, NoReturn
from unittest.mock import patch

import mne
import numpy as np
from mne.defaults import DEFAULTS

from ...engine.errors import InputError
from ..text import plain

MOST = 0.999  # of the numbers lie within the height that a row of MNE's browser has


@contextmanager
def drawn_as(unit: str, name: str, height: float) -> Iterator[None]:
    """Have MNE draw EEG channels as `name`, in `unit`, in rows of such a height, while the body runs."""
    mine = {"units": unit, "si_units": unit, "titles": name, "scalings": 1.0, "scalings_plot_raw": height}
    with ExitStack() as stack:
        for key, value in mine.items():
            if key in DEFAULTS:
                stack.enter_context(patch.dict(DEFAULTS[key], {"eeg": value}))
        yield


class RelevanceEvoked(mne.EvokedArray):  # type: ignore[misc]
    """A mean over windows.

    Attributes
    ----------
    unit : str
        Of the numbers in `data`, e.g. "logit".
    shows : str
        What they are: "relevance", or "multiplier".
    """

    unit: str = ""
    shows: str = "relevance"


class RelevanceEpochs(mne.EpochsArray):  # type: ignore[misc]
    """Windows as epochs; their means are `RelevanceEvoked`.

    Attributes
    ----------
    unit, shows : str
        As there.
    """

    unit: str = ""
    shows: str = "relevance"

    def _evoked_from_epoch_data(self, *args: Any, **options: Any) -> Any:
        made = super()._evoked_from_epoch_data(*args, **options)
        made.__class__ = RelevanceEvoked
        made.unit, made.shows = self.unit, self.shows
        return made


def _in_its_unit(method: Callable[..., Any]) -> Callable[..., Any]:
    takes_format = "cbar_fmt" in inspect.signature(method).parameters

    @functools.wraps(method)
    def drawn(self: Any, *args: Any, **options: Any) -> Any:
        if takes_format:
            options.setdefault("cbar_fmt", "%.2g")  # relevance of a sample is small, and MNE has one decimal
        data = self.get_data()
        height = float(np.quantile(np.abs(data), MOST)) if data.size else 0.0
        with drawn_as(plain(self.unit, 40), self.shows.capitalize(), height or 1.0):
            return method(self, *args, **options)

    return drawn


def _no_spectrum(self: Any, *args: Any, **options: Any) -> NoReturn:
    """No spectrum is made: that of relevance over time is not relevance by frequency.

    Raises
    ------
    InputError
        Always.
    """
    raise InputError(
        f"a spectrum of {self.shows} over time is no {self.shows} by frequency: dataset['bands'] has that"
    )


for _kind in (RelevanceEvoked, RelevanceEpochs):
    for _name in dir(_kind):
        if _name.startswith(("plot_psd", "compute_psd", "compute_tfr")):
            setattr(_kind, _name, _no_spectrum)
        elif _name.startswith(("plot", "animate")) or _name == "to_data_frame":
            setattr(_kind, _name, _in_its_unit(getattr(_kind, _name)))
