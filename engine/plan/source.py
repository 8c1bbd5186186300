"""The model as it is in its file, open while somebody runs it."""

from __future__ import annotations

import onnx
import onnxruntime as ort

from ..file.runtime import Runtime


class Source:
    """A model's own session: opened where it is asked for, and closed by who needs its memory.

    Once a plan has been held against it, only `Explainer.predict` asks for it again.

    Parameters
    ----------
    proto : onnx.ModelProto
    runtime : Runtime
    """

    def __init__(self, proto: onnx.ModelProto, runtime: Runtime) -> None:
        self._proto, self._runtime = proto, runtime
        self._opened: ort.InferenceSession | None = None

    @property
    def session(self) -> ort.InferenceSession:
        """The session.

        Raises
        ------
        ModelError
            onnxruntime refuses the model.
        """
        opened = self._opened
        if opened is None:
            opened = self._opened = self._runtime.session(self._proto)
        return opened

    def close(self) -> None:
        """Let go of the session and its copy of the weights."""
        self._opened = None
