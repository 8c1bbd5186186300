"""What is in a model file, and running it."""
