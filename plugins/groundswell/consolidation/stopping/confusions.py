"""Workers with a confusion matrix each, for few classes: the arithmetic of :mod:`.early`.

With c_j[l, k] the expected number of answers l of worker j to items of class k, an answer l of worker j to
item i adds to the score of class k

    log (c_j[l, k] - q_i[k] + alpha_j[l, k]) - log (sum over l' of the same)

where q_i[k] is what item i itself added to the counts. Left in, an item would vouch for its own workers: with
few answers per worker, the model would be sure of whatever was said first.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from groundswell.consolidation.data import Answers, Earlier
from groundswell.consolidation.stopping.sums import SHARE, WEIGHT, quantile, rounded

RIGHT, WRONG = 2.0, 0.5
"""Pseudo-counts of a worker's right answers, and of each kind of wrong ones, per class."""

POOLED = 4.0
"""As many answers, as the whole crowd gave them, are added to each row of a worker's matrix."""

PUSHING = 0.9
"""What counts as the strongest answer still to be expected: this share of the answers says less."""

LEADS = 5
"""A class that leads this many tasks clearly, and then has less than half of them, has collapsed."""

_CHUNK = 2**17
"""Answers that are scored at once."""


@dataclass(frozen=True, eq=False)
class Sorted:
    """Answers sorted by task, worker and label.

    :param task: position of each answer's task
    :param code: worker * n_labels + label
    :param order: from the answers' order to this one
    """

    n_tasks: int
    n_labels: int
    task: NDArray[np.int64]
    code: NDArray[np.int64]
    order: NDArray[np.intp]

    @classmethod
    def of(cls, answers: Answers, worker: NDArray[np.int64]) -> Sorted:
        """Sort answers.

        :param worker: position of each answer's worker in the model
        """
        n_labels = len(answers.label_names)
        code = worker * n_labels + answers.label
        order = np.argsort(answers.task, kind="stable")
        task = answers.task[order].astype(np.int64)
        return cls(len(answers.task_names), n_labels, task, code[order], order)


@dataclass(frozen=True, eq=False)
class Confusions:
    """What is known about the workers; the last one stands for everybody who is unknown.

    :param counts: (workers + 1) * labels x classes: expected answers and pseudo-counts
    :param totals: workers + 1 x classes: the counts of all labels together
    :param log_prior: log-probability of each class
    """

    counts: NDArray[np.float64]
    totals: NDArray[np.float64]
    log_prior: NDArray[np.float64]

    @classmethod
    def learn(cls, answers: Sorted, q: NDArray[np.float64], before: NDArray[np.float64]) -> Confusions:
        """Do an M-step.

        :param q: posterior, tasks x classes
        :param before: pseudo-counts, workers + 1 x labels x classes
        """
        n_rows, n_labels = before.shape[0], answers.n_labels
        found = np.empty((n_rows * n_labels, n_labels))
        for k in range(n_labels):
            found[:, k] = np.bincount(answers.code, weights=q[answers.task, k], minlength=n_rows * n_labels)
        counts = found.reshape(before.shape) + before
        # The prior of all workers but one is taken off: what the crowd did is what was seen
        crowd = rounded(counts.sum(axis=0) - (n_rows - 1) * before[-1], SHARE)
        counts += rounded(POOLED * crowd / crowd.sum(axis=0), SHARE)
        seen = np.zeros(len(q), dtype=np.bool_)
        seen[answers.task] = True
        share = q[seen].sum(axis=0) + WRONG
        return cls(counts.reshape(-1, n_labels), counts.sum(axis=1), np.log(share / share.sum()))

    @classmethod
    def untaught(cls, before: NDArray[np.float64]) -> Confusions:
        """Return what is known before any answer, with classes equally likely."""
        n_labels = before.shape[1]
        prior = np.full(n_labels, -np.log(n_labels))
        return cls(before.reshape(-1, n_labels), before.sum(axis=1), prior)

    def scores(
        self, answers: Sorted, q: NDArray[np.float64], counted: NDArray[np.bool_]
    ) -> NDArray[np.float64]:
        """Return the log-posterior up to a constant, tasks x classes.

        :param q: what each answer of a task added to the counts, tasks x classes
        :param counted: per answer, in the sorted order, whether it is part of the counts
        """
        scores = np.tile(rounded(self.log_prior, WEIGHT), (answers.n_tasks, 1))
        for start in range(0, len(answers.task), _CHUNK):
            part = slice(start, start + _CHUNK)
            task, code = answers.task[part], answers.code[part]
            own = q[task] * counted[part, np.newaxis]
            gain = np.log(self.counts[code] - own) - np.log(self.totals[code // answers.n_labels] - own)
            begin = np.flatnonzero(np.diff(task, prepend=-1))
            scores[task[begin]] += np.add.reduceat(rounded(gain, WEIGHT), begin, axis=0)
        return scores

    def pushes(self, given: NDArray[np.float64], share: float) -> NDArray[np.float64]:
        """Return how far one answer k moves the log-odds from class b to class k, as [b, k].

        :param given: answers of each worker
        :param share: that of the share of answers that move them no further
        """
        n_labels = self.counts.shape[1]
        log_theta = np.log(self.counts.reshape(-1, n_labels, n_labels)) - np.log(self.totals[:, np.newaxis])
        pushes = np.empty((n_labels, n_labels))
        for k in range(n_labels):
            for b in range(n_labels):
                pushes[b, k] = quantile(log_theta[:-1, k, k] - log_theta[:-1, k, b], given, share)
        return pushes


def pseudo_counts(n_workers: int, n_labels: int, earlier: Earlier | None) -> NDArray[np.float64]:
    """Return what is known before any answer, workers + 1 x labels x classes."""
    same = np.eye(n_labels)
    before = np.tile(WRONG + (RIGHT - WRONG) * same, (n_workers + 1, 1, 1))
    if earlier is None:
        return before
    if earlier.confusion is not None:
        before[:-1] += np.swapaxes(earlier.confusion, 1, 2)
    else:
        # Equally often each class, and equally often each wrong label
        before[:-1] += earlier.right[:, np.newaxis, np.newaxis] * same / n_labels
        wrong = earlier.wrong / max(n_labels * (n_labels - 1), 1)
        before[:-1] += wrong[:, np.newaxis, np.newaxis] * (1 - same)
    return before


def posterior(scores: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return probabilities from log-probabilities up to a constant per row."""
    parts = np.exp(scores - scores.max(axis=1, keepdims=True))
    return rounded(parts / rounded(parts, WEIGHT).sum(axis=1, keepdims=True), SHARE)


def votes_of(answers: Sorted) -> NDArray[np.float64]:
    """Return how many answers each task has for each label."""
    shape = answers.n_tasks, answers.n_labels
    pair = answers.task * answers.n_labels + answers.code % answers.n_labels
    return np.bincount(pair, minlength=shape[0] * shape[1]).reshape(shape).astype(np.float64)


def shares_of(votes: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return each label's share of a task's votes; equal shares where there are none."""
    total = votes.sum(axis=1, keepdims=True)
    shares = np.where(total > 0, votes / np.maximum(total, 1), 1 / votes.shape[1])
    return rounded(shares, SHARE)


def collapsed(q: NDArray[np.float64], votes: NDArray[np.float64]) -> bool:
    """Whether a class has vanished that clearly leads several tasks' votes."""
    ranked = np.sort(votes, axis=1)
    second = ranked[:, -2] if votes.shape[1] > 1 else 0.0
    clear = np.flatnonzero(ranked[:, -1] >= second + 2)
    leader = votes[clear].argmax(axis=1)
    leads = np.bincount(leader, minlength=votes.shape[1])
    kept = np.bincount(leader, weights=q[clear, leader], minlength=votes.shape[1])
    return bool(((leads >= LEADS) & (kept < leads / 2)).any())
