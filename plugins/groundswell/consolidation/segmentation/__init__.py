"""Label maps and masks drawn by several workers to one per image."""

from __future__ import annotations

from groundswell.consolidation.segmentation.consensus import (
    SMOOTHING,
    MaskModel,
    consolidate_masks,
    fit_masks,
)
from groundswell.consolidation.segmentation.data import (
    LabelMap,
    MaskConsensus,
    Masks,
    MaskSkill,
    SegmentationConsensus,
)

__all__ = [
    "SMOOTHING",
    "LabelMap",
    "MaskConsensus",
    "MaskModel",
    "MaskSkill",
    "Masks",
    "SegmentationConsensus",
    "consolidate_masks",
    "fit_masks",
]
