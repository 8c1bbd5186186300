"""Export every network of braindecode, and write docs/models.md.

    python studies/models.py                 all of them
    python studies/models.py CBraMod BIOT    only these; the others stay as they were measured

Each network is exported in a process of its own: first as torch does it by itself, then by onnxplain, which
verifies; then the file is explained. What was measured is kept in build/models.json.
"""

from __future__ import annotations

import argparse
import json
import os
import re
import subprocess
import sys
import tempfile
import time
import warnings
from pathlib import Path
from typing import Any

import numpy as np
from correctness import figure, machine, table

ROOT = Path(__file__).parents[1]
DOCUMENT, RESULTS = ROOT / "docs" / "models.md", ROOT / "build" / "models.json"
TIMEOUT = 900
# What a plain export may be off, of how far the outputs move, to be called right.
RIGHT = 1e-3


def plain(module: Any, example: Any, folder: Path) -> dict[str, str]:
    """What torch's exporters make of a network by themselves: "", or what is wrong."""
    import torch

    from onnxplain.exporters.torch import evaluating, hushed
    from onnxplain.exporters.verify import first_line, open_session, probes

    found = {}
    xs = probes(example.numpy())
    with evaluating(module), torch.no_grad():
        wanted = [module(torch.from_numpy(x)).numpy() for x in xs]
    moves = float(np.ptp(np.concatenate(wanted), axis=0).max()) or 1.0
    for kind in ("dynamo", "legacy"):
        file = folder / f"{kind}.onnx"
        options: dict[str, Any] = {"dynamo": False, "dynamic_axes": {"x": {0: "batch"}, "y": {0: "batch"}}}
        if kind == "dynamo":
            batch = torch.export.Dim("batch")
            options = {"dynamo": True, "external_data": False, "verbose": False}
            options["dynamic_shapes"] = ({0: batch},)
        try:
            import io

            with hushed(io.StringIO(), deep=True), evaluating(module), torch.no_grad():
                torch.onnx.export(
                    module, (example,), str(file), input_names=["x"], output_names=["y"], **options
                )
            session = open_session(file)
            errors = []
            for x, want in zip(xs, wanted, strict=True):
                got = session.run(None, {"x": x})[0]
                if got.shape != want.shape:
                    raise ValueError(f"at batch {len(x)} it answers with shape {list(got.shape)}")
                errors.append(float(np.abs(got - want).max()) / moves)
            found[kind] = "" if max(errors) <= RIGHT else f"differs by {max(errors):.0e}"
        except Exception as e:
            while e.__cause__ is not None and "torch" in type(e).__module__:
                e = e.__cause__  # type: ignore[assignment]
            found[kind] = first_line(e)[:160]
    return found


def measured(name: str, by_itself: dict[str, str] | None) -> dict[str, Any]:
    """Export one network, and explain its file; what torch makes of it by itself may be known."""
    import torch

    import onnxplain as ox
    from onnxplain.exporters import export
    from onnxplain.exporters.api import builder
    from onnxplain.exporters.request import Request

    torch.set_num_threads(1)
    warnings.simplefilter("ignore")
    made: dict[str, Any] = {"name": name}
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "model.onnx"
        try:
            torch.manual_seed(0)
            built = builder(name)(Request())
            made["parameters"] = sum(p.numel() for p in built.module.parameters())
            example = torch.randn(2, *built.contract.shape)
            made["plain"] = by_itself or plain(built.module, example, Path(folder))
            del built
        except Exception as e:
            made["plain"] = {"both": " ".join(str(e).split())[:200]}
        begun = time.monotonic()
        try:
            report = export(name, path)
        except ox.OnnxplainError as e:
            return {**made, "refused": str(e).replace(str(path), "FILE")}
        made |= {
            "exporter": report.exporter, "opset": report.opset, "parity": report.parity,
            "rounding": report.rounding, "rewrites": report.rewrites,
            "nodes": sum(report.ops.values()), "kinds": len(report.ops),
            "coverage": report.coverage, "size": report.size, "seconds": time.monotonic() - begun,
            "input": [*report.contract.shape],
        }  # fmt: skip
        x = np.random.default_rng(0).standard_normal((3, *report.contract.shape)).astype(np.float32)
        for composite in ("attnlrp", "gradient"):
            explain = ox.Explainer(path, composite)
            y = next(iter(explain.predict(x).values()))
            seed = np.random.default_rng(1).standard_normal(y.shape).astype(np.float32)
            a = explain(x, target=seed)
            made[composite] = float(np.max(a.closure()))
            assert all(np.isfinite(r).all() for r in a.relevance.values())
    return made


# What torch's exporters say, in the words of the table.
_WORDS = (
    (r"operator '?aten::([a-z_]+)'?", r"no word for \1"),
    (r"STFT does not currently support complex", "no word for complex numbers"),
    (r"complex-valued|number type: complex", "no word for complex numbers"),
    (r"Gemm.*ShapeInference|Op \(Gemm\)", "a file that onnxruntime refuses (bias of rank 3)"),
    (r"running ScatterND", "a file that runs at no batch size"),
    (
        r"invalid dimensions for input|running Split|answers with shape",
        "a file for the batch of the example only",
    ),
    (r"data-dependent expression", "stops at a branch on a value"),
    (r"sizes of the padding must be constant", "no word for its padding"),
)


def in_words(said: dict[str, str]) -> str:
    """What is wrong with a plain export, by exporter, shortly."""
    found = []
    for kind, text in said.items():
        for pattern, words in _WORDS:
            match = re.search(pattern, text, re.DOTALL)
            if match:
                text = match.expand(words)
                break
        if text:
            found.append(f"{kind}: {text[:110]}")
    return "; ".join(found) or ("both right" if said else "not tried")


def mended(m: dict[str, Any]) -> str:
    """What made a network's file right: rewrites, another exporter, or a comparison with float64."""
    said = list(m["rewrites"])
    if m.get("rounding"):
        said.append(f"held to float64, from which torch's own float32 is {figure(m['rounding'])}")
    if not said and m.get("plain", {}).get("legacy"):
        said.append("nothing (dynamo writes it)")
    return ", ".join(said) or "-"


def written(found: dict[str, dict[str, Any]]) -> str:
    """The document."""
    rows, refused = [], []
    for name in sorted(found, key=str.lower):
        m = found[name]
        by_itself = in_words(m.get("plain", {}))
        if "refused" in m:
            refused.append((name, m["refused"].replace("|", "/")[:400], by_itself))
            continue
        rows.append((
            name, f"{m['parameters']:,}", "x".join(map(str, m["input"])), m["exporter"], m["opset"],
            figure(m["parity"]), m["nodes"], f"{100 * m['coverage']:.0f} %",
            figure(max(m["attnlrp"], m["gradient"])), mended(m), by_itself,
        ))  # fmt: skip
    header = ("network", "weights", "input", "exporter", "opset", "parity", "nodes", "coverage", "closure",
              "rewritten", "torch by itself")  # fmt: skip
    share = 100 * len(rows) / max(1, len(found))
    hard = [m for m in found.values() if any(m.get("plain", {}).values()) and "refused" not in m]
    dynamo = [m for m in hard if m["plain"].get("dynamo")]
    return f"""# Models

Networks of braindecode with random weights under which every layer matters, exported by `onnxplain export`
and verified: {len(rows)} of the {len(found)} that were tried ({share:.0f} %). Measured by `make models`,
which writes this page. A file takes any batch; it is compared with PyTorch at batch 1, 2 and 3.

* *Parity*: the largest difference, of how far that output moves when the input changes (bound 1e-3).
* *Coverage*: the part of the nodes between input and output that have a rule.
* *Closure*: the worst of `attnlrp` and `gradient` with random targets (bound 1e-4).
* *Rewritten*: what was done to the network before, or what else made its file right.
* *Torch by itself*: what is wrong with a plain `torch.onnx.export` by its two exporters, each for any batch
  and within 1e-3. Of the networks exported here, {len(hard)} are beyond one of them, and {len(dynamo)} beyond
  dynamo, the newer one: {", ".join(sorted((m["name"] for m in dynamo), key=str.lower))}. What stands under
  *rewritten* is what made them right.
* A parity above 1e-3 is that of a network in which torch's own float32 is as far from float64: no file could
  be nearer. The file may be at most three times that far, and never more than 5e-2.

{table(header, rows)}

Refused, and why:

{table(("network", "message", "torch by itself"), refused)}

{machine()}
"""


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("names", nargs="*")
    parser.add_argument("--one", action="store_true", help="measure the one that is named, and print it")
    parser.add_argument("--known", action="store_true", help="keep what is known of torch by itself")
    asked = parser.parse_args()
    found = json.loads(RESULTS.read_text(encoding="utf-8")) if RESULTS.exists() else {}
    if asked.one:
        known = found.get(asked.names[0], {}).get("plain") if asked.known else None
        print(json.dumps(measured(asked.names[0], known)))
        return
    from onnxplain.exporters.networks import names

    # Constructors that ask a hub for something do so for minutes where there is no network.
    environment = {**os.environ, "HF_HUB_OFFLINE": "1"}
    for name in asked.names or names().values():
        try:
            done = subprocess.run(
                [sys.executable, __file__, "--one", name, *(["--known"] if asked.known else [])],
                capture_output=True,
                env=environment,
                text=True,
                timeout=TIMEOUT,
                check=False,
            )
            lines = done.stdout.strip().splitlines()
            if done.returncode == -9:
                done.stderr = "ended by the system: it needs more memory than this machine has"
            reason = (done.stderr.strip().splitlines() or ["it died"])[-1][:300]
            before = {"name": name, "plain": found.get(name, {}).get("plain", {})}
            found[name] = json.loads(lines[-1]) if not done.returncode else {**before, "refused": reason}
        except subprocess.TimeoutExpired:
            found[name] = {"name": name, "refused": f"not exported within {TIMEOUT} s"}
        print(
            name,
            found[name].get("refused") or f"parity {found[name]['parity']:.0e}",
            file=sys.stderr,
            flush=True,
        )
        RESULTS.parent.mkdir(exist_ok=True)
        RESULTS.write_text(json.dumps(found, indent=1), encoding="utf-8")
        DOCUMENT.write_text(written(found), encoding="utf-8")


if __name__ == "__main__":
    main()
