"""What is odd about the boxes of a batch, in plain words."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from groundswell.consolidation.boxes.data import Boxes, BoxSkill, BoxTable
from groundswell.consolidation.findings import Finding

LOW_RATE = 0.5
"""A worker who surely (95 %) finds, or is confirmed in, less than this share is named."""

_NAMED = 5


def oddities(
    boxes: Boxes, skill: BoxSkill, n_seen: NDArray[np.int32], found: BoxTable
) -> tuple[Finding, ...]:
    """Return what a person should know: no or lone viewers, workers unlike the others, tied classes."""
    told = (
        _images(boxes, n_seen == 0, "images_unseen", "were seen by nobody and have no boxes"),
        _images(
            boxes,
            n_seen == 1,
            "images_seen_once",
            "were seen by one worker only, whose boxes are taken as they are; ask one more",
        ),
        _workers(boxes, skill.recall.high < LOW_RATE, "workers_miss_boxes", "miss most of what others draw"),
        _workers(
            boxes,
            skill.precision.high < LOW_RATE,
            "workers_draw_alone",
            "draw mostly boxes that others do not draw",
        ),
        _tied(boxes, found),
    )
    return tuple(finding for finding in told if finding is not None)


def _images(boxes: Boxes, which: NDArray[np.bool_], kind: str, text: str) -> Finding | None:
    if not which.any():
        return None
    return Finding(
        kind=kind,
        text=f"{which.sum()} of {len(which)} images {text}.",
        severity="warning" if which.mean() > 0.05 else "note",
        items=tuple(boxes.task_names[at] for at in np.flatnonzero(which)[:_NAMED].tolist()),
    )


def _workers(boxes: Boxes, which: NDArray[np.bool_], kind: str, text: str) -> Finding | None:
    if not which.any():
        return None
    return Finding(
        kind=kind,
        text=f"{which.sum()} of {len(which)} workers {text}; look at their boxes, and at the instructions.",
        severity="warning",
        workers=tuple(boxes.worker_names[at] for at in np.flatnonzero(which)[:_NAMED].tolist()),
    )


def _tied(boxes: Boxes, found: BoxTable) -> Finding | None:
    if not found.tied.any():
        return None
    return Finding(
        kind="box_classes_tied",
        text=f"{found.tied.sum()} of {len(found)} boxes have no class: the votes are tied; ask one more.",
        severity="note",
        items=tuple(boxes.task_names[at] for at in np.unique(found.task[found.tied])[:_NAMED].tolist()),
    )
