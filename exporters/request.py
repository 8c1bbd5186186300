"""What was asked for, and what a builder gives back."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from onnxplain.engine.contract import InputContract


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
    options : dict
        Handed on to the network's constructor.
    """

    channels: tuple[str, ...] | None = None
    sfreq: float | None = None
    window: float | None = None
    classes: tuple[str, ...] | None = None
    checkpoint: str | None = None
    options: dict[str, Any] = field(default_factory=dict)


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
