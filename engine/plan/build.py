"""A plan made from a recipe: what is found out, and what runs it."""

from __future__ import annotations

from dataclasses import replace

from ..errors import ModelError
from .onnx_runner import OnnxRunner
from .onnx_writer import BackwardGraphs
from .recipe import Recipe
from .runner import Plan


def build(recipe: Recipe) -> Plan:
    """Make a plan.

    Raises
    ------
    UnsupportedOperator
        A node between input and output has no rule.
    ModelError
        The model cannot be run, or its backward pass has no form in ONNX where that was asked for.
    """
    facts, numpy, request = recipe.facts, recipe.numpy, recipe.request
    if request.backend == "numpy":
        return Plan(facts, numpy)
    try:
        graphs = BackwardGraphs(numpy, recipe.proto, recipe.probe, recipe.first, recipe.axes)
        names = numpy.instrumented.names
        return Plan(facts, OnnxRunner(facts, request.runtime, numpy.session, names, graphs.opened), graphs)
    except (NotImplementedError, ModelError) as e:
        why = str(e).removeprefix(f"{request.where}: ")
        if request.backend == "onnx":
            raise ModelError(f"{request.where}: {why}; use the numpy backend") from None
        return Plan(replace(facts, notes=(*facts.notes, f"numpy carries relevance back: {why}")), numpy)
