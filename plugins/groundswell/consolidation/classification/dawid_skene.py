"""Dawid and Skene's model of workers with a confusion matrix each, with Dirichlet priors.

A worker j who sees an item of class k answers l with probability pi_j[k, l]; items have class k with
probability tau[k]. A. P. Dawid and A. M. Skene, "Maximum Likelihood Estimation of Observer Error-Rates Using
the EM Algorithm", Applied Statistics 28(1), 1979. With c_j[k, l] the expected number of answers l of worker j
to items of class k:

* E-step: q_i[k] proportional to tau[k] * product over the answers (j, l) of item i of pi_j[k, l]
* M-step: pi_j[k, l] proportional to c_j[k, l] + alpha_j[k, l]; tau[k] proportional to sum of q_i[k] + alpha

The Dirichlet prior alpha is that of Independent Bayesian Classifier Combination (H.-C. Kim and Z. Ghahramani,
"Bayesian Classifier Combination", AISTATS 2012), as posterior means: ``right`` on the diagonal and ``wrong``
beside it. It keeps workers with few answers from being taken for perfect or for adversaries, which is where
the classic method loses to a vote. Counts of earlier batches add to it.

With ``pooled`` > 0 the prior of each row also holds that many answers as the whole crowd gave them:
alpha_j += pooled * crowd's share of l among answers to items of class k, learnt along.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from groundswell.consolidation.classification.em import (
    Fitted,
    Weights,
    consensus,
    fit,
    precision_for,
    pseudo_counts,
)
from groundswell.consolidation.classification.layout import Layout
from groundswell.consolidation.classification.streaming import Expected, Precision
from groundswell.consolidation.data import Answers, Consensus, Earlier, check_gold

RIGHT, WRONG = 4.0, 1.0
"""Pseudo-counts on and beside the diagonal: as Li, Rubinstein and Cohn chose for their comparison (2019)."""

ROUNDS = 100
TOLERANCE = 1e-4
"""Stop when fewer than this share of the answers changed their class in a round."""

_LEAST = 1e-10
"""The least count of a label that a worker gave, where there is no prior: so that its logarithm is finite."""


def dawid_skene(
    answers: Answers,
    *,
    gold: NDArray[np.int32] | None = None,
    earlier: Earlier | None = None,
    right: float = RIGHT,
    wrong: float = WRONG,
    pooled: float = 0.0,
    rounds: int = ROUNDS,
    tolerance: float = TOLERANCE,
) -> Consensus:
    """Consolidate by Dawid and Skene's model, started at the shares of the votes.

    :param gold: a task whose label is known has it for certain, and teaches how good its workers are
    :param earlier: earlier answers of the workers, added to their counts
    :param right: pseudo-count of each right answer; with ``right=0, wrong=0`` this is the classic method,
        maximum likelihood
    :param wrong: pseudo-count of each wrong answer
    :param pooled: how many answers, as the crowd gave them, each row of a worker's matrix starts with
    :param rounds: E-steps at most
    :param tolerance: stop when fewer than this share of the answers changed their class in a round
    :raises AnswerError: gold or earlier skill do not fit the answers
    """
    layout = Layout.of(answers)
    precision = _precision(layout, right, wrong)
    fitted = _fit(
        answers,
        layout,
        gold,
        earlier,
        (right, wrong, pooled),
        rounds=rounds,
        tolerance=tolerance,
        precision=precision,
    )
    known = layout.known(gold)
    return consensus(
        answers, layout, fitted, method="dawid_skene", known=known, earlier=earlier, precision=precision
    )


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
    it is more often right.

    :param rounds: E-steps, that of :meth:`~.em.Fitted.posterior` included
    :raises AnswerError: gold or earlier skill do not fit the answers
    """
    layout = Layout.of(answers)
    return _fit(
        answers,
        layout,
        gold,
        earlier,
        (right, wrong, pooled),
        rounds=rounds,
        tolerance=0.0,
        precision=_precision(layout, right, wrong),
    )


def _precision(layout: Layout, right: float, wrong: float) -> Precision:
    # Without a prior, rows of workers who hardly met a class hang on numbers like 1e-12
    return "fine" if min(right, wrong) == 0 else precision_for(layout)


def _fit(
    answers: Answers,
    layout: Layout,
    gold: NDArray[np.int32] | None,
    earlier: Earlier | None,
    strengths: tuple[float, float, float],
    *,
    rounds: int,
    tolerance: float,
    precision: Precision,
) -> Fitted:
    check_gold(answers, gold)
    if earlier is not None:
        earlier.check(answers)
    known = layout.known(gold)
    start = layout.begin(vote_shares, layout.n_labels, known=known, precision=precision)
    maximise = _maximiser(layout, earlier, *strengths)
    return fit(layout, start, maximise, rounds=rounds, tolerance=tolerance, known=known, precision=precision)


def vote_shares(votes: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return each label's share of a task's votes."""
    shares: NDArray[np.float64] = votes / votes.sum(axis=1, keepdims=True)
    return shares


def _maximiser(
    layout: Layout, earlier: Earlier | None, right: float, wrong: float, pooled: float
) -> Callable[[Expected], Weights]:
    n_workers, n_labels = layout.n_workers, layout.n_labels
    prior = np.full((n_labels, n_labels), wrong)
    np.fill_diagonal(prior, right)
    before = pseudo_counts(earlier, n_labels)
    gave = layout.given.reshape(n_workers, n_labels, 1) > 0

    def maximise(expected: Expected) -> Weights:
        counts = expected.counts + before
        if pooled:
            counts += pooled * _crowd(counts, prior)
        counts += prior
        if right == 0 or wrong == 0:
            counts = np.where(gave, np.maximum(counts, _LEAST), counts)
        totals = np.maximum(counts.sum(axis=1, keepdims=True), _LEAST)
        with np.errstate(divide="ignore"):
            log_weights = np.log(np.maximum(counts, _LEAST)) - np.log(totals)
            log_prior = np.log(expected.totals + wrong) - np.log((expected.totals + wrong).sum())
        return Weights(log_weights.reshape(-1, n_labels), np.maximum(log_prior, np.log(_LEAST)))

    return maximise


def _crowd(counts: NDArray[np.float64], prior: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return the crowd's share of each label given, by class: label given x class."""
    total = counts.sum(axis=0) + prior
    result: NDArray[np.float64] = total / np.maximum(total.sum(axis=0, keepdims=True), _LEAST)
    return result
