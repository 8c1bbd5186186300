"""Ensembles of trees: what each branch changes is the relevance of the feature that it looks at."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import onnx
import onnxruntime as ort
import pytest
from lowered import normal
from onnx import TensorProto, helper, numpy_helper
from sklearn.ensemble import RandomForestClassifier
from sklearn.tree import DecisionTreeRegressor

import onnxplain as ox
from onnxplain.engine.lowering import trees as trees_lowering

ML = "ai.onnx.ml"
X = normal(200, 5)
Y = (X[:, 0] + X[:, 1] * X[:, 2] > 0).astype(int) + (X[:, 3] > 0.5)
LOOKED_AT, OTHERS = X[:6], X[6:12]
COMPOSITES = ("attnlrp", "epsilon", "zplus", "gamma", "epsilon_plus", "gradient")


def _forest() -> list[Any]:
    made = RandomForestClassifier(7, random_state=0).fit(X, Y)
    return [e.tree_ for e in made.estimators_]


def _regression(depth: int | None = None) -> Any:
    return DecisionTreeRegressor(max_depth=depth, random_state=0).fit(X, X[:, 0] * X[:, 1]).tree_


def _values(tree: Any) -> np.ndarray[Any, Any]:
    """What each node says: of a classifier the shares of its samples."""
    value = tree.value[:, 0, :]
    return value / value.sum(1, keepdims=True) if value.shape[1] > 1 else value


def _lists(trees: list[Any], kind: str, mode: str, scale: float, only: int | None = None) -> dict[str, Any]:
    """Trees as the attributes of the older operators."""
    rows: list[tuple[Any, ...]] = []
    leaves: list[tuple[Any, ...]] = []
    for t, tree in enumerate(trees):
        for i in range(tree.node_count):
            leaf = tree.children_left[i] < 0
            sides = (0, 0) if leaf else (int(tree.children_left[i]), int(tree.children_right[i]))
            feature, limit = (
                (0, 0.0) if leaf else (int(tree.feature[i]), float(np.float32(tree.threshold[i])))
            )
            hits = float(tree.weighted_n_node_samples[i])
            rows.append((t, i, feature, limit, "LEAF" if leaf else mode, *sides, hits))
            shares = _values(tree)[i] if only is None else _values(tree)[i][only : only + 1]
            leaves += [(t, i, c, float(v * scale)) for c, v in enumerate(shares)] if leaf else []
    names = (
        *("treeids", "nodeids", "featureids", "values", "modes"),
        *("truenodeids", "falsenodeids", "hitrates"),
    )
    found = {f"nodes_{n}": list(c) for n, c in zip(names, zip(*rows, strict=True), strict=True)}
    for n, c in zip(("treeids", "nodeids", "ids", "weights"), zip(*leaves, strict=True), strict=True):
        found[f"{kind}_{n}"] = list(c)
    return found


def _save(folder: Path, op_type: str, attributes: dict[str, Any], version: int = 3, opset: int = 18) -> Path:
    outputs = ["label", "y"] if op_type.endswith("Classifier") else ["y"]
    node = helper.make_node(op_type, ["x"], outputs, domain=ML, name="forest", **attributes)
    graph = helper.make_graph(
        [node],
        "g",
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, ["batch", 5])],
        [helper.make_tensor_value_info("y", TensorProto.FLOAT, None)],
    )
    opsets = [helper.make_opsetid("", opset), helper.make_opsetid(ML, version)]
    path = folder / "model.onnx"
    onnx.save(helper.make_model(graph, opset_imports=opsets, ir_version=10), path)
    return path


def _by_hand(trees: list[Any], x: np.ndarray[Any, Any], target: int, scale: float) -> np.ndarray[Any, Any]:
    """Down each tree: what a step changes is that of the feature compared (Saabas 2014)."""
    found = np.zeros(x.shape)
    for row, r in zip(x, found, strict=True):
        for tree in trees:
            i, values = 0, _values(tree)
            while tree.children_left[i] >= 0:
                left = row[tree.feature[i]] <= np.float32(tree.threshold[i])
                side = tree.children_left[i] if left else tree.children_right[i]
                r[tree.feature[i]] += scale * (values[side, target] - values[i, target])
                i = side
    return found


@pytest.mark.parametrize("composite", COMPOSITES)
def test_a_forest_by_hand_under_every_composite(tmp_path: Path, composite: str) -> None:
    trees = _forest()
    attributes = _lists(trees, "class", "BRANCH_LEQ", 1 / 7)
    path = _save(tmp_path, "TreeEnsembleClassifier", {**attributes, "classlabels_int64s": [0, 1, 2]})
    want = _by_hand(trees, LOOKED_AT, 1, 1 / 7)
    for backend in ("numpy", "onnx"):
        a = ox.Explainer(path, composite, backend)(LOOKED_AT, target=1)
        assert a.closure().max() < 1e-5
        # Of a sum that is 0 a stabiliser keeps all, by definition: that row is no more by hand.
        rows = np.abs(a.explained) > 1e-3
        assert rows.sum() >= 2
        np.testing.assert_allclose(a.relevance["x"][rows], want[rows], atol=2e-4)


def test_a_difference_is_the_difference_of_both(tmp_path: Path) -> None:
    trees = _forest()
    attributes = _lists(trees, "class", "BRANCH_LEQ", 1 / 7)
    path = _save(tmp_path, "TreeEnsembleClassifier", {**attributes, "classlabels_int64s": [0, 1, 2]})
    a = ox.Explainer(path, "difference")(LOOKED_AT, target=1, reference=OTHERS)
    want = _by_hand(trees, LOOKED_AT, 1, 1 / 7) - _by_hand(trees, OTHERS, 1, 1 / 7)
    np.testing.assert_allclose(a.relevance["x"], want, atol=1e-5)
    assert a.closure().max() < 1e-5
    assert np.abs(a.ledger.total()).max() < 1e-6


KINDS: dict[str, tuple[str, dict[str, Any]]] = {
    "a sum with a base": (
        "TreeEnsembleRegressor",
        {**_lists([_regression(3)], "target", "BRANCH_LEQ", 0.1), "n_targets": 1, "base_values": [0.3]},
    ),
    "an average": (
        "TreeEnsembleRegressor",
        {
            **_lists([_regression(3), _regression()], "target", "BRANCH_LEQ", 1.0),
            "n_targets": 1,
            "aggregate_function": "AVERAGE",
        },
    ),
    "two classes of one probability": (
        "TreeEnsembleClassifier",
        {**_lists(_forest(), "class", "BRANCH_LEQ", 1 / 7, only=1), "classlabels_int64s": [0, 1]},
    ),
    "two classes of one logit": (
        "TreeEnsembleClassifier",
        {
            **_lists([_regression(3)], "class", "BRANCH_LT", 1.0),
            "classlabels_strings": ["rest", "move"],
            "post_transform": "LOGISTIC",
            "base_values": [0.2],
        },
    ),
    "a softmax": (
        "TreeEnsembleClassifier",
        {
            **_lists(_forest(), "class", "BRANCH_LT", 1.0),
            "classlabels_int64s": [0, 1, 2],
            "post_transform": "SOFTMAX",
        },
    ),
}


@pytest.mark.parametrize(("op_type", "attributes"), KINDS.values(), ids=KINDS.keys())
def test_every_form_closes_and_compiles(tmp_path: Path, op_type: str, attributes: dict[str, Any]) -> None:
    path = _save(tmp_path, op_type, attributes)
    a = ox.Explainer(path)(LOOKED_AT, target=0)
    own = ort.InferenceSession(str(path), providers=["CPUExecutionProvider"]).run(["y"], {"x": LOOKED_AT})[0]
    np.testing.assert_allclose(a.outputs["y"], own, atol=1e-6)
    assert a.closure().max() < 1e-5
    assert np.abs(a.relevance["x"]).max() > 0
    made = ox.compile(path, tmp_path / "made.onnx")
    opened = ort.InferenceSession(str(made), providers=["CPUExecutionProvider"])
    seed = np.zeros([6, *opened.get_inputs()[1].shape[1:]], np.float32)
    seed[:, 0] = 1
    (got,) = opened.run(["relevance.x"], {"x": LOOKED_AT, "seed": seed})
    np.testing.assert_allclose(got, a.relevance["x"], atol=5e-6 * np.abs(got).max())


def test_the_operator_that_took_their_place(tmp_path: Path) -> None:
    """Two trees, one of them a leaf, with every comparison that there is."""
    tensor = numpy_helper.from_array
    attributes = {
        "tree_roots": [0, 5],
        "nodes_featureids": [0, 1, 2, 3, 4, 0],
        "nodes_splits": tensor(np.float32([0, 0.5, -0.5, 0.25, X[0, 4], 0])),
        "nodes_modes": tensor(np.uint8([0, 1, 2, 3, 5, 0])),
        "nodes_truenodeids": [1, 3, 0, 1, 2, 6],
        "nodes_trueleafs": [0, 0, 1, 1, 1, 1],
        "nodes_falsenodeids": [2, 3, 4, 4, 5, 6],
        "nodes_falseleafs": [0, 1, 0, 1, 1, 1],
        "leaf_targetids": [0, 1, 0, 1, 0, 1, 1],
        "leaf_weights": tensor(np.float32([1, -2, 3, 0.5, -1.5, 4, 0.75])),
        "n_targets": 2,
    }
    path = _save(tmp_path, "TreeEnsemble", attributes, 5)
    for composite in ("attnlrp", "difference"):
        given = {"reference": OTHERS} if composite == "difference" else {}
        for target in (0, 1):
            a = ox.Explainer(path, composite)(LOOKED_AT, target=target, **given)
            assert a.closure().max() < 1e-5


def test_the_largest_of_trees_is_refused_by_name(tmp_path: Path) -> None:
    attributes = {**_lists([_regression(2)], "target", "BRANCH_LEQ", 1.0), "n_targets": 1}
    path = _save(tmp_path, "TreeEnsembleRegressor", {**attributes, "aggregate_function": "MAX"})
    with pytest.raises(ox.OnnxplainError, match=r"'forest'.*aggregate_function MAX is not supported"):
        ox.Explainer(path)(LOOKED_AT, target=0)


def test_trees_beyond_the_limit_are_refused_by_name(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(trees_lowering, "MOST", 3)
    attributes = {**_lists([_regression(2)], "target", "BRANCH_LEQ", 1.0), "n_targets": 1}
    path = _save(tmp_path, "TreeEnsembleRegressor", attributes)
    with pytest.raises(ox.OnnxplainError, match=r"TreeEnsembleRegressor.* nodes; ensembles of up to 3"):
        ox.Explainer(path)(LOOKED_AT, target=0)


@pytest.mark.parametrize("mode", ["BRANCH_LEQ", "BRANCH_LT", "BRANCH_GTE", "BRANCH_GT"])
def test_files_from_before_opset_12(tmp_path: Path, mode: str) -> None:
    """LessOrEqual and GreaterOrEqual came with 12: the maps are those of the same trees in a newer file."""
    attributes = {**_lists([_regression(3)], "target", mode, 1.0), "n_targets": 1}
    found = []
    for opset in (9, 18):
        path = _save(tmp_path, "TreeEnsembleRegressor", attributes, opset=opset)
        a = ox.Explainer(path)(LOOKED_AT, target=0)
        assert a.closure().max() < 1e-5
        found.append(a.relevance["x"])
    np.testing.assert_allclose(found[0], found[1], atol=1e-6)
