"""What the documents say works: their Python runs, their links lead somewhere."""

from __future__ import annotations

import importlib.util
import re
import shutil
from pathlib import Path

import numpy as np
import pytest
import yaml

import onnxplain as ox
from onnxplain.engine.rules import registry
from onnxplain.models import demo_file
from onnxplain.validation.policy import STARTER

ROOT = Path(__file__).parents[1]
DOCUMENTS = sorted([*ROOT.glob("*.md"), *(ROOT / "docs").rglob("*.md")])


def blocks(path: Path, language: str) -> list[str]:
    return re.findall(
        rf"^```{language}\n(.*?)^```", path.read_text(encoding="utf-8"), re.MULTILINE | re.DOTALL
    )


@pytest.mark.parametrize("number", range(len(blocks(ROOT / "README.md", "python"))))
def test_python_in_the_readme_runs(number: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    shutil.copy(demo_file("honest.onnx"), tmp_path / "model.onnx")
    shutil.copy(demo_file("recording.edf"), tmp_path / "recording.edf")
    contract = ox.inspect(tmp_path / "model.onnx").contract
    assert contract is not None
    windows = np.random.default_rng(0).normal(size=(3, *contract.shape)).astype(np.float32)
    np.save(tmp_path / "windows.npy", windows * 20 * contract.scale)
    policy = STARTER.replace("expects: null", "expects: {task: motor-imagery}")
    (tmp_path / "policy.yaml").write_text(policy, encoding="utf-8")
    monkeypatch.chdir(tmp_path)
    exec(compile(blocks(ROOT / "README.md", "python")[number], "README.md", "exec"), {})


def test_python_in_the_page_of_gradients_runs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    shutil.copy(demo_file("honest.onnx"), tmp_path / "model.onnx")
    contract = ox.inspect(tmp_path / "model.onnx").contract
    assert contract is not None
    np.save(tmp_path / "windows.npy", np.random.default_rng(0).normal(size=(2, *contract.shape)))
    monkeypatch.chdir(tmp_path)
    (text,) = blocks(ROOT / "docs" / "gradients.md", "python")
    names: dict[str, np.ndarray] = {}
    exec(compile(text, "gradients.md", "exec"), names)
    assert names["J"].shape == names["g"].shape == (2, *names["x"].shape)
    np.testing.assert_allclose(names["g"][0], names["J"].sum(0), rtol=1e-4, atol=1e-7)


def test_the_example_contract_is_valid() -> None:
    text, *parts = blocks(ROOT / "docs" / "contract.md", "yaml")
    contract = ox.InputContract.parse(yaml.safe_load(text), where="docs/contract.md")
    assert contract.seconds == 4
    assert set(yaml.safe_load(text)) <= set(ox.InputContract.model_fields)
    assert parts
    for part in parts:
        ox.InputContract.parse({**yaml.safe_load(text), **yaml.safe_load(part)}, where="docs/contract.md")


def test_composites_are_documented(tmp_path: Path) -> None:
    text = (ROOT / "docs" / "composites.md").read_text(encoding="utf-8")
    assert re.findall(r"^\| `(\w+)` \|", text, re.MULTILINE) == list(ox.composites())
    (tmp_path / "careful.yaml").write_text(*blocks(ROOT / "docs" / "composites.md", "yaml"))
    composite = ox.Composite.from_file(tmp_path / "careful.yaml")
    assert (composite.name, composite.variant("softmax")) == ("careful", "constant")


@pytest.mark.parametrize("path", DOCUMENTS, ids=lambda path: path.relative_to(ROOT).as_posix())
def test_links_lead_somewhere(path: Path) -> None:
    for target in re.findall(r"\]\(([^)#]+)[^)]*\)", path.read_text(encoding="utf-8")):
        if not target.startswith("http"):
            assert (path.parent / target).exists(), f"{path.name}: {target}"


def test_the_readme_says_what_must_be_said() -> None:
    text = (ROOT / "README.md").read_text(encoding="utf-8")
    for words in (
        "make demo",
        "make test",
        "US12061966B2",
        "EP3271863B1",
        "before commercial use",
        "BSD-3-Clause",
    ):
        assert words in text


def test_the_changelog_knows_the_version() -> None:
    assert f"## [{ox.__version__}]" in (ROOT / "CHANGELOG.md").read_text(encoding="utf-8")


def test_the_page_of_rules_is_what_the_rules_say() -> None:
    spec = importlib.util.spec_from_file_location("make_rules", ROOT / "docs" / "make_rules.py")
    assert spec is not None
    assert spec.loader is not None
    make_rules = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(make_rules)
    text = make_rules.PAGE.read_text(encoding="utf-8")
    assert text == make_rules.page(), "run: python docs/make_rules.py"
    for rule in registry.rules():
        assert rule.domain or f"`{rule.op_type}`" in text
