"""A plan, and what runs it: the model forward, and relevance back."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np

from ..errors import DifferentBranches
from .facts import Facts

if TYPE_CHECKING:
    from .onnx_writer import BackwardGraphs

Array = np.ndarray[Any, Any]


@dataclass(frozen=True)
class Result:
    """What one backward pass gives.

    Attributes
    ----------
    multipliers, remainders : dict of str to ndarray, [K, *shape of the input]
        m and r of every input that relevance reached.
    entries : list of ndarray, [K, batch]
        The ledger, in the order of the recording's entries.
    at, at_multipliers : dict of str to ndarray, [K, *shape]
        Relevance of inner tensors, and their multipliers where there are some.
    """

    multipliers: Mapping[str, Array]
    remainders: Mapping[str, Array]
    entries: Sequence[Array]
    at: Mapping[str, Array]
    at_multipliers: Mapping[str, Array]


class Runner(Protocol):
    """Runs a model forward, and carries relevance back."""

    def forward(self, feed: Mapping[str, Array]) -> Mapping[str, Any]:
        """Run the model: its outputs, the explained tensor, and what the backward pass reads.

        Raises
        ------
        RunError
            It cannot be run on this input.
        """
        ...

    def size(self, values: Any) -> int:
        """Bytes that the values of a forward pass take."""
        ...

    def backward(self, values: Any, seed: Array, batch: int, reference: Any = None) -> Result:
        """Carry a seed back to the inputs.

        Parameters
        ----------
        values : mapping of str to ndarray
            What `forward` gave.
        seed : ndarray, shape (K, *shape of the explained tensor)
        batch : int
            Number of samples.
        reference : mapping of str to ndarray, optional
            What `forward` gave for the reference of each sample, where the composite takes one.
        """
        ...


def check_alike(where: str, name: str, here: Sequence[int], there: Sequence[int]) -> None:
    """Whether a value is of one shape for a window and for its reference.

    Raises
    ------
    DifferentBranches
        It depends on what is in the input, and is not.
    """
    if list(here) != list(there):
        raise DifferentBranches(
            f"{where}: {name!r} has shape {list(here)} for the window and {list(there)} for the reference, "
            "so there is no difference between them; choose a reference that the model treats alike"
        )


@dataclass(frozen=True)
class Plan:
    """What explains inputs of one shape, on one way through the model's branches.

    Attributes
    ----------
    facts : Facts
    runner : Runner
    graphs : BackwardGraphs or None
        What the runner's backward pass was written with, in this process; None where numpy carries relevance
        back, and where the plan was kept on disk.
    """

    facts: Facts
    runner: Runner
    graphs: BackwardGraphs | None = None
