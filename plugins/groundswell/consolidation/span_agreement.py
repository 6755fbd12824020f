"""How far workers agree on what they marked in texts."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from groundswell.consolidation.agreement import NO_CHANCE, NO_PAIR, Agreement
from groundswell.consolidation.span_clusters import Floats, Ints, Spans
from groundswell.consolidation.span_marks import SpanAnswers


def f1(marked: Spans, seen: Ints, same: Ints) -> float:
    """Return the agreement of two workers on one text as F1, over all pairs of workers and all texts.

    2 x spans in common / spans of both. Where what is not marked cannot be counted, this is what kappa comes
    to (Hripcsak and Rothschild 2005, "Agreement, the F-measure, and Reliability in Information Retrieval").

    :param seen: workers who looked, per text
    :param same: ``[k, spans]``; spans with equal columns are the same one
    """
    pairs = float((seen[marked.task] - 1).sum())
    if pairs == 0:
        return float("nan")
    workers = np.unique(np.vstack([same, marked.worker]), axis=1)[:-1]
    _, times = np.unique(workers, axis=1, return_counts=True)
    return float((times * (times - 1)).sum()) / pairs


def unit_agreement(answers: SpanAnswers, marked: Spans, seen: Ints) -> Agreement:
    """Return Krippendorff's nominal alpha with each character (or token) of a text as an item.

    A unit's value is the label of the shortest span over it, or "none". Stretches between boundaries are
    counted at once, so cost does not depend on the texts' length. Texts of unknown length are taken to
    end with the last span. Percent and chance are those of alpha.
    """
    length = _lengths(answers, marked)
    cover = _cover(marked)
    counted = seen > 1
    n_units = float(length[counted].sum())
    total = float((length * seen)[counted].sum())
    nan = float("nan")
    if total < 2:
        return Agreement(nan, NO_PAIR, "units", nan, nan, nan, 0, 0)
    n_labels = len(answers.label_names)
    pair, size, votes, label, task = cover
    ours = counted[task]
    by_label = np.bincount(label[ours], weights=(size * votes)[ours], minlength=n_labels)
    outside = _outside(pair, size, votes, task, ours)
    none = total - float(by_label.sum())
    values = np.append(by_label, none)
    # Same pairs of values in a stretch: of each label, and of "none".
    others = np.maximum(seen[task] - 1, 1)
    same = float((size * votes * (votes - 1) / others)[ours].sum())
    at, marks, width = outside
    left = seen[at] - marks
    same += float((width * left * (left - 1) / (seen[at] - 1)).sum())
    # Units that nobody marked: all say "none".
    unmarked = length.astype(np.float64)
    np.subtract.at(unmarked, at, width)
    same += float((unmarked * seen)[counted].sum())
    percent = same / total
    chance = float((values * (values - 1)).sum()) / (total * (total - 1))
    defined = float(values.max()) < total
    alpha = 1 - (1 - percent) / (1 - chance) if defined else nan
    return Agreement(
        alpha, "" if defined else NO_CHANCE, "units", percent, chance, alpha, int(n_units), int(total)
    )


def _lengths(answers: SpanAnswers, marked: Spans) -> Ints:
    if answers.tokens is not None:
        return np.array([len(bounds) for bounds in answers.tokens], dtype=np.int64)
    last = np.zeros(len(answers.task_names), np.int64)
    np.maximum.at(last, marked.task, marked.end)
    return np.where(answers.length >= 0, answers.length, last).astype(np.int64)


def _cover(marked: Spans) -> tuple[Ints, Floats, Floats, Ints, Ints]:
    """Return per stretch and label that somebody gave it: stretch, its length, votes, label and text."""
    stride = int(marked.end.max(initial=0)) + 1
    edges = np.unique(
        np.concatenate([marked.task * stride + marked.start, marked.task * stride + marked.end])
    )
    first = np.searchsorted(edges, marked.task * stride + marked.start)
    last = np.searchsorted(edges, marked.task * stride + marked.end)
    count = last - first
    of = np.repeat(np.arange(len(first)), count)
    stretch = first[of] + np.arange(len(of)) - np.repeat(np.cumsum(count) - count, count)
    # The shortest span of a worker over a stretch is the one that counts; of two, the lower label.
    length = (marked.end - marked.start)[of]
    order = np.lexsort((marked.label[of], length, marked.worker[of], stretch))
    of, stretch = of[order], stretch[order]
    worker = marked.worker[of]
    new = np.ones(len(of), np.bool_)
    new[1:] = (stretch[1:] != stretch[:-1]) | (worker[1:] != worker[:-1])
    pairs, votes = np.unique(np.stack([stretch[new], marked.label[of[new]]]), axis=1, return_counts=True)
    at: Ints = pairs[0]
    size = (edges[at + 1] - edges[at]) if len(at) else np.zeros(0, np.int64)
    return at, size.astype(np.float64), votes.astype(np.float64), pairs[1], edges[at] // stride


def _outside(
    stretch: Ints, size: Floats, votes: Floats, task: Ints, ours: NDArray[np.bool_]
) -> tuple[Ints, Floats, Floats]:
    """Return per stretch of the counted texts: text, workers who marked it, length."""
    at, first, back = np.unique(stretch[ours], return_index=True, return_inverse=True)
    marks = np.bincount(back, weights=votes[ours], minlength=len(at)).astype(np.float64)
    return task[ours][first], marks, size[ours][first]
