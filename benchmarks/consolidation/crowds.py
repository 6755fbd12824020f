"""The crowds that are measured on: real answers with known truth, and synthetic ones of any size."""

from __future__ import annotations

import csv
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import overload

import numpy as np
from numpy.typing import NDArray

from benchmarks.origin import CHECKOUT
from groundswell.consolidation.data import Answers

REAL = CHECKOUT.parent / "shared" / "data" / "crowd"
REDUNDANCY = 5
PER_WORKER = 200
FEWEST_WORKERS = 20
LABELS = 4
PRIOR = (0.4, 0.3, 0.2, 0.1)


@dataclass(frozen=True)
class Crowd:
    """Answers and, per task, the position of the true label (-1: not known)."""

    name: str
    answers: Answers
    truth: NDArray[np.int32]

    @property
    def per_item(self) -> float:
        """Answers per item."""
        return len(self.answers) / max(len(self.answers.task_names), 1)


class Numbered(Sequence[str]):
    """The names 0, 1, 2, ... as text, made when they are looked at: millions of them take no memory."""

    def __init__(self, size: int) -> None:
        self._numbers = range(size)

    def __len__(self) -> int:
        return len(self._numbers)

    @overload
    def __getitem__(self, index: int) -> str: ...
    @overload
    def __getitem__(self, index: slice) -> tuple[str, ...]: ...
    def __getitem__(self, index: int | slice) -> str | tuple[str, ...]:
        if isinstance(index, slice):
            return tuple(map(str, self._numbers[index]))
        return str(self._numbers[index])


def real_crowds(folder: Path = REAL) -> list[Crowd]:
    """Return all sets of a folder, by name; a folder is a set if it has labels in both of its files."""
    return [_read(path.parent) for path in sorted(folder.glob("*/answers.csv")) if _is_classification(path)]


def _is_classification(path: Path) -> bool:
    with path.open() as file:
        header = next(csv.reader(file), [])
    return header == ["task", "worker", "label"] and path.with_name("truth.csv").is_file()


def _read(folder: Path) -> Crowd:
    truth = _rows(folder / "truth.csv")
    rows = _rows(folder / "answers.csv")
    labels = sorted({row[-1] for row in rows} | {row[-1] for row in truth}, key=int)
    # Only tasks that somebody answered: nothing can be said about the others
    tasks = sorted({row[0] for row in rows}, key=int)
    answers = Answers.from_rows([(row[0], row[1], row[2]) for row in rows], labels=labels, tasks=tasks)
    task_at = {name: position for position, name in enumerate(tasks)}
    label_at = {name: position for position, name in enumerate(labels)}
    known = np.full(len(tasks), -1, dtype=np.int32)
    for task, label in truth:
        if task in task_at:
            known[task_at[task]] = label_at[label]
    return Crowd(folder.name, answers, known)


def _rows(path: Path) -> list[list[str]]:
    with path.open(newline="") as file:
        rows = csv.reader(file)
        next(rows)
        return list(rows)


def synthetic(n_answers: int, seed: int = 4) -> Crowd:
    """Make a crowd of ``n_answers / 200`` workers with 4 labels and 5 different workers per item.

    Truth is drawn from :data:`PRIOR`. A worker is right with a probability drawn evenly from 0.4 to 0.95;
    where the errors go is drawn per worker and label from a flat Dirichlet distribution.
    """
    random = np.random.default_rng(seed)
    n_tasks, n_workers = n_answers // REDUNDANCY, max(n_answers // PER_WORKER, FEWEST_WORKERS)
    truth = random.choice(LABELS, size=n_tasks, p=PRIOR).astype(np.int32)
    task = np.repeat(np.arange(n_tasks, dtype=np.int32), REDUNDANCY)
    worker = _seats(random, n_tasks, n_workers)
    cumulative = np.cumsum(_confusion(random, n_workers), axis=2)[worker, truth[task]]
    label = (random.random(len(task))[:, None] > cumulative[:, :-1]).sum(axis=1).astype(np.int32)
    order = random.permutation(len(task))  # rows come in no order
    names = Numbered(n_tasks), Numbered(n_workers), Numbered(LABELS)
    return Crowd("synthetic", Answers(task[order], worker[order], label[order], *names), truth)


def _seats(random: np.random.Generator, n_tasks: int, n_workers: int) -> NDArray[np.int32]:
    """Deal the workers out evenly, five different ones to each task, in the order of the tasks."""
    seats = n_tasks * REDUNDANCY
    worker = random.permutation(np.arange(seats, dtype=np.int32) % n_workers)
    while True:
        table = worker.reshape(n_tasks, REDUNDANCY)
        order = np.argsort(table, axis=1, kind="stable")
        ranked = np.take_along_axis(table, order, axis=1)
        again = np.zeros(table.shape, dtype=bool)
        np.put_along_axis(again, order[:, 1:], ranked[:, 1:] == ranked[:, :-1], axis=1)
        twice = np.flatnonzero(again.ravel())
        if not len(twice):
            return worker
        # Everyone keeps as many seats: each one that is wrong is exchanged for any other
        for seat, other in zip(twice, random.integers(seats, size=len(twice)), strict=True):
            worker[[seat, other]] = worker[[other, seat]]


def _confusion(random: np.random.Generator, n_workers: int) -> NDArray[np.float64]:
    """(worker, truth, answer): probabilities."""
    right = random.uniform(0.4, 0.95, size=n_workers)
    matrices = np.empty((n_workers, LABELS, LABELS))
    for truth in range(LABELS):
        errors = random.dirichlet(np.ones(LABELS - 1), size=n_workers) * (1 - right)[:, None]
        matrices[:, truth] = np.insert(errors, truth, right, axis=1)
    return matrices
