"""Every operator once: small models that many tests run over. One file a family."""

from . import compositions, elementwise, inputs, layers, moves, norms, operators, selection
from .core import BATCH, CASES, Case, ints, normal, positive

__all__ = [
    "BATCH",
    "CASES",
    "Case",
    "compositions",
    "elementwise",
    "inputs",
    "ints",
    "layers",
    "moves",
    "normal",
    "norms",
    "operators",
    "positive",
    "selection",
]
