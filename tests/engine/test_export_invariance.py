"""One network in many files: exporters, opsets, optimisers and simplifiers change nothing in a map."""

from __future__ import annotations

import numpy as np
import onnxruntime as ort
import pytest
from exports import EXPORTS, REFERENCE, Files, bert, explained, operators, opset, pearson
from networks import convnet, labram
from rounding import assert_same, in_double

import onnxplain as ox
from onnxplain.exporters.rewrites import parametrized

TARGET = [0, 3]
# Where a stabiliser of 1e-6 meets activations as small, float32's rounding is what is measured; 0.1 shows
# whether the same sums are stabilised.
COMPOSITES = {
    "attnlrp": {},
    "cplrp": {},
    "gradient": {},
    "epsilon": {"epsilon": 0.1, "stabilizer": 0.1},
    "epsilon_plus": {"epsilon": 1e-3, "stabilizer": 1e-3},
    "gamma": {},
    "zplus": {},
}
# The sign of x is not looked at: a positive and a negative part cancel to denominators of any size.
STABILISED = {"gamma_positive": {"stabilizer": 0.1}}
SOME = ("legacy 11", "legacy 17, onnxsim", "legacy 17, transformers 1", "dynamo 20, onnxruntime all")

MS = "com.microsoft."
# What has to be in a file, or it is not the variant that it says it is.
LABRAM = {
    "legacy 11": {"ReduceMean", "Erf"},
    "legacy 13": {"ReduceMean", "Erf"},
    "legacy 17": {"LayerNormalization", "Erf"},
    "dynamo 18": {"LayerNormalization", "Erf"},
    "legacy 11, onnxruntime all": {"LayerNormalization", MS + "Gelu", MS + "FusedMatMul", MS + "nchwc.Conv"},
    "legacy 17, onnxruntime basic": {"LayerNormalization", "Erf"},
    "legacy 17, onnxruntime extended": {MS + "BiasGelu", MS + "FusedMatMul"},
    "legacy 17, onnxruntime all": {MS + "BiasGelu", MS + "FusedMatMul", MS + "nchwc.Conv"},
    "legacy 17, onnxsim": {"Gemm"},
    "legacy 17, onnxslim": {"LayerNormalization"},
    "legacy 17, transformers 0": {MS + "SkipLayerNormalization", MS + "BiasGelu", MS + "Gelu"},
    "legacy 17, transformers 1": {MS + "SkipLayerNormalization", MS + "BiasGelu", MS + "Gelu"},
    "legacy 17, transformers 2": {MS + "SkipLayerNormalization", MS + "BiasGelu", MS + "Gelu"},
    "dynamo 20, onnxruntime basic": {"Gelu"},
    "dynamo 20, onnxruntime extended": {MS + "BiasGelu", MS + "FusedMatMul", MS + "SkipLayerNormalization"},
    "dynamo 20, onnxruntime all": {MS + "BiasGelu", MS + "FusedMatMul", MS + "nchwc.Conv"},
    "dynamo 20, onnxsim": {"Gemm"},
    "dynamo 20, onnxslim": {"Gelu"},
    # At level 0 the optimiser itself fails on this file ("Graph is not a DAG").
    "dynamo 20, transformers 1": {MS + "SkipLayerNormalization", MS + "BiasGelu"},
    "dynamo 20, transformers 2": {MS + "SkipLayerNormalization", MS + "BiasGelu"},
}
BERT = {
    "legacy 11": {"ReduceMean"},
    "legacy 17, transformers 0": {MS + "Attention", MS + "SkipLayerNormalization", MS + "BiasGelu"},
    "legacy 17, transformers 1": {MS + "Attention", MS + "SkipLayerNormalization", MS + "BiasGelu"},
    "dynamo 20, transformers 1": {MS + "Attention", MS + "SkipLayerNormalization", MS + "BiasGelu"},
    "dynamo 20, onnxruntime all": {MS + "FusedMatMul", MS + "SkipLayerNormalization", MS + "BiasGelu"},
}
CONVNETS = {
    "EEGNet": {
        "legacy 11": {"Conv"},
        "legacy 17": {"Conv"},
        "dynamo 20, onnxruntime extended": {"Conv"},
        "dynamo 20, onnxruntime all": {
            MS + "nchwc.Conv",
            MS + "nchwc.AveragePool",
            MS + "nchwc.ReorderInput",
        },
        "legacy 17, onnxslim": {"Conv"},
        "dynamo 20, onnxsim": {"Conv"},
    },
    # The legacy exporter's file of this network does not load: it has a Gemm of the wrong rank.
    "ShallowFBCSPNet": {
        "dynamo 18": {"BatchNormalization"},
        "dynamo 20, onnxruntime basic": {"Conv"},
        "dynamo 20, onnxruntime all": {MS + "nchwc.Conv"},
        "dynamo 20, onnxsim": {"Conv"},
        "dynamo 20, onnxslim": {"Conv"},
    },
}
QUANTISED = {
    "labram": {
        "legacy 17, int8": {"MatMulInteger", "ConvInteger"},
        "legacy 17, transformers 1, int8": {"MatMulInteger", MS + "SkipLayerNormalization"},
        "legacy 17, QDQ": {"QuantizeLinear"},
        "legacy 17, QOperator": {"QLinearMatMul", "QLinearConv"},
    },
    "bert": {
        "legacy 17, transformers 1, int8": {MS + "QAttention", "MatMulInteger"},
        "dynamo 20, QDQ": {"QuantizeLinear"},
        "dynamo 20, QOperator": {"QLinearMatMul", MS + "QLinearSoftmax"},
    },
    "EEGNet": {
        "legacy 17, int8": {"ConvInteger"},
        "dynamo 20, QDQ": {"QuantizeLinear"},
        "legacy 17, QOperator": {"QLinearConv", MS + "QLinearAveragePool"},
    },
}


class Maps:
    """A network's files, and the maps that the others are compared with."""

    def __init__(self, files: Files, windows: np.ndarray) -> None:
        self.files, self.x = files, windows[:2]
        self._known: dict[str, np.ndarray] = {}
        self._exact: dict[str, np.ndarray] = {}

    def of(self, variant: str, composite: str) -> np.ndarray:
        parameters = (COMPOSITES | STABILISED)[composite]
        return explained(self.files[variant], self.x, composite, TARGET, **parameters)

    def reference(self, composite: str) -> np.ndarray:
        if composite not in self._known:
            self._known[composite] = self.of(REFERENCE, composite)
        return self._known[composite]

    def exact(self, composite: str) -> np.ndarray:
        """The reference's map in float64."""
        if composite not in self._exact:
            parameters = (COMPOSITES | STABILISED)[composite]
            path = self.files[REFERENCE].with_name(f"compiled_{composite}.onnx")
            ox.compile(self.files[REFERENCE], path, composite, **parameters)
            seed = np.eye(self.outputs(REFERENCE).shape[1], dtype=np.float32)[TARGET]
            self._exact[composite] = in_double(path, {"x": self.x, "seed": seed}, "relevance.x")
        return self._exact[composite]

    def outputs(self, variant: str) -> np.ndarray:
        session = ort.InferenceSession(self.files[variant], providers=["CPUExecutionProvider"])
        return session.run(None, {"x": self.x})[0]


@pytest.fixture(scope="module")
def small(tmp_path_factory, windows):
    """LaBraM with two layers."""
    return Maps(Files(labram(2), tmp_path_factory.mktemp("small")), windows)


def _baked(network):
    return parametrized.apply(network) or network


@pytest.fixture(scope="module")
def networks(tmp_path_factory, windows, small):
    """Every network here, by name."""
    made = {
        "bert": bert(),
        "EEGNet": _baked(convnet("EEGNet")),
        "ShallowFBCSPNet": _baked(convnet("ShallowFBCSPNet")),
    }
    maps = {name: Maps(Files(n, tmp_path_factory.mktemp(name)), windows) for name, n in made.items()}
    return maps | {"labram": small}


def check(maps: Maps, variant: str, holds: set[str], composites, bound: float = 1e-4) -> None:
    path = maps.files[variant]
    assert holds <= set(operators(path))
    if variant in EXPORTS:
        assert opset(path) == int(variant.split()[1])
    for composite in composites:
        got, want = maps.of(variant, composite), maps.reference(composite)
        assert_same(got, want, bound, lambda composite=composite: maps.exact(composite), composite)


@pytest.mark.parametrize("variant", LABRAM)
def test_labram(small, variant):
    check(small, variant, LABRAM[variant], ("attnlrp", "gradient"), bound=1e-5)


@pytest.mark.parametrize("variant", SOME)
def test_labram_under_other_rules(small, variant):
    rest = {*COMPOSITES, *STABILISED} - {"attnlrp", "gradient"}
    check(small, variant, LABRAM[variant], sorted(rest))


@pytest.mark.parametrize("variant", BERT)
def test_bert(networks, variant):
    check(networks["bert"], variant, BERT[variant], ("attnlrp", "gradient", "epsilon"))


@pytest.mark.parametrize(("name", "variant"), [(n, v) for n, variants in CONVNETS.items() for v in variants])
def test_convnets(networks, name, variant):
    composites = ("attnlrp", "epsilon", "epsilon_plus", "gamma", "zplus")
    check(networks[name], variant, CONVNETS[name][variant], composites)


@pytest.mark.parametrize("name", ["labram", "EEGNet"])
@pytest.mark.parametrize("variant", ["dynamo 20, fp16", "dynamo 20, fp16 by onnxconverter"])
def test_half_precision(networks, name, variant):
    check(networks[name], variant, {"Cast"}, ["attnlrp"], bound=2e-2)


def test_half_precision_after_fusion(networks):
    check(networks["bert"], "dynamo 20, transformers 1, fp16", {MS + "Attention"}, ["attnlrp"], bound=2e-2)


@pytest.mark.parametrize(("name", "variant"), [(n, v) for n, variants in QUANTISED.items() for v in variants])
def test_eight_bits(networks, name, variant):
    maps = networks[name]
    assert QUANTISED[name][variant] <= set(operators(maps.files[variant]))
    # Maps of outputs that are alike.
    assert pearson(maps.outputs(variant), maps.outputs(REFERENCE)) >= 0.95
    for composite in ("attnlrp", "zplus"):
        assert pearson(maps.of(variant, composite), maps.reference(composite)) >= 0.95, composite


@pytest.mark.parametrize("variant", ["legacy 17, transformers 1", "dynamo 20, onnxruntime all"])
def test_labram_base(labram_files, windows, tmp_path_factory, variant):
    folder = tmp_path_factory.getbasetemp() / "labram-base"
    folder.mkdir(exist_ok=True)
    for name, kind in (("legacy_17", "legacy"), ("dynamo_20", "dynamo")):
        if not (folder / f"{name}.onnx").exists():
            (folder / f"{name}.onnx").symlink_to(labram_files[kind].path)
    maps = Maps(Files(labram_files["dynamo"].network, folder), windows)
    check(maps, variant, LABRAM[variant], ["attnlrp"])
