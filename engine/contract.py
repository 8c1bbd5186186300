"""The input contract: which array a model wants, and what its outputs mean.

A contract travels inside the ONNX file's metadata (key ``onnxplain.contract``, JSON) or in a YAML
file beside a third party's model.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import combinations, permutations
from pathlib import Path
from typing import Annotated, Any, Literal

import numpy as np
from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, ValidationError, model_validator

from .errors import InputError
from .storage.documents import parse_json, read_yaml
from .storage.problems import problems
from .storage.text import near

METADATA_KEY = "onnxplain.contract"

ONE = "one"
# Axes of a window, in the order in which its samples lie in the recording.
_PLAIN, _PATCHED = ("channel", "time"), ("channel", "patch", "sample")


def _axis(name: Any) -> Any:
    """An axis of length one in any of its spellings."""
    return ONE if name in (None, 1, "1", "_") and name is not True else name


AxisName = Annotated[Literal["batch", "channel", "time", "patch", "sample", "one"], BeforeValidator(_axis)]
Positive = Annotated[float, Field(gt=0, allow_inf_nan=False)]
Finite = Annotated[float, Field(allow_inf_nan=False)]


def _numbers(value: Any) -> Any:
    """One finite number, or nested lists of them, none longer than its neighbours."""
    try:
        array = np.asarray(value)
    except ValueError:
        raise ValueError("lists of unlike lengths") from None
    if array.dtype.kind not in "iuf" or not array.size or not np.isfinite(array).all():
        raise ValueError("a finite number, or nested lists of them, is needed")
    return array.tolist()


Numbers = Annotated[Any, BeforeValidator(_numbers)]


class Filling(BaseModel):
    """What a further input of the model is filled with; exactly one of the first four says it.

    Attributes
    ----------
    constant : number or nested lists of numbers
        The same for every window.
    positions : {"m", "cm", "mm"}
        Where each electrode lies: x to the right ear, y to the nose, z up, in this unit, of the recording or,
        where that does not say, by the electrode's name. An array (channel, 3) for each window.
    channels : dict of str to number or numbers
        A value for each electrode by its name in the contract, in the order of its channels: ids, or places
        of the network's own. The table may have more electrodes than the model.
    subjects : dict of str to number or numbers
        A value for each subject (or session): the recording's `sub-` entity, its folder or its file's name.
    first : numbers
        Put before the values of `channels`: LaBraM's class token is `first: [0]`.
    otherwise : number or numbers
        For a recording that `subjects` does not name; without it such a recording is refused.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    constant: Numbers | None = None
    positions: Literal["m", "cm", "mm"] | None = None
    channels: dict[str, Numbers] | None = None
    subjects: dict[str, Numbers] | None = None
    first: list[Numbers] = []
    otherwise: Numbers | None = None

    @model_validator(mode="before")
    @classmethod
    def _short(cls, data: Any) -> Any:
        """`positions` alone, or values alone."""
        if data == "positions":
            return {"positions": "m"}
        return data if isinstance(data, (Mapping, Filling, str)) or data is None else {"constant": data}

    @model_validator(mode="after")
    def _one(self) -> Filling:
        ways = ("constant", "positions", "channels", "subjects")
        if sum(getattr(self, way) is not None for way in ways) != 1:
            raise ValueError(f"exactly one of {', '.join(ways)} says what the input is filled with")
        if self.first and self.channels is None:
            raise ValueError("first: goes with channels alone")
        if self.otherwise is not None and self.subjects is None:
            raise ValueError("otherwise: goes with subjects alone")
        return self

    def values(self, channels: Sequence[str]) -> np.ndarray[Any, Any] | None:
        """The values where they do not depend on the recording; None where they do."""
        if self.constant is not None:
            return np.asarray(self.constant)
        if self.channels is not None:
            table = {name.casefold(): value for name, value in self.channels.items()}
            return np.asarray([*self.first, *(table[name.casefold()] for name in channels)])
        return None


class Scaling(BaseModel):
    """How each window is scaled by what it is itself, after `unit` and `scale`.

    Attributes
    ----------
    by : {"zscore", "percentile"}
        Mean taken off and divided by the standard deviation; or divided by a percentile of absolute values
        (plus 1e-8).
    percentile : float
    over : {"channel", "window", "recording"}
        Of what: each electrode of each window, each window as a whole, or each electrode over the whole
        recording.
    clip : float or None
        Largest absolute value after that.
    centre, spread : tuple of float or None
        Of each electrode over the recording, in microvolt and in the unit times scale: what a recording says.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    by: Literal["zscore", "percentile"]
    percentile: float = Field(default=95, gt=0, le=100)
    over: Literal["channel", "window", "recording"] = "channel"
    clip: Positive | None = None
    centre: tuple[float, ...] | None = None
    spread: tuple[Positive, ...] | None = None


class InputContract(BaseModel):
    """Which array a model wants.

    The array is ``signal * scale`` with the signal in `unit`, laid out along `axes`: batch first, then
    ``channel`` and ``time`` in either order, or ``channel``, ``patch`` and ``sample`` in any, where time is
    cut into consecutive patches of `patch` samples. ``one`` is an axis of length one, wherever it stands:
    ``(batch, one, channel, time)``. A model of one electrode may have no axis of channels.

    Attributes
    ----------
    model : str
        The network's name, e.g. "Labram".
    input : str
        The graph input that takes the signal.
    axes : tuple of str
        Names of that input's axes. An axis of length one is ``one``; ``1``, ``_`` and null are read as that.
    channels : tuple of str
        Electrode names in the order of the channel axis.
    sfreq : float
        Sampling rate in Hz.
    window : int
        Samples in one window (time, or patch times sample).
    tmin : float
        Seconds from an event to the start of its window, where windows are cut at events; below 0 it starts
        before.
    stride : float or None
        Seconds from the start of a window to that of the next, where they are cut one after the other; None
        for its length. Shorter ones overlap.
    patch : int or None
        Samples in one patch when `axes` has a patch axis.
    unit : {"V", "mV", "uV"}
        Unit of the signal before `scale`.
    scale : float
        Factor from `unit` to what the model was trained on (LaBraM: microvolt / 100, so 0.01).
    scaling : Scaling or None
        How each window is scaled by what it is itself.
    highpass, lowpass : float or None
        Band-pass edges in Hz that the model expects; None leaves that side alone.
    notch : float or None
        Line frequency in Hz to remove.
    reference : str or tuple of str
        "as recorded", "average", or electrode names.
    output : str or None
        The graph output that is explained; None where there is only one.
    classes : tuple of str
        Names along the last axis of that output; empty for a regression.
    task : {"classification", "regression"} or None
        Whether the output is a number for each of several classes, or numbers that are explained as they are;
        None where the file's own shape says it: more than one number are classes.
    targets : dict of str to (str or None)
        Of a regression the name of each number along the last axis of that output, and its unit: ``{age:
        years}``.
    output_unit : str or None
        Unit of a regression output that has no name.
    inputs : dict of str to Filling
        What each further input of the model is filled with.
    unknown : tuple of str
        Keys that whoever wrote the contract did not know: what stands there is an assumption, which every
        explanation repeats.
    source, licence : str
        Where the weights come from and under which licence.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    version: Literal[1] = 1
    model: str = ""
    input: str
    axes: tuple[AxisName, ...] = ("batch", "channel", "time")
    channels: tuple[str, ...] = Field(min_length=1)
    sfreq: Positive
    window: int = Field(gt=0)
    tmin: Finite = 0.0
    stride: Positive | None = None
    patch: int | None = Field(default=None, gt=0)
    unit: Literal["V", "mV", "uV"] = "uV"
    scale: Positive = 1.0
    scaling: Scaling | None = None
    highpass: Positive | None = None
    lowpass: Positive | None = None
    notch: Positive | None = None
    reference: str | tuple[str, ...] = "as recorded"
    output: str | None = None
    classes: tuple[str, ...] = ()
    task: Literal["classification", "regression"] | None = None
    targets: dict[str, str | None] = {}
    output_unit: str | None = None
    inputs: dict[str, Filling] = {}
    unknown: tuple[str, ...] = ()
    source: str = ""
    licence: str = ""

    @model_validator(mode="after")
    def _consistent(self) -> InputContract:
        named = [a for a in self.axes if a != ONE]
        if "channel" not in named and len(self.channels) == 1:
            named.insert(1, "channel")
        if self.axes[:1] != ("batch",) or sorted(named[1:]) not in (sorted(_PLAIN), sorted(_PATCHED)):
            raise ValueError(
                "axes: batch first, then channel and time, or channel, patch and sample, as the model has "
                "them; `one` is an axis of length 1, as in [batch, one, channel, time]"
            )
        if ("patch" in self.axes) != (self.patch is not None):
            raise ValueError("patch: its length is needed with, and only with, a patch axis")
        if self.patch is not None and self.window % self.patch:
            raise ValueError(f"window: {self.window} is no multiple of patch {self.patch}")
        for what, names in (("channels", self.channels), ("classes", self.classes)):
            if len(set(names)) != len(names):
                raise ValueError(f"{what}: a name stands twice")
        if strange := [key for key in self.unknown if key not in type(self).model_fields]:
            known = near(strange[0], type(self).model_fields)
            raise ValueError(f"unknown: {strange[0]} is no key of a contract; {known}")
        if self.input in self.inputs:
            raise ValueError(f"inputs: {self.input} takes the signal")
        for name, filling in self.inputs.items():
            table = {n.casefold() for n in filling.channels or ()}
            lost = [c for c in self.channels if c.casefold() not in table]
            if filling.channels is not None and lost:
                raise ValueError(f"inputs: {name}: the table has no {', '.join(lost)}")
            try:
                filling.values(self.channels)
            except ValueError:
                raise ValueError(f"inputs: {name}: values and first have unlike lengths") from None
        if self.highpass and self.lowpass and self.highpass >= self.lowpass:
            raise ValueError("highpass: must lie below lowpass")
        if self.targets and (self.task == "classification" or self.output_unit):
            other = "task: classification" if self.task == "classification" else "output_unit"
            raise ValueError(f"targets: numbers of a regression, with their units; not beside {other}")
        if self.classes and (self.targets or self.task == "regression"):
            raise ValueError("classes: a regression has none; name its numbers under targets: {NAME: UNIT}")
        return self

    @property
    def regresses(self) -> bool:
        """Whether outputs are numbers that are explained as they are, by what the contract says."""
        told = self.task == "regression" or bool(self.targets)
        return told or (self.task is None and self.output_unit is not None and not self.classes)

    @property
    def names(self) -> tuple[str, ...]:
        """Names along the last axis of the output: classes, or numbers; empty where it has none."""
        return self.classes or tuple(self.targets)

    def unit_of(self, number: int | None = None) -> str:
        """Unit of what is explained; of a number without a unit its name."""
        if number is not None and number < len(self.targets):
            name = tuple(self.targets)[number]
            return self.targets[name] or name
        return self.output_unit or ("output" if self.regresses else "logit")

    @property
    def seconds(self) -> float:
        """Length of one window in seconds."""
        return self.window / self.sfreq

    @property
    def lengths(self) -> dict[str, int]:
        """Length of each axis of a window by name: channel and time, or channel, patch and sample."""
        if self.patch is None:
            return {"channel": len(self.channels), "time": self.window}
        return {"channel": len(self.channels), "patch": self.window // self.patch, "sample": self.patch}

    @property
    def shape(self) -> tuple[int, ...]:
        """Shape of one window in the model's layout, without the batch axis."""
        lengths = {**self.lengths, ONE: 1}
        return tuple(lengths[axis] for axis in self.axes[1:])

    @property
    def order(self) -> tuple[int, ...]:
        """Where each axis of the model's layout, those of length one left out, is among `lengths`."""
        names = list(self.lengths)
        there = [names.index(axis) for axis in self.axes[1:] if axis != ONE]
        return tuple(there) if "channel" in self.axes else (names.index("channel"), *there)

    @property
    def time_axes(self) -> tuple[int, ...]:
        """Axes of the model's layout along which time runs, slowest first; negative, from the last."""
        n = len(self.axes)
        return tuple(self.axes.index(a) - n for a in ("time", "patch", "sample") if a in self.axes)

    def constants(self) -> dict[str, np.ndarray[Any, Any]]:
        """Values of the further inputs, but for those that depend on the recording."""
        found = {name: filling.values(self.channels) for name, filling in self.inputs.items()}
        return {name: values for name, values in found.items() if values is not None}

    def fits(self, declared: Sequence[Any]) -> bool:
        """Whether the file's own shape of the input (an int where a length is fixed) can be this layout."""
        return len(declared) == len(self.axes) and all(
            not isinstance(d, int) or d == n for d, n in zip(declared[1:], self.shape, strict=True)
        )

    def axes_for(self, declared: Sequence[Any]) -> tuple[str, ...] | None:
        """Axes by which channels and window fit the file's own shape of the input; None for none."""
        n = len(self.lengths)
        spare = len(declared) - 1 - n
        if not 0 <= spare <= 4:
            return None
        for ones in combinations(range(1, len(declared)), spare):
            for named in permutations(self.lengths):
                left = iter(named)
                axes = tuple(ONE if i in ones else next(left) for i in range(1, len(declared)))
                made = self.model_copy(update={"axes": ("batch", *axes)})
                if made.fits(declared):
                    return made.axes
        return None

    def to_metadata(self) -> dict[str, str]:
        """The entries to put into an ONNX file's metadata."""
        return {METADATA_KEY: self.model_dump_json(exclude_defaults=True)}

    @classmethod
    def from_metadata(cls, metadata: Mapping[str, str], *, where: str = "model") -> InputContract | None:
        """Read the contract from an ONNX file's metadata; None where there is none.

        Raises
        ------
        InputError
            The metadata has a contract that is not valid.
        """
        text = metadata.get(METADATA_KEY)
        if text is None:
            return None
        named = f"{where}: the input contract in its metadata"
        return cls.parse(parse_json(text, "a contract", where=named), where=where)

    @classmethod
    def from_file(cls, path: str | Path) -> InputContract:
        """Read a contract from a YAML (or JSON) file."""
        path = Path(path)
        return cls.parse(read_yaml(path, "a contract", "a YAML contract"), where=str(path))

    @classmethod
    def parse(cls, data: Any, *, where: str) -> InputContract:
        """Validate plain data; every problem found ends up in one line."""
        try:
            return cls.model_validate(data)
        except ValidationError as e:
            said = problems(e, cls, data, whole="contract")
            raise InputError(f"{where}: the input contract is not valid ({said})") from None
