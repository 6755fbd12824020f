"""Hooks of the labelling lifecycle."""
