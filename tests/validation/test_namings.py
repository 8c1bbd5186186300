"""The gate on one cap under two namings: what it finds does not depend on what electrodes are called."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import mne
import pytest

from onnxplain.models import demo_file
from onnxplain.validation import Gate, Policy, Verdict
from onnxplain.validation.checks import CHECKS

# What goes by where electrodes lie, without what has to be installed beside.
ON = {"follows", "intervention", "share", "transplant"}
OFF = ", ".join(f"{name}: {{enabled: false}}" for name in CHECKS if name not in ON)
POLICY = Policy.from_text(
    "version: 1\nevents: left/agree,right/agree\nexpects: {task: motor-imagery}\n"
    f"checks: {{{OFF}, follows: {{pairs: 40, electrodes: 0}}, "
    "transplant: {max_follow: {frontal-ocular: 0.3}}, share: {copies: 2, max_share: {frontal-ocular: 0.3}}}"
)
SIGNS = ("intervention.eyes", "share.eyes")
NEED_PLACES = ("order", "outside-regions", "region-frontal", "region-central")


def _result(verdict: Verdict, check: str) -> Any:
    return next(r for r in verdict.results if r.check == check)


@pytest.fixture(scope="module")
def known(demo_of: Any) -> Verdict:
    """The shortcut under 10-20 names."""
    demo = demo_of(False)
    return Gate(POLICY).run(demo_file("shortcut.onnx"), demo.recording, contract=demo.contract)


def test_the_shortcut_fails_by_the_same_signs_under_names_of_the_caps_own(
    known: Verdict, own_demo: Any
) -> None:
    found = Gate(POLICY).run(demo_file("shortcut.onnx"), own_demo.recording, contract=own_demo.contract)
    for verdict in (known, found):
        assert verdict.status == "FAIL"
        assert verdict.artefacts == {"eyes": SIGNS}
        assert any(reason.startswith("Clever Hans: the model uses the eyes") for reason in verdict.reasons)
        assert _result(verdict, "share.frontal-ocular").status == "FAIL"
        assert _result(verdict, "transplant.frontal-ocular").status == "FAIL"
        assert _result(verdict, "follows.outside-bands").status == "FAIL"
        for part in NEED_PLACES:
            # Of a region by itself nothing is asked.
            asked = "REPORTED" if part.startswith("region-") else "PASS"
            assert _result(verdict, f"follows.{part}").status == asked
    for a, b in zip(known.results, found.results, strict=True):
        assert (a.check, a.status) == (b.check, b.status)
        assert a.value == (None if b.value is None else pytest.approx(b.value, abs=1e-3))


def test_what_needs_electrodes_is_not_evaluable_where_their_place_is_not_known(
    own_demo: Any, tmp_path: Path
) -> None:
    raw = mne.io.read_raw_fif(own_demo.recording, preload=True, verbose="error").set_montage(None)
    raw.save(tmp_path / "bare_raw.fif", verbose="error")
    verdict = Gate(POLICY).run(
        demo_file("shortcut.onnx"), tmp_path / "bare_raw.fif", contract=own_demo.contract
    )
    for check, needed in (("intervention.eyes", "Fp1"), ("share.eyes", "F7"), ("intervention.muscle", "T7")):
        found = _result(verdict, check)
        assert found.status == "NOT EVALUABLE"
        assert needed in found.said
        assert "No place on the head is known of" in found.said
    held = _result(verdict, "transplant.frontal-ocular")
    assert (held.status, held.why_not) == ("NOT EVALUABLE", "electrodes")
    assert "No place on the head is known" in held.said
    assert "No place on the head is known" in _result(verdict, "share.frontal-ocular").said
    assert any("27 of the model's 27 channels" in n for n in verdict.notes)
    # Parts of the signal by itself are exchanged all the same, but those of places.
    made = {r.check for r in verdict.results}
    assert not made & {f"follows.{part}" for part in NEED_PLACES}
    assert {"follows.outside-bands", "follows.offset", "follows.gain", "follows.unshared"} <= made
    assert verdict.status == "FAIL"
