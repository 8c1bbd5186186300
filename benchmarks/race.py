"""Methods on one network that take turns, so that whatever else the machine does meets all of them.

    python -m benchmarks.race THREADS BUDGET METHOD,METHOD,... NETWORK/BATCH ...

Each round times every method once, and its ratio is to the forward pass of the same round. A turn of a
quick method is several calls after one that is not counted, so that it finds its own weights in the
cache as it would alone.
"""

from __future__ import annotations

import argparse
import contextlib
import gc
import json
import statistics
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

from benchmarks.methods import own, relevance
from benchmarks.networks import NETWORKS
from benchmarks.remote import PEERS, Peers

ROUNDS = (3, 25)
TURN = 0.06  # seconds that a turn of a quick method lasts
WARM = 0.12  # a call that takes longer than this needs no other before it
SLOW = 3.0  # a call that takes longer than this is timed once
# The same question, to see that the peers compute what they are compared with.
SAME = {"torch gradient": "compiled gradient", "lxt attnlrp": "compiled attnlrp"}


@dataclass
class Measured:
    """A method against the forward pass.

    Attributes
    ----------
    ratio, low, high : float
        Median and quartiles over the rounds.
    seconds : float
        Median of one explanation of the batch.
    share : float
        The part of the work that was timed.
    """

    network: str
    batch: int
    threads: int
    method: str
    ratio: float
    low: float
    high: float
    rounds: int
    seconds: float
    share: float = 1.0
    agrees: float | None = None


class Turn:
    """A method that takes turns: `seconds(times)` of one call, and how many calls make a turn."""

    def __init__(self, seconds: Callable[[int], float], share: float = 1.0) -> None:
        self._seconds, self.share = seconds, share
        first = seconds(1)
        usual = first if first > 1 else seconds(1)
        self.slow, self.warms = usual > SLOW, usual < WARM
        self.times = max(1, min(200, round(TURN / usual)))
        self.got: list[float] = []

    def take(self) -> None:
        """Take a turn."""
        if self.slow and self.got:
            return
        if self.warms:
            self._seconds(1)
        self.got.append(self._seconds(self.times) / self.share)


def timed(call: Callable[[], Any]) -> Callable[[int], float]:
    """Seconds of a call, over several."""

    def seconds(times: int) -> float:
        begun = time.perf_counter()
        for _ in range(times):
            call()
        return (time.perf_counter() - begun) / times

    return seconds


def race(
    name: str, batch: int, threads: int, methods: Sequence[str], peers: Peers | None, budget: float
) -> list[Measured]:
    """Time methods in turns for about `budget` seconds; what fails is said and left out."""
    turns: dict[str, Turn] = {}
    agrees: dict[str, float] = {}
    for method in methods:
        try:
            if method not in PEERS:
                call = own(name, method, batch, threads)
                if call is not None:
                    turns[method] = Turn(timed(call))
            elif peers and (NETWORKS[name].has_torch or method == "dianna RISE"):
                if method in SAME:
                    peers.open(name, method, 2)
                    agrees[method] = _apart(peers.map(method), relevance(name, SAME[method]))
                share = peers.open(name, method, batch)
                turns[method] = Turn(lambda n, m=method: peers.seconds(m, n), share)  # type: ignore[misc]
        except Exception as e:  # one method that fails is a gap in the table, not the end
            print(f"{name} batch {batch}: {method} failed: {e}", file=sys.stderr, flush=True)
    begun = time.monotonic()
    for done in range(ROUNDS[1]):
        if done >= ROUNDS[0] and time.monotonic() - begun > budget:
            break
        for turn in turns.values():
            if threads > 1:
                time.sleep(0.01)  # threads of the one before may still spin
            turn.take()
    plain = turns["forward"].got
    found = []
    for method, turn in turns.items():
        # A slow one has one turn: against the middle of all forwards.
        base = plain if len(turn.got) > 1 else [statistics.median(plain)]
        ratios = [a / b for a, b in zip(turn.got, base, strict=True)]
        low, middle, high = np.quantile(ratios, (0.25, 0.5, 0.75)).tolist()
        found.append(
            Measured(
                name, batch, threads, method, middle, low, high, len(ratios), statistics.median(turn.got),
                turn.share, agrees.get(method),
            )
        )  # fmt: skip
    turns.clear()
    gc.collect()
    if peers:
        peers.ask(do="close")
    return found


def _apart(a: Any, b: Any) -> float:
    return float(np.abs(a - b).max() / np.abs(b).max())


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("threads", type=int)
    parser.add_argument("budget", type=float, help="seconds for a network and batch")
    parser.add_argument("methods", help="separated by commas")
    parser.add_argument("cases", nargs="+", metavar="NETWORK/BATCH")
    asked = parser.parse_args()
    methods = asked.methods.split(",")
    found: list[Measured] = []
    with contextlib.ExitStack() as stack:
        peers = stack.enter_context(Peers(asked.threads)) if set(methods) & {*PEERS} else None
        versions = peers.ask(do="versions") if peers else {}
        for case in asked.cases:
            name, batch = case.split("/")
            begun = time.monotonic()
            found += race(name, int(batch), asked.threads, methods, peers, asked.budget)
            took = time.monotonic() - begun
            last = next((m for m in found[::-1] if m.method == "compiled attnlrp"), None)
            said = f"compiled attnlrp {last.ratio:.2f}" if last else "no compiled attnlrp"
            print(f"  {case}, {asked.threads} threads: {said} ({took:.0f} s)", file=sys.stderr, flush=True)
    print(json.dumps({"rows": [asdict(m) for m in found], "peers": versions}))


if __name__ == "__main__":
    main()
