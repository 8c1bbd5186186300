"""Relevance in other coordinates: bands, components, sources, events, heads."""
