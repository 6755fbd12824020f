"""Items of one class that differ in kind: workers who all make the same mistakes with some of them.

Enhanced Bayesian Classifier Combination: Y. Li, B. Rubinstein and T. Cohn, "Exploiting Worker Correlation
for Label Aggregation in Crowdsourcing", ICML 2019. An item of class k (probability tau[k]) has one of M
subtypes m (probability eta[k, m]), and worker j answers it with l with probability pi_j[k, m, l]. Workers
are independent only given the subtype, so their mistakes may go together: with two subtypes there are easy
items of a class, and those that many take for another. Variational Bayes, psi the digamma function, c_j[k,
m, l] expected counts:

* E-step: q_i[k, m] proportional to exp(E log tau[k] + E log eta[k, m] + the sum over answers of E log
  pi_j[k, m, l])
* M-step: E log pi_j[k, m, l] = psi(c_j[k, m, l] + alpha_j[k, l]) - psi(sum over l of the same), and alike
  for tau (with pseudo-count 1) and eta (``mixing`` / M)

The prior alpha is that of :mod:`~.dawid_skene`: the worker's accuracy and the crowd's mistakes, over both
subtypes. The paper's, 4 on the diagonal and 1 beside it, drowns the counts where there are many labels.

The paper starts at random subtypes, and its result depends on the luck of that; restarts do not reliably
find the better of two solutions. Here the start is the vote: an item whose votes agree starts mostly in the
first subtype, and one whose votes are split mostly in the second. So the same answers give the same result.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray
from scipy.special import digamma

from groundswell.consolidation.classification.candidates import too_many_labels
from groundswell.consolidation.classification.em import (
    ROUNDS,
    TOLERANCE,
    Problem,
    Weights,
    consensus,
    fit,
    vote_shares,
)
from groundswell.consolidation.classification.priors import (
    POOLED,
    RIGHT,
    WRONG,
    pseudo_counts,
    row_average,
)
from groundswell.consolidation.classification.sparse import sparse_dawid_skene
from groundswell.consolidation.classification.streaming import Expected
from groundswell.consolidation.data import Answers, Consensus, Earlier
from groundswell.consolidation.findings import Finding

MIXING = 0.1
"""Pseudo-count of the subtypes of a class, as in the paper: a subtype that is not needed dies out."""

_SUBTYPES = 2


def subtypes(
    answers: Answers,
    *,
    gold: NDArray[np.int32] | None = None,
    earlier: Earlier | None = None,
    right: float = RIGHT,
    wrong: float = WRONG,
    pooled: float = POOLED,
    mixing: float = MIXING,
    rounds: int = ROUNDS,
    tolerance: float = TOLERANCE,
) -> Consensus:
    """Consolidate with two subtypes per class.

    :param gold: a task whose label is known has it for certain, and teaches how good its workers are
    :param earlier: earlier answers of the workers, added to the counts of either subtype
    :param right: pseudo-count of right answers of each worker, above 0
    :param wrong: pseudo-count of wrong answers of each worker, above 0
    :param pooled: pseudo-counts of each class of a worker, at the worker's and the crowd's averages, above 0
    :param mixing: pseudo-count of the subtypes of a class, above 0
    :param rounds: E-steps at most
    :param tolerance: stop when fewer than this share of the answers changed their class in a round
    :raises AnswerError: gold or earlier skill do not fit the answers
    """
    if too_many_labels(answers, _SUBTYPES):
        return sparse_dawid_skene(
            answers,
            gold,
            earlier,
            right,
            wrong,
            pooled,
            rounds,
            tolerance,
            method="subtypes",
            findings=(_too_many(answers),),
        )
    problem = Problem.of(answers, gold, earlier)
    maximise = _maximiser(problem, right, wrong, pooled, mixing)
    fitted = fit(problem, _by_margin, maximise, rounds=rounds, tolerance=tolerance, subtypes=_SUBTYPES)
    return consensus(problem, fitted, "subtypes")


def _too_many(answers: Answers) -> Finding:
    return Finding(
        kind="no_subtypes",
        text=(
            f"{len(answers.label_names)} labels and {len(answers.worker_names)} workers are too many for "
            f"{len(answers)} answers to tell subtypes of a class apart, so items of a class were taken to be "
            "of one kind; collect more answers per worker, or have fewer labels."
        ),
        severity="note",
    )


def _by_margin(votes: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return a start: each label's share of the votes, divided between its subtypes by the vote's margin."""
    shares = vote_shares(votes)
    if shares.shape[1] > 1:
        best = np.partition(shares, -2, axis=1)[:, -2:]
        margin = best[:, 1] - best[:, 0]
    else:
        margin = np.ones(len(shares))
    # Between 1/4 and 3/4, so that no item starts outside a subtype
    easy = (0.25 + 0.5 * margin)[:, np.newaxis]
    return np.stack([shares * easy, shares * (1 - easy)], axis=2).reshape(len(shares), -1)


def _maximiser(
    problem: Problem, right: float, wrong: float, pooled: float, mixing: float
) -> Callable[[Expected], Weights]:
    n_workers, n_labels = problem.layout.n_workers, problem.layout.n_labels
    # Nobody knows which subtype earlier answers were about
    before = pseudo_counts(problem.earlier, n_labels)

    def maximise(expected: Expected) -> Weights:
        matrices = expected.counts.reshape(n_workers, n_labels, n_labels, _SUBTYPES)
        merged = matrices.sum(axis=3) + before
        alpha = row_average(merged, right, wrong, pooled) + before
        counts = expected.counts + np.repeat(alpha, _SUBTYPES, axis=-1)
        totals = expected.counts.sum(axis=1, keepdims=True) + pooled
        totals += np.repeat(before.sum(axis=1, keepdims=True), _SUBTYPES, axis=-1)
        log_weights = digamma(counts) - digamma(totals)
        eta = expected.totals.reshape(n_labels, _SUBTYPES) + mixing / _SUBTYPES
        tau = expected.totals.reshape(n_labels, _SUBTYPES).sum(axis=1, keepdims=True) + 1
        log_prior = digamma(eta) - digamma(eta.sum(axis=1, keepdims=True))
        log_prior += digamma(tau) - digamma(tau.sum())
        return Weights(log_weights.reshape(n_workers * n_labels, n_labels * _SUBTYPES), log_prior.ravel())

    return maximise
