"""A ranking from comparisons of two items each: Bradley and Terry's model, with and without workers' skill.

P(i beats j) = exp(s_i) / (exp(s_i) + exp(s_j)) (Bradley and Terry 1952). Scores are those of the posterior
mode under a prior that gives each item half a win and half a loss against an average one. So an item that
never lost has a finite score, groups of items that were never compared with each other meet at the average,
and swapping "better" and "worse" just turns the ranking around.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import scipy.sparse as sp
from numpy.typing import NDArray
from scipy.sparse.csgraph import connected_components
from scipy.special import expit, log_expit, ndtr, ndtri

from groundswell.consolidation.agreement import NO_CHANCE, NO_PAIR, Agreement
from groundswell.consolidation.classification.skill import skill_of
from groundswell.consolidation.comparisons import LEFT, RIGHT, TIE, Comparisons, Ranking
from groundswell.consolidation.data import Earlier
from groundswell.consolidation.findings import Finding
from groundswell.consolidation.remarks import first_names, remarks
from groundswell.errors import AnswerError

Ints = NDArray[np.int64]
Floats = NDArray[np.float64]

_PRIOR = 1.0
"""Comparisons with an average item, half of them won, that are added to each item's."""

_RIGHT, _WRONG = 4.0, 1.0
"""Pseudo-counts of a worker's right and wrong answers before anything is known."""

_CLOSE = 1e-9
_EQUAL = 1e-6
"""Scores that differ by less are tied."""

_STEPS = 2000
_FEW_STEPS = 3
_ROUNDS = 100
_DENSE = 2000
"""Items up to which the covariance of the scores is computed in full."""

_Z90 = float(ndtri(0.95))
_ODD = 4.0
"""Standard deviations from one half at which the share of left winners is worth a finding."""


class _Pairs(NamedTuple):
    """Comparisons by pair of items: wins of the first and of the second (ties are half of each).

    ``group`` numbers, per item, the items that comparisons connect.
    """

    first: Ints
    second: Ints
    wins: Floats
    losses: Floats
    group: Ints


def bradley_terry(comparisons: Comparisons) -> Ranking:
    """Rank the items, taking all workers to be equally good.

    By the minorisation-maximisation algorithm (Hunter 2004, "MM algorithms for generalized Bradley-Terry
    models"): exp(s_i) becomes (wins of i) / sum_j n_ij / (exp(s_i) + exp(s_j)), the average item of the prior
    being one j with the score 0, which raises the posterior in every step; steps are lengthened where that
    raises it more (SQUAREM; Varadhan and Roland 2008). A tie counts as half a win for both.

    Intervals are those of the normal approximation at the mode, for the distance from the mean of all items
    that were compared. Beyond 2,000 items they take the other items'
    scores as known, which makes them somewhat too narrow.

    ``worker_skill`` is how a worker's answers fit the ranking, which their own answers helped to make.
    """
    n_items = len(comparisons.item_names)
    score = _fit(_paired(comparisons, _won(comparisons)), np.zeros(n_items))
    believed = np.ones(len(comparisons.worker_names))
    right = _share(comparisons, score)
    return _ranking(comparisons, score, right, believed, None, "bradley_terry")


def crowd_bradley_terry(comparisons: Comparisons, *, earlier: Earlier | None = None) -> Ranking:
    """Rank the items and find out at the same time how good each worker is.

    CrowdBT (Chen, Bennett, Collins-Thompson and Horvitz 2013, "Pairwise ranking aggregation in a crowdsourced
    setting"): worker k turns the outcome around with probability 1 - eta_k, so that P(k says i over j) =
    eta_k P(i beats j) + (1 - eta_k) P(j beats i). By expectation-maximisation over what the outcome was, with
    the prior Beta(4, 1) on eta_k: comparisons then count as wins by the probability that they were.

    :param earlier: right and wrong answers of earlier batches per worker; they add to that prior
    :raises AnswerError: ``earlier`` for another number of workers
    """
    n_workers = len(comparisons.worker_names)
    if earlier is not None and len(earlier.right) != n_workers:
        raise AnswerError(
            f"earlier skill: is for {len(earlier.right)} workers, and the answers have {n_workers}; "
            "give a line to each, with zeros for a worker who is new"
        )
    earlier = earlier or Earlier(np.zeros(n_workers), np.zeros(n_workers))
    decided = comparisons.outcome != TIE
    worker = comparisons.worker[decided]
    given = np.bincount(worker, minlength=n_workers)
    prior_right, prior_wrong = _RIGHT + earlier.right, _WRONG + earlier.wrong
    believed = prior_right / (prior_right + prior_wrong)
    score = _fit(_paired(comparisons, _won(comparisons)), np.zeros(len(comparisons.item_names)))
    right = np.full(len(comparisons), 0.5)
    for _ in range(_ROUNDS):
        share = _share(comparisons, score)
        eta = believed[comparisons.worker]
        right = eta * share / (eta * share + (1 - eta) * (1 - share))
        left_won = np.where(comparisons.outcome == LEFT, right, 1 - right)
        left_won[~decided] = 0.5
        pairs = _paired(comparisons, left_won)
        score = _fit(pairs, score, _FEW_STEPS)
        before, hits = believed, _summed(worker, right[decided], n_workers)
        believed = (prior_right + hits) / (prior_right + prior_wrong + given)
        if n_workers == 0 or float(np.abs(believed - before).max()) < _EQUAL:
            break
    score = _fit(pairs, score)
    return _ranking(comparisons, score, right, believed, earlier, "crowd_bradley_terry")


def _won(comparisons: Comparisons) -> Floats:
    """Return the share of the left item in each comparison: 1, 0, or one half for a tie."""
    won: Floats = (comparisons.outcome.astype(np.float64) + 1) / 2
    return won


def _share(comparisons: Comparisons, score: Floats) -> Floats:
    """Return the probability of each outcome that a worker gave, by the scores; one half for a tie."""
    apart = score[comparisons.left] - score[comparisons.right]
    share: Floats = expit(comparisons.outcome * apart)
    return share


def _paired(comparisons: Comparisons, left_won: Floats) -> _Pairs:
    n = max(1, len(comparisons.item_names))
    turned = comparisons.left > comparisons.right
    first = np.where(turned, comparisons.right, comparisons.left).astype(np.int64)
    second = np.where(turned, comparisons.left, comparisons.right).astype(np.int64)
    won = np.where(turned, 1 - left_won, left_won)
    pair, at = np.unique(first * n + second, return_inverse=True)
    # Sorted, so that the order of the rows does not even show in the last digit.
    order = np.lexsort((won, at))
    wins = _summed(at[order], won[order], len(pair))
    losses = _summed(at[order], 1 - won[order], len(pair))
    first, second = pair // n, pair % n
    links = sp.coo_array((np.ones(len(pair), np.int8), (first, second)), shape=(n, n))
    group = connected_components(links, directed=False)[1][: len(comparisons.item_names)]
    return _Pairs(first, second, wins, losses, group.astype(np.int64))


def _fit(pairs: _Pairs, score: Floats, steps: int = _STEPS) -> Floats:
    """Return the scores at the mode, or after so many steps towards it, from a start."""
    n_items = len(score)
    wins = _summed(pairs.first, pairs.wins, n_items) + _summed(pairs.second, pairs.losses, n_items)
    log_wins = np.log(wins + _PRIOR / 2)
    for _ in range(steps):
        score = _levelled(pairs, score)
        one = _step(pairs, score, log_wins)
        two = _step(pairs, one, log_wins)
        change, bend = one - score, two - 2 * one + score
        if float(np.abs(two - one).max(initial=0.0)) < _CLOSE:
            return two
        size = float(np.linalg.norm(change)) / max(float(np.linalg.norm(bend)), _CLOSE)
        longer = _step(pairs, score + 2 * size * change + size**2 * bend, log_wins)
        score = longer if _height(pairs, longer) >= _height(pairs, two) else two
    return score


def _summed(at: NDArray[np.integer], values: Floats, size: int) -> Floats:
    """Return the sums by position, as floats also where there is nothing to sum."""
    return np.bincount(at, weights=values, minlength=size).astype(np.float64)


def _levelled(pairs: _Pairs, score: Floats) -> Floats:
    """Return the scores with each group moved as a whole, by Newton's step, to where the prior wants it.

    Comparisons say nothing about that, so single items would get there only slowly.
    """
    pull, hold = expit(score) - 0.5, expit(score) * expit(-score)
    size = int(pairs.group.max(initial=-1)) + 1
    moved = _summed(pairs.group, pull, size) / np.maximum(_summed(pairs.group, hold, size), _CLOSE)
    levelled: Floats = score - np.clip(moved, -1.0, 1.0)[pairs.group]
    return levelled


def _step(pairs: _Pairs, score: Floats, log_wins: Floats) -> Floats:
    """Return the scores after one step of the algorithm; in logarithms, so that no score is too large."""
    n_items = len(score)
    apart = score[pairs.first] - score[pairs.second]
    n = pairs.wins + pairs.losses
    # exp(s_i) n / (exp(s_i) + exp(s_j)) is n times the chance that i wins
    first_wins = n * expit(apart)
    expected = _summed(pairs.first, first_wins, n_items)
    expected += _summed(pairs.second, n - first_wins, n_items)
    moved: Floats = score + log_wins - np.log(expected + _PRIOR * expit(score))
    return moved


def _height(pairs: _Pairs, score: Floats) -> float:
    """Return the logarithm of the posterior."""
    apart = score[pairs.first] - score[pairs.second]
    # log(1 - p) is log(p) - apart
    data = np.dot(pairs.wins + pairs.losses, log_expit(apart)) - np.dot(pairs.losses, apart)
    return float(data + _PRIOR / 2 * np.sum(2 * log_expit(score) - score))


def _ranking(
    comparisons: Comparisons,
    score: Floats,
    right: Floats,
    believed: Floats,
    earlier: Earlier | None,
    method: str,
) -> Ranking:
    n_items, n_workers = len(score), len(comparisons.worker_names)
    n_answers = np.bincount(comparisons.left, minlength=n_items) + np.bincount(
        comparisons.right, minlength=n_items
    )
    covariance = _covariance(comparisons, score, believed)
    spread = _Z90 * np.sqrt(covariance.diagonal())
    rank, confidence = _ranks(score, covariance, n_answers > 0)
    decided = comparisons.outcome != TIE
    worker = comparisons.worker[decided]
    hits = _summed(worker, right[decided], n_workers)
    misses = _summed(worker, 1 - right[decided], n_workers)
    if earlier is not None:
        hits, misses = hits + earlier.right, misses + earlier.wrong
    skill = skill_of(hits, misses)
    agreed = _agreement(comparisons)
    sharing = np.bincount(rank[rank > 0], minlength=1)
    return Ranking(
        score=score,
        score_low=score - spread,
        score_high=score + spread,
        rank=rank,
        tied=(rank > 0) & (sharing[np.maximum(rank, 0)] > 1),
        confidence=confidence,
        worker_skill=skill.mean,
        skill_low=skill.low,
        skill_high=skill.high,
        n_answers=n_answers.astype(np.int32),
        agreement=agreed,
        method=method,
        item_names=comparisons.item_names,
        findings=(*remarks(n_answers, comparisons.item_names, agreed), *_findings(comparisons, n_answers)),
    )


def _covariance(comparisons: Comparisons, score: Floats, believed: Floats) -> Floats | sp.dia_array:
    """Return the inverse of the information, of comparisons and prior, on the scores less their mean.

    The mean is known from the prior alone, and says nothing about who is better.
    """
    n = len(score)
    share = expit(score[comparisons.left] - score[comparisons.right])
    eta = believed[comparisons.worker]
    said = eta * share + (1 - eta) * (1 - share)
    told = ((2 * eta - 1) * share * (1 - share)) ** 2 / (said * (1 - said))
    own = _summed(comparisons.left, told, n) + _summed(comparisons.right, told, n)
    own += _PRIOR * expit(score) * expit(-score)
    if n > _DENSE:
        return sp.dia_array((1 / own[None, :], [0]), shape=(n, n))
    shared = sp.coo_array((told, (comparisons.left, comparisons.right)), shape=(n, n)).toarray()
    inverse: Floats = np.linalg.inv(np.diag(own) - shared - shared.T)
    compared = np.union1d(comparisons.left, comparisons.right)
    if len(compared):
        mean = inverse[compared].mean(axis=0)
        inverse = inverse - mean[:, None] - mean[None, :] + mean[compared].mean()
    return inverse


def _ranks(
    score: Floats, covariance: Floats | sp.dia_array, compared: NDArray[np.bool_]
) -> tuple[NDArray[np.int32], Floats]:
    """Return the ranks, and the score that each item is in the right order to its neighbours."""
    rank = np.full(len(score), -1, dtype=np.int32)
    confidence = np.zeros(len(score))
    at = np.flatnonzero(compared)
    at = at[np.argsort(-score[at], kind="stable")]
    if len(at) < 2:
        rank[at] = 1
        return rank, confidence
    upper, lower = at[:-1], at[1:]
    apart = score[upper] - score[lower]
    new = np.concatenate([[True], apart > _EQUAL])
    rank[at] = np.flatnonzero(new)[np.cumsum(new) - 1] + 1
    variance = covariance.diagonal()
    shared = np.zeros(len(upper)) if sp.issparse(covariance) else np.asarray(covariance)[upper, lower]
    width = np.sqrt(np.maximum(variance[upper] + variance[lower] - 2 * shared, _CLOSE))
    chance = np.where(new[1:], ndtr(apart / width), 0.5)
    confidence[upper] = chance
    confidence[lower[-1]] = chance[-1]
    confidence[lower[:-1]] = np.minimum(chance[:-1], confidence[lower[:-1]])
    return rank, confidence


def _agreement(comparisons: Comparisons) -> Agreement:
    """Return Krippendorff's nominal alpha with pairs of items as items: "first", "second" or "tie".

    Which of two items is the first is a matter of names, so chance takes both to be equally likely.
    """
    n_items = max(1, len(comparisons.item_names))
    turned = comparisons.left > comparisons.right
    first = np.minimum(comparisons.left, comparisons.right).astype(np.int64)
    second = np.maximum(comparisons.left, comparisons.right).astype(np.int64)
    _, at = np.unique(first * n_items + second, return_inverse=True)
    outcome = np.where(turned, -comparisons.outcome, comparisons.outcome)
    n = np.bincount(at)
    votes = [np.bincount(at[outcome == value], minlength=len(n)) for value in (LEFT, TIE, RIGHT)]
    several = n > 1
    nan = float("nan")
    if not several.any():
        return Agreement(nan, NO_PAIR, "pairs", nan, nan, nan, 0, 0)
    same = sum((v * (v - 1))[several] / (n - 1)[several] for v in votes)
    total, ties = float(n[several].sum()), float(votes[1][several].sum())
    decided = total - ties
    percent = float(np.sum(same)) / total
    chance = (ties * (ties - 1) + decided * (decided - 1) / 2) / (total * (total - 1))
    alpha = (percent - chance) / (1 - chance) if chance < 1 else nan
    reason = "" if chance < 1 else NO_CHANCE
    return Agreement(alpha, reason, "pairs", percent, chance, alpha, int(several.sum()), int(total))


def _findings(comparisons: Comparisons, n_answers: Ints) -> tuple[Finding, ...]:
    """Return whether the ranking hangs together, and whether sides decided."""
    found = []
    n_items = len(comparisons.item_names)
    compared = np.flatnonzero(n_answers > 0)
    links = sp.coo_array(
        (np.ones(len(comparisons), np.int8), (comparisons.left, comparisons.right)), shape=(n_items, n_items)
    )
    groups = np.unique(connected_components(links, directed=False)[1][compared]) if n_items else compared
    if len(groups) > 1:
        text = (
            f"The items fall into {len(groups)} groups that were never compared with each other, so the "
            "order of items of different groups means nothing; ask for comparisons across them."
        )
        found.append(
            Finding("disconnected", text, "warning", items=first_names(comparisons.item_names, compared))
        )
    left = int((comparisons.outcome == LEFT).sum())
    decided = int((comparisons.outcome != TIE).sum())
    if decided and abs(left - decided / 2) > _ODD * np.sqrt(decided) / 2:
        text = (
            f"The left item won {left} of {decided} comparisons, where about half are to be expected; "
            "show the items of a pair in random order."
        )
        found.append(Finding("sides", text, "warning"))
    return tuple(found)
