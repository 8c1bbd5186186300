"""What holds of every explanation of every model, checked for one random model.

Whatever is wrong is collected, not raised: one seed may show several things.
"""

from __future__ import annotations

import re
import traceback
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from float64_gradients import RIGHT, ROUNDS, slopes
from graphs import Made, session

import onnxplain as ox

Array = np.ndarray[Any, Any]

BACKENDS, CLOSURE, SAMPLES, FORWARD = 1e-5, 1e-4, 1e-4, 1e-4
# Rounded to 8 bits, a number next to a step falls to either side by how its sum was made: a step or several.
FORWARD_ROUNDED = 5e-2
# Of the largest amount that the ledger has: what is less is rounding, where large ones cancel.
ROUNDING = 1e-5
# Of what is explained: relevance that is less is what is left of sums that cancel (an average of what was
# normalised), and 1e-6 of what is explained is rounding in it.
NOTHING = 0.1
PRESETS = tuple(sorted(set(ox.composites()) - {"difference", "gradient"}))
BOX = {"low": -3.0, "high": 3.0}


@dataclass(frozen=True)
class Finding:
    """Something that does not hold.

    Attributes
    ----------
    seed : int
    what : str
        backends, closure, gradient, samples, compiled, forward, not finite, raised.
    composite : str
    detail : str
    """

    seed: int
    what: str
    composite: str
    detail: str

    def __str__(self) -> str:
        return f"seed {self.seed}: {self.what} under {self.composite}: {self.detail}"


@dataclass
class Outcome:
    """What the checks of some models gave.

    Attributes
    ----------
    counts : Counter
        How often each thing was checked.
    refused : Counter
        What was refused in plain words, by reason.
    refusals : list of str
        Each of them, with its seed.
    findings : list of Finding
    """

    counts: Counter[str] = field(default_factory=Counter)
    refused: Counter[str] = field(default_factory=Counter)
    refusals: list[str] = field(default_factory=list)
    findings: list[Finding] = field(default_factory=list)

    def add(self, other: Outcome) -> None:
        """Take in those of another."""
        self.counts += other.counts
        self.refused += other.refused
        self.refusals += other.refusals
        self.findings += other.findings

    @property
    def refused_share(self) -> float:
        """Of what was asked for."""
        asked = self.counts["explained"] + self.refused.total()
        return self.refused.total() / max(asked, 1)


class Checks:
    """The checks of one random model.

    Parameters
    ----------
    made : Made
    folder : Path
        Where its file is written.
    """

    def __init__(self, made: Made, folder: Path) -> None:
        self.made, self.folder = made, folder
        self.rng = np.random.default_rng([1818, made.seed])
        self.path = folder / "model.onnx"
        self.path.write_bytes(made.model.SerializeToString())
        self.own = session(made.model).run(None, made.feed)[0]
        self.outcome = Outcome()
        self.outcome.counts["graphs"] += 1
        self._made: dict[tuple[str, str], ox.Explainer] = {}

    def all(self) -> Outcome:
        """Run them."""
        self._gradient()
        drawn = [str(name) for name in self.rng.choice(PRESETS, size=2, replace=False)]
        for name in drawn:
            self._both(name, {})
        x = self.made.feed
        # Another window, or one that is nearly the same.
        if self.rng.random() < 0.5:
            reference = self.made.example(self.rng)
        else:
            reference = {n: np.float32(v + 1e-4 * self.rng.standard_normal(v.shape)) for n, v in x.items()}
        self._both("difference", {"reference": reference})
        if self.made.batch > 1:
            self._samples(drawn[0])
        if self.made.seed % 4 == 0:
            self._compiled(drawn[1])
        return self.outcome

    # What is asked.

    def _target(self) -> Any:
        classes, batch = self.own.shape[1], self.made.batch
        return (
            0,
            "predicted",
            "all",
            {0: 1.0, 1: -1.0},
            self.rng.standard_normal((batch, classes)).astype(np.float32),
            self.rng.integers(0, classes, size=batch),
        )[int(self.rng.integers(6))]

    def _explain(
        self, composite: str, backend: str, x: Mapping[str, Array], target: Any, **given: Any
    ) -> Any:
        """An explanation, or None where it is refused or fails, which is put down."""
        parameters = BOX if composite == "epsilon_gamma_box" else {}
        try:
            made = self._made.get((composite, backend))
            if made is None:
                made = ox.Explainer(self.path, composite, backend, threads=1, **parameters)
                self._made[composite, backend] = made
            return made(x, target=target, **given)
        except ox.OnnxplainError as e:
            self._refuse(composite, e)
            if "\n" in str(e):
                self._find("raised", composite, f"a message of several lines: {e!r}")
        except Exception as e:
            where = traceback.extract_tb(e.__traceback__)[-1]
            self._find("raised", composite, f"{backend}: {e!r} ({Path(where.filename).name}:{where.lineno})")
        return None

    def _refuse(self, composite: str, e: ox.OnnxplainError, what: str = "") -> None:
        self.outcome.refused[what + reason(e)] += 1
        self.outcome.refusals.append(f"seed {self.made.seed}: {what}{composite}: {e}")

    def _find(self, what: str, composite: str, detail: str) -> None:
        self.outcome.findings.append(Finding(self.made.seed, what, composite, detail))

    # What holds.

    def _both(self, composite: str, given: Mapping[str, Any]) -> None:
        """Under both backends: each adds up, is finite, has the file's outputs; they say the same."""
        target = self._target()
        found = [self._explain(composite, b, self.made.feed, target, **given) for b in ("numpy", "onnx")]
        for a, backend in zip(found, ("numpy", "onnx"), strict=True):
            if a is not None:
                self.outcome.counts["explained"] += 1
                self._sound(a, composite, backend)
        if None not in found:
            self.outcome.counts["backends"] += 1
            apart = _apart(found[0].relevance, found[1].relevance, NOTHING * found[0].size)
            if not apart <= BACKENDS:
                self._find("backends", composite, f"{apart:.1e} apart, target {target!r:.40}")
        elif any(a is not None for a in found):
            self._find("backends", composite, "one of them refuses")

    def _sound(self, a: Any, composite: str, backend: str) -> None:
        if not all(np.isfinite(r).all() for r in a.relevance.values()):
            self._find("not finite", composite, backend)
        missing, size = a.account()
        for entry in a.ledger:
            size = np.maximum(size, np.abs(entry.relevance) * (ROUNDING / CLOSURE))
        if composite == "difference":
            # How far apart windows are that are nearly the same, is known no better than their outputs.
            size = np.maximum(size, a.size * (ROUNDING / CLOSURE))
        if not (worst := float((np.abs(missing) / size).max())) <= CLOSURE:
            self._find("closure", composite, f"{backend}: {worst:.1e}")
        rounds = any(n.op_type in ROUNDS for n in self.made.model.graph.node)
        if not (apart := _apart(a.outputs, {"y": self.own})) <= (FORWARD_ROUNDED if rounds else FORWARD):
            self._find("forward", composite, f"{backend}: {apart:.1e}")

    def _gradient(self) -> None:
        seed = self.rng.standard_normal(self.own.shape).astype(np.float32)
        a = self._explain("gradient", "onnx", self.made.feed, seed)
        if a is None:
            return
        self.outcome.counts["explained"] += 1
        self._sound(a, "gradient", "onnx")
        found = slopes(self.made, a.output, seed, a.explained, dict(a.multiplier), self.rng)
        self.outcome.counts["slopes"] += found.compared
        self.outcome.counts["slopes left out"] += found.left_out
        if found.why:
            self.outcome.counts[f"no slopes: {found.why}"] += 1
        if not found.error <= RIGHT:
            self._find("gradient", "gradient", f"{found.error:.1e} of its length")

    def _samples(self, composite: str) -> None:
        """What a sample has depends on no other: alone, or with others about it."""
        target = int(self.rng.integers(self.own.shape[1]))
        whole = self._explain(composite, "onnx", self.made.feed, target)
        others = self.made.example(self.rng)
        for i in range(self.made.batch):
            if whole is None:
                return
            if self.made.is_open:
                x, at = {n: v[i : i + 1] for n, v in self.made.feed.items()}, 0
            else:
                x, at = {n: v.copy() for n, v in others.items()}, i
                for n, v in self.made.feed.items():
                    x[n][i] = v[i]
            one = self._explain(composite, "onnx", x, target)
            if one is None:
                continue
            self.outcome.counts["samples"] += 1
            mine, other = ({n: r[k] for n, r in a.relevance.items()} for a, k in ((one, at), (whole, i)))
            apart = _apart(mine, other, NOTHING * whole.size)
            if not apart <= SAMPLES:
                self._find("samples", composite, f"sample {i}: {apart:.1e}")

    def _compiled(self, composite: str) -> None:
        seed = self.rng.standard_normal(self.own.shape).astype(np.float32)
        a = self._explain(composite, "numpy", self.made.feed, seed)
        if a is None:
            return
        to = self.folder / "model.lrp.onnx"
        parameters = BOX if composite == "epsilon_gamma_box" else {}
        try:
            ox.compile(self.path, to, composite, example=self.made.feed, **parameters)
        except ox.OnnxplainError as e:
            self._refuse(composite, e, "compile: ")
            return
        except Exception as e:
            self._find("raised", composite, f"compile: {e!r}")
            return
        import onnx

        run = session(onnx.load(to))
        names = [o.name for o in run.get_outputs()]
        wanted = {i.name for i in run.get_inputs()}
        feed = {n: v for n, v in {**self.made.feed, "seed": seed}.items() if n in wanted}
        made = dict(zip(names, run.run(None, feed), strict=True))
        self.outcome.counts["compiled"] += 1
        apart = _apart({n: made[f"relevance.{n}"] for n in a.relevance}, a.relevance, NOTHING * a.size)
        if not apart <= BACKENDS:
            self._find("compiled", composite, f"{apart:.1e} apart")


def _apart(got: Mapping[str, Array], want: Mapping[str, Array], least: float = 0.0) -> float:
    """The largest difference over all, in units of the largest number, or of `least` where that is larger."""
    size = max(least, *(float(np.abs(v).max(initial=0)) for v in want.values())) or 1.0
    return max(
        float(np.abs(got[n].astype(np.float64) - v).max(initial=0)) if got[n].shape == v.shape else np.inf
        for n, v in want.items()
    ) / max(size, 1e-12)


def reason(error: ox.OnnxplainError) -> str:
    """A message without what differs from file to file."""
    text = re.sub(r"^.*?\.onnx: ", "", str(error))
    text = re.sub(r"'[^']*'", "'...'", text)
    text = re.sub(r"node '\.\.\.' \((\w+)\)", r"node (\1)", text)
    text = re.sub(r"\b\d[\d.e+%-]*", "N", text)
    return f"{type(error).__name__}: {text.split(';')[0][:140]}"


def check(made: Made, folder: Path) -> Outcome:
    """All checks of one model; none of one that onnxruntime does not load, which is counted."""
    try:
        session(made.model)
    except Exception as e:
        return Outcome(Counter({f"not loaded: {' '.join(str(e).split())[-80:]}": 1}))
    return Checks(made, folder).all()
