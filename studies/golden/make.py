"""Make the golden maps again: what zennit, LXT, captum and plain torch say of small networks.

    python studies/golden/make.py             compare with tests/golden/maps, write nothing
    python studies/golden/make.py --write     write them

In an environment of its own, see requirements.txt. The networks, their inputs and their target classes
are read from tests/golden/maps: their weights were drawn once, and the ONNX files have them. All is
computed in float64, and each map starts with the logit of the target class.
"""

from __future__ import annotations

import argparse
import importlib
import json
import sys
import types
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import torch

HERE = Path(__file__).parent
MAPS = HERE.parents[1] / "tests" / "golden" / "maps"
sys.path.insert(0, str(HERE))

import networks  # noqa: E402


def stand_ins() -> None:
    """Let zennit and LXT be imported without torchvision and transformers, which no map here needs.

    zennit asks torchvision for the classes of its networks to recognise them by; LXT's folder imports
    what patches the models of transformers.
    """
    for name in ("torchvision", "torchvision.ops", "torchvision.models", "torchvision.models.resnet"):
        sys.modules[name] = types.ModuleType(name)
    unused = {n: type(n, (torch.nn.Module,), {}) for n in ("Bottleneck", "BasicBlock", "FrozenBatchNorm2d")}
    vars(sys.modules["torchvision.models.resnet"]).update(unused)
    vars(sys.modules["torchvision.ops"]).update(unused)
    sys.modules["torchvision"].ops = sys.modules["torchvision.ops"]  # type: ignore[attr-defined]
    folder = types.ModuleType("lxt.efficient")
    folder.__path__ = [str(Path(str(importlib.import_module("lxt").__file__)).parent / "efficient")]
    sys.modules["lxt.efficient"] = folder


def start(logits: torch.Tensor, target: torch.Tensor) -> torch.Tensor:
    """The logits at the target classes, 0 elsewhere."""
    return torch.nn.functional.one_hot(target, logits.shape[1]) * logits.detach()


def by_zennit(
    network: torch.nn.Module, x: torch.Tensor, target: torch.Tensor, rule: str, parameters: dict[str, float]
) -> torch.Tensor:
    """A map by one of zennit's composites, or by one rule on every layer."""
    from zennit import attribution, canonizers, composites, rules
    from zennit import types as kinds

    dense = isinstance(network[1], torch.nn.ReLU)  # type: ignore[index]
    eps = 1e-9 if dense else 1e-6
    merge = [canonizers.SequentialMergeBatchNorm()]
    passing = [(networks.Square, rules.Pass()), (networks.SafeLog, rules.Pass())]
    passing += [(networks.Sum, rules.Norm(stabilizer=eps))]
    for module in network.modules():
        if isinstance(module, networks.Residual):
            module.stacked = True
    both = {
        "epsilon": lambda: rules.Epsilon(epsilon=eps),
        "epsilon0.1": lambda: rules.Epsilon(epsilon=0.1),
        "gamma": lambda: rules.Gamma(gamma=0.25, stabilizer=eps),
        "gamma0.25": lambda: rules.Gamma(gamma=0.25, stabilizer=eps),
        "zplus": lambda: rules.ZPlus(stabilizer=eps),
        "alpha2beta1": lambda: rules.AlphaBeta(alpha=2, beta=1, stabilizer=eps),
        "wsquare_first_epsilon": lambda: rules.Epsilon(epsilon=eps),
    }
    if rule in both:
        layers = passing + composites.layer_map_base(eps)
        layers += [(kinds.Convolution, both[rule]()), (torch.nn.Linear, both[rule]())]
        first = []
        if rule.startswith("wsquare"):
            first = [(kinds.Convolution, rules.WSquare(stabilizer=eps))]
        composite = composites.SpecialFirstLayerMapComposite(layers, first, canonizers=merge)
    else:
        box = {}
        if rule == "epsilon_gamma_box":
            box = {side: torch.full_like(x, parameters[side]) for side in ("low", "high")}
        made = composites.COMPOSITES[rule]
        composite = made(layer_map=passing, canonizers=merge, **box)
    with attribution.Gradient(model=network, composite=composite) as explain:
        return explain(x, lambda y: start(y, target))[1]


def by_captum(
    network: torch.nn.Module, x: torch.Tensor, target: torch.Tensor, rule: str, parameters: dict[str, float]
) -> torch.Tensor:
    """A map with one of captum's rules on every dense layer."""
    from captum.attr import LRP
    from captum.attr._utils import lrp_rules

    for layer in network.modules():
        if isinstance(layer, torch.nn.Linear):
            layer.rule = {"epsilon": lrp_rules.EpsilonRule, "gamma": lrp_rules.GammaRule}[rule]()  # type: ignore[assignment]
    return LRP(network).attribute(x, target=target)


class Efficient(networks.Plain):
    """AttnLRP, or CP-LRP, as gradient times input, with LXT's rules."""

    def __init__(self, constant_attention: bool) -> None:
        from lxt.efficient import rules

        self.rules, self.constant_attention = rules, constant_attention

    def norm(self, x: torch.Tensor, layer: torch.nn.LayerNorm) -> torch.Tensor:
        centred = x - x.mean(-1, keepdim=True)
        std = (centred.square().mean(-1, keepdim=True) + layer.eps).sqrt()
        return centred / self.rules.stop_gradient(std) * layer.weight + layer.bias

    def rms_norm(self, x: torch.Tensor, weight: torch.Tensor) -> torch.Tensor:
        scale = torch.rsqrt(x.square().mean(-1, keepdim=True) + networks.RMS_EPS)
        return x * self.rules.stop_gradient(scale) * weight

    def activation(self, x: torch.Tensor, f: Callable[[torch.Tensor], torch.Tensor]) -> torch.Tensor:
        return self.rules.identity_rule_implicit(f, x)

    def gate(self, x: torch.Tensor) -> torch.Tensor:
        return self.rules.stop_gradient(x) if self.constant_attention else x

    def gated(self, gate: torch.Tensor, x: torch.Tensor) -> torch.Tensor:
        return gate * x if self.constant_attention else self.rules.divide_gradient(gate * x, 2)

    def attention(
        self, q: torch.Tensor, k: torch.Tensor, v: torch.Tensor, mask: torch.Tensor | None = None
    ) -> torch.Tensor:
        if self.constant_attention:
            q, k = self.rules.stop_gradient(q), self.rules.stop_gradient(k)
        else:
            q, k, v = (self.rules.divide_gradient(t, f) for t, f in ((q, 4), (k, 4), (v, 2)))
        return super().attention(q, k, v, mask)


class Explicit(networks.Plain):
    """The same with LXT's functions that carry relevance."""

    def __init__(self, constant_attention: bool) -> None:
        from lxt.explicit import functional, rules

        self.f, self.rules, self.constant_attention = functional, rules, constant_attention

    def linear(self, x: torch.Tensor, layer: torch.nn.Linear) -> torch.Tensor:
        return self.f.linear_epsilon(x, layer.weight, layer.bias)

    def conv(self, x: torch.Tensor, layer: torch.nn.Module) -> torch.Tensor:
        return self.rules.EpsilonRule(layer, epsilon=1e-6)(x)

    def norm(self, x: torch.Tensor, layer: torch.nn.LayerNorm) -> torch.Tensor:
        return self.f.layer_norm(x, layer.weight, layer.bias, layer.eps)

    def rms_norm(self, x: torch.Tensor, weight: torch.Tensor) -> torch.Tensor:
        return self.f.rms_norm_identity(x, weight, networks.RMS_EPS)

    def activation(self, x: torch.Tensor, f: Callable[[torch.Tensor], torch.Tensor]) -> torch.Tensor:
        return self.rules.IdentityRule(f)(x)

    def gate(self, x: torch.Tensor) -> torch.Tensor:
        return x.detach() if self.constant_attention else x

    def gated(self, gate: torch.Tensor, x: torch.Tensor) -> torch.Tensor:
        return self.f.mul2(gate, x)

    def scale(self, x: torch.Tensor, by: torch.Tensor | float) -> torch.Tensor:
        return self.f.mul2(x, by)

    def add(self, a: torch.Tensor, b: torch.Tensor) -> torch.Tensor:
        return self.f.add2(a, b)

    def add_constant(self, x: torch.Tensor, constant: torch.Tensor) -> torch.Tensor:
        return self.rules.epsilon_lrp(lambda h: h + constant, 1e-8, x)

    def attention(
        self, q: torch.Tensor, k: torch.Tensor, v: torch.Tensor, mask: torch.Tensor | None = None
    ) -> torch.Tensor:
        scores = self.f.matmul(q, k.transpose(-1, -2))
        if mask is not None:
            scores = scores.masked_fill(~mask if mask.dtype == torch.bool else mask < 0, -torch.inf)
        weights = self.f.softmax(scores, -1)
        if self.constant_attention:
            return self.rules.epsilon_lrp(torch.matmul, 1e-6, weights.detach(), v)
        return self.f.matmul(weights, v)


def by_lxt(
    build: Callable[[Any], torch.nn.Module],
    file: Path,
    x: torch.Tensor,
    target: torch.Tensor,
    form: str,
    rule: str,
) -> torch.Tensor:
    """A map by one of LXT's two forms."""
    calls = {"efficient": Efficient, "explicit": Explicit}[form](rule == "cplrp")
    network = networks.with_weights(build(calls), file)
    x = x.clone().requires_grad_()
    y = network(x)
    if form == "efficient":  # gradient times input: the gradient starts with 1
        y.gather(1, target[:, None]).sum().backward()
    else:
        y.backward(start(y, target))
    assert x.grad is not None
    return x.grad * x if form == "efficient" else x.grad


def by_torch(
    build: Callable[[Any], torch.nn.Module], file: Path, x: torch.Tensor, target: torch.Tensor
) -> torch.Tensor:
    """Input times gradient; the maps of the others start with the logit, and so does this."""
    network = networks.with_weights(build(networks.Plain()), file)
    x = x.clone().requires_grad_()
    y = network(x)
    y.gather(1, target[:, None]).sum().backward()
    assert x.grad is not None
    return x.grad * x


def made(name: str, entry: dict[str, Any], x: torch.Tensor, target: torch.Tensor) -> torch.Tensor:
    """One map, by its name."""
    file = MAPS / f"{entry['network']}.onnx"
    library, *rest = name.removesuffix("__canon").split("__")
    if library == "inputxgradient":
        return by_torch(networks.TRANSFORMERS[entry["network"]], file, x, target)
    if library.startswith("lxt"):
        _, form, rule = library.split("_")
        return by_lxt(networks.TRANSFORMERS[entry["network"]], file, x, target, form, rule)
    build: Callable[[], Any] = getattr(networks, entry["network"])
    run = {"zennit": by_zennit, "captum": by_captum}[library]
    return run(networks.with_weights(build(), file), x, target, rest[1], entry["parameters"])


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--write", action="store_true", help="write the maps")
    write = parser.parse_args().write
    stand_ins()
    entries = json.loads((MAPS / "references.json").read_text(encoding="utf-8"))
    worst = 0.0
    for network in sorted({e["network"] for e in entries.values()}):
        with np.load(MAPS / f"{network}.npz") as data:
            arrays = dict(data)
        x = torch.from_numpy(arrays["input"].astype(np.float64))
        target = torch.from_numpy(arrays["target"])
        for name in (n for n, e in entries.items() if e["network"] == network):
            got = made(name, entries[name], x, target).detach().numpy()
            old = arrays.get(name)
            if old is not None:
                difference = float(np.abs(got - old).max() / np.abs(old).max())
                worst = max(worst, difference)
                print(f"{name:55} {difference:.1e}", flush=True)
            arrays[name] = got
        if write:
            np.savez_compressed(MAPS / f"{network}.npz", **arrays)
    print(f"largest difference {worst:.1e}")


if __name__ == "__main__":
    main()
