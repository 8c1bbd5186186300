"""Passes that give one spelling to each layer.

A pass marks operands that count as constants, or puts one node in the place of several. Only the
graph that relevance walks is changed: the model that runs is the file as it is.
"""

from __future__ import annotations

from ..analysis.analysis import Analysis
from . import (
    activations,
    batchnorm,
    codebook,
    fourier,
    gates,
    groupnorm,
    integer,
    layernorm,
    linear,
    normalisers,
    padding,
    softmax,
)

PASSES = (
    codebook.run,
    integer.run,
    softmax.run,
    activations.run,
    layernorm.run,
    groupnorm.run,
    normalisers.run,
    gates.run,
    linear.run,
    padding.run,
    fourier.run,
    batchnorm.run,
)


def canonical(analysis: Analysis) -> Analysis:
    """Run every pass, in order."""
    for run in PASSES:
        analysis = run(analysis)
    return analysis
