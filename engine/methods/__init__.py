"""Gradients, methods that are made of them, and occlusion, beside the relevance rules.

>>> from onnxplain import methods
>>> methods.integrated_gradients("model.onnx", x).relevance["x"]  # doctest: +SKIP
"""

from .maps import (
    expected_gradients,
    input_x_gradient,
    integrated_gradients,
    occlusion,
    smoothgrad,
)

__all__ = ["expected_gradients", "input_x_gradient", "integrated_gradients", "occlusion", "smoothgrad"]
