"""Many recordings, models and methods side by side."""
