"""One network in many files: exporters, opsets, optimisers, simplifiers, half precision, 8 bits."""

from __future__ import annotations

import contextlib
import importlib
import io
import logging
import warnings
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import onnx
import onnxruntime as ort
import torch
from networks import CLASSES, exported

import onnxplain as ox
from onnxplain.exporters.weights import enliven

REFERENCE = "dynamo 20"
EXPORTS = ("legacy 11", "legacy 13", "legacy 17", "dynamo 18", REFERENCE)


def _onnxruntime(level: str) -> Callable[[Path, Path], None]:
    """What onnxruntime makes of a file when it loads it."""

    def make(source: Path, to: Path) -> None:
        options = ort.SessionOptions()
        options.log_severity_level = 4
        options.graph_optimization_level = getattr(ort.GraphOptimizationLevel, f"ORT_ENABLE_{level}")
        options.optimized_model_filepath = str(to)
        ort.InferenceSession(str(source), options, providers=["CPUExecutionProvider"])

    return make


def _onnxsim(source: Path, to: Path) -> None:
    import onnxsim

    onnx.save(onnxsim.simplify(onnx.load(source))[0], to)


def _onnxslim(source: Path, to: Path) -> None:
    import onnxslim

    onnx.save(onnxslim.slim(onnx.load(source)), to)


def _transformers(level: int) -> Callable[[Path, Path], None]:
    """Fused by onnxruntime's transformer optimiser, after its general ones up to a level."""

    def make(source: Path, to: Path) -> None:
        from onnxruntime.transformers.optimizer import optimize_model

        heads, hidden = _attention(source)
        made = optimize_model(
            str(source), model_type="bert", num_heads=heads, hidden_size=hidden, opt_level=level
        )
        made.save_model_to_file(str(to))

    return make


def _attention(source: Path) -> tuple[int, int]:
    """Heads and width, from the first LayerNormalization's scale; 20 numbers a head in every network here."""
    graph = onnx.load(source).graph
    scales = {n.input[1] for n in graph.node if n.op_type == "LayerNormalization"}
    width = next((int(t.dims[0]) for t in graph.initializer if t.name in scales), 0)
    return width // 20, width


def _half(package: str) -> Callable[[Path, Path], None]:
    """In half precision but for inputs and outputs."""

    def make(source: Path, to: Path) -> None:
        convert = importlib.import_module(f"{package}.float16").convert_float_to_float16
        onnx.save(convert(_without_shapes(source), keep_io_types=True), to)

    return make


def _int8(source: Path, to: Path) -> None:
    """Weights in 8 bits, signals by their own range."""
    from onnxruntime.quantization import quantize_dynamic

    # Fused operators have no shape inference: what type their outputs are has to be said.
    quantize_dynamic(_without_shapes(source), to, extra_options={"DefaultTensorType": onnx.TensorProto.FLOAT})


def _static(form: str) -> Callable[[Path, Path], None]:
    """Weights and signals in 8 bits, by ranges found on noise like what the tests feed."""

    def make(source: Path, to: Path) -> None:
        from onnxruntime.quantization import CalibrationDataReader, QuantFormat, QuantType, quantize_static

        rng = np.random.default_rng(7)
        (value,) = onnx.load(source).graph.input
        shape = [d.dim_value for d in value.type.tensor_type.shape.dim][1:]
        batches = [{"x": rng.standard_normal((2, *shape), np.float32)} for _ in range(4)]

        class Noise(CalibrationDataReader):
            def __init__(self) -> None:
                self.left = iter(batches)

            def get_next(self) -> dict[str, np.ndarray] | None:
                return next(self.left, None)

        quantize_static(
            _without_shapes(source),
            to,
            Noise(),
            quant_format=QuantFormat[form],
            activation_type=QuantType.QUInt8,
            weight_type=QuantType.QInt8,
            extra_options={"DefaultTensorType": onnx.TensorProto.FLOAT},
        )

    return make


def _without_shapes(source: Path) -> onnx.ModelProto:
    """A model without the shapes an exporter noted: the quantiser turns weights and then trips over them."""
    model = onnx.load(source)
    del model.graph.value_info[:]
    return model


REWRITERS: dict[str, Callable[[Path, Path], None]] = {
    "onnxruntime basic": _onnxruntime("BASIC"),
    "onnxruntime extended": _onnxruntime("EXTENDED"),
    "onnxruntime all": _onnxruntime("ALL"),
    "onnxsim": _onnxsim,
    "onnxslim": _onnxslim,
    "transformers 0": _transformers(0),
    "transformers 1": _transformers(1),
    "transformers 2": _transformers(2),
    "fp16": _half("onnxruntime.transformers"),
    "fp16 by onnxconverter": _half("onnxconverter_common"),
    "int8": _int8,
    "QDQ": _static("QDQ"),
    "QOperator": _static("QOperator"),
}


class Bert(torch.nn.Module):
    """Two layers as BERT has them, over patches: what onnxruntime's optimiser fuses into Attention.

    LaBraM's queries and keys are normalised between projection and product, which no fusion knows.
    """

    def __init__(self, width: int = 40, layers: int = 2) -> None:
        super().__init__()
        self.embed, self.norm = torch.nn.Linear(200, width), torch.nn.LayerNorm(width)
        self.layers = torch.nn.ModuleList(_BertLayer(width) for _ in range(layers))
        self.head = torch.nn.Linear(width, len(CLASSES))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Logits of a batch of windows (batch, 22, 800)."""
        x = self.norm(self.embed(x.reshape(x.shape[0], -1, 200)))
        for layer in self.layers:
            x = layer(x)
        return self.head(x.mean(1))


class _BertLayer(torch.nn.Module):
    """Queries, keys and values apart; normalised after each sum."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.q, self.k, self.v, self.o = (torch.nn.Linear(width, width) for _ in range(4))
        self.up, self.down = torch.nn.Linear(width, 4 * width), torch.nn.Linear(4 * width, width)
        self.norm1, self.norm2 = torch.nn.LayerNorm(width), torch.nn.LayerNorm(width)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        q, k, v = (
            t.view(t.shape[0], t.shape[1], t.shape[2] // 20, 20).permute(0, 2, 1, 3)
            for t in (self.q(x), self.k(x), self.v(x))
        )
        y = (torch.softmax(q @ k.transpose(-1, -2) / 20**0.5, -1) @ v).permute(0, 2, 1, 3).contiguous()
        x = self.norm1(self.o(y.view(x.shape[0], x.shape[1], x.shape[2])) + x)
        return self.norm2(self.down(torch.nn.functional.gelu(self.up(x))) + x)


class Files:
    """The files of one network, each made when it is first asked for.

    Parameters
    ----------
    network : torch.nn.Module
        Takes (batch, 22, 800), gives (batch, 4).
    folder : Path
    """

    def __init__(self, network: torch.nn.Module, folder: Path) -> None:
        self.network, self.folder = network, folder

    def __getitem__(self, variant: str) -> Path:
        """The file of a variant: an export ("legacy 13"), or one rewritten ("legacy 13, onnxsim")."""
        path = self.folder / f"{variant.replace(', ', '-').replace(' ', '_')}.onnx"
        if path.exists():
            return path
        source, _, rewriter = variant.rpartition(", ")
        with _quiet():
            if rewriter in EXPORTS:
                exporter, opset = rewriter.split()
                exported(self.network, path, exporter, int(opset))
            else:
                REWRITERS[rewriter](self[source], path)
        return path


def bert() -> torch.nn.Module:
    """The network above with weights that matter."""
    torch.manual_seed(0)
    return enliven(Bert())


@contextlib.contextmanager
def _quiet() -> Iterator[None]:
    """Without what exporters and optimisers print, log and warn."""
    disabled = logging.root.manager.disable
    logging.disable(logging.CRITICAL)
    try:
        with warnings.catch_warnings(), contextlib.redirect_stdout(io.StringIO()):
            warnings.simplefilter("ignore")
            yield
    finally:
        logging.disable(disabled)


def explained(
    path: Path, x: np.ndarray, composite: str, target: object = "predicted", **parameters: float
) -> np.ndarray:
    """The map of a file."""
    return ox.Explainer(path, composite=composite, **parameters)(x, target=target).relevance["x"]


def pearson(got: np.ndarray, want: np.ndarray) -> float:
    """The correlation of two maps."""
    return float(np.corrcoef(got.ravel(), want.ravel())[0, 1])


def error(got: np.ndarray, want: np.ndarray) -> float:
    """The largest difference, in units of the largest relevance."""
    return float(np.abs(got - want).max() / np.abs(want).max())


def operators(path: Path) -> Counter[str]:
    """How often each operator is in a file, with its domain."""
    nodes = onnx.load(path).graph.node
    return Counter(f"{n.domain}.{n.op_type}" if n.domain else n.op_type for n in nodes)


def opset(path: Path) -> int:
    """The version of the standard's operators that a file is written in."""
    return next(o.version for o in onnx.load(path).opset_import if o.domain in ("", "ai.onnx"))
