"""All parts that windows of one shape have, in the order in which they are told."""

from __future__ import annotations

from collections.abc import Sequence

from ..electrodes.positions import Electrodes
from .clipping import ClippingPart
from .expected import Expected
from .machine import RepeatsPart, ResolutionPart, fast_gain_part, gain_part
from .parts import Floats, SignalPart, shared_tone, spectrum_parts, time_parts, tone_part, tones
from .polarity import polarity_part
from .relations import order_part, reference_part
from .silence import SilencePart
from .spatial import alone_parts, electrode_parts, region_parts, space_parts
from .wiring import bridge_part, reference_electrode_part


def catalogue(
    x: Floats,
    sfreq: float,
    electrodes: Electrodes,
    expected: Expected | None = None,
    strongest: Sequence[int] = (),
) -> list[SignalPart]:
    """Every part that can be had of these windows, by the signal alone.

    Parameters
    ----------
    x : ndarray, shape (window, channel, time)
        Microvolt.
    sfreq : float
        Hz.
    electrodes : Electrodes
    expected : Expected, optional
        What the task may use: frequencies in it do not say how large a window is.
    strongest : sequence of int
        Electrodes that are exchanged one by one.
    """
    n, lines = x.shape[-1], tones(x, sfreq)
    inside = None if expected is None else expected.frequencies
    machine = [
        gain_part(x, sfreq, inside),
        ResolutionPart(),
        RepeatsPart(),
        ClippingPart(),
        SilencePart(sfreq),
        reference_part(x),
        reference_electrode_part(x, electrodes),
        bridge_part(x),
        order_part(electrodes),
        polarity_part(electrodes),
        *(shared_tone(tone, n, sfreq) for tone in lines),
    ]
    found: list[SignalPart | None] = [
        *spectrum_parts(n, sfreq),
        *(tone_part(tone, n, sfreq) for tone in lines),
        fast_gain_part(sfreq),
        *machine,
        *time_parts(n, sfreq),
        *space_parts(x, electrodes),
        *region_parts(electrodes),
        *electrode_parts(electrodes, strongest),
        *alone_parts(x, electrodes, strongest),
    ]
    return [part for part in found if part is not None]
