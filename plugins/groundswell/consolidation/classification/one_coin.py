"""Workers with one number each: how often they are right, whatever the class.

Worker j is right with probability p_j, and otherwise gives each wrong label equally often. Here p_j has a
Beta prior and is integrated out approximately, by the variational Bayes of Q. Liu, J. Peng and A. Ihler,
"Variational Inference for Crowdsourcing", NIPS 2012. With K labels, r_j the expected number of worker j's
right answers, w_j of the wrong ones, psi the digamma function and p_j ~ Beta(a, b):

* E-step: q_i[k] proportional to tau[k] * product over the answers (j, l) of item i of exp(psi(a + r_j))
  where l = k, and exp(psi(b + w_j)) / (K - 1) elsewhere
* M-step: r_j and w_j from q; tau[k] proportional to sum of q_i[k] + 1

One number is learnt from fewer answers than a confusion matrix. Where the crowd takes one class for
another, the model does not see it, and the class can vanish from the result.
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
from groundswell.consolidation.classification.priors import RIGHT, WRONG
from groundswell.consolidation.classification.sparse import sparse_one_coin
from groundswell.consolidation.classification.streaming import Expected
from groundswell.consolidation.data import Answers, Consensus, Earlier


def one_coin(
    answers: Answers,
    *,
    gold: NDArray[np.int32] | None = None,
    earlier: Earlier | None = None,
    right: float = RIGHT,
    wrong: float = WRONG,
    rounds: int = ROUNDS,
    tolerance: float = TOLERANCE,
) -> Consensus:
    """Consolidate by the one-coin model, started at the shares of the votes.

    :param gold: a task whose label is known has it for certain, and teaches how good its workers are
    :param earlier: earlier answers of the workers, added to their right and wrong ones
    :param right: pseudo-count of right answers of each worker, above 0
    :param wrong: pseudo-count of wrong answers of each worker, above 0
    :param rounds: E-steps at most
    :param tolerance: stop when fewer than this share of the answers changed their class in a round
    :raises AnswerError: gold or earlier skill do not fit the answers
    """
    if too_many_labels(answers):
        return sparse_one_coin(answers, gold, earlier, right, wrong, rounds, tolerance)
    problem = Problem.of(answers, gold, earlier)
    maximise = _maximiser(problem, right, wrong)
    fitted = fit(problem, vote_shares, maximise, rounds=rounds, tolerance=tolerance)
    return consensus(problem, fitted, "one_coin")


def _maximiser(problem: Problem, right: float, wrong: float) -> Callable[[Expected], Weights]:
    layout, earlier = problem.layout, problem.earlier
    n_workers, n_labels = layout.n_workers, layout.n_labels
    each = np.arange(n_labels)
    given = layout.given.reshape(n_workers, n_labels).sum(axis=1)
    a = right + (0.0 if earlier is None else earlier.right)
    b = wrong + (0.0 if earlier is None else earlier.wrong)

    def maximise(expected: Expected) -> Weights:
        hits = expected.counts[:, each, each].sum(axis=1)
        # Only the difference matters: what all classes share cancels
        odds = digamma(a + hits) - digamma(b + given - hits) + np.log(max(n_labels - 1, 1))
        rows = np.zeros((n_workers, n_labels, n_labels))
        rows[:, each, each] = odds[:, np.newaxis]
        tau = expected.totals + 1
        return Weights(rows.reshape(n_workers * n_labels, n_labels), np.log(tau / tau.sum()))

    return maximise
