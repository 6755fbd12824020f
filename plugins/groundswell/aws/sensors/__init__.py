"""Sensors of the labelling lifecycle."""
