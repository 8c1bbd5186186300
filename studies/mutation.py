"""Would the tests notice if the logic of a verdict were another? Writes a section of docs/security.md.

    pip install cosmic-ray
    python studies/mutation.py                 every module, 60 mutants of each; goes on where build/ has some
    python studies/mutation.py --of verdict --mutants 500

Each mutant changes one operator, number, comparison, condition, return or loop of a module (cosmic-ray). The
module's own tests run on it in a process forked for it; a mutant under which all of them pass has survived.
"""

from __future__ import annotations

import argparse
import contextlib
import importlib.abc
import importlib.machinery
import importlib.util
import os
import signal
import sys
import time
from difflib import SequenceMatcher
from pathlib import Path
from types import ModuleType

# What every test needs, and is the same under every mutant: imported once, before anything is forked.
import mne
import numpy as np
import onnxruntime
import pytest
import scipy.signal
import sklearn.linear_model
import xarray
from correctness import machine
from cosmic_ray.mutating import mutate_code
from cosmic_ray.plugins import get_operator, operator_names
from kept import Kept

ROOT = Path(__file__).resolve().parents[1]
DOCUMENT, KEPT = ROOT / "docs" / "security.md", Kept(ROOT / "build" / "mutation.json")
HEAD, END = "## Mutants of the gate's logic\n", "<!-- end of mutants -->\n"
LONGEST = 90  # seconds; a mutant that takes longer has been noticed
SEED = 0
# Unions in annotations, which nothing evaluates; operators that need the name of a variable; and
# `is` for `==`, which is the same of texts that Python keeps once.
NOT_LOOKED_AT = ("BitOr", "Decorator", "Variable", "_Is")
MODULES = {
    "validation/verdict.py": ["validation/test_decide.py"],
    "validation/holding.py": ["validation/test_holding.py"],
    "validation/labels.py": ["validation/test_labels.py"],
    "validation/expects.py": ["validation/test_expects.py"],
    "validation/outputs.py": ["validation/test_outputs.py"],
    "eeg/explanation/shares.py": ["eeg/test_shares.py"],
    "eeg/electrodes/regions.py": ["eeg/test_shares.py", "eeg/test_regionfile.py", "eeg/test_electrodes.py"],
    "eeg/electrodes/region_file.py": ["eeg/test_regionfile.py"],
    "eeg/artefacts/heartbeats.py": ["eeg/test_heartbeats.py"],
    "eeg/artefacts/parts.py": ["eeg/test_artefacts.py"],
}
USED = (mne, onnxruntime, scipy.signal, sklearn.linear_model, xarray)


class Changed(importlib.abc.MetaPathFinder, importlib.abc.Loader):
    """Gives one module with another text. A plugin of pytest, whose own finder would come first."""

    def __init__(self, name: str, path: Path, text: str) -> None:
        self.name, self.path, self.text = name, path, text

    @pytest.hookimpl(tryfirst=True)
    def pytest_load_initial_conftests(self) -> None:
        """Come first, before any test is imported."""
        for known in [m for m in sys.modules if m.partition(".")[0] == "onnxplain"]:
            del sys.modules[known]  # a module that is there would not be looked for
        sys.meta_path.insert(0, self)

    def find_spec(
        self, name: str, path: object = None, target: object = None
    ) -> importlib.machinery.ModuleSpec | None:
        """Of that module only."""
        return importlib.util.spec_from_loader(name, self) if name == self.name else None

    def exec_module(self, module: ModuleType) -> None:
        """Run the other text."""
        module.__file__ = str(self.path)
        exec(compile(self.text, str(self.path), "exec"), module.__dict__)


def mutants(text: str) -> list[tuple[str, int, str]]:
    """All mutants of a text: operator, which of its places, and the text."""
    found = []
    for name in operator_names():
        if any(word in name for word in NOT_LOOKED_AT):
            continue
        place = 0
        while (made := mutate_code(text, get_operator(name)(), place)) is not None:
            found.append((name.partition("/")[2], place, made))
            place += 1
    return found


def passes(module: str, text: str, tests: list[str]) -> bool:
    """Whether a module's tests pass with another text of it."""
    name = "onnxplain." + module.removesuffix(".py").replace("/", ".")
    if (pid := os.fork()) == 0:
        with contextlib.suppress(BaseException):
            null = os.open(os.devnull, os.O_WRONLY)
            os.dup2(null, 1)
            os.dup2(null, 2)
            files = [str(ROOT / "tests" / t) for t in tests]
            options = ["-x", "-q", "-p", "no:cacheprovider", "-p", "no:xdist", "--no-header"]
            changed = Changed(name, ROOT / module, text)
            os._exit(int(pytest.main([*options, *files], plugins=[changed])))
        os._exit(99)
    end = time.monotonic() + LONGEST
    while time.monotonic() < end:
        done, status = os.waitpid(pid, os.WNOHANG)
        if done:
            return os.waitstatus_to_exitcode(status) == 0
        time.sleep(0.02)
    os.kill(pid, signal.SIGKILL)
    os.waitpid(pid, 0)
    return False


def measure(module: str, most: int) -> None:
    """Run the tests of a module on some of its mutants, drawn once."""
    text = (ROOT / module).read_text(encoding="utf-8")
    if not passes(module, text, MODULES[module]):
        raise SystemExit(f"{module}: its tests do not pass without any change")
    if passes(module, "raise ImportError", MODULES[module]):
        raise SystemExit(f"{module}: its tests do not import it")
    every = mutants(text)
    order = np.random.default_rng(SEED).permutation(len(every))[:most]
    kept = KEPT.read().get(module, {"survived": [], "run": []})
    for i in order:
        operator, place, made = every[i]
        key = f"{operator} {place}"
        if key in kept["run"]:
            continue
        kept["run"].append(key)
        if passes(module, made, MODULES[module]):
            where, before, after = _difference(text, made)
            kept["survived"].append([key, where, before, after])
            print(f"{module}:{where}: {before}  ->  {after}", flush=True)
        KEPT.add(module, {**kept, "all": len(every)})


def _difference(text: str, made: str) -> tuple[int, str, str]:
    """The first line that differs."""
    pairs = zip(text.splitlines(), made.splitlines(), strict=False)
    return next((i, a.strip(), b.strip()) for i, (a, b) in enumerate(pairs, start=1) if a != b)


def section() -> str:
    """The section of the page."""
    kept = KEPT.read()
    lines = [HEAD, __doc__.strip().rpartition("\n\n")[2].replace("\n", " "), ""]
    lines += ["| module | mutants | run | noticed |", "|---|---|---|---|"]
    run = noticed = 0
    for module in (m for m in MODULES if m in kept):
        found = kept[module]
        good = len(found["run"]) - len(found["survived"])
        run, noticed = run + len(found["run"]), noticed + good
        share = f"{good} ({100 * good / len(found['run']):.0f} %)"
        lines.append(f"| `{module}` | {found['all']} | {len(found['run'])} | {share} |")
    survivors = [
        f"* `{module}:{at}`: {_change(before, after)}"
        for module in MODULES
        if module in kept
        for _, at, before, after in kept[module]["survived"]
    ]
    lines += [
        "",
        f"Noticed: {noticed} of {run} ({100 * noticed / max(run, 1):.0f} %). What survived:",
        "",
        *survivors,
        "",
        machine(),
        "",
        END,
    ]
    return "\n".join(lines)


def _change(before: str, after: str) -> str:
    """What a mutant changed of a line, with some of what is around it."""
    parts = [p for p in SequenceMatcher(None, before, after, autojunk=False).get_opcodes() if p[0] != "equal"]
    (_, i, _, k, _), (_, _, j, _, m) = parts[0], parts[-1]
    return f"`{before[max(0, i - 24) : j + 12]}` as `{after[max(0, k - 24) : m + 12]}`"


def main() -> None:
    """Measure what is asked for, and write the section."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--of", default="", help="a part of a module's name")
    parser.add_argument("--mutants", type=int, default=60)
    parser.add_argument("--page", action="store_true", help="only the section, of what has been measured")
    asked = parser.parse_args()
    for module in MODULES if not asked.page else ():
        if asked.of in module:
            measure(module, asked.mutants)
    text = DOCUMENT.read_text(encoding="utf-8") if DOCUMENT.exists() else ""
    before, _, rest = text.partition(HEAD)
    DOCUMENT.write_text(before.rstrip() + "\n\n" + section() + rest.partition(END)[2], encoding="utf-8")


if __name__ == "__main__":
    main()
