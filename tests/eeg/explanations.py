"""Explanations made by hand: a signal, a multiplier, and what was explained, without any model."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from onnxplain.eeg.electrodes.positions import Electrodes
from onnxplain.eeg.explanation import dataset as views
from onnxplain.eeg.explanation.explained import Explained
from onnxplain.eeg.recording.windows import Windows, to_model_layout
from onnxplain.engine.contract import InputContract


def made(
    names: Sequence[str],
    *,
    signal: np.ndarray | None = None,
    multiplier: np.ndarray | None = None,
    relevance: np.ndarray | None = None,
    unassigned: np.ndarray | None = None,
    sfreq: float = 100.0,
    onsets: Sequence[float] | None = None,
    target: np.ndarray | None = None,
    **contract: Any,
) -> Explained:
    """An explanation; arrays are [epoch, channel, time], the signal in microvolt.

    Relevance is the model's input times the multiplier, and what is unassigned; or as it is given.
    """
    shape = next(a.shape for a in (signal, relevance) if a is not None)
    signal = np.ones(shape) if signal is None else signal
    settings = InputContract(
        input="x", channels=tuple(names), sfreq=sfreq, window=shape[-1], classes=("left", "right"), **contract
    )
    x = signal * settings.scale
    if relevance is None:
        assert multiplier is not None
        relevance = x * multiplier + (0 if unassigned is None else unassigned)

    def laid(a: np.ndarray | None) -> np.ndarray | None:
        return None if a is None else to_model_layout(a, settings)

    windows = Windows(
        data=to_model_layout(x, settings), signal=signal,
        channels=names if isinstance(names, Electrodes) else Electrodes(names),
        times=np.arange(shape[-1]) / sfreq,
        onsets=np.arange(shape[0]) * shape[-1] / sfreq if onsets is None else np.array(onsets, dtype=float),
        labels=(None,) * shape[0], sfreq=sfreq, decisions=(),
    )  # fmt: skip
    dataset = views.to_dataset(
        windows, settings, relevance=to_model_layout(relevance, settings), multiplier=laid(multiplier),
        unassigned=laid(unassigned), explained=relevance.sum((1, 2)), target=target,
    )  # fmt: skip
    return Explained(dataset, windows, settings, {})
