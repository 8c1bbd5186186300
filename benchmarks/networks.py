"""The networks: made with weights under which every layer matters, and written once.

Each is written as ONNX, which is what onnxplain and DIANNA take, and as a program of torch.export, which
is what the PyTorch peers take: they then need neither the network's source nor its libraries. What a
third party made is there as ONNX only.

    python -m benchmarks.networks NAME ...     write these, where they are not there yet
"""

from __future__ import annotations

import hashlib
import sys
import warnings
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from benchmarks.common import FOLDER, ROOT

# LaBraM knows these too; with them and four patches it has 257 tokens.
MONTAGE = (
    "FP1", "FP2", "F7", "F3", "FZ", "F4", "F8", "FC5", "FC1", "FC2", "FC6", "T7", "C3", "CZ", "C4", "T8",
    "P7", "P3", "PZ", "P4", "P8", "OZ", "FPZ", "AF7", "AF3", "AF4", "AF8", "F5", "F1", "F2", "F6", "FT7",
    "FC3", "FCZ", "FC4", "FT8", "C5", "C1", "C2", "C6", "TP7", "CP5", "CP3", "CP1", "CPZ", "CP2", "CP4",
    "CP6", "TP8", "P5", "P1", "P2", "P6", "PO7", "PO3", "POZ", "PO4", "PO8", "O1", "O2", "F9", "F10",
    "AFZ", "IZ",
)  # fmt: skip


@dataclass(frozen=True)
class Network:
    """A network to measure.

    Attributes
    ----------
    title : str
        For the tables.
    shape : tuple of int
        Of the input, without the batch.
    classes : int
    kind : str
        Its class in braindecode, or "zoo".
    image : bool
        Whether DIANNA is to take it as an image, with channels last.
    """

    title: str
    shape: tuple[int, ...]
    classes: int
    kind: str
    image: bool = False

    @property
    def has_torch(self) -> bool:
        """Whether there is more than an ONNX file."""
        return self.kind != "zoo"


def _labram(channels: int, patches: int) -> Network:
    tokens = channels * patches + 1
    return Network(f"LaBraM base, {tokens} tokens", (channels, 200 * patches), 4, "Labram")


NETWORKS = {
    "labram": _labram(22, 4),
    "labram257": _labram(64, 4),
    "cbramod": Network("CBraMod", (22, 800), 4, "CBraMod"),
    "eegnet": Network("EEGNet", (22, 800), 4, "EEGNet"),
    "opennsfw": Network("open_nsfw (ResNet-50, as found)", (224, 224, 3), 2, "zoo", image=True),
    "labram23": _labram(22, 1),
    "labram177": _labram(22, 8),
    "labram353": _labram(22, 16),
}


def onnx_file(name: str) -> Path:
    """The file of a network."""
    if NETWORKS[name].kind == "zoo":
        return _zoo(name)
    return FOLDER / f"{name}-{_version()}.onnx"


def torch_file(name: str) -> Path:
    """The program of a network for PyTorch."""
    return onnx_file(name).with_suffix(".pt2")


def _version() -> str:
    """What the files were made from: another source, another name."""
    others = (ROOT / "exporters").glob("*.py")
    sources = [Path(__file__), ROOT / "tests" / "engine" / "networks.py", *sorted(others)]
    return hashlib.sha256(b"".join(p.read_bytes() for p in sources)).hexdigest()[:8]


def _zoo(name: str) -> Path:
    sys.path.insert(0, str(ROOT / "tests" / "zoo"))
    from fetch import entries, fetch

    return fetch(entries()[name])


def write(name: str) -> None:
    """Make a network and write its files."""
    import torch

    sys.path.insert(0, str(ROOT / "tests" / "engine"))
    from networks import CLASSES, Named

    from onnxplain.engine.contract import InputContract
    from onnxplain.exporters.extras import braindecode_models
    from onnxplain.exporters.torch import export_module
    from onnxplain.exporters.weights import enliven

    known, path = NETWORKS[name], onnx_file(name)
    channels, samples = known.shape
    torch.manual_seed(0)
    made: Any = getattr(braindecode_models(), known.kind)(
        n_chans=channels, n_times=samples, n_outputs=known.classes, sfreq=200
    )
    enliven(made)
    names = MONTAGE[:channels]
    network = Named(made, names).eval() if known.kind == "Labram" else made.eval()
    contract = InputContract(
        input="x", channels=tuple(names), sfreq=200.0, window=samples, classes=CLASSES, scale=0.01
    )
    example = torch.randn(2, channels, samples)
    batch = ({0: torch.export.Dim("batch")},)
    with warnings.catch_warnings(), torch.no_grad():
        warnings.simplefilter("ignore")
        torch.export.save(torch.export.export(network, (example,), dynamic_shapes=batch), torch_file(name))
    # Last, and whole or not at all: where it is, everything is.
    export_module(network, example, path, contract=contract, exporter="dynamo", overwrite=True)


def main() -> None:
    FOLDER.mkdir(parents=True, exist_ok=True)
    for name in sys.argv[1:] or NETWORKS:
        if not onnx_file(name).exists():
            print(f"making {NETWORKS[name].title}", file=sys.stderr, flush=True)
            write(name)
    print("null")


if __name__ == "__main__":
    main()
