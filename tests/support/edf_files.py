"""EDF and BDF files, byte by byte."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np

DIGITAL = {".edf": (-32768, 32767), ".bdf": (-8388608, 8388607)}


def write(
    path: Path,
    channels: Mapping[str, np.ndarray],
    rate: int,
    *,
    unit: str = "uV",
    limit: float = 1000.0,
    told: Sequence[bytes] = (),
    kind: str = "+C",
    rates: Mapping[str, int] | None = None,
) -> Path:
    """A file with records of a second.

    Parameters
    ----------
    path : Path
        Its suffix says the kind.
    channels : mapping of str to ndarray of int
        Stored numbers; as many as seconds times the rate.
    rate : int
        Hz.
    unit : str
    limit : float
        What the largest stored number stands for; the smallest stands for its negative.
    told : sequence of bytes
        What an annotation channel says in each record; no such channel where there are none.
    kind : {"+C", "+D"}
    rates : mapping of str to int, optional
        Of channels at another rate.
    """
    bdf = path.suffix == ".bdf"
    wide, name = (3, "BDF") if bdf else (2, "EDF")
    each = {n: (rates or {}).get(n, rate) for n in channels}
    room = max([60, *(-(-len(t) // wide) for t in told)])
    labels = [*channels, *([f"{name} Annotations"] if told else [])]
    samples = [*each.values(), *([room] if told else [])]
    records = len(next(iter(channels.values()))) // next(iter(each.values()))
    low, high = DIGITAL[path.suffix]
    columns = (
        (16, labels), (80, [""] * len(labels)), (8, [unit] * len(channels) + [""] * bool(told)),
        (8, [f"{-limit:g}"] * len(labels)), (8, [f"{limit:g}"] * len(labels)),
        (8, [str(low)] * len(labels)), (8, [str(high)] * len(labels)), (80, [""] * len(labels)),
        (8, list(map(str, samples))), (32, [""] * len(labels)),
    )  # fmt: skip
    fixed = "X X X X".ljust(80) + "Startdate X X X X".ljust(80) + "01.01.0000.00.00"
    fixed += str(256 * (len(labels) + 1)).ljust(8) + (f"{name}{kind}" if told else "").ljust(44)
    fixed += str(records).ljust(8) + "1".ljust(8) + str(len(labels)).ljust(4)
    head = (b"\xffBIOSEMI" if bdf else b"0       ") + fixed.encode()
    body = b"".join(v.ljust(width).encode() for width, column in columns for v in column)
    frames = []
    for r in range(records):
        for n, values in channels.items():
            own = values[r * each[n] : (r + 1) * each[n]].astype("<i4").view(np.uint8).reshape(-1, 4)
            frames.append(own[:, :wide].tobytes())
        if told:
            frames.append(told[r].ljust(room * wide, b"\0"))
    path.write_bytes(head + body + b"".join(frames))
    return path
