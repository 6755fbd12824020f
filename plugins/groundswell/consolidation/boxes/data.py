"""The data contract of boxes: workers' boxes in, one set of boxes per image out."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from groundswell.consolidation.agreement import Agreement
from groundswell.consolidation.findings import Finding
from groundswell.errors import AnswerError

Floats = NDArray[np.float64]
Ints = NDArray[np.int32]
Corners = tuple[float, float, float, float]

UNLABELLED = -1
"""The label of a box that was given no class."""


@dataclass(frozen=True, eq=False)
class Boxes:
    """All boxes that workers drew, and who looked at which image.

    Impossible boxes (not a number, no area, outside the image, drawn twice) may be here: consolidation
    mends or drops them and says so.

    :param task: per box, the position of its image in ``task_names``
    :param worker: per box, the position of its worker in ``worker_names``
    :param corners: ``[n, 4]``: left, top, right, bottom in pixels
    :param label: per box, the position of its class in ``label_names``, or -1 for none; ``None``: no classes
    :param task_names: the images, those without a box included
    :param worker_names: the workers
    :param label_names: the allowed classes
    :param seen: ``[m, 2]``: pairs of image and worker who looked at it. A worker who drew a box has seen the
        image in any case; one who drew none is known only from here.
    :param sizes: per image its width and height in pixels (NaN: unknown), or ``None``
    :raises AnswerError: lengths that differ, a position outside its names, an image size that is not positive
    """

    task: Ints
    worker: Ints
    corners: Floats
    label: Ints | None
    task_names: Sequence[str]
    worker_names: Sequence[str]
    label_names: Sequence[str] = ()
    seen: Ints | None = None
    sizes: Floats | None = None

    def __post_init__(self) -> None:
        count = len(self.task)
        if self.corners.shape != (count, 4) or len(self.worker) != count:
            raise AnswerError(
                f"boxes: {count} tasks, {len(self.worker)} workers and corners of shape "
                f"{self.corners.shape}; give one of each per box, corners as x1, y1, x2, y2"
            )
        check_positions("task", self.task, len(self.task_names))
        check_positions("worker", self.worker, len(self.worker_names))
        if self.label is not None:
            if len(self.label) != count:
                raise AnswerError(f"boxes: {count} boxes and {len(self.label)} labels; give one per box")
            check_positions("label", self.label, len(self.label_names), least=UNLABELLED)
        if self.seen is not None:
            self._check_seen(self.seen)
        if self.sizes is not None:
            self._check_sizes(self.sizes)

    def __len__(self) -> int:
        return len(self.task)

    def _check_seen(self, seen: Ints) -> None:
        if seen.ndim != 2 or seen.shape[1] != 2:
            raise AnswerError(f"boxes: seen has the shape {seen.shape}; give pairs of task and worker")
        check_positions("seen's task", seen[:, 0], len(self.task_names))
        check_positions("seen's worker", seen[:, 1], len(self.worker_names))

    def _check_sizes(self, sizes: Floats) -> None:
        if sizes.shape != (len(self.task_names), 2):
            raise AnswerError(
                f"boxes: sizes has the shape {sizes.shape} and there are {len(self.task_names)} images; "
                "give width and height of each"
            )
        wrong = np.flatnonzero((~(sizes > 0) & ~np.isnan(sizes)).any(axis=1))
        if len(wrong):
            width, height = sizes[wrong[0]]
            raise AnswerError(
                f"image {self.task_names[wrong[0]]!r} is {width:g} x {height:g} pixels; "
                "give a positive size, or NaN where it is not known"
            )

    @classmethod
    def from_rows(
        cls,
        rows: Iterable[tuple[str, str, Corners, str | None]],
        *,
        seen: Iterable[tuple[str, str]] = (),
        labels: Sequence[str] = (),
        tasks: Sequence[str] | None = None,
        sizes: Mapping[str, tuple[float, float]] | None = None,
    ) -> Boxes:
        """Build from ``(task, worker, (x1, y1, x2, y2), label or None)`` rows, in any order.

        :param seen: ``(task, worker)`` pairs of those who looked, at least of those who drew nothing
        :param labels: the allowed classes; empty where boxes have none
        :param tasks: the images, to fix their order; otherwise those of ``rows`` and ``seen``, sorted
        :param sizes: width and height per image, in pixels
        :raises AnswerError: a class outside ``labels`` or an image outside ``tasks``
        """
        drawn = list(rows)
        looked = list(seen)
        everyone = [row[:2] for row in drawn] + looked
        task_names = tuple(sorted({task for task, _ in everyone}) if tasks is None else tasks)
        worker_names = tuple(sorted({worker for _, worker in everyone}))
        task_at = _positions("images", task_names)
        worker_at = _positions("workers", worker_names)
        label_at = _positions("labels", labels)
        for task, worker in everyone:
            if task not in task_at:
                raise AnswerError(
                    f"image {task!r}: worker {worker!r} answered an image that is not in the list; "
                    "leave this answer out, or add the image"
                )
        for task, worker, _, label in drawn:
            if label is not None and label not in label_at:
                raise AnswerError(
                    f"image {task!r}: worker {worker!r} gave a box the label {label!r}, "
                    "which is not allowed; leave the box out, or allow the label"
                )
        return cls(
            task=np.array([task_at[row[0]] for row in drawn], dtype=np.int32),
            worker=np.array([worker_at[row[1]] for row in drawn], dtype=np.int32),
            corners=np.array([row[2] for row in drawn], dtype=np.float64).reshape(-1, 4),
            label=np.array(
                [UNLABELLED if row[3] is None else label_at[row[3]] for row in drawn], dtype=np.int32
            )
            if labels
            else None,
            task_names=task_names,
            worker_names=worker_names,
            label_names=tuple(labels),
            seen=np.array([(task_at[t], worker_at[w]) for t, w in looked], dtype=np.int32).reshape(-1, 2),
            sizes=None
            if sizes is None
            else np.array([sizes.get(task, (np.nan, np.nan)) for task in task_names]).reshape(-1, 2),
        )


@dataclass(frozen=True, eq=False)
class BoxTable:
    """Boxes on which workers agree, one row each, sorted by image and then by left edge.

    :param task: position of the image
    :param corners: ``[m, 4]``: left, top, right, bottom in pixels
    :param label: position of the class; -1: no worker gave one, or the votes are tied
    :param label_confidence: score of the class, 0 to 1
    :param tied: the votes for the class are tied
    :param confidence: score of the box, 0 to 1: the share of those who saw the image that drew the box,
        times how well the drawn boxes overlap; 0.0 where only one worker drew it
    :param votes: how many workers drew it
    :param n_seen: how many workers saw the image
    :param overlap: mean intersection over union of the workers' boxes, pair by pair; pairs below the
        matching threshold count as 0. NaN where only one worker drew it.
    """

    task: Ints
    corners: Floats
    label: Ints
    label_confidence: Floats
    tied: NDArray[np.bool_]
    confidence: Floats
    votes: Ints
    n_seen: Ints
    overlap: Floats

    def __len__(self) -> int:
        return len(self.task)

    def rows(self, which: NDArray[np.bool_] | NDArray[np.int64]) -> BoxTable:
        """Return some of the rows."""
        return BoxTable(**{name: column[which] for name, column in vars(self).items()})


@dataclass(frozen=True, eq=False)
class Estimate:
    """A quantity per worker: its mean and the ends of its central 90 % interval; NaN where unknown."""

    mean: Floats
    low: Floats
    high: Floats


@dataclass(frozen=True, eq=False)
class BoxSkill:
    """What is known of each worker, always measured against the other workers only.

    :param recall: probability that the worker draws an object that at least half of the others drew
    :param precision: probability that a box of the worker is one that at least half of the others drew
    :param error: mean distance of an edge from the others' edge, as a share of the box's width or height
    :param n_boxes: boxes of the worker that were used
    :param n_images: images that the worker saw
    """

    recall: Estimate
    precision: Estimate
    error: Estimate
    n_boxes: Ints
    n_images: Ints


@dataclass(frozen=True, eq=False)
class BoxConsensus:
    """The result: which boxes there are, how sure, and how good the workers are.

    :param boxes: drawn by at least half of those who saw the image
    :param doubtful: drawn by fewer; for experts, or to ask again
    :param member: per input box the row of ``boxes`` that it belongs to; -1: none
    :param skill: per worker
    :param n_answers: per image, how many workers saw it
    :param agreement: per image, 0 to 1: mean over pairs of workers of twice the overlap of their common
        boxes divided by the number of their boxes; 1 where nobody drew any, NaN with fewer than two workers
    :param label_agreement: how far workers agree on the classes of the same object; ``None``: no classes
    :param findings: what is odd, in plain words
    :param confidence_is: what ``boxes.confidence`` is
    """

    boxes: BoxTable
    doubtful: BoxTable
    member: Ints
    skill: BoxSkill
    n_answers: Ints
    agreement: Floats
    label_agreement: Agreement | None
    findings: tuple[Finding, ...]
    method: str = "boxes"
    confidence_is: Literal["score", "probability"] = "score"


def check_positions(what: str, positions: Ints, size: int, *, least: int = 0) -> None:
    """Refuse positions that are no integers or outside ``least`` to ``size - 1``.

    :raises AnswerError: naming the first that is wrong
    """
    if not np.issubdtype(positions.dtype, np.integer):
        raise AnswerError(f"boxes: {what} has the type {positions.dtype}; give integer positions")
    wrong = np.flatnonzero((positions < least) | (positions >= size))
    if len(wrong):
        raise AnswerError(
            f"boxes: {what} {wrong[0]} is the position {positions[wrong[0]]}, and there are {size} names; "
            f"positions run from {least} to {size - 1}"
        )


def _positions(what: str, names: Sequence[str]) -> dict[str, int]:
    found = {name: position for position, name in enumerate(names)}
    if len(found) != len(names):
        raise AnswerError(f"boxes: a name is twice in {what}; name each once")
    return found
