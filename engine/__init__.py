"""ONNX in, relevance out. Knows no EEG, no torch, no click."""
