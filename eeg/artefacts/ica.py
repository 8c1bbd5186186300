"""Independent components of windows: the fit, topographies in microvolt, and ICLabel's classes.

Picard (Ablin, Cardoso & Gramfort 2018) finds the maximum of extended infomax's likelihood (Lee, Girolami &
Sejnowski 1999), in seconds where infomax takes minutes; in common average reference, as ICLabel
(Pion-Tonachini, Kreutz-Delgado & Makeig 2019) was trained.
"""

from __future__ import annotations

import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import mne
import numpy as np
from numpy.typing import NDArray
from threadpoolctl import threadpool_limits

from ...engine.errors import InputError
from ..electrodes.positions import Electrodes
from ..text import plain

Floats = NDArray[np.float64]

CLASSES = ("brain", "muscle", "eye", "heart", "line noise", "channel noise", "other")
FEWEST = 5  # electrodes
# Samples that a decomposition of n electrodes should have, in n squared (Onton & Makeig 2006).
ENOUGH = 20
FEWEST_SAMPLES = 5  # in n squared: less than that is no decomposition
SLOWEST = 100  # Hz: ICLabel's spectra and autocorrelations are of 100 Hz
# Components are fitted to this part of the variance: what is left is sensor noise, cut into pieces.
VARIANCE = 0.99
# Samples that the gate fits to, in n squared: more are thinned out, and take longer without finding more.
PLENTY = 20
LOOSE = 1e-4  # of the gradient: where a thinned-out fit ends
# Fixed-point iterations (FastICA) before the likelihood is climbed: the same maximum, several times as fast.
WARM = 30


def joined(signal: Floats, names: Electrodes, sfreq: float) -> Any:
    """The windows one after another, in volt, with the electrodes' places."""
    info = mne.create_info(list(names), sfreq, "eeg", verbose="error")
    raw = mne.io.RawArray(np.concatenate(list(signal), -1) * 1e-6, info, verbose="error")
    montage = mne.channels.make_dig_montage(dict(names.positions), coord_frame="head")
    return raw.set_montage(montage, on_missing="ignore", verbose="error")


def averaged(raw: Any) -> Any:
    """A copy in common average reference."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return raw.copy().set_eeg_reference("average", projection=False, verbose="error")


def maps(ica: Any) -> Floats:
    """Topographies [channel, component] in microvolt: MNE decomposes what its pre-whitener leaves."""
    whitened = ica.get_components()
    if ica.noise_cov is None:  # one scale for each channel
        return np.asarray(whitened * ica.pre_whitener_ * 1e6, dtype=np.float64)
    return np.asarray(np.linalg.pinv(ica.pre_whitener_, rcond=1e-14) @ whitened * 1e6, dtype=np.float64)


def fitted(raw: Any, n: float, seed: int, *, thinned: bool = False) -> Any:
    """Extended infomax's solution on the windows, found by Picard; on some samples where that is plenty."""
    step = len(raw.times) // (PLENTY * len(raw.ch_names) ** 2)
    most = len(raw.ch_names) - 1  # the average reference takes one
    whole = isinstance(n, int | np.integer)
    if not (2 <= n <= most if whole else 0 < n < 1):
        raise InputError(f"components: n_components is {n}; give 2 to {most}, or a part of the variance")
    with warnings.catch_warnings(), one_thread():
        warnings.simplefilter("ignore")
        try:
            made = mne.preprocessing.ICA(
                n,
                method="picard",
                fit_params={
                    "ortho": False,
                    "extended": True,
                    "fastica_it": WARM,
                    **({"tol": LOOSE} if thinned else {}),
                },
                random_state=seed,
                max_iter="auto",
                verbose="error",
            )
            made.fit(raw, decim=step if thinned and step > 1 else None, verbose="error")
        except Exception as e:
            raise InputError(f"components: the windows cannot be decomposed ({plain(e, 100)})") from None
    return made


def one_thread() -> Any:
    """A context in which linear algebra takes one thread.

    The matrices are small: more threads gain nothing, and wait for each other where cores are taken.
    """
    return threadpool_limits(1, "blas")


@contextmanager
def maps_at_once() -> Iterator[None]:
    """A context in which mne-icalabel interpolates a topography at all points of its grid at once.

    It takes them one by one (0.10), half of the time of a verdict's components. The numbers are the same.
    """
    from mne_icalabel.iclabel import features

    kept = features._gdatav4
    features._gdatav4 = _interpolated
    try:
        yield
    finally:
        features._gdatav4 = kept


def _interpolated(x: Floats, y: Floats, v: Floats, xq: Floats, yq: Floats) -> tuple[Floats, Floats, Floats]:
    """A biharmonic spline through values at x and y (Sandwell 1987, eq. 5 to 7), on the grid of xq and yq."""
    from mne_icalabel.iclabel._utils import _mergepoints2D

    x, y, v = _mergepoints2D(x, y, v)
    there = np.squeeze(x + 1j * y)
    weights = np.linalg.lstsq(_green(np.abs(np.subtract.outer(there, there))), v, rcond=-1)[0]
    grid = (xq + 1j * yq).reshape(-1, 1)
    return xq, yq, (_green(np.abs(grid - there)) @ weights).reshape(xq.shape)


def _green(distance: Floats) -> Floats:
    """Green's function of the biharmonic operator in two dimensions."""
    near = distance <= 1e-8
    safe = np.where(near, 1.0, distance)
    return np.where(near, 0.0, np.square(safe) * (np.log(safe) - 1))


def labels(raw: Any, ica: Any) -> Floats:
    """Probability of each class, [component, class]."""
    from mne_icalabel.iclabel import iclabel_label_components

    # Its autocorrelation reaches one second, and fails on less.
    if raw.times[-1] < 1.0:
        raise InputError(
            f"components: {raw.times[-1]:.2g} s of signal; ICLabel needs more than 1 s, or label=False"
        )
    if raw.info["sfreq"] < SLOWEST:
        raise InputError(
            f"components: {raw.info['sfreq']:g} Hz; ICLabel needs {SLOWEST} Hz or more, or label=False"
        )
    with warnings.catch_warnings(), mne.utils.use_log_level("error"), maps_at_once():
        warnings.simplefilter("ignore")
        try:
            found = iclabel_label_components(raw, ica, inplace=False, backend="onnx")
        except Exception as e:
            raise InputError(f"components: ICLabel cannot label them ({plain(e, 100)})") from None
    return np.asarray(found, dtype=np.float64)
