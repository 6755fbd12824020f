"""Votes counted per item and label, and what they alone say: winners, agreement, expected mistakes.

Everything is sorted arrays and segment sums: time n log n in the number of answers, memory in proportion.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    from groundswell.consolidation.data import Answers

_Ints = NDArray[np.int64]
_Floats = NDArray[np.float64]

_LEAST_EDGE = 1e-6


@dataclass(frozen=True, eq=False)
class Tally:
    """The (item, label) pairs that got at least one answer, sorted by item and label.

    :param task: item of each pair
    :param label: label of each pair
    :param votes: answers of each pair
    :param pair_of: pair of each answer, in the order of the answers
    :param first: first pair of each item that has answers
    :param n_answers: answers per item, all items
    :param n_labels: how many labels are allowed
    """

    task: _Ints
    label: _Ints
    votes: _Ints
    pair_of: _Ints
    first: _Ints
    n_answers: _Ints
    n_labels: int

    @classmethod
    def of(cls, answers: Answers) -> Tally:
        """Count."""
        n_labels = max(1, len(answers.label_names))
        codes = answers.task.astype(np.int64) * n_labels + answers.label
        pair, pair_of, votes = np.unique(codes, return_inverse=True, return_counts=True)
        task, label = np.divmod(pair, n_labels)
        first = np.flatnonzero(np.diff(task, prepend=-1))
        n_answers = np.bincount(answers.task, minlength=len(answers.task_names)).astype(np.int64)
        return cls(task, label, votes.astype(np.int64), pair_of, first, n_answers, n_labels)

    @cached_property
    def winner(self) -> _Ints:
        """The label with the most answers per item; -1 where there is none or a tie."""
        winner = np.full(len(self.n_answers), -1, dtype=np.int64)
        if len(self.first):
            best = np.maximum.reduceat(self.votes, self.first)
            is_best = self.votes == np.repeat(best, np.diff(self.first, append=len(self.votes)))
            single = np.add.reduceat(is_best.astype(np.int64), self.first) == 1
            label = np.maximum.reduceat(np.where(is_best, self.label, -1), self.first)
            winner[self.task[self.first][single]] = label[single]
        return winner

    @cached_property
    def lead(self) -> _Ints:
        """By how many answers the winner leads per item; 0 where there is a tie or no answer."""
        lead = np.zeros(len(self.n_answers), dtype=np.int64)
        if len(self.first):
            is_winner = self.winner[self.task] == self.label
            top = np.maximum.reduceat(np.where(is_winner, self.votes, 0), self.first)
            rest = np.maximum.reduceat(np.where(is_winner, 0, self.votes), self.first)
            lead[self.task[self.first]] = np.where(top > 0, top - rest, 0)
        return lead

    @cached_property
    def shares(self) -> _Floats:
        """Each label's share of all answers."""
        counts = np.bincount(self.label, weights=self.votes, minlength=self.n_labels)
        return counts / max(1.0, float(counts.sum()))

    @cached_property
    def paired(self) -> tuple[float, float, int]:
        """Agreement of two answers to the same item, the same by chance, and how many answers count.

        Items with one answer do not count. Both are as in Krippendorff's alpha for nominal data: each item
        weighs as much as it has answers.
        """
        n = self.n_answers[self.task]
        shared = n > 1
        total = int(self.votes[shared].sum())
        if total < 2:
            return float("nan"), float("nan"), 0
        same = self.votes[shared] * (self.votes[shared] - 1) / (n[shared] - 1)
        counts = np.bincount(self.label[shared], weights=self.votes[shared], minlength=self.n_labels)
        by_chance = float((counts * (counts - 1)).sum()) / (total * (total - 1))
        return float(same.sum()) / total, by_chance, total

    @cached_property
    def accuracy(self) -> float:
        """How often an answer is right, were all people and all mistakes alike; NaN if unknown.

        Solves a = p^2 + (1 - p)^2 / (K - 1) for p, where a is the agreement of two answers to the same item.
        """
        observed, _, total = self.paired
        if not total or self.n_labels < 2:
            return float("nan")
        wrong = self.n_labels - 1
        # p^2 (1 + 1/wrong) - 2 p / wrong + 1/wrong - a = 0
        square, minus_half = 1 + 1 / wrong, 1 / wrong
        rest = minus_half**2 - square * (1 / wrong - observed)
        return (minus_half + float(np.sqrt(max(0.0, rest)))) / square

    @cached_property
    def doubt(self) -> _Floats:
        """Probability per item that the winner is not right, if all people are as good as :attr:`accuracy`.

        Mistakes are taken to fall on one other label, as people's do, rather than evenly on all: two labels
        that got v and w answers are then as p^v (1 - p)^w to p^w (1 - p)^v. 0 for items without a winner.
        """
        doubt = np.zeros(len(self.n_answers), dtype=np.float64)
        if not len(self.first) or np.isnan(self.accuracy):
            return doubt
        accuracy = min(max(self.accuracy, 0.5 + _LEAST_EDGE), 1 - _LEAST_EDGE)
        per_vote = np.log(accuracy / (1 - accuracy))
        sizes = np.diff(self.first, append=len(self.votes))
        best = np.maximum.reduceat(self.votes, self.first)
        weight = np.exp(per_vote * (self.votes - np.repeat(best, sizes)))
        # Where all agree, the label that mistakes would fall on has no answers
        unnamed = np.where(sizes == 1, np.exp(-per_vote * best), 0.0)
        doubt[self.task[self.first]] = 1 - 1 / (np.add.reduceat(weight, self.first) + unnamed)
        doubt[self.winner < 0] = 0.0
        return doubt
