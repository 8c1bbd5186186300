"""How values show themselves: one short line, and a small table in which nothing of a file is markup."""

from __future__ import annotations

import logging
import re
import sys
import types

import numpy as np
import onnx
import pytest
from cases import Case, normal

import onnxplain as ox
from onnxplain.engine import steps
from onnxplain.engine.notebook import progress
from onnxplain.engine.notebook.boxes import box, line
from onnxplain.engine.notebook.kernel import show_figures
from onnxplain.models import demo_file

MARKUP = "<script>alert(1)</script>\u202e"
X, W, V, B = normal(6, 4), normal(4, 5), normal(5, 3), normal(4)


@pytest.fixture
def network(tmp_path):
    """Two layers, in a file whose names are markup."""
    body = "e = Add(x, b) h = MatMul(e, w) t = Tanh(h) y = MatMul(t, v)"
    path = Case("net", body, {"x": X}, {"w": W, "v": V, "b": B}).save(tmp_path)
    model = onnx.load(path)
    model.producer_name = MARKUP
    for node in model.graph.node:
        node.output[:] = [MARKUP if n == "y" else n for n in node.output]
    model.graph.output[0].name = MARKUP
    onnx.save(model, path)
    return path


def shown(value) -> tuple[str, str]:
    """Its line and its table, of which what holds for all is held."""
    said, table = repr(value), value._repr_html_()
    assert len(said) < 330
    assert "\n" not in said
    assert table.count("<tr>") <= 25
    assert len(table) < 20_000
    for text in (said, table):
        assert "\u202e" not in text
    assert "<script" not in table
    assert table.count("<div") == table.count("</div>")
    return said, re.sub(r"<[^>]+>", " ", table)


def test_an_attribution(network):
    a = ox.Explainer(network)(X)
    said, table = shown(a)
    assert said.startswith("<Attribution: 6 samples of x; ")
    assert "&lt;script&gt;" in table
    assert "6 x 4; sum of a sample: mean" in table
    assert f"{a.reached['x'].mean():.4g}" in table
    assert "kept by constant" in table
    assert "closes within" in said
    several = shown(ox.Explainer(network)(X, target="all"))[1]
    assert "3 x 6 x 4" in several
    assert "closes within" not in shown(ox.Explainer(network, ledger=False)(X))[0]
    held = ox.Explainer(network, composite="difference")(X, reference=X[:2])
    assert "against" in shown(held)[1]


def test_an_inspection(network):
    said, table = shown(ox.inspect(network))
    assert "<Inspection: " in said
    assert "&lt;script&gt;" in table
    assert "4 nodes on the path, each with a rule" in said
    said, table = shown(ox.inspect(demo_file("honest.onnx")))
    assert "27 channels, 2 s at 200 Hz; left, right" in table
    assert "13 Transpose" in table
    assert "5 more operators" in table


def test_a_table_is_short():
    made = box(MARKUP, [(f"row {i}", MARKUP * 900) for i in range(5000)], below=["a note"] * 90)
    assert made.count("<tr>") == 25
    assert "and 4976 more" in made
    assert "and 85 more" in made
    assert "<script" not in made
    assert len(made) < 25_000
    assert line("X", "", "a\nb") == "<X: a b>"


class Handle:
    """What `display(..., display_id=True)` gives, and what it was given to show."""

    def __init__(self, first: dict[str, str]) -> None:
        self.texts = [first["text/plain"]]
        self.html = [first["text/html"]]

    def update(self, data: dict[str, str], *, raw: bool) -> None:
        assert raw
        self.texts.append(data["text/plain"])
        self.html.append(data["text/html"])


@pytest.fixture
def kernel(monkeypatch):
    """A notebook's kernel, as far as it is asked: it has a shell with a kernel, and displays."""
    handles: list[Handle] = []

    def display(data, *, raw, display_id):
        assert raw
        assert display_id
        handles.append(Handle(data))
        return handles[-1]

    ipython, module = types.ModuleType("IPython"), types.ModuleType("IPython.display")
    ipython.get_ipython = lambda: types.SimpleNamespace(kernel=object())
    module.display = display
    monkeypatch.setitem(sys.modules, "IPython", ipython)
    monkeypatch.setitem(sys.modules, "IPython.display", module)
    return handles


def test_progress_in_a_notebook(kernel, monkeypatch):
    clock = iter(np.arange(0.0, 100.0, 0.05))
    monkeypatch.setattr(progress.time, "monotonic", lambda: float(next(clock)))

    @progress.shown()
    def work() -> int:
        steps.step("reading")
        for i in range(20):
            steps.step(f"explaining {MARKUP}", i / 20)
        with progress.shown():  # what is called within draws no line of its own
            steps.step("writing")
        return 5

    assert work() == 5
    (handle,) = kernel
    assert handle.texts[0] == "reading ..."
    assert handle.texts[-2] == "writing ..."
    assert re.fullmatch(r"took 1\.\d s", handle.texts[-1])
    assert 4 <= len(handle.texts) <= 9  # of 22 steps
    assert not any("<script" in h for h in handle.html)
    assert not steps.heard()


class Printers:
    """IPython's formatter of pictures, as far as it is asked."""

    def __init__(self) -> None:
        self.type_printers: dict[type, object] = {}
        self.deferred_printers: dict[tuple[str, str], object] = {}

    def for_type_by_name(self, module: str, name: str, function: object) -> None:
        self.deferred_printers[module, name] = function


def test_a_notebook_draws_figures(kernel, monkeypatch):
    from matplotlib.figure import Figure

    printers = Printers()
    made = types.SimpleNamespace(
        kernel=object(), display_formatter=types.SimpleNamespace(formatters={"image/png": printers})
    )
    sys.modules["IPython"].get_ipython = lambda: made
    show_figures()
    draw = printers.deferred_printers["matplotlib.figure", "Figure"]
    printers.deferred_printers.clear()
    printers.type_printers[Figure] = "the user's own"
    show_figures()
    assert not printers.deferred_printers
    monkeypatch.delitem(sys.modules, "IPython")
    show_figures()
    assert draw(Figure((2, 1))).startswith(b"\x89PNG")


def test_a_line_is_closed_after_an_error(kernel):
    with pytest.raises(ox.InputError), progress.shown():
        steps.step("reading")
        raise ox.InputError("no")
    assert kernel[0].texts[-1].startswith("took ")
    assert not steps.heard()


def test_progress_in_a_log(caplog, monkeypatch):
    clock = iter(np.arange(0.0, 100.0, 1.0))
    monkeypatch.setattr(progress.time, "monotonic", lambda: float(next(clock)))
    caplog.set_level(logging.INFO, logger="onnxplain")
    with progress.shown():
        for i in range(45):
            steps.step("explaining", i / 45)
    assert [r.message for r in caplog.records] == [
        "explaining 20 % (after 10.0 s)",
        "explaining 42 % (after 20.0 s)",
        "explaining 64 % (after 30.0 s)",
        "explaining 87 % (after 40.0 s)",
    ]


def test_nothing_is_shown_where_somebody_listens(kernel):
    heard = []
    steps.listen(lambda what, fraction: heard.append(what))
    try:
        with progress.shown():
            steps.step("reading")
        assert heard == ["reading"]
        assert steps.heard()
    finally:
        steps.listen(None)
    assert kernel == []


@pytest.mark.parametrize(
    ("seconds", "said"),
    [(0.04, "0.0 s"), (59.94, "59.9 s"), (59.96, "1 min 00 s"), (3599.7, "1 h 00 min"), (7260, "2 h 01 min")],
)
def test_durations(seconds, said):
    assert progress.duration(seconds) == said
