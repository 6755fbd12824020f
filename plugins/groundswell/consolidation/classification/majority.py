"""Plurality vote: the label that most workers gave.

Everything is sorted arrays and segment reductions, so time is n log n in the number of answers and memory is
proportional to it, whatever the number of classes.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from groundswell.consolidation.classification.skill import skill_of
from groundswell.consolidation.data import Answers, Consensus, Earlier, check_gold


def majority(
    answers: Answers, *, gold: NDArray[np.int32] | None = None, earlier: Earlier | None = None
) -> Consensus:
    """Give each task the label with the most answers.

    A tie is reported (``tied``, label -1, confidence 0) and never decided by the order of rows or labels.

    ``confidence`` is the winning label's share of the answers, and 0.0 where only one worker answered, as in
    Ground Truth's manifests. It is a score, not a probability: three of three agreeing workers are not
    certain.

    ``worker_skill`` comes from how many of a worker's answers equal the winning label, over tasks with a
    winner and at least two answers; NaN for a worker without one. It is flattered by the worker's own vote.

    :param gold: a task whose label is known gets it, with confidence 1
    :param earlier: of no use to a vote
    :raises AnswerError: gold does not fit the answers
    """
    check_gold(answers, gold)
    n_tasks = len(answers.task_names)
    n_answers = np.bincount(answers.task, minlength=n_tasks).astype(np.int32)
    label = np.full(n_tasks, -1, dtype=np.int32)
    confidence = np.zeros(n_tasks, dtype=np.float64)
    tied = np.zeros(n_tasks, dtype=np.bool_)
    if len(answers):
        _elect(answers, n_answers, label, confidence, tied)
    comparable = n_answers > 1
    if gold is not None:
        known = gold >= 0
        label = np.where(known, gold, label).astype(np.int32)
        confidence[known] = 1.0
        tied &= ~known
        comparable |= known
    skill = skill_of(*_agreement_with(answers, np.where(comparable, label, -1)))
    return Consensus(
        label=label,
        confidence=confidence,
        posterior=None,
        worker_skill=skill.mean,
        skill_low=skill.low,
        skill_high=skill.high,
        n_answers=n_answers,
        tied=tied,
        method="majority",
    )


def _elect(
    answers: Answers,
    n_answers: NDArray[np.int32],
    label: NDArray[np.int32],
    confidence: NDArray[np.float64],
    tied: NDArray[np.bool_],
) -> None:
    """Fill ``label``, ``confidence`` and ``tied`` for the tasks that have answers."""
    n_labels = len(answers.label_names)
    # One number per (task, label) pair; sorted, so that each task's candidates stand together.
    pair, votes = np.unique(answers.task.astype(np.int64) * n_labels + answers.label, return_counts=True)
    candidate_task = pair // n_labels
    candidate_label = (pair % n_labels).astype(np.int32)
    first = np.flatnonzero(np.diff(candidate_task, prepend=-1))
    task = candidate_task[first]
    best = np.maximum.reduceat(votes, first)
    is_best = votes == np.repeat(best, np.diff(first, append=len(pair)))
    unique = np.add.reduceat(is_best, first, dtype=np.int64) == 1
    tied[task] = ~unique
    # Where the best is unique, the only candidate that is best holds the label.
    won = np.maximum.reduceat(np.where(is_best, candidate_label, -1), first)
    label[task[unique]] = won[unique]
    scored = unique & (n_answers[task] > 1)
    confidence[task[scored]] = best[scored] / n_answers[task[scored]]


def _agreement_with(
    answers: Answers, label: NDArray[np.int32]
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return how many answers of each worker equal the task's label and how many do not (-1: not counted)."""
    n_workers = len(answers.worker_names)
    elected = label[answers.task]
    counted = elected >= 0
    given = np.bincount(answers.worker[counted], minlength=n_workers)
    agreed = np.bincount(answers.worker[counted & (elected == answers.label)], minlength=n_workers)
    return agreed.astype(np.float64), (given - agreed).astype(np.float64)
