"""Support vector classifiers with their kernels: decisions between pairs of classes, and probabilities."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
from lowered import normal
from onnx import TensorProto, helper
from sklearn.svm import SVC

import onnxplain as ox

ML = "ai.onnx.ml"
X = normal(150, 4)
LOOKED_AT, OTHERS = X[:5], X[5:10]


def _labels(classes: int) -> np.ndarray[Any, Any]:
    edges = {2: [0.1], 3: [-0.4, 0.5], 4: [-0.7, 0.0, 0.7]}[classes]
    return np.digitize(X[:, 0] * X[:, 1] + X[:, 2], edges)


def _fitted(classes: int, kernel: str) -> Any:
    made = SVC(kernel=kernel, gamma=0.3, coef0=0.2, decision_function_shape="ovo", random_state=0)
    return made.fit(X, _labels(classes))


def _save(folder: Path, fitted: Any, slopes: int = 0, **more: Any) -> Path:
    attributes = {
        "kernel_type": fitted.kernel.upper(),
        "kernel_params": [0.3, 0.2, 3.0],
        "coefficients": fitted.dual_coef_.ravel().tolist(),
        "support_vectors": fitted.support_vectors_.ravel().tolist(),
        "vectors_per_class": fitted.n_support_.tolist(),
        "rho": fitted.intercept_.tolist(),
        "classlabels_ints": fitted.classes_.tolist(),
    }
    if slopes:
        attributes |= {"prob_a": [-1.5 - 0.2 * i for i in range(slopes)], "prob_b": [0.1] * slopes}
    node = helper.make_node(
        "SVMClassifier", ["x"], ["label", "y"], domain=ML, name="svc", **attributes, **more
    )
    info = helper.make_tensor_value_info
    graph = helper.make_graph(
        [node], "g", [info("x", TensorProto.FLOAT, ["batch", 4])], [info("y", TensorProto.FLOAT, None)]
    )
    opsets = [helper.make_opsetid("", 18), helper.make_opsetid(ML, 1)]
    path = folder / "model.onnx"
    onnx.save(helper.make_model(graph, opset_imports=opsets, ir_version=10), path)
    return path


@pytest.mark.parametrize("kernel", ["rbf", "poly", "sigmoid", "linear"])
@pytest.mark.parametrize("classes", [2, 3, 4])
def test_decisions_are_those_of_the_library_and_close(tmp_path: Path, kernel: str, classes: int) -> None:
    fitted = _fitted(classes, kernel)
    path = _save(tmp_path, fitted)
    want = fitted.decision_function(LOOKED_AT)
    want = np.stack([-want, want], 1) if classes == 2 else want
    for composite in ("attnlrp", "gradient", "difference"):
        given = {"reference": OTHERS} if composite == "difference" else {}
        a = ox.Explainer(path, composite)(LOOKED_AT, target=1, **given)
        np.testing.assert_allclose(a.outputs["y"], want, atol=1e-4)
        assert a.closure().max() < 1e-4
    assert np.abs(a.relevance["x"]).max() > 0


@pytest.mark.parametrize("kernel", ["rbf", "poly"])
def test_the_gradient_is_that_of_the_library(tmp_path: Path, kernel: str) -> None:
    fitted = _fitted(3, kernel)
    a = ox.Explainer(_save(tmp_path, fitted), "gradient")(LOOKED_AT, target=2)
    step = normal(5, 4, seed=3) * 1e-3
    ends = [fitted.decision_function(LOOKED_AT.astype(float) + s * step)[:, 2] for s in (1, -1)]
    got = (a.multiplier["x"] * step).sum(1)
    np.testing.assert_allclose(got, (ends[0] - ends[1]) / 2, rtol=2e-3, atol=1e-6)


@pytest.mark.parametrize("classes", [2, 3, 4])
def test_of_probabilities_the_log_odds_against_the_others_are_explained(tmp_path: Path, classes: int) -> None:
    fitted = _fitted(classes, "rbf")
    pairs = fitted.decision_function(LOOKED_AT).reshape(5, -1)
    path = _save(tmp_path, fitted, slopes=pairs.shape[1])
    odds = pairs * (1.5 + 0.2 * np.arange(pairs.shape[1])) - 0.1
    a = ox.Explainer(path)(LOOKED_AT, target=0)
    np.testing.assert_allclose(a.explained, odds[:, : classes - 1].sum(1), rtol=1e-4, atol=1e-4)
    assert a.closure().max() < 1e-4
    np.testing.assert_allclose(a.outputs["y"].sum(1), 1, atol=1e-5)
    assert any("log-odds against the others" in n for n in a.notes)
    assert ox.compile(path, tmp_path / "made.onnx").exists()
    if classes == 2:
        np.testing.assert_allclose(a.outputs["y"][:, 0], 1 / (1 + np.exp(-a.explained)), atol=1e-2)


def test_another_transform_of_two_classes_is_refused_by_name(tmp_path: Path) -> None:
    path = _save(tmp_path, _fitted(2, "rbf"), post_transform="SOFTMAX")
    with pytest.raises(ox.OnnxplainError, match=r"'svc'.*post_transform SOFTMAX"):
        ox.Explainer(path)(LOOKED_AT, target=0)
