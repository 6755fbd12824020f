"""How much each worker's pixels count, by how far their maps agree with those of the others.

In turn (EM-like, as STAPLE: Warfield, Zou & Wells 2004): the workers' weighted votes give a soft map per
image, and each worker's mean overlap (soft intersection over union) with the map of the *others* gives their
weight, 1 / (1 - overlap). Two things differ from STAPLE on purpose. Whole maps are compared instead of
pixels, since the pixels of an object are right or wrong together, and a model of independent pixels with a
sensitivity and a specificity per worker drifts: in simulated crowds it fell below the plain vote with three
workers. And the worker's own map is left out, so that nobody vouches for themselves.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from groundswell.consolidation.boxes.data import Estimate

Floats = NDArray[np.float64]
Ints = NDArray[np.int32]

PRIOR_IMAGES = 3.0
"""A worker's overlap begins at the crowd's, with the weight of this many images."""

POWER = 1.0
"""Of the error, in the weights. Less than for boxes: workers who all draw wide share their errors, and with a
greater power they outvoted the others in some simulated crowds."""

ROUNDS = 2

SHARPNESS = 4
"""Of the others' soft map: shares of the votes to this power, so that three of four are nearly certain."""

_LEAST_ERROR = 0.01
_UNKNOWN_SPREAD = 0.5
_Z = 1.645


@dataclass(frozen=True, eq=False)
class Record:
    """What is kept of an image: its patterns of answers.

    :param worker: ``[workers]``
    :param labels: ``[patterns, workers]``
    :param count: pixels per pattern
    """

    worker: Ints
    labels: Ints
    count: NDArray[np.int64]


def votes(labels: Ints, weights: Floats) -> Floats:
    """Return ``[patterns, workers]``: the weight of all who gave the label that each worker gave.

    A label that stands in a row more than once has it at its first place, and -inf at the others.

    :param labels: ``[patterns, workers]``
    :param weights: ``[workers]``
    """
    total = np.full(labels.shape, -np.inf)
    for at in range(labels.shape[1]):
        same = labels == labels[:, at, None]
        first = ~same[:, :at].any(axis=1)
        total[first, at] = same[first] @ weights
    return total


def shares(labels: Ints, weights: Floats) -> Floats:
    """Return :func:`votes` as shares of all weights, 0 at repeated places."""
    share: Floats = np.maximum(votes(labels, weights), 0.0) / weights.sum()
    return share


def fit(
    records: Sequence[Record], n_workers: int, n_labels: int, background: int | None
) -> tuple[Floats, Estimate]:
    """Return the weights, 1 for the average worker, and the overlaps that they come from.

    The interval is mean +- 1.645 s / sqrt(images + prior), with s the spread of a worker's overlaps, pooled.

    :param background: a label on which agreement is no merit
    """
    several = [record for record in records if len(record.worker) > 1]
    worker = np.concatenate([np.zeros(0, np.int32), *(record.worker for record in several)])
    images = np.bincount(worker, minlength=n_workers)
    weights, mean, overlaps = np.ones(n_workers), np.full(n_workers, 0.5), np.zeros(0)
    for _ in range(ROUNDS if several else 0):
        overlaps = np.concatenate(
            [_overlaps(record, weights[record.worker], n_labels, background) for record in several]
        )
        usual = overlaps.mean()
        total = np.bincount(worker, overlaps, n_workers)
        mean = (total + PRIOR_IMAGES * usual) / (images + PRIOR_IMAGES)
        error = np.maximum(1.0 - mean, _LEAST_ERROR)
        weights = (error / max(1.0 - usual, _LEAST_ERROR)) ** -POWER
    own = np.bincount(worker, overlaps, n_workers) / np.maximum(images, 1)
    left = len(worker) - np.count_nonzero(images)
    spread = np.sqrt(np.square(overlaps - own[worker]).sum() / left) if left else _UNKNOWN_SPREAD
    half = _Z * max(spread, _LEAST_ERROR) / np.sqrt(images + PRIOR_IMAGES)
    ends = mean, np.maximum(mean - half, 0.0), np.minimum(mean + half, 1.0)
    return weights, Estimate(*(np.where(images > 0, end, np.nan) for end in ends))


def _overlaps(record: Record, weights: Floats, n_labels: int, background: int | None) -> Floats:
    """Return per worker the mean overlap with the others, over the labels that they or the others gave."""
    found = np.ones(len(weights))
    for place in range(len(weights)):
        own = record.labels[:, place]
        others = np.delete(record.labels, place, axis=1)
        share = shares(others, np.delete(weights, place)) ** SHARPNESS
        share *= (record.count / share.sum(axis=1))[:, None]
        theirs = np.bincount(others.ravel(), share.ravel(), n_labels)
        both = np.bincount(others.ravel(), (share * (others == own[:, None])).ravel(), n_labels)
        union = np.bincount(own, record.count, n_labels) + theirs - both
        counted = union > 1e-9
        if background is not None:
            counted[background] = False
        # Where nobody sees anything but background, all agree.
        if counted.any():
            found[place] = (both[counted] / union[counted]).mean()
    return found
