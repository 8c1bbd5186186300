"""What an explanation costs, as a ratio to the plain forward pass in the same run.

A bare time says more about the machine than about the code, so none is printed.
"""

from __future__ import annotations

import time
from collections.abc import Callable

import numpy as np
import onnxruntime as ort

import onnxplain as ox
from onnxplain.models import demo_file

BATCHES = (1, 4, 16)
ROUNDS = 15


def seconds(call: Callable[[], object]) -> float:
    begun = time.perf_counter()
    call()
    return time.perf_counter() - begun


def main() -> None:
    print("explanation / forward pass of onnxruntime, one thread, best of runs taken in turns")
    print(f"{'model':<10} {'composite':<9} " + " ".join(f"batch {size:<3}" for size in BATCHES))
    for name in ("honest", "shortcut"):
        path = demo_file(f"{name}.onnx")
        options = ort.SessionOptions()
        options.intra_op_num_threads = options.inter_op_num_threads = 1
        options.log_severity_level = 4
        session = ort.InferenceSession(str(path), options, providers=["CPUExecutionProvider"])
        for composite in ("attnlrp", "cplrp"):
            explain = ox.Explainer(path, composite=composite, threads=1)
            contract = explain.contract
            assert contract is not None
            ratios = []
            for size in BATCHES:
                x = np.random.default_rng(0).normal(size=(size, *contract.shape)).astype(np.float32)
                feed = {contract.input: x}
                explain(feed)
                session.run(None, feed)
                # Taken in turns: whatever else the machine does meets both.
                pairs = [
                    (seconds(lambda: explain(feed)), seconds(lambda: session.run(None, feed)))  # noqa: B023
                    for _ in range(ROUNDS)
                ]
                own, plain = (min(times) for times in zip(*pairs, strict=True))
                ratios.append(own / plain)
            print(f"{name:<10} {composite:<9} " + " ".join(f"{ratio:<9.2f}" for ratio in ratios))


if __name__ == "__main__":
    main()
