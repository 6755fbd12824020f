"""Boxes drawn by several workers to one set of boxes per image."""

from __future__ import annotations

from groundswell.consolidation.boxes.consensus import EXISTENCE, THRESHOLD, consolidate_boxes
from groundswell.consolidation.boxes.data import BoxConsensus, Boxes, BoxSkill, BoxTable, Estimate

__all__ = [
    "EXISTENCE",
    "THRESHOLD",
    "BoxConsensus",
    "BoxSkill",
    "BoxTable",
    "Boxes",
    "Estimate",
    "consolidate_boxes",
]
