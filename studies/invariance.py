"""One network in many files: how far apart the maps of LaBraM base are, as a section of docs/correctness.md.

The files are those of tests/engine/test_export_invariance.py, where a small LaBraM, another transformer and
two convolutional networks are held to bounds; here LaBraM base (12 layers) is measured.
"""

from __future__ import annotations

import sys
import tempfile
from pathlib import Path

import numpy as np

sys.path.insert(0, str(Path(__file__).parents[1] / "tests" / "engine"))

from exports import EXPORTS, REFERENCE, Files, error, explained, operators, pearson
from networks import CHANNELS, WINDOW, labram

COMPOSITES: dict[str, tuple[str, dict[str, float]]] = {
    "attnlrp": ("attnlrp", {}),
    "cplrp": ("cplrp", {}),
    "gradient": ("gradient", {}),
    "epsilon 1e-3": ("epsilon", {"epsilon": 1e-3, "stabilizer": 1e-3}),
    "epsilon 0.1": ("epsilon", {"epsilon": 0.1, "stabilizer": 0.1}),
    "gamma": ("gamma", {}),
    "zplus": ("zplus", {}),
}
_REWRITTEN = (
    "onnxruntime basic", "onnxruntime extended", "onnxruntime all", "onnxsim", "onnxslim",
    "transformers 0", "transformers 1", "transformers 2",
)  # fmt: skip
FLOAT = (*EXPORTS[:-1], *(f"{source}, {how}" for source in ("legacy 17", REFERENCE) for how in _REWRITTEN))
ROUNDED = (
    "legacy 17, fp16", "dynamo 20, fp16", "dynamo 20, fp16 by onnxconverter", "legacy 17, int8",
    "dynamo 20, int8", "legacy 17, transformers 1, int8", "legacy 17, QDQ", "legacy 17, QOperator",
)  # fmt: skip
# onnxruntime's optimiser fails on it: "Graph is not a DAG".
_NOT_MADE = {"dynamo 20, transformers 0"}
TARGET = [0, 3]

_TEXT = f"""## Export invariance

LaBraM base (12 layers, {len(CHANNELS)} channels, {WINDOW} samples, re-randomised weights), written by two
exporters and rewritten by optimisers, simplifiers and quantisers. Two windows of noise, two classes; the
largest difference to the map of the file "{REFERENCE}", in units of its largest relevance. "legacy 17" is
the TorchScript exporter at opset 17, "transformers n" onnxruntime's transformer optimiser (BERT) after its
general optimisations of level n, "QDQ" and "QOperator" the two formats of static 8-bit quantisation.
"""
_AFTER = """The layers are the same, so what is left is float32's rounding. Two things are no equality:

* A stabiliser of 1e-6, the default of `epsilon` and of Zennit's composites, is as small as the rounding of
  what it is added to, and files that round differently differ by more. The columns with 1e-3 and 0.1 show
  that the same sums are stabilised.
* `gamma_positive` does not look at the sign of the input, so its denominators can cancel to anything, and
  its maps are equal with a stabiliser (0.1) only.

Where numbers are rounded to 16 or 8 bits the network is another one; the correlation with the float map,
in brackets, says how close it is. Onnxruntime's optimiser makes no file of "dynamo 20, transformers 0" (it
fails on the graph).
"""


def rows(variants: tuple[str, ...], files: Files, x: np.ndarray, *, correlation: bool) -> list[str]:
    """Lines of a markdown table, one a file."""
    wanted = {
        name: explained(files[REFERENCE], x, kind, TARGET, **parameters)
        for name, (kind, parameters) in COMPOSITES.items()
    }
    made = []
    for variant in variants:
        if variant in _NOT_MADE:
            continue
        path = files[variant]
        cells = []
        for name, (kind, parameters) in COMPOSITES.items():
            got = explained(path, x, kind, TARGET, **parameters)
            both = f"{error(got, wanted[name]):.0e}"
            cells.append(f"{both} ({pearson(got, wanted[name]):.3f})" if correlation else both)
        made.append(f"| {variant} | {fused(path)} | {' | '.join(cells)} |")
    return made


def fused(path: Path) -> str:
    """The operators in a file that are onnxruntime's own or quantised, without their domain."""
    own = {n.rpartition(".")[2] for n in operators(path) if "." in n or "Quantize" in n or "Integer" in n}
    return ", ".join(sorted(own)) or "-"


def table(layers: int = 12) -> str:
    """The finished section."""
    x = np.random.default_rng(0).standard_normal((2, len(CHANNELS), WINDOW)).astype(np.float32)
    head = f"| file | fused or quantised operators | {' | '.join(COMPOSITES)} |"
    line = "|---" * (2 + len(COMPOSITES)) + "|"
    with tempfile.TemporaryDirectory() as folder:
        files = Files(labram(layers), Path(folder))
        exact = rows(FLOAT, files, x, correlation=False)
        near = rows(ROUNDED, files, x, correlation=True)
    parts = (_TEXT, "\n".join([head, line, *exact]), _AFTER, "\n".join([head, line, *near]))
    return "\n".join(part if part.endswith("\n") else part + "\n" for part in parts)


if __name__ == "__main__":
    print(table())
