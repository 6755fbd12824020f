"""What is known about the workers while answers are still coming in: the model behind ``confidence``.

An early-stopped Independent Bayesian Classifier Combination (Kim and Ghahramani, "Bayesian Classifier
Combination", AISTATS 2012): Dawid and Skene's model (1979) with a Dirichlet prior on each row of a worker's
confusion matrix, here as expectation-maximisation with posterior means, from the shares of the votes, for
three rounds. Converged, it is too sure of itself where workers have given few answers each.

"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import scipy.sparse as sp
from numpy.typing import NDArray

from groundswell.consolidation.data import Answers

RIGHT, WRONG = 4.0, 1.0
"""Pseudo-counts of a worker's right answers, and of each kind of wrong ones, before anything is known."""

ROUNDS = 3
"""Rounds of expectation-maximisation."""

_TINY = 1e-9
"""Two labels whose posteriors differ by less, relatively, are tied."""

_KNOWN = 8.0
"""Answers to items of known label from which on a worker's single answer is trusted."""


@dataclass(frozen=True, eq=False)
class Outlook:
    """What the model says about items.

    :param label: the likeliest label of each task; -1 where there is no answer or a tie
    :param confidence: its posterior probability under the model, 0 where there is no answer
    :param trusted: there are answers enough to believe the model: two, or one by a worker of known skill
    :param answers_to_flip: how many more answers it would take at least to make another label the likeliest
    """

    label: NDArray[np.int32]
    confidence: NDArray[np.float64]
    trusted: NDArray[np.bool_]
    answers_to_flip: NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class EarlyModel:
    """The workers' skill so far, to judge items by their newest answers without refitting.

    :param worker_names: the workers that it knows
    :param label_names: the labels
    :param fitted_on: how many answers it was fitted on, to see when it is time to fit it again
    """

    worker_names: tuple[str, ...]
    label_names: tuple[str, ...]
    fitted_on: int
    _log_theta: NDArray[np.float64]  # workers + 1 (the unknown worker), truth, answer
    _log_prior: NDArray[np.float64]
    _known: NDArray[np.float64]

    @classmethod
    def fit(
        cls, answers: Answers, *, gold: NDArray[np.int32] | None = None, earlier: Any = None
    ) -> EarlyModel:
        """Fit to all answers of a run.

        :param gold: per task the position of its known label, or -1
        :param earlier: pseudo-counts of the workers from earlier runs, already discounted
        """
        n_workers, n_labels = len(answers.worker_names), len(answers.label_names)
        pick = _indicator(answers)
        q = _vote_shares(answers)
        _pin(q, gold)
        counts = np.full((n_workers + 1, n_labels, n_labels), WRONG)
        counts[:, np.arange(n_labels), np.arange(n_labels)] = RIGHT
        if earlier is not None and earlier.confusion is not None:
            counts[:-1] += earlier.confusion
        theta = prior = np.empty(0)
        for _ in range(ROUNDS):
            found = (pick.T @ q).reshape(n_workers, n_labels, n_labels).transpose(0, 2, 1)
            grown = counts.copy()
            grown[:-1] += found
            theta = np.log(grown / grown.sum(axis=2, keepdims=True))
            prior = np.log((q.sum(axis=0) + 1.0) / (len(q) + n_labels))
            q = _softmax(pick @ theta[:-1].transpose(0, 2, 1).reshape(-1, n_labels) + prior)
            _pin(q, gold)
        known = np.zeros(n_workers + 1)
        if gold is not None:
            known[:-1] += np.bincount(answers.worker[gold[answers.task] >= 0], minlength=n_workers)
        if earlier is not None:
            known[:-1] += earlier.right + earlier.wrong
        return cls(
            worker_names=tuple(answers.worker_names),
            label_names=tuple(answers.label_names),
            fitted_on=len(answers),
            _log_theta=theta,
            _log_prior=prior,
            _known=known,
        )

    def posterior(self, answers: Answers) -> NDArray[np.float64]:
        """Return how likely each label is, tasks x labels, from these answers.

        :raises ValueError: the answers have other labels than the model
        """
        return _softmax(self._scores(answers, self._workers_of(answers)))

    def outlook(self, answers: Answers) -> Outlook:
        """Return what the model says about the tasks of these answers.

        :raises ValueError: the answers have other labels than the model
        """
        n_tasks = len(answers.task_names)
        worker = self._workers_of(answers)
        q = _softmax(self._scores(answers, worker))
        n_answers = np.bincount(answers.task, minlength=n_tasks)
        ranked = np.partition(q, -2, axis=1) if q.shape[1] > 1 else np.column_stack([np.zeros(n_tasks), q])
        best, second = ranked[:, -1], ranked[:, -2]
        tied = best - second <= _TINY * best
        known = np.bincount(answers.task, weights=self._known[worker] >= _KNOWN, minlength=n_tasks)
        with np.errstate(divide="ignore"):
            margin = np.log(best) - np.log(second)
        return Outlook(
            label=np.where(tied | (n_answers == 0), -1, q.argmax(axis=1)).astype(np.int32),
            confidence=np.where(n_answers > 0, best, 0.0),
            trusted=~tied & ((n_answers > 1) | (known > 0)),
            answers_to_flip=np.where(n_answers > 0, np.ceil(margin / self._push()), 0.0),
        )

    def _push(self) -> float:
        diagonal = np.exp(self._log_theta.diagonal(axis1=1, axis2=2)).mean(axis=1)
        best = min(float(np.quantile(diagonal, 0.9)), 1 - 1e-6)
        others = max(len(self.label_names) - 1, 1)
        return max(float(np.log(best * others / (1 - best))), 1e-3)

    def _workers_of(self, answers: Answers) -> NDArray[np.intp]:
        """Return the position in the model of each answer's worker; the last one for an unknown worker."""
        if tuple(answers.label_names) != self.label_names:
            raise ValueError(
                f"the model has the labels {self.label_names}, the answers {tuple(answers.label_names)}"
            )
        position = {name: at for at, name in enumerate(self.worker_names)}
        unknown = len(position)
        at = np.array([position.get(name, unknown) for name in answers.worker_names], dtype=np.intp)
        return at[answers.worker]

    def _scores(self, answers: Answers, worker: NDArray[np.intp]) -> NDArray[np.float64]:
        n_labels = len(self.label_names)
        column = worker * n_labels + answers.label
        pick = sp.csr_array(
            (np.ones(len(answers)), (answers.task, column)),
            shape=(len(answers.task_names), len(self._log_theta) * n_labels),
        )
        scores: NDArray[np.float64] = pick @ self._log_theta.transpose(0, 2, 1).reshape(-1, n_labels)
        return scores + self._log_prior


def _indicator(answers: Answers) -> sp.csr_array:
    n_labels = len(answers.label_names)
    column = answers.worker.astype(np.int64) * n_labels + answers.label
    return sp.csr_array(
        (np.ones(len(answers)), (answers.task, column)),
        shape=(len(answers.task_names), len(answers.worker_names) * n_labels),
    )


def _vote_shares(answers: Answers) -> NDArray[np.float64]:
    n_tasks, n_labels = len(answers.task_names), len(answers.label_names)
    pair = answers.task.astype(np.int64) * n_labels + answers.label
    votes = np.bincount(pair, minlength=n_tasks * n_labels).reshape(n_tasks, n_labels).astype(np.float64)
    total = votes.sum(axis=1, keepdims=True)
    shares: NDArray[np.float64] = np.where(total > 0, votes / np.maximum(total, 1), 1 / max(n_labels, 1))
    return shares


def _pin(q: NDArray[np.float64], gold: NDArray[np.int32] | None) -> None:
    """Set the rows of tasks whose label is known."""
    if gold is not None:
        known = np.flatnonzero(gold >= 0)
        q[known] = 0.0
        q[known, gold[known]] = 1.0


def _softmax(scores: NDArray[np.float64]) -> NDArray[np.float64]:
    if scores.shape[1] == 0:
        return scores
    grown = np.exp(scores - scores.max(axis=1, keepdims=True))
    result: NDArray[np.float64] = grown / grown.sum(axis=1, keepdims=True)
    return result
