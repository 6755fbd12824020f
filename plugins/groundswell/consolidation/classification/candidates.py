"""Answers laid out for many labels: per task only the labels that somebody gave, and one number for the rest.

With a thousand labels a table of tasks by labels, or a matrix of labels by labels per worker, is far larger
than the answers. But a label that nobody gave a task is hardly ever its label: such labels share one "rest".
Memory is in proportion to the answers.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
import scipy.sparse as sp
from numpy.typing import NDArray

from groundswell.consolidation.classification.skill import skill_of
from groundswell.consolidation.data import Answers, Consensus
from groundswell.consolidation.findings import Finding

_MOST = 32
"""Candidates of a task at most; where more labels were given, the least often given ones join the rest."""

_EQUAL = 1e-9

_FEW = 2**20
_PER_ANSWER = 8
"""Numbers that a table may hold: so many, and so many more per answer."""

WEIGHT, PART, SHARE = 2.0**36, 2.0**44, 2.0**32
"""Steps per unit of what is added up: coarse enough for exact sums; see :mod:`~.layout`."""


def too_many_labels(answers: Answers, subtypes: int = 1) -> bool:
    """Return whether tables of tasks or workers by labels would be out of proportion to the answers."""
    n_labels = len(answers.label_names)
    room = _FEW + _PER_ANSWER * len(answers)
    matrices = len(answers.worker_names) * n_labels * n_labels * subtypes
    return matrices > room or len(answers.task_names) * n_labels > 4 * room


def on_grid(numbers: NDArray[np.float64], steps: float) -> NDArray[np.float64]:
    """Round to multiples of ``1 / steps``."""
    result: NDArray[np.float64] = np.rint(numbers * steps) / steps
    return result


def summed(at: NDArray[Any], weights: NDArray[np.float64], size: int = 0) -> NDArray[np.float64]:
    """Return the sum of the weights by position, of ``size`` positions at least."""
    return np.bincount(at, weights=weights, minlength=size).astype(np.float64, copy=False)


class Shares(NamedTuple):
    """A posterior: of each candidate, and of all other labels of each answered task together."""

    q: NDArray[np.float64]
    rest: NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class Candidates:
    """The labels that were given to each task.

    :param label: label of each candidate; candidates are sorted by task, then by label
    :param group: position in ``tasks`` of each candidate's task
    :param first: first candidate of each of ``tasks``
    :param tasks: the tasks that have answers
    :param own: the candidate that each answer names; ``len(label)`` where it joined the rest
    :param votes: answers for each candidate
    :param given: answers of each of ``tasks``
    :param known: of each candidate: 1 the known label, 0 another than the known one, -1 nothing is known
    """

    answers: Answers
    label: NDArray[np.int32]
    group: NDArray[np.int32]
    first: NDArray[np.int64]
    tasks: NDArray[np.int32]
    own: NDArray[np.int64]
    votes: NDArray[np.float64]
    given: NDArray[np.float64]
    known: NDArray[np.int8]

    @classmethod
    def of(cls, answers: Answers, gold: NDArray[np.int32] | None = None) -> Candidates:
        """Collect the candidates, the known labels among them whether or not somebody gave them."""
        n_labels = len(answers.label_names)
        pair = answers.task.astype(np.int64) * n_labels + answers.label
        n_answers = np.bincount(answers.task, minlength=len(answers.task_names))
        pairs = np.unique(pair)
        if gold is not None:
            sure = np.flatnonzero((gold >= 0) & (n_answers > 0))
            sure_pairs = sure * n_labels + gold[sure]
            pairs = np.union1d(pairs, sure_pairs)
        votes = np.bincount(np.searchsorted(pairs, pair), minlength=len(pairs))
        keep = _kept(pairs // max(n_labels, 1), votes)
        if gold is not None:
            keep[np.searchsorted(pairs, sure_pairs)] = True
        pairs, votes = pairs[keep], votes[keep]
        at = np.searchsorted(pairs, pair)
        own = np.where(pairs[np.minimum(at, len(pairs) - 1)] == pair, at, len(pairs)) if len(pairs) else at
        task, label = pairs // max(n_labels, 1), pairs % max(n_labels, 1)
        known = np.full(len(pairs), -1, dtype=np.int8)
        if gold is not None:
            known = np.where(gold[task] >= 0, gold[task] == label, -1).astype(np.int8)
        # Tasks whose labels all joined the rest keep no candidate
        tasks, first, group = np.unique(task, return_index=True, return_inverse=True)
        return cls(
            answers=answers,
            label=label.astype(np.int32),
            group=group.astype(np.int32),
            first=first,
            tasks=tasks.astype(np.int32),
            own=own,
            votes=votes.astype(np.float64),
            given=n_answers[tasks].astype(np.float64),
            known=known,
        )

    def __len__(self) -> int:
        return len(self.label)

    def added(self, weights: NDArray[np.float64]) -> NDArray[np.float64]:
        """Return the sum of the answers' weights by candidate."""
        return summed(self.own, on_grid(weights, WEIGHT), len(self) + 1)[:-1]

    def vote_shares(self) -> Shares:
        """Return each label's share of the votes; a known label has all."""
        q = self.votes / self.given[self.group]
        q = np.where(self.known >= 0, self.known == 1, q)
        rest = np.maximum(1 - np.add.reduceat(q, self.first), 0.0) if len(self) else np.zeros(0)
        return Shares(on_grid(q, SHARE), on_grid(rest, SHARE))

    def softmax(self, scores: NDArray[np.float64], rest: NDArray[np.float64]) -> Shares:
        """Return the posterior of candidates' and rests' log-probabilities up to a number per task."""
        if not len(self):
            return Shares(scores, rest)
        scores = np.where(self.known == 0, -np.inf, scores)
        sure = np.logical_or.reduceat(self.known == 1, self.first)
        rest = np.where(sure, -np.inf, rest)
        top = np.maximum(np.maximum.reduceat(scores, self.first), rest)
        q = on_grid(np.exp(scores - top[self.group]), PART)
        other = on_grid(np.exp(rest - top), PART)
        total = np.add.reduceat(q, self.first) + other
        return Shares(on_grid(q / total[self.group], SHARE), on_grid(other / total, SHARE))

    def outside(self, prior: NDArray[np.float64]) -> NDArray[np.float64]:
        """Return the prior probability of all labels that are no candidates, by task of ``tasks``."""
        if not len(self):
            return np.zeros(0)
        named = np.add.reduceat(on_grid(prior, SHARE)[self.label], self.first)
        result: NDArray[np.float64] = np.maximum(1 - named, 1e-12)
        return result

    def totals(self, shares: Shares, prior: NDArray[np.float64]) -> NDArray[np.float64]:
        """Return how many tasks are expected to have each label; the rest is divided as the prior is."""
        n_labels = len(prior)
        named = summed(self.label, shares.q, n_labels)
        each = on_grid(shares.rest / self.outside(prior), SHARE)
        without = each.sum() - summed(self.label, each[self.group], n_labels)
        return on_grid(named + prior * np.maximum(without, 0.0), SHARE)

    def consensus(
        self,
        shares: Shares,
        method: str,
        *,
        gold: NDArray[np.int32] | None,
        right: NDArray[np.float64],
        wrong: NDArray[np.float64],
        prior: NDArray[np.float64] | None = None,
        findings: tuple[Finding, ...] = (),
    ) -> Consensus:
        """Elect each task's label; the posterior holds candidates only.

        :param right: expected number of right answers of each worker
        :param wrong: and of wrong ones
        :param prior: where given, tables are small enough for a dense posterior, and this is the row of a
            task without answers
        """
        n_tasks, n_labels = len(self.answers.task_names), len(self.answers.label_names)
        label = np.full(n_tasks, -1, dtype=np.int32)
        confidence = np.zeros(n_tasks)
        n_answers = np.bincount(self.answers.task, minlength=n_tasks).astype(np.int32)
        tied = n_answers > 0
        if len(self):
            best = np.maximum.reduceat(shares.q, self.first)
            is_best = best[self.group] - shares.q <= _EQUAL * best[self.group]
            single = np.add.reduceat(is_best, self.first, dtype=np.int64) == 1
            won = np.maximum.reduceat(np.where(is_best, self.label, -1), self.first)
            label[self.tasks] = np.where(single, won, -1)
            confidence[self.tasks] = best
            tied[self.tasks] = ~single
        q, at = shares.q, self.tasks[self.group]
        column = self.label
        if gold is not None:
            alone = np.flatnonzero((gold >= 0) & (n_answers == 0)).astype(np.int32)
            label[alone], confidence[alone] = gold[alone], 1.0
            q, at = np.append(q, np.ones(len(alone))), np.append(at, alone)
            column = np.append(column, gold[alone])
        posterior = sp.csr_array((q, (at, column)), shape=(n_tasks, n_labels))
        skill = skill_of(right, wrong)
        return Consensus(
            label=label,
            confidence=confidence,
            posterior=posterior if prior is None else _dense(posterior, label, n_answers, prior),
            worker_skill=skill.mean,
            skill_low=skill.low,
            skill_high=skill.high,
            n_answers=n_answers,
            tied=tied,
            method=method,
            findings=findings,
        )


def _dense(
    posterior: sp.csr_array,
    label: NDArray[np.int32],
    n_answers: NDArray[np.int32],
    prior: NDArray[np.float64],
) -> NDArray[np.float64]:
    table: NDArray[np.float64] = posterior.toarray()
    table[(n_answers == 0) & (label < 0)] = prior
    return table


def _kept(task: NDArray[np.int64], votes: NDArray[np.int64]) -> NDArray[np.bool_]:
    """Return which pairs are candidates: all but of tasks with very many different labels."""
    n_pairs = np.bincount(task)
    keep = np.ones(len(task), dtype=np.bool_)
    crowded = np.flatnonzero(n_pairs[task] > _MOST) if len(task) else np.zeros(0, dtype=np.int64)
    if len(crowded):
        order = crowded[np.lexsort((-votes[crowded], task[crowded]))]
        first = np.flatnonzero(np.diff(task[order], prepend=-1))
        size = np.diff(first, append=len(order))
        # Those as rare as the first one that is too many go with it, so that no order decides
        limit = votes[order][first + _MOST]
        keep[order] = votes[order] > np.repeat(limit, size)
    return keep
