"""What is believed about workers before their answers are counted."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from groundswell.consolidation.data import Earlier

RIGHT, WRONG = 4.0, 1.0
"""Pseudo-counts of right and wrong answers, before anything is known: most workers are mostly right."""

POOLED = 8.0
"""Pseudo-counts of each row of a worker's confusion matrix."""

SMOOTHING = 2.0
"""Pseudo-count of the crowd's mistakes with a class, over all wrong labels. Not for each of them: hundreds of
labels would drown what the crowd shows."""


def pseudo_counts(earlier: Earlier | None, n_labels: int) -> NDArray[np.float64]:
    """Return earlier answers as counts to add, workers (or 1) x label given x true label."""
    if earlier is None:
        return np.zeros((1, n_labels, n_labels))
    if earlier.confusion is not None:
        counts = np.swapaxes(earlier.confusion, 1, 2)
    else:
        # As if they were equally many of each class, and mistakes equally often each wrong label
        same = np.eye(n_labels)
        counts = earlier.right[:, np.newaxis, np.newaxis] * same / n_labels
        counts = counts + earlier.wrong[:, np.newaxis, np.newaxis] * (1 - same) / max(
            n_labels * (n_labels - 1), 1
        )
    # On a grid, so that their sums are exact too
    result: NDArray[np.float64] = np.rint(counts * 2**20) / 2**20
    return result


def row_average(
    counts: NDArray[np.float64], right: float, wrong: float, pooled: float
) -> NDArray[np.float64]:
    """Return what workers' rows are drawn to: the worker's accuracy, and the crowd's mistakes.

    :param counts: workers x label given x true label, earlier answers included
    :param right: pseudo-count of right answers of each worker
    :param wrong: pseudo-count of wrong answers of each worker
    :param pooled: pseudo-counts of each class of a worker
    :return: workers x label given x true label, each class summing to ``pooled``
    """
    n_labels = counts.shape[2]
    each = np.arange(n_labels)
    hits = counts[:, each, each].sum(axis=1)
    accuracy = (hits + right) / (counts.sum(axis=(1, 2)) + right + wrong)
    mistakes = counts.sum(axis=0)
    mistakes[each, each] = 0
    share = (mistakes + SMOOTHING / max(n_labels - 1, 1)) / (mistakes.sum(axis=0) + SMOOTHING)
    average: NDArray[np.float64] = (pooled * (1 - accuracy))[:, np.newaxis, np.newaxis] * share
    average[:, each, each] = pooled * accuracy[:, np.newaxis]
    return average
