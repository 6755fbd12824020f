"""Marked stretches of text (named entities): the spans that workers agree on, out of those they marked.

As Ground Truth describes its consolidation of named entities: spans are clustered by their Jaccard index, and
boundaries are decided by the mode or the median. Here a worker's spans never join each other, a span
must be marked by half of those who looked, and better workers weigh more at the boundaries.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Literal, NamedTuple

import numpy as np
from numpy.typing import NDArray

from groundswell.consolidation.classification import METHODS
from groundswell.consolidation.classification.skill import Skill, skill_of
from groundswell.consolidation.data import Answers, Consensus, Earlier
from groundswell.consolidation.findings import Finding
from groundswell.consolidation.remarks import remarks
from groundswell.consolidation.span_agreement import f1, unit_agreement
from groundswell.consolidation.span_clusters import Floats, Ints, Spans, clusters, jaccard
from groundswell.consolidation.span_marks import SpanAnswers, SpanConsensus
from groundswell.errors import AnswerError

Boundary = Literal["mode", "median"]

_TINY = 1e-9
_ROUNDS = 2
"""Rounds of boundaries, then workers' weights from how near they were."""

_DRAWN = 4.0
"""Spans by which a worker's distance from the boundaries is drawn to the crowd's."""

_NEAREST = 0.02
"""Least distance that is believed, so that no worker's word is final."""


class _Extent(NamedTuple):
    start: Ints
    end: Ints


def spans(
    answers: SpanAnswers,
    *,
    earlier: Earlier | None = None,
    overlap: float = 0.3,
    boundary: Boundary = "mode",
    label_method: str | None = None,
    flat: bool = False,
) -> SpanConsensus:
    """Find the agreed spans.

    1. Spans of different workers are the same span if they overlap (see
       :func:`~groundswell.consolidation.span_clusters.clusters`), whatever their labels.
    2. It exists if at least half of those who looked at the text marked it.
    3. Start and end are each the value with the most weight (mode; the nearest to the median of several,
       then the outer one), or the weighted median (the outer of two). A worker's weight is the inverse of the
       mean distance, 1 - Jaccard, of his spans from the agreed ones. Where start and end would cross, the
       span of the member that is nearest to all others is taken.
    4. The label is what a method for classification says about the members' labels.

    ``confidence`` is support / (lookers + 1) x mean Jaccard index of the members and the result x score of
    the label; it is a score. Spans may be nested and may overlap unless ``flat``.

    ``worker_skill`` compares each of a worker's decisions (a span marked or not, in a text they looked at)
    with what more than half of the others decided.

    :param earlier: earlier decisions of this kind that were right and wrong, per worker; they enter the skill
    :param overlap: least Jaccard index of two spans that may be the same, above 0 and up to 1
    :param label_method: a name in :data:`~groundswell.consolidation.classification.METHODS`; ``default`` if
        left out
    :param flat: of spans that overlap, keep only the one with the highest confidence
    :raises AnswerError: an option that is unknown or out of its range, or ``earlier`` for other workers
    """
    method = label_method or ("default" if "default" in METHODS else "majority")
    _check_options(answers, earlier, overlap, boundary, method)
    marked = _in_units(answers)
    seen = np.bincount(answers.look_task, minlength=len(answers.task_names))
    cluster = clusters(marked, overlap, answers.task_names)
    support = np.bincount(cluster)
    task = np.zeros(len(support), np.int64)
    task[cluster] = marked.task
    extent, weights = _boundaries(marked, cluster, boundary, len(answers.worker_names))
    exists = 2 * support >= seen[task]
    labels, at = _labels(answers, marked, cluster, exists, method)
    fit = jaccard(
        marked, Spans(marked.task, marked.worker, extent.start[cluster], extent.end[cluster], marked.label)
    )
    near = np.bincount(cluster, weights=fit * weights[marked.worker]) / np.bincount(
        cluster, weights=weights[marked.worker]
    )
    confidence = (support / (seen[task] + 1) * near)[at] * _label_score(labels, marked, cluster, at)
    skill = _skill(answers, marked, cluster, support, task, earlier)
    start, end = _in_characters(answers, task[at], extent.start[at], extent.end[at])
    found = SpanConsensus(
        task=task[at].astype(np.int32),
        start=start,
        end=end,
        label=labels.label,
        confidence=confidence,
        posterior=labels.posterior,
        support=support[at].astype(np.int32),
        seen=seen[task[at]].astype(np.int32),
        tied=labels.tied,
        worker_skill=skill.mean,
        skill_low=skill.low,
        skill_high=skill.high,
        n_answers=seen.astype(np.int32),
        agreement=unit_agreement(answers, marked, seen),
        f1_exact=f1(marked, seen, np.stack([marked.task, marked.start, marked.end, marked.label])),
        f1_overlap=f1(marked, seen, cluster[None, :]),
        method=f"{boundary}, {method}",
        label_names=answers.label_names,
    )
    found = _ordered(found, np.lexsort((found.label, found.end, found.start, found.task)))
    if flat:
        found = _ordered(found, _apart(found))
    findings = (*_repairs(answers), *remarks(seen, answers.task_names, found.agreement))
    return replace(found, findings=findings)


def _check_options(
    answers: SpanAnswers, earlier: Earlier | None, overlap: float, boundary: str, method: str
) -> None:
    if not 0 < overlap <= 1:
        raise AnswerError(f"spans: overlap is {overlap}; give a number above 0 and up to 1")
    if boundary not in ("mode", "median"):
        raise AnswerError(f"spans: {boundary!r} is not a way to find boundaries; use mode or median")
    if method not in METHODS:
        raise AnswerError(f"spans: {method!r} is not a method; use one of: {', '.join(METHODS)}")
    if earlier is not None and len(earlier.right) != len(answers.worker_names):
        raise AnswerError(
            f"earlier skill: is for {len(earlier.right)} workers, and the answers have "
            f"{len(answers.worker_names)}; give a line to each, with zeros for a worker who is new"
        )


def _in_units(answers: SpanAnswers) -> Spans:
    """Return the spans in characters, or in tokens where the answers have them."""
    task = answers.look_task[answers.look].astype(np.int64)
    start, end = answers.start.astype(np.int64), answers.end.astype(np.int64)
    if answers.tokens is not None:
        start, end = start.copy(), end.copy()
        for at in range(len(start)):
            bounds = answers.tokens[task[at]]
            start[at] = np.searchsorted(bounds[:, 1], answers.start[at], side="right")
            end[at] = np.searchsorted(bounds[:, 0], answers.end[at], side="left")
    worker, label = answers.look_worker[answers.look].astype(np.int64), answers.label.astype(np.int64)
    columns = np.stack([task, worker, start, end, label])[:, start < end]
    # Sorted, and each once: widening to tokens can make two spans of a worker the same.
    return Spans(*np.unique(columns, axis=1))


def _in_characters(answers: SpanAnswers, task: Ints, start: Ints, end: Ints) -> tuple[Ints, Ints]:
    if answers.tokens is None:
        return start, end
    bounds = [answers.tokens[t] for t in task]
    first = [int(b[s, 0]) for b, s in zip(bounds, start, strict=True)]
    last = [int(b[e - 1, 1]) for b, e in zip(bounds, end, strict=True)]
    return np.array(first, dtype=np.int64), np.array(last, dtype=np.int64)


def _boundaries(marked: Spans, cluster: Ints, boundary: Boundary, n_workers: int) -> tuple[_Extent, Floats]:
    """Return start and end per cluster, and the workers' weights that led to them."""
    count = int(cluster.max(initial=-1)) + 1
    weights = np.ones(n_workers)
    order = np.argsort(cluster, kind="stable")
    groups = np.split(order, np.cumsum(np.bincount(cluster, minlength=count))[:-1]) if count else []
    extent = _Extent(np.zeros(count, np.int64), np.zeros(count, np.int64))
    extent.start[cluster], extent.end[cluster] = marked.start, marked.end
    open_ones = np.unique(
        cluster[(extent.start[cluster] != marked.start) | (extent.end[cluster] != marked.end)]
    ).tolist()
    for _ in range(_ROUNDS):
        for c in open_ones:
            extent.start[c], extent.end[c] = _extent_of(marked, groups[c], weights, boundary)
        weights = _weights(marked, cluster, extent, n_workers)
    for c in open_ones:
        extent.start[c], extent.end[c] = _extent_of(marked, groups[c], weights, boundary)
    return extent, weights


def _weights(marked: Spans, cluster: Ints, extent: _Extent, n_workers: int) -> Floats:
    result = Spans(marked.task, marked.worker, extent.start[cluster], extent.end[cluster], marked.label)
    shared = np.bincount(cluster)[cluster] > 1
    distance = (1 - jaccard(marked, result))[shared]
    usual = float(distance.mean()) if len(distance) else 0.0
    tries = np.bincount(marked.worker[shared], minlength=n_workers)
    total = np.bincount(marked.worker[shared], weights=distance, minlength=n_workers)
    weights: Floats = 1 / ((total + _DRAWN * usual) / (tries + _DRAWN) + _NEAREST)
    return weights


def _extent_of(marked: Spans, members: Ints, weights: Floats, boundary: Boundary) -> tuple[int, int]:
    weight = weights[marked.worker[members]]
    starts, ends = marked.start[members], marked.end[members]
    # Ends are mirrored, so that "the smaller one" is the outer one at both.
    if boundary == "mode":
        start, end = _mode(starts, weight), -_mode(-ends, weight)
    else:
        start, end = _median(starts, weight), -_median(-ends, weight)
    if start < end:
        return start, end
    each = Spans(*(column[members] for column in marked))
    near = [
        float(np.dot(weight, jaccard(each, Spans(*(np.repeat(column[i], len(members)) for column in each)))))
        for i in range(len(members))
    ]
    best = min(range(len(members)), key=lambda i: (-round(near[i], 12), int(starts[i]), -int(ends[i])))
    return int(starts[best]), int(ends[best])


def _median(values: Ints, weight: Floats) -> int:
    order = np.lexsort((weight, values))
    reached = np.cumsum(weight[order])
    return int(values[order][int(np.argmax(reached >= reached[-1] / 2 * (1 - _TINY)))])


def _mode(values: Ints, weight: Floats) -> int:
    distinct, at = np.unique(values, return_inverse=True)
    total = np.bincount(at, weights=weight)
    best = distinct[total >= total.max() * (1 - _TINY)]
    middle = _median(values, weight)
    return int(min(best, key=lambda value: (abs(int(value) - middle), int(value))))


def _labels(
    answers: SpanAnswers, marked: Spans, cluster: Ints, exists: NDArray[np.bool_], method: str
) -> tuple[Consensus, Ints]:
    """Return the labels of the spans that exist, and which clusters these are."""
    at = np.flatnonzero(exists)
    number = np.cumsum(exists) - 1
    kept = exists[cluster]
    names = range(len(at))
    given = Answers(
        number[cluster[kept]].astype(np.int32),
        marked.worker[kept].astype(np.int32),
        marked.label[kept].astype(np.int32),
        [str(name) for name in names],
        answers.worker_names,
        answers.label_names,
    )
    # Where there is nothing to label, any method will do.
    return METHODS[method if len(at) else "majority"](given), at


def _label_score(labels: Consensus, marked: Spans, cluster: Ints, at: Ints) -> Floats:
    """Return the score of each span's label; of the best one where they are tied."""
    if labels.posterior is not None:
        best = labels.posterior.max(axis=1)
        best = best.toarray().ravel() if hasattr(best, "toarray") else best
        return np.asarray(best, dtype=np.float64)
    code, votes = np.unique(np.stack([cluster, marked.label]), axis=1, return_counts=True)
    most = np.zeros(int(cluster.max(initial=-1)) + 1)
    np.maximum.at(most, code[0], votes)
    share: Floats = (most / np.maximum(np.bincount(cluster), 1))[at]
    return share


def _skill(
    answers: SpanAnswers, marked: Spans, cluster: Ints, support: Ints, task: Ints, earlier: Earlier | None
) -> Skill:
    """Compare each decision of a worker with what most of the others decided; an even split counts half."""
    n_workers = len(answers.worker_names)
    order = np.argsort(answers.look_task, kind="stable")
    seen = np.bincount(answers.look_task, minlength=len(answers.task_names))
    first = np.cumsum(seen) - seen
    # One decision per cluster and looker of its text
    of = np.repeat(np.arange(len(task)), seen[task])
    within = np.arange(len(of)) - np.repeat(np.cumsum(seen[task]) - seen[task], seen[task])
    worker = answers.look_worker[order][first[task[of]] + within].astype(np.int64)
    did = np.isin(of * n_workers + worker, cluster * n_workers + marked.worker)
    others = seen[task[of]] - 1
    for_it = 2 * (support[of] - did) - others
    right = np.where(for_it == 0, 0.5, (for_it > 0) == did)
    counted = others > 0
    earlier = earlier or Earlier(np.zeros(n_workers), np.zeros(n_workers))
    hits = np.bincount(worker[counted], weights=right[counted], minlength=n_workers) + earlier.right
    misses = np.bincount(worker[counted], weights=1 - right[counted], minlength=n_workers) + earlier.wrong
    return skill_of(hits, misses)


def _ordered(found: SpanConsensus, at: Ints) -> SpanConsensus:
    """Return the spans at the given places, in that order."""
    per_span = ("task", "start", "end", "label", "confidence", "support", "seen", "tied")
    columns = {name: getattr(found, name)[at] for name in per_span}
    posterior = None if found.posterior is None else found.posterior[at]
    return replace(found, posterior=posterior, **columns)


def _apart(found: SpanConsensus) -> Ints:
    """Return the spans that stay where none may overlap, the one with the highest confidence first."""
    kept: list[int] = []
    taken: dict[int, list[tuple[int, int]]] = {}
    for i in np.lexsort((found.end, found.start, -np.round(found.confidence, 12))).tolist():
        start, end = int(found.start[i]), int(found.end[i])
        here = taken.setdefault(int(found.task[i]), [])
        if all(end <= other_start or start >= other_end for other_start, other_end in here):
            here.append((start, end))
            kept.append(i)
    return np.array(sorted(kept), dtype=np.int64)


def _repairs(answers: SpanAnswers) -> tuple[Finding, ...]:
    if not answers.cut and not answers.dropped:
        return ()
    text = (
        f"{answers.cut} spans reached beyond their text and were cut, and {answers.dropped} were left out, "
        "for nothing of them was left; check the page that workers mark texts on."
    )
    return (Finding("repaired", text, "note"),)
