"""Tables of the report for what was asked for beside the map, and the limits that come with it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from ..text import counted
from .html import Table


def locked_table(found: Mapping[str, Mapping[str, Any]]) -> Table:
    """Relevance around events: a row each."""
    rows = [
        (name, each["events"], each["dropped"], f"{each['peak']:+.2f}", f"{each['p']:.2g}", _verdict(each))
        for name, each in found.items()
    ]
    return Table(("events", "counted", "outside the windows", "furthest at (s)", "p", ""), rows, (1, 2, 3, 4))


def _verdict(each: Mapping[str, Any]) -> str:
    return "relevance is locked to them" if each["p"] <= 0.05 else "no more than at other times"


def layers_table(found: Mapping[str, Any]) -> Table:
    """Attention layers: what their heads carry."""
    rows = []
    for layer in found["layers"]:
        heads = layer["heads"]
        order = sorted(range(len(heads)), key=lambda i: -heads[i]["share"])[:3]
        most = ", ".join(f"{i} ({heads[i]['share']:.0%})" for i in order)
        rows.append((layer["layer"], len(heads), f"{layer['share']:.1%}", f"{layer['signed']:+.3g}", most))
    head = ("layer", "heads", "share of all heads", "signed sum", "heads with most")
    return Table(head, rows, (0, 1, 2, 3))


def positions_table(found: Mapping[str, Any]) -> Table:
    """The electrodes whose position embedding has most, beside their signal."""
    most = sorted(found["electrodes"], key=lambda e: -e["embedding"])[:8]
    rows = [(e["name"], f"{e['embedding']:.1%}", f"{e['signal']:.1%}") for e in most]
    return Table(("electrode", "share in the embedding", "in the signal"), rows, (1, 2))


def clusters_table(found: Mapping[str, Any], onsets: Sequence[float]) -> Table | None:
    """Strategies: how large, how pure, which artefact goes with them, examples; None where there is one."""
    if len(found["strategies"]) < 2:
        return None
    names = list(dict.fromkeys(a for s in found["strategies"] for a in s["artefacts"]))
    rows = []
    for i, s in enumerate(found["strategies"], start=1):
        purity = "" if s["class_purity"] is None else f"{s['class_purity']:.0%}"
        each = [f"{s['artefacts'].get(a, float('nan')):+.2f}" for a in names]
        examples = ", ".join(f"{onsets[w]:.1f}" for w in s["examples"])
        rows.append((i, f"{s['share']:.0%}", purity, *each, examples))
    head = ("strategy", "of windows", "of one class", *(f"r with {a}" for a in names), "windows at (s)")
    return Table(head, rows, range(1, 3 + len(names)))


def limits(summary: Mapping[str, Any], sfreq: float) -> list[str]:
    """Limits that apply because of what was asked for."""
    found = []
    if summary["components"] and np.isfinite(sfreq) and sfreq < 250:
        found.append(
            f"ICLabel was trained on wider bands than {sfreq:g} Hz holds: muscle components, which it knows "
            "by their power above 50 Hz, are told less surely."
        )
    if summary["clusters"] is not None:
        found.append(
            "Muscle is scored by fast changes on electrodes over muscles: below "
            f"{sfreq / 2:g} Hz beta rhythms of the brain are among them."
        )
    if summary["locked"]:
        n = sum(e["events"] for e in summary["locked"].values())
        found.append(
            f"Relevance locked to an event says that the model uses what goes with it ({counted(n, 'event')} "
            "here), not that the event causes the class."
        )
    return found
