"""The most memory that a method takes, in a process of its own.

python -m benchmarks.memory METHOD NETWORK BATCH
"""

from __future__ import annotations

import json
import sys

from benchmarks.common import peak, session, windows
from benchmarks.methods import own
from benchmarks.networks import NETWORKS, onnx_file
from benchmarks.remote import PEERS, Peers


def measured(method: str, name: str, batch: int) -> float:
    """Peak resident memory in MB, what is imported and the weights among it."""
    if method in (*PEERS, "torch forward"):
        with Peers(1) as peers:
            peers.open(name, method, batch)
            peers.seconds(method, 1)
            found: float = peers.ask(do="peak")["mb"]
            return found
    if method == "forward":
        opened = session(onnx_file(name), 1)
        opened.run(None, {opened.get_inputs()[0].name: windows(NETWORKS[name].shape, batch)})
        return peak()
    call = own(name, method, batch, 1)
    assert call is not None
    call()
    return peak()


if __name__ == "__main__":
    print(json.dumps(measured(sys.argv[1], sys.argv[2], int(sys.argv[3]))))
