"""`export`: a network by name to a checked ONNX file."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from difflib import get_close_matches
from functools import partial
from importlib import import_module
from pathlib import Path
from typing import Any, Literal

from onnxplain.engine.contract import InputContract
from onnxplain.engine.errors import InputError, OnnxplainError
from onnxplain.engine.steps import step

from . import networks, own
from .extras import need
from .report import ExportReport
from .request import SIGNAL, Built, Request, with_signal

# name -> module and function that build it; imported when asked for
_BUILDERS = {
    "labram": ("labram", "labram"),
    "eegnet": ("convnets", "eegnet"),
    "shallowfbcspnet": ("convnets", "shallow_fbcsp_net"),
    "reve": ("reve", "reve"),
    "steegformer": ("steegformer", "steegformer"),
}


def known() -> list[str]:
    """Names that `export` takes, in lower case."""
    return sorted({*_BUILDERS, *networks.names()})


def builder(name: str) -> Callable[[Request], Built]:
    """The function that builds a network by name, in any case.

    Raises
    ------
    InputError
        The name is not known.
    """
    key = name.strip().lower()
    if key in _BUILDERS:
        module, function = _BUILDERS[key]
        found: Callable[[Request], Built] = getattr(import_module(f".{module}", __package__), function)
        return found
    if own.is_own(name):
        return partial(own.network, name)
    if key in networks.names():
        return partial(networks.network, key)
    if not networks.names():
        need("braindecode", what=f"exporting {name}")
    near = get_close_matches(key, known(), 3)
    raise InputError(
        f"{name!r} is not a model that can be exported; "
        + (f"near: {', '.join(near)}" if near else f"known: {', '.join(known())}")
        + ", or path/to/file.py:factory"
    )


def export(
    name: str,
    out: str | Path,
    *,
    checkpoint: str | Path | None = None,
    channels: Sequence[str] | None = None,
    sfreq: float | None = None,
    window: float | None = None,
    classes: Sequence[str] | None = None,
    contract: InputContract | Mapping[str, Any] | None = None,
    exporter: Literal["auto", "dynamo", "legacy"] = "auto",
    opset: int | None = None,
    overwrite: bool = False,
    seed: int = 0,
    **model_kwargs: Any,
) -> ExportReport:
    """Export a PyTorch EEG network to one ONNX file with its input contract inside.

    Parameters
    ----------
    name : str
        One of `known`, in any case.
    out : str or Path
        The file to write.
    checkpoint : str or Path, optional
        Weights: a local ``.pt``/``.pth``/``.safetensors`` file, or a Hugging Face id. Without it the
        weights are random.
    channels : sequence of str, optional
        Electrode names in order; the card's by default.
    sfreq : float, optional
        Sampling rate in Hz; the card's by default.
    window : float, optional
        Seconds; the card's by default.
    classes : sequence of str, optional
        Names of the outputs; numbered by default.
    contract : InputContract or mapping, optional
        All of the input at once; or keys of it that a network does not tell: unit, scale, highpass, lowpass,
        notch, reference, axes. By default the card's; for a network of yours what is not given is marked as
        unknown. Channels, rate, window and classes that are given beside it count more.
    exporter : {"auto", "dynamo", "legacy"}
        Which of torch's exporters; "auto" tries dynamo first.
    opset : int, optional
        By default 20 for dynamo, 17 for legacy.
    overwrite : bool
        Replace a file that exists.
    seed : int
        For weights that no checkpoint gives.
    **model_kwargs
        For the network's constructor.

    Returns
    -------
    ExportReport
        How well the file agrees with torch, and what is in it.

    Raises
    ------
    InputError
        An option does not fit.
    ModelError
        The export or one of its checks failed; no file is left.
    OnnxplainError
        A package of the `export` extra is missing.
    """
    build = builder(name)
    for what, names in (("channels", channels), ("classes", classes)):
        if isinstance(names, str):
            raise InputError(f"{what}: a list of names is needed, not the text {names!r}")
    torch = need("torch")
    from .torch import answer, check_writable, export_module

    check_writable(Path(out), overwrite)
    request = Request(
        channels=None if channels is None else tuple(channels),
        sfreq=sfreq,
        window=window,
        classes=None if classes is None else tuple(classes),
        checkpoint=None if checkpoint is None else str(checkpoint),
        options=model_kwargs,
        contract=contract if isinstance(contract, InputContract) else None,
        signal=contract if isinstance(contract, Mapping) else {},
    )
    if request.contract is not None and not own.is_own(name):
        request = _from_contract(request, request.contract)
    step(f"building {name}")
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        try:
            built = build(request)
        except OnnxplainError as e:
            raise type(e)(f"{name}: {e}") from e
        if not own.is_own(name):
            built = replace(built, contract=with_signal(built.contract, request.signal))
        example = torch.randn(2, *built.contract.shape)
    written = networks.outputs(built, answer(built.module, example))
    return export_module(
        built.module,
        example,
        out,
        contract=written,
        exporter=exporter,
        opset=opset,
        overwrite=overwrite,
        notes=built.notes,
    )


def _from_contract(request: Request, contract: InputContract) -> Request:
    """A request for a network that has a card, with what a contract says of its input."""
    said = contract.model_dump(exclude_unset=True)
    said = {k: v for k, v in said.items() if k in (*SIGNAL, "scaling", "unknown")}
    return replace(
        request,
        channels=request.channels or contract.channels,
        sfreq=request.sfreq or contract.sfreq,
        window=request.window or contract.seconds,
        classes=request.classes or contract.classes or None,
        signal=said,
    )
