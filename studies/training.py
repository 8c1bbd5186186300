"""Simulated windows, and one recipe to train a small LaBraM on them."""

from __future__ import annotations

from collections.abc import Sequence
from multiprocessing import get_context
from typing import Any, NamedTuple

import mne
import numpy as np
from numpy.typing import NDArray
from simulate import CHANNELS, CLASSES, SFREQ, WINDOW, simulate, trials

from onnxplain.engine.contract import InputContract
from onnxplain.exporters.labram import labram
from onnxplain.exporters.request import Built, Request

TRIALS = 64  # of each subject

# Two layers and a 100-dimensional embedding (4 filters x 25 samples) in place of 12 and 200.
SIZE = {"num_layers": 2, "num_heads": 5, "mlp_ratio": 2.0, "conv_out_channels": 4}
# A network fresh from LaBraM's own initialiser (head scaled by 0.001) starts slowly on so little data.
START = {"init_scale": 1.0, "drop_prob": 0.1}
EPOCHS = 6
BATCH = 64
RATE = 1e-3
DECAY = 0.1
# Noise on each electrode and sample, in the model's unit (30 microvolt at the end): without it a field
# as strong as a saccade's can be read wherever it still reaches faintly; with it, where it is strong.
NOISE = 0.3


class Windows(NamedTuple):
    """Model input, label and saccade direction of each trial."""

    x: NDArray[np.float32]
    label: NDArray[np.int64]
    saccade: NDArray[np.int64]


def network() -> Built:
    """The untrained network and its contract."""
    options = {**SIZE, **START}
    return labram(Request(channels=CHANNELS, sfreq=SFREQ, window=WINDOW, classes=CLASSES, options=options))


def condition(raw: Any, contract: InputContract) -> NDArray[np.float64]:
    """A recording as the contract wants it: filtered, in its unit, scaled."""
    raw = raw.copy().filter(contract.highpass, contract.lowpass, verbose="error")
    raw.notch_filter(contract.notch, verbose="error")
    return np.asarray(raw.get_data(picks=list(contract.channels), units="uV") * contract.scale)


def subject(job: tuple[int, float, InputContract]) -> Windows:
    """One subject's windows: (seed, share of agreeing saccades, contract)."""
    seed, agree, contract = job
    what = trials(TRIALS, np.random.default_rng([1, seed]), agree=agree)
    signal = condition(simulate(seed, what), contract)
    start = np.round(what.onsets * SFREQ).astype(int)
    x = np.stack([signal[:, a : a + contract.window] for a in start]).astype(np.float32)
    return Windows(x, what.label, what.saccade)


def subjects(seeds: Sequence[int], agree: float, contract: InputContract, workers: int = 2) -> Windows:
    """The windows of many subjects."""
    with get_context("spawn").Pool(workers) as pool:
        parts = pool.map(subject, [(seed, agree, contract) for seed in seeds], chunksize=4)
    return Windows(*(np.concatenate(part) for part in zip(*parts, strict=True)))


def fit(data: Windows, seed: int, name: str) -> dict[str, Any]:
    """Train the network; returns its weights.

    One thread, so that two runs differ by rounding at most.
    """
    import torch

    mne.set_log_level("error")
    torch.set_num_threads(1)
    torch.manual_seed(seed)
    net = network().module
    x, y = torch.from_numpy(data.x), torch.from_numpy(data.label)
    weights = [p for n, p in net.named_parameters() if p.ndim > 1 and "embedding" not in n and "cls" not in n]
    kept = {id(p) for p in weights}
    others = [p for p in net.parameters() if id(p) not in kept]
    groups = [{"params": weights, "weight_decay": DECAY}, {"params": others, "weight_decay": 0.0}]
    optimiser = torch.optim.AdamW(groups, lr=RATE, betas=(0.9, 0.98))
    steps = len(x) // BATCH
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimiser, RATE, EPOCHS * steps, pct_start=0.15)
    net.train()
    for epoch in range(EPOCHS):
        order = torch.randperm(len(x))[: steps * BATCH].reshape(steps, BATCH)
        total = 0.0
        for i, rows in enumerate(order):
            # Little at first: rhythms have to be found before they can be defended.
            ramp = min(1.0, (epoch * steps + i) / (0.6 * EPOCHS * steps))
            noisy = x[rows] + ramp * NOISE * torch.randn(BATCH, *x.shape[1:])
            total += descend(net, noisy, y[rows], optimiser, schedule)
        print(f"{name}: epoch {epoch + 1} of {EPOCHS}, loss {total / steps:.3f}", flush=True)
    return {key: value.numpy() for key, value in net.state_dict().items()}


def descend(net: Any, x: Any, y: Any, optimiser: Any, schedule: Any) -> float:
    """One step of training on one batch; returns its loss."""
    import torch

    loss = torch.nn.functional.cross_entropy(net(x), y)
    optimiser.zero_grad()
    loss.backward()
    torch.nn.utils.clip_grad_norm_(net.parameters(), 1.0)
    optimiser.step()
    schedule.step()
    return float(loss.item())
