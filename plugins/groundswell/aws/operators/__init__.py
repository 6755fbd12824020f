"""Operators of the labelling lifecycle."""
