"""PyTorch EEG models to ONNX, verified. The only package that imports torch or braindecode.

>>> from onnxplain.exporters import export
>>> report = export("labram", "labram.onnx", channels=["C3", "C4"], window=4)  # doctest: +SKIP
"""

from .api import export, known
from .report import ExportReport
from .sets import export_set

__all__ = ["ExportReport", "export", "export_set", "known"]
