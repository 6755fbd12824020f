"""How often labels are right."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from groundswell.consolidation.classification import METHODS
from groundswell.consolidation.data import Answers, Consensus
from groundswell.consolidation.stopping import SETTLED
from groundswell.consolidation.stopping.early import EarlyModel

EARLY = "early"
"""The name of the labels that the rule ``confidence`` itself believes in."""

CELLS = 2**22
"""Items times labels that are looked at at once."""

_EQUAL = 1e-9


class Accuracy(NamedTuple):
    """Shares of the tasks with known truth whose label is right; NaN where there is none of them.

    :param settled: of the tasks that were settled
    :param everything: of all tasks, each with its best label, given up or not
    """

    settled: float
    everything: float


def methods(names: tuple[str, ...] | None = None) -> tuple[str, ...]:
    """Return the methods to label by: ``default`` where there is one, the early model and the vote."""
    if names is not None:
        return names
    return tuple(name for name in ("default", EARLY, "majority") if name == EARLY or name in METHODS)


def accuracy(answers: Answers, code: NDArray[np.int8], truth: NDArray[np.int32], method: str) -> Accuracy:
    """Label tasks by a method, and compare with the truth.

    A tie counts as what a coin would get: one over the number of labels that are equal, if the true one is
    among them. So a method gains nothing by refusing.
    """
    known = truth >= 0
    if not known.any():
        return Accuracy(np.nan, np.nan)
    right = _RIGHT.get(method, _by_method(method))(answers, truth)
    settled = known & (code == SETTLED)
    return Accuracy(
        settled=float(right[settled].mean()) if settled.any() else np.nan,
        everything=float(right[known].mean()),
    )


def _by_method(method: str) -> Callable[[Answers, NDArray[np.int32]], NDArray[np.float64]]:
    def right(answers: Answers, truth: NDArray[np.int32]) -> NDArray[np.float64]:
        found: Consensus = METHODS[method](answers)
        credit: NDArray[np.float64] = (found.label == truth).astype(np.float64)
        tied = np.flatnonzero(found.tied & (truth >= 0))
        if len(tied):
            support = _support(answers, found)
            credit[tied] = _shared(support[tied], truth[tied])
        return credit

    return right


def _support(answers: Answers, found: Consensus) -> NDArray[np.float64]:
    if isinstance(found.posterior, np.ndarray):
        support: NDArray[np.float64] = np.asarray(found.posterior, dtype=np.float64)
        return support
    shape = len(answers.task_names), len(answers.label_names)
    pair = answers.task.astype(np.int64) * shape[1] + answers.label
    return np.bincount(pair, minlength=shape[0] * shape[1]).reshape(shape).astype(np.float64)


def _by_early_model(answers: Answers, truth: NDArray[np.int32]) -> NDArray[np.float64]:
    model = EarlyModel.fit(answers)
    label = model.outlook(answers).label
    credit: NDArray[np.float64] = (label == truth).astype(np.float64)
    tied = np.flatnonzero((label < 0) & (truth >= 0))
    step = max(CELLS // max(len(answers.label_names), 1), 1)
    for start in range(0, len(tied), step):
        some = tied[start : start + step]
        credit[some] = _shared(model.posterior(_of_tasks(answers, some)), truth[some])
    return credit


def _of_tasks(answers: Answers, tasks: NDArray[np.intp]) -> Answers:
    """Return the answers to some tasks."""
    place = np.full(len(answers.task_names), -1, dtype=np.int32)
    place[tasks] = np.arange(len(tasks), dtype=np.int32)
    keep = place[answers.task] >= 0
    return Answers(
        place[answers.task[keep]],
        answers.worker[keep],
        answers.label[keep],
        [answers.task_names[task] for task in tasks.tolist()],
        answers.worker_names,
        answers.label_names,
    )


def _shared(support: NDArray[np.float64], truth: NDArray[np.int32]) -> NDArray[np.float64]:
    """Return 1 over the number of best labels where the true one is among them, and 0 elsewhere."""
    best = support >= support.max(axis=1, keepdims=True) * (1 - _EQUAL)
    shares: NDArray[np.float64] = best[np.arange(len(truth)), truth] / best.sum(axis=1)
    return shares


_RIGHT = {EARLY: _by_early_model}
