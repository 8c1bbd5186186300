"""REVE, which knows electrodes by their place in space.

Its constructor downloads the places that the published weights were trained with. Random weights know no
place better than another: for them a standard head's are taken, and nothing is downloaded.
"""

from __future__ import annotations

import json
import os
import tempfile
from pathlib import Path
from unittest import mock

from onnxplain.models import card

from . import networks
from .electrodes import positions
from .request import Built, Request

_VARIABLE = "REVE_POSITIONS_PATH"


def reve(request: Request) -> Built:
    """Build the network; see `onnxplain.exporters.export`."""
    if request.checkpoint:
        return networks.network("reve", request)
    channels = request.channels or card("reve").contract.channels
    with tempfile.TemporaryDirectory() as folder:
        places = {name: list(place) for name, place in zip(channels, positions(channels), strict=True)}
        (Path(folder) / "reve_positions.json").write_text(json.dumps(places), encoding="utf-8")
        with mock.patch.dict(os.environ, {_VARIABLE: folder}):
            built = networks.network("reve", request)
    note = "electrodes are at the places of a standard head, not those of the published weights"
    return Built(built.module, built.contract, (*built.notes, note))
