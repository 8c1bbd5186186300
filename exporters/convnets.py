"""Convolutional networks of braindecode: EEGNet and ShallowFBCSPNet."""

from __future__ import annotations

from .checkpoint import apply_state, load_state
from .common import base_contract, build, class_names
from .extras import braindecode_models
from .request import Built, Request


def eegnet(request: Request) -> Built:
    """EEGNet (Lawhern et al. 2018)."""
    return _convnet("eegnet", request)


def shallow_fbcsp_net(request: Request) -> Built:
    """ShallowFBCSPNet (Schirrmeister et al. 2017)."""
    return _convnet("shallowfbcspnet", request)


def _convnet(name: str, request: Request) -> Built:
    models = braindecode_models()
    state = load_state(request.checkpoint) if request.checkpoint else None
    head = None
    if state is not None:
        heads = [v for k, v in state.items() if k.startswith("final_layer") and k.endswith("weight")]
        head = len(heads[0]) if heads else None
    contract = base_contract(name, request, class_names(request.classes, head, request.checkpoint))
    net = build(getattr(models, contract.model), contract, dict(request.options))
    if state is None:
        return Built(net, contract, ("random weights: no checkpoint was given",))
    apply_state(net, state, where=str(request.checkpoint))
    return Built(net, contract)
