"""Expectation-maximisation over a layout, and from its end to a consensus."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, NamedTuple, TypedDict

import numpy as np
from numpy.typing import NDArray

from groundswell.consolidation.classification.layout import Layout, prior_of
from groundswell.consolidation.classification.skill import skill_of
from groundswell.consolidation.classification.streaming import Expected, Precision
from groundswell.consolidation.data import Answers, Consensus, Earlier, check_gold

EQUAL = 1e-9
"""Two labels are tied when their posteriors differ by less than this share of the larger."""

ROUNDS = 100
"""E-steps at most."""

TOLERANCE = 1e-3
"""Stop when fewer than this share of the answers changed their class in a round."""

_DOUBLE_UP_TO = 2**18
"""With more answers than this, single precision is used."""


@dataclass(frozen=True, eq=False)
class Problem:
    """What every model starts from.

    :param gold: per task the position of its known label, or -1
    :param known: the same in the layout's order, ``None`` where nothing is known
    """

    layout: Layout
    gold: NDArray[np.int32] | None
    known: NDArray[np.int32] | None
    earlier: Earlier | None
    precision: Precision

    @classmethod
    def of(
        cls,
        answers: Answers,
        gold: NDArray[np.int32] | None,
        earlier: Earlier | None,
        *,
        precision: Precision | None = None,
    ) -> Problem:
        """Check and lay out.

        :raises AnswerError: gold or earlier skill do not fit the answers
        """
        check_gold(answers, gold)
        if earlier is not None:
            earlier.check(answers)
        layout = Layout.of(answers)
        if precision is None:
            precision = "exact" if len(layout) <= _DOUBLE_UP_TO else "single"
        return cls(layout, gold, layout.known(gold), earlier, precision)


class _Options(TypedDict):
    known: NDArray[np.int32] | None
    precision: Precision


class Weights(NamedTuple):
    """What an M-step hands to the E-step: workers * labels x classes, and one number per class."""

    log_weights: NDArray[np.float64]
    log_prior: NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class Fitted:
    """A model of workers that scores any of their answers, without fitting again.

    :param log_weights: workers * labels x latent classes: log-probability of an answer, given the class
    :param log_prior: log-probability of each latent class
    :param expected: the expected counts that they come from
    :param subtypes: latent classes per label
    :param rounds: E-steps done
    """

    log_weights: NDArray[np.float64]
    log_prior: NDArray[np.float64]
    expected: Expected
    subtypes: int = 1
    rounds: int = 0

    def posterior(self, answers: Answers, *, gold: NDArray[np.int32] | None = None) -> NDArray[np.float64]:
        """Return the posterior of other tasks, tasks x labels.

        :param answers: of the same workers and labels, at the same positions
        """
        layout = Layout.of(answers)
        n_labels = len(answers.label_names)
        result = np.tile(_merged(prior_of(self.log_prior)[np.newaxis], n_labels), (layout.n_tasks, 1))

        def write(tasks: slice | NDArray[np.int32], latent: NDArray[Any]) -> None:
            result[tasks] = _merged(latent, n_labels)

        layout.visit(*self.weights, write, known=layout.known(gold), subtypes=self.subtypes)
        return result

    @property
    def weights(self) -> Weights:
        """The parameters of the E-step."""
        return Weights(self.log_weights, self.log_prior)


def fit(
    problem: Problem,
    begin: Callable[[NDArray[np.float64]], NDArray[np.float64]],
    maximise: Callable[[Expected], Weights],
    *,
    rounds: int,
    tolerance: float,
    subtypes: int = 1,
) -> Fitted:
    """Alternate M-steps and E-steps until the counts stand still.

    The last E-step is left to whoever uses the result: with ``rounds=1`` the start is maximised once, and
    the posterior under it is that of one round.

    :param begin: from votes (tasks x labels) to the posterior to start at (tasks x latent classes)
    :param rounds: E-steps at most, the last one included
    :param tolerance: stop when fewer than this share of the answers changed their class (in expectation)
    """
    layout = problem.layout
    options = _Options(known=problem.known, precision=problem.precision)
    expected = layout.begin(begin, layout.n_labels * subtypes, **options)
    weights = maximise(expected)
    done = 1
    while done < rounds:
        change = expected.counts
        expected = layout.expect(*weights, subtypes=subtypes, **options)
        weights = maximise(expected)
        done += 1
        np.subtract(expected.counts, change, out=change)
        # Counts are on a grid, so this sum does not depend on the order of workers or classes
        if np.abs(change, out=change).sum() <= 2 * tolerance * max(len(layout), 1):
            break
    return Fitted(*weights, expected, subtypes, done)


def consensus(problem: Problem, fitted: Fitted, method: str) -> Consensus:
    """Do the last E-step and elect each task's label."""
    layout, precision = problem.layout, problem.precision
    n_tasks, n_labels = layout.n_tasks, layout.n_labels
    label = np.full(n_tasks, -1, dtype=np.int32)
    confidence = np.zeros(n_tasks, dtype=np.float64)
    tied = np.zeros(n_tasks, dtype=np.bool_)
    # For many answers in single precision, however it is calculated: it is the largest array of the result
    many = len(layout) > _DOUBLE_UP_TO
    posterior = np.empty((n_tasks, n_labels), dtype=np.float32 if many else np.float64)
    posterior[layout.n_answers == 0] = _merged(prior_of(fitted.log_prior)[np.newaxis], n_labels)

    def write(tasks: slice | NDArray[np.int32], latent: NDArray[Any]) -> None:
        q = _merged(latent, n_labels)
        posterior[tasks] = q
        label[tasks], confidence[tasks], tied[tasks] = elect(q)

    layout.visit(*fitted.weights, write, known=problem.known, subtypes=fitted.subtypes, precision=precision)
    if problem.gold is not None:
        # Those with answers have it from the E-step
        alone = np.flatnonzero((problem.gold >= 0) & (layout.n_answers == 0))
        posterior[alone] = np.eye(n_labels)[problem.gold[alone]]
        label[alone], confidence[alone] = problem.gold[alone], 1.0
    skill = skill_of(*right_and_wrong(fitted.expected, layout, problem.earlier))
    return Consensus(
        label=label,
        confidence=confidence,
        posterior=posterior,
        worker_skill=skill.mean,
        skill_low=skill.low,
        skill_high=skill.high,
        n_answers=layout.n_answers,
        tied=tied,
        method=method,
    )


def elect(
    q: NDArray[Any],
) -> tuple[NDArray[np.int32], NDArray[np.float64], NDArray[np.bool_]]:
    """Return each task's likeliest label (-1 if two are equal), its posterior, and whether two are equal."""
    best = q[:, 0].copy()
    second = np.zeros_like(best)
    label = np.zeros(len(q), dtype=np.int32)
    for k in range(1, q.shape[1]):
        column = q[:, k]
        above = column > best
        np.maximum(second, np.minimum(best, column), out=second)
        np.copyto(best, column, where=above)
        label[above] = k
    tied = best - second <= EQUAL * best
    label[tied] = -1
    return label, best, tied


def right_and_wrong(
    expected: Expected, layout: Layout, earlier: Earlier | None
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return each worker's expected number of right answers, and of wrong ones, earlier ones included."""
    n_workers, n_labels = layout.n_workers, layout.n_labels
    subtypes = expected.counts.shape[2] // max(n_labels, 1)
    counts = expected.counts.reshape(n_workers, n_labels, n_labels, subtypes)
    each = np.arange(n_labels)
    right = counts[:, each, each].sum(axis=(1, 2))
    wrong = np.maximum(layout.given.reshape(n_workers, n_labels).sum(axis=1) - right, 0.0)
    if earlier is not None:
        right, wrong = right + earlier.right, wrong + earlier.wrong
    return right, wrong


def vote_shares(votes: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return each label's share of a task's votes, where most models start."""
    shares: NDArray[np.float64] = votes / votes.sum(axis=1, keepdims=True)
    return shares


def _merged(latent: NDArray[Any], n_labels: int) -> NDArray[Any]:
    """Add up the subtypes of each label."""
    if latent.shape[1] == n_labels:
        return latent
    # One row per class is how they are calculated
    rows = latent.T.reshape(n_labels, latent.shape[1] // n_labels, len(latent))
    result: NDArray[Any] = rows.sum(axis=1).T
    return result
