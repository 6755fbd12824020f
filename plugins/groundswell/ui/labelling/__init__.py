"""The Labelling page: every batch with its newest runs, a run, its items, and one item with its answers."""

from __future__ import annotations
