"""The data contract of multi-label consolidation: sets of labels in, one set per task out."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from groundswell.consolidation.agreement import Agreement
from groundswell.consolidation.findings import Finding
from groundswell.consolidation.naming import (
    check_known_item,
    check_known_label,
    check_positions,
    check_row_names,
    positions,
    unique_names,
)
from groundswell.errors import AnswerError


@dataclass(frozen=True, eq=False)
class SetAnswers:
    """Answers that are sets of labels, the empty set included ("none of these").

    :param task: position in ``task_names`` of each answer's task
    :param worker: position in ``worker_names`` of each answer's worker
    :param start: answer ``i`` holds ``label[start[i]:start[i + 1]]``; one entry more than answers
    :param label: positions in ``label_names``, ascending within an answer, each once
    :param task_names: the tasks, those without an answer included
    :param worker_names: the workers
    :param label_names: the allowed labels
    :raises AnswerError: arrays that contradict each other, or a position outside its names
    """

    task: NDArray[np.int32]
    worker: NDArray[np.int32]
    start: NDArray[np.int64]
    label: NDArray[np.int32]
    task_names: Sequence[str]
    worker_names: Sequence[str]
    label_names: Sequence[str]

    def __post_init__(self) -> None:
        count = len(self.task)
        check_positions("task", self.task, len(self.task_names), count)
        check_positions("worker", self.worker, len(self.worker_names), count)
        check_positions("label", self.label, len(self.label_names), len(self.label))
        start = self.start
        fits = np.shape(start) == (count + 1,) and start[0] == 0 and start[-1] == len(self.label)
        if not fits or (np.diff(start) < 0).any():
            raise AnswerError(
                f"answers: start does not divide {len(self.label)} labels among {count} answers; "
                f"give {count + 1} ascending positions from 0 to {len(self.label)}"
            )
        inside = np.diff(self.label.astype(np.int64)) <= 0
        borders = start[(start > 0) & (start < len(self.label))] - 1
        inside[borders] = False
        if inside.any():
            raise AnswerError("answers: a set's labels are not ascending or not unique; sort them, each once")

    def __len__(self) -> int:
        return len(self.task)

    @classmethod
    def from_rows(
        cls,
        rows: Iterable[tuple[str, str, Collection[str]]],
        *,
        labels: Sequence[str],
        tasks: Sequence[str] | None = None,
    ) -> SetAnswers:
        """Build from ``(task, worker, labels)`` rows.

        The same row twice counts once, and so does a label twice in a row. A worker who gave one task two
        different sets counts with both.

        :param rows: the answers, in any order
        :param labels: the allowed labels
        :param tasks: the tasks, to fix their order and to keep those without an answer; otherwise the tasks
            of the rows, sorted
        :raises AnswerError: a label or task that is unknown, a name twice, a task or worker without a name,
            or an answer that is no collection of labels
        """
        label_names = unique_names("labels", labels)
        task_names = None if tasks is None else unique_names("tasks", tasks)
        label_at = positions(label_names)
        known = None if task_names is None else positions(task_names)
        answers = sorted({_checked_row(row, label_at, known) for row in rows})
        if task_names is None:
            task_names = tuple(dict.fromkeys(task for task, _, _ in answers))
        worker_names = tuple(sorted({worker for _, worker, _ in answers}))
        task_at, worker_at = positions(task_names), positions(worker_names)
        return cls(
            task=np.array([task_at[task] for task, _, _ in answers], dtype=np.int32),
            worker=np.array([worker_at[worker] for _, worker, _ in answers], dtype=np.int32),
            start=np.cumsum([0, *(len(chosen) for _, _, chosen in answers)], dtype=np.int64),
            label=np.array([k for _, _, chosen in answers for k in chosen], dtype=np.int32),
            task_names=task_names,
            worker_names=worker_names,
            label_names=label_names,
        )


@dataclass(frozen=True, eq=False)
class SetConsensus:
    """One set of labels per task.

    :param start: task ``t`` has the labels ``label[start[t]:start[t + 1]]``
    :param label: positions in ``label_names``, ascending within a task
    :param label_confidence: for each of these, a score from 0 to 1 that it belongs to the set
    :param confidence: per task, a score from 0 to 1 that the whole set is right; 0 without an answer
    :param posterior: tasks x labels, ``scipy.sparse.csr_array``: the score of each label that anybody named
    :param worker_skill: per worker the probability of being right about a label that somebody named for the
        item (giving it where it belongs, leaving it out where not); NaN where nothing is known
    :param skill_low: lower end of its central 90 % interval
    :param skill_high: upper end of its central 90 % interval
    :param sensitivity: per worker the probability of giving a label that belongs
    :param specificity: per worker the probability of leaving out a label that does not, over all labels
    :param n_answers: answers per task
    :param tied: the answers leave it open whether a label belongs, or which of two is the only one. A label
        that is tied is not in the set.
    :param empty: the set is empty because the workers said so, not for lack of answers or for a tie
    :param agreement: per label, of the answers "belongs" and "does not"
    :param set_agreement: of the sets, by their Jaccard similarity
    :param method: the name of the method
    :param confidence_is: always ``score`` here
    :param findings: what is odd about the answers or the result, for people
    :param label_names: the allowed labels
    """

    start: NDArray[np.int64]
    label: NDArray[np.int32]
    label_confidence: NDArray[np.float64]
    confidence: NDArray[np.float64]
    posterior: Any
    worker_skill: NDArray[np.float64]
    skill_low: NDArray[np.float64]
    skill_high: NDArray[np.float64]
    sensitivity: NDArray[np.float64]
    specificity: NDArray[np.float64]
    n_answers: NDArray[np.int32]
    tied: NDArray[np.bool_]
    empty: NDArray[np.bool_]
    agreement: tuple[Agreement, ...]
    set_agreement: Agreement
    method: str
    label_names: Sequence[str]
    confidence_is: Literal["score", "probability"] = "score"
    findings: tuple[Finding, ...] = ()

    def labels_of(self, task: int) -> tuple[str, ...]:
        """Return the names of the labels of the task at a position."""
        return tuple(self.label_names[k] for k in self.label[self.start[task] : self.start[task + 1]])


def known_sets(
    answers: SetAnswers, known: Mapping[str, Collection[str]]
) -> tuple[NDArray[np.bool_], NDArray[np.int64]]:
    """Return which tasks have a known set, and the sorted codes ``task * labels + label`` of their labels.

    :param known: the true set by task; tasks that are not among the answers' are left out
    :raises AnswerError: a label that is not allowed, or no collection of labels
    """
    label_at = positions(answers.label_names)
    is_known = np.zeros(len(answers.task_names), np.bool_)
    codes: list[int] = []
    for position, task in enumerate(answers.task_names):
        if task not in known:
            continue
        is_known[position] = True
        for name in _collection(task, "gold", known[task]):
            check_known_label(task, "gold", name, label_at)
            codes.append(position * len(label_at) + label_at[name])
    return is_known, np.unique(np.array(codes, dtype=np.int64))


def _checked_row(
    row: tuple[str, str, Collection[str]], label_at: dict[str, int], known: dict[str, int] | None
) -> tuple[str, str, tuple[int, ...]]:
    task, worker, chosen = row
    check_row_names(task, worker)
    chosen = _collection(task, worker, chosen)
    for label in chosen:
        check_known_label(task, worker, label, label_at)
    if known is not None:
        check_known_item(task, worker, known)
    return task, worker, tuple(sorted({label_at[label] for label in chosen}))


def _collection(task: str, worker: str, chosen: Collection[str]) -> Collection[str]:
    # The text "cat" is a collection of letters to Python, and a NaN of an empty cell is none at all.
    if isinstance(chosen, (str, bytes)) or not isinstance(chosen, Collection):
        raise AnswerError(
            f"item {task!r}: worker {worker!r} gave {chosen!r}, which is not a list of labels; "
            "give a list, the empty one where no label belongs"
        )
    return chosen
