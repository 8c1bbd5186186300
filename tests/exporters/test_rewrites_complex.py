"""Networks with complex numbers: Fourier transforms as products, pairs of real numbers, and what has none."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import onnxruntime as ort
import pytest
import torch
from torch import nn

import onnxplain as ox
from onnxplain.engine.contract import InputContract
from onnxplain.engine.errors import ModelError
from onnxplain.exporters.rewrites import pairs
from onnxplain.exporters.rewrites.fourier import LONGEST, TooLongError, waves
from onnxplain.exporters.torch import export_module

CONTRACT = InputContract(input="x", channels=("C3", "Cz"), sfreq=100, window=50, classes=("a", "b"))
fft = torch.fft


class Front(nn.Module):
    """Any function of the signal in front of a linear layer."""

    def __init__(self, function: Callable[[torch.Tensor], torch.Tensor]) -> None:
        super().__init__()
        self.function = function
        torch.manual_seed(0)
        with torch.no_grad():
            width = function(torch.randn(1, 2, 50)).numel()
        self.head = nn.Linear(width, 2)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.head(self.function(x).flatten(1))


def filtered(x: torch.Tensor) -> torch.Tensor:
    """A filter whose response is computed with complex numbers at each call."""
    delay = torch.exp(-1j * torch.arange(26, dtype=torch.float64) * 0.1)
    top, bottom = torch.zeros_like(delay), torch.zeros_like(delay)
    for i in range(3):
        top, bottom = top + (0.3 * delay**i), bottom + (1.0 / (i + 1)) * delay**i
    response = (top / bottom).abs().square()
    spectrum = fft.rfft(x, dim=-1)
    return fft.irfft(spectrum * response.to(dtype=spectrum.dtype), n=50, dim=-1)


def windowed(x: torch.Tensor, **options: object) -> torch.Tensor:
    s = torch.stft(x.flatten(0, 1), 16, 8, window=torch.hann_window(16), return_complex=True, **options)
    return s.abs().unflatten(0, (-1, 2))


def convolved(x: torch.Tensor) -> torch.Tensor:
    """Convolution through spectra, as state-space networks do it."""
    kernel = torch.linspace(1, 0, 50).repeat(3, 2, 1) ** 2
    spectrum = torch.einsum("bcf,kcf->bkcf", fft.rfft(x, n=100), fft.rfft(kernel, n=100))
    return fft.irfft(spectrum, n=100)[..., :50]


def analytic(x: torch.Tensor) -> torch.Tensor:
    s = torch.view_as_real(fft.rfft(x, dim=-1)) * 2.0
    s = nn.functional.pad(s, [0, 0, 0, 24])
    return torch.view_as_real(fft.ifft(torch.view_as_complex(s), dim=-1))


FUNCTIONS: dict[str, Callable[[torch.Tensor], torch.Tensor]] = {
    "magnitude": lambda x: fft.rfft(x, norm="forward").abs(),
    "phase": lambda x: torch.angle(fft.rfft(x, dim=-1)),
    "other axis": lambda x: fft.rfft(x.transpose(1, 2), dim=1).real,
    "cut and filled": lambda x: (
        fft.rfft(x, n=40).abs().sum(-1) + fft.rfft(x, n=64, norm="ortho").abs().sum(-1)
    ),
    "power": lambda x: (lambda s: (s * s.conj()).real)(fft.fft(x)),
    "parts": lambda x: torch.cat([fft.rfft(x).real, fft.rfft(x).imag], -1),
    "there and back": lambda x: fft.irfft(fft.rfft(x, norm="ortho") * 0.5, n=50, norm="ortho"),
    "odd length": lambda x: fft.irfft(fft.rfft(x[..., :49]), n=49),
    "polar": lambda x: torch.view_as_real(torch.polar(x.abs(), x)),
    "made": lambda x: torch.complex(x[:, 0], x[:, 1]).abs(),
    "divided": lambda x: (fft.rfft(x) / (fft.rfft(x).abs() + 1.0)).imag,
    "matmul": lambda x: (lambda s: (s @ s.conj().transpose(-2, -1)).abs().square())(fft.rfft(x)),
    "filter": filtered,
    "stft": windowed,
    "stft, not centred": lambda x: windowed(x, center=False, normalized=True),
    "convolution": convolved,
    "analytic signal": analytic,
}


@pytest.mark.parametrize("name", FUNCTIONS)
def test_the_pairs_say_what_torch_says(name: str) -> None:
    network = Front(FUNCTIONS[name]).eval()
    x = torch.randn(3, 2, 50, generator=torch.Generator().manual_seed(1))
    with torch.no_grad():
        want = network(x)
        made = pairs.apply(network, x[:2])
        assert made is not None
        torch.testing.assert_close(made(x), want, rtol=3e-5, atol=3e-5)


@pytest.mark.parametrize("exporter", ["dynamo", "legacy"])
@pytest.mark.parametrize("name", ["phase", "filter", "stft", "convolution", "analytic signal"])
def test_exported(name: str, exporter: str, tmp_path: Path) -> None:
    path = tmp_path / "m.onnx"
    x = torch.randn(2, 2, 50, generator=torch.Generator().manual_seed(2))
    report = export_module(Front(FUNCTIONS[name]), x, path, contract=CONTRACT, exporter=exporter)
    assert "Fourier transforms as products" in report.rewrites
    assert not {"DFT", "STFT"} & set(report.ops)
    assert report.parity < 1e-4
    assert ort.InferenceSession(path).get_inputs()[0].shape[0] == "batch"


def test_the_phase_of_a_real_number_is_not_turned() -> None:
    # The constant and the Nyquist bin are real: their phase is 0 or pi, never -pi.
    x = torch.randn(200, 2, 50, generator=torch.Generator().manual_seed(3))
    network = Front(FUNCTIONS["phase"])
    made = pairs.apply(network, x)
    with torch.no_grad():
        torch.testing.assert_close(made(x), network(x), rtol=1e-4, atol=1e-3)
    zero = torch.zeros(1, 2, 50)
    torch.testing.assert_close(made(zero), network(zero))


def test_what_has_no_real_form_is_left_and_refused(tmp_path: Path) -> None:
    network = Front(lambda x: torch.linalg.svd(fft.fft2(x).abs() + 0j).S.real)
    assert pairs.apply(network, torch.randn(2, 2, 50)) is None
    with pytest.raises(ModelError, match="not exported"):
        export_module(network, torch.randn(2, 2, 50), tmp_path / "m.onnx", contract=CONTRACT)
    with pytest.raises(TooLongError):
        waves(LONGEST + 1, 3)


def test_networks_without_complex_numbers_stay() -> None:
    assert pairs.apply(Front(torch.relu), torch.randn(2, 2, 50)) is None


@pytest.mark.parametrize("composite", ["zplus", "gamma", "epsilon_plus_flat", "gradient"])
@pytest.mark.parametrize("name", ["magnitude", "stft", "there and back"])
def test_a_table_of_waves_is_no_layer(name: str, composite: str, tmp_path: Path) -> None:
    """Under any composite the relevance of the signal is that of its spectrum, carried back as it came."""
    path = tmp_path / "m.onnx"
    export_module(Front(FUNCTIONS[name]), torch.randn(2, 2, 50), path, contract=CONTRACT, exporter="legacy")
    x = np.random.default_rng(0).standard_normal((2, 2, 50)).astype(np.float32)
    a = ox.Explainer(path, composite)(x, target=0)
    assert a.closure().max() <= 1e-4
    network = Front(FUNCTIONS[name]).double()
    t = torch.from_numpy(x.astype(np.float64)).requires_grad_()
    hidden = network.function(t)
    if composite == "gradient":
        multiplier = network.head.weight[0].expand(2, -1)
    else:  # the head's rule: its relevance by its input; a linear map carries that back
        leaf = hidden.detach().float().numpy().reshape(2, -1)
        head = nn.Sequential(nn.Flatten(), network.head.float())
        only = tmp_path / "head.onnx"
        shape = InputContract(input="h", channels=("A",), sfreq=1, window=leaf.shape[1], classes=("a", "b"))
        export_module(head, torch.randn(2, 1, leaf.shape[1]), only, contract=shape, exporter="legacy")
        r = ox.Explainer(only, composite)(leaf[:, None], target=0).relevance["h"][:, 0]
        multiplier = torch.from_numpy(np.where(leaf == 0, 0, r / np.where(leaf == 0, 1, leaf)))
    (grad,) = torch.autograd.grad((hidden.flatten(1) * multiplier.detach()).sum(), t)
    want = (grad * t).detach().numpy()
    got = a.relevance["x"]
    assert np.abs(got - want).max() <= 1e-3 * np.abs(want).max()
