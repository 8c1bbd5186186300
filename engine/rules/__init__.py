"""What each ONNX operator does to relevance. One file a family; one function an operator."""
