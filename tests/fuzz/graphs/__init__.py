"""Random valid models by seed: `make(seed)`. One file a family of operators, each registered in `table`."""

from .build import Graph, UnfitError, session
from .generate import Made, make, start
from .table import TABLE

__all__ = ["TABLE", "Graph", "Made", "UnfitError", "make", "session", "start"]
