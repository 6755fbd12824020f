"""Workers whose answers say nothing about the item, or the opposite of what is so.

A worker is held against what the other workers' answers say about the same items (a vote, softened by how
often people err), never against a result that the worker's own answer took part in. Agreement that favourite
labels bring about by chance is taken off with what the others say about all of this worker's items, so that
somebody who answers "no" to everything in a batch of mostly "no" gains nothing by it and loses nothing. It is
Cohen's kappa in idea, worker against crowd.

Items are not independent if the same few people answered them all: who sits beside a guesser all day long
looks bad, too. So nothing is said about a worker who was compared with hardly anybody, and where it was with
few, answers are no more observations than these.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import scipy.sparse as sp
from numpy.typing import NDArray
from scipy.special import stdtr

if TYPE_CHECKING:
    from groundswell.consolidation.data import Answers
    from groundswell.consolidation.tally import Tally

_Floats = NDArray[np.float64]
_Bools = NDArray[np.bool_]

FALSE_ALARMS = 0.01
"""Share of mistakes to be expected among the workers that are named (Benjamini and Hochberg 1995)."""
LEAST_ANSWERS = 10
"""Nothing is said about a worker with fewer answers to items that others answered, too."""
LEAST_OTHERS, FEW_OTHERS = 3.0, 6.0
"""Nothing is said about a worker who was compared with effectively fewer others; fewer than these are few."""
WEAK = 0.7
"""A guesser's agreement beyond chance is surely below this share of what the crowd reaches on such items."""
_SOMETHING = 0.05
_LEAST_ACCURACY, _LEAST_EDGE = 0.6, 0.01
_BLOCK = 1_000_000
"""Answers that are worked on at a time, which bounds memory."""
_LEAST_SPREAD = 0.1
"""Least standard deviation of one answer's agreement, so that a few equal answers prove nothing."""


@dataclass(frozen=True, eq=False)
class Agreement:
    """How each worker agrees with the others; NaN where nothing is known.

    :param answers: answers to items that others answered, too
    :param beyond_chance: mean agreement with the others, less what chance brings about; 0 for a guesser
    :param usual: what the crowd reaches on such items
    :param guesses: probability of so little agreement by chance, if the worker knew :data:`WEAK` of the usual
    :param opposes: probability of so little agreement by chance, if the worker knew nothing
    :param knows: probability of so much agreement by chance, if the worker knew nothing
    """

    answers: _Floats
    beyond_chance: _Floats
    usual: _Floats
    guesses: _Floats
    opposes: _Floats
    knows: _Floats

    @property
    def guessers(self) -> NDArray[np.int64]:
        """Workers who surely know far less than the crowd, and who may well know nothing at all."""
        nothing = ~(self.knows < _SOMETHING) & ~named(self.opposes)
        return np.flatnonzero(named(self.guesses) & nothing)

    @property
    def inverted(self) -> NDArray[np.int64]:
        """Workers whose answers surely go against the others'."""
        return np.flatnonzero(named(self.opposes))


def named(tail: _Floats, false_share: float = FALSE_ALARMS) -> _Bools:
    """Choose so that only ``false_share`` of those chosen are so by chance; NaN is never chosen."""
    known = np.flatnonzero(~np.isnan(tail))
    chosen = np.zeros(len(tail), dtype=np.bool_)
    if len(known):
        ordered = np.sort(tail[known])
        below = np.flatnonzero(ordered <= false_share * np.arange(1, len(known) + 1) / len(known))
        if len(below):
            chosen[known] = tail[known] <= ordered[below[-1]]
    return chosen


def agreement(answers: Answers, tally: Tally, label: NDArray[np.int32]) -> Agreement:
    """Hold every worker against the others.

    :param label: label per item, -1 for none; only to tell which items are alike
    """
    n_workers, n_labels = len(answers.worker_names), tally.n_labels
    shared = np.flatnonzero(tally.n_answers[answers.task] > 1)
    task, worker, given = answers.task[shared], answers.worker[shared], answers.label[shared]
    same, around = _others(tally, shared, worker, n_workers)
    n: _Floats = np.bincount(worker, minlength=n_workers).astype(np.float64)
    count: _Floats = np.maximum(n, 1.0)

    def per_label(values: _Floats) -> sp.csr_array:
        return sp.csr_array((values, (worker, given)), shape=(n_workers, n_labels))

    own, agreed = per_label(np.ones(len(task))), per_label(same)
    mean_around = sp.csr_array(around.multiply(np.reciprocal(count)[:, None]))

    by_chance = _row_sums(own * mean_around)
    excess = _row_sums(agreed) - by_chance
    # One answer's excess is its agreement less the mean agreement that its label finds on this worker's items
    squares = (
        np.bincount(worker, weights=same**2, minlength=n_workers)
        - 2 * _row_sums(agreed * mean_around)
        + _row_sums(own * mean_around * mean_around)
    )
    variance = np.maximum(squares / count - (excess / count) ** 2, _LEAST_SPREAD**2)
    kind = np.where(label[task] < 0, n_labels, label[task])
    reached: _Floats = np.bincount(kind, weights=same, minlength=n_labels + 1).astype(np.float64)
    reached /= np.maximum(np.bincount(kind, minlength=n_labels + 1), 1)
    usual = np.bincount(worker, weights=reached[kind], minlength=n_workers) - _row_sums(around * mean_around)
    nothing = np.where(n >= LEAST_ANSWERS, 0.0, np.nan)
    beyond, usual = excess / count + nothing, usual / count + nothing
    error, freedom = np.sqrt(variance / np.maximum(n - 1, 1)), n - 1
    lacking = beyond - WEAK * usual
    knows = _tail(-beyond, error, freedom)
    suspects = np.flatnonzero(named(_tail(lacking, error, freedom)) | named(_tail(beyond, error, freedom)))
    if len(suspects):
        met = others_met(answers, suspects)
        error[suspects[met < LEAST_OTHERS]] = np.nan
        freedom[suspects] = np.where(met < FEW_OTHERS, met - 1, freedom[suspects])
    return Agreement(n, beyond, usual, _tail(lacking, error, freedom), _tail(beyond, error, freedom), knows)


def _others(
    tally: Tally, shared: NDArray[np.int64], worker: NDArray[np.int32], n_workers: int
) -> tuple[_Floats, sp.csr_array]:
    """What the others say about the label of each answer, and per worker and label, summed over the items."""
    same = np.zeros(len(shared))
    around = sp.csr_array((n_workers, tally.n_labels), dtype=np.float64)
    if not len(shared):
        return same, around
    accuracy = min(max(tally.accuracy, _LEAST_ACCURACY), 1 - _LEAST_EDGE)
    per_vote = float(np.log(accuracy / (1 - accuracy)))
    labels = np.diff(tally.first, append=len(tally.votes))
    place = np.repeat(np.arange(len(labels)), labels)
    for begin in range(0, len(shared), _BLOCK):
        block = slice(begin, begin + _BLOCK)
        own = tally.pair_of[shared[block]]
        sizes = labels[place[own]]
        answer = np.repeat(np.arange(len(own)), sizes)
        start = np.cumsum(sizes) - sizes
        pair = np.arange(len(answer)) + np.repeat(tally.first[place[own]] - start, sizes)
        is_own = pair == own[answer]
        votes = tally.votes[pair] - is_own
        said = np.exp(per_vote * (votes - np.repeat(np.maximum.reduceat(votes, start), sizes)))
        said[votes == 0] = 0.0
        said /= np.repeat(np.add.reduceat(said, start), sizes)
        same[block] = said[is_own]
        cells = (said, (worker[block][answer], tally.label[pair]))
        around = around + sp.csr_array(cells, shape=around.shape)
    return same, around.tocsr()


def _tail(mean: _Floats, error: _Floats, freedom: _Floats) -> _Floats:
    """Probability of a mean so low or lower where it is 0 in truth (Student's t); NaN if unknown."""
    tail: _Floats = stdtr(np.maximum(freedom, 1), mean / np.maximum(error, 1e-9))
    return tail


def others_met(answers: Answers, suspects: NDArray[np.int64]) -> _Floats:
    """How many others each of these workers was compared with, effectively: (sum c)^2 / (sum c^2).

    c is the number of answers that the worker and one of the others have to the same items.
    """
    place = np.full(len(answers.worker_names), -1, dtype=np.int64)
    place[suspects] = np.arange(len(suspects))
    own = np.flatnonzero(place[answers.worker] >= 0)
    order = np.argsort(answers.task, kind="stable")
    sorted_task = answers.task[order]
    begin = np.searchsorted(sorted_task, answers.task[own])
    sizes = np.searchsorted(sorted_task, answers.task[own], side="right") - begin
    mine = np.repeat(own, sizes)
    theirs = order[np.arange(len(mine)) + np.repeat(begin - np.cumsum(sizes) + sizes, sizes)]
    met = answers.worker[mine] != answers.worker[theirs]
    n_workers = len(answers.worker_names)
    code = place[answers.worker[mine[met]]] * n_workers + answers.worker[theirs[met]]
    pair, counts = np.unique(code, return_counts=True)
    of = pair // n_workers
    total = np.bincount(of, weights=counts, minlength=len(suspects))
    squares = np.bincount(of, weights=counts.astype(np.float64) ** 2, minlength=len(suspects))
    return total**2 / np.maximum(squares, 1)


def _row_sums(matrix: sp.csr_array) -> _Floats:
    sums: _Floats = np.asarray(matrix.sum(axis=1), dtype=np.float64).ravel()
    return sums
