"""What was asked for, and what a builder gives back."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from onnxplain.engine.contract import InputContract

# What a network does not tell of its input, and a recording needs.
SIGNAL = ("unit", "scale", "highpass", "lowpass", "notch", "reference")


@dataclass(frozen=True)
class Request:
    """One export in plain terms; None leaves a choice to the builder.

    Attributes
    ----------
    channels : tuple of str or None
        Electrode names in order.
    sfreq : float or None
        Sampling rate in Hz.
    window : float or None
        Seconds.
    classes : tuple of str or None
        Names of the outputs.
    checkpoint : str or None
        File or Hugging Face id.
    contract : InputContract or None
        All of the input at once; what else is given counts more.
    signal : dict
        Of the contract: unit, scale, highpass, lowpass, notch, reference, axes; without what is not given.
    options : dict
        Handed on to the network's constructor.
    """

    channels: tuple[str, ...] | None = None
    sfreq: float | None = None
    window: float | None = None
    classes: tuple[str, ...] | None = None
    checkpoint: str | None = None
    contract: InputContract | None = None
    signal: Mapping[str, Any] = field(default_factory=dict)
    options: dict[str, Any] = field(default_factory=dict)


def with_signal(contract: InputContract, signal: Mapping[str, Any], *, whole: bool = True) -> InputContract:
    """A contract with what somebody says of the signal, checked.

    Parameters
    ----------
    contract : InputContract
    signal : mapping
        Keys of the contract; None for what is not said.
    whole : bool
        The contract knows its signal; else what is not said is marked as unknown.

    Raises
    ------
    InputError
        They do not go together.
    """
    known = contract.model_dump(exclude_defaults=True)
    given = {k: v for k, v in signal.items() if v is not None}
    unknown = [k for k in (contract.unknown if whole else SIGNAL) if k not in given]
    return InputContract.parse(
        {**known, **given, "unknown": unknown}, where=", ".join(f"--{k}" for k in given) or "contract"
    )


@dataclass(frozen=True)
class Built:
    """A network ready for export.

    Attributes
    ----------
    module : torch.nn.Module
        Takes one array as the contract says, returns the outputs.
    contract : InputContract
        What goes into the file.
    notes : tuple of str
        What a reader of the report should know.
    """

    module: Any
    contract: InputContract
    notes: tuple[str, ...] = ()
