"""The data contract of segmentation: workers' label maps in, one map with scores per image out."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from groundswell.consolidation.boxes.data import Estimate
from groundswell.consolidation.findings import Finding

LabelMap = NDArray[Any]
"""``[height, width]``: bool for one kind of object, or integers: the position of each pixel's label."""

Masks = Mapping[str, Mapping[str, LabelMap]]
"""Per image, per worker a label map. Images are read one after another, each of them a few times, so that a
mapping may load them when it is asked for them."""


@dataclass(frozen=True, eq=False)
class MaskConsensus:
    """One image's label map.

    :param label: ``int32[height, width]``, position of each pixel's label; 0 x 0 where no map is usable
    :param confidence: ``float32[height, width]``, the share of the workers' weight that is for
        this label, 0 to 1; 0 where only one worker answered
    :param mask_confidence: per label the expected intersection over union of its pixels with the true ones,
        0 to 1; NaN where the result has no such pixels, 0 where only one worker answered
    :param n_answers: workers with a usable map
    :param tied: pixels whose best labels have equal weight; their neighbours decide, and where these are
        divided, the label with more pixels in the workers' maps
    """

    label: NDArray[np.int32]
    confidence: NDArray[np.float32]
    mask_confidence: NDArray[np.float64]
    n_answers: int
    tied: int


@dataclass(frozen=True, eq=False)
class MaskSkill:
    """What is known of each worker, always measured against the other workers only.

    :param overlap: mean over images of the intersection over union with what the others say, averaged over
        labels other than the background
    :param weight: how much the worker counts; 1: as much as the average one
    :param n_images: usable maps
    """

    overlap: Estimate
    weight: NDArray[np.float64]
    n_images: NDArray[np.int32]


@dataclass(frozen=True, eq=False)
class SegmentationConsensus:
    """All images.

    :param images: per image its map
    :param worker_names: the workers, sorted; the order of ``skill``
    :param skill: per worker
    :param agreement: Krippendorff's alpha of the pixels' labels (nominal) over all images; NaN: not defined
    :param findings: what is odd, in plain words
    :param confidence_is: what the confidences are
    """

    images: Mapping[str, MaskConsensus]
    worker_names: tuple[str, ...]
    skill: MaskSkill
    agreement: float
    findings: tuple[Finding, ...]
    method: str = "segmentation"
    confidence_is: Literal["score", "probability"] = "score"
