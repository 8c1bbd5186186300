"""The other libraries, in their own environment: a server that takes its turns when it is asked to.

One JSON object a line on standard input, one answer a line on standard output. `remote.py` asks:

    {"do": "open", "key": ..., "method": ..., "onnx": ..., "torch": ..., "input": ..., "shape": [...],
     "image": false}                       -> {"share": the part of the work that one call does}
    {"do": "run", "key": ..., "times": n}  -> {"seconds": for each}
    {"do": "map", "key": ..., "to": file}  -> {}
    {"do": "peak"}                         -> {"mb": ...}
    {"do": "close"}                        -> {}

Times are taken here, so that talking costs nothing. It imports nothing of onnxplain.
"""

from __future__ import annotations

import contextlib
import importlib
import json
import os
import platform
import sys
import time
import types
from collections.abc import Callable
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.common import peak

THREADS = int(os.environ["OMP_NUM_THREADS"])
STEPS, MASKS = 50, 1000  # the libraries' own defaults
Call = Callable[[], Any]


def program(path: str) -> Any:
    """A network as PyTorch runs it, weights frozen."""
    import torch

    torch.set_num_threads(THREADS)
    return torch.export.load(path).module().requires_grad_(False)


def gradient(network: Any, x: np.ndarray[Any, Any]) -> Call:
    """Input times gradient of the first class."""
    import torch

    def run() -> Any:
        t = torch.from_numpy(x).requires_grad_()
        network(t)[:, 0].sum().backward()
        assert t.grad is not None
        return (t.grad * t).detach().numpy()

    return run


def lxt(network: Any) -> Any:
    """The network with LXT's AttnLRP rules (efficient form) in the places of the operators they are for."""
    import torch

    # Its __init__ imports what patches the models of transformers.
    folder = types.ModuleType("lxt.efficient")
    folder.__path__ = [str(Path(str(importlib.import_module("lxt").__file__)).parent / "efficient")]
    sys.modules["lxt.efficient"] = folder
    rules = importlib.import_module("lxt.efficient.rules")
    aten = torch.ops.aten

    def layer_norm(
        x: Any, shape: Any, weight: Any = None, bias: Any = None, eps: float = 1e-5, *_: Any
    ) -> Any:
        axes = tuple(range(-len(shape), 0))
        centred = x - x.mean(axes, keepdim=True)
        y = centred / rules.stop_gradient((centred.square().mean(axes, keepdim=True) + eps).sqrt())
        y = y if weight is None else y * weight
        return y if bias is None else y + bias

    def group_norm(
        x: Any, groups: int, weight: Any = None, bias: Any = None, eps: float = 1e-5, *_: Any
    ) -> Any:
        y = layer_norm(x.reshape(x.shape[0], groups, -1), (1,), eps=eps).reshape(x.shape)
        channel = (1, -1, *(1 for _ in x.shape[2:]))
        y = y if weight is None else y * weight.reshape(channel)
        return y if bias is None else y + bias.reshape(channel)

    def activation(function: Any) -> Any:
        def call(x: Any, *rest: Any, **named: Any) -> Any:
            return rules.identity_rule_implicit(lambda t: function(t, *rest, **named), x)

        return call

    def attention(q: Any, k: Any, v: Any, *rest: Any, **named: Any) -> Any:
        q, k, v = rules.divide_gradient(q, 4), rules.divide_gradient(k, 4), rules.divide_gradient(v, 2)
        return aten.scaled_dot_product_attention.default(q, k, v, *rest, **named)

    replaced: dict[Any, Any] = {
        aten.layer_norm.default: layer_norm,
        aten.group_norm.default: group_norm,
        aten.scaled_dot_product_attention.default: attention,
    }
    for name in ("gelu", "elu", "relu", "silu", "tanh"):
        function = getattr(aten, name).default
        replaced[function] = activation(function)
    graph = network.graph
    for node in list(graph.nodes):
        if node.target in replaced:
            node.target = replaced[node.target]
            continue
        # Attention written out: the parts of both products, put where LXT puts them.
        if node.target is aten.softmax.int:
            scores, weights = node.args[0], node
            while scores.target is not aten.matmul.default:
                scores = scores.args[0]
            while (users := list(weights.users))[0].target is not aten.matmul.default:
                weights = users[0]
            mixed = users[0]
            for product, index, factor in ((scores, 0, 4), (scores, 1, 4), (mixed, 1, 2)):
                with graph.inserting_before(product):
                    part = graph.call_function(rules.divide_gradient, (product.args[index], factor))
                product.update_arg(index, part)
    network.recompile()
    return network


def integrated(network: Any, x: np.ndarray[Any, Any]) -> tuple[Call, float]:
    """captum's Integrated Gradients; of a batch a tenth of the steps, which cost the same each."""
    import torch
    from captum.attr import IntegratedGradients

    explain, steps = IntegratedGradients(network), STEPS if len(x) == 1 else STEPS // 10

    def run() -> Any:
        t = torch.from_numpy(x)
        return explain.attribute(t, target=0, n_steps=steps, internal_batch_size=max(10, len(x))).numpy()

    return run, steps / STEPS


def rise(path: str, x: np.ndarray[Any, Any], image: bool) -> tuple[Call, float]:
    """DIANNA's RISE, one window after the other; some of the masks, which cost the same each."""
    import dianna
    import onnxruntime as ort

    options = ort.SessionOptions()
    options.intra_op_num_threads, options.inter_op_num_threads = THREADS, 1
    options.add_session_config_entry("session.intra_op.allow_spinning", "0")
    options.log_severity_level = 4
    opened = ort.InferenceSession(path, options, providers=["CPUExecutionProvider"])
    name = opened.get_inputs()[0].name
    masks = MASKS // 10 if len(x) == 1 else MASKS // 50

    def model(masked: Any) -> Any:
        given = np.asarray(masked, np.float32)
        return opened.run(None, {name: given if image else np.ascontiguousarray(given.transpose(0, 2, 1))})[0]

    def run() -> Any:
        for window in x:
            # p_keep of images is searched for where it is not given: that would nearly double the work.
            more = {"n_masks": masks, "p_keep": 0.5, "batch_size": min(100, masks)}
            if image:
                dianna.explain_image(model, window, "RISE", [0], axis_labels={2: "channels"}, **more)
            else:
                dianna.explain_timeseries(model, window.T, "RISE", [0], **more)

    return run, masks / MASKS


def opened(asked: dict[str, Any]) -> tuple[Call, float]:
    """A method, ready to be called, and the share of the whole work that a call does."""
    x = np.load(asked["input"])
    if asked["method"] == "dianna RISE":
        return rise(asked["onnx"], x, asked["image"])
    network = program(asked["torch"])
    if asked["method"] == "torch forward":
        import torch

        return torch.no_grad()(lambda: network(torch.from_numpy(x)).numpy()), 1.0
    if asked["method"] == "captum IG":
        return integrated(network, x)
    return gradient(lxt(network) if asked["method"] == "lxt attnlrp" else network, x), 1.0


def answer(asked: dict[str, Any], calls: dict[str, Call]) -> dict[str, Any]:
    """Do what is asked."""
    do = asked["do"]
    if do == "open":
        calls[asked["key"]], share = opened(asked)
        return {"share": share}
    if do == "run":
        call, times = calls[asked["key"]], asked["times"]
        begun = time.perf_counter()
        for _ in range(times):
            call()
        return {"seconds": (time.perf_counter() - begun) / times}
    if do == "map":
        np.save(asked["to"], calls[asked["key"]]())
        return {}
    if do == "peak":
        return {"mb": peak()}
    if do == "close":
        calls.clear()
        return {}
    names = ("torch", "captum", "lxt", "dianna", "onnxruntime", "numpy")
    return {"python": platform.python_version(), **{n: version(n) for n in names}}


def main() -> None:
    calls: dict[str, Call] = {}
    replies = sys.stdout
    # Libraries print their progress; that is no answer.
    with open(os.devnull, "w") as nowhere, contextlib.redirect_stdout(nowhere):
        if "BENCHMARKS_LOUD" not in os.environ:
            sys.stderr = nowhere
        for line in sys.stdin:
            try:
                said = answer(json.loads(line), calls)
            except Exception as e:  # the other side says what failed, and goes on
                said = {"error": f"{type(e).__name__}: {e}"[:300]}
            print(json.dumps(said), file=replies, flush=True)


if __name__ == "__main__":
    main()
