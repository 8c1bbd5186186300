"""The notebook's kernel that this runs in, if any. IPython is never imported to find out."""

from __future__ import annotations

import io
import sys
from typing import Any


def shell() -> Any:
    """IPython's shell in a notebook's kernel; None elsewhere."""
    found = getattr(sys.modules.get("IPython"), "get_ipython", lambda: None)()
    return found if getattr(found, "kernel", None) is not None else None


def show_figures() -> None:
    """Have a notebook draw matplotlib's figures where they are a cell's value.

    It learns that from pyplot alone, which is not used here; what it has learnt already is left alone.
    """
    if (found := shell()) is None:
        return
    drawn = found.display_formatter.formatters["image/png"]
    from_name = ("matplotlib.figure", "Figure")
    if from_name not in drawn.deferred_printers and not any(
        (t.__module__, t.__name__) == from_name for t in drawn.type_printers
    ):
        drawn.for_type_by_name(*from_name, _png)


def _png(figure: Any) -> bytes:
    written = io.BytesIO()
    figure.savefig(written, format="png", dpi=100)
    return written.getvalue()
