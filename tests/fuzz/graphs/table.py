"""Which function adds which operator, or block of operators, to a graph."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from .build import Graph

Builder = Callable[[Graph], str]


@dataclass(frozen=True)
class Entry:
    """One thing that a graph can grow by.

    Attributes
    ----------
    build : callable
        ``build(graph)``: adds it, and returns the name of what comes out.
    since : int
        The first opset that has it.
    weight : float
        How often it is drawn, relative to others.
    family : str
        The file that it is in.
    """

    build: Builder
    since: int
    weight: float
    family: str


TABLE: dict[str, Entry] = {}


def grows(name: str, since: int = 1, weight: float = 1.0) -> Callable[[Builder], Builder]:
    """Register a builder under a name of its own."""

    def register(build: Builder) -> Builder:
        add(name, build, since, weight)
        return build

    return register


def add(name: str, build: Builder, since: int = 1, weight: float = 1.0) -> None:
    """Register a builder that a loop makes."""
    if name in TABLE:
        raise ValueError(f"{name} is there twice")
    TABLE[name] = Entry(build, since, weight, build.__module__.rsplit(".", 1)[-1])
