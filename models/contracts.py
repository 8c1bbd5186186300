"""Input contracts for files that others made: a template, whether one fits, written into the file."""

from __future__ import annotations

import math
from dataclasses import dataclass
from pathlib import Path

import onnx

from onnxplain.engine.contract import ONE, InputContract
from onnxplain.engine.errors import InputError
from onnxplain.engine.inspection import Inspection, inspect

# What so many channels often are; a guess, to be looked at by who knows the recording.
_OFTEN = {
    19: ("Fp1 Fp2 F7 F3 Fz F4 F8 T7 C3 Cz C4 T8 P7 P3 Pz P4 P8 O1 O2", "the 10-20 system"),
    21: ("Fp1 Fp2 F7 F3 Fz F4 F8 A1 T7 C3 Cz C4 T8 A2 P7 P3 Pz P4 P8 O1 O2", "the 10-20 system with ears"),
    22: (
        "Fz FC3 FC1 FCz FC2 FC4 C5 C3 C1 Cz C2 C4 C6 CP3 CP1 CPz CP2 CP4 P1 Pz P2 POz",
        "BCI competition IV, 2a",
    ),
}
# Beside an axis that is left open, a longer one than this is time rather than electrodes.
_MOST = 256
_RATES = (100, 125, 128, 160, 200, 250, 256, 500, 512, 1000)


@dataclass(frozen=True)
class Guess:
    """A template of a contract.

    Attributes
    ----------
    text : str
        YAML with comments; what cannot be guessed is left empty, so that it is refused until it is filled in.
    reasons : tuple of str
        Each guess and what it rests on.
    """

    text: str
    reasons: tuple[str, ...]


def guess(path: Path) -> Guess:
    """Write a template for a file from the names and shapes in it. It is never used by itself.

    Raises
    ------
    InputError
        No input of the file looks like signals of channels.
    """
    found = inspect(path)
    name, shape = _signal(found, path)
    reasons = []
    named = _axes(shape)
    length = dict(zip(named, shape, strict=True))
    patched, count = "patch" in named, length["channel"]
    window = math.prod(d for a in ("time", "patch", "sample") if (d := length.get(a, 0)) > 0)
    axes = f"[{', '.join(named)}]"
    declared = f"[{', '.join(str(d or '?') for d in shape)}]"
    reasons.append(f"input {name!r} has shape {declared}, so its axes may be {axes}")
    channels, what = _OFTEN.get(count, ("", ""))
    if channels:
        reasons.append(f"{count} channels: {what}")
    rates = [r for r in _RATES if window % r == 0]
    if rates:
        seconds = ", ".join(f"{r} Hz ({window // r} s)" for r in rates)
        reasons.append(f"{window} samples are whole seconds at {seconds}")
    outputs = [v.name for v in found.outputs]
    classes = _classes(found)
    lines = [
        f"# Input contract of {path.name}. Guesses say so; what is empty has to be filled in.",
        f"input: {name}",
        f"axes: {axes}    # a guess, by the shape {declared}; `one` is an axis of length 1",
        *([f"patch: {length['sample']}    # a guess"] if patched else []),
        f"channels: [{', '.join(channels.split())}]"
        + (f"    # a guess: {what}" if channels else f"    # {count} names"),
        "sfreq:                # Hz" + (f"; whole seconds at {', '.join(map(str, rates))}" if rates else ""),
        f"window: {window}           # samples" if window else "window:               # samples",
        "unit:                 # V, mV or uV",
        "scale: 1.0            # from the unit to what the model was trained on",
        "# highpass: 0.5       # Hz; without it that side is left alone",
        "# lowpass: 45",
        "# notch: 50",
        "reference: as recorded",
        *(
            [f"output: {found.explained if found.explained in outputs else outputs[0]}"]
            if len(outputs) > 1
            else []
        ),
        f"classes: []           # {classes} names" if classes else "classes: []",
        *_further(found, name, count),
        "source: ''            # where the weights come from",
        "licence: ''",
    ]
    return Guess("\n".join(lines) + "\n", tuple(reasons))


def _signal(found: Inspection, path: Path) -> tuple[str, tuple[int, ...]]:
    """The first input that may be signals of channels, and its declared shape; 0 for what is open."""
    declared = {i.name: i.type.tensor_type.shape.dim for i in _inputs(path)}
    for value in found.inputs:
        sizes = tuple(
            d.dim_value for d in declared.get(value.name, ())
        )  # 0 where there is a name, or nothing
        if value.dtype.startswith("float") and len(sizes) >= 3 and _axes(sizes):
            return value.name, sizes
    raise InputError(f"{path}: no input looks like (batch, channel, time); write the contract by hand")


def _inputs(path: Path) -> list[onnx.ValueInfoProto]:
    return list(onnx.load(path, load_external_data=False).graph.input)


def _axes(shape: tuple[int, ...]) -> tuple[str, ...]:
    """What the axes of an input may be; empty where it looks like no signal.

    Axes of length one are no electrodes, unless there is no other axis for them. Of two axes the longer one,
    or the one that is left open, is taken for time.
    """
    long = [i for i, d in enumerate(shape) if i and d != 1]
    if len(long) == 1 and len(shape) > 2:
        # One electrode: its axis is the last of length one before time, or the first after it.
        (time,) = long
        own = {(time - 1 if time > 1 else 2): "channel", time: "time"}
    elif len(long) == 2:
        a, b = long
        time_first = shape[b] and (shape[a] > shape[b] or (not shape[a] and shape[b] <= _MOST))
        if not time_first and not shape[a]:
            return ()  # electrodes of any number
        own = {a: "time", b: "channel"} if time_first else {a: "channel", b: "time"}
    elif len(long) == 3 and shape[long[0]] and shape[long[2]]:
        own = dict(zip(long, ("channel", "patch", "sample"), strict=True))
    else:
        return ()
    if not shape[next(i for i, name in own.items() if name == "channel")]:
        return ()
    return ("batch", *(own.get(i, ONE) for i in range(1, len(shape))))


def _further(found: Inspection, signal: str, channels: int) -> list[str]:
    """Lines of a template for the inputs beside the signal; what cannot be guessed is left empty."""
    others = [v for v in found.inputs if v.name != signal]
    if not others:
        return []
    lines = ["inputs:               # what each further input is filled with"]
    for value in others:
        sizes = value.shape.strip("[]").replace(" ", "").split(",")
        places = value.dtype.startswith("float") and sizes[-2:] == [str(channels), "3"]
        guessed = "positions    # a guess: three numbers for each electrode" if places else "{}    # fill in"
        lines.append(f"  {value.name}: {guessed}; {value.dtype} {value.shape}")
    return lines


def _classes(found: Inspection) -> int:
    last = found.outputs[0].shape.strip("[]").replace(" ", "").split(",")[-1]
    return int(last) if last.isdigit() else 0


def check_fit(contract: InputContract, path: Path) -> None:
    """Whether a contract can be that of a file.

    Raises
    ------
    InputError
        Input, shape, output or number of classes are others; all problems are told.
    """
    found = inspect(path)
    problems = []
    inputs = {v.name: v.shape for v in found.inputs}
    if contract.input not in inputs:
        problems.append(f"the file has no input {contract.input!r} (it has {', '.join(inputs)})")
    else:
        (known,) = [i for i in _inputs(path) if i.name == contract.input]
        declared = [d.dim_value or d.dim_param for d in known.type.tensor_type.shape.dim]
        if not contract.fits(declared):
            wanted = ", ".join(map(str, contract.shape))
            shape = ", ".join(str(d or "?") for d in declared)
            problems.append(f"its input has shape [{shape}], not [batch, {wanted}]")
    silent = [n for n in inputs if n not in (contract.input, *contract.inputs)]
    if silent:
        problems.append(f"it does not say what the input {', '.join(silent)} is filled with (inputs:)")
    strange = [n for n in contract.inputs if n not in inputs]
    if strange:
        problems.append(f"the file has no input {', '.join(strange)} to fill")
    outputs = {v.name: v.shape for v in found.outputs}
    name = contract.output or found.outputs[0].name
    if name not in outputs:
        problems.append(f"the file has no output {name!r} (it has {', '.join(outputs)})")
    elif contract.classes:
        last = outputs[name].strip("[]").replace(" ", "").split(",")[-1]
        if last.isdigit() and int(last) != len(contract.classes):
            problems.append(
                f"output {name!r} has {last} numbers, not one for each of {len(contract.classes)} classes"
            )
    if problems:
        raise InputError(f"{path}: the contract does not fit: {'; '.join(problems)}")


def embed(path: Path, contract: InputContract, to: Path) -> None:
    """Write a copy of a file with a contract in its metadata.

    Raises
    ------
    InputError
        It does not fit, or the file's weights lie beside it and the copy would lose them.
    """
    check_fit(contract, path)
    model = onnx.load(path, load_external_data=False)
    external = any(t.data_location == onnx.TensorProto.EXTERNAL for t in model.graph.initializer)
    if external and to.parent.resolve() != path.parent.resolve():
        raise InputError(f"{path}: its weights lie beside it; write the copy into the same folder")
    metadata = {p.key: p.value for p in model.metadata_props} | contract.to_metadata()
    onnx.helper.set_model_props(model, metadata)
    to.write_bytes(model.SerializeToString())
