"""`compile`: a model and a composite as one ONNX file that gives outputs and relevance."""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import onnx

from ..composite import Composite
from ..composite import composite as find_composite
from ..contract import InputContract
from ..errors import InputError, ModelError
from ..file.filling import filled
from ..file.load import load
from ..file.runtime import Runtime, write
from ..lowering.opset import raised
from ..plan.example import example_for
from ..plan.recipe import Recipe
from ..plan.references import references as given_references
from ..plan.request import Request
from ..steps import step
from ..storage import outputs
from .branches import Way, explored, impossible, joined, recipes
from .check import check, on_flat_channels, wanted
from .one_graph import one_graph
from .pair_graph import Baked, pair_graph

Array = np.ndarray[Any, Any]

# Relevance is written in operators of this opset; ScatterND that adds came with 18 in float32.
OPSET = 18
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
    references: Array | Mapping[str, Array] | None = None,
    overwrite: bool = True,
    logits: bool = True,
    **parameters: Any,
) -> Path:
    """Write a model and its relevance as one ONNX file.

    The file has the model's inputs and ``seed``, shaped like what is explained (one-hot at a class, or any
    weights), and gives the model's outputs and ``relevance.<input>``. It needs nothing but onnxruntime.
    Under `gradient` it gives ``gradient.<input>`` of each floating input, too.

    Under a composite that explains a difference it takes ``reference.<input>`` [n, ...] beside each input, a
    set that every window of the batch is held against, and gives ``explained`` [batch] too: f(x) less its
    mean over the references. Relevance is the mean over them.

    Parameters
    ----------
    model : path-like
    to : path-like
        The file to write.
    composite : str or Composite
    targets : int, optional
        Explain so many targets in one run: ``seed`` and relevance get an axis of that length in front.
    ledger : bool
        Whether to give ``ledger.<kind>`` [batch], what stayed on the way, too, and ``explained``: the number
        that both of them and relevance sum to. Of a difference, that is there always.
    output : str, optional
        The output to explain; the contract's, or the first floating one.
    example : ndarray or dict of str to ndarray, optional
        An input. Open dimensions other than the batch get its sizes; made up where it is missing.
    contract : InputContract, optional
        In the place of the one in the file's metadata.
    references : ndarray or dict of str to ndarray, optional
        Of a difference: one reference or a set [n, ...] to have in the file, which then takes none. What the
        model gives for them is computed here and kept in the file.
    overwrite : bool
    logits : bool
        Whether the logit is explained where the model ends in a softmax or sigmoid; False: the output itself.
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
    with outputs.alone(path):
        made = _made(
            Path(model), rules, targets, ledger, output, example, contract, references, logits=logits
        )
        save(made, path)
    return path


def _made(
    model: Path,
    rules: Composite,
    targets: int | None,
    ledger: bool,
    output: str | None,
    example: Any,
    contract: InputContract | None,
    references: Array | Mapping[str, Array] | None,
    *,
    logits: bool = True,
) -> onnx.ModelProto:
    """The compiled model, checked; see `compile`."""
    loaded = load(model)
    where = str(model)
    known = contract or loaded.contract
    if known is not None and (constants := known.constants()):
        loaded = filled(loaded, known.input, constants)
        known = known.model_copy(
            update={"inputs": {k: v for k, v in known.inputs.items() if k not in constants}}
        )
    source = raised(loaded.proto, where, lowest=OPSET, to=OPSET)
    if references is not None and not rules.is_difference:
        raise InputError(
            f"composite {rules.name!r} explains against zero; with references: composite='difference'"
        )
    runtime = Runtime(where)
    asked = output or (known.output if known else None)
    request = Request.of(source, runtime.session(source), runtime, rules, asked, ledger=ledger, logits=logits)
    recipe = example_for(request, example, known)
    baked = None if references is None else _baked(recipe, references, where)
    way = explored(recipe)
    step("writing relevance into the graph")
    every = list(recipes(way))
    kinds = list(dict.fromkeys(e.kind for r in every for e in r.recording.entries)) if ledger else None

    def graph(one: Recipe, guarded: bool = True) -> onnx.ModelProto:
        if rules.is_difference:
            return pair_graph(one, kinds=kinds, targets=targets, baked=baked, guarded=guarded)
        return one_graph(one, kinds=kinds, targets=targets)

    made = joined(way, recipe, graph, source)
    describe(made, recipe, way, loaded.sha256, known, targets, baked)
    step("checking the compiled file")
    feeds = None if baked is None else baked.feeds
    for other in every:
        if other is not recipe:
            # A way that this input does not take: here it is made to.
            check(graph(other, False), other.proto, [wanted(other, targets, feeds)], runtime)
    own = [wanted(recipe, targets, feeds, guarded=True)]
    flat = on_flat_channels(recipe, targets)
    own += [] if flat is None else [flat]
    for one in every:
        one.numpy.close()
    check(made, loaded.proto, own, runtime)
    return made


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
    baked: Baked | None = None,
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
            "references": (len(baked.feeds) if baked else "given") if rules.is_difference else None,
            "ways": sum(1 for _ in recipes(way)),
            "notes": [*recipe.facts.notes, *notes],
        },
        sort_keys=True,
    )
    del model.metadata_props[:]
    for key, value in metadata.items():
        model.metadata_props.add(key=key, value=value)


def _baked(recipe: Recipe, given: Any, where: str) -> Baked:
    """References as a file has them, each one row."""
    inputs, first = recipe.request.inputs, dict(recipe.first)
    one = first if recipe.probe.mode == "joint" else inputs.take(first, 0, 1)
    found = given_references(inputs, given, one, where)
    named = set(given) if isinstance(given, Mapping) else set(inputs)
    return Baked(found.feeds, frozenset(n for n in inputs if n not in named))


def save(model: onnx.ModelProto, path: Path) -> None:
    """Write a model whole or not at all; weights beside it where they are too large for one file."""
    folder = outputs.temporary(path)
    try:
        with outputs.named(path, folder):
            folder.mkdir()
            write(model, folder / path.name)
            # The model last: where it is, its weights are.
            for made in sorted(folder.iterdir(), key=lambda p: p.name == path.name):
                os.replace(made, path.with_name(made.name))
    finally:
        shutil.rmtree(folder, ignore_errors=True)
