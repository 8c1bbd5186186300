"""What is in a file, and which rule each node gets."""

from __future__ import annotations

import os
from collections import Counter
from dataclasses import asdict, dataclass
from pathlib import PurePath
from typing import Any

import numpy as np

from .analysis.shapes import text
from .composite import Composite
from .composite import composite as find_composite
from .contract import InputContract
from .file.load import load
from .file.runtime import Runtime, numpy_dtype
from .notebook.boxes import box, line
from .plan.example import example_for
from .plan.request import Request
from .rules import registry
from .walk.active_path import active_nodes

Array = np.ndarray[Any, Any]


@dataclass(frozen=True)
class TensorInfo:
    """An input or output.

    Attributes
    ----------
    name, dtype, shape : str
    """

    name: str
    dtype: str
    shape: str


@dataclass(frozen=True)
class NodeInfo:
    """A node.

    Attributes
    ----------
    name, domain, op_type : str
    opset : int
    on_path : bool
        Whether relevance passes it.
    rule : str or None
        What its rule does; None where there is none, or where it is off the path.
    absorbs : str
        Kinds of ledger entries it can have.
    """

    name: str
    domain: str
    op_type: str
    opset: int
    on_path: bool
    rule: str | None
    absorbs: str


@dataclass(frozen=True)
class Inspection:
    """What `inspect` found.

    Attributes
    ----------
    path, sha256, producer : str
    opsets : dict of str to int
    inputs, outputs : tuple of TensorInfo
    nodes : tuple of NodeInfo
        All nodes, in the order they run.
    explained : str
        The tensor that is explained by default.
    composite : str
    contract : InputContract or None
    notes : tuple of str
    """

    path: str
    sha256: str
    producer: str
    opsets: dict[str, int]
    inputs: tuple[TensorInfo, ...]
    outputs: tuple[TensorInfo, ...]
    nodes: tuple[NodeInfo, ...]
    explained: str
    composite: str
    contract: InputContract | None
    notes: tuple[str, ...] = ()

    def __repr__(self) -> str:
        taken = ", ".join(f"{i.name} {i.dtype} {i.shape}" for i in self.inputs[:3])
        return line(
            "Inspection",
            f"{PurePath(self.path).name}: {taken}",
            f"explains {self.explained}",
            self._covered(),
        )

    def _repr_html_(self) -> str:
        """What a notebook shows: nodes are counted by their operator."""
        rows: list[tuple[object, object]] = [
            ("sha256", self.sha256[:12]),
            ("producer", self.producer or None),
            ("opset", ", ".join(f"{domain} {version}" for domain, version in self.opsets.items())),
            *((f"input {i.name}", f"{i.dtype} {i.shape}") for i in self.inputs[:6]),
            *((f"output {o.name}", f"{o.dtype} {o.shape}") for o in self.outputs[:6]),
            ("explained", self.explained),
            ("composite", self.composite),
            ("rules", self._covered()),
        ]
        kinds = Counter(n.op_type for n in self.on_path).most_common()
        if kinds:
            more = f" and {len(kinds) - 12} more operators" if len(kinds) > 12 else ""
            rows.append(("nodes", ", ".join(f"{count} {op}" for op, count in kinds[:12]) + more))
        without = Counter(n.op_type for n in self.unsupported).most_common(6)
        if without:
            rows.append(("no rule for", ", ".join(f"{op} ({count})" for op, count in without)))
        rows.append(("contract", "none" if self.contract is None else _said_contract(self.contract)))
        return box(PurePath(self.path).name, rows, below=self.notes)

    def _covered(self) -> str:
        """How many nodes have a rule, in words."""
        n, without = len(self.on_path), len(self.unsupported)
        each = f"{n} {'node' if n == 1 else 'nodes'} on the path"
        return f"{each}, each with a rule" if not without else f"{each}, {without} without a rule"

    @property
    def on_path(self) -> tuple[NodeInfo, ...]:
        """Nodes between the inputs and what is explained."""
        return tuple(n for n in self.nodes if n.on_path)

    @property
    def unsupported(self) -> tuple[NodeInfo, ...]:
        """Nodes on the path that have no rule."""
        return tuple(n for n in self.on_path if n.rule is None)

    @property
    def coverage(self) -> float:
        """Share of the nodes on the path that have a rule, 0 to 1."""
        return 1.0 - len(self.unsupported) / len(self.on_path) if self.on_path else 0.0

    def to_dict(self) -> dict[str, Any]:
        """Plain data for JSON."""
        data = {k: v for k, v in asdict(self).items() if k != "contract"}
        data["contract"] = None if self.contract is None else self.contract.model_dump(exclude_defaults=True)
        data["coverage"] = self.coverage
        data["unsupported"] = [n.name for n in self.unsupported]
        return data


def _said_contract(contract: InputContract) -> str:
    """An input contract in a few words."""
    window = f"{contract.window / contract.sfreq:g} s at {contract.sfreq:g} Hz"
    return f"{len(contract.channels)} channels, {window}; {', '.join(contract.names[:8])}".rstrip("; ")


def inspect(
    model: str | os.PathLike[str],
    composite: str | Composite = "attnlrp",
    example: dict[str, Array] | None = None,
    *,
    output: str | None = None,
) -> Inspection:
    """Look into a model file: inputs, outputs, and the rule of every node on the active path.

    Parameters
    ----------
    model : path-like
    composite : str or Composite
    example : dict of str to ndarray, optional
        An input to find the shapes with; made up where it is missing.
    output : str, optional
        The output to explain.

    Raises
    ------
    ModelError
        The file cannot be read or run.
    """
    rules = find_composite(composite)
    loaded = load(model)
    where = str(model)
    runtime = Runtime(where)
    session = runtime.session(loaded.proto)
    asked = output or (loaded.contract.output if loaded.contract else None)
    request = Request.of(loaded.proto, session, runtime, rules, asked)
    recipe = example_for(request, example, loaded.contract)
    analysis, (target, note) = recipe.canonical, recipe.target
    path_nodes, _ = active_nodes(analysis, rules, target)
    on_path = set(path_nodes)
    nodes = []
    for node in analysis.nodes:
        rule = registry.find(node) if node in on_path else None
        nodes.append(
            NodeInfo(
                node.name,
                node.domain,
                node.op_type,
                node.version,
                node in on_path,
                rule.summary if rule else None,
                ", ".join(rule.absorbs) if rule else "",
            )
        )
    opsets = {(o.domain or "ai.onnx"): o.version for o in loaded.proto.opset_import}
    return Inspection(
        path=where,
        sha256=loaded.sha256,
        producer=f"{loaded.proto.producer_name} {loaded.proto.producer_version}".strip(),
        opsets=opsets,
        inputs=tuple(
            TensorInfo(i.name, str(i.dtype or "?"), text(analysis.shape(i.name)))
            for i in request.inputs.by_name.values()
        ),
        outputs=tuple(
            TensorInfo(
                o.name,
                str(numpy_dtype(o.type) or "?"),
                text(analysis.shape(o.name)) if o.name in analysis.probe.shapes else "?",
            )
            for o in session.get_outputs()
        ),
        nodes=tuple(nodes),
        explained=target,
        composite=rules.name,
        contract=loaded.contract,
        notes=(*recipe.notes, *([note] if note else [])),
    )
