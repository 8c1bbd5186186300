"""How far one call of an Explainer goes through the engine: the second call on inputs of one shape.

A call is followed by the functions that it enters. Where it hops from file to file, nobody can read it.
"""

from __future__ import annotations

import sys
from itertools import pairwise
from pathlib import Path
from types import FrameType
from typing import Any

from cases import Case, normal

import onnxplain as ox
import onnxplain.engine

ENGINE = Path(onnxplain.engine.__file__).resolve().parent
FILES, CHANGES = 8, 25


def followed(call: Any) -> list[str]:
    """Files of the engine whose functions a call enters, in order."""
    entered: list[str] = []

    def note(frame: FrameType, event: str, _: Any) -> None:
        if event == "call":
            path = Path(frame.f_code.co_filename)
            if ENGINE in path.parents or ENGINE in path.resolve().parents:
                entered.append(path.resolve().relative_to(ENGINE).as_posix())

    sys.setprofile(note)
    try:
        call()
    finally:
        sys.setprofile(None)
    return entered


def test_a_second_call_keeps_to_few_files(tmp_path, monkeypatch):
    monkeypatch.setenv("ONNXPLAIN_CACHE", "off")
    x = normal(6, 4)
    body = "h = MatMul(x, w) t = Tanh(h) u = Add(t, t) y = MatMul(u, v)"
    explain = ox.Explainer(Case("net", body, {"x": x}, {"w": normal(4, 5), "v": normal(5, 3)}).save(tmp_path))
    first = explain(x)
    assert len(first.samples["x"].pieces) == 2  # micro-batches
    entered = followed(lambda: explain(x))
    changes = sum(a != b for a, b in pairwise(entered))
    assert len(set(entered)) <= FILES, sorted(set(entered))
    assert changes <= CHANGES, entered
