"""docs/performance.md and its plot, from what was measured."""

from __future__ import annotations

import sys
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from benchmarks.common import ROOT
from benchmarks.methods import MEASURED, OWN
from benchmarks.networks import NETWORKS
from benchmarks.remote import PEERS

sys.path.insert(0, str(ROOT / "studies"))
from correctness import machine, table

DOCUMENT = ROOT / "docs" / "performance.md"
PLOT = ROOT / "docs" / "performance.png"
Row = Mapping[str, Any]

TITLES = {
    "forward": "the model alone",
    **{f"compiled {c}": f"compiled file, {c}" for c in ("attnlrp", "cplrp", "gamma", "gradient")},
    **{
        f"compiled difference r{n}": f"compiled file, difference, {n} reference{'s' * (n > 1)} in it"
        for n in (1, 4)
    },
    "compiled attnlrp x4": "compiled file, attnlrp, 4 targets at once",
    "compiled attnlrp ledger": "compiled file, attnlrp, with ledger",
    "explainer attnlrp": "`Explainer`, attnlrp",
    **{f"numpy {c}": f"`Explainer`, numpy, {c}" for c in ("attnlrp", "cplrp", "gamma", "gradient")},
    "numpy attnlrp x4": "`Explainer`, numpy, attnlrp, 4 targets at once",
    "exchange electrodes": "each electrode exchanged with 4 references",
    "expected gradients": "`expected_gradients`, 8 steps, 4 references",
    "torch gradient": "torch: input x gradient",
    "lxt attnlrp": "LXT: AttnLRP",
    "captum IG": "captum: Integrated Gradients, 50 steps",
    "dianna RISE": "DIANNA: RISE, 1000 masks",
}
# Blue and orange are told apart by everyone; what is not ours is grey.
_NOT = "Not measured."
OURS, NUMPY, OTHERS = "#0072b2", "#e69f00", "#8c8c8c"


def ratio(row: Row) -> str:
    """A ratio with its quartiles, as the tables write it."""
    text = f"{row['ratio']:.2f}" if row["ratio"] < 100 else f"{row['ratio']:.0f}"
    if row["rounds"] > 1 and row["high"] - row["low"] > 0.05 * row["ratio"]:
        text += f" ({row['low']:.2f} to {row['high']:.2f})"
    return text + ("*" if row["share"] < 1 else "")


def by_method(rows: Iterable[Row]) -> str:
    """A line a method, a column a network and batch."""
    rows = list(rows)
    known = {(r["method"], r["network"], r["batch"]): r for r in rows}
    cases = [(n, b) for n in MEASURED for b in sorted({r["batch"] for r in rows if r["network"] == n})]
    lines = []
    for method in (m for m in (*OWN, *PEERS) if m != "forward" and any(r["method"] == m for r in rows)):
        found = [known.get((method, *case)) for case in cases]
        lines.append([TITLES[method], *("-" if r is None else ratio(r) for r in found)])
    return table(["", *(f"{NETWORKS[n].title}, batch {b}" for n, b in cases)], lines)


def growth(found: Mapping[str, Sequence[Row]]) -> str:
    """Three tables: tokens, windows, targets."""
    parts = []
    tokens = found["tokens"]
    methods = ["compiled attnlrp", "explainer attnlrp", "numpy attnlrp"]
    first = next(r for r in tokens if r["method"] == "forward")["seconds"]
    lines = []
    for name in dict.fromkeys(r["network"] for r in tokens):
        each = {r["method"]: r for r in tokens if r["network"] == name}
        size = each["forward"]["seconds"] / first
        lines.append([NETWORKS[name].title, f"{size:.1f}", *(ratio(each[m]) for m in methods)])
    head = ["one window", "the model alone, in units of the first", *(TITLES[m] for m in methods)]
    parts.append(table(head, lines))
    batches = found["batch"]
    lines = []
    for batch in sorted({r["batch"] for r in batches}):
        each = {r["method"]: r for r in batches if r["batch"] == batch}
        lines.append([batch, *(ratio(each[m]) for m in methods[1:])])
    parts.append(table(["LaBraM base, 89 tokens: windows", *(TITLES[m] for m in methods[1:])], lines))
    lines = [
        [1 if r["method"] == "compiled attnlrp" else r["method"].rpartition("x")[2], ratio(r)]
        for r in found["targets"]
        if r["method"] != "forward"
    ]
    parts.append(table(["LaBraM base, one window: targets at once", "compiled file, attnlrp"], lines))
    return "\n\n".join(parts)


def memory(rows: Sequence[Row]) -> str:
    """A line a method, a column a batch."""
    batches = sorted({r["batch"] for r in rows})
    lines = []
    for method in dict.fromkeys(r["method"] for r in rows):
        each = {r["batch"]: f"{r['mb']:.0f} MB" for r in rows if r["method"] == method}
        lines.append([TITLES[method], *(each.get(b, "-") for b in batches)])
    return table(["LaBraM base, 89 tokens", *(f"batch {b}" for b in batches)], lines)


def opening(found: Mapping[str, Mapping[str, float]]) -> str:
    """Being ready, in units of opening the model in onnxruntime."""
    names = list(found)
    steps = [s for s in found[names[0]] if s not in ("forward", "open the model")]
    lines = [[s, *(f"{found[n][s] / found[n]['open the model']:.1f}" for n in names)] for s in steps]
    return table(["in units of opening the model", *(NETWORKS[n].title for n in names)], lines)


def startup(found: Mapping[str, float]) -> str:
    """Whole processes."""
    base = found["import, open and run"]
    lines = [[what, f"{s / base:.2f}", f"{s - base:+.2f} s"] for what, s in found.items()]
    return table(["whole process", "ratio", "difference"], lines)


def best(rows: Sequence[Row], method: str, network: str, batch: int) -> Row | None:
    """One measurement."""
    same = (r for r in rows if (r["method"], r["network"], r["batch"]) == (method, network, batch))
    return next(same, None)


def plot(found: Mapping[str, Any]) -> None:
    """Methods beside each other on LaBraM base, and how cost grows."""
    import matplotlib

    matplotlib.use("Agg")
    import matplotlib.pyplot as plt

    figure, (left, right) = plt.subplots(1, 2, figsize=(11, 4.6), width_ratios=(3, 2), layout="constrained")
    rows = [
        r
        for m in (*OWN, *PEERS)
        if m != "forward" and (r := best(found["one_thread"]["rows"], m, "labram", 1))
    ]
    rows.sort(key=lambda r: -r["ratio"])
    colours = [
        OTHERS if r["method"] in PEERS else NUMPY if r["method"].startswith("numpy") else OURS for r in rows
    ]
    bars = left.barh(
        [TITLES[r["method"]].replace("`", "") for r in rows], [r["ratio"] for r in rows], color=colours
    )
    left.bar_label(
        bars, [f"{r['ratio']:.2f}" if r["ratio"] < 100 else f"{r['ratio']:.0f}" for r in rows], padding=3
    )
    left.set(xscale="log", xlabel="times the forward pass", title="LaBraM base, one window, one thread")
    left.set_xlim(1, 2.5 * max(r["ratio"] for r in rows))
    names = list(dict.fromkeys(r["network"] for r in found["growth"]["tokens"]))
    tokens = [int(NETWORKS[n].title.split(", ")[1].split()[0]) for n in names]
    for method, colour, style in (("compiled attnlrp", OURS, "o-"), ("numpy attnlrp", NUMPY, "s--")):
        each = [best(found["growth"]["tokens"], method, n, 1) for n in names]
        right.plot(
            tokens,
            [r["ratio"] if r else None for r in each],
            style,
            color=colour,
            label=TITLES[method].replace("`", ""),
        )
    right.set(
        xlabel="tokens", ylabel="times the forward pass", title="attnlrp, growing with tokens", ylim=(0, None)
    )
    right.legend(frameon=False)
    for axes in (left, right):
        axes.spines[["top", "right"]].set_visible(False)
    figure.savefig(PLOT, dpi=110)
    plt.close(figure)


def write(found: Mapping[str, Any]) -> None:
    """Write the document; what was not measured is said to be."""
    one = found.get("one_thread", {})
    rows = one.get("rows", [])
    makers = {"growth": growth, "memory": memory, "opening": opening, "startup": startup}
    values = {
        "one_thread": by_method(rows) if rows else _NOT,
        "peers": ", ".join(f"{n} {v}" for n, v in one.get("peers", {}).items()),
        "agrees": _agrees(rows),
        "cores": found.get("all_cores", {}).get("threads", "the"),
        "all_cores": by_method(found["all_cores"]["rows"]) if "all_cores" in found else _NOT,
        **{name: make(found[name]) if name in found else _NOT for name, make in makers.items()},
        "machine": machine(),
    }
    page = Path(__file__).with_name("page.md").read_text(encoding="utf-8")
    DOCUMENT.write_text(page.format(**values), encoding="utf-8")
    if rows and "growth" in found:
        plot(found)


def _agrees(rows: Sequence[Row]) -> str:
    worst: dict[str, float] = {}
    for r in rows:
        if r["agrees"] is not None:
            worst[r["method"]] = max(worst.get(r["method"], 0.0), r["agrees"])
    return "; ".join(f"{TITLES[m]} {e:.0e}" for m, e in worst.items())
