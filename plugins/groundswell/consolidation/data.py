"""The data contract of consolidation: answers in, one consensus per task out.

Names are kept apart from the numbers: ``task``, ``worker`` and ``label`` are positions in ``task_names``,
``worker_names`` and ``label_names``, one entry per answer, so that ten million answers are three arrays.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from groundswell.consolidation.findings import Finding
from groundswell.errors import AnswerError

_SHOWN = 20
"""How many names an error message lists before it says how many more there are."""


@dataclass(frozen=True, eq=False)
class Answers:
    """All answers to be consolidated.

    :param task: position in ``task_names`` of each answer's task
    :param worker: position in ``worker_names`` of each answer's worker
    :param label: position in ``label_names`` of the label that was given
    :param task_names: the tasks, those without an answer included. Any sequence will do, also one that makes
        its names when asked for them, so that ten million answers need no million strings.
    :param worker_names: the workers
    :param label_names: the allowed labels, in the order of their class indices
    :raises AnswerError: the arrays differ in length, or a position is outside its names
    """

    task: NDArray[np.int32]
    worker: NDArray[np.int32]
    label: NDArray[np.int32]
    task_names: Sequence[str]
    worker_names: Sequence[str]
    label_names: Sequence[str]

    def __post_init__(self) -> None:
        for what in ("task", "worker", "label"):
            shape = np.shape(getattr(self, what))
            if len(shape) != 1:
                raise AnswerError(f"answers: {what} has the shape {shape}; give one position per answer")
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
        :raises AnswerError: a label outside ``labels``, a task outside ``tasks``, a name twice in either, or
            a task, worker or label that is no text or is empty (such as the NaN of an empty cell)
        """
        label_names = _unique("labels", labels)
        task_names = None if tasks is None else _unique("tasks", tasks)
        rows = set(rows)
        _check_texts(rows)
        # A set drops repeated rows, and sorting makes the result independent of the order they came in.
        answers = sorted(rows)
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
class Earlier:
    """What earlier batches say about each worker, as pseudo-counts: so many answers seen before.

    The caller discounts them: a worker's habits change, and a new batch asks something else. They enter the
    models as priors, so with many answers in this batch they matter little.

    :param right: per worker of the answers, earlier answers that were right
    :param wrong: earlier answers that were wrong
    :param confusion: workers x true label x given label, where earlier batches had the same labels; its
        counts stand for the same answers as ``right`` and ``wrong`` and are used instead of them by methods
        that know confusions
    :raises AnswerError: shapes that contradict, or counts that are negative or not finite
    """

    right: NDArray[np.float64]
    wrong: NDArray[np.float64]
    confusion: NDArray[np.float64] | None = None

    def __post_init__(self) -> None:
        workers = np.shape(self.right)
        if len(workers) != 1 or np.shape(self.wrong) != workers:
            raise AnswerError(
                f"earlier skill: right has the shape {workers} and wrong {np.shape(self.wrong)}; "
                "give one number of each per worker"
            )
        for what in ("right", "wrong", "confusion"):
            counts = getattr(self, what)
            if counts is not None and not (np.isfinite(counts).all() and (np.asarray(counts) >= 0).all()):
                raise AnswerError(f"earlier skill: {what} holds a count that is negative or not finite")
        shape = None if self.confusion is None else np.shape(self.confusion)
        if shape is not None and (len(shape) != 3 or shape[:1] != workers or shape[1] != shape[2]):
            raise AnswerError(
                f"earlier skill: confusion has the shape {shape}; give workers x true label x given label"
            )

    def check(self, answers: Answers) -> None:
        """
        Refuse skill of other workers or other labels than the answers'.

        :raises AnswerError: the numbers of workers or labels differ
        """
        n_workers, n_labels = len(answers.worker_names), len(answers.label_names)
        if len(self.right) != n_workers:
            raise AnswerError(
                f"earlier skill: is for {len(self.right)} workers, and the answers have {n_workers}; "
                "give a line to each, with zeros for a worker who is new"
            )
        if self.confusion is not None and self.confusion.shape[1] != n_labels:
            raise AnswerError(
                f"earlier skill: confusion is for {self.confusion.shape[1]} labels, and there are "
                f"{n_labels}; leave it out where the labels changed"
            )


@dataclass(frozen=True, eq=False)
class Consensus:
    """One label per task.

    :param label: position in the answers' ``label_names``; -1 where there is no answer or no winner
    :param confidence: from 0 to 1; what it is, ``confidence_is`` says
    :param posterior: tasks x labels, rows sum to 1; with very many labels a ``scipy.sparse.csr_array`` that
        holds only each task's candidates, whose rows sum to at most 1; ``None`` where the method has none
    :param worker_skill: per worker the probability that an answer is right; NaN where nothing is known
    :param skill_low: lower end of its central 90 % interval
    :param skill_high: upper end of its central 90 % interval
    :param n_answers: answers per task
    :param tied: the best labels of this task had equal support, so ``label`` is -1
    :param method: the name of the method, as batch files know it
    :param confidence_is: ``score`` orders items; ``probability`` was calibrated against known answers
    :param findings: what is odd about the answers or the result, for people
    """

    label: NDArray[np.int32]
    confidence: NDArray[np.float64]
    posterior: Any
    worker_skill: NDArray[np.float64]
    skill_low: NDArray[np.float64]
    skill_high: NDArray[np.float64]
    n_answers: NDArray[np.int32]
    tied: NDArray[np.bool_]
    method: str
    confidence_is: Literal["score", "probability"] = "score"
    findings: tuple[Finding, ...] = ()


def gold_of(answers: Answers, known: Mapping[str, str]) -> NDArray[np.int32]:
    """
    Return per task the position of its known label, or -1, as the methods take it.

    :param known: label by task; tasks that are not among the answers' are left out
    :raises AnswerError: a known label that is not one of the labels
    """
    label_at = _positions(answers.label_names)
    gold = np.full(len(answers.task_names), -1, dtype=np.int32)
    for position, task in enumerate(answers.task_names):
        label = known.get(task)
        if label is None:
            continue
        if label not in label_at:
            raise AnswerError(
                f"item {task!r}: the known label {label!r} is not one of {_listing(label_at)}; "
                "correct the known label, or allow it"
            )
        gold[position] = label_at[label]
    return gold


def check_gold(answers: Answers, gold: NDArray[np.int32] | None) -> None:
    """
    Refuse known labels that do not fit the answers.

    :raises AnswerError: not one per task, or a position outside the labels that is not -1
    """
    if gold is None:
        return
    n_tasks, n_labels = len(answers.task_names), len(answers.label_names)
    if np.shape(gold) != (n_tasks,):
        raise AnswerError(
            f"gold: has the shape {np.shape(gold)}, and there are {n_tasks} items; "
            "give a position of a label, or -1, to each"
        )
    if not np.issubdtype(gold.dtype, np.integer):
        raise AnswerError(f"gold: has the type {gold.dtype}; give integer positions, and -1 where unknown")
    least, most = (int(gold.min()), int(gold.max())) if n_tasks else (-1, -1)
    if least < -1 or most >= n_labels:
        raise AnswerError(
            f"gold: holds the position {least if least < -1 else most}, and there are "
            f"{n_labels} labels; positions run from 0 to {n_labels - 1}, and -1 says unknown"
        )


def _positions(names: Sequence[str]) -> dict[str, int]:
    return {name: position for position, name in enumerate(names)}


def _unique(what: str, names: Sequence[str]) -> tuple[str, ...]:
    seen: set[str] = set()
    for name in names:
        if name in seen:
            raise AnswerError(f"answers: {name!r} is twice in {what}; name each once")
        seen.add(name)
    return tuple(names)


def _check_texts(rows: Iterable[tuple[str, str, str]]) -> None:
    for task, worker, label in rows:
        # A NaN of an empty CSV cell arrives as a float, and sorting would fail on it without naming it
        for what, value in (("item", task), ("worker", worker), ("label", label)):
            if not isinstance(value, str) or not value:
                raise AnswerError(
                    f"item {task!r}: worker {worker!r} gave the label {label!r}, where the {what} is "
                    f"{'empty' if value == '' else 'no text'}; leave this answer out"
                )


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
