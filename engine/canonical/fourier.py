"""Products with cosines and sines as the Fourier transforms that they are.

Exporters and signal front ends write a DFT or an STFT as a MatMul or a convolution with a table. It is no
layer that learned: rules that favour contributions of one sign (gamma, z-plus) or spread relevance whatever
the input is (flat, z-box) say nothing of a wave. It gets the rule of a DFT node, LRP-epsilon at 0, and what
comes after it is the first layer.
"""

from __future__ import annotations

import numpy as np

from ..analysis.analysis import Analysis
from ..file.graph import TRANSFORM
from ..file.protobuf import Array

_LEAST, _TOLERANCE = 8, 1e-5


def run(analysis: Analysis) -> Analysis:
    """Mark such products."""
    for node in analysis.nodes:
        if node.domain not in ("", "onnxplain") or node.op_type not in ("MatMul", "Gemm", "Linear", "Conv"):
            continue
        tables = [analysis.constants[v] for v in node.inputs[:2] if analysis.is_constant(v)]
        if len(tables) != 1 or tables[0].dtype.kind != "f":
            continue
        found = windowed_waves if node.op_type == "Conv" else waves
        if found(tables[0]):
            node.attributes[TRANSFORM] = 1
    return analysis


def waves(table: Array) -> bool:
    """Whether every row or every column of a matrix is a wave of a whole number of turns, from 0 up."""
    if table.ndim != 2 or min(table.shape) < _LEAST:
        return False
    for t in (table, table.T):  # [n, bins]: one wave a column
        largest = np.abs(t[:, :4]).max()
        # Nearly all matrices leave here: the wave of no turns is flat.
        if largest == 0 or np.ptp(t[:, 0]) > _TOLERANCE * largest or t.shape[1] > t.shape[0]:
            continue
        size = np.abs(np.fft.rfft(t.astype(np.float64), axis=0))
        turns = np.arange(t.shape[1])
        turns = np.minimum(turns, len(t) - turns)
        rest = size.copy()
        rest[turns, np.arange(t.shape[1])] = 0
        if rest.max() <= _TOLERANCE * size.max():
            return True
    return False


def windowed_waves(table: Array) -> bool:
    """Whether a convolution's filters are cosines, then sines, under one window."""
    if table.ndim < 3 or table.shape[1] != 1 or len(table) % 2 or table[0].size < _LEAST:
        return False
    bins, n = len(table) // 2, table[0].size
    if not n // 2 < bins <= n:
        return False
    flat = table.reshape(2, bins, n)
    window = flat[0, 0]
    largest = np.abs(window).max()
    if largest == 0 or np.abs(flat[1, 0]).max() > _TOLERANCE * largest:
        return False
    phase = 2 * np.pi * (np.outer(np.arange(bins), np.arange(n)) % n) / n
    real = np.abs(flat[0] - window * np.cos(phase)).max()
    turned = np.abs(np.abs(flat[1]) - np.abs(window * np.sin(phase))).max()
    return bool(max(real, turned) <= _TOLERANCE * largest)
