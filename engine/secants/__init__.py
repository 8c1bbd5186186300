"""Secants: what a difference of two activations is made of, operator by operator."""
