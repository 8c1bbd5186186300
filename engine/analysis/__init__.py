"""What onnxruntime tells about a model: shapes, constants, and where its samples are."""
