"""The policy: which checks, which thresholds, what is waived until when; read strictly."""

from __future__ import annotations

import datetime
import hashlib
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import (
    Field,
    ValidationError,
    field_validator,
    model_validator,
)

from ..engine.composite import composite as find_composite
from ..engine.errors import InputError, PolicyError
from ..engine.storage.documents import parse_yaml
from ..engine.storage.problems import problems
from ..engine.storage.text import near, one_line, read
from .check_settings import Checks, Strict, Text, installed
from .expects import Expects

VERSION = 1


class Waiver(Strict):
    """A check whose failing is known and accepted for a time."""

    check: Text
    reason: Text
    until: datetime.date

    @field_validator("check")
    @classmethod
    def _known(cls, value: str) -> str:
        family, dot, about = value.partition(".")
        known = [*(name for name in Checks.model_fields if name != "other"), *installed()]
        if family not in known or (dot and not about):
            raise ValueError(f"no check {one_line(value, 40)!r}; {near(family, known, most=30)}")
        return value


class Policy(Strict):
    """What a model has to pass.

    Attributes
    ----------
    version : int
        Of this format: 1.
    composite : str
        The rules that maps are made with. `cplrp_pooled` sees what norms over electrodes hide.
    against : str or None
        What windows are held against where the composite is of a difference: "other" windows of the same
        subject that the model calls otherwise (None, too), "any" of them, or those with a label.
    references : int
        How many each is held against.
    events : str or None
        As for `explain`; None takes the annotations that name classes where there are some, and else
        windows one after the other.
    target : str, int or None
        Which number of a regression is looked at, by the contract's name or from 0; None for its first.
    windows : int
        At most so many, chosen by the seed.
    seed : int
    expects : Expects or None
        What the task may use; without it there is no PASS.
    warning_exits : {0, 1}
        What the command line exits with on a WARNING.
    checks : Checks
    waivers : tuple of Waiver
    """

    version: Literal[1]
    composite: str = "cplrp_pooled"
    against: Text | None = None
    references: Annotated[int, Field(ge=1, le=64)] = 4
    events: str | None = None
    target: Text | Annotated[int, Field(ge=0)] | None = None
    windows: Annotated[int, Field(ge=10, le=100_000)] = 256
    seed: Annotated[int, Field(ge=0)] = 0
    expects: Expects | None = None
    warning_exits: Literal[0, 1] = 0
    checks: Checks = Checks()
    waivers: tuple[Waiver, ...] = ()

    @field_validator("composite")
    @classmethod
    def _composite(cls, value: str) -> str:
        try:
            find_composite(value)
        except InputError as e:
            raise ValueError(str(e)) from None
        return value

    @model_validator(mode="after")
    def _held(self) -> Policy:
        if self.against is not None and (
            self.against == "none" or not find_composite(self.composite).is_difference
        ):
            raise ValueError(
                f"against {self.against!r}: the composite {self.composite!r} is "
                + (
                    "of a difference"
                    if self.against == "none"
                    else "against zero; take composite: difference"
                )
            )
        return self

    @classmethod
    def from_file(cls, path: str | Path) -> Policy:
        """Read a policy from YAML.

        Raises
        ------
        PolicyError
            One line with the place and the reason: a key that is not known, a value out of its range.
        """
        path = Path(path)
        text = read(path, "a policy", error=PolicyError)
        return cls.from_text(text, str(path))

    @classmethod
    def from_text(cls, text: str, where: str = "policy") -> Policy:
        """Read a policy from YAML text; see `from_file`."""
        data = parse_yaml(text, "YAML", error=PolicyError, where=where)
        if not isinstance(data, dict):
            raise PolicyError(f"{where}: no keys and values; `onnxplain validate --init` prints a policy")
        try:
            return cls.model_validate(data := _tuples(data))
        except ValidationError as e:
            said = problems(e, cls, data, whole="policy")
            hint = " (`onnxplain validate --init` prints all keys)" if "no such key" in said else ""
            raise PolicyError(f"{where}: {said}{hint}") from None

    def digest(self) -> str:
        """SHA-256 of what it says, whatever its file's comments and order."""
        return hashlib.sha256(self.model_dump_json().encode()).hexdigest()


def _tuples(data: Any) -> Any:
    """Lists as tuples, which strict validation asks for; whole numbers stay whole."""
    if isinstance(data, dict):
        return {k: _tuples(v) for k, v in data.items()}
    return tuple(_tuples(v) for v in data) if isinstance(data, list) else data


STARTER = """\
# What a model has to pass. Set it before you look at a model, and keep this file under version control.
# `version` has to be there; a key that is left out has the value that stands here, but for `warning_exits`
# (0).
version: 1

# What the task may use. Decisions that follow anything else are a sign; without this the best verdict is a
# WARNING.
# Name a task (motor-imagery, p300, sleep-staging, resting-alpha, seizure, arousal), or say it yourself:
#   bands: [alpha/mu, beta, [4, 8]]      names, or Hz; one that begins at 0 has the window's mean too
#   regions: [sensorimotor, C3]          regions and sets of electrodes, or electrodes
#   seconds: [0.2, 0.8]                  of the window
#   artefacts: [heart]                   eyes, heart, muscle, mains: where the task is about them
# What is said beside a task takes the place of what the task's preset says of it.
expects: null             # {task: motor-imagery}

composite: cplrp_pooled   # the rules of the maps; this one sees what norms over electrodes hide
# With `composite: difference` windows are held against others of the same subject: other (those that the
# model calls otherwise, the default), any, or a label; and so many each.
against: null
references: 4
target: null              # of a regression the number that is looked at; by default the first
windows: 256              # at most so many, chosen by the seed
seed: 0
warning_exits: 1          # 0: a WARNING lets the model pass
# events: left,right      # windows start at these annotations; by default at those that name classes

checks:
  # Is the account of relevance complete, is a second run the same, does a reference file agree?
  ledger: {max_closure: 1.0e-3}
  determinism: {max_difference: 1.0e-5}
  parity: {reference: null, max_difference: 1.0e-3}      # another ONNX file of the same model

  # Does the model do its task here? Above chance, and where you say so, above a number; and for every
  # subject (min_subject_accuracy: of each, over classes; ten labelled windows of two classes are needed).
  task: {max_p: 0.01, min_accuracy: null, min_subject_accuracy: null, imbalance: 0.7}

  # What decisions follow, of all that a signal is made of: how often a decision goes with a part that is
  # exchanged between windows, less what exchanging it between windows of one decision changes. Above
  # max_follow, parts that no brain signal carries (the line, gain, resolution, repeated samples, reference,
  # order of electrodes) and what lies outside of `expects` fail the gate; above warn_follow they warn.
  follows: {max_follow: 0.5, warn_follow: 0.2, pairs: 100, electrodes: 4}
  # The smallest part that carries most of the decision, which a map proposes and an exchange confirms.
  confirmed: {}
  # The same of artefacts, as their proxies have them, but what of them lies in `expects`.
  # required: artefacts that must be looked for, or there is no verdict.
  intervention: {max_follow: 0.5, warn_follow: 0.2, artefacts: [eyes, heart, muscle, mains], required: [eyes]}
  # All that a region's electrodes have, for regions that you hold to a number: {frontal-ocular: 0.3}.
  transplant: {max_follow: {}}
  # The artefact's share of the relevance, over that in copies with random weights; a share below
  # min_share is no sign. It supports an exchange, and warns only where none could answer it. max_share and
  # max_band hold regions and bands to numbers of yours: {frontopolar: 0.3}, {gamma: 0.2}.
  share:
    max_ratio: 1.5
    min_share: 0.02
    copies: 3
    artefacts: [eyes, heart, muscle, mains]
    max_share: {}
    max_band: {}
  # Exchange and share of independent components that ICLabel calls eye, heart, muscle, line noise, or
  # noise of one electrode.
  components:
    max_follow: 0.5
    warn_follow: 0.2
    max_ratio: 1.5
    min_share: 0.02
    artefacts: [eyes, heart, muscle, mains, electrode]
  # What an electrode has that the others do not predict, exchanged between windows, for those (at most
  # `most`) that pop, hum, wander, or are noisy or flat.
  electrodes: {max_follow: 0.5, warn_follow: 0.2, most: 6}
  # Clusters of maps (at least this part of the windows) that go with an artefact.
  clusters: {max_correlation: 0.5, min_share: 0.05}
  # How much of what decides is the subject's and not the class's (datasets of several subjects).
  subjects: {max_explained: 0.5, permutations: 499}

  # How far the output goes with the time in the recording, within classes.
  session: {max_correlation: 0.5}

  # What the data offers: can the label be read from artefacts alone? Never counts against a model.
  baseline: {folds: 5}
  # The same from what is no brain signal: offset, drift, gain, resolution, time. Never counts either.
  audit: {windows: 500}
  # How many decisions change under gain, offset, drift, mains, a lost electrode, another reference: told.
  invariance: {windows: 64, electrodes: 3}

  # Can maps be trusted on this model? Taking away what they name first must matter more than taking
  # away anything; they must change with random weights, and an unlike method find similar electrodes.
  faithfulness: {windows: 32}
  randomisation: {max_similarity: 0.9}
  agreement: {min_rank: 0.2, windows: 16}
  # Signals that the model is known to use (r-peaks, blinks, saccades, annotations): verified first.
  signals: {events: [], max_p: 0.05}

  # Checks of other packages that are installed (docs/extending.md), by name; all of them are made unless
  # turned off. required: without a result there is no pass. Anything else is for the check to read:
  # {drift: {enabled: true, required: true, max_correlation: 0.3}}.
  other: {}

# A failing check that is known and accepted, for a time:
# waivers:
#   - {check: share.muscle, reason: "jaw task, see report 12", until: 2027-06-30}
waivers: []
"""
