"""What holds for all tests: signals of their own, and two namings of one cap for every test of EEG.

Nothing of who runs the tests reaches the programs that they start. A cap has 10-20 names, or names of its own
with positions in the file.
"""

from __future__ import annotations

import os
import signal
import sys
import threading
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

import mne
import pytest

from onnxplain.eeg.electrodes.names import fiducials, normalise, template, template_positions
from onnxplain.eeg.electrodes.positions import Electrodes
from onnxplain.engine.contract import InputContract
from onnxplain.engine.file.load import load
from onnxplain.models import demo_file


def cores_of_its_own() -> None:
    """A worker among several keeps to its part of the cores, and so do the programs that it starts.

    Otherwise each takes a thread a core, for linear algebra and onnxruntime, and they wait for each other.
    """
    worker, count = (
        os.environ.get("PYTEST_XDIST_WORKER", ""),
        os.environ.get("PYTEST_XDIST_WORKER_COUNT", "1"),
    )
    if not worker or not hasattr(os, "sched_setaffinity"):
        return
    mine = sorted(os.sched_getaffinity(0))[int(worker.removeprefix("gw")) :: int(count)]
    if mine:
        os.sched_setaffinity(0, mine)


cores_of_its_own()
# What tests of several folders share.
sys.path.insert(0, str(Path(__file__).parent / "support"))


def pytest_addoption(parser: pytest.Parser) -> None:
    """`--rows FILE`: write what the tests show of each row of robustness.yaml."""
    parser.addoption("--rows", metavar="FILE", help="write what tests show of each row of robustness.yaml")


def pytest_configure(config: pytest.Config) -> None:
    """Count rows where that is asked for."""
    if file := config.getoption("--rows"):
        from rows import Rows

        config.pluginmanager.register(Rows(Path(file).absolute()))


_ENDS = [getattr(signal, n) for n in ("SIGINT", "SIGTERM", "SIGHUP", "SIGQUIT") if hasattr(signal, n)]


@pytest.fixture(scope="session", autouse=True)
def signals_of_their_own() -> None:
    """Programs that a test starts hear the signals that end a program.

    Under nohup, and in the background of a shell without job control, some are ignored, and what is ignored
    stays so in every child. A handler that does nothing keeps them ignored here, and does not outlive exec.
    """
    if threading.current_thread() is not threading.main_thread():
        return
    for number in _ENDS:
        if signal.getsignal(number) is signal.SIG_IGN:
            signal.signal(number, lambda number, frame: None)
    if hasattr(signal, "pthread_sigmask"):
        signal.pthread_sigmask(signal.SIG_UNBLOCK, _ENDS)


@dataclass(frozen=True)
class Naming:
    """How channels are called: as electrodes, or E1, E2, ... with positions in the file.

    What is no electrode (EOG, AUX) keeps its name. A name of the cap's own is the same whatever channels are
    beside it.
    """

    own: bool

    def __call__(self, name: str) -> str:
        """What an electrode is called here."""
        return _own().get(normalise(name), name) if self.own else name

    def of(self, names: Sequence[str]) -> tuple[str, ...]:
        return tuple(map(self, names))

    def electrodes(self, names: Sequence[str]) -> Electrodes:
        """Electrodes given by their 10-20 names."""
        places = {self(n): tuple(map(float, p)) for n, p in template_positions(names).items()}
        return Electrodes(self.of(names), places)

    def raw(self, raw: Any) -> Any:
        """A recording under 10-20 names, with its channels called as here; it is changed."""
        if self.own:
            there = template_positions(raw.ch_names)
            montage = mne.channels.make_dig_montage(there, **fiducials(), coord_frame="mri")
            raw.set_montage(montage, on_missing="ignore", verbose="error")
            raw.rename_channels({n: self(n) for n in there}, verbose="error")
        return raw

    def contract(self, contract: InputContract) -> InputContract:
        """A contract under 10-20 names, with its channels called as here."""
        return contract.model_copy(update={"channels": self.of(contract.channels)})


@lru_cache(maxsize=1)
def _own() -> dict[str, str]:
    return {name: f"E{i}" for i, name in enumerate(template(), 1)}


NAMINGS = [pytest.param(Naming(False), id="10-20"), pytest.param(Naming(True), id="own names")]


@pytest.fixture(scope="session", params=NAMINGS)
def naming(request: pytest.FixtureRequest) -> Naming:
    """Each test that asks for it runs twice."""
    found: Naming = request.param
    return found


@dataclass(frozen=True)
class Demo:
    """The demo's recording and what its models take, under one naming."""

    naming: Naming
    recording: Path
    contract: InputContract


@pytest.fixture(scope="session")
def demo_of(tmp_path_factory: pytest.TempPathFactory) -> Any:
    """Gives the demo under own names or 10-20 ones; the file is written once."""
    contract = load(demo_file("honest.onnx")).contract
    assert contract is not None

    @lru_cache(maxsize=2)
    def of(own: bool) -> Demo:
        naming = Naming(own)
        path = demo_file("recording.edf")
        if naming.own:
            raw = mne.io.read_raw_edf(path, preload=True, verbose="error")
            known = {normalise(c) for c in contract.channels}
            raw.pick([n for n in raw.ch_names if normalise(n) in known])
            path = tmp_path_factory.mktemp("cap") / "recording_raw.fif"
            naming.raw(raw).save(path, verbose="error")
        return Demo(naming, path, naming.contract(contract))

    return of


@pytest.fixture(scope="session")
def demo_cap(naming: Naming, demo_of: Any) -> Demo:
    """The demo under both namings."""
    found: Demo = demo_of(naming.own)
    return found


@pytest.fixture(scope="session")
def own_demo(demo_of: Any) -> Demo:
    """The demo on a cap with names of its own: E1 and so on, with positions in the file."""
    found: Demo = demo_of(True)
    return found
