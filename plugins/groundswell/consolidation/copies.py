"""Pairs of workers who make the same mistakes far more often than two people do.

Two people who both know the answer agree, so only mistakes tell (Dong, Berti-Equille and Srivastava 2009).
But some items mislead everybody, and some people confuse the same two labels, and neither is copying. So for
each item that two workers share, the probability of the same mistake is the larger of two explanations:

- the item: a beta-binomial predicts from the mistakes of the *other* workers on this item, scaled by how
  often the two err elsewhere;
- the label: both workers' own confusion of the item's label with the wrong one, independently.

The mistakes in common are then held against a Poisson variable with the sum of these. Where nearly all
mistakes of the two are in common, so that it tells how few each made alone, they are held against a binomial
variable of the items on which either erred. Both stand for sums of unequal chances, whose tails are below
theirs (Hoeffding 1956). The number of pairs that might have been found is allowed for. Pairs are found by
their common mistakes, so that ten thousand workers do not make fifty million pairs.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray
from scipy.special import bdtrc, pdtrc

if TYPE_CHECKING:
    from groundswell.consolidation.data import Answers
    from groundswell.consolidation.tally import Tally

_Ints = NDArray[np.int64]
_Floats = NDArray[np.float64]

FALSE_ALARM = 0.01
"""Probability of any pair being named by chance in a batch (Bonferroni)."""
LEAST_COMMON = 5
"""Fewest common mistakes that make a pair."""
ALIKE = 0.5
"""A pair's common mistakes are at least this share of all mistakes of the two on the items they share."""
TIMES = 2.0
"""And at least this many times what the two explanations expect."""
NEARLY_ALL = 0.8
"""From this share of all mistakes of the two on, those that each made alone count, too."""
SURPRISING = 0.75
"""But only if the two explanations expect at most this share."""
LARGEST_GROUP = 20
"""An item on which more workers make one and the same mistake misleads; it says nothing about pairs."""
LEAST_ON_ITEM = 4
"""Answers that an item needs: two who might be a pair, and two others who say what is right."""
MOST_PAIRS = 2000
_DENSE = 20_000_000
_SHRINK = 2.0
_MOST = 0.95


@dataclass(frozen=True)
class Pair:
    """Two workers who may be one, or copy.

    :param workers: their positions
    :param shared: items that both answered, among those that can tell
    :param common: mistakes that both made there
    :param either: mistakes that at least one of them made there
    :param expected: common mistakes to be expected of two people who do not know of each other
    """

    workers: tuple[int, int]
    shared: int
    common: int
    either: int
    expected: float


def copies(answers: Answers, tally: Tally, label: NDArray[np.int32]) -> tuple[Pair, ...]:
    """Find the pairs, those with the most common mistakes first.

    :param label: what is held to be right per item; -1 if unknown
    """
    mistakes = _Mistakes.of(answers, tally, label)
    first, second, common = mistakes.pairs()
    found = []
    if len(first):
        seen = mistakes.expectation(first, second)
        limit = FALSE_ALARM / 2 / mistakes.possible_pairs()
        often = (pdtrc(common - 1, seen.expected) <= limit) & (common >= TIMES * seen.expected)
        together = (bdtrc(common - 1, seen.either, seen.overlap) <= limit) & (seen.overlap <= SURPRISING)
        chosen = (often & (common >= ALIKE * seen.either)) | (together & (common >= NEARLY_ALL * seen.either))
        for at in np.flatnonzero(chosen):
            pair = (int(first[at]), int(second[at]))
            counts = (int(seen.shared[at]), int(common[at]), int(seen.either[at]))
            found.append(Pair(pair, *counts, float(seen.expected[at])))
    return tuple(sorted(found, key=lambda pair: (-pair.common, pair.workers)))


@dataclass(frozen=True, eq=False)
class _Expectation:
    """What two people who do not know of each other would do, per pair."""

    expected: _Floats
    """Common mistakes."""
    overlap: _Floats
    """Mean probability of a common mistake on the items where either errs."""
    shared: _Ints
    either: _Ints


@dataclass(frozen=True, eq=False)
class _Mistakes:
    """The answers to items that can tell about pairs, sorted by worker and item."""

    worker: _Ints
    task: _Ints
    given: _Ints
    right: _Ints
    """What is held to be right on the answer's item."""
    n: _Ints
    """Answers to the answer's item."""
    errors: _Ints
    """Mistakes on the answer's item."""
    key: _Ints
    n_workers: int
    n_tasks: int
    n_labels: int

    @classmethod
    def of(cls, answers: Answers, tally: Tally, label: NDArray[np.int32]) -> _Mistakes:
        n_tasks = len(tally.n_answers)
        is_error = tally.label != label[tally.task]
        largest = np.zeros(n_tasks, dtype=np.int64)
        np.maximum.at(largest, tally.task[is_error], tally.votes[is_error])
        tells = (label >= 0) & (tally.n_answers >= LEAST_ON_ITEM) & (largest <= LARGEST_GROUP)
        errors = np.bincount(tally.task[is_error], weights=tally.votes[is_error], minlength=n_tasks)
        kept = np.flatnonzero(tells[answers.task])
        key = answers.worker[kept].astype(np.int64) * n_tasks + answers.task[kept]
        key, at = np.unique(key, return_index=True)  # somebody who gave an item two labels counts once
        kept = kept[at]
        task = answers.task[kept].astype(np.int64)
        return cls(
            worker=answers.worker[kept].astype(np.int64),
            task=task,
            given=answers.label[kept].astype(np.int64),
            right=label[task].astype(np.int64),
            n=tally.n_answers[task],
            errors=errors[task].astype(np.int64),
            key=key,
            n_workers=len(answers.worker_names),
            n_tasks=n_tasks,
            n_labels=tally.n_labels,
        )

    @property
    def wrong(self) -> NDArray[np.bool_]:
        different: NDArray[np.bool_] = self.given != self.right
        return different

    def pairs(self) -> tuple[_Ints, _Ints, _Ints]:
        """Pairs of workers with enough common mistakes, and how many; at most MOST_PAIRS, those with most."""
        wrong = np.flatnonzero(self.wrong)
        group = self.task[wrong] * self.n_labels + self.given[wrong]
        order = np.lexsort((self.worker[wrong], group))
        group, worker = group[order], self.worker[wrong][order]
        pairs = []
        for step in range(1, LARGEST_GROUP):
            together = np.flatnonzero(group[step:] == group[:-step])
            if not len(together):
                break
            pairs.append(worker[together] * self.n_workers + worker[together + step])
        nothing = np.zeros(0, dtype=np.int64)
        code, common = np.unique(np.concatenate([nothing, *pairs]), return_counts=True)
        enough = np.flatnonzero(common >= LEAST_COMMON)
        enough = enough[np.argsort(-common[enough], kind="stable")][:MOST_PAIRS]
        return code[enough] // max(1, self.n_workers), code[enough] % max(1, self.n_workers), common[enough]

    def possible_pairs(self) -> float:
        """At least as many as there are pairs of workers who share LEAST_COMMON items."""
        workers = len(np.unique(self.worker))
        # Every answer meets n - 1 others
        meetings = float((self.n - 1).sum()) / 2
        return max(1.0, min(workers * (workers - 1) / 2, meetings / LEAST_COMMON))

    def expectation(self, first: _Ints, second: _Ints) -> _Expectation:
        """Work out what is to be expected of each pair on the items that both answered."""
        alpha, beta, alike = self._mislead()
        tendency = self._tendency(alpha, beta)
        begin = np.searchsorted(self.worker, np.arange(self.n_workers + 1))
        sizes = np.diff(begin)
        confusion, place = self._confusion(first, second)
        expected, overlap = np.zeros(len(first)), np.ones(len(first))
        shared, either = np.zeros(len(first), dtype=np.int64), np.zeros(len(first), dtype=np.int64)
        for at, (one, two) in enumerate(zip(first, second, strict=True)):
            one, two = (one, two) if sizes[one] <= sizes[two] else (two, one)
            mine = np.arange(begin[one], begin[one + 1])
            wanted = two * self.n_tasks + self.task[mine]
            found = np.minimum(np.searchsorted(self.key, wanted), len(self.key) - 1)
            both = self.key[found] == wanted
            mine, theirs = mine[both], found[both]
            own = self.wrong[mine].astype(np.int64) + self.wrong[theirs]
            rest, wrong = self.n[mine] - 2, self.errors[mine] - own
            single = (alpha + wrong) / (alpha + beta + rest)
            same = single * (alpha + wrong + 1) / (alpha + beta + rest + 1) * np.where(wrong > 0, 1.0, alike)
            same = same * tendency[one] * tendency[two]
            share = _overlap(same, single * tendency[one], single * tendency[two])
            if confusion is not None:
                right = self.right[mine]
                a, b = confusion[place[one]], confusion[place[two]]
                both_so = (a * b).sum(axis=1)
                same = np.maximum(same, both_so[right])
                share = np.maximum(share, _overlap(both_so, a.sum(axis=1), b.sum(axis=1))[right])
            erred = own > 0
            expected[at] = np.minimum(same, _MOST).sum()
            overlap[at] = share[erred].mean()
            shared[at], either[at] = len(mine), int(erred.sum())
        return _Expectation(expected, overlap, shared, either)

    def _mislead(self) -> tuple[float, float, float]:
        """Beta distribution of an item's share of mistakes by moments; how often two of them are the same."""
        once = np.unique(self.task, return_index=True)[1]
        n, errors = self.n[once].astype(np.float64), self.errors[once].astype(np.float64)
        mean = float(errors.sum()) / float(n.sum())
        both = float((errors * (errors - 1)).sum())
        square = both / float((n * (n - 1)).sum())
        spread = square - mean * mean
        strength = min(max((mean - square) / spread, 0.5), 1000.0) if spread > 0 else 1000.0
        group = self.task[self.wrong] * self.n_labels + self.given[self.wrong]
        same = np.unique(group, return_counts=True)[1].astype(np.float64)
        alike = float((same * (same - 1)).sum()) / both if both > 0 else 1.0
        return mean * strength, (1 - mean) * strength, min(1.0, alike)

    def _tendency(self, alpha: float, beta: float) -> _Floats:
        """Each worker's mistakes, as a multiple of what the others' mistakes on the same items predict."""
        wrong = self.wrong
        predicted = (alpha + self.errors - wrong) / (alpha + beta + self.n - 1)
        made = np.bincount(self.worker, weights=wrong, minlength=self.n_workers)
        due = np.bincount(self.worker, weights=predicted, minlength=self.n_workers)
        result: _Floats = (made + _SHRINK) / (due + _SHRINK)
        return result

    def _confusion(self, first: _Ints, second: _Ints) -> tuple[_Floats | None, _Ints]:
        """Wrong answers per label that is right, [place, right, given], for the workers of the pairs."""
        members = np.unique(np.concatenate([first, second]))
        place = np.zeros(self.n_workers, dtype=np.int64)
        place[members] = np.arange(len(members))
        size = self.n_labels**2
        if len(members) * size > _DENSE:
            return None, place
        cell = self.right * self.n_labels + self.given
        pooled = np.bincount(cell, minlength=size).reshape(self.n_labels, self.n_labels).astype(np.float64)
        pooled /= np.maximum(pooled.sum(axis=1, keepdims=True), 1)
        listed = np.isin(self.worker, members)
        cells = place[self.worker[listed]] * size + cell[listed]
        counts = np.bincount(cells, minlength=len(members) * size).astype(np.float64)
        counts = counts.reshape(len(members), self.n_labels, self.n_labels)
        shares: _Floats = (counts + _SHRINK * pooled) / (counts.sum(axis=2, keepdims=True) + _SHRINK)
        shares[:, np.arange(self.n_labels), np.arange(self.n_labels)] = 0.0
        return shares, place


def _overlap(both: _Floats, one: _Floats, two: _Floats) -> _Floats:
    """Probability that both err in the same way where at least one of them errs."""
    return np.minimum(both / np.maximum(one + two - both, both), 1.0)
