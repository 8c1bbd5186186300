"""LaBraM (braindecode's ``Labram``).

The network picks a learned position embedding for each electrode *by name*. Both spellings of the
10-20 system have their own: T3, T4, T5, T6 and T7, T8, P7, P8 are eight different rows, although
they are four places on the head. In the published weights either row was trained, each on the
recordings that used that spelling (the TUH corpus says T3, for instance). So names go to the network
as they are given: a checkpoint must be exported with the spelling it was fine-tuned with, and a
recording that spells otherwise is renamed when it is read, not here.
"""

from __future__ import annotations

import re
from typing import Any

from onnxplain.engine.contract import InputContract
from onnxplain.engine.errors import InputError

from .checkpoint import State, apply_state, load_state
from .common import base_contract, build, class_names
from .extras import braindecode_models, need
from .request import Built, Request

# The authors' own names for the weights -> braindecode's.
_RENAME = (
    (r"^student\.", ""),
    (r"^pos_embed$", "position_embedding"),
    (r"^time_embed$", "temporal_embedding"),
    (r"^patch_embed\.(conv|norm)", r"patch_embed.temporal_conv.\1"),
    (r"\.mlp\.fc1\.", ".mlp.0."),
    (r"\.mlp\.fc2\.", ".mlp.2."),
    (r"^head\.", "final_layer."),
)
# What only pre-training needs.
_PRETRAINING = re.compile(r"^(mask_token|lm_head\.|logit_scale|projection_head\.)")


def labram(request: Request) -> Built:
    """Build the network and its contract; see `onnxplain.exporters.export`."""
    models = braindecode_models()
    state = _state(request.checkpoint) if request.checkpoint else None
    head = None if state is None else state.get("final_layer.weight")
    classes = class_names(request.classes, None if head is None else len(head), request.checkpoint)
    contract = base_contract("labram", request, classes)
    _check_names(contract)
    options = {"patch_size": 200, **request.options}
    if contract.window % options["patch_size"]:
        raise InputError(
            f"window: {contract.window} samples are no multiple of LaBraM's patch of {options['patch_size']}"
        )
    if state is not None:
        # Fine-tuned by the authors' scripts: the mean over patches is classified, not the CLS token.
        options.setdefault("use_mean_pooling", "fc_norm.weight" in state)
        options.setdefault("qkv_bias", "blocks.0.attn.q_bias" in state)
        options.setdefault(
            "num_layers", 1 + max((int(n.split(".")[1]) for n in state if n[:7] == "blocks."), default=11)
        )
    net = build(models.Labram, contract, options)
    notes: tuple[str, ...] = ("random weights: no checkpoint was given",)
    if state is not None:
        whole = apply_state(
            net,
            _fit(state, net, has_head=head is not None),
            where=str(request.checkpoint),
            may_miss=() if head is not None else ("final_layer.", "fc_norm.", "norm."),
        )
        notes = () if whole else ("the checkpoint has no head: the classifier's weights are random",)
    return Built(_named(net, contract.channels), contract, notes)


def _named(net: Any, names: tuple[str, ...]) -> Any:
    """``forward(x)`` with the electrode names filled in."""
    nn = need("torch").nn

    class Named(nn.Module):  # type: ignore[misc, name-defined]
        def __init__(self) -> None:
            super().__init__()
            self.net = net

        def forward(self, x: Any) -> Any:
            return self.net(x, ch_names=list(names))

    return Named()


def _check_names(contract: InputContract) -> None:
    need("torch")
    from braindecode.models.labram import LABRAM_CHANNEL_ORDER

    known = {name.upper() for name in LABRAM_CHANNEL_ORDER}
    unknown = [name for name in contract.channels if name.upper() not in known]
    if unknown:
        raise InputError(
            f"channels: LaBraM has no embedding for {', '.join(unknown)} "
            f"(it knows {len(known)} names, mostly of the 10-10 system)"
        )
    folded = [name.upper() for name in contract.channels]
    twice = sorted({name for name in folded if folded.count(name) > 1})
    if twice:
        raise InputError(f"channels: {', '.join(twice)} stands twice")


def _state(source: str) -> State:
    state = {}
    for name, value in load_state(source).items():
        for pattern, new in _RENAME:
            name = re.sub(pattern, new, name)
        if not _PRETRAINING.match(name):
            state[name] = value
    return state


def _fit(state: State, net: Any, *, has_head: bool) -> State:
    """Cut what depends on the window; leave out what the chosen pooling does not use."""
    own = net.state_dict()
    state = dict(state)
    name = "temporal_embedding"
    # The network reads the first n rows of this table, so a shorter one is exactly a cut.
    if name in state and state[name].shape[1] > own[name].shape[1]:
        state[name] = state[name][:, : own[name].shape[1]]
    if not has_head:
        unused = [n for n in state if n.startswith(("norm.", "fc_norm.")) and n not in own]
        for n in unused:
            del state[n]
    return state
