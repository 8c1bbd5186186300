"""STEEGFormer, which looks up in a downloaded list which embedding each electrode has.

Where the list cannot be had, or an electrode is not in it, its constructor takes embedding i for channel i
and only warns. With published weights that is a wrong model, so it is refused here.
"""

from __future__ import annotations

import importlib

from onnxplain.engine.errors import InputError
from onnxplain.models import card

from . import networks
from .extras import braindecode_models
from .request import Built, Request
from .verify import first_line

# The size of the vocabulary that the list is of; larger models have one that is not published.
_VOCABULARY = 145


def steegformer(request: Request) -> Built:
    """Build the network; see `onnxplain.exporters.export`.

    Raises
    ------
    InputError
        A checkpoint was given, and which embeddings its electrodes have is not known.
    """
    if request.checkpoint and "chan_pos_idx" not in request.options:
        _check(request.channels or card("steegformer").contract.channels)
    return networks.network("steegformer", request)


def _check(channels: tuple[str, ...]) -> None:
    braindecode_models()
    module = importlib.import_module("braindecode.models.steegformer")
    try:
        known = module._channel_index()
    except Exception as e:  # whatever the download raises
        raise InputError(
            "the list of electrodes that the weights know cannot be fetched, and without it each would get "
            f"another's embedding, silently; give chan_pos_idx, or a network ({first_line(e)})"
        ) from e
    missing = [name for name in channels if name.upper() not in known]
    if missing:
        raise InputError(
            f"channels: the weights have no embedding for {', '.join(missing[:5])} (they know {_VOCABULARY})"
        )
