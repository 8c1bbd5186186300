"""The settings of each check, as a policy has them: defaults, ranges and names that there are."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import (
    BaseModel,
    ConfigDict,
    Field,
    StringConstraints,
    field_validator,
)

from ..eeg.electrodes.regions import PARTITION, SAME, SETS
from ..eeg.explanation.bands import BANDS
from ..eeg.explanation.shares import REST
from ..engine.extensions import CHECKS, offered
from ..engine.storage.text import near, one_line
from .expects import Artefact

ARTEFACTS: tuple[Artefact, ...] = ("eyes", "heart", "muscle", "mains")
# A noisy electrode has no proxy: only independent components tell it.
ComponentKind = Literal["eyes", "heart", "muscle", "mains", "electrode"]
COMPONENT_KINDS: tuple[ComponentKind, ...] = (*ARTEFACTS, "electrode")

Share = Annotated[float, Field(ge=0, le=1, allow_inf_nan=False)]
Positive = Annotated[float, Field(gt=0, allow_inf_nan=False)]
Text = Annotated[str, StringConstraints(strip_whitespace=True, min_length=1, max_length=500)]


class Strict(BaseModel):
    """A part of a policy: no key that is not known, nothing read as another type, nothing changed."""

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True)


class _CheckSettings(Strict):
    enabled: bool = True


def _known_regions(value: dict[str, float]) -> dict[str, float]:
    known = [*SETS, *SAME, *PARTITION]
    for name in value:
        if name not in known:
            raise ValueError(f"no region {one_line(name, 40)!r}; {near(name, known, most=40)}")
    return value


class LedgerSettings(_CheckSettings):
    """Relevance and ledger against what was explained."""

    max_closure: Positive = 1e-3


class DeterminismSettings(_CheckSettings):
    """A second run against the first."""

    max_difference: Annotated[float, Field(ge=0, allow_inf_nan=False)] = 1e-5


class ParitySettings(_CheckSettings):
    """The outputs of a reference file on the same windows."""

    reference: str | None = None
    max_difference: Positive = 1e-3


class TaskSettings(_CheckSettings):
    """Whether the model does its task on this recording."""

    max_p: Annotated[float, Field(gt=0, lt=1, allow_inf_nan=False)] = 0.01
    min_accuracy: Share | None = None
    min_subject_accuracy: Share | None = None
    imbalance: Annotated[float, Field(gt=0.5, le=1, allow_inf_nan=False)] = 0.7


class FollowsSettings(_CheckSettings):
    """How far decisions may go with parts that no brain signal carries, or that the task has no use for."""

    max_follow: Share = 0.5
    warn_follow: Share = 0.2
    pairs: Annotated[int, Field(ge=20, le=2000)] = 100
    electrodes: Annotated[int, Field(ge=0, le=512)] = 4


class ConfirmedSettings(_CheckSettings):
    """Which smallest part of the signal carries most of the decision."""


class InterventionSettings(_CheckSettings):
    """Whether decisions go with an artefact that is exchanged between windows."""

    max_follow: Share = 0.5
    warn_follow: Share = 0.2
    artefacts: tuple[Artefact, ...] = ARTEFACTS
    required: tuple[Artefact, ...] = ("eyes",)


class TransplantSettings(_CheckSettings):
    """How far decisions may go with all of a region's signal, by region or set of electrodes."""

    max_follow: dict[str, Share] = {}

    @field_validator("max_follow")
    @classmethod
    def _regions(cls, value: dict[str, float]) -> dict[str, float]:
        return _known_regions(value)


class ShareSettings(_CheckSettings):
    """The artefact's share of the relevance against copies with random weights."""

    max_ratio: Annotated[float, Field(ge=1, allow_inf_nan=False)] = 1.5
    min_share: Share = 0.02
    copies: Annotated[int, Field(ge=2, le=20)] = 3
    artefacts: tuple[Artefact, ...] = ARTEFACTS
    max_share: dict[str, Share] = {}
    max_band: dict[str, Share] = {}

    @field_validator("max_band")
    @classmethod
    def _bands(cls, value: dict[str, float]) -> dict[str, float]:
        for name in value:
            if name not in (*BANDS, REST):
                raise ValueError(f"no band {one_line(name, 40)!r}; {near(name, (*BANDS, REST))}")
        return value

    @field_validator("max_share")
    @classmethod
    def _regions(cls, value: dict[str, float]) -> dict[str, float]:
        return _known_regions(value)


class ComponentsSettings(_CheckSettings):
    """The same of independent components that are called an artefact (ICLabel)."""

    max_follow: Share = 0.5
    warn_follow: Share = 0.2
    max_ratio: Annotated[float, Field(ge=1, allow_inf_nan=False)] = 1.5
    min_share: Share = 0.02
    artefacts: tuple[ComponentKind, ...] = COMPONENT_KINDS


class ElectrodesSettings(_CheckSettings):
    """Whether decisions go with what an electrode in trouble has alone."""

    max_follow: Share = 0.5
    warn_follow: Share = 0.2
    most: Annotated[int, Field(ge=1, le=64)] = 6


class ClustersSettings(_CheckSettings):
    """Strategies that go with an artefact."""

    max_correlation: Share = 0.5
    min_share: Share = 0.05


class SubjectsSettings(_CheckSettings):
    """Whether decisions tell subjects apart rather than classes."""

    max_explained: Share = 0.5
    permutations: Annotated[int, Field(ge=99, le=10_000)] = 499


class SessionSettings(_CheckSettings):
    """Whether decisions tell early from late in a recording rather than classes."""

    max_correlation: Share = 0.5


class BaselineSettings(_CheckSettings):
    """Whether the label can be read from artefacts alone: what the data offers."""

    folds: Annotated[int, Field(ge=2, le=20)] = 5


class AuditSettings(_CheckSettings):
    """Whether the label can be read from what is no brain signal: what the data offers."""

    windows: Annotated[int, Field(ge=20, le=1000)] = 500


class InvarianceSettings(_CheckSettings):
    """How many decisions change when the same is recorded otherwise; never counts."""

    windows: Annotated[int, Field(ge=4, le=1000)] = 64
    electrodes: Annotated[int, Field(ge=0, le=64)] = 3


class FaithfulnessSettings(_CheckSettings):
    """Whether the answer falls sooner in the map's order than in random ones."""

    windows: Annotated[int, Field(ge=4, le=1000)] = 32


class RandomisationSettings(_CheckSettings):
    """Whether maps change when weights are random."""

    max_similarity: Share = 0.9


class AgreementSettings(_CheckSettings):
    """Whether an unlike method finds the same electrodes."""

    min_rank: Annotated[float, Field(ge=-1, le=1, allow_inf_nan=False)] = 0.2
    windows: Annotated[int, Field(ge=4, le=1000)] = 16


class SignalsSettings(_CheckSettings):
    """Whether relevance is locked to signals that the model is known to use."""

    events: tuple[Text, ...] = ()
    max_p: Annotated[float, Field(gt=0, lt=1, allow_inf_nan=False)] = 0.05


class OtherSettings(BaseModel):
    """A check of another package: what it is given is for the check to read (`Case.settings`)."""

    model_config = ConfigDict(frozen=True, extra="allow", strict=True)

    enabled: bool = True
    required: bool = False


class Checks(Strict):
    """The checks, by name; those of other packages by their entry points' names under `other`."""

    ledger: LedgerSettings = LedgerSettings()
    determinism: DeterminismSettings = DeterminismSettings()
    parity: ParitySettings = ParitySettings()
    task: TaskSettings = TaskSettings()
    follows: FollowsSettings = FollowsSettings()
    confirmed: ConfirmedSettings = ConfirmedSettings()
    intervention: InterventionSettings = InterventionSettings()
    transplant: TransplantSettings = TransplantSettings()
    share: ShareSettings = ShareSettings()
    components: ComponentsSettings = ComponentsSettings()
    electrodes: ElectrodesSettings = ElectrodesSettings()
    clusters: ClustersSettings = ClustersSettings()
    subjects: SubjectsSettings = SubjectsSettings()
    session: SessionSettings = SessionSettings()
    baseline: BaselineSettings = BaselineSettings()
    audit: AuditSettings = AuditSettings()
    invariance: InvarianceSettings = InvarianceSettings()
    faithfulness: FaithfulnessSettings = FaithfulnessSettings()
    randomisation: RandomisationSettings = RandomisationSettings()
    agreement: AgreementSettings = AgreementSettings()
    signals: SignalsSettings = SignalsSettings()
    other: dict[str, OtherSettings] = {}

    @field_validator("other")
    @classmethod
    def _installed(cls, value: dict[str, OtherSettings]) -> dict[str, OtherSettings]:
        known = installed()
        for name in value:
            if name not in known:
                there = near(name, known) if known else "none is installed"
                raise ValueError(f"no package offers a check {one_line(name, 40)!r}; {there}")
        return value


def installed() -> tuple[str, ...]:
    """Names of the checks that other packages offer."""
    return tuple(sorted(offered(CHECKS)))
