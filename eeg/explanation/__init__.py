"""Relevance of windows, with its axes named, its shares, and the way to MNE."""
