"""Blinded expert review, scored: can experts tell a network's maps from others, and do they agree?"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, Literal, TypeVar

import numpy as np
from numpy.typing import NDArray
from pydantic import BaseModel, ConfigDict, Field, StrictBool, StrictInt, ValidationError
from scipy import stats

from ...engine.errors import InputError
from ...engine.storage.documents import read_json
from ...engine.storage.problems import problems
from ..text import counted, plain
from .page import JUDGEMENTS

_LARGEST = 1_000_000


class _Strict(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class _Item(_Strict):
    label: str
    true: StrictBool
    class_: str = Field(alias="class")
    window: StrictInt
    onset: float


class _Key(_Strict):
    review: str
    seed: int
    versions: dict[str, str]
    items: dict[str, _Item] = Field(min_length=1)


class _Answer(_Strict):
    judgement: Literal["plausible", "not plausible", "unsure"]
    confidence: Annotated[StrictInt, Field(ge=1, le=5)]


class _Answers(_Strict):
    review: str
    expert: str = Field(min_length=1, max_length=80)
    answers: dict[str, _Answer]


_Read = TypeVar("_Read", bound=_Strict)


@dataclass(frozen=True)
class Expert:
    """What one expert's answers come to.

    Attributes
    ----------
    name : str
    correct, decided, unsure : int
        Right answers ("plausible" for the network's map, "not plausible" for another), of those decided.
    accuracy, low, high : float or None
        Of the decided ones, with Wilson's interval (95 %); None where all are unsure.
    kappa : float or None
        Cohen's kappa with the truth over the decided ones; None where expert and truth know one answer only.
    confidence : float
        Mean, 1 to 5.
    """

    name: str
    correct: int
    decided: int
    unsure: int
    accuracy: float | None
    low: float | None
    high: float | None
    kappa: float | None
    confidence: float


@dataclass(frozen=True)
class Score:
    """A review's outcome.

    Attributes
    ----------
    experts : tuple of Expert
    fleiss : float or None
        Fleiss' kappa of the experts over the three answers; None for one expert, or one answer only.
    chance : float
        The larger of the parts that are the network's and others'.
    items : int
    plausible : dict of str to float
        By what the maps are of: the part of answers that is "plausible".
    """

    experts: tuple[Expert, ...]
    fleiss: float | None
    chance: float
    items: int
    plausible: dict[str, float]

    def sentences(self) -> list[str]:
        """The outcome in words."""
        said = []
        for e in self.experts:
            if e.accuracy is None or e.low is None or e.high is None:
                said.append(f"{plain(e.name)} was unsure about all {self.items} maps.")
                continue
            if e.low > self.chance:
                verdict = "tells the network's maps from the others"
            elif e.high < self.chance:
                verdict = "takes the others for the network's more often than chance would"
            else:
                verdict = "cannot be told from guessing"
            kappa = "" if e.kappa is None else f", Cohen's kappa with the truth {e.kappa:.2f}"
            said.append(
                f"{plain(e.name)} {verdict}: {e.correct} of {e.decided} decided maps right "
                f"({e.accuracy:.0%}, interval {e.low:.0%} to {e.high:.0%}; guessing {self.chance:.0%})"
                f"{kappa}; {counted(e.unsure, 'map')} unsure."
            )
        found = ", ".join(f"{plain(label)} {part:.0%}" for label, part in self.plausible.items())
        said.append(f"Called plausible: {found}.")
        if self.fleiss is not None:
            said.append(
                f"Agreement of the {len(self.experts)} experts: Fleiss' kappa {self.fleiss:.2f} "
                "(1 is full agreement, 0 what chance gives)."
            )
        elif len(self.experts) > 1:
            said.append(
                "Fleiss' kappa is not defined: all experts gave one and the same answer to every map."
            )
        return said


def score(key_path: Path, answers_paths: Sequence[Path]) -> Score:
    """Compare experts' answers with the key.

    Parameters
    ----------
    key_path : Path
        key.json, as `review.make` wrote it.
    answers_paths : sequence of Path
        What the page exported, one file an expert.

    Returns
    -------
    Score

    Raises
    ------
    InputError
        A file that cannot be read, is malformed, answers another review or other maps, or an expert twice.
    """
    key = _read(Path(key_path), _Key, "key of a review")
    if not answers_paths:
        raise InputError("review: no answers to score; give the files that the page saved")
    given: dict[str, _Answers] = {}
    for path in map(Path, answers_paths):
        found = _read(path, _Answers, "file of answers")
        where = plain(path.name)
        if found.review != key.review:
            raise InputError(f"{where}: answers another review than the key is of")
        if found.answers.keys() != key.items.keys():
            lost, more = len(key.items.keys() - found.answers), len(found.answers.keys() - key.items)
            raise InputError(
                f"{where}: {lost} of {len(key.items)} maps have no answer, {more} are not in the key"
            )
        name = " ".join(found.expert.casefold().split())
        if not name or name in given:
            raise InputError(f"{where}: expert {plain(found.expert)!r} is empty or has answered already")
        given[name] = found
    ids = list(key.items)
    truth = np.array([key.items[i].true for i in ids])
    judged = np.array([[JUDGEMENTS.index(a.answers[i].judgement) for i in ids] for a in given.values()])
    labels = np.array([key.items[i].label for i in ids], dtype=object)
    counts = np.stack([(judged == k).sum(0) for k in range(len(JUDGEMENTS))], -1)
    return Score(
        experts=tuple(_expert(a, row, truth, ids) for a, row in zip(given.values(), judged, strict=True)),
        fleiss=fleiss_kappa(counts) if len(given) > 1 else None,
        chance=float(max(truth.mean(), 1 - truth.mean())),
        items=len(ids),
        plausible={
            str(label): float((judged[:, labels == label] == 0).mean()) for label in dict.fromkeys(labels)
        },
    )


def fleiss_kappa(counts: NDArray[Any]) -> float | None:
    """Agreement of several raters beyond chance (Fleiss 1971, eq. 7).

    Parameters
    ----------
    counts : ndarray, shape (item, category)
        How many raters put an item into a category; as many raters for each item.

    Returns
    -------
    float or None
        None where only one category was ever used: then chance agrees fully as well.

    Raises
    ------
    InputError
        Fewer than two raters, or not as many for each item.
    """
    counts = np.asarray(counts, dtype=np.float64)
    raters = counts.sum(-1)
    if counts.ndim != 2 or not len(counts) or raters.min() != raters.max() or raters[0] < 2:
        raise InputError("Fleiss' kappa: two raters or more are needed, as many for each map")
    n = raters[0]
    expected = float(((counts.sum(0) / counts.sum()) ** 2).sum())
    observed = float(((counts**2).sum(-1) - n).mean() / (n * (n - 1)))
    return None if expected >= 1 else (observed - expected) / (1 - expected)


def _expert(answers: _Answers, judged: NDArray[Any], truth: NDArray[np.bool_], ids: list[str]) -> Expert:
    from sklearn.metrics import cohen_kappa_score

    sure = judged != JUDGEMENTS.index("unsure")
    said, real = judged[sure] == JUDGEMENTS.index("plausible"), truth[sure]
    right, decided = int((said == real).sum()), int(sure.sum())
    interval = stats.binomtest(right, decided).proportion_ci(method="wilson") if decided else None
    defined = len(np.unique(np.concatenate([said, real]))) > 1
    return Expert(
        name=answers.expert,
        correct=right,
        decided=decided,
        unsure=len(ids) - decided,
        accuracy=right / decided if decided else None,
        low=float(interval.low) if interval else None,
        high=float(interval.high) if interval else None,
        kappa=float(cohen_kappa_score(said, real)) if defined else None,
        confidence=float(np.mean([answers.answers[i].confidence for i in ids])),
    )


def _read(path: Path, kind: type[_Read], what: str) -> _Read:
    where = plain(path.name)
    data = read_json(path, f"a {what}", where=where, largest=_LARGEST)
    try:
        return kind.model_validate(data)
    except ValidationError as e:
        raise InputError(f"{where}: not a {what} ({problems(e, kind, data)})") from None
