"""Boxes of several workers to one set of boxes per image."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from groundswell.consolidation.agreement import Agreement, agreement
from groundswell.consolidation.boxes import corners as where
from groundswell.consolidation.boxes.data import UNLABELLED, BoxConsensus, Boxes, BoxSkill, BoxTable
from groundswell.consolidation.boxes.detection import edge_error, looks, rates
from groundswell.consolidation.boxes.geometry import Pairs, pairs
from groundswell.consolidation.boxes.matching import clusters, linked
from groundswell.consolidation.boxes.mending import Mended, mend
from groundswell.consolidation.boxes.oddities import oddities
from groundswell.consolidation.classification import METHODS
from groundswell.consolidation.data import Answers, Consensus
from groundswell.errors import AnswerError

Ints = NDArray[np.int64]

THRESHOLD = 0.25
"""Boxes that overlap by this much may be one object.

In simulated crowds (3 and 5 workers, edges off by 3 to 12 % of the side, objects apart or in clumps) F1 at an
overlap of .5 falls from .1 upwards: by up to .005, .004 and .02 at .25, and by .01, .04 and .2 at .5; F1 at
.75 rises a little up to .4. A low threshold is safe, because a worker has one box per object.
"""

EXISTENCE = 0.5
"""A box exists where this share of those who saw the image drew it."""

Classify = Callable[[Answers], Consensus]


def consolidate_boxes(
    boxes: Boxes,
    *,
    threshold: float = THRESHOLD,
    existence: float = EXISTENCE,
    classify: Classify = METHODS["default"],
) -> BoxConsensus:
    """Match the workers' boxes, keep those that half of the viewers drew, and place each.

    Matching is by overlap with one box per worker (:mod:`.matching`); edges are smoothed medians weighted by
    how well each worker agrees with the others (:mod:`.corners`); the class is that of ``classify`` over the
    votes. Workers who saw an image and drew nothing count against every box in it. Nothing depends on the
    order of the rows or on names. What happens to impossible boxes is told in :func:`.mending.mend`.

    :param threshold: boxes with at least this overlap may be one object, above 0 to 1
    :param existence: the share of viewers that makes a box exist, above 0 to 1
    :param classify: any method of classification; its tasks are the objects
    :raises AnswerError: ``threshold`` or ``existence`` outside its range
    """
    for name, value in (("threshold", threshold), ("existence", existence)):
        if not 0.0 < value <= 1.0:
            raise AnswerError(f"boxes: {name} is {value}; give a number above 0, up to 1")
    usable = mend(boxes)
    near = pairs(usable.task, usable.corners, threshold)
    links = linked(near, usable.worker, usable.label)
    cluster = clusters(links, usable.worker)
    seen = _seen(boxes)
    n_seen = np.bincount(seen[:, 0], minlength=len(boxes.task_names)).astype(np.int32)
    table, scales = _table(boxes, usable, links, cluster, n_seen, classify)
    given = looks(table.task.astype(np.int64), cluster, usable.worker, seen)
    n_workers = len(boxes.worker_names)
    recall, precision = rates(given, existence, n_workers)
    skill = BoxSkill(
        recall=recall,
        precision=precision,
        error=edge_error(scales),
        n_boxes=np.bincount(usable.worker, minlength=n_workers).astype(np.int32),
        n_images=np.bincount(seen[:, 1], minlength=n_workers).astype(np.int32),
    )
    order = np.lexsort((*table.corners.T[::-1], table.task))
    exists = (table.votes >= existence * table.n_seen)[order]
    return BoxConsensus(
        boxes=table.rows(order[exists]),
        doubtful=table.rows(order[~exists]),
        member=_members(usable, cluster, order[exists]),
        skill=skill,
        n_answers=n_seen,
        agreement=_agreement(usable, links, cluster, n_seen),
        label_agreement=_label_agreement(boxes, usable, cluster),
        findings=(*usable.findings, *oddities(boxes, skill, n_seen, table.rows(order[exists]))),
    )


def _seen(boxes: Boxes) -> Ints:
    """Return who saw what, sorted and each once; who drew a box has seen the image."""
    drew = np.column_stack([boxes.task, boxes.worker]).astype(np.int64)
    told = drew if boxes.seen is None else np.vstack([boxes.seen.astype(np.int64), drew])
    count = np.int64(max(len(boxes.worker_names), 1))
    code = np.unique(told[:, 0] * count + told[:, 1])
    return np.column_stack([code // count, code % count])


def _table(
    boxes: Boxes,
    usable: Mended,
    links: Pairs,
    cluster: Ints,
    n_seen: NDArray[np.int32],
    classify: Classify,
) -> tuple[BoxTable, where.Scales]:
    """Return all clusters as boxes, and the workers' errors."""
    votes = np.bincount(cluster).astype(np.int32)
    count = len(votes)
    task = np.zeros(count, np.int32)
    task[cluster] = usable.task
    collected = where.groups(cluster, usable.worker, usable.corners)
    scales = where.fit(collected, len(boxes.worker_names))
    within = cluster[links.first] == cluster[links.second]
    shared = np.bincount(cluster[links.first[within]], links.overlap[within], minlength=count)
    several = votes > 1
    overlap = np.full(count, np.nan)
    overlap[several] = shared[several] / (votes[several] * (votes[several] - 1.0) / 2)
    label, label_confidence, tied = _classes(boxes, usable, cluster, classify)
    table = BoxTable(
        task=task,
        corners=where.locate(collected, scales.weights, count),
        label=label,
        label_confidence=label_confidence,
        tied=tied,
        confidence=np.nan_to_num(overlap) * votes / np.maximum(n_seen[task], 1),
        votes=votes,
        n_seen=n_seen[task],
        overlap=overlap,
    )
    return table, scales


def _classes(
    boxes: Boxes, usable: Mended, cluster: Ints, classify: Classify
) -> tuple[NDArray[np.int32], NDArray[np.float64], NDArray[np.bool_]]:
    """Return each cluster's class, its confidence, and whether it is tied."""
    if not np.any(usable.label >= 0):
        count = int(cluster.max(initial=-1)) + 1
        return np.full(count, UNLABELLED, np.int32), np.zeros(count), np.zeros(count, np.bool_)
    found = classify(_votes(boxes, usable, cluster))
    return found.label, found.confidence, found.tied


def _votes(boxes: Boxes, usable: Mended, cluster: Ints) -> Answers:
    """Return the classes that workers gave, the objects as tasks."""
    named = usable.label >= 0
    return Answers(
        task=cluster[named].astype(np.int32),
        worker=usable.worker[named],
        label=usable.label[named],
        task_names=tuple(map(str, range(int(cluster.max(initial=-1)) + 1))),
        worker_names=tuple(boxes.worker_names),
        label_names=tuple(boxes.label_names),
    )


def _members(usable: Mended, cluster: Ints, found: Ints) -> NDArray[np.int32]:
    """Return per input box the row among the ``found`` clusters, or -1."""
    row = np.full(int(cluster.max(initial=-1)) + 2, -1, np.int32)
    row[found] = np.arange(len(found), dtype=np.int32)
    # Boxes that were left out stand for usable box -1, which gets the spare last cluster.
    of_usable = np.append(cluster, len(row) - 1)
    member: NDArray[np.int32] = row[of_usable[usable.stands_for]]
    return member


def _agreement(usable: Mended, links: Pairs, cluster: Ints, n_seen: NDArray[np.int32]) -> NDArray[np.float64]:
    """Return the overlap-weighted F1 between workers per image."""
    within = cluster[links.first] == cluster[links.second]
    shared = np.bincount(usable.task[links.first[within]], links.overlap[within], minlength=len(n_seen))
    drawn = np.bincount(usable.task, minlength=len(n_seen))
    # Over all pairs of workers, each box is counted once per other viewer.
    possible = drawn * (n_seen - 1.0) / 2
    agreed = np.divide(shared, possible, out=np.ones(len(n_seen)), where=possible > 0)
    return np.where(n_seen > 1, agreed, np.nan)


def _label_agreement(boxes: Boxes, usable: Mended, cluster: Ints) -> Agreement | None:
    return agreement(_votes(boxes, usable, cluster)) if boxes.label is not None else None
