"""A vote in which workers count by how often they agree with the plain vote.

"Worker agreement with aggregate" (Wawa), the rule of Appen's and other platforms, described in D. Ustalov,
N. Pavlichenko and B. Tseitlin, "Learning from Crowds with Crowd-Kit", Journal of Open Source Software 9(96),
2024. One round, no model:

1. the plain vote, in which a tie is nobody's
2. a_j: how many of worker j's answers equal the vote's label, of n_j to tasks that have one
3. weight w_j = (a_j + 1) / (n_j + 2), which is 1/2 for a worker of whom nothing is known
4. the label with the largest sum of its workers' weights

It is hardly ever below the plain vote, settles most of its ties, and gains less than a model does.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from groundswell.consolidation.classification.candidates import (
    SHARE,
    Candidates,
    Shares,
    on_grid,
    too_many_labels,
)
from groundswell.consolidation.data import Answers, Consensus, Earlier, check_gold


def weighted_majority(
    answers: Answers, *, gold: NDArray[np.int32] | None = None, earlier: Earlier | None = None
) -> Consensus:
    """Consolidate by a vote of weighted workers.

    ``confidence`` and ``posterior`` are a label's share of the task's weights.

    :param gold: a task whose label is known has it for certain, and counts as the vote's label
    :param earlier: earlier right and wrong answers of the workers, counted with those of the vote
    :raises AnswerError: gold or earlier skill do not fit the answers
    """
    check_gold(answers, gold)
    if earlier is not None:
        earlier.check(answers)
    candidates = Candidates.of(answers, gold)
    right, wrong = _agreement(candidates)
    if earlier is not None:
        right, wrong = right + earlier.right, wrong + earlier.wrong
    weight = (right + 1) / (right + wrong + 2)
    votes = candidates.added(weight[answers.worker])
    total = np.add.reduceat(votes, candidates.first) if len(candidates) else np.zeros(0)
    # A known label that nobody gave has no votes, and all of the posterior
    total = np.where(total > 0, total, 1.0)
    q = np.where(candidates.known >= 0, candidates.known == 1, votes / total[candidates.group])
    n_labels = len(answers.label_names)
    return candidates.consensus(
        Shares(on_grid(q, SHARE), np.zeros(len(candidates.tasks))),
        "weighted_majority",
        gold=gold,
        right=right,
        wrong=wrong,
        prior=None if too_many_labels(answers) else np.full(n_labels, 1 / max(n_labels, 1)),
    )


def _agreement(candidates: Candidates) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return how many answers of each worker equal the vote's label, and how many do not."""
    answers = candidates.answers
    n_workers = len(answers.worker_names)
    if not len(candidates):
        return np.zeros(n_workers), np.zeros(n_workers)
    votes = np.select([candidates.known == 1, candidates.known == 0], [np.inf, 0.0], candidates.votes)
    is_best = votes == np.maximum.reduceat(votes, candidates.first)[candidates.group]
    single = np.add.reduceat(is_best, candidates.first, dtype=np.int64) == 1
    won = np.append(is_best & single[candidates.group], False)
    # By task: whether the answer is to a task with a winner
    decided = np.zeros(len(answers.task_names), dtype=np.bool_)
    decided[candidates.tasks] = single
    right = np.bincount(answers.worker, weights=won[candidates.own], minlength=n_workers)
    counted = np.bincount(answers.worker, weights=decided[answers.task], minlength=n_workers)
    return right.astype(np.float64), (counted - right).astype(np.float64)
