"""Which rule an operator has: found by domain, operator, and the opset version it came with."""

from __future__ import annotations

import difflib
import hashlib
import inspect
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from .. import extensions
from ..errors import UnsupportedOperator
from ..file.graph import Node

if TYPE_CHECKING:
    from ..ops.base import Expr
    from .node import Message

RuleFunction = Callable[..., "Sequence[Expr | Message | None]"]

# How a message r (relevance that is no multiple of the activation) gets past an operator.
Carry = Literal["move", "gate", "own", "convert"]

# What a composite can choose a rule for.
Kind = Literal[
    "linear",
    "conv",
    "product",
    "softmax",
    "norm",
    "activation",
    "pool",
    "reduce",
    "add",
    "scale",
    "move",
    "division",
]

_MODULES = (
    "activations",
    "softmax",
    "codebook",
    "conv",
    "einsum",
    "elementwise",
    "indexing",
    "linear",
    "normalisation",
    "pooling",
    "powers",
    "products",
    "quantised",
    "reduction",
    "resampling",
    "selection",
    "shape",
    "signal",
    "thresholds",
    "trigonometric",
    "unfolding",
)


@dataclass(frozen=True)
class Rule:
    """One operator's rule.

    Attributes
    ----------
    domain, op_type, since : str, str, int
        The operator, and the first opset version that the rule is right for.
    kind : str
        What a composite chooses by.
    carry : {"move", "gate", "own", "convert"}
        How a message r gets past it: as elements do, unchanged, by its own rule (which finds it at
        ``node.remainder``), or as a multiplier.
    function : callable
        ``function(op, node, *m)`` with one multiplier for every output that has one; gives one
        multiplier (or None) for every input.
    """

    domain: str
    op_type: str
    since: int
    kind: Kind
    carry: Carry
    function: RuleFunction

    @property
    def summary(self) -> str:
        """First line of the rule's documentation."""
        return (self.function.__doc__ or "").strip().split("\n")[0]

    @property
    def absorbs(self) -> tuple[str, ...]:
        """Kinds of ledger entries that the rule can write."""
        return _ABSORBS.get(self.kind, ())


_ABSORBS = {
    "linear": ("bias", "stabilizer"),
    "conv": ("bias", "stabilizer"),
    "softmax": ("softmax",),
    "norm": ("bias",),
    "scale": ("bias",),
    "add": ("constant",),
    "activation": ("origin", "winner"),
    "move": ("constant",),
    "pool": ("stabilizer",),
    "reduce": ("stabilizer",),
}

_RULES: dict[tuple[str, str], list[Rule]] = {}
_loaded = False


def rule(
    *op_types: str, kind: Kind, since: int = 1, carry: Carry = "convert", domain: str = ""
) -> Callable[[RuleFunction], RuleFunction]:
    """Register a rule for one or more operators; the newest eligible `since` wins.

    Parameters
    ----------
    *op_types : str
        The operators.
    kind : str
        What a composite chooses by: "linear", "conv", "product", "softmax", "norm", "activation", "pool",
        "reduce", "add", "scale", "move" or "division".
    since : int
        The first version of the domain's opset that the rule is right for.
    carry : {"move", "gate", "softmax", "own", "convert"}
        How relevance that is no multiple of the activation (a message r) gets past the operator: as elements
        do, unchanged, by the softmax rule, by the rule itself, or as a multiplier, which is always right.
    domain : str
        The operators' domain; "" is onnx's own.

    Returns
    -------
    callable
        Decorates ``function(op, node, *m)``, which gets the primitives `Ops`, the `NodeContext`, and one
        multiplier for every output that has one, and gives one multiplier (or None) for every input.

    Raises
    ------
    ValueError
        One of them has a rule for that version already.

    Examples
    --------
    The identity rule for an operator of one's own, y = x tanh(x):

    >>> import onnxplain as ox
    >>> @ox.rule("TanhGate", kind="activation", domain="com.lab")  # doctest: +SKIP
    ... def tanh_gate(op, node, m):
    ...     return [op.mul(m, op.tanh(node.input(0)))]
    """

    def register(function: RuleFunction) -> RuleFunction:
        for op_type in op_types:
            known = _RULES.setdefault((domain, op_type), [])
            if any(r.since == since for r in known):
                raise ValueError(f"{domain or 'ai.onnx'}.{op_type} has a rule since opset {since} already")
            known.append(Rule(domain, op_type, since, kind, carry, function))
            known.sort(key=lambda r: -r.since)
        return function

    return register


def _load() -> None:
    global _loaded
    if not _loaded:
        for name in _MODULES:
            import_module(f".{name}", __package__)
        _loaded = True
        extensions.load(extensions.RULES)


def find(node: Node) -> Rule | None:
    """The rule for a node, or None."""
    _load()
    for known in _RULES.get((node.domain, node.op_type), []):
        if known.since <= node.version or node.domain != "":
            return known
    return None


def rules() -> list[Rule]:
    """All rules, by domain and operator."""
    _load()
    return [r for _, known in sorted(_RULES.items()) for r in known]


def unsupported(nodes: Iterable[Node], where: str) -> UnsupportedOperator:
    """The error that names every node without a rule, and the nearest rule there is."""
    names = sorted({r.op_type for r in rules()})
    parts = []
    for node in nodes:
        near = difflib.get_close_matches(node.op_type, names, 1)
        parts.append(f"{node}" + (f", nearest: {near[0]}" if near else ""))
    more = f" and {len(parts) - 8} more" if len(parts) > 8 else ""
    return UnsupportedOperator(
        f"{where}: no relevance rule for {len(parts)} node(s) between input and output: "
        + "; ".join(parts[:8])
        + more
    )


def foreign() -> str | None:
    """A hash of the rules that come from outside this package; "" where there are none.

    None where one of them cannot be read again (it was typed into a console): a plan made with it is not
    the same tomorrow.
    """
    own = __name__.partition(".")[0] + "."
    others = [r for r in rules() if not r.function.__module__.startswith(own)]
    found = hashlib.sha256()
    for each in others:
        try:
            source = Path(inspect.getsourcefile(each.function) or "").read_bytes()
        except (OSError, TypeError):
            return None
        found.update(f"{each.domain}.{each.op_type}.{each.since}".encode() + source)
    return found.hexdigest() if others else ""
