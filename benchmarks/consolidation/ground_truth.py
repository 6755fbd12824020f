"""The consolidation algorithm that AWS published for SageMaker Ground Truth, written from its description.

"Modified Dawid-Skene": EM of Dawid and Skene (1979) where a worker's confusion matrix is drawn towards two
matrices with one accuracy on the diagonal and the rest spread evenly: the worker's own accuracy, with as many
pseudo-answers as the worker gave, and the crowd's mean accuracy, with half as many. It starts from an even
distribution over labels and an accuracy of 0.7 for everybody, estimates the distribution of labels anew in
each round and runs 20 rounds. It was published in a sample notebook of AWS; what the live service runs today
cannot be seen from outside.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from groundswell.consolidation.data import Answers

START_ACCURACY = 0.7
ROUNDS = 20
_TINY = 1e-300


def modified_dawid_skene(answers: Answers, rounds: int = ROUNDS) -> NDArray[np.float64]:
    """Return the posterior, tasks x labels. Tasks without answers get the distribution of labels."""
    tasks, workers, k = len(answers.task_names), len(answers.worker_names), len(answers.label_names)
    if k < 2:
        return np.ones((tasks, k))
    posterior = np.full((tasks, k), 1 / k)
    confusion = _even(np.full(workers, START_ACCURACY), k)
    crowd = START_ACCURACY
    for _ in range(rounds):
        log_q = np.tile(np.log(np.maximum(posterior.mean(axis=0), _TINY)), (tasks, 1))
        likelihood = np.log(np.maximum(confusion[answers.worker, :, answers.label], _TINY))
        np.add.at(log_q, answers.task, likelihood)
        posterior = np.exp(log_q - log_q.max(axis=1, keepdims=True))
        posterior /= posterior.sum(axis=1, keepdims=True)
        confusion, accuracy = _confusion(answers, posterior, crowd)
        crowd = float(accuracy.mean())
    return posterior


def _confusion(
    answers: Answers, posterior: NDArray[np.float64], crowd: float
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Confusion matrices (worker, truth, answer) and accuracies of the workers that answered."""
    workers, k = len(answers.worker_names), posterior.shape[1]
    counts = np.zeros((workers, k, k))
    cells: Any = (answers.worker, slice(None), answers.label)
    np.add.at(counts, cells, posterior[answers.task])
    given = counts.sum(axis=(1, 2))
    accuracy = np.einsum("wkk->w", counts) / np.maximum(given, _TINY)
    counts += _even(accuracy, k) * given[:, None, None]
    counts += _even(np.full(workers, crowd), k) * given[:, None, None] / 2
    counts /= np.maximum(counts.sum(axis=2, keepdims=True), _TINY)
    return counts, accuracy[given > 0]


def _even(accuracy: NDArray[np.float64], k: int) -> NDArray[np.float64]:
    """One matrix per accuracy: it is on the diagonal, the rest spread over the other labels."""
    matrices = np.repeat(((1 - accuracy) / (k - 1))[:, None, None], k, axis=1).repeat(k, axis=2)
    matrices[:, np.arange(k), np.arange(k)] = accuracy[:, None]
    return matrices
