"""Who is right how often, and whether a difference between two methods is more than chance.

A method may leave an item undecided between some labels (a tied vote). Such an item counts as right with the
share ``1 / labels in the tie`` if the truth is among them: what breaking ties at random gets on average,
without its luck. For McNemar's test, which wants right or wrong, ties are broken in all ways and the p-values
averaged by how likely each way is. Where both methods are undecided about an item, they are taken to break
the tie alike as far as their odds allow.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import sparse
from scipy.special import bdtr

from groundswell.consolidation.data import Answers, Consensus

SIGNIFICANT = 0.05
_SAME = 1e-9
_UNLIKELY = 1e-12


@dataclass(frozen=True)
class Comparison:
    """One method against another on the same items.

    :param difference: of the accuracies
    :param won: items that only the method has right; expected number, where ties are involved
    :param lost: items that only the other has right
    :param p: exact two-sided McNemar test, averaged over the ways of breaking ties
    :param harm: probability that breaking the ties at random makes the method significantly the worse
    """

    difference: float
    won: float
    lost: float
    p: float
    harm: float

    @property
    def below(self) -> bool:
        """Whether the method is significantly worse."""
        return self.difference < 0 and self.p < SIGNIFICANT

    @property
    def above(self) -> bool:
        """Whether the method is significantly better."""
        return self.difference > 0 and self.p < SIGNIFICANT


def mcnemar(won: NDArray[np.int64] | int, lost: NDArray[np.int64] | int) -> NDArray[np.float64]:
    """Two-sided exact McNemar test: a fair coin's chance of ``won : lost`` or a more uneven outcome."""
    least, total = np.minimum(won, lost), np.add(won, lost)
    return np.minimum(1.0, 2.0 * np.asarray(bdtr(np.asarray(least, float), total, 0.5)))


def compare(right: NDArray[np.float64], other: NDArray[np.float64]) -> Comparison:
    """Compare the credit per item (0 to 1) that two methods get for the same items."""
    gain = right - other
    won, lost = _distribution(gain), _distribution(-gain)
    wins, losses = np.meshgrid(won[1], lost[1], indexing="ij")
    weight = np.outer(won[0], lost[0])
    p = mcnemar(wins, losses)
    harmed = (p < SIGNIFICANT) & (losses > wins)
    return Comparison(
        difference=float(np.mean(gain)) if len(gain) else 0.0,
        won=float(np.sum(gain[gain > 0])),
        lost=float(-np.sum(gain[gain < 0])),
        p=float(np.sum(weight * p)),
        harm=float(np.sum(weight[harmed])),
    )


def _distribution(gain: NDArray[np.float64]) -> tuple[NDArray[np.float64], NDArray[np.int64]]:
    """Probabilities and values of the number of items gained (Poisson-binomial), without unlikely tails."""
    sure = int(np.sum(gain > 1 - _SAME))
    chances = np.ones(1)
    for chance in gain[(gain > _SAME) & (gain <= 1 - _SAME)]:
        chances = np.convolve(chances, (1 - chance, chance))
    values = np.flatnonzero(chances > _UNLIKELY)
    return chances[values] / np.sum(chances[values]), values + sure


def credit(answers: Answers, consensus: Consensus, truth: NDArray[np.int32]) -> NDArray[np.float64]:
    """Return per item with a known truth how right the consensus is, from 0 to 1.

    :param truth: per task the position of the true label, -1 where it is not known
    """
    known = np.flatnonzero(truth >= 0)
    label = np.asarray(consensus.label)
    right: NDArray[np.float64] = (label[known] == truth[known]).astype(float)
    for place in np.flatnonzero(label[known] < 0):
        task = known[place]
        candidates = _undecided(answers, consensus, int(task))
        right[place] = float(truth[task] in candidates) / max(len(candidates), 1)
    return right


def credit_of_labels(
    label: NDArray[np.int32], truth: NDArray[np.int32], n_labels: int
) -> NDArray[np.float64]:
    """Credit for labels that are all decided; an item without one (-1) counts as a guess among all."""
    known = truth >= 0
    return np.where(label[known] < 0, 1 / n_labels, (label[known] == truth[known]).astype(float))


def _undecided(answers: Answers, consensus: Consensus, task: int) -> set[int]:
    """Return the labels between which a task without a label is undecided."""
    if consensus.posterior is None:
        votes = np.bincount(answers.label[answers.task == task], minlength=len(answers.label_names))
        return set(np.flatnonzero(votes == votes.max()).tolist())
    row = consensus.posterior[[task]]
    dense = np.asarray(row.todense() if sparse.issparse(row) else row, dtype=float).ravel()
    return set(np.flatnonzero(dense >= dense.max() * (1 - _SAME)).tolist())
