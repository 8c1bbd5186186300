"""PyTorch EEG models to ONNX, verified. The only package that imports torch or braindecode."""
