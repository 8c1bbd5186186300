"""Experts judge maps without knowing whose they are."""
