"""Dawid and Skene's model of workers with a confusion matrix each, with Dirichlet priors.

A worker j who sees an item of class k answers l with probability pi_j[k, l]; items have class k with
probability tau[k]. A. P. Dawid and A. M. Skene, "Maximum Likelihood Estimation of Observer Error-Rates
Using the EM Algorithm", Applied Statistics 28(1), 1979. With c_j[k, l] the expected number of answers l of
worker j to items of class k:

* E-step: q_i[k] proportional to tau[k] * product over the answers (j, l) of item i of pi_j[k, l]
* M-step: pi_j[k, l] proportional to c_j[k, l] + alpha_j[k, l]; tau[k] proportional to sum of q_i[k] + 1

The Dirichlet prior alpha is what keeps workers with few answers from being taken for perfect or for
adversaries, which is where the classic method (alpha = 0) loses to a vote. There are two:

* ``pooled`` = s > 0: alpha_j[k, k] = s * p_j and alpha_j[k, l] = s * (1 - p_j) * e[k, l]. Here p_j is how
  often the worker is right, (right + sum of c_j[k, k]) / (right + wrong + sum of c_j), and e[k, l] is which
  mistakes the whole crowd makes with class k, (sum over j of c_j[k, l] + 2 / (K - 1)) / (sum over j and l
  != k of c_j[k, l] + 2) with K labels. So a worker of whom little is known is an average one, a class that
  a worker hardly met takes after the worker's other classes, and with hundreds of labels the counts are not
  drowned. The idea of drawing workers' rows from the crowd's is that of M. Venanzi et al., "Community-Based
  Bayesian Aggregation Models for Crowdsourcing", WWW 2014, with one community.
* ``pooled`` = 0: ``right`` on the diagonal and ``wrong`` beside it, which is Independent Bayesian
  Classifier Combination (H.-C. Kim and Z. Ghahramani, "Bayesian Classifier Combination", AISTATS 2012) by
  posterior means. For few labels.

Counts of earlier batches add to c_j.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from groundswell.consolidation.classification.candidates import too_many_labels
from groundswell.consolidation.classification.em import (
    ROUNDS,
    TOLERANCE,
    Fitted,
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

_LEAST = 1e-10
"""The least count of a label that a worker gave, where there is no prior: so that its logarithm is finite."""


def dawid_skene(
    answers: Answers,
    *,
    gold: NDArray[np.int32] | None = None,
    earlier: Earlier | None = None,
    right: float = RIGHT,
    wrong: float = WRONG,
    pooled: float = POOLED,
    rounds: int = ROUNDS,
    tolerance: float = TOLERANCE,
) -> Consensus:
    """Consolidate by Dawid and Skene's model, started at the shares of the votes.

    With ``right=0, wrong=0, pooled=0`` it is the classic method, maximum likelihood.

    :param gold: a task whose label is known has it for certain, and teaches how good its workers are
    :param earlier: earlier answers of the workers, added to their counts
    :param right: pseudo-count of right answers: of the worker if ``pooled``, otherwise of each class
    :param wrong: pseudo-count of wrong answers: of the worker if ``pooled``, otherwise of each wrong label
    :param pooled: pseudo-counts of each class of a worker, at the worker's and the crowd's averages
    :param rounds: E-steps at most
    :param tolerance: stop when fewer than this share of the answers changed their class in a round
    :raises AnswerError: gold or earlier skill do not fit the answers
    """
    if too_many_labels(answers) and pooled:
        return sparse_dawid_skene(answers, gold, earlier, right, wrong, pooled, rounds, tolerance)
    problem, fitted = _fit(answers, gold, earlier, (right, wrong, pooled), rounds, tolerance)
    return consensus(problem, fitted, "dawid_skene")


def fit_rounds(
    answers: Answers,
    *,
    gold: NDArray[np.int32] | None = None,
    earlier: Earlier | None = None,
    right: float = RIGHT,
    wrong: float = WRONG,
    pooled: float = 0.0,
    rounds: int = 3,
) -> Fitted:
    """Fit for so many rounds, and return the model, which scores any tasks of the same workers.

    Stopped after three to five rounds, the model is less sure of itself than at the end, and with few answers
    it is more often right. For few labels: every worker has a full matrix.

    :param rounds: E-steps, that of :meth:`~.em.Fitted.posterior` included
    :raises AnswerError: gold or earlier skill do not fit the answers
    """
    return _fit(answers, gold, earlier, (right, wrong, pooled), rounds, 0.0)[1]


def _fit(
    answers: Answers,
    gold: NDArray[np.int32] | None,
    earlier: Earlier | None,
    strengths: tuple[float, float, float],
    rounds: int,
    tolerance: float,
) -> tuple[Problem, Fitted]:
    classic = strengths[2] == 0 and 0 in strengths[:2]
    # Without a prior, rows of workers who hardly met a class hang on numbers like 1e-12
    problem = Problem.of(answers, gold, earlier, precision="fine" if classic else None)
    maximise = _maximiser(problem, *strengths)
    return problem, fit(problem, vote_shares, maximise, rounds=rounds, tolerance=tolerance)


def _maximiser(problem: Problem, right: float, wrong: float, pooled: float) -> Callable[[Expected], Weights]:
    layout = problem.layout
    n_workers, n_labels = layout.n_workers, layout.n_labels
    before = pseudo_counts(problem.earlier, n_labels)
    fixed = np.full((n_labels, n_labels), wrong)
    np.fill_diagonal(fixed, right)
    gave = layout.given.reshape(n_workers, n_labels, 1) > 0

    def maximise(expected: Expected) -> Weights:
        counts = expected.counts + before
        if pooled:
            totals = counts.sum(axis=1, keepdims=True) + pooled
            counts += row_average(counts, right, wrong, pooled)
        elif right == 0 or wrong == 0:
            counts = np.where(gave, np.maximum(counts + fixed, _LEAST), 0.0)
            totals = np.maximum(counts.sum(axis=1, keepdims=True), _LEAST)
        else:
            counts += fixed
            totals = counts.sum(axis=1, keepdims=True)
        # In place: with many workers, each of these arrays is one of the larger ones
        np.maximum(counts, _LEAST, out=counts)
        np.log(counts, out=counts)
        counts -= np.log(totals)
        # Add one, except where the classic result is asked for
        tau = expected.totals + (wrong > 0 or pooled > 0)
        log_prior = np.log(np.maximum(tau, _LEAST)) - np.log(max(tau.sum(), _LEAST))
        return Weights(counts.reshape(n_workers * n_labels, n_labels), log_prior)

    return maximise
