"""Sections of the report for what was asked for beside the map."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from ..text import counted
from .html import safe, table


def locked_section(found: Mapping[str, Mapping[str, Any]]) -> str:
    """Relevance around events: a row each."""
    rows = [
        (name, each["events"], each["dropped"], f"{each['peak']:+.2f}", f"{each['p']:.2g}", _verdict(each))
        for name, each in found.items()
    ]
    head = ("events", "counted", "outside the windows", "furthest at (s)", "p", "")
    return table(head, rows, numbers=(1, 2, 3, 4)) + (
        "<p>The p-value compares the mean around the events with means around the same events moved in time, "
        "at its largest deviation over all lags, so no correction is due. Verify a map on signals that are "
        "known first: relevance of a model that reads the heart is locked to R peaks.</p>"
    )


def _verdict(each: Mapping[str, Any]) -> str:
    return "relevance is locked to them" if each["p"] <= 0.05 else "no more than at other times"


def layers_section(found: Mapping[str, Any]) -> str:
    """Attention layers: what their heads carry."""
    rows = []
    for layer in found["layers"]:
        heads = layer["heads"]
        order = sorted(range(len(heads)), key=lambda i: -heads[i]["share"])[:3]
        most = ", ".join(f"{i} ({heads[i]['share']:.0%})" for i in order)
        rows.append((layer["layer"], len(heads), f"{layer['share']:.1%}", f"{layer['signed']:+.3g}", most))
    head = ("layer", "heads", "share of all heads", "signed sum", "heads with most")
    return table(head, rows, numbers=(0, 1, 2, 3)) + (
        "<p>A head's relevance is that of the values it has read, summed over tokens. What goes past a layer "
        "on its skip connection is in no head, so layers do not add up to what was explained.</p>"
    )


def positions_section(found: Mapping[str, Any], unit: str) -> str:
    """The position embedding beside the signal."""
    most = sorted(found["electrodes"], key=lambda e: -e["embedding"])[:8]
    rows = [(e["name"], f"{e['embedding']:.1%}", f"{e['signal']:.1%}") for e in most]
    text = (
        f"<p>The constants by which the network tells electrodes apart get <b>{found['part']:.0%}</b> of the "
        f"size of the relevance that they and the signal get together (signed, mean over windows: embedding "
        f"{found['signed']:+.3g}, signal {found['signal_signed']:+.3g} {safe(unit)}). They are the same in "
        "every window: what they get is relevance of where, not of what was recorded.</p>"
    )
    return text + table(("electrode", "share in the embedding", "in the signal"), rows, numbers=(1, 2))


def clusters_section(found: Mapping[str, Any], onsets: Sequence[float]) -> str:
    """Strategies: how large, how pure, which artefact goes with them, examples."""
    names = list(dict.fromkeys(a for s in found["strategies"] for a in s["artefacts"]))
    rows = []
    for i, s in enumerate(found["strategies"], start=1):
        purity = "" if s["class_purity"] is None else f"{s['class_purity']:.0%}"
        each = [f"{s['artefacts'].get(a, float('nan')):+.2f}" for a in names]
        examples = ", ".join(f"{onsets[w]:.1f}" for w in s["examples"])
        rows.append((i, f"{s['share']:.0%}", purity, *each, examples))
    head = ("strategy", "of windows", "of one class", *(f"r with {a}" for a in names), "windows at (s)")
    several = len(found["strategies"]) > 1
    return f"<p>{safe(found['said'])}</p>" + (
        table(head, rows, numbers=range(1, 3 + len(names))) if several else ""
    ) + (
        "<p>Windows whose maps are alike, found by spectral clustering (Lapuschkin et al. 2019); their "
        "number is the eigenvalues' gap. A small cluster with an artefact in common is where to look for a "
        "shortcut.</p>"
    )  # fmt: skip


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
