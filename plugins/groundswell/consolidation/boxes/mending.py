"""Impossible boxes: what is mended, what is left out, and how the result says so."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from groundswell.consolidation.boxes.data import UNLABELLED, Boxes
from groundswell.consolidation.boxes.geometry import pairs
from groundswell.consolidation.findings import Finding

SAME_BOX = 0.9
"""Two boxes of one worker with at least this overlap are one box that was drawn twice."""

FARTHEST = 1e9
"""No image has a pixel this far out; larger numbers count as not a number."""

_NAMED = 5


@dataclass(frozen=True, eq=False)
class Mended:
    """The usable boxes, in an order that does not depend on that of the rows.

    :param row: ``[k]``, position of each usable box in the input
    :param task: ``[k]``
    :param worker: ``[k]``
    :param corners: ``[k, 4]``, inside their image where its size is known, x1 < x2 and y1 < y2
    :param label: ``[k]``, -1: none
    :param stands_for: per input box, the position in ``row`` of the box that it is or copies; -1: none
    :param findings: what was mended and left out
    """

    row: NDArray[np.int64]
    task: NDArray[np.int32]
    worker: NDArray[np.int32]
    corners: NDArray[np.float64]
    label: NDArray[np.int32]
    stands_for: NDArray[np.int64]
    findings: tuple[Finding, ...]


def mend(boxes: Boxes) -> Mended:
    """Mend and sort boxes.

    - A coordinate that is not a number, infinite or beyond 1e9: left out.
    - Corners in the wrong order (a negative width or height): swapped, as when a box is drawn leftwards.
    - Partly outside an image of known size: cut at its edge. Wholly outside: left out.
    - No width or no height (a click): left out.
    - One worker's boxes of the same class that overlap by at least 0.9: one of them is kept.

    A worker whose boxes are all left out has still seen the image.
    """
    with np.errstate(invalid="ignore"):
        broken: NDArray[np.bool_] = ~np.all(np.abs(boxes.corners) <= FARTHEST, axis=1)
    given = np.where(broken[:, None], 0.0, boxes.corners)
    corners = np.hstack([np.minimum(given[:, :2], given[:, 2:]), np.maximum(given[:, :2], given[:, 2:])])
    swapped = ~broken & np.any(corners != given, axis=1)
    # No width, and a sliver so thin that its area is no number above 0, are the same to overlaps.
    flat = ~broken & ~((corners[:, 2:] - corners[:, :2]).prod(axis=1) > 0)
    cut, outside = _into_the_image(boxes, corners)
    outside &= ~broken & ~flat
    usable = np.flatnonzero(~(broken | flat | outside))
    label = np.full(len(boxes), UNLABELLED, np.int32) if boxes.label is None else boxes.label
    order = np.lexsort((boxes.worker[usable], label[usable], *corners[usable].T[::-1], boxes.task[usable]))
    usable = usable[order]
    kept, stands_for = _without_copies(usable, boxes, corners, label)
    told = (
        ("boxes_not_numbers", broken, "have a coordinate that is not a number and were left out"),
        ("boxes_swapped", swapped & ~flat, "had corners in the wrong order, which were swapped"),
        ("boxes_without_area", flat, "have no width or no height and were left out"),
        ("boxes_outside", outside, "lie wholly outside their image and were left out"),
        (
            "boxes_cut",
            cut & ~outside & ~flat & ~broken,
            "reached beyond their image and were cut at its edge",
        ),
        ("boxes_twice", _copies(stands_for, kept), "were drawn twice by one worker and count once"),
    )
    return Mended(
        row=kept,
        task=boxes.task[kept],
        worker=boxes.worker[kept],
        corners=corners[kept],
        label=label[kept],
        stands_for=stands_for,
        findings=tuple(_finding(boxes, kind, which, text) for kind, which, text in told if which.any()),
    )


def _into_the_image(
    boxes: Boxes, corners: NDArray[np.float64]
) -> tuple[NDArray[np.bool_], NDArray[np.bool_]]:
    """Cut ``corners`` in place; return which were cut, and of which nothing is left."""
    if boxes.sizes is None:
        nothing = np.zeros(len(boxes), np.bool_)
        return nothing, nothing.copy()
    known = np.nan_to_num(boxes.sizes, nan=np.inf)
    least = np.where(np.isnan(boxes.sizes), -np.inf, 0.0)[boxes.task]
    most = known[boxes.task]
    before = corners.copy()
    np.clip(corners, np.tile(least, 2), np.tile(most, 2), out=corners)
    cut = (corners != before).any(axis=1)
    return cut, cut & ~((corners[:, 2:] - corners[:, :2]).prod(axis=1) > 0)


def _without_copies(
    usable: NDArray[np.int64], boxes: Boxes, corners: NDArray[np.float64], label: NDArray[np.int32]
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Return which of the sorted ``usable`` rows to keep, and per input row which of these it stands for."""
    stands_for = np.full(len(boxes), -1, np.int64)
    # Exact copies go first and cheaply, so that a page that sends a box a thousand times costs no pairs.
    columns = np.column_stack([boxes.task, boxes.worker, label])[usable]
    exact, where = _first_of_each(np.hstack([columns, corners[usable]]))
    own = usable[exact]
    task_of_worker = np.unique(columns[exact], axis=0, return_inverse=True)[1].astype(np.int32)
    found = pairs(task_of_worker.ravel(), corners[own], SAME_BOX)
    stays = np.ones(len(own), np.bool_)
    twin = np.arange(len(own))
    # Rows are sorted by position, so which of two stays does not depend on the order of the input.
    for one, other in sorted(zip(found.first.tolist(), found.second.tolist(), strict=True)):
        if stays[one] and stays[other]:
            stays[other] = False
            twin[other] = one
    place = np.cumsum(stays) - 1
    stands_for[usable] = place[twin[where]]
    return own[stays], stands_for


def _first_of_each(rows: NDArray[np.float64]) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Return the positions of the first of equal rows, ascending, and per row the index of its first."""
    if len(rows) == 0:
        nothing = np.empty(0, np.int64)
        return nothing, nothing
    order = np.lexsort(rows.T[::-1])
    new = np.concatenate([[True], (rows[order][1:] != rows[order][:-1]).any(axis=1)])
    number = np.empty(len(rows), np.int64)
    number[order] = np.cumsum(new) - 1
    first = np.sort(order[new])
    index = np.empty(len(first), np.int64)
    index[number[first]] = np.arange(len(first))
    return first, index[number]


def _copies(stands_for: NDArray[np.int64], kept: NDArray[np.int64]) -> NDArray[np.bool_]:
    copy = stands_for >= 0
    copy[kept] = False
    return copy


def _finding(boxes: Boxes, kind: str, which: NDArray[np.bool_], text: str) -> Finding:
    tasks = np.unique(boxes.task[which])[:_NAMED]
    workers = np.unique(boxes.worker[which])[:_NAMED]
    return Finding(
        kind=kind,
        text=f"{which.sum()} of {len(boxes)} boxes {text}.",
        severity="note",
        items=tuple(boxes.task_names[at] for at in tasks.tolist()),
        workers=tuple(boxes.worker_names[at] for at in workers.tolist()),
    )
