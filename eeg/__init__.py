"""Recordings, windows, views, figures and reports: relevance in the coordinates of EEG.

>>> import onnxplain as ox
>>> e = ox.eeg.explain_recording("model.onnx", raw, events="left,right")  # doctest: +SKIP
>>> e.dataset["relevance"]  # doctest: +SKIP
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from .electrodes.positions import Electrodes as Electrodes
    from .explanation.bands import bands as bands
    from .explanation.explain import explain_windows as explain_windows
    from .explanation.explained import Explained as Explained
    from .explanation.to_mne import to_annotations as to_annotations
    from .explanation.to_mne import to_epochs as to_epochs
    from .explanation.to_mne import to_evoked as to_evoked
    from .recording.options import WindowOptions as WindowOptions
    from .recording.read import Recording as Recording
    from .recording.read import read as read
    from .recording.windows import Windows as Windows
    from .recording.windows import cut as cut
    from .run import explain_recording as explain_recording
    from .studies.cohort_store import load_cohort as load_cohort
    from .studies.compare import compare as compare
    from .studies.sides import by_label as by_label
    from .studies.sides import read_side as read_side
    from .studies.statistics import cluster_test as cluster_test
    from .studies.subjects import subject_maps as subject_maps
    from .views.components import components as components
    from .views.sources import sources as sources

# Where each public name lives. Imported on first use, so that `import onnxplain.eeg` costs nothing.
_HOME = {
    "Electrodes": "electrodes.positions",
    "Explained": "explanation.explained",
    "Recording": "recording.read",
    "WindowOptions": "recording.options",
    "Windows": "recording.windows",
    "bands": "explanation.bands",
    "by_label": "studies.sides",
    "cluster_test": "studies.statistics",
    "compare": "studies.compare",
    "components": "views.components",
    "cut": "recording.windows",
    "explain_recording": "run",
    "explain_windows": "explanation.explain",
    "load_cohort": "studies.cohort_store",
    "read": "recording.read",
    "read_side": "studies.sides",
    "sources": "views.sources",
    "subject_maps": "studies.subjects",
    "to_annotations": "explanation.to_mne",
    "to_epochs": "explanation.to_mne",
    "to_evoked": "explanation.to_mne",
}

__all__ = sorted(_HOME)


def __getattr__(name: str) -> Any:
    if name in _HOME:
        return getattr(import_module(f".{_HOME[name]}", __name__), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def __dir__() -> list[str]:
    return __all__
