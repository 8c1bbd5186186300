"""Relevance recorded, back from the explained tensor."""
