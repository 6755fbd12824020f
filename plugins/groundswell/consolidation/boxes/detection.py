"""Who finds what is there, and who draws what is not: each worker against the vote of the others."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.special import betaincinv, gammaincinv

from groundswell.consolidation.boxes.corners import PRIOR_BOXES, Scales
from groundswell.consolidation.boxes.data import Estimate

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]

PRIOR_ANSWERS = 2.0
"""How many answers at the crowd's rate a worker counts with before their own."""

_LOW, _HIGH = 0.05, 0.95


@dataclass(frozen=True, eq=False)
class Looks:
    """Every worker's look at every cluster of the images they saw.

    :param cluster: per look
    :param worker: per look
    :param drew: whether the worker drew a box of this cluster
    """

    cluster: Ints
    worker: Ints
    drew: NDArray[np.bool_]


def looks(cluster_task: Ints, cluster: Ints, worker: NDArray[np.int32], seen: Ints) -> Looks:
    """Return all looks.

    :param cluster_task: per cluster its image
    :param cluster: per box its cluster
    :param worker: per box who drew it
    :param seen: ``[m, 2]``, pairs of image and worker, sorted and each once
    """
    first = np.searchsorted(seen[:, 0], cluster_task)
    count = np.searchsorted(seen[:, 0], cluster_task, side="right") - first
    number = np.repeat(np.arange(len(cluster_task)), count)
    offset = np.arange(len(number)) - np.repeat(np.cumsum(count) - count, count)
    viewer = seen[np.repeat(first, count) + offset, 1]
    # Both ascend, so a box's look is found by its place among the sorted pairs.
    n_workers = int(max(seen[:, 1].max(initial=0), worker.max(initial=0))) + 1
    drew = np.zeros(len(number), np.bool_)
    drew[np.searchsorted(number * n_workers + viewer, cluster * n_workers + worker)] = True
    return Looks(number, viewer, drew)


def rates(given: Looks, existence: float, n_workers: int) -> tuple[Estimate, Estimate]:
    """Return recall and precision per worker, against what the share ``existence`` of the others drew.

    Looks at images that nobody else saw say nothing. Intervals are those of a Beta distribution whose prior
    is the crowd's rate with the weight of two answers.
    """
    votes = np.bincount(given.cluster, given.drew)[given.cluster]
    others = np.bincount(given.cluster)[given.cluster] - 1
    for_it = votes - given.drew
    counted = others > 0
    there = counted & (for_it >= existence * others) & (for_it > 0)
    found, drawn = there & given.drew, counted & given.drew
    return (
        _share(given.worker, found, there, n_workers),
        _share(given.worker, found, drawn, n_workers),
    )


def _share(worker: Ints, hit: NDArray[np.bool_], tried: NDArray[np.bool_], n_workers: int) -> Estimate:
    hits = np.bincount(worker[hit], minlength=n_workers).astype(np.float64)
    tries = np.bincount(worker[tried], minlength=n_workers).astype(np.float64)
    usual = (hits.sum() + 1.0) / (tries.sum() + 2.0)
    right = hits + PRIOR_ANSWERS * usual
    wrong = tries - hits + PRIOR_ANSWERS * (1.0 - usual)
    known = tries > 0
    return Estimate(
        *(
            np.where(known, values, np.nan)
            for values in (
                right / (right + wrong),
                betaincinv(right, wrong, _LOW),
                betaincinv(right, wrong, _HIGH),
            )
        )
    )


def edge_error(scales: Scales) -> Estimate:
    """Return the workers' mean error of an edge with its interval.

    The four edges of a box are wrong together, so a box counts as one observation; the interval is that of a
    Laplace distribution's scale (inverse gamma).
    """
    weight = PRIOR_BOXES + scales.boxes
    known = scales.boxes > 0
    total = scales.error * weight
    return Estimate(
        *(
            np.where(known, values, np.nan)
            for values in (
                scales.error,
                total / gammaincinv(weight, _HIGH),
                total / gammaincinv(weight, _LOW),
            )
        )
    )
