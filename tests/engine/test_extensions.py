"""A package of somebody else's, installed beside onnxplain: rules and operators of its own."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import onnx
import onnx.parser
import pytest
from installing import installed

# Negative and positive parts of a signal, by the library of another package: not onnx's, not onnxruntime's.
MODEL = """
<ir_version: 8, opset_import: ["" : 17, "ai.onnx.contrib" : 1]>
f (float[batch, 4] x) => (float[batch, 1] y)
<float[4, 1] w = {1, -2, 3, 0.5}, float[4, 1] v = {2, 1, 1, -1}>
{
    down, up = ai.onnx.contrib.NegPos (x)
    a = MatMul (down, w)
    b = MatMul (up, v)
    y = Add (a, b)
}
"""
RULES = '''
"""Rules of a lab."""
import onnxplain as ox
from onnxruntime_extensions import get_library_path

ox.add_operators(get_library_path(), ["ai.onnx.contrib"])


@ox.rule("NegPos", kind="activation", domain="ai.onnx.contrib")
def negative_and_positive(op, node, down, up=None):
    """Each part passes relevance where it is the signal."""
    x = node.input(0)
    parts = [m for m in (down, up) if m is not None]
    if down is not None:
        down = op.where(op.less(x, 0.0), down, 0.0)
    if up is not None:
        up = op.where(op.less(x, 0.0), 0.0, up)
    return [down if up is None else up if down is None else op.add(down, up)]
'''
# The inverse of a matrix is no function of one number, whatever its rule makes of it.
INVERSE = """
<ir_version: 8, opset_import: ["" : 17, "ai.onnx.contrib" : 1]>
f (float[3, 3] x) => (float[3, 3] y) { h = ai.onnx.contrib.Inverse (x) y = Neg (h) }
"""
INVERSE_RULES = '''
"""Rules of a lab."""
import onnxplain as ox
from onnxruntime_extensions import get_library_path

ox.add_operators(get_library_path(), ["ai.onnx.contrib"])


@ox.rule("Inverse", kind="product", domain="ai.onnx.contrib")
def inverse(op, node, m):
    """The derivative."""
    y = op.transpose(node.output(), [1, 0])
    return [op.neg(op.matmul(op.matmul(y, m), y))]
'''
DIFFERENCE = """
import json, sys
import numpy as np
import onnxplain as ox
model, backend, x, reference = sys.argv[1], sys.argv[2], *map(json.loads, sys.argv[3:5])
explain = ox.Explainer(model, "difference", backend=backend)
x, reference = np.float32(x), np.float32(reference)
try:
    a = explain(x, target=np.ones_like(explain.predict(x)["y"]), reference=reference)
except ox.OnnxplainError as e:
    print(json.dumps({"error": str(e)}))
else:
    kinds = [e.kind for e in a.ledger]
    found = {"relevance": a.relevance["x"].tolist(), "closure": a.closure().tolist(), "kinds": kinds}
    print(json.dumps(found))
"""
PROGRAM = """
import json, sys
import numpy as np
import onnxplain as ox
x = np.array([[1, -2, 3, -4], [-1, 2, -3, 4]], np.float32)
try:
    a = ox.Explainer(sys.argv[1], backend=sys.argv[2], max_closure=None)(x, target=0)
except ox.OnnxplainError as e:
    print(json.dumps({"error": str(e)}))
else:
    print(json.dumps({"relevance": a.relevance["x"].tolist(), "closure": a.closure().tolist()}))
"""


def explained(
    model: Path,
    backend: str,
    *beside: Path,
    cache: str = "off",
    program: str = PROGRAM,
    arguments: tuple[str, ...] = (),
) -> dict:
    """What a process says that has packages installed beside onnxplain."""
    path = os.pathsep.join([*map(str, beside), *filter(None, [os.environ.get("PYTHONPATH")])])
    done = subprocess.run(
        [sys.executable, "-c", program, str(model), backend, *arguments],
        env={**os.environ, "PYTHONPATH": path, "ONNXPLAIN_CACHE": cache},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


@pytest.fixture(scope="module")
def model(tmp_path_factory) -> Path:
    """A file with an operator that nobody here knows."""
    path = tmp_path_factory.mktemp("model") / "negpos.onnx"
    onnx.save(onnx.parser.parse_model(MODEL), path)
    return path


@pytest.mark.row("M18")
def test_without_the_package_the_file_is_refused(model):
    said = explained(model, "auto")["error"]
    assert "ai.onnx.contrib.NegPos" in said
    assert "\n" not in said


@pytest.mark.parametrize("backend", ["numpy", "onnx"])
def test_a_rule_for_an_operator_of_ones_own(model, tmp_path, backend):
    lab = installed(tmp_path, "lab-rules", "onnxplain.rules", "lab_rules", RULES)
    found = explained(model, backend, lab)
    # down and up are x where it is negative and positive: relevance is x times the weight of its part.
    assert found["relevance"] == [[2, 4, 3, -2], [-1, 2, -9, -4]]
    assert max(found["closure"]) < 1e-6


@pytest.mark.parametrize("backend", ["numpy", "onnx"])
def test_under_difference_a_function_of_one_number_has_its_quotient(model, tmp_path, backend):
    """Each part's own, and their sum; where both windows are alike there is nothing."""
    lab = installed(tmp_path, "lab-rules", "onnxplain.rules", "lab_rules", RULES)
    windows = "[[1, -2, 3, -4]]", "[[-1, -2, 1, 4]]"
    found = explained(model, backend, lab, program=DIFFERENCE, arguments=windows)
    # Weights 1, -2, 3, 0.5 below 0 and 2, 1, 1, -1 above.
    assert found["relevance"] == [[1 + 2, 0, 2, -2 + 4]]
    assert max(found["closure"]) < 1e-6
    assert found["kinds"] == []


def test_under_difference_another_function_is_refused(tmp_path):
    path = tmp_path / "inverse.onnx"
    onnx.save(onnx.parser.parse_model(INVERSE), path)
    lab = installed(tmp_path, "lab-rules", "onnxplain.rules", "lab_rules", INVERSE_RULES)
    windows = "[[2, 0, 1], [0, 3, 0], [1, 0, 4]]", "[[1, 0, 0], [0, 1, 0], [0, 0, 1]]"
    said = explained(path, "auto", lab, program=DIFFERENCE, arguments=windows)["error"]
    assert "ai.onnx.contrib.Inverse" in said
    assert "no secant" in said
    assert "\n" not in said


def test_another_rule_is_another_plan(model, tmp_path):
    kept = str(tmp_path / "cache")
    for weight, want in (("down", 4), ("op.mul(down, 2.0)", 8)):
        folder = tmp_path / str(want)
        folder.mkdir()
        source = RULES.replace("op.less(x, 0.0), down, 0.0", f"op.less(x, 0.0), {weight}, 0.0")
        lab = installed(folder, "lab-rules", "onnxplain.rules", "lab_rules", source)
        for _ in range(2):
            assert explained(model, "auto", lab, cache=kept)["relevance"][0][1] == want


def test_a_package_that_cannot_be_imported_is_named(model, tmp_path):
    lab = installed(tmp_path, "lab-rules", "onnxplain.rules", "lab_rules", "import no_such_thing\n")
    said = explained(model, "auto", lab)["error"]
    assert "lab-rules" in said
    assert "no_such_thing" in said
    assert "uninstall" in said


def test_two_packages_with_one_name(model, tmp_path):
    for name in ("one", "two"):
        (tmp_path / name).mkdir()
        installed(tmp_path / name, f"lab-{name}", "onnxplain.rules", f"lab_{name}", "")
    said = explained(model, "auto", tmp_path / "one", tmp_path / "two")["error"]
    assert "'lab'" in said
    assert "uninstall one" in said
