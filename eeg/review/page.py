"""The page of a blinded review: one file that loads nothing, and exports answers as JSON."""

from __future__ import annotations

from collections.abc import Sequence

from ..reports import html

JUDGEMENTS = ("plausible", "not plausible", "unsure")


def render(review: str, items: Sequence[tuple[str, str, bytes]]) -> str:
    """The page as HTML.

    Parameters
    ----------
    review : str
        What the answers name the review by.
    items : sequence of (id, class, PNG)
        In the order shown.

    Returns
    -------
    str
    """
    return html.render("review.html", review=review, shown=items, judgements=JUDGEMENTS)
