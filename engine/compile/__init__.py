"""A model and its relevance as one ONNX file."""
