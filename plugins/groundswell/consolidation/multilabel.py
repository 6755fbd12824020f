"""One set of labels per item from several workers' sets: which of the labels belong to it.

Each label is a question of its own, "does it belong?", and each answer says yes or no to all of them. The
worker is what ties the labels together.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import Any

import numpy as np
import scipy.sparse as sp
from numpy.typing import NDArray

from groundswell.consolidation.agreement import Agreement, agreement, similarity_agreement
from groundswell.consolidation.classification import METHODS
from groundswell.consolidation.classification.skill import skill_of
from groundswell.consolidation.data import Answers
from groundswell.consolidation.findings import Finding
from groundswell.consolidation.label_sets import SetAnswers, SetConsensus, known_sets
from groundswell.consolidation.multilabel_votes import Floats, Ints, Votes, joint
from groundswell.consolidation.remarks import remarks
from groundswell.errors import AnswerError

_TINY = 1e-9
"""Scores that differ by less are tied."""

_MANY = 3
"""Results by vote from which on a label that the model hardly gives any more is worth a finding."""

_SELDOM = 0.02
"""Share of empty answers below which an empty set is taken to be no proper answer in this batch."""


def multilabel(
    answers: SetAnswers,
    *,
    gold: Mapping[str, Collection[str]] | None = None,
    earlier: Floats | None = None,
    method: str = "joint",
) -> SetConsensus:
    """Give each task the labels whose score is above one half.

    ``joint`` (the default) models each worker's hits and false alarms, per label where the answers suffice
    and over all labels where not (see :func:`~groundswell.consolidation.multilabel_votes.joint`).
    ``majority`` takes the share of the answers that name a label. Any other name of
    :data:`~groundswell.consolidation.classification.METHODS` is run on each label by itself (binary
    relevance; Zhang and Zhou 2014), with workers who have no skill beyond that label.

    A set is never empty by accident. Where no label reaches one half, it is empty if at least half of the
    workers gave the empty set, or if empty sets are proper answers in this batch (2 % of the answers are) and
    the product of (1 - score) over the named labels is above one half; otherwise the label with the highest
    score is taken. A label at exactly one half, or two labels with equal right to be that one, are a tie:
    reported in ``tied`` and left out. A label that nobody named never belongs.

    ``confidence`` is the product over the named labels of max(score, 1 - score), times n / (n + 1) with n
    answers, since one worker alone is no evidence of being right. It is a score.

    :param gold: the true set by task, for some of the tasks; they get it, with confidence 1, and their
        answers show the workers' skill
    :param earlier: workers x 4 pseudo-counts of earlier answers on (item, label) pairs, discounted by the
        caller: labels that belong given and missed, labels that do not given and left out. For ``joint``.
    :raises AnswerError: an unknown method or gold label, or ``earlier`` of another shape
    """
    if method not in ("joint", *METHODS):
        raise AnswerError(f"multilabel: {method!r} is not a method; use one of: joint, {', '.join(METHODS)}")
    _check_earlier(earlier, len(answers.worker_names))
    is_known, codes = known_sets(answers, gold or {})
    votes = Votes.of(answers, codes)
    known = is_known[votes.task]
    truth = np.isin(votes.task * votes.n_labels + votes.label, codes).astype(np.float64)
    if method == "joint":
        score = joint(votes, known, truth, earlier)
    elif method == "majority":
        score = np.where(known, truth, votes.share)
    else:
        score = _label_by_label(answers, votes, method, is_known, truth)
    chosen, tied = _chosen(votes, score, is_known)
    return _consensus(answers, votes, score, chosen, tied, is_known, method)


def _check_earlier(earlier: Floats | None, n_workers: int) -> None:
    if earlier is None:
        return
    if np.shape(earlier) != (n_workers, 4):
        raise AnswerError(
            f"earlier skill: has the shape {np.shape(earlier)}; "
            f"give four counts to each of {n_workers} workers"
        )
    if not (np.isfinite(earlier).all() and (earlier >= 0).all()):
        raise AnswerError("earlier skill: holds a count that is negative or not finite")


def _label_by_label(
    answers: SetAnswers, votes: Votes, method: str, is_known: NDArray[np.bool_], truth: Floats
) -> Floats:
    """Run a method for classification on each label, with the classes "does not" and "belongs"."""
    score = np.zeros(len(votes.task))
    of_answer = np.repeat(np.arange(len(answers)), np.diff(answers.start))
    by_label = np.argsort(answers.label, kind="stable")
    ends = np.searchsorted(answers.label[by_label], np.arange(votes.n_labels), side="right")
    begin = 0
    for label, end in enumerate(ends):
        given = np.zeros(len(answers), dtype=np.int32)
        given[of_answer[by_label[begin:end]]] = 1
        begin = int(end)
        pairs = np.flatnonzero(votes.label == label)
        if not given.any() and not truth[pairs].any():
            continue
        gold = np.where(is_known, 0, -1).astype(np.int32)
        gold[votes.task[pairs[truth[pairs] > 0]]] = 1
        binary = Answers(
            answers.task,
            answers.worker,
            given,
            answers.task_names,
            answers.worker_names,
            ("does not", "belongs"),
        )
        found = METHODS[method](binary, gold=gold)
        if found.posterior is None:
            sure = np.where(found.label == 1, found.confidence, 1 - found.confidence)
            belongs = np.where(found.label < 0, 0.5, sure)
        else:
            belongs = _column(found.posterior)
        score[pairs] = belongs[votes.task[pairs]]
    return np.where(is_known[votes.task], truth, score)


def _column(posterior: Any) -> Floats:
    """Return the second column, also of a sparse posterior."""
    dense = posterior.toarray() if sp.issparse(posterior) else posterior
    return np.asarray(dense[:, 1], dtype=np.float64)


def _chosen(
    votes: Votes, score: Floats, is_known: NDArray[np.bool_]
) -> tuple[NDArray[np.bool_], NDArray[np.bool_]]:
    """Return which pairs are in the result, and which tasks are tied."""
    n_tasks = len(votes.n_answers)
    chosen = score > 0.5 + _TINY
    tied = np.zeros(n_tasks, np.bool_)
    tied[votes.task[np.abs(score - 0.5) <= _TINY]] = True
    lacks = np.bincount(votes.task[chosen], minlength=n_tasks) == 0
    lacks &= ~tied & ~is_known & ~_rightly_empty(votes, score)
    best = np.full(n_tasks, -np.inf)
    np.maximum.at(best, votes.task, score)
    is_best = lacks[votes.task] & (score >= best[votes.task] * (1 - _TINY))
    rivals = np.bincount(votes.task[is_best], minlength=n_tasks)
    tied |= rivals > 1
    return chosen | (is_best & (rivals[votes.task] == 1)), tied


def _rightly_empty(votes: Votes, score: Floats) -> NDArray[np.bool_]:
    """Return the tasks whose set is empty on purpose, if no label reaches one half."""
    empty = 2 * votes.empties >= votes.n_answers
    if votes.empties.sum() >= _SELDOM * votes.n_answers.sum():
        absent = np.log1p(-np.minimum(score, 1 - _TINY))
        empty |= np.bincount(votes.task, weights=absent, minlength=len(empty)) > np.log(0.5)
    return empty


def _consensus(
    answers: SetAnswers,
    votes: Votes,
    score: Floats,
    chosen: NDArray[np.bool_],
    tied: NDArray[np.bool_],
    is_known: NDArray[np.bool_],
    method: str,
) -> SetConsensus:
    n_tasks, n_workers = len(votes.n_answers), len(votes.by_worker)
    per_task = np.bincount(votes.task[chosen], minlength=n_tasks)
    n = votes.n_answers
    sure = np.exp(np.bincount(votes.task, weights=np.log(np.maximum(score, 1 - score)), minlength=n_tasks))
    # A worker who answered alone agrees with himself; that says nothing about him.
    compared = (n[votes.task] > 1) | is_known[votes.task]
    counts = votes.counts(score, votes.worker, n_workers, compared[votes.pair])
    checked = np.bincount(answers.worker, weights=((n > 1) | is_known)[answers.task], minlength=n_workers)
    unnamed = checked * votes.n_labels - sum(counts)
    skill = skill_of(counts.hit + counts.spared, counts.missed + counts.false)
    per_label, of_sets = _agreements(answers, votes)
    return SetConsensus(
        start=np.concatenate([[0], np.cumsum(per_task)]).astype(np.int64),
        label=votes.label[chosen].astype(np.int32),
        label_confidence=score[chosen],
        confidence=np.where(is_known, 1.0, sure * n / (n + 1)),
        posterior=sp.csr_array((score, (votes.task, votes.label)), shape=(n_tasks, votes.n_labels)),
        worker_skill=skill.mean,
        skill_low=skill.low,
        skill_high=skill.high,
        sensitivity=skill_of(counts.hit, counts.missed).mean,
        specificity=skill_of(counts.spared + unnamed, counts.false).mean,
        n_answers=n.astype(np.int32),
        tied=tied,
        empty=(per_task == 0) & ~tied & ((n > 0) | is_known),
        agreement=per_label,
        set_agreement=of_sets,
        method=method,
        label_names=answers.label_names,
        findings=(*remarks(n, answers.task_names, of_sets), *_vanished(answers, votes, chosen)),
    )


def _agreements(answers: SetAnswers, votes: Votes) -> tuple[tuple[Agreement, ...], Agreement]:
    """Return the agreement per label and that of the sets, by the Jaccard similarity."""
    order = np.lexsort((answers.worker, answers.task))
    sets = [
        frozenset(answers.label[answers.start[i] : answers.start[i + 1]].tolist()) for i in order.tolist()
    ]

    def jaccard(one: int, other: int) -> float:
        either = sets[one] | sets[other]
        return len(sets[one] & sets[other]) / len(either) if either else 1.0

    of_sets = similarity_agreement(answers.task[order], jaccard, name="jaccard")
    return tuple(_agreement_on(answers, label) for label in range(votes.n_labels)), of_sets


def _agreement_on(answers: SetAnswers, label: int) -> Agreement:
    given = np.zeros(len(answers), dtype=np.int32)
    marks = np.flatnonzero(answers.label == label)
    given[np.searchsorted(answers.start, marks, side="right") - 1] = 1
    return agreement(
        Answers(answers.task, answers.worker, given, answers.task_names, answers.worker_names, ("no", "yes"))
    )


def _vanished(answers: SetAnswers, votes: Votes, chosen: NDArray[np.bool_]) -> tuple[Finding, ...]:
    """Return a warning for each label that the result gives to less than half of the items of a vote."""
    by_vote = np.bincount(votes.label[votes.share > 0.5], minlength=votes.n_labels)
    by_result = np.bincount(votes.label[chosen], minlength=votes.n_labels)
    found = []
    for label in np.flatnonzero((by_vote >= _MANY) & (2 * by_result < by_vote)):
        name = answers.label_names[int(label)]
        items: Ints = votes.task[(votes.label == label) & (votes.share > 0.5) & ~chosen]
        text = (
            f"The label {name!r} is in {by_result[label]} results, where a vote would give it to "
            f"{by_vote[label]} items; look at these items, or use the method majority."
        )
        names = tuple(answers.task_names[int(item)] for item in items[:10])
        found.append(Finding("class_shrank", text, "warning", items=names))
    return tuple(found)
