"""Counting the answers of many tasks at once; time n log n and memory in proportion to the answers."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from groundswell.consolidation.data import Answers
from groundswell.consolidation.stopping.rules import ASK, GIVE_UP, SETTLED


class Support(NamedTuple):
    """Answers per task for the best and the second-best label; 0 where there is none."""

    leader: NDArray[np.int64]
    runner_up: NDArray[np.int64]


def per_task(answers: Answers) -> NDArray[np.int64]:
    """Return how many answers each task has."""
    return np.bincount(answers.task, minlength=len(answers.task_names)).astype(np.int64)


def support(answers: Answers) -> Support:
    """Return each task's two highest numbers of answers for one label."""
    n_tasks, n_labels = len(answers.task_names), len(answers.label_names)
    leader = np.zeros(n_tasks, dtype=np.int64)
    runner_up = np.zeros(n_tasks, dtype=np.int64)
    if len(answers):
        # One number per (task, label) pair; sorted, so that each task's labels stand together.
        pair, votes = np.unique(answers.task.astype(np.int64) * n_labels + answers.label, return_counts=True)
        start = np.flatnonzero(np.diff(pair // n_labels, prepend=-1))
        task = pair[start] // n_labels
        best = np.maximum.reduceat(votes, start)
        repeated = np.repeat(best, np.diff(start, append=len(pair)))
        is_best = votes == repeated
        below = np.maximum.reduceat(np.where(is_best, 0, votes), start)
        shared = np.add.reduceat(is_best, start, dtype=np.int64) > 1
        leader[task] = best
        runner_up[task] = np.where(shared, best, below)
    return Support(leader, runner_up)


def codes(*, settled: NDArray[np.bool_], hopeless: NDArray[np.bool_]) -> NDArray[np.int8]:
    """Return the code per task: settled comes before given up, and what is neither is asked about."""
    return np.where(settled, SETTLED, np.where(hopeless, GIVE_UP, ASK)).astype(np.int8)
