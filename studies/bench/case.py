"""What a case of the bench says before anything is run."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from kinds import Kind

HONEST = ("honest", "weak", "uneven")
CONTROLS = ("random", "constant", "inverted", "shuffled")
WEAK_SOURCE = 0.45  # the task's own source beside a shortcut, where it says anything


@dataclass(frozen=True)
class Case:
    """A network to be trained, and what is right to say of it.

    Attributes
    ----------
    name : str
    task, architecture : str
        Keys of `tasks.TASKS` and `networks.RECIPES`.
    kind : str
        One of `HONEST`, of `CONTROLS`, or a kind of shortcut.
    strength : str
        "strong" or "weak" of a shortcut; of an honest case "usual" or "weak".
    seed : int
        Of the subjects, of their noise and of the network's start.
    exit : int
        The gate's exit code that is right with what the task expects.
    words : tuple of str
        Any of these in the verdict's reasons or names, in lower case, names the cause right.
    source : float
        Size of the task's own source.
    own : {"label", "chance"}
        What the task's own source goes with.
    agree : float
        Share of the trials in which a shortcut goes with the label.
    """

    name: str
    task: str
    architecture: str
    kind: str
    strength: str
    seed: int
    exit: int
    words: tuple[str, ...] = ()
    source: float = 1.0
    own: Literal["label", "chance"] = "label"
    agree: float = 1.0

    @property
    def honest(self) -> bool:
        """Whether the network does what it is for."""
        return self.kind in HONEST

    @property
    def control(self) -> bool:
        """Whether the network is none that anybody would deploy."""
        return self.kind in CONTROLS

    @property
    def shortcut(self) -> bool:
        """Whether the network decides by a shortcut."""
        return not self.honest and not self.control


def honest_cases(first: int, rows: str) -> list[Case]:
    """Cases from lines of task, architecture, kind and size of the source."""
    made = []
    for i, line in enumerate(filter(str.strip, rows.splitlines())):
        task, architecture, kind, size = line.split()
        name = f"{kind}-{task}-{architecture.lower()}"
        strength = "weak" if kind == "weak" else "usual"
        made.append(Case(name, task, architecture, kind, strength, first + i, 0, source=float(size)))
    return made


def shortcut_cases(first: int, rows: str, kinds: dict[str, Kind]) -> list[Case]:
    """Cases from lines of kind, strength, task, architecture, the task's own source and the agreement."""
    made = []
    for i, line in enumerate(filter(str.strip, rows.splitlines())):
        kind, strength, task, architecture, own, agree = line.split()
        size, goes = (1.0, "chance") if own == "chance" else (WEAK_SOURCE, "label")
        name = f"{kind}-{strength}-{task}-{architecture.lower()}"
        made.append(
            Case(name, task, architecture, kind, strength, first + i, 1, kinds[kind].words,
                 source=size, own=goes, agree=float(agree))  # type: ignore[arg-type]
        )  # fmt: skip
    return made


def control_cases(first: int, rows: str) -> list[Case]:
    """Cases from lines of kind, task and architecture."""
    made = []
    for i, line in enumerate(filter(str.strip, rows.splitlines())):
        kind, task, architecture = line.split()
        name = f"{kind}-{task}-{architecture.lower()}"
        made.append(Case(name, task, architecture, kind, "usual", first + i, 1))
    return made
