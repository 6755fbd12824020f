"""Triggers of the labelling lifecycle."""
