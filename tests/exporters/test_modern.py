"""Networks of kinds that EEG models take up, exported and explained: against torch's own gradients."""

from __future__ import annotations

import warnings
from pathlib import Path

import modern
import numpy as np
import pytest
import torch

import onnxplain as ox

NETWORKS = {
    "state space": modern.StateSpace,
    "experts": modern.Experts,
    "rotary": modern.Rotary,
    "long convolution": modern.LongConvolution,
    **{
        f"codes, {how}": lambda how=how: modern.Codes(how)
        for how in ("product", "einsum", "each row", "cosine", "scatter", "one-hot")
    },
}
# The older exporter: what it writes otherwise. It has neither FFT nor the norm of the others.
OLDER = ("state space", "experts", "codes, product", "codes, cdist", "codes, scatter", "codes, one-hot")
NETWORKS["codes, cdist"] = lambda: modern.Codes("cdist")
CASES = [
    *((name, True) for name in NETWORKS if name != "codes, cdist"),  # torch.export does not take cdist
    *((name, False) for name in OLDER),
]


@pytest.mark.parametrize(("name", "newer"), CASES, ids=lambda v: {True: "new", False: "old"}.get(v, v))
def test_it_is_explained_exactly(name: str, newer: bool, tmp_path: Path) -> None:
    torch.manual_seed(0)
    network, path = NETWORKS[name]().eval(), tmp_path / "m.onnx"
    x = torch.randn(4, modern.CHANNELS, modern.TIME)
    names = {"input_names": ["x"], "output_names": ["y"]}
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        if newer:
            batch = ({0: torch.export.Dim("n")},)
            torch.onnx.export(network, (x,), path, dynamo=True, dynamic_shapes=batch, verbose=False, **names)
        else:
            free = {"x": {0: "n"}, "y": {0: "n"}}
            torch.onnx.export(network, (x,), path, dynamo=False, dynamic_axes=free, **names)
    given = x.clone().requires_grad_()
    y = network(given)
    y[:, 0].sum().backward()
    want = (given.grad * given).detach().numpy()

    a = ox.Explainer(path, "gradient")(x.numpy(), target=0)
    assert np.abs(a.outputs["y"] - y.detach().numpy()).max() < 1e-5
    assert np.abs(a.relevance["x"] - want).max() <= 1e-5 * np.abs(want).max()
    reference = torch.randn(1, modern.CHANNELS, modern.TIME).numpy()
    for found in (
        ox.Explainer(path, "attnlrp")(x.numpy(), target=0),
        ox.Explainer(path, "difference")(x.numpy(), target=0, reference=reference),
    ):
        assert found.closure().max() < 5e-5
        assert (np.abs(found.relevance["x"]).sum((1, 2)) > 0.01).all()
