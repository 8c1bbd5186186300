"""Discrete Fourier transforms as the products with cosines and sines that they are.

ONNX has DFT and STFT, but the legacy exporter does not write them, runtimes compute them in float32 with
errors of 1e-5, and many have neither. A transform of fixed length is a matrix (for windows along the signal,
a strided convolution), exact to the rounding of a product. Oppenheim & Schafer, Discrete-Time Signal
Processing, eq. 8.11.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator
from contextvars import ContextVar
from functools import partial
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..extras import need

# A longer transform would weigh more than the network (64 MiB in float32); the exporter writes its own.
LONGEST = 4096


class TooLongError(NotImplementedError):
    """The transform is not worth a matrix."""


def tables() -> Any:
    """Matrices of transforms by what they are of, as constants of a network."""
    torch = need("torch")

    class Kept(torch.nn.Module):  # type: ignore[misc, name-defined]
        def table(self, name: str, make: Callable[[], NDArray[np.float64]], like: Any) -> Any:
            name = f"{name}_{str(like.dtype).rpartition('.')[2]}"
            if name not in dict(self.named_buffers()):
                self.register_buffer(name, torch.from_numpy(make()).to(like.dtype))
            return getattr(self, name)

    return Kept()


_TABLES: ContextVar[Any] = ContextVar("tables")


@contextlib.contextmanager
def keeping(kept: Any) -> Iterator[None]:
    """Where the transforms inside keep their matrices."""
    token = _TABLES.set(kept)
    try:
        yield
    finally:
        _TABLES.reset(token)


def waves(n: int, bins: int, norm: str | None = None, inverse: bool = False) -> NDArray[np.float64]:
    """Cosines and sines, [2, n, bins]: what a signal of n samples is multiplied with for its bins.

    Exact zeros stay zeros (the imaginary parts of the constant and of the Nyquist bin), with a plus sign:
    phases hang on it.
    """
    if n > LONGEST:
        raise TooLongError(f"a Fourier transform of {n} samples (at most {LONGEST})")
    # Integers modulo n keep the angle exact however large k * t is.
    turns = np.outer(np.arange(n), np.arange(bins)) % n
    cosine, sine = np.cos(2 * np.pi * turns / n), -np.sin(2 * np.pi * turns / n)
    for exact in (0, 1, 2, 3):
        at = turns * 4 == exact * n
        cosine[at], sine[at] = (1, 0, -1, 0)[exact], (0, -1, 0, 1)[exact]
    scale = {"forward": 1 / n, "ortho": n**-0.5}.get(norm or "backward", 1.0)
    if inverse:
        scale, sine = 1 / (n * scale), -sine
    made: NDArray[np.float64] = np.stack((cosine, sine)) * scale + 0.0
    return made


def _of(x: Any, n: int | None, dim: int) -> tuple[Any, int]:
    """A signal with its samples last, cut or filled with zeros to n."""
    x = x.movedim(dim, -1) if dim not in (-1, x.ndim - 1) else x
    length = int(x.shape[-1])
    if n is None or n == length:
        return x, length
    if n < length:
        return x[..., :n], n
    return need("torch").nn.functional.pad(x, (0, n - length)), n


def _back(x: Any, dim: int) -> Any:
    return x.movedim(-1, dim) if dim not in (-1, x.ndim - 1) else x


def _times(x: Any, name: str, make: Callable[[], NDArray[np.float64]], dim: int) -> Any:
    return _back(x @ _TABLES.get().table(name, make, x), dim)


def _both(x: Any, n: int, bins: int, norm: str | None, inverse: bool, dim: int) -> list[Any]:
    """Real and imaginary part of the transform of real numbers."""
    kind = f"{'ifft' if inverse else 'fft'}_{n}_{bins}_{norm or 'backward'}"

    def make(part: int) -> NDArray[np.float64]:
        table: NDArray[np.float64] = waves(n, bins, norm, inverse)[part]
        return table

    return [_times(x, f"{kind}_{p}", partial(make, i), dim) for i, p in enumerate(("real", "imag"))]


def rfft(real: Any, imag: Any, n: int | None = None, dim: int = -1, norm: str | None = None, **_: Any) -> Any:
    """`torch.fft.rfft`."""
    x, n = _of(real, n, dim)
    return tuple(_both(x, n, n // 2 + 1, norm, False, dim))


def fft(real: Any, imag: Any, n: int | None = None, dim: int = -1, norm: str | None = None, **_: Any) -> Any:
    """`torch.fft.fft` of real or complex numbers."""
    return _full(real, imag, n, dim, norm, False)


def ifft(real: Any, imag: Any, n: int | None = None, dim: int = -1, norm: str | None = None, **_: Any) -> Any:
    """`torch.fft.ifft`."""
    return _full(real, imag, n, dim, norm, True)


def _full(real: Any, imag: Any, n: int | None, dim: int, norm: str | None, inverse: bool) -> Any:
    x, size = _of(real, n, dim)
    a, b = _both(x, size, size, norm, inverse, dim)
    if imag is None:
        return a, b
    c, d = _both(_of(imag, n, dim)[0], size, size, norm, inverse, dim)
    return a - d, b + c


def irfft(
    real: Any, imag: Any, n: int | None = None, dim: int = -1, norm: str | None = None, **_: Any
) -> Any:
    """`torch.fft.irfft`: the imaginary parts of the constant and of the Nyquist bin do not count."""
    size = 2 * (int(real.shape[dim]) - 1) if n is None else n
    bins = size // 2 + 1

    def make(part: int) -> NDArray[np.float64]:
        table: NDArray[np.float64] = waves(size, bins, norm, inverse=True)[part].T.copy()
        table[1 : (size + 1) // 2] *= 2  # each stands for its mirror image too
        return table if part == 0 else 0.0 - table

    kind = f"irfft_{size}_{norm or 'backward'}"
    a = _times(_of(real, bins, dim)[0], f"{kind}_real", lambda: make(0), dim)
    if imag is None:
        return a
    return a + _times(_of(imag, bins, dim)[0], f"{kind}_imag", lambda: make(1), dim)


def stft(
    real: Any,
    imag: Any,
    n_fft: int,
    hop_length: int | None = None,
    win_length: int | None = None,
    window: Any = None,
    center: bool = True,
    pad_mode: str = "reflect",
    normalized: bool = False,
    onesided: bool | None = None,
    return_complex: bool | None = None,
    align_to_window: bool | None = None,
    **_: Any,
) -> Any:
    """`torch.stft` of real numbers, [..., time] to [..., bins, frames]."""
    torch = need("torch")
    if align_to_window or imag is not None:
        raise NotImplementedError("stft of complex numbers or aligned to its window")
    hop = n_fft // 4 if hop_length is None else hop_length
    length = n_fft if win_length is None else win_length
    bins = n_fft if onesided is False else n_fft // 2 + 1
    lead = real.shape[:-1]
    x = real.reshape(-1, 1, real.shape[-1])
    if center:
        x = torch.nn.functional.pad(x, (n_fft // 2, n_fft // 2), mode=pad_mode)
    shape = torch.ones(length, dtype=real.dtype) if window is None else window
    left = (n_fft - length) // 2
    shape = torch.nn.functional.pad(shape.to(real.dtype), (left, n_fft - length - left))
    table = _TABLES.get().table(
        f"stft_{n_fft}_{bins}",
        lambda: waves(n_fft, bins).transpose(0, 2, 1).reshape(2 * bins, 1, n_fft),
        real,
    )
    scale = n_fft**-0.5 if normalized else 1.0
    # The window is a constant of the network, so is its product with the waves.
    made = torch.nn.functional.conv1d(x, table * (shape * scale), stride=hop)
    made = made.reshape(*lead, 2, bins, made.shape[-1])
    a, b = made.select(-3, 0), made.select(-3, 1)
    return (a, b) if return_complex else torch.stack((a, b), -1)


TRANSFORMS: dict[str, Callable[..., Any]] = {
    "fft_rfft": rfft, "fft_irfft": irfft, "fft_fft": fft, "fft_ifft": ifft, "stft": stft,
}  # fmt: skip
