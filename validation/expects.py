"""What the task may use: the policy's `expects`, with presets for tasks that many have.

Whoever deploys a model knows its task. A preset says where the literature finds it, widely: it is there to
tell what has nothing to do with the task, and not to say where exactly the task is.
"""

from __future__ import annotations

import contextlib
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Annotated, Any, Literal

import numpy as np
from numpy.typing import NDArray
from pydantic import BaseModel, ConfigDict, Field, model_validator

from ..eeg.electrodes.positions import Electrodes
from ..eeg.electrodes.regions import PARTITION, SAME, SETS, members, unknown
from ..eeg.exchange.expected import Expected
from ..eeg.explanation.bands import BANDS
from ..eeg.text import listed, plain
from ..engine.errors import PolicyError
from ..engine.storage.text import near

REGIONS = (*PARTITION, *SETS, *SAME)
Artefact = Literal["eyes", "heart", "muscle", "mains"]
Band = tuple[float, float]

# Names that bands have beside those of `BANDS`, in Hz.
NAMES: Mapping[str, Band] = {
    **{name: BANDS[name] for name in BANDS},
    "alpha": (8.0, 13.0),
    "mu": (8.0, 13.0),
    "slow": (0.0, 1.0),
    "slow waves": (0.3, 4.0),
    "sigma": (11.0, 16.0),
    "high gamma": (52.0, 150.0),
}


@dataclass(frozen=True)
class Preset:
    """What one task may use.

    Attributes
    ----------
    bands : tuple of (float, float), or None
        In Hz.
    regions : tuple of str, or None
    artefacts : tuple of str
    literature : str
        Where this is found.
    """

    bands: tuple[Band, ...] | None
    regions: tuple[str, ...] | None
    artefacts: tuple[Artefact, ...]
    literature: str


PRESETS: Mapping[str, Preset] = {
    "motor-imagery": Preset(
        ((8.0, 30.0),), ("sensorimotor", "central", "frontocentral", "centroparietal"), (),
        "Mu and beta rhythms over hand and foot areas (Pfurtscheller & Lopes da Silva 1999, "
        "doi:10.1016/S1388-2457(99)00141-8).",
    ),
    "p300": Preset(
        ((0.0, 12.0),),
        ("Fz", "frontocentral", "central", "centroparietal", "parietal", "parieto-occipital", "occipital"),
        (), "A centroparietal wave of delta and theta 250 to 600 ms after a target, with the visual N1 and "
        "N2 before it (Polich 2007, doi:10.1016/j.clinph.2007.04.019).",
    ),
    "sleep-staging": Preset(
        ((0.0, 30.0),), None, ("eyes", "muscle"),
        "Slow waves, spindles, alpha, eye movements and the chin's tone (Berry et al. 2017, AASM manual 2.4, "
        "doi:10.5664/jcsm.6576).",
    ),
    "resting-alpha": Preset(
        ((7.0, 14.0),), ("parietal", "parieto-occipital", "occipital", "temporal", "centroparietal"), (),
        "Posterior alpha that eyes closed let rise (Klimesch 1999, doi:10.1016/S0165-0173(98)00056-3).",
    ),
    "seizure": Preset(
        ((0.5, 40.0),), None, (),
        "Rhythmic discharges that evolve, anywhere on the scalp, 0.5 to 30 Hz and faster at their onset "
        "(Hirsch et al. 2021, doi:10.1097/WNP.0000000000000806).",
    ),
    "arousal": Preset(
        ((0.5, 45.0),), None, (),
        "Theta, alpha, beta and gamma power over all of the head (Aftanas et al. 2004, "
        "doi:10.1023/B:NEAB.0000038139.39812.eb; Koelstra et al. 2012, doi:10.1109/T-AFFC.2011.15).",
    ),
}  # fmt: skip
# Other names of the presets.
ALSO: Mapping[str, str] = {
    "mi": "motor-imagery",
    "motor-execution": "motor-imagery",
    "erp": "p300",
    "oddball": "p300",
    "sleep": "sleep-staging",
    "sleep-stages": "sleep-staging",
    "alpha": "resting-alpha",
    "resting-state": "resting-alpha",
    "seizures": "seizure",
    "seizure-detection": "seizure",
    "emotion": "arousal",
}


class Expects(BaseModel):
    """What a model may use, as the policy says it.

    Attributes
    ----------
    task : str or None
        One of `PRESETS`, which gives what is not said otherwise; or any other name, for the reader.
    bands : tuple of str or (float, float), or None
        Names or edges in Hz. One that begins at 0 has the window's mean too.
    regions : tuple of str, or None
        Regions and sets of electrodes, or electrodes.
    seconds : (float, float) or None
        Of the window.
    artefacts : tuple of str, or None
        Which artefacts the task may use.
    """

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True)

    task: Annotated[str, Field(min_length=1, max_length=80)] | None = None
    bands: tuple[str | tuple[float | int, float | int], ...] | None = None
    regions: tuple[str, ...] | None = None
    seconds: tuple[float | int, float | int] | None = None
    artefacts: tuple[Artefact, ...] | None = None

    @model_validator(mode="after")
    def _known(self) -> Expects:
        for band in self.bands or ():
            edges(band)
        for region in self.regions or ():
            if not region.strip():
                raise ValueError("regions: a name is empty")
        if self.seconds is not None and not 0 <= self.seconds[0] < self.seconds[1]:
            raise ValueError(
                f"seconds: from {self.seconds[0]:g} to {self.seconds[1]:g} is no stretch of a window"
            )
        if self.task is not None and self.preset is None and self._says_nothing:
            raise ValueError(
                f"task {plain(self.task, 40)!r} is no preset; {near(self.task, PRESETS)}; "
                "or say bands, regions, seconds or artefacts"
            )
        if self.task is None and self._says_nothing:
            raise ValueError(
                f"says nothing: give a task ({', '.join(PRESETS)}), bands, regions, seconds or artefacts"
            )
        return self

    @property
    def _says_nothing(self) -> bool:
        return self.bands is None and self.regions is None and self.seconds is None and self.artefacts is None

    @property
    def preset(self) -> Preset | None:
        """The preset of the task."""
        if self.task is None:
            return None
        key = "-".join(self.task.casefold().replace("_", " ").replace("-", " ").split())
        return PRESETS.get(ALSO.get(key, key))

    @property
    def all_bands(self) -> tuple[Band, ...] | None:
        """Bands in Hz; None for any."""
        if self.bands is not None:
            return tuple(edges(b) for b in self.bands)
        return None if self.preset is None else self.preset.bands

    @property
    def all_regions(self) -> tuple[str, ...] | None:
        """Regions; None for any."""
        return self.regions if self.regions is not None or self.preset is None else self.preset.regions

    @property
    def all_artefacts(self) -> tuple[Artefact, ...]:
        """Artefacts that the task may use."""
        if self.artefacts is not None:
            return self.artefacts
        return () if self.preset is None else self.preset.artefacts

    def on(self, electrodes: Electrodes, sfreq: float, samples: int) -> Expected:
        """What it says of windows of these electrodes and this length.

        Raises
        ------
        PolicyError
            As `rows`.
        """
        seconds = None if self.seconds is None else (float(self.seconds[0]), float(self.seconds[1]))
        return Expected(self.all_bands, self.rows(electrodes), seconds, sfreq, samples)

    def rows(self, electrodes: Electrodes) -> NDArray[np.bool_] | None:
        """Which electrodes of a model the task may use; None for any.

        Where none lies in any of the regions, and it is known of all where they lie, none may be used; where
        it is not known of all, any may.

        Raises
        ------
        PolicyError
            Something is named that is neither a region nor an electrode of the model.
        """
        if self.all_regions is None:
            return None
        named: set[str] = set()
        for region in self.all_regions:
            here = members(region if region in REGIONS else [region], electrodes)
            if not here and region not in REGIONS and self.regions is not None:
                raise PolicyError(
                    f"expects.regions: no region {plain(region)!r}, and no electrode of the model; there are "
                    f"{listed(REGIONS, 40)}"
                )
            named.update(here)
        found = np.array([c in named for c in electrodes])
        return None if not found.any() and unknown(electrodes) else found

    def said(self) -> str:
        """In words: what decisions may follow."""
        bands, regions = self.all_bands, self.all_regions
        parts = [
            "any frequency"
            if bands is None
            else " and ".join(f"{low:g} to {high:g} Hz" for low, high in bands),
            "any electrode" if regions is None else ", ".join(regions),
        ]
        if self.seconds is not None:
            parts.append(f"{self.seconds[0]:g} to {self.seconds[1]:g} s")
        parts += [f"the {a}" if a in ("heart", "mains") else a for a in self.all_artefacts]
        return "; ".join([*([self.task] if self.task else []), *parts])


def edges(band: Any) -> Band:
    """A band's edges in Hz.

    Raises
    ------
    ValueError
        No such band, or no band.
    """
    if isinstance(band, str):
        key = " ".join(band.casefold().replace("_", " ").replace("-", " ").split())
        if key in NAMES:
            return NAMES[key]
        low, dash, high = band.replace("Hz", "").partition("-")
        with contextlib.suppress(ValueError):
            band = (float(low), float(high)) if dash else band
        if isinstance(band, str):
            raise ValueError(
                f"bands: no band {plain(band, 40)!r}; {near(band, NAMES)} (or edges in Hz: [8, 30])"
            )
    low_edge, high_edge = float(band[0]), float(band[1])
    if not (np.isfinite(low_edge) and np.isfinite(high_edge) and 0 <= low_edge < high_edge):
        raise ValueError(f"bands: from {low_edge:g} to {high_edge:g} Hz is no band")
    return low_edge, high_edge
