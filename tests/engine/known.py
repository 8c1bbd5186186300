"""Which operators there are, and which of them have a rule or are written out in others that have."""

from __future__ import annotations

import warnings
from functools import cache

from onnx import defs

from onnxplain.engine.lowering import controlflow, functions, ml, sequences
from onnxplain.engine.lowering.cells import CELLS
from onnxplain.engine.lowering.microsoft.table import TABLE as MICROSOFT
from onnxplain.engine.lowering.standard.table import TABLE as STANDARD
from onnxplain.engine.rules import registry

Pair = tuple[str, str]

# The short list: what is refused by name. It may only become shorter.
REFUSED: dict[Pair, str] = {
    ("ai.onnx.ml", "LabelEncoder"): "a table of numbers by number: steps everywhere",
}
# Operators with floating operands and results that are no functions of a signal, and why.
NO_SIGNAL: dict[Pair, str] = {
    ("", "Bernoulli"): "random",
    ("", "BitCast"): "bits, not numbers",
    ("", "EyeLike"): "of its operand only the shape is used",
    ("", "MelWeightMatrix"): "its operands are the edges of a filter bank",
    ("", "RandomNormalLike"): "random",
    ("", "RandomUniformLike"): "random",
}


@cache
def ways() -> dict[Pair, str]:
    """Domain and operator: "rule" or "lowering"."""
    found = {(r.domain, r.op_type): "rule" for r in registry.rules() if r.domain != "onnxplain"}
    written = [("", o) for o in (*STANDARD, *CELLS, *controlflow.OPERATORS, "AffineGrid")]
    written += [("", o) for o in sequences.OPERATORS]
    written += [*MICROSOFT, *((ml.DOMAIN, o) for o in ml.WRITERS)]
    written += [("", s.name) for s in _schemas() if _defined(s)]
    return found | {pair: "lowering" for pair in written if pair not in found}


def without() -> set[Pair]:
    """Operators that take and give floating numbers, and have neither."""
    known = ways()
    return {
        (s.domain, s.name)
        for s in _schemas()
        if (s.domain, s.name) not in known
        and (s.domain, s.name) not in NO_SIGNAL
        and _floating(s, s.inputs)
        and _floating(s, s.outputs)
    }


def _schemas() -> list[defs.OpSchema]:
    """The newest of each operator; those that were taken back are there in their last form."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return [s for s in defs.get_all_schemas() if s.domain in ("", ml.DOMAIN)]


def _defined(schema: defs.OpSchema) -> bool:
    made = schema.has_function or schema.has_context_dependent_function
    return bool(made) and schema.domain == "" and schema.name not in functions.LEFT


def _floating(schema: defs.OpSchema, places: object) -> bool:
    types = {c.type_param_str: set(c.allowed_type_strs) for c in schema.type_constraints}
    return any("tensor(float)" in types.get(p.type_str, {p.type_str}) for p in places)  # type: ignore[attr-defined]
