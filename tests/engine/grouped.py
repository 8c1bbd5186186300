"""A linear model of grouped inputs, whose every right answer is known; for the tests of evaluation."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
from cases import Case

import onnxplain as ox
from onnxplain.engine.evaluation.features import along
from onnxplain.engine.evaluation.setting import Setting

WINDOWS, GROUPS, TIME = 24, 6, 10
rng = np.random.default_rng(3)
X = rng.standard_normal((WINDOWS, GROUPS, TIME)).astype(np.float32)
W = (rng.standard_normal((GROUPS, TIME)) * np.array([3, 0.1, 2, 0.5, 1, 0.2])[:, None]).astype(np.float32)


def setting(path: Path, x: np.ndarray = X, **more: Any) -> Setting:
    """Windows of a model, by its first plain output."""
    given = {"target": 0, "contrast": None, **more}
    return Setting(ox.Explainer(path), x, along(x.shape[1:]), **given)


def linear_model(folder: Path, constant: float = 0.75) -> Path:
    """y = sum of w x + constant, and a second output of half that sum."""
    weights = np.stack([W.ravel(), W.ravel() / 2], 1)
    body = "f = Flatten(x) h = MatMul(f, w) y = Add(h, b)"
    bias = np.float32([constant, 0.75])
    return Case(f"linear_{constant:g}", body, {"x": X}, {"w": weights, "b": bias}).save(folder)


def parts(x: np.ndarray = X) -> np.ndarray:
    """What each group adds, which is its relevance."""
    return (x.astype(np.float64) * W).sum(-1)
