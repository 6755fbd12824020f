"""Overlap of axis-aligned boxes: pairs of boxes of one image that overlap, without comparing all with all."""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

_BLOCK = 1 << 21
"""How many candidate pairs are looked at in one go; bounds the memory, about 60 bytes each."""


class Pairs(NamedTuple):
    """Overlapping pairs: rows ``first`` < ``second`` of the boxes, and the pair's intersection over union."""

    first: NDArray[np.int64]
    second: NDArray[np.int64]
    overlap: NDArray[np.float64]


def area(boxes: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return width times height of ``boxes[n, 4]`` (x1, y1, x2, y2), in square pixels."""
    size: NDArray[np.float64] = (boxes[:, 2] - boxes[:, 0]) * (boxes[:, 3] - boxes[:, 1])
    return size


def overlap(one: NDArray[np.float64], other: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return intersection over union (Jaccard index) of ``one[n, 4]`` and ``other[n, 4]``, row by row."""
    width = np.minimum(one[:, 2], other[:, 2]) - np.maximum(one[:, 0], other[:, 0])
    height = np.minimum(one[:, 3], other[:, 3]) - np.maximum(one[:, 1], other[:, 1])
    shared = np.clip(width, 0.0, None) * np.clip(height, 0.0, None)
    union = area(one) + area(other) - shared
    share: NDArray[np.float64] = np.divide(shared, union, out=np.zeros_like(shared), where=union > 0)
    return share


def pairs(task: NDArray[np.int32], boxes: NDArray[np.float64], threshold: float) -> Pairs:
    """Return all pairs of boxes of the same task with an overlap of at least ``threshold`` (> 0).

    A sweep from left to right: a box is compared only with those that begin before it ends, so thousands of
    small boxes in one image do not cost millions of comparisons.

    :param task: per box, its image
    :param boxes: ``[n, 4]``, x1 < x2 and y1 < y2
    """
    order = np.lexsort((boxes[:, 0], task))
    task, boxes = task[order], boxes[order]
    found = [_compared(order, boxes, first, second, threshold) for first, second in _candidates(task, boxes)]
    if not found:
        nothing = np.empty(0, np.int64)
        return Pairs(nothing, nothing, np.empty(0))
    return Pairs(*(np.concatenate(column) for column in zip(*found, strict=True)))


def _compared(
    order: NDArray[np.int64],
    boxes: NDArray[np.float64],
    first: NDArray[np.int64],
    second: NDArray[np.int64],
    threshold: float,
) -> Pairs:
    meets = (boxes[first, 1] < boxes[second, 3]) & (boxes[second, 1] < boxes[first, 3])
    first, second = first[meets], second[meets]
    share = overlap(boxes[first], boxes[second])
    enough = share >= threshold
    one, other = order[first[enough]], order[second[enough]]
    return Pairs(np.minimum(one, other), np.maximum(one, other), share[enough])


def _candidates(
    task: NDArray[np.int32], boxes: NDArray[np.float64]
) -> Iterator[tuple[NDArray[np.int64], NDArray[np.int64]]]:
    """Yield, block by block, the pairs that overlap in x; rows are sorted by task and left edge."""
    size = len(task)
    if size == 0:
        return
    # Sort left and right edges together: a box meets those whose left edge comes before its right edge.
    edge = np.concatenate([boxes[:, 0], boxes[:, 2]])
    is_left = np.repeat([True, False], size)
    # At equal positions the right edge comes first, since touching boxes do not overlap.
    at = np.lexsort((is_left, edge, np.concatenate([task, task])))
    lefts_before = np.cumsum(is_left[at])
    until = np.empty(2 * size, np.int64)
    until[at] = lefts_before
    follows = np.maximum(until[size:] - np.arange(1, size + 1), 0)
    ends = np.cumsum(follows)
    start = 0
    while start < size:
        base = ends[start] - follows[start]
        stop = max(int(np.searchsorted(ends, base + _BLOCK, side="right")), start + 1)
        count = follows[start:stop]
        first = np.repeat(np.arange(start, stop), count)
        offset = np.arange(len(first)) - np.repeat(ends[start:stop] - count - base, count)
        yield first, first + 1 + offset
        start = stop
