"""The table of metrics: what each is called here and in Quantus, which way is good, and where it is from."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType

from .intervals import Estimate


@dataclass(frozen=True)
class Metric:
    """One metric.

    Attributes
    ----------
    name : str
    quantus : str
        The class in Quantus (Hedstroem et al. 2023) that measures the same; "" where it has none. Numbers are
        not those of Quantus: features, replacement and scale are this package's.
    better : {"higher", "lower", ""}
        "" for what has no right amount.
    about : str
    paper : str
    """

    name: str
    quantus: str
    better: str
    about: str
    paper: str


_ALL = (
    Metric(
        "ABPC", "SymmetricRelevanceGain", "higher", "area between least-first and most-first curves",
        "Bluecher et al. 2024",
    ),
    Metric(
        "AOPC", "RegionPerturbation", "higher", "mean fall, most relevant first", "Samek et al. 2017, eq. 12"
    ),
    Metric(
        "AOPC, least first", "RegionPerturbation", "lower", "mean fall, least relevant first",
        "Samek et al. 2017",
    ),
    Metric("deletion", "PixelFlipping", "lower", "area under the deletion curve", "Petsiuk et al. 2018"),
    Metric("insertion", "PixelFlipping", "higher", "area under the insertion curve", "Petsiuk et al. 2018"),
    Metric(
        "randomised weights", "MPRT", "", "rank correlation with the map of a copy with random weights",
        "Adebayo et al. 2018",
    ),
    Metric(
        "another class", "RandomLogit", "", "cosine with the map of another class", "Sixt et al. 2020"
    ),
    Metric(
        "average sensitivity", "AvgSensitivity", "lower", "change of the map under noise, of its size",
        "Yeh et al. 2019",
    ),
    Metric(
        "maximum sensitivity", "MaxSensitivity", "lower", "the largest such change over draws",
        "Yeh et al. 2019",
    ),
    Metric("stability: noise", "", "", "rank correlation of the maps before and after", ""),
    Metric("stability: shift", "", "", "the same after a shift in time", ""),
    Metric("stability: dropout", "", "", "the same, of the groups that stay", ""),
    Metric("entropy", "Complexity", "", "entropy of the groups' parts, nats", "Bhatt et al. 2020"),
    Metric("gini", "Sparseness", "", "Gini index of |relevance|", "Chalasani et al. 2020"),
    Metric("effective groups", "", "", "exponential of the entropy", "Hill 1973"),
    Metric(
        "effective complexity", "EffectiveComplexity", "", "groups above 1 % of the largest",
        "Nguyen & Martinez 2020",
    ),
)  # fmt: skip

METRICS: Mapping[str, Metric] = MappingProxyType({m.name: m for m in _ALL})


@dataclass(frozen=True)
class MetricRow:
    """A metric of a method.

    Attributes
    ----------
    metric : Metric
    method : str
    replacement : str
        What stood in the place of what was taken away; "" where nothing was.
    value : Estimate
    random, power : Estimate or None
        The same of random relevance, and of the groups' power in the place of relevance.
    over_random : Estimate or None
        Less random orders, in pairs within windows.
    """

    metric: Metric
    method: str
    value: Estimate
    replacement: str = ""
    random: Estimate | None = None
    power: Estimate | None = None
    over_random: Estimate | None = None

    def to_dict(self) -> dict[str, object]:
        """The row as plain data."""
        each = {"random": self.random, "power": self.power, "over_random": self.over_random}
        return {
            "metric": self.metric.name,
            "quantus": self.metric.quantus or None,
            "better": self.metric.better or None,
            "method": self.method,
            "replacement": self.replacement or None,
            **self.value.to_dict(),
            **{name: None if e is None else e.to_dict() for name, e in each.items()},
        }
