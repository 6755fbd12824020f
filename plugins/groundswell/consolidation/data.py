"""The data contract of consolidation: answers in, one consensus per task out.

Names are kept apart from the numbers: ``task``, ``worker`` and ``label`` are positions in ``task_names``,
``worker_names`` and ``label_names``, one entry per answer, so that ten million answers are three arrays.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from groundswell.errors import AnswerError

_SHOWN = 20
"""How many names an error message lists before it says how many more there are."""


@dataclass(frozen=True, eq=False)
class Answers:
    """All answers to be consolidated.

    :param task: position in ``task_names`` of each answer's task
    :param worker: position in ``worker_names`` of each answer's worker
    :param label: position in ``label_names`` of the label that was given
    :param task_names: the tasks, those without an answer included
    :param worker_names: the workers
    :param label_names: the allowed labels, in the order of their class indices
    :raises AnswerError: the arrays differ in length, or a position is outside its names
    """

    task: NDArray[np.int32]
    worker: NDArray[np.int32]
    label: NDArray[np.int32]
    task_names: tuple[str, ...]
    worker_names: tuple[str, ...]
    label_names: tuple[str, ...]

    def __post_init__(self) -> None:
        lengths = {len(self.task), len(self.worker), len(self.label)}
        if len(lengths) != 1:
            raise AnswerError(
                f"answers: task, worker and label have {len(self.task)}, {len(self.worker)} and "
                f"{len(self.label)} entries; give one of each per answer"
            )
        _check_positions("task", self.task, len(self.task_names))
        _check_positions("worker", self.worker, len(self.worker_names))
        _check_positions("label", self.label, len(self.label_names))

    def __len__(self) -> int:
        return len(self.task)

    @classmethod
    def from_rows(
        cls,
        rows: Iterable[tuple[str, str, str]],
        *,
        labels: Sequence[str],
        tasks: Sequence[str] | None = None,
    ) -> Answers:
        """Build from ``(task, worker, label)`` rows.

        The same row twice counts once, since a record may be written twice. A worker who gave one task two
        different labels counts with both.

        :param rows: the answers, in any order
        :param labels: the allowed labels; an answer's class index is its position here
        :param tasks: the tasks, to fix their order and to keep those without an answer; otherwise the tasks
            of the rows, sorted
        :raises AnswerError: a label outside ``labels``, a task outside ``tasks``, or a name twice in either
        """
        label_names = _unique("labels", labels)
        task_names = None if tasks is None else _unique("tasks", tasks)
        # A set drops repeated rows, and sorting makes the result independent of the order they came in.
        answers = sorted(set(rows))
        if task_names is None:
            task_names = tuple(dict.fromkeys(row[0] for row in answers))
        worker_names = tuple(sorted({row[1] for row in answers}))
        label_at = _positions(label_names)
        task_at = _positions(task_names)
        worker_at = _positions(worker_names)
        try:
            label = [label_at[row[2]] for row in answers]
            task = [task_at[row[0]] for row in answers]
        except KeyError:
            raise _unknown_name(answers, task_at, label_at) from None
        return cls(
            task=np.array(task, dtype=np.int32),
            worker=np.array([worker_at[row[1]] for row in answers], dtype=np.int32),
            label=np.array(label, dtype=np.int32),
            task_names=task_names,
            worker_names=worker_names,
            label_names=label_names,
        )


@dataclass(frozen=True, eq=False)
class Consensus:
    """One label per task.

    :param label: position in the answers' ``label_names``; -1 where there is no answer or no winner
    :param confidence: a score from 0 to 1. Whether it is a probability is up to the method, which says so.
    :param posterior: tasks x labels, rows sum to 1; ``None`` where the method has none
    :param worker_skill: from 0 to 1 per worker; NaN where nothing can be said
    :param n_answers: answers per task
    :param tied: the best labels of this task had equal support, so ``label`` is -1
    """

    label: NDArray[np.int32]
    confidence: NDArray[np.float64]
    posterior: NDArray[np.float64] | None
    worker_skill: NDArray[np.float64]
    n_answers: NDArray[np.int32]
    tied: NDArray[np.bool_]


def _positions(names: Sequence[str]) -> dict[str, int]:
    return {name: position for position, name in enumerate(names)}


def _unique(what: str, names: Sequence[str]) -> tuple[str, ...]:
    seen: set[str] = set()
    for name in names:
        if name in seen:
            raise AnswerError(f"answers: {name!r} is twice in {what}; name each once")
        seen.add(name)
    return tuple(names)


def _check_positions(what: str, positions: NDArray[np.int32], size: int) -> None:
    if not np.issubdtype(positions.dtype, np.integer):
        raise AnswerError(f"answers: {what} has the type {positions.dtype}; give integer positions")
    if len(positions) == 0:
        return
    least, most = int(np.min(positions)), int(np.max(positions))
    if least < 0 or most >= size:
        raise AnswerError(
            f"answers: {what} holds the position {least if least < 0 else most}, "
            f"and there are {size} names; positions run from 0 to {size - 1}"
        )


def _unknown_name(
    answers: Iterable[tuple[str, str, str]], task_at: dict[str, int], label_at: dict[str, int]
) -> AnswerError:
    for task, worker, label in answers:
        if label not in label_at:
            return AnswerError(
                f"item {task!r}: worker {worker!r} gave the label {label!r}, "
                f"which is not one of {_listing(label_at)}; leave this answer out, or allow the label"
            )
        if task not in task_at:
            return AnswerError(
                f"item {task!r}: worker {worker!r} answered an item that is not in the list of items; "
                "leave this answer out, or add the item"
            )
    raise AssertionError("called without an unknown name")


def _listing(names: Iterable[str]) -> str:
    shown = list(names)
    more = f" and {len(shown) - _SHOWN} more" if len(shown) > _SHOWN else ""
    return ", ".join(repr(name) for name in shown[:_SHOWN]) + more
