"""Every operator once: small models that many tests run over. One file a family."""

from . import elementwise, inputs, layers, moves, norms
from .core import BATCH, CASES, Case, ints, normal, positive

__all__ = [
    "BATCH",
    "CASES",
    "Case",
    "elementwise",
    "inputs",
    "ints",
    "layers",
    "moves",
    "normal",
    "norms",
    "positive",
]
