"""The one-coin model and Dawid and Skene's for many labels, over candidates."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

import numpy as np
from numpy.typing import NDArray
from scipy.special import digamma

from groundswell.consolidation.classification.candidates import (
    SHARE,
    Candidates,
    Shares,
    on_grid,
    summed,
)
from groundswell.consolidation.classification.priors import SMOOTHING
from groundswell.consolidation.data import Answers, Consensus, Earlier, check_gold
from groundswell.consolidation.findings import Finding


class _Model(Protocol):
    def scores(self, shares: Shares) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """Return the log-likelihood of each candidate and of each task's rest, given the last posterior."""


def sparse_one_coin(
    answers: Answers,
    gold: NDArray[np.int32] | None,
    earlier: Earlier | None,
    right: float,
    wrong: float,
    rounds: int,
    tolerance: float,
) -> Consensus:
    """Consolidate by the model of :mod:`~.one_coin`, exact here: all labels of the rest are alike."""
    candidates = _collect(answers, gold, earlier)
    hits = _Hits.of(candidates, earlier, right, wrong)
    return _fit(candidates, _OneCoin(hits), hits, "one_coin", gold, rounds, tolerance)


def sparse_dawid_skene(
    answers: Answers,
    gold: NDArray[np.int32] | None,
    earlier: Earlier | None,
    right: float,
    wrong: float,
    pooled: float,
    rounds: int,
    tolerance: float,
    *,
    method: str = "dawid_skene",
    findings: tuple[Finding, ...] = (),
) -> Consensus:
    """Consolidate by the model of :mod:`~.dawid_skene` with ``pooled`` > 0.

    Of a worker's matrix only those entries are kept that an answer and a candidate of its task name. Earlier
    confusions count as right and wrong answers.
    """
    candidates = _collect(answers, gold, earlier)
    hits = _Hits.of(candidates, earlier, right, wrong)
    model = _DawidSkene.of(candidates, hits, max(pooled, 1e-6))
    return _fit(candidates, model, hits, method, gold, rounds, tolerance, findings)


def _collect(answers: Answers, gold: NDArray[np.int32] | None, earlier: Earlier | None) -> Candidates:
    check_gold(answers, gold)
    if earlier is not None:
        earlier.check(answers)
    return Candidates.of(answers, gold)


def _fit(
    candidates: Candidates,
    model: _Model,
    hits: _Hits,
    method: str,
    gold: NDArray[np.int32] | None,
    rounds: int,
    tolerance: float,
    findings: tuple[Finding, ...] = (),
) -> Consensus:
    n_labels = len(candidates.answers.label_names)
    shares = candidates.vote_shares()
    prior = np.full(n_labels, 1 / max(n_labels, 1))
    enough = 2 * tolerance * len(candidates.answers)
    for _ in range(max(rounds, 1)):
        before = shares
        tau = candidates.totals(shares, prior) + 1
        prior = tau / tau.sum()
        scores, rest = model.scores(shares)
        scores = on_grid(scores + np.log(prior)[candidates.label], SHARE)
        rest = on_grid(rest + np.log(candidates.outside(prior)), SHARE)
        shares = candidates.softmax(scores, rest)
        moved = np.abs(shares.q - before.q) * candidates.given[candidates.group]
        if on_grid(moved, SHARE).sum() <= enough:
            break
    right, wrong = hits.count(shares)
    return candidates.consensus(shares, method, gold=gold, right=right, wrong=wrong, findings=findings)


@dataclass(frozen=True, eq=False)
class _Hits:
    """Counts workers' right and wrong answers, without and with the prior's."""

    candidates: Candidates
    given: NDArray[np.float64]
    earlier: Earlier | None
    prior: tuple[float, float]

    @classmethod
    def of(cls, candidates: Candidates, earlier: Earlier | None, right: float, wrong: float) -> _Hits:
        answers = candidates.answers
        given = np.bincount(answers.worker, minlength=len(answers.worker_names)).astype(np.float64)
        return cls(candidates, given, earlier, (right, wrong))

    def count(self, shares: Shares) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """Return the expected number of right and wrong answers of each worker, earlier ones included."""
        q = np.append(shares.q, 0.0)[self.candidates.own]
        right = summed(self.candidates.answers.worker, q, len(self.given))
        wrong = np.maximum(self.given - right, 0.0)
        if self.earlier is not None:
            right, wrong = right + self.earlier.right, wrong + self.earlier.wrong
        return right, wrong

    def with_prior(self, shares: Shares) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """Return the same with the prior's pseudo-counts."""
        right, wrong = self.count(shares)
        return right + self.prior[0], wrong + self.prior[1]


@dataclass(frozen=True, eq=False)
class _OneCoin:
    hits: _Hits

    def scores(self, shares: Shares) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """Return log-likelihoods against a label that no answer names."""
        candidates = self.hits.candidates
        right, wrong = self.hits.with_prior(shares)
        others = max(len(candidates.answers.label_names) - 1, 1)
        odds = digamma(right) - digamma(wrong) + np.log(others)
        return candidates.added(odds[candidates.answers.worker]), np.zeros(len(candidates.tasks))


@dataclass(frozen=True, eq=False)
class _DawidSkene:
    """Matrices with the entries that occur: an answer's worker and label, and a candidate of its task.

    :param entry: candidate of each (answer, candidate of its task)
    :param cell: position of its worker, label and candidate's label in the cells
    :param cell_worker: worker of each cell
    :param cell_row: position of its worker and true label among those that occur
    :param cell_mistake: position of its labels, given and true, among the crowd's; the last if they are equal
    :param mistake_true: true label of each of the crowd's mistakes
    """

    candidates: Candidates
    hits: _Hits
    pooled: float
    entry: NDArray[np.int64]
    cell: NDArray[np.int64]
    cell_worker: NDArray[np.int64]
    cell_row: NDArray[np.int64]
    cell_mistake: NDArray[np.int64]
    mistake_true: NDArray[np.int64]

    @classmethod
    def of(cls, candidates: Candidates, hits: _Hits, pooled: float) -> _DawidSkene:
        answers = candidates.answers
        n_labels = max(len(answers.label_names), 1)
        group = np.full(len(answers.task_names), -1, dtype=np.int64)
        group[candidates.tasks] = np.arange(len(candidates.tasks))
        size = np.diff(candidates.first, append=len(candidates))
        # Tasks whose labels all joined the rest have no group, and their answers no entries
        here = np.flatnonzero(group[answers.task] >= 0)
        at = group[answers.task[here]]
        each = size[at]
        answer = np.repeat(here, each)
        start = np.cumsum(each) - each
        entry = np.arange(len(answer)) + np.repeat(candidates.first[at] - start, each)
        key = answers.worker[answer].astype(np.int64) * n_labels + answers.label[answer]
        cells, cell = np.unique(key * n_labels + candidates.label[entry], return_inverse=True)
        worker, given, true = cells // n_labels**2, cells // n_labels % n_labels, cells % n_labels
        row = np.unique(worker * n_labels + true, return_inverse=True)[1]
        wrong = given != true
        mistakes, of_cell = np.unique((given * n_labels + true)[wrong], return_inverse=True)
        mistake = np.full(len(cells), len(mistakes))
        mistake[wrong] = of_cell
        return cls(candidates, hits, pooled, entry, cell, worker, row, mistake, mistakes % n_labels)

    def scores(self, shares: Shares) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """Return log-likelihoods; see :mod:`~.dawid_skene` for the prior."""
        answers = self.candidates.answers
        others = max(len(answers.label_names) - 1, 1)
        counts = summed(self.cell, shares.q[self.entry], len(self.cell_worker))
        rows = summed(self.cell_row, counts)
        right, wrong = self.hits.with_prior(shares)
        accuracy = right / (right + wrong)
        average = np.where(
            self.cell_mistake == len(self.mistake_true),
            accuracy[self.cell_worker],
            (1 - accuracy[self.cell_worker]) * self._mistakes(counts, others)[self.cell_mistake],
        )
        row_total = rows[self.cell_row] if len(rows) else rows
        log_cell = np.log(counts + self.pooled * average) - np.log(row_total + self.pooled)
        n = len(self.candidates)
        scores = summed(self.entry, on_grid(log_cell, SHARE)[self.cell], n)
        blind = on_grid(np.log((1 - accuracy) / others), SHARE)
        task = summed(answers.task, blind[answers.worker], len(answers.task_names))
        return scores, task[self.candidates.tasks]

    def _mistakes(self, counts: NDArray[np.float64], others: int) -> NDArray[np.float64]:
        """Return the crowd's share of each mistake among those with its true label, and a last number."""
        made = summed(self.cell_mistake, counts, len(self.mistake_true) + 1)[:-1]
        n_labels = len(self.candidates.answers.label_names)
        total = summed(self.mistake_true, made, n_labels)
        share = (made + SMOOTHING / others) / (total[self.mistake_true] + SMOOTHING)
        return np.append(share, 0.0)
