"""Label maps of several workers to one per image."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from groundswell.consolidation.segmentation.data import (
    LabelMap,
    MaskConsensus,
    Masks,
    MaskSkill,
    SegmentationConsensus,
)
from groundswell.consolidation.segmentation.mending import Troubles, usable
from groundswell.consolidation.segmentation.patterns import patterns
from groundswell.consolidation.segmentation.smoothing import best, smoothed
from groundswell.consolidation.segmentation.weights import Record, fit, votes
from groundswell.errors import AnswerError

Ints = NDArray[np.int32]

SMOOTHING = 0.3
"""How much a neighbouring pixel counts, in votes of the average worker of the image.

In simulated crowds (2 and 4 labels, 3 and 5 workers, noise at edges and in single pixels) 0.15 to 0.6 are all
better than no smoothing, and 0.3 is never far from the best.
"""


@dataclass(frozen=True, eq=False)
class MaskModel:
    """What the answers of a batch say about its workers; makes the consensus of any image.

    :param worker_names: sorted
    :param label_names: the labels
    :param skill: how far each worker can be trusted
    :param agreement: Krippendorff's alpha over the pixels; NaN: not defined
    :param troubles: what was left out
    """

    worker_names: tuple[str, ...]
    label_names: tuple[str, ...]
    skill: MaskSkill
    agreement: float
    troubles: Troubles

    def fuse(self, answers: Mapping[str, LabelMap], *, smoothing: float = SMOOTHING) -> MaskConsensus:
        """Return the consensus of one image's maps, by worker name.

        :param smoothing: how much a neighbour counts, in votes; 0: no smoothing
        :raises AnswerError: a worker that the model was not fitted with
        """
        maps = usable(answers, len(self.label_names)).maps
        if not maps:
            empty = np.zeros((0, 0))
            unknown = np.full(len(self.label_names), np.nan)
            return MaskConsensus(empty.astype(np.int32), empty.astype(np.float32), unknown, 0, 0)
        at = {name: position for position, name in enumerate(self.worker_names)}
        for name in maps:
            if name not in at:
                raise AnswerError(f"masks: worker {name!r} is new; fit the model with their answers, too")
        worker = np.array([at[name] for name in maps], dtype=np.int32)
        weights = self.skill.weight[worker]
        return _fused(np.stack([*maps.values()]), weights, len(self.label_names), smoothing)


def consolidate_masks(
    masks: Masks,
    *,
    label_names: Sequence[str] = ("background", "object"),
    background: int | None = 0,
    smoothing: float = SMOOTHING,
) -> SegmentationConsensus:
    """Vote per pixel with the workers' weights, and let neighbours decide what stays in doubt.

    Nothing depends on the order of images or workers. A map that cannot be used (another size than most of
    the image's maps, no integers, labels outside ``label_names``, no pixels) is left out and reported; a map
    of background alone is an answer like any other. All maps are in the result: for more images than fit in
    memory use :func:`fit_masks` and its ``fuse``, image by image.

    :param background: the label that is not an object; skill is measured on the others
    :param smoothing: how much a neighbour counts, in votes; 0: no smoothing
    :raises AnswerError: ``background`` or ``smoothing`` outside its range
    """
    if not 0.0 <= smoothing < np.inf:
        raise AnswerError(f"masks: smoothing is {smoothing}; give a number from 0 up")
    model = fit_masks(masks, label_names=label_names, background=background)
    return SegmentationConsensus(
        images={name: model.fuse(masks[name], smoothing=smoothing) for name in masks},
        worker_names=model.worker_names,
        skill=model.skill,
        agreement=model.agreement,
        findings=model.troubles.findings(),
    )


def fit_masks(
    masks: Masks, *, label_names: Sequence[str] = ("background", "object"), background: int | None = 0
) -> MaskModel:
    """Learn from all images how far each worker can be trusted; holds one image at a time.

    :param background: the label that is not an object; skill is measured on the others
    :raises AnswerError: ``background`` is no label
    """
    n_labels = len(label_names)
    if background is not None and not 0 <= background < n_labels:
        raise AnswerError(f"masks: background is {background}, and there are {n_labels} labels")
    worker_names = tuple(sorted({worker for name in masks for worker in masks[name]}))
    at = {name: position for position, name in enumerate(worker_names)}
    troubles = Troubles()
    records = []
    for name in sorted(masks):
        found = usable(masks[name], n_labels)
        troubles.note(name, found)
        if found.maps:
            worker = np.array([at[worker] for worker in found.maps], dtype=np.int32)
            seen = patterns(np.stack([*found.maps.values()]).reshape(len(worker), -1))
            records.append(Record(worker, seen.labels, seen.count))
    weights, overlap = fit(records, len(worker_names), n_labels, background)
    n_images = np.zeros(len(worker_names), np.int32)
    for record in records:
        n_images[record.worker] += 1
    skill = MaskSkill(overlap, weights, n_images)
    return MaskModel(worker_names, tuple(label_names), skill, alpha(records, n_labels), troubles)


def alpha(records: Sequence[Record], n_labels: int) -> float:
    """Return Krippendorff's alpha (nominal) over all pixels with two answers or more.

    1 - D_o / D_e with D_o = sum_u (m_u^2 - sum_c n_uc^2) / (m_u - 1) / n and
    D_e = (n^2 - sum_c n_c^2) / (n (n - 1)), over units u with m_u answers, n_uc of them for label c, n_c and
    n in all (Krippendorff 2011, "Computing Krippendorff's Alpha-Reliability").
    """
    observed, answers = 0.0, 0.0
    of_label = np.zeros(n_labels)
    for record in records:
        size = len(record.worker)
        if size < 2:
            continue
        same = (record.labels[:, :, None] == record.labels[:, None, :]).sum(axis=(1, 2))
        observed += float(((size**2 - same) * record.count).sum()) / (size - 1)
        answers += size * float(record.count.sum())
        each = np.broadcast_to(record.count[:, None], record.labels.shape)
        of_label += np.bincount(record.labels.ravel(), each.ravel(), n_labels)
    expected = answers**2 - float((of_label**2).sum())
    return 1.0 - observed * (answers - 1.0) / expected if expected > 0 else float("nan")


def _fused(maps: Ints, weights: NDArray[np.float64], n_labels: int, smoothing: float) -> MaskConsensus:
    shape = maps.shape[1:]
    seen = patterns(maps.reshape(len(maps), -1))
    score = votes(seen.labels, weights / weights.mean())
    share = np.maximum(score, 0.0) / len(weights)
    rank = np.empty(n_labels, np.int32)
    rank[np.argsort(-np.bincount(maps.ravel(), minlength=n_labels), kind="stable")] = np.arange(n_labels)
    label = best(seen.labels, score, rank)[seen.at].reshape(shape)
    pixel = np.flatnonzero(seen.disputed[seen.at])
    if smoothing > 0 and len(pixel):
        pattern = seen.at[pixel]
        label = smoothed(label, pixel, seen.labels[pattern], score[pattern], rank, smoothing)
    alone = len(maps) == 1
    ties = (score >= score.max(axis=1, keepdims=True) - 1e-9).sum(axis=1) > 1
    return MaskConsensus(
        label=label,
        confidence=_confidence(label, seen.at, seen.labels, share).reshape(shape) * np.float32(not alone),
        mask_confidence=_expected_overlap(label, seen.at, seen.labels, share, n_labels) * float(not alone),
        n_answers=len(maps),
        tied=int(seen.count[ties].sum()),
    )


def _confidence(
    label: Ints, at: NDArray[np.int64], labels: Ints, share: NDArray[np.float64]
) -> NDArray[np.float32]:
    """Return per pixel the share of its label."""
    total = np.zeros(label.size, np.float32)
    flat = label.ravel()
    for worker in range(labels.shape[1]):
        given = labels[:, worker][at] == flat
        total[given] += share[:, worker].astype(np.float32)[at[given]]
    return np.minimum(total, np.float32(1.0))


def _expected_overlap(
    label: Ints, at: NDArray[np.int64], labels: Ints, share: NDArray[np.float64], n_labels: int
) -> NDArray[np.float64]:
    """Return per label the expected intersection by the expected union with the true pixels."""
    flat = label.ravel()
    size = np.bincount(flat, minlength=n_labels).astype(np.float64)
    # Patterns and results first, so that pixels are counted once.
    cell, count = np.unique(at * n_labels + flat, return_counts=True)
    pattern, result = cell // n_labels, cell % n_labels
    inside, mass = np.zeros((2, n_labels))
    for worker in range(labels.shape[1]):
        truth = labels[pattern, worker]
        expected = share[pattern, worker] * count
        mass += np.bincount(truth, expected, n_labels)
        inside += np.bincount(truth, expected * (truth == result), n_labels)
    union = size + mass - inside
    with np.errstate(invalid="ignore", divide="ignore"):
        overlap: NDArray[np.float64] = np.where(size > 0, inside / union, np.nan)
    return overlap
