"""The gate on the demo models, and through the command line, pytest and a stored verdict."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from pathlib import Path

import mne
import numpy as np
import onnx
import onnx.parser
import pytest
from logs import errors
from onnx import numpy_helper

from onnxplain.eeg.electrodes.names import normalise
from onnxplain.engine.contract import InputContract
from onnxplain.engine.errors import OnnxplainError
from onnxplain.engine.explainer import Explainer
from onnxplain.models import demo_file
from onnxplain.validation import Gate, Policy, Verdict
from onnxplain.validation.policy import STARTER
from onnxplain.validation.schema import VerdictFile

ROOT = Path(__file__).parents[2]
RECORDING = demo_file("recording.edf")


EXPECTS = "expects: {task: motor-imagery}"
MOTOR = Policy.from_text(f"version: 1\n{EXPECTS}")
HANS = "Clever Hans: the model uses the eyes"


@pytest.fixture(scope="module")
def verdicts() -> dict[str, Verdict]:
    return {name: Gate(MOTOR).run(demo_file(f"{name}.onnx"), RECORDING) for name in ("honest", "shortcut")}


def _result(verdict: Verdict, check: str):  # type: ignore[no-untyped-def]
    return next(r for r in verdict.results if r.check == check)


def test_the_honest_model_passes(verdicts: dict[str, Verdict]) -> None:
    honest = verdicts["honest"]
    assert (honest.status, honest.exit_code) == ("PASS", 0)
    assert _result(honest, "task").value == 1.0
    assert _result(honest, "intervention.eyes").value < 0.05
    assert _result(honest, "share.eyes").value < 1
    assert [r.check for r in honest.results if r.status in ("WARNING", "FAIL")] == []
    # Decisions go with the hand areas' rhythms, and it is said so.
    assert honest.confirmed is not None
    assert "C4" in honest.confirmed.said
    assert "8 to 30 Hz" in honest.confirmed.said
    assert {"outside bands", "outside regions", "gain", "eyes", "muscle"} <= set(honest.looked.at)
    assert honest.looked.not_at == {}


def test_without_a_word_on_what_it_may_use_it_does_not_pass() -> None:
    off = (
        "components",
        "clusters",
        "baseline",
        "audit",
        "invariance",
        "faithfulness",
        "randomisation",
        "agreement",
    )
    checks = ", ".join(f"{name}: {{enabled: false}}" for name in off)
    policy = Policy.from_text(f"version: 1\nwarning_exits: 1\nchecks: {{{checks}, follows: {{pairs: 40}}}}")
    verdict = Gate(policy).run(demo_file("honest.onnx"), RECORDING)
    assert (verdict.status, verdict.exit_code) == ("WARNING", 1)
    assert "was not declared" in verdict.reasons[0]
    assert verdict.reasons[1].startswith("The decision goes with ")
    assert verdict.reasons[2].startswith("Of all parts of the signal, decisions go most with alpha")
    assert len(verdict.reasons) == 3


def test_the_shortcut_is_named(verdicts: dict[str, Verdict]) -> None:
    shortcut = verdicts["shortcut"]
    assert (shortcut.status, shortcut.exit_code) == ("FAIL", 1)
    assert any(reason.startswith(HANS) for reason in shortcut.reasons)
    assert set(shortcut.artefacts) == {"eyes"}
    # No account of the eyes is needed: it lies outside of what the task may use.
    outside = _result(shortcut, "follows.outside-bands")
    assert (outside.status, outside.evidence["judged"]) == ("FAIL", "outside")
    assert outside.value > 0.9
    assert _result(shortcut, "intervention.eyes").value > 0.9
    # In this recording the eyes do not give the label away: that the model uses them shows all the same.
    assert _result(shortcut, "baseline.eyes").status == "REPORTED"


@pytest.mark.long
def test_a_second_run_says_the_same(verdicts: dict[str, Verdict]) -> None:
    again = Gate(MOTOR).run(demo_file("shortcut.onnx"), RECORDING)
    for a, b in zip(again.results, verdicts["shortcut"].results, strict=True):
        assert (a.check, a.status) == (b.check, b.status)
        assert (
            a.value == pytest.approx(b.value, rel=1e-4, abs=1e-6) if a.value is not None else b.value is None
        )


def _changed(folder: Path, change) -> Path:  # type: ignore[no-untyped-def]
    """The honest model with its last layer's weights changed."""
    model = onnx.load(demo_file("honest.onnx"))
    last = next(n for n in reversed(model.graph.node) if n.op_type == "Gemm")
    for tensor in model.graph.initializer:
        if tensor.name in last.input and len(tensor.dims) == 2:
            weights = change(numpy_helper.to_array(tensor)).astype(np.float32)
            tensor.CopyFrom(numpy_helper.from_array(weights, tensor.name))
    path = folder / "changed.onnx"
    onnx.save(model, path)
    return path


def test_a_constant_output_never_passes(tmp_path: Path) -> None:
    verdict = Gate().run(_changed(tmp_path, np.zeros_like), RECORDING)
    assert verdict.status == "FAIL"
    assert "The output is the same for every window." in verdict.reasons
    assert _result(verdict, "intervention.eyes").status == "NOT EVALUABLE"


@pytest.mark.long
def test_a_model_that_knows_nothing_never_passes(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    verdict = Gate().run(_changed(tmp_path, lambda w: rng.normal(size=w.shape)), RECORDING)
    # The head alone is random: whatever it reads, it is not the task.
    assert verdict.status in ("FAIL", "NOT EVALUABLE")
    assert verdict.exit_code == 1


@pytest.mark.long
def test_a_dataset_of_subjects(tmp_path: Path) -> None:
    for subject in ("sub-01", "sub-02"):
        (tmp_path / "data" / subject).mkdir(parents=True)
        shutil.copy(RECORDING, tmp_path / "data" / subject / "rec.edf")
    (tmp_path / "data" / "sub-03").mkdir()
    (tmp_path / "data" / "sub-03" / "rec.edf").write_bytes(b"nothing")
    verdict = Gate(MOTOR).run(demo_file("honest.onnx"), tmp_path / "data")
    assert verdict.status == "PASS"
    assert verdict.audit["subjects"] == 2
    assert any("Left out" in n for n in verdict.notes)
    # One person twice: subjects explain nothing.
    assert _result(verdict, "subjects").value < 0.01


@pytest.mark.parametrize("batch", [1, pytest.param(4, marks=pytest.mark.long)])
def test_files_that_take_so_many_windows(tmp_path: Path, batch: int, verdicts: dict[str, Verdict]) -> None:
    model = onnx.load(demo_file("shortcut.onnx"))
    for value in (*model.graph.input, *model.graph.output):
        value.type.tensor_type.shape.dim[0].dim_value = batch
    onnx.save(model, tmp_path / "fixed.onnx")
    verdict = Gate(MOTOR).run(tmp_path / "fixed.onnx", RECORDING)
    assert any(reason.startswith(HANS) for reason in verdict.reasons)
    # Every check feeds the file as many as it takes.
    assert not [r.said for r in verdict.results if "wants" in r.said or "at a time" in r.said]
    agreement = _result(verdict, "agreement")
    assert agreement.value == pytest.approx(_result(verdicts["shortcut"], "agreement").value, abs=1e-6)


@pytest.mark.parametrize(
    ("channels", "sfreq", "outputs"),
    [(("Cz",), 128.0, 2), (("C3", "C4"), 10.0, 2), (("C3", "Cz", "C4"), 64.0, 3), (("Fp1",), 200.0, 1)],
)
def test_models_of_few_electrodes_and_slow_ones(
    tmp_path: Path, channels: tuple[str, ...], sfreq: float, outputs: int
) -> None:
    """What cannot be looked for is said, check by check; a network that knows nothing never passes."""
    window = round(2 * sfreq)
    rng = np.random.default_rng(0)
    weights = rng.normal(0, 0.01, (len(channels) * window, outputs)).astype(np.float32)
    model = onnx.parser.parse_model(
        f"""<ir_version: 8, opset_import: ["" : 17]>
        small (float[N, {len(channels)}, {window}] x) => (float[N, {outputs}] y)
        {{ flat = Flatten(x) y = MatMul(flat, w) }}"""
    )
    model.graph.initializer.append(numpy_helper.from_array(weights, "w"))
    contract = InputContract(
        input="x", channels=channels, sfreq=sfreq, window=window, highpass=0.5, lowpass=0.4 * sfreq,
        classes=("left", "right", "rest")[:outputs] if outputs > 1 else (),
    )  # fmt: skip
    onnx.helper.set_model_props(model, contract.to_metadata())
    onnx.save(model, tmp_path / "small.onnx")
    verdict = Gate().run(tmp_path / "small.onnx", RECORDING)
    assert _result(verdict, "components").status == "NOT EVALUABLE"
    assert "are needed." in _result(verdict, "components").said
    if outputs > 1:
        assert verdict.status in ("FAIL", "NOT EVALUABLE")
    else:
        assert _result(verdict, "intervention.eyes").status != "NOT EVALUABLE"


def _one_number(name: str, folder: Path) -> Path:
    """A demo model whose output is one number: the second class's logit less the first's."""
    model = onnx.load(demo_file(f"{name}.onnx"))
    last = next(n for n in reversed(model.graph.node) if n.op_type == "Gemm")
    for tensor in model.graph.initializer:
        if tensor.name in last.input:
            both = numpy_helper.to_array(tensor)
            tensor.CopyFrom(numpy_helper.from_array(both[1:] - both[:1], tensor.name))
    model.graph.output[0].type.tensor_type.shape.dim[1].dim_value = 1
    contract = Explainer(demo_file(f"{name}.onnx")).contract
    assert contract is not None
    onnx.helper.set_model_props(model, contract.model_copy(update={"classes": ()}).to_metadata())
    path = folder / f"{name}.onnx"
    onnx.save(model, path)
    return path


@pytest.mark.long
def test_models_whose_output_is_a_number(tmp_path: Path) -> None:
    shortcut = Gate(MOTOR).run(_one_number("shortcut", tmp_path), RECORDING)
    assert shortcut.status == "FAIL"
    assert set(shortcut.artefacts) == {"eyes"}
    for check in ("intervention.eyes", "components.eyes"):
        eyes = _result(shortcut, check)
        assert eyes.value > 0.7
        assert "the output goes with it" in eyes.said
    # Labels are words here, and the output is a number: whether it does its task cannot be said.
    honest = Gate(MOTOR).run(_one_number("honest", tmp_path), RECORDING)
    assert (honest.status, _result(honest, "task").status) == ("NOT EVALUABLE", "NOT EVALUABLE")
    assert not honest.artefacts
    assert _result(honest, "intervention.eyes").value < 0.1


def test_components_are_another_account_of_the_same(verdicts: dict[str, Verdict]) -> None:
    for check in ("components.eyes", "components.eyes.share"):
        assert _result(verdicts["shortcut"], check).status == "FAIL"
        assert _result(verdicts["honest"], check).status == "PASS"
    eyes = _result(verdicts["shortcut"], "components.eyes")
    assert "ICLabel calls eye" in eyes.evidence["how"]
    # Without its eyes, the model decides otherwise in a good part of the windows.
    assert eyes.evidence["removed_changes"] > 0.2


@pytest.mark.long
def test_regions_and_bands_can_be_held_to_numbers() -> None:
    limits = "{max_share: {sensorimotor: 0.1, occipital: 0.9}, max_band: {gamma: 0.5}}"
    follow = "{max_follow: {sensorimotor: 0.3, frontal-ocular: 0.3, cardiac-prone: 0.1}}"
    text = f"version: 1\nchecks: {{share: {limits}, transplant: {follow}}}"
    verdict = Gate(Policy.from_text(text)).run(demo_file("honest.onnx"), RECORDING)
    assert _result(verdict, "share.sensorimotor").status == "FAIL"
    assert _result(verdict, "share.occipital").status == "PASS"
    assert _result(verdict, "share.gamma").status == "PASS"
    # Decisions go with the hand areas' signal, and not with that of electrodes near the eyes.
    assert _result(verdict, "transplant.sensorimotor").status == "FAIL"
    assert _result(verdict, "transplant.frontal-ocular").status == "PASS"
    assert _result(verdict, "transplant.cardiac-prone").status == "NOT EVALUABLE"
    assert verdict.status == "FAIL"


def test_a_cap_of_which_it_is_not_known_where_its_electrodes_lie(tmp_path: Path) -> None:
    """An honest model does not pass where neither eyes nor muscle could be looked for."""
    contract = Explainer(demo_file("honest.onnx")).contract
    assert contract is not None
    own = {name: f"E{i + 1}" for i, name in enumerate(contract.channels)}
    raw = mne.io.read_raw_edf(RECORDING, preload=True, verbose="error")
    names = {n: own[normalise(n)] for n in raw.ch_names if normalise(n) in own}
    raw.rename_channels(names).pick(list(names.values())).set_montage(None)
    raw.save(tmp_path / "cap_raw.fif", verbose="error")
    off = ("clusters", "faithfulness", "randomisation", "agreement", "baseline", "transplant")
    checks = ", ".join(f"{name}: {{enabled: false}}" for name in off)
    policy = Policy.from_text(f"version: 1\nevents: left/agree,right/agree\nchecks: {{{checks}}}")
    cap = contract.model_copy(update={"channels": tuple(own.values())})
    verdict = Gate(policy).run(demo_file("honest.onnx"), tmp_path / "cap_raw.fif", contract=cap)
    assert _result(verdict, "task").status == "PASS"
    assert verdict.status in ("WARNING", "NOT EVALUABLE")
    said = " ".join(verdict.reasons)
    assert "Whether the model uses the eyes could not be looked for." in said
    assert "Whether the model uses muscle could not be looked for." in said
    VerdictFile.model_validate({**verdict.to_dict(), "drift": None})


def test_what_cannot_be_used_gives_no_verdict(tmp_path: Path) -> None:
    (tmp_path / "no.onnx").write_bytes(b"x")
    for model, data in ((tmp_path / "no.onnx", RECORDING), (demo_file("honest.onnx"), tmp_path / "no.onnx")):
        with pytest.raises(OnnxplainError):
            Gate().run(model, data)


# -- the command line ---------------------------------------------------------------------------------


def _validate(*arguments: object, folder: Path) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "onnxplain", "validate", *map(str, arguments)]
    return subprocess.run(command, capture_output=True, text=True, cwd=folder, check=False, timeout=300)


def test_the_command_line(tmp_path: Path) -> None:
    printed = _validate("--init", folder=tmp_path)
    assert (printed.returncode, printed.stdout) == (0, STARTER)
    policy = tmp_path / "policy.yaml"
    policy.write_text(printed.stdout.replace("expects: null", EXPECTS, 1), encoding="utf-8")
    good = _validate(
        demo_file("honest.onnx"), RECORDING, "--policy", policy, "--out", "good", folder=tmp_path
    )
    assert (good.returncode, errors(good.stderr)) == (0, "")
    assert good.stdout.startswith("PASS: ")
    bad = _validate(
        demo_file("shortcut.onnx"), RECORDING, "--policy", policy, "--out", "bad",
        "--baseline", "good/verdict.json", "--audit-log", "good/audit.jsonl", folder=tmp_path,
    )  # fmt: skip
    assert (bad.returncode, bad.stderr) == (1, "")
    assert "Clever Hans: the model uses the eyes" in bad.stdout
    assert "The verdict was PASS and is FAIL." in bad.stdout
    assert len((tmp_path / "good" / "audit.jsonl").read_text(encoding="utf-8").splitlines()) == 2
    for name in ("good", "bad"):
        data = json.loads((tmp_path / name / "verdict.json").read_text(encoding="utf-8"))
        VerdictFile.model_validate(data)
        page = (tmp_path / name / "report.html").read_text(encoding="utf-8")
        assert data["status"] in page
        assert (tmp_path / name / "junit.xml").exists()


@pytest.mark.row("O6")
@pytest.mark.parametrize(
    ("policy", "model", "data", "said"),
    [
        (
            "version: 1\nchecks: {share: {max_share: {frontla: 1}}}",
            "honest.onnx",
            "recording.edf",
            "no region",
        ),
        ("version: 1\nexpects: {regions: [frontla]}", "honest.onnx", "recording.edf", "no region 'frontla'"),
        ("version: 1", "honest.onnx", "missing.edf", "no such file"),
        ("version: 1", "no.onnx", "recording.edf", "no.onnx"),
    ],
)
def test_mistakes_are_one_line_and_never_a_pass(
    tmp_path: Path, policy: str, model: str, data: str, said: str
) -> None:
    for name in ("honest.onnx", "recording.edf"):
        shutil.copy(demo_file(name), tmp_path / name)
    (tmp_path / "no.onnx").write_text("no model")
    (tmp_path / "p.yaml").write_text(policy, encoding="utf-8")
    done = _validate(model, data, "--policy", "p.yaml", folder=tmp_path)
    assert done.returncode == 2
    assert done.stdout == ""
    assert len(done.stderr.splitlines()) == 1
    assert said in done.stderr


def test_the_pytest_plugin(tmp_path: Path) -> None:
    (tmp_path / "policy.yaml").write_text(
        f"version: 1\n{EXPECTS}\nchecks: {{agreement: {{enabled: false}}, clusters: {{enabled: false}}}}",
        encoding="utf-8",
    )
    (tmp_path / "test_model.py").write_text(
        f"""
def test_model(onnxplain_gate):
    assert onnxplain_gate.policy.checks.agreement.enabled is False
    verdict = onnxplain_gate.run({str(demo_file("honest.onnx"))!r}, {str(RECORDING)!r})
    assert verdict.exit_code == 0, verdict.reasons
""",
        encoding="utf-8",
    )
    command = [
        sys.executable,
        "-m",
        "pytest",
        "-q",
        "-p",
        "no:cacheprovider",
        "--onnxplain-policy",
        "policy.yaml",
    ]
    done = subprocess.run(
        [*command, "test_model.py"], cwd=tmp_path, capture_output=True, text=True, check=False, timeout=300
    )
    assert done.returncode == 0, done.stdout
    assert "1 passed" in done.stdout


def test_the_schema_in_the_docs_is_the_formats() -> None:
    text = (ROOT / "docs" / "verdict.schema.json").read_text(encoding="utf-8")
    assert json.loads(text) == VerdictFile.model_json_schema()
