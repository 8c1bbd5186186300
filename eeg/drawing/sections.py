"""A section of a report as its words, table and figures, before anybody has written or escaped them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from matplotlib.figure import Figure


@dataclass(frozen=True)
class Table:
    """A table: its headings (none: no line of them), its rows, and which columns are set flush right."""

    head: Sequence[object]
    rows: Sequence[Sequence[object]]
    numbers: Sequence[int] = ()


@dataclass(frozen=True)
class Strong:
    """Words of a paragraph that stand out: in bold."""

    text: str


@dataclass(frozen=True)
class Term:
    """Words of a paragraph that are a name or a term: in italics."""

    text: str


# A paragraph is one text, or pieces of it that follow each other with the spaces they have.
Paragraph = str | tuple[str | Strong | Term, ...]


@dataclass(frozen=True)
class Picture:
    """A figure of a section.

    Attributes
    ----------
    figure : Figure
    name : str
        What its files are called, without ending.
    heading : str
        What stands above it in the report of one recording: our own words, never a file's.
    title : str
        What it shows, wherever else it is put.
    caption : str
    """

    figure: Figure
    name: str
    heading: str
    title: str
    caption: str


@dataclass(frozen=True)
class Section:
    """A section of the report of a recording.

    Attributes
    ----------
    title : str
        Our own words, never a file's: identifiers are made of them.
    content : tuple of str, tuple or Table
        Paragraphs and tables, in order. Words of a file may be among them: they are escaped when written.
    pictures : tuple of Picture
        Below it, each under its own heading.
    limits : tuple of str
        What a reader has to beware of, for the report's list of limits.
    """

    title: str
    content: tuple[Paragraph | Table, ...] = ()
    pictures: tuple[Picture, ...] = ()
    limits: tuple[str, ...] = ()
