"""The primitives that rules are written in, and the two backends that carry them out."""
