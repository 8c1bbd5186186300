"""The page in headless Chromium, and the Node example: the same relevance as in Python."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import numpy as np
import onnx
import pytest
from web import HERE, ROOT, installed, node, program

import onnxplain as ox
from onnxplain.models import demo_file

# What onnxruntime's WebAssembly and Node builds may differ from its Python build, of the largest relevance.
CLOSE = 1e-4


@pytest.fixture(scope="module")
def window(site: Path) -> dict:
    return json.loads((site / "window.json").read_text(encoding="utf-8"))


def expected(name: str, window: dict, target: object = "predicted") -> ox.Attribution:
    x = np.asarray(window["data"], np.float32).reshape(1, *window["shape"])
    return ox.Explainer(demo_file(f"{name}.onnx"))(x, target=target, contrast="rest")


def expected_difference(name: str, window: dict) -> ox.Attribution:
    from make_page import references

    x = np.asarray(window["data"], np.float32).reshape(1, *window["shape"])
    explain = ox.Explainer(demo_file(f"{name}.onnx"), "difference")
    return explain(x, contrast="rest", reference=references(name)[0])


def apart(values: list[float], a: ox.Attribution) -> float:
    (want,) = a.relevance.values()
    return float(np.abs(np.asarray(values) - want.reshape(-1)).max() / np.abs(want).max())


def test_page(address: str, site: Path, window: dict, tmp_path: Path):
    browser = program("chromium", "chromium-browser", "google-chrome", "chrome")
    packages = installed(HERE, "playwright")
    shutil.copyfile(HERE / "drive.mjs", packages / "drive.mjs")
    x = 0.5 * np.asarray(window["data"], np.float32).reshape(1, *window["shape"])
    np.save(tmp_path / "window.npy", x)
    (tmp_path / "wrong.npy").write_bytes(b"no window")
    own = ox.compile(demo_file("honest.onnx"), tmp_path / "own.onnx", "cplrp", ledger=True)
    given = ox.compile(demo_file("honest.onnx"), tmp_path / "given.onnx", "difference")
    job = {
        "url": address, "chromium": browser, "out": str(tmp_path), "model": str(own),
        "window": str(tmp_path / "window.npy"), "wrong": str(tmp_path / "wrong.npy"),
        "given": str(given),
    }  # fmt: skip
    (tmp_path / "job.json").write_text(json.dumps(job))
    done = node("drive.mjs", tmp_path / "job.json", cwd=packages)
    assert done.returncode == 0, done.stderr
    seen = json.loads((tmp_path / "seen.json").read_text(encoding="utf-8"))

    assert seen["problems"] == []
    assert {u for u in seen["requests"] if not u.startswith((address, "blob:", "data:"))} == set()
    maps = seen["maps"]
    honest = expected("honest", window)
    assert apart(maps["demo"]["relevance"], honest) <= CLOSE
    assert maps["demo"]["logits"] == pytest.approx(honest.outputs["logits"][0].tolist(), abs=1e-4)
    assert apart(maps["second class"]["relevance"], expected("honest", window, 1)) <= CLOSE
    assert apart(maps["other model"]["relevance"], expected("shortcut", window)) <= CLOSE
    difference = expected_difference("shortcut", window)
    assert apart(maps["difference"]["relevance"], difference) <= CLOSE
    assert maps["difference"]["explained"] == pytest.approx(float(difference.explained[0]), abs=1e-4)
    assert "silence" in seen["titles"][0]
    assert "difference to other windows" in seen["titles"][1]
    assert "against 4 windows of the same recording that the model calls" in seen["account"]
    assert "compile it with --against" in seen["errors"]["given"]
    a = ox.Explainer(demo_file("honest.onnx"), "cplrp")(x, contrast="rest")
    assert apart(maps["own files"]["relevance"], a) <= CLOSE
    for found in maps.values():  # what stayed on the way is told too
        total = sum(found["total"]) + sum(found["ledger"].values())
        assert total == pytest.approx(found["explained"], abs=1e-3)
    # The two models look at other electrodes, and the page says so.
    most = [max(zip(m["share"], m["channels"], strict=True))[1] for m in (maps["demo"], maps["other model"])]
    assert most[0] != most[1]
    assert most[0] in seen["label"]
    assert "wrong.npy: not an .npy file" in seen["errors"]["window"]
    assert seen["errors"]["model"].startswith("wrong.npy: ")
    for inner, outer in seen["wide"].values():
        assert inner <= outer
    for name in ("demo", "other", "difference", "error", "narrow", "narrow-difference", "dark"):
        assert (tmp_path / f"{name}.png").stat().st_size > 10_000


def test_node_example(site: Path, window: dict, tmp_path: Path):
    program("npm")
    source = ROOT / "examples" / "node"
    packages = installed(source, "node")
    shutil.copyfile(source / "explain.mjs", packages / "explain.mjs")
    assert len((source / "explain.mjs").read_text(encoding="utf-8").splitlines()) < 40
    model, out = site / "models" / "shortcut.lrp.onnx", tmp_path / "out.json"
    done = node("explain.mjs", model, site / "window.json", out, cwd=packages)
    assert done.returncode == 0, done.stderr
    found = json.loads(out.read_text(encoding="utf-8"))
    assert apart(found["relevance"], expected("shortcut", window)) <= CLOSE
    lines = done.stdout.splitlines()
    assert len(lines) == len(window["classes"]) + len(window["channels"]) + 1
    assert lines[-1].startswith("explained\t")
    assert sum(line.endswith("predicted") for line in lines) == 1


def test_node_example_of_a_difference(site: Path, window: dict, tmp_path: Path):
    """References in the file, and given beside the window."""
    from make_page import references

    program("npm")
    source = ROOT / "examples" / "node"
    packages = installed(source, "node")
    shutil.copyfile(source / "explain.mjs", packages / "explain.mjs")
    given = ox.compile(demo_file("shortcut.onnx"), tmp_path / "given.onnx", "difference")
    others = references("shortcut")[0]
    beside = {**window, "references": others.ravel().tolist()}
    (tmp_path / "beside.json").write_text(json.dumps(beside), encoding="utf-8")
    want = expected_difference("shortcut", window)
    inside = site / "models" / "shortcut.difference.onnx"
    for model, file in ((inside, site / "window.json"), (given, tmp_path / "beside.json")):
        done = node("explain.mjs", model, file, tmp_path / "out.json", cwd=packages)
        assert done.returncode == 0, done.stderr
        found = json.loads((tmp_path / "out.json").read_text(encoding="utf-8"))
        assert apart(found["relevance"], want) <= CLOSE
        name, value = done.stdout.splitlines()[-1].split("\t")
        assert (name, float(value)) == ("explained", pytest.approx(float(want.explained[0]), abs=1e-4))


def test_the_compiled_demo_is_for_any_runtime(site: Path):
    """Nothing but the standard's own operators, of opset 18."""
    model = onnx.load(site / "models" / "honest.lrp.onnx")
    onnx.checker.check_model(model, full_check=True)
    assert {n.domain for n in model.graph.node} <= {"", "ai.onnx"}
