"""What a caller may say about how a recording is cut, and options given as keywords, checked."""

from __future__ import annotations

import difflib
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field, fields, replace
from pathlib import Path
from typing import Any, TypedDict

from ...engine.contract import InputContract
from ...engine.errors import InputError
from ..text import plain
from .labels import Labels, read_labels
from .read import Recording
from .windows import Windows, cut, with_window


@dataclass(frozen=True)
class WindowOptions:
    """How a recording is cut into windows.

    Attributes
    ----------
    events, channels, unit, interpolate
        As for `windows.cut`. The keyword for `interpolate` is `interpolate_missing`, as on the command line.
    window : float or None
        Length of a window in seconds, for models that take any; None for the contract's.
    tmin, tmax : float or None
        Seconds from an event to the start and the end of its window; None for the contract's.
    stride : float or None
        Seconds from the start of a window to that of the next, where they are cut one after the other.
    labels : Labels, path-like or None
        A table of labels (see `labels.read_labels`).
    force_unit : bool
        Take amplitudes that no EEG has.
    label_column : str or None
        The column of that table which has the labels.
    show_annotations : bool
        Show texts of annotations that are neither classes nor events: they may hold names.
    """

    events: str | None = None
    channels: str | Sequence[str] | Mapping[str, str] | None = None
    unit: str | None = None
    interpolate: bool = field(default=False, metadata={"keyword": "interpolate_missing"})
    window: float | None = None
    tmin: float | None = None
    tmax: float | None = None
    stride: float | None = None
    labels: Labels | str | Path | None = None
    force_unit: bool = False
    label_column: str | None = None
    show_annotations: bool = False

    def loaded(self) -> WindowOptions:
        """The same with its table of labels read.

        Raises
        ------
        InputError
            The table cannot be used.
        """
        if self.labels is None and self.label_column is not None:
            raise InputError(
                "label-column names a column of a table of labels, and there is none (--labels FILE)"
            )
        if self.labels is None or isinstance(self.labels, Labels):
            return self
        return replace(self, labels=read_labels(Path(self.labels), self.label_column))

    def contract(self, contract: InputContract) -> InputContract:
        """The model's contract, with windows of this length, place and stride.

        Raises
        ------
        InputError
            The model cannot have such windows.
        """
        if all(v is None for v in (self.window, self.tmin, self.tmax, self.stride)):
            return contract
        return with_window(contract, self.window, tmin=self.tmin, tmax=self.tmax, stride=self.stride)

    def cut(self, recording: Recording, contract: InputContract) -> Windows:
        """The windows of a recording, as `windows.cut` gives them; `contract` has their length already."""
        labels = self.loaded().labels
        return cut(
            recording,
            contract,
            events=self.events,
            channels=self.channels,
            unit=self.unit,
            interpolate=self.interpolate,
            labels=labels if isinstance(labels, Labels) else None,
            force_unit=self.force_unit,
            show_annotations=self.show_annotations,
        )

    def provenance(self) -> dict[str, Any]:
        """What is kept with a result."""
        labels = self.labels.name if isinstance(self.labels, Labels) else self.labels
        return {
            "window": self.window,
            "tmin": self.tmin,
            "tmax": self.tmax,
            "stride": self.stride,
            "events": self.events,
            "unit": self.unit,
            **({"force_unit": True} if self.force_unit else {}),
            "interpolate_missing": self.interpolate,
            "labels": None if labels is None else plain(Path(labels).name),
            **({"label_column": plain(self.label_column)} if self.label_column else {}),
            **({"show_annotations": True} if self.show_annotations else {}),
        }


class WindowKeywords(TypedDict, total=False):
    """The fields of `WindowOptions`, as keywords."""

    events: str | None
    channels: str | Sequence[str] | Mapping[str, str] | None
    unit: str | None
    interpolate_missing: bool
    window: float | None
    tmin: float | None
    tmax: float | None
    stride: float | None
    labels: Labels | str | Path | None
    force_unit: bool
    label_column: str | None
    show_annotations: bool


def sorted_into(
    given: Mapping[str, Any], function: str, *records: type, others: Collection[str] = ()
) -> list[dict[str, Any]]:
    """Keywords as the fields of the records that they belong to.

    Parameters
    ----------
    given : mapping of str to object
    function : str
        That was called with them, for the message.
    *records : type
        Dataclasses, no two with one keyword. A field's keyword is its name, unless its metadata has another.
    others : collection of str
        Keywords that are of no record.

    Returns
    -------
    list of dict
        For each record its fields that were given, and at the end the others.

    Raises
    ------
    TypeError
        A keyword is none of these; the message names those that are near.
    """
    known = {
        f.metadata.get("keyword", f.name): (record, f.name) for record in records for f in fields(record)
    }
    known.update({name: (object, name) for name in others})
    for name in given:
        if name not in known:
            near = difflib.get_close_matches(name, known, n=3, cutoff=0.5)
            said = f"did you mean {' or '.join(near)}?" if near else f"there are {', '.join(known)}"
            raise TypeError(f"{function}() has no keyword {name!r}; {said}")
    return [
        {known[name][1]: value for name, value in given.items() if known[name][0] is record}
        for record in (*records, object)
    ]
