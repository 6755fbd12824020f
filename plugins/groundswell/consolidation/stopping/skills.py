"""The two forms that knowledge about workers takes: confusion matrices, and one number each."""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple, Protocol, Self

import numpy as np
from numpy.typing import NDArray

from groundswell.consolidation.data import Answers, Earlier
from groundswell.consolidation.stopping import coins, confusions
from groundswell.consolidation.stopping.coins import Coins, Pairs
from groundswell.consolidation.stopping.confusions import PUSHING, Confusions, Sorted
from groundswell.consolidation.stopping.leaders import Leaders

_EQUAL = 1e-9
"""Labels whose log-odds differ by less are tied."""


class Placed(NamedTuple):
    """Where answers stand in a model.

    :param worker: per answer, position of its worker; behind the last one for an unknown worker
    :param row: per task, its position; -1 for an unknown one
    :param counted: per answer, whether the model was fitted to it
    """

    worker: NDArray[np.int64]
    row: NDArray[np.int64]
    counted: NDArray[np.bool_]


class Skills(Protocol):
    """What is known about workers.

    What scores answers also takes where they stand in the model.
    """

    @classmethod
    def fit(cls, answers: Answers, gold: NDArray[np.int32], earlier: Earlier | None, *, rounds: int) -> Self:
        """Fit for so many rounds."""

    def leaders(self, answers: Answers, placed: Placed) -> Leaders:
        """Return the leading label of each task."""

    def posterior(self, answers: Answers, placed: Placed) -> NDArray[np.float64]:
        """Return the posterior, tasks x labels."""


@dataclass(frozen=True, eq=False)
class MatrixSkills:
    """A confusion matrix for each worker.

    :param q: what each task of the fit added to the counts of its workers, tasks x labels
    :param pushes: how far one answer moves the log-odds from one label to another
    """

    confusions: Confusions
    q: NDArray[np.float64]
    pushes: NDArray[np.float64]

    @classmethod
    def fit(
        cls, answers: Answers, gold: NDArray[np.int32], earlier: Earlier | None, *, rounds: int
    ) -> MatrixSkills:
        """Fit for so many rounds; where a class collapses, every worker is taken for an average one."""
        n_workers, n_labels = len(answers.worker_names), len(answers.label_names)
        ordered = Sorted.of(answers, answers.worker.astype(np.int64))
        before = confusions.pseudo_counts(n_workers, n_labels, earlier)
        votes = confusions.votes_of(ordered)
        q = own = _pinned(confusions.shares_of(votes), gold)
        everything = np.ones(len(answers), dtype=np.bool_)
        learnt = Confusions.learn(ordered, q, before)
        for _ in range(rounds - 1):
            own = q = _pinned(confusions.posterior(learnt.scores(ordered, own, everything)), gold)
            learnt = Confusions.learn(ordered, own, before)
        if confusions.collapsed(confusions.posterior(learnt.scores(ordered, own, everything)), votes):
            own = np.zeros_like(q)
            learnt = Confusions.untaught(before)
        given = np.bincount(answers.worker, minlength=n_workers).astype(np.float64)
        return cls(learnt, own, learnt.pushes(given, PUSHING))

    def leaders(self, answers: Answers, placed: Placed) -> Leaders:
        """Return the leading label of each task."""
        scores, answered = self._scores(answers, placed)
        n_tasks, n_labels = scores.shape
        if n_labels == 0:
            return Leaders.nobody(n_tasks)
        each = np.arange(n_tasks)
        label = scores.argmax(axis=1)
        behind = scores[each, label][:, np.newaxis] - scores
        behind[each, label] = np.inf
        push = self.pushes[label]
        with np.errstate(divide="ignore", invalid="ignore"):
            needed = np.where(push > 0, behind / push, np.inf).min(axis=1)
        tied = behind.min(axis=1) <= _EQUAL
        confidence = confusions.posterior(scores)[each, label]
        return Leaders(
            label=np.where(tied | ~answered, -1, label).astype(np.int32),
            confidence=np.where(answered, confidence, 0.0),
            answers_to_flip=np.where(answered, np.ceil(needed), 0.0),
        )

    def posterior(self, answers: Answers, placed: Placed) -> NDArray[np.float64]:
        """Return the posterior, tasks x labels; the prior where there is no answer."""
        scores, _ = self._scores(answers, placed)
        return confusions.posterior(scores) if scores.shape[1] else scores

    def _scores(self, answers: Answers, placed: Placed) -> tuple[NDArray[np.float64], NDArray[np.bool_]]:
        ordered, row = Sorted.of(answers, placed.worker), placed.row
        own = np.zeros((len(row), self.q.shape[1]))
        own[row >= 0] = self.q[row[row >= 0]]
        answered = np.zeros(len(row), dtype=np.bool_)
        answered[answers.task] = True
        return self.confusions.scores(ordered, own, placed.counted[ordered.order]), answered


@dataclass(frozen=True, eq=False)
class CoinSkills:
    """The probability of being right for each worker.

    :param keys: task * labels + label of the pairs of the fit, sorted
    :param q: what each of the pairs added to the right answers of its workers
    :param push: how far one answer moves the log-odds towards its label
    """

    coins: Coins
    keys: NDArray[np.int64]
    q: NDArray[np.float64]
    push: float

    @classmethod
    def fit(
        cls, answers: Answers, gold: NDArray[np.int32], earlier: Earlier | None, *, rounds: int
    ) -> CoinSkills:
        """Fit for so many rounds."""
        n_workers, n_labels = len(answers.worker_names), len(answers.label_names)
        pairs = Pairs.of(answers, answers.worker.astype(np.int64))
        before = Coins.before(n_workers, earlier)
        everything = np.ones(len(answers), dtype=np.bool_)
        q = _pinned_pairs(pairs, pairs.shares(), gold)
        learnt = before.learn(pairs, q)
        for _ in range(rounds - 1):
            q = _pinned_pairs(pairs, pairs.posterior(learnt.scores(pairs, q[pairs.pair], everything)), gold)
            learnt = before.learn(pairs, q)
        given = np.bincount(answers.worker, minlength=n_workers).astype(np.float64)
        keys = pairs.task * n_labels + pairs.label
        return cls(learnt, keys, q, learnt.push(given, n_labels, PUSHING))

    def leaders(self, answers: Answers, placed: Placed) -> Leaders:
        """Return the leading label of each task."""
        pairs, scores = self._scores(answers, placed)
        return coins.leaders(pairs, scores, self.push, _EQUAL)

    def posterior(self, answers: Answers, placed: Placed) -> NDArray[np.float64]:
        """Return the posterior, tasks x labels: as many numbers as that."""
        pairs, scores = self._scores(answers, placed)
        return coins.dense(pairs, scores)

    def _scores(self, answers: Answers, placed: Placed) -> tuple[Pairs, NDArray[np.float64]]:
        pairs, counted = Pairs.of(answers, placed.worker), placed.counted
        key = placed.row[pairs.task] * pairs.n_labels + pairs.label
        at = np.searchsorted(self.keys, key)
        # A pair that is not in the fit has no answer that is: what is read for it is not used
        own = np.append(self.q, 0.0)[np.minimum(at, len(self.q))]
        return pairs, self.coins.scores(pairs, own[pairs.pair] * counted, counted)


def _pinned(q: NDArray[np.float64], gold: NDArray[np.int32]) -> NDArray[np.float64]:
    """Set the rows of tasks whose label is known."""
    known = np.flatnonzero(gold >= 0)
    q[known] = 0.0
    q[known, gold[known]] = 1.0
    return q


def _pinned_pairs(pairs: Pairs, q: NDArray[np.float64], gold: NDArray[np.int32]) -> NDArray[np.float64]:
    truth = gold[pairs.task]
    return np.where(truth >= 0, (truth == pairs.label).astype(np.float64), q)
