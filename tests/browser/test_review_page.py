"""The page of a blinded review in headless Chromium: filled in by an expert, and what it saves scored."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import xarray as xr
from web import colours, opened

from onnxplain.eeg.review import make as review

NAMES = ("Fp1", "Fp2", "F7", "F8", "C3", "Cz", "C4", "T7", "T8", "Pz", "O1", "O2")
EXPERT = 'Dr. Łucja "L" <b>'


def explanation(seed: int) -> xr.Dataset:
    """Relevance of twelve windows, drawn at random."""
    wide = ("epoch", "channel", "time")
    return xr.Dataset(
        {"relevance": (wide, np.random.default_rng(seed).normal(size=(12, len(NAMES), 4)))},
        {
            "channel": list(NAMES),
            "onset": ("epoch", 2.0 * np.arange(12)),
            "target_class": ("epoch", np.array(["left hand", "right hand"] * 6, dtype=object)),
        },
    )


def test_an_expert_fills_the_page_in(tmp_path: Path) -> None:
    page = review.make(explanation(0), {"x": explanation(1)}, tmp_path / "review", n=12)
    items = json.loads((page.parent / "key.json").read_text(encoding="utf-8"))["items"]
    # Right about all but two: a true map that is called not plausible, and one that is left open.
    answers = {i: ["plausible" if e["true"] else "not plausible", 4] for i, e in items.items()}
    wrong = next(i for i, e in items.items() if e["true"])
    unsure = next(i for i, e in items.items() if not e["true"])
    answers[wrong], answers[unsure] = ["not plausible", 5], ["unsure", 1]
    seen = opened(page, tmp_path, "review", expert=EXPERT, answers=answers)

    assert seen["problems"] == []
    assert [v for v in seen["axe"]["wide"] if v[0] in ("serious", "critical")] == []
    assert {u for u in seen["requests"] if not u.startswith(("file:", "data:", "blob:"))} == set()
    said = seen["said"]
    assert said["no name"] == "Please give a name or initials."
    assert said["nothing answered"].startswith("Not answered yet: 12.")
    assert said["nothing answered: framed"] == 12
    assert said["half answered"].startswith("Not answered yet: 6.")
    assert said["half answered: framed"] == 6
    assert seen["early"] == []  # nothing was saved before all maps had an answer
    assert seen["downloads"] == ["answers-Dr_Łucja_L_b_.json"]
    assert seen["downloads"][0] in said["all answered"]

    saved = json.loads((tmp_path / "answers.json").read_text(encoding="utf-8"))
    assert saved["answers"] == {i: {"judgement": j, "confidence": c} for i, (j, c) in answers.items()}
    (expert,) = review.score(page.parent / "key.json", [tmp_path / "answers.json"]).experts
    assert expert.name == EXPERT
    assert (expert.correct, expert.decided, expert.unsure) == (10, 11, 1)
    assert expert.confidence == pytest.approx((10 * 4 + 5 + 1) / 12)
    # Of 11, six true and five others: five and five right. By chance (6 * 5 + 5 * 6) / 121 agree.
    assert expert.kappa == pytest.approx((10 / 11 - 60 / 121) / (1 - 60 / 121))

    fits_and_shows(seen, tmp_path)


def fits_and_shows(seen: dict[str, Any], folder: Path) -> None:
    """Nothing is wider than the screen, and all head maps are there."""
    for name, (inner, outer) in seen["wide"].items():
        assert inner <= outer, name
    assert seen["out"]["narrow"] == 0  # every button is on the screen and tall enough for a finger
    for images in seen["images"].values():
        assert len(images) == 12
        assert all(alt.startswith("Head map ") and width > 0 for alt, width in images)
    for name in ("wide", "narrow", "wide-whole", "narrow-whole", "answered"):
        assert colours(folder / f"{name}.png") > 1000, name
