"""Where a box is: the workers' corners, each worker weighted by how well they agree with the others.

Per edge, a *smoothed weighted median*: the mean of the weighted quantiles between 0.3 and 0.7. Like the
median it ignores up to 30 % of the weight, however far off, and unlike it, it does not waste the second of
three workers who agree. It is an L-estimator (Huber 1964), so it grows with each value (left edges stay left
of right edges) and does not depend on the order of equal values.

Weights are 1 / error^1.5, between what is best for a median of Laplace errors (1) and for a mean of Gaussian
ones (2); in simulated crowds it is about as good as the better of the two. A worker's error is the mean
distance of their edges from those of the *other* workers' consensus, as a share of the box's width or height,
refined in turn with the weights (EM-like, as Dawid & Skene 1979 for labels; Welinder & Perona 2010 for
positions). Leaving out the worker's own box keeps the one who happens to be in the middle of three from being
taken for perfect. Few boxes are not evidence: the error is shrunk towards the crowd's by PRIOR_BOXES boxes.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]

HALF_WIDTH = 0.2
"""Quantiles from 0.5 - this to 0.5 + this are averaged."""

PRIOR_BOXES = 5.0
"""A new worker counts as having drawn this many boxes with the crowd's error."""

MOST_ERROR = 0.5
"""No edge counts as farther off than half the box, so that one wrong match does not ruin a worker."""

POWER = 1.5
"""Of the error, in the weights."""

ROUNDS = 2
"""Weights barely change after the first round."""

_LEAVE_OUT = 16
"""In larger groups a worker's own box hardly moves the consensus, and is left in."""

_BLOCK = 1 << 20
"""How many corner values are worked on at once; bounds the memory."""


@dataclass(frozen=True, eq=False)
class Group:
    """Clusters with the same number of members, edges sorted, ready for any weights.

    :param cluster: ``[m]``, their numbers
    :param values: ``[m, 4, k]``, per edge the members' values, ascending
    :param worker: ``[m, 4, k]``, whose value each is
    """

    cluster: Ints
    values: Floats
    worker: NDArray[np.int32]


@dataclass(frozen=True, eq=False)
class Scales:
    """Per worker the mean error of an edge as a share of the box's side, and from how many boxes."""

    error: Floats
    boxes: Floats

    @property
    def weights(self) -> Floats:
        """How much each counts; 1 for a worker with the mean of the errors."""
        usual = self.error.mean() if len(self.error) else 1.0
        weights: Floats = (usual / self.error) ** POWER
        return weights


def groups(cluster: Ints, worker: NDArray[np.int32], corners: Floats) -> list[Group]:
    """Collect clusters by size and sort their edges once."""
    return list(_groups(cluster, worker, corners))


def _groups(cluster: Ints, worker: NDArray[np.int32], corners: Floats) -> Iterator[Group]:
    size = np.bincount(cluster)
    order = np.argsort(cluster, kind="stable")
    start = np.cumsum(size) - size
    for count in np.unique(size):
        alike = np.flatnonzero(size == count)
        step = max(_BLOCK // (4 * int(count)), 1)
        for block in range(0, len(alike), step):
            numbers = alike[block : block + step]
            rows = order[start[numbers][:, None] + np.arange(count)]
            values = corners[rows].transpose(0, 2, 1)
            at = np.argsort(values, axis=2, kind="stable")
            owner = np.broadcast_to(worker[rows][:, None, :], values.shape)
            yield Group(
                numbers, np.take_along_axis(values, at, axis=2), np.take_along_axis(owner, at, axis=2)
            )


def locate(collected: list[Group], weights: Floats, count: int) -> Floats:
    """Return ``[count, 4]``: each cluster's edges with these weights per worker."""
    corners = np.full((count, 4), np.nan)
    for group in collected:
        corners[group.cluster] = smoothed_median(group.values, weights[group.worker])
    return corners


def smoothed_median(values: Floats, weights: Floats) -> Floats:
    """Return the smoothed weighted median along the last axis.

    :param values: ascending along the last axis
    :param weights: of each value, at least 0, with a sum above 0 along the last axis
    """
    upto = np.cumsum(weights, axis=-1)
    upto /= upto[..., -1:]
    upto -= 0.5 - HALF_WIDTH
    upto /= 2 * HALF_WIDTH
    np.clip(upto, 0.0, 1.0, out=upto)
    # Shares as differences of the values' sum by parts, anchored at the first: exact where all are equal.
    first: Floats = values[..., 0]
    rest: Floats = (np.diff(values, axis=-1) * (1.0 - upto[..., :-1])).sum(axis=-1)
    return first + rest


def fit(collected: list[Group], n_workers: int) -> Scales:
    """Return each worker's error, estimated from how they agree with the others."""
    scales = Scales(np.ones(n_workers), np.zeros(n_workers))
    for _ in range(ROUNDS):
        weights = scales.weights
        total, edges = np.zeros(n_workers), np.zeros(n_workers)
        for group in collected:
            if group.values.shape[2] > 1:
                off = _errors(group, weights)
                total += np.bincount(group.worker.ravel(), off.ravel(), n_workers)
                edges += np.bincount(group.worker.ravel(), minlength=n_workers)
        if edges.sum() == 0:
            return scales
        boxes, usual = edges / 4, max(total.sum() / edges.sum(), 1e-6)
        scales = Scales((PRIOR_BOXES * usual + total / 4) / (PRIOR_BOXES + boxes), boxes)
    return scales


def _errors(group: Group, weights: Floats) -> Floats:
    """Return ``[m, 4, k]``: each edge's distance from the others' edge, as a share of the box's side."""
    values, given = group.values, weights[group.worker]
    whole = smoothed_median(values, given)
    side = np.tile(whole[:, 2:] - whole[:, :2], 2)
    off = np.empty_like(values)
    count = values.shape[2]
    for member in range(count):
        others = whole
        if count <= _LEAVE_OUT:
            without = given.copy()
            without[:, :, member] = 0.0
            others = smoothed_median(values, without)
        off[:, :, member] = np.abs(values[:, :, member] - others)
    with np.errstate(divide="ignore", over="ignore"):
        off /= np.maximum(side, np.finfo(np.float64).tiny)[:, :, None]
    return np.minimum(off, MOST_ERROR)
