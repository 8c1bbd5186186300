"""Weights from a file or from the Hugging Face Hub: tensors only, no code is run."""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from onnxplain.engine.errors import InputError, ModelError

from .extras import need
from .verify import first_line

State = dict[str, Any]

# Where training scripts keep the weights in a checkpoint with other things in it.
_NESTED = ("state_dict", "model_state_dict", "model", "module")
# What wrappers (DataParallel, Lightning, skorch) put in front of every name.
_PREFIXES = ("module.", "model.", "net.", "_orig_mod.")


def load_state(source: str | Path) -> State:
    """Read a state dict.

    Parameters
    ----------
    source : str or Path
        A local ``.pt``, ``.pth``, ``.bin`` or ``.safetensors`` file, or a Hugging Face model id.

    Raises
    ------
    InputError
        Nothing is found there.
    ModelError
        The file is not a plain state dict.
    """
    path = Path(source)
    if path.exists() and not path.is_file():
        raise InputError(f"{path}: is a folder, a pipe or a device, not a file of weights")
    if not path.exists():
        path = _download(str(source))
    if path.suffix == ".safetensors":
        state = _read(path, need("safetensors.torch", what="reading .safetensors").load_file)
    else:
        torch = need("torch")
        state = _read(path, lambda p: torch.load(p, map_location="cpu", weights_only=True))
    for key in _NESTED:
        if isinstance(state, dict) and isinstance(state.get(key), dict):
            state = state[key]
    tensor = need("torch").Tensor
    if not isinstance(state, dict) or not any(isinstance(value, tensor) for value in state.values()):
        raise ModelError(f"{path}: holds no state dict")
    return _without_prefix({str(k): v for k, v in state.items() if isinstance(v, tensor)})


def apply_state(module: Any, state: Mapping[str, Any], *, where: str, may_miss: tuple[str, ...] = ()) -> bool:
    """Load every weight, and say what does not fit.

    Parameters
    ----------
    module : torch.nn.Module
        Where the weights go.
    state : mapping
        Names of the module to tensors.
    where : str
        The checkpoint, for messages.
    may_miss : tuple of str
        Prefixes of names that the checkpoint may lack (a head).

    Returns
    -------
    bool
        Whether everything was there; False if something of `may_miss` keeps its random weights.

    Raises
    ------
    ModelError
        A weight is missing, left over, or of another shape.
    """
    own = module.state_dict()
    missing = [name for name in own if name not in state]
    extra = [name for name in state if name not in own]
    shapes = [
        f"{name} {list(state[name].shape)}, not {list(own[name].shape)}"
        for name in own
        if name in state and state[name].shape != own[name].shape
    ]
    needed = [name for name in missing if not name.startswith(may_miss)] if may_miss else missing
    for what, names in (("lacks", needed), ("has unknown", extra), ("has other shapes:", shapes)):
        if names:
            more = f" and {len(names) - 3} more" if len(names) > 3 else ""
            raise ModelError(f"{where}: the checkpoint {what} {', '.join(names[:3])}{more}")
    module.load_state_dict(dict(state), strict=not missing)
    return not missing


def _read(path: Path, reader: Callable[[Path], Any]) -> Any:
    try:
        return reader(path)
    except Exception as e:
        raise ModelError(
            f"{path}: no weights could be read from it; only plain tensors are accepted ({first_line(e)})"
        ) from e


def _download(name: str) -> Path:
    if name.count("/") != 1 or Path(name).suffix in (".pt", ".pth", ".bin", ".safetensors"):
        raise InputError(f"{name}: there is no such checkpoint file")
    hub = need("huggingface_hub", what=f"fetching {name} from Hugging Face")
    reason = ""
    quiet = logging.getLogger("huggingface_hub")
    level = quiet.level
    quiet.setLevel(logging.ERROR)  # its retries; what fails in the end is in the exception
    try:
        for file in ("model.safetensors", "pytorch_model.bin"):
            try:
                return Path(hub.hf_hub_download(name, file))
            except Exception as e:
                reason = reason or first_line(e)
                if type(e).__name__ not in ("EntryNotFoundError", "RemoteEntryNotFoundError"):
                    break  # no such model, no network: another file name does not help
    finally:
        quiet.setLevel(level)
    raise InputError(f"{name}: neither a file here nor weights on Hugging Face ({reason})")


def _without_prefix(state: State) -> State:
    for prefix in _PREFIXES:
        if all(name.startswith(prefix) for name in state):
            return _without_prefix({name.removeprefix(prefix): value for name, value in state.items()})
    return state
