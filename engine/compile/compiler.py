"""`compile`: a model and a composite as one ONNX file that gives outputs and relevance."""

from __future__ import annotations

import json
import os
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import onnx

from ..composite import Composite
from ..composite import composite as find_composite
from ..contract import InputContract
from ..errors import InputError, ModelError
from ..file.load import load
from ..file.runtime import Runtime, write
from ..lowering.opset import raised
from ..plan.example import example_for
from ..plan.onnx_runner import SEED
from ..plan.parity import disagreement, gap, spread_of
from ..plan.recipe import Recipe
from ..plan.request import Request
from ..steps import step
from .branches import Way, explored, impossible, joined, recipes
from .one_graph import RELEVANCE, one_graph

Array = np.ndarray[Any, Any]

# Relevance is written in operators of this opset; ScatterND that adds came with 18 in float32.
OPSET = 18
# How far a compiled file's relevance may be from numpy's, relative to the largest.
AGREES = 1e-3
METADATA = "onnxplain.compiled"


def compile(
    model: str | os.PathLike[str],
    to: str | os.PathLike[str],
    composite: str | Composite = "attnlrp",
    *,
    targets: int | None = None,
    ledger: bool = False,
    output: str | None = None,
    example: Any = None,
    contract: InputContract | None = None,
    overwrite: bool = True,
    **parameters: Any,
) -> Path:
    """Write a model and its relevance as one ONNX file.

    The file has the model's inputs and ``seed``, shaped like what is explained (one-hot at a class, or any
    weights), and gives the model's outputs and ``relevance.<input>``. It needs nothing but onnxruntime.

    Parameters
    ----------
    model : path-like
    to : path-like
        The file to write.
    composite : str or Composite
    targets : int, optional
        Explain so many targets in one run: ``seed`` and relevance get an axis of that length in front.
    ledger : bool
        Whether to give ``ledger.<kind>`` [batch], what stayed on the way, too.
    output : str, optional
        The output to explain; the contract's, or the first floating one.
    example : ndarray or dict of str to ndarray, optional
        An input. Open dimensions other than the batch get its sizes; made up where it is missing.
    contract : InputContract, optional
        In the place of the one in the file's metadata.
    overwrite : bool
    **parameters : float
        Of the composite.

    Returns
    -------
    Path
        The file.

    Raises
    ------
    ModelError
        The model cannot be explained, or not in one graph.
    InputError
        A name, parameter or path cannot be used.
    """
    path = Path(to)
    if targets is not None and (isinstance(targets, bool) or int(targets) < 1):
        raise InputError(f"targets must be at least 1, not {targets}")
    if path.exists() and not overwrite:
        raise InputError(f"{path} exists; choose another name, or overwrite it")
    if not path.parent.is_dir():
        raise InputError(f"{path}: there is no folder {path.parent}")
    if path.exists() and path.samefile(model):
        raise InputError(f"{path} is the model itself; choose another name")
    rules = find_composite(composite, parameters)
    loaded = load(model)
    where = str(model)
    known = contract or loaded.contract
    source = raised(loaded.proto, where, lowest=OPSET, to=OPSET)
    runtime = Runtime(where)
    asked = output or (known.output if known else None)
    request = Request.of(source, runtime.session(source), runtime, rules, asked, ledger=ledger)
    recipe = example_for(request, example, known)
    way = explored(recipe)
    step("writing relevance into the graph")
    every = list(recipes(way))
    kinds = list(dict.fromkeys(e.kind for r in every for e in r.recording.entries)) if ledger else []

    def graph(one: Recipe) -> onnx.ModelProto:
        return one_graph(one, kinds=kinds, targets=targets)

    made = joined(way, recipe, graph, source)
    describe(made, recipe, way, loaded.sha256, known, targets)
    step("checking the compiled file")
    for other in every:
        if other is not recipe:
            check(graph(other), other.proto, reference(other, targets), runtime)
    wanted = reference(recipe, targets)
    for one in every:
        one.numpy.close()
    check(made, loaded.proto, wanted, runtime)
    save(made, path)
    return path


def about(path: str | os.PathLike[str]) -> dict[str, Any]:
    """What a compiled file says of itself: composite, source, and the names of its inputs and outputs.

    Raises
    ------
    ModelError
        It is no compiled file.
    """
    model = onnx.load(path, load_external_data=False)
    text = {p.key: p.value for p in model.metadata_props}.get(METADATA)
    if text is None:
        raise ModelError(f"{path}: not a compiled file")
    initialisers = {t.name for t in model.graph.initializer}
    found: dict[str, Any] = json.loads(text)
    found["inputs"] = [i.name for i in model.graph.input if i.name not in initialisers]
    found["outputs"] = [o.name for o in model.graph.output]
    return found


def describe(
    model: onnx.ModelProto,
    recipe: Recipe,
    way: Way,
    sha256: str,
    contract: InputContract | None,
    targets: int | None,
) -> None:
    """Write into the metadata what a compiled file is of."""
    from ... import __version__

    rules = recipe.request.composite
    metadata = {p.key: p.value for p in model.metadata_props}
    if contract is not None:
        metadata |= contract.to_metadata()
    notes = [f"in one branch the model cannot run on inputs of this shape ({x.why})" for x in impossible(way)]
    metadata[METADATA] = json.dumps(
        {
            "version": __version__,
            "composite": rules.name,
            "variants": dict(rules.variants),
            "parameters": dict(rules.parameters),
            "source_sha256": sha256,
            "explained": recipe.recording.target,
            "targets": targets,
            "ways": sum(1 for _ in recipes(way)),
            "notes": [*recipe.facts.notes, *notes],
        },
        sort_keys=True,
    )
    del model.metadata_props[:]
    for key, value in metadata.items():
        model.metadata_props.add(key=key, value=value)


@dataclass(frozen=True)
class Reference:
    """What a compiled model is compared with.

    Attributes
    ----------
    feed : dict of str to ndarray
    seed : ndarray
        As the compiled model takes it.
    outputs : dict of str to ndarray
        Of the instrumented model.
    relevance : dict of str to ndarray
        By numpy.
    approximate : bool
        Whether numbers are rounded to 8 or 16 bits.
    """

    feed: Mapping[str, Array]
    seed: Array
    outputs: Mapping[str, Any]
    relevance: Mapping[str, Array]
    approximate: bool


def reference(recipe: Recipe, targets: int | None) -> Reference:
    """Explain random targets by numpy."""
    inputs, numpy = recipe.request.inputs, recipe.numpy
    at, feed = inputs.micro_batches(recipe.facts, dict(recipe.first))[0]
    values = numpy.forward(feed)
    y = values[recipe.recording.target]
    seed = np.random.default_rng(0).standard_normal((targets or 1, *y.shape))
    seed = seed.astype(recipe.recording.ops.dtype)
    found = numpy.backward(values, seed, at.stop - at.start)
    relevance = {}
    for name in inputs:
        m, r = found.multipliers.get(name), found.remainders.get(name)
        full: Any = (0 if m is None else m * feed[name]) + (0 if r is None else r)
        wide = np.broadcast_to(full, (len(seed), *feed[name].shape))
        relevance[name] = wide if targets is not None else wide[0]
    outputs = {name: values[name] for name in numpy.instrumented.outputs}
    return Reference(
        feed, seed if targets is not None else seed[0], outputs, relevance, recipe.facts.approximate
    )


def check(made: onnx.ModelProto, source: onnx.ModelProto, wanted: Reference, runtime: Runtime) -> None:
    """Run a compiled model, and compare it with its source and with numpy.

    Raises
    ------
    ModelError
        It does not run, its outputs are not the source's, or its relevance not numpy's.
    """

    def outcome(model: onnx.ModelProto, more: Mapping[str, Array]) -> dict[str, Any]:
        # One session at a time: each has the weights twice.
        opened = runtime.session(model)
        names = [o.name for o in opened.get_outputs()]
        return dict(zip(names, runtime.run(opened, names, {**wanted.feed, **more}), strict=True))

    def spread() -> dict[str, float]:
        return spread_of(runtime.session(source), source, wanted.feed, runtime)

    got, own = outcome(made, {SEED: wanted.seed}), outcome(source, {})
    found = disagreement(own, got, spread if wanted.approximate else None)
    if found is not None:
        raise ModelError(f"{runtime.where}: compiled, output {found[0]!r} changes by {found[1]:.1e}; refused")
    if wanted.approximate and disagreement(wanted.outputs, got, None) is not None:
        return  # activations are others, by a step of 8 bits here and there: so is relevance
    for name in wanted.relevance:
        apart = gap(got[RELEVANCE + name], wanted.relevance[name])
        if not apart <= AGREES:
            raise ModelError(
                f"{runtime.where}: compiled, relevance of {name!r} is {apart:.1e} from numpy's; refused"
            )


def save(model: onnx.ModelProto, path: Path) -> None:
    """Write a model whole or not at all; weights beside it where they are too large for one file."""
    with tempfile.TemporaryDirectory(prefix=f".{path.name}.", suffix=".part", dir=path.parent) as folder:
        write(model, Path(folder) / path.name)
        # The model last: where it is, its weights are.
        for made in sorted(Path(folder).iterdir(), key=lambda p: p.name == path.name):
            os.replace(made, path.with_name(made.name))
