"""How much each worker's pixels count, by how far their maps agree with those of the others.

In turn (EM-like, as STAPLE: Warfield, Zou & Wells 2004): the workers' weighted votes give a soft map per
image, and each worker's mean overlap (soft intersection over union) with the map of the *others* gives their
weight, 1 / (1 - overlap)^1.5. Two things differ from STAPLE on purpose. Whole maps are compared instead of
pixels, since the pixels of an object are right or wrong together, and a model of independent pixels with a
sensitivity and a specificity per worker drifts: in simulated crowds it fell below the plain vote with three
workers. And the worker's own map is left out, so that nobody vouches for themselves.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.special import betaincinv

from groundswell.consolidation.boxes.data import Estimate

Floats = NDArray[np.float64]
Ints = NDArray[np.int32]

PRIOR_IMAGES = 3.0
"""A worker's overlap begins at the crowd's, with the weight of this many images."""

POWER = 1.5
"""Of the error, in the weights, as for boxes."""

ROUNDS = 2

_LEAST_ERROR = 0.01


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

    An image counts as one observation of an overlap between 0 and 1; its interval is that of a Beta
    distribution, with the crowd's mean as prior.

    :param background: a label on which agreement is no merit
    """
    weights = np.ones(n_workers)
    right, wrong, images = np.zeros((3, n_workers))
    for _ in range(ROUNDS):
        total, images = np.zeros((2, n_workers))
        for record in records:
            if len(record.worker) > 1:
                images[record.worker] += 1
                total[record.worker] += _overlaps(record, weights[record.worker], n_labels, background)
        usual = total.sum() / images.sum() if images.any() else 0.5
        right = total + PRIOR_IMAGES * usual
        wrong = np.maximum(images - total, 0.0) + PRIOR_IMAGES * max(1.0 - usual, _LEAST_ERROR)
        error = np.maximum(wrong / (right + wrong), _LEAST_ERROR)
        weights = (error / max(1.0 - usual, _LEAST_ERROR)) ** -POWER
    known = images > 0
    right = np.maximum(right, _LEAST_ERROR)
    return weights, Estimate(
        *(
            np.where(known, values, np.nan)
            for values in (
                right / (right + wrong),
                betaincinv(right, wrong, 0.05),
                betaincinv(right, wrong, 0.95),
            )
        )
    )


def _overlaps(record: Record, weights: Floats, n_labels: int, background: int | None) -> Floats:
    """Return per worker the mean overlap with the others, over the labels that they or the others gave."""
    found = np.ones(len(weights))
    for place in range(len(weights)):
        own = record.labels[:, place]
        others = np.delete(record.labels, place, axis=1)
        share = shares(others, np.delete(weights, place)) * record.count[:, None]
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
