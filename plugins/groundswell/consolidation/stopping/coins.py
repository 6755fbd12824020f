"""Workers with one number each, the probability of being right, for many classes.

A confusion matrix with hundreds of classes would be empty. With r_j the expected number of right answers of
worker j among n_j, and q_i[l] what item i itself added to r_j, an answer l to item i counts for class l with

    log (p (K - 1) / (1 - p)),    p = (r_j - q_i[l] + a) / (n_j - 1 + a + b)

against every other of the K classes. Only labels that somebody gave are scored; the others stand at 0.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from groundswell.consolidation.data import Answers, Earlier
from groundswell.consolidation.stopping.leaders import Leaders
from groundswell.consolidation.stopping.sums import SHARE, WEIGHT, quantile, rounded

RIGHT, WRONG = 4.0, 2.0
"""Pseudo-counts of a worker's right and wrong answers."""


@dataclass(frozen=True, eq=False)
class Pairs:
    """Answers grouped by task and label; everything is sorted by task, then by label.

    :param pair: per answer, position of its (task, label)
    :param worker: per answer, position of its worker in the model
    :param task: per pair
    :param label: per pair
    :param start: per task that has answers, position of its first pair
    """

    n_tasks: int
    n_labels: int
    pair: NDArray[np.int64]
    worker: NDArray[np.int64]
    task: NDArray[np.int64]
    label: NDArray[np.int64]
    start: NDArray[np.int64]

    @classmethod
    def of(cls, answers: Answers, worker: NDArray[np.int64]) -> Pairs:
        """Group answers.

        :param worker: position of each answer's worker in the model
        """
        n_labels = len(answers.label_names)
        key, pair = np.unique(answers.task.astype(np.int64) * n_labels + answers.label, return_inverse=True)
        task, label = np.divmod(key, n_labels)
        start = np.flatnonzero(np.diff(task, prepend=-1))
        return cls(len(answers.task_names), n_labels, pair, worker, task, label, start)

    def added(self, numbers: NDArray[np.float64]) -> NDArray[np.float64]:
        """Add up numbers of answers by pair."""
        return np.bincount(self.pair, weights=numbers, minlength=len(self.task)).astype(np.float64)

    def shares(self) -> NDArray[np.float64]:
        """Return each pair's share of its task's answers."""
        given = self.added(np.ones(len(self.pair)))
        sizes = np.diff(self.start, append=len(self.task))
        total = np.add.reduceat(given, self.start) if len(given) else given
        return rounded(given / np.repeat(total, sizes), SHARE)

    def posterior(self, scores: NDArray[np.float64]) -> NDArray[np.float64]:
        """Return each pair's posterior from its score, where labels that nobody gave have 0."""
        if len(scores) == 0:
            return scores
        sizes = np.diff(self.start, append=len(self.task))
        best = np.maximum(np.maximum.reduceat(scores, self.start), 0.0)
        parts = rounded(np.exp(scores - np.repeat(best, sizes)), WEIGHT)
        rest = (self.n_labels - sizes) * np.exp(-best)
        total = np.add.reduceat(parts, self.start) + rest
        return rounded(parts / np.repeat(total, sizes), SHARE)


@dataclass(frozen=True, eq=False)
class Coins:
    """What is known about the workers; the last one stands for everybody who is unknown.

    :param right: workers + 1: expected right answers and pseudo-counts
    :param total: workers + 1: answers and pseudo-counts
    """

    right: NDArray[np.float64]
    total: NDArray[np.float64]

    @classmethod
    def before(cls, n_workers: int, earlier: Earlier | None) -> Coins:
        """Return what is known before any answer."""
        right = np.full(n_workers + 1, RIGHT)
        total = np.full(n_workers + 1, RIGHT + WRONG)
        if earlier is not None:
            right[:-1] += earlier.right
            total[:-1] += earlier.right + earlier.wrong
        return cls(right, total)

    def learn(self, pairs: Pairs, q: NDArray[np.float64]) -> Coins:
        """Add the answers, with their labels' posterior, to what was known before."""
        n = len(self.right)
        return Coins(
            self.right + np.bincount(pairs.worker, weights=q[pairs.pair], minlength=n),
            self.total + np.bincount(pairs.worker, minlength=n),
        )

    def scores(
        self, pairs: Pairs, own: NDArray[np.float64], counted: NDArray[np.bool_]
    ) -> NDArray[np.float64]:
        """Return each pair's score.

        :param own: per answer, what its item added to the worker's right answers
        :param counted: per answer, whether it is among the worker's answers
        """
        right = self.right[pairs.worker] - own
        p = right / (self.total[pairs.worker] - counted)
        return pairs.added(rounded(self._gain(p, pairs.n_labels), WEIGHT))

    def push(self, given: NDArray[np.float64], n_labels: int, share: float) -> float:
        """Return how far one answer moves the log-odds of its label; see :meth:`.Confusions.pushes`."""
        return quantile(self._gain(self.right / self.total, n_labels)[:-1], given, share)

    @staticmethod
    def _gain(p: NDArray[np.float64], n_labels: int) -> NDArray[np.float64]:
        gain: NDArray[np.float64] = np.log(p * max(n_labels - 1, 1)) - np.log1p(-p)
        return gain


def leaders(pairs: Pairs, scores: NDArray[np.float64], push: float, equal: float) -> Leaders:
    """Return the leading label of each task; see :meth:`.Skills.leaders`."""
    n_tasks = pairs.n_tasks
    label = np.full(n_tasks, -1, dtype=np.int32)
    confidence, to_flip = np.zeros(n_tasks), np.zeros(n_tasks)
    if len(scores):
        sizes = np.diff(pairs.start, append=len(pairs.task))
        order = np.lexsort((-scores, pairs.task))
        top = order[pairs.start]
        # The runner-up may be a label that nobody gave
        second = np.where(sizes < pairs.n_labels, 0.0, -np.inf)
        several = sizes > 1
        second[several] = np.maximum(second[several], scores[order[pairs.start[several] + 1]])
        behind = scores[top] - second
        task = pairs.task[top]
        # Where the best label is one that nobody gave, there is no leader
        label[task] = np.where(behind <= equal, -1, pairs.label[top])
        confidence[task] = pairs.posterior(scores)[top]
        to_flip[task] = np.ceil(behind / push) if push > 0 else np.inf
    return Leaders(label, confidence, np.maximum(to_flip, 0.0))


def dense(pairs: Pairs, scores: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return the posterior as an array, tasks x labels."""
    found = pairs.posterior(scores)
    sizes = np.zeros(pairs.n_tasks)
    mass = np.zeros(pairs.n_tasks)
    np.add.at(sizes, pairs.task, 1.0)
    np.add.at(mass, pairs.task, found)
    rest = np.maximum(1.0 - mass, 0.0) / np.maximum(pairs.n_labels - sizes, 1.0)
    q = np.tile(rest[:, np.newaxis], (1, pairs.n_labels))
    q[pairs.task, pairs.label] = found
    return q
