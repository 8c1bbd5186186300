"""A user's own network: ``path/to/module.py:factory``."""

from __future__ import annotations

import importlib.util
import inspect
import sys
from pathlib import Path
from typing import Any

from onnxplain.engine.contract import InputContract
from onnxplain.engine.errors import InputError

from .checkpoint import apply_state, load_state
from .common import whole_samples
from .extras import need, spare_torchaudio
from .request import Built, Request, with_signal
from .verify import first_line


def is_own(name: str) -> bool:
    """Whether a name is that of a Python file and something in it."""
    return name.rpartition(":")[0].endswith(".py")


def network(name: str, request: Request) -> Built:
    """Import the file and call what it names; its code runs, as if it were run by hand.

    The factory takes no argument, or those of ``n_chans, n_outputs, n_times, sfreq`` that it names, and gives
    a ``torch.nn.Module`` that takes (batch, channel, time), or what the request's axes say.

    Raises
    ------
    InputError
        The file or the factory cannot be used, or an option that says what the input is was not given.
    """
    nn = need("torch").nn
    file, _, attribute = name.rpartition(":")
    contract = _contract(name, attribute, Path(file), request)
    classes = contract.classes
    spare_torchaudio()  # before the file is imported: it may import braindecode, at its top or in the factory
    factory = _found(Path(file), attribute)
    given = {
        "n_chans": len(contract.channels),
        "n_outputs": len(classes) or None,
        "n_times": contract.window,
        "sfreq": contract.sfreq,
    }
    try:
        accepted = inspect.signature(factory).parameters
        made = factory(
            **{k: v for k, v in given.items() if k in accepted and v is not None}, **request.options
        )
    except Exception as e:  # the user's own code
        raise InputError(f"{name}: the factory failed ({first_line(e)})") from e
    if not isinstance(made, nn.Module):
        raise InputError(f"{name}: gives {type(made).__name__}, not a torch.nn.Module")
    if request.checkpoint:
        apply_state(made, load_state(request.checkpoint), where=request.checkpoint)
    return Built(made, contract)


def _contract(name: str, attribute: str, file: Path, request: Request) -> InputContract:
    """What the request says of the input; what it does not is marked as unknown."""
    known = request.contract
    source = Path(request.checkpoint).name if request.checkpoint else file.name
    if known is not None:
        if known.inputs:
            raise InputError(
                f"{name}: the contract fills the further inputs {', '.join(known.inputs)}, and what is "
                "exported takes the signal alone; wrap the module so that it has them"
            )
        window = known.window
        if request.window is not None or request.sfreq is not None:
            rate = request.sfreq or known.sfreq
            window = whole_samples(request.window or known.seconds, rate)
        changes = {
            "model": known.model or attribute,
            "output": known.output or "logits",
            "channels": request.channels or known.channels,
            "sfreq": request.sfreq or known.sfreq,
            "window": window,
            "classes": known.classes if request.classes is None else request.classes,
            "source": known.source or source,
        }
        return with_signal(known.model_copy(update=changes), request.signal)
    needed = {"--channels": request.channels, "--sfreq": request.sfreq, "--window": request.window}
    missing = [option for option, value in needed.items() if value is None]
    if missing:
        raise InputError(
            f"{name}: nothing says what its input is; give {', '.join(missing)}, or --contract FILE"
        )
    assert request.channels is not None
    assert request.sfreq is not None
    assert request.window is not None
    made = InputContract(
        model=attribute,
        input="x",
        output="logits",
        channels=request.channels,
        sfreq=request.sfreq,
        window=whole_samples(request.window, request.sfreq),
        classes=request.classes or (),
        source=source,
    )
    return with_signal(made, request.signal, whole=False)


def _found(file: Path, attribute: str) -> Any:
    if not file.is_file():
        raise InputError(f"{file}: no such file")
    spec = importlib.util.spec_from_file_location(file.stem, file)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules.setdefault(file.stem, module)  # classes look their own module up
    sys.path.insert(0, str(file.parent.resolve()))
    try:
        spec.loader.exec_module(module)
    except Exception as e:
        raise InputError(f"{file}: cannot be imported ({first_line(e)})") from e
    finally:
        sys.path.pop(0)
    found = getattr(module, attribute, None)
    if not callable(found):
        raise InputError(f"{file}: has no function {attribute!r}")
    return found
