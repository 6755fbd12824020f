"""Neighbours decide where workers do not: a Potts model by iterated conditional modes (Besag 1986).

A disputed pixel takes the label, among those that workers gave it, with the greatest sum of its votes and
``strength`` times the neighbours that have it (diagonal ones count 1 / sqrt 2). Pixels on which all workers
agree never change, so edges and thin parts that workers see stay. Pixels are visited in four interleaved
grids, within which none are neighbours: a fixed order, and fast.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
Ints = NDArray[np.int32]

_SWEEPS = 10
_EQUAL = 1e-9
_DIAGONAL = 2**-0.5


def best(candidates: Ints, score: Floats, rank: Ints, current: Ints | None = None) -> Ints:
    """Return per row the candidate with the greatest score.

    Where several are equal: the ``current`` one if it is among them, else the one of the lowest ``rank``.

    :param candidates: ``[rows, candidates]``, labels
    :param score: ``[rows, candidates]``
    :param rank: per label
    """
    leads = score >= score.max(axis=1, keepdims=True) - _EQUAL
    order = rank[candidates].astype(np.int64)
    if current is not None:
        order[candidates == current[:, None]] = -1
    order[~leads] = len(rank)
    chosen: Ints = np.take_along_axis(candidates, order.argmin(axis=1)[:, None], axis=1)[:, 0]
    return chosen


def smoothed(
    label: Ints, pixel: NDArray[np.int64], candidates: Ints, score: Floats, rank: Ints, strength: float
) -> Ints:
    """Return ``label[height, width]`` with the disputed pixels smoothed.

    :param pixel: positions of the disputed pixels in the flat image
    :param candidates: ``[disputed, candidates]``, labels
    :param score: ``[disputed, candidates]``, votes; -inf: no candidate
    """
    width = label.shape[1] + 2
    padded = np.pad(label, 1, constant_values=-1).ravel()
    row, column = np.divmod(pixel, label.shape[1])
    place = (row + 1) * width + column + 1
    around = np.array([-1, 1, -width, width, -width - 1, -width + 1, width - 1, width + 1])
    share = np.repeat([1.0, _DIAGONAL], 4) * strength
    grids = [np.flatnonzero(row % 2 * 2 + column % 2 == grid) for grid in range(4)]
    for _ in range(_SWEEPS):
        changed = False
        for grid in grids:
            near = padded[place[grid][:, None] + around]
            total = score[grid].copy()
            for at in range(candidates.shape[1]):
                total[:, at] += (near == candidates[grid, at][:, None]) @ share
            current = padded[place[grid]]
            new = best(candidates[grid], total, rank, current)
            changed |= bool(np.any(new != current))
            padded[place[grid]] = new
        if not changed:
            break
    result: Ints = padded.reshape(-1, width)[1:-1, 1:-1].copy()
    return result
