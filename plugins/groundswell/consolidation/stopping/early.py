"""What is known about the workers while answers are still coming in: the model behind ``confidence``.

An early-stopped Independent Bayesian Classifier Combination (Kim and Ghahramani, "Bayesian Classifier
Combination", AISTATS 2012): Dawid and Skene's model (1979) with a Dirichlet prior on each row of a worker's
confusion matrix, as expectation-maximisation with posterior means, started at the shares of the votes.
Converged, it is too sure of itself where workers have given few answers each, so it stops after
:data:`ROUNDS` rounds. Two changes make it more careful still: an item does not vouch for its own workers, and
part of the prior is what the crowd as a whole does (:mod:`.confusions`). With more than :data:`MANY_CLASSES`
labels a worker has one number, the probability of being right (:mod:`.coins`).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from groundswell.consolidation.data import Answers, Earlier, check_gold
from groundswell.consolidation.stopping.skills import CoinSkills, MatrixSkills, Placed, Skills

ROUNDS = 3
"""Rounds of expectation-maximisation."""

MANY_CLASSES = 16
"""With more labels than this, workers have no confusion matrices."""

KNOWN = 8.0
"""From so many answers to items of known label, here or in earlier batches, a worker's skill is known."""

_ENOUGH = 1e6
"""Of earlier answers no more than this are taken: more tell nothing new, and sums stay finite."""


@dataclass(frozen=True, eq=False)
class Outlook:
    """What the model says about items.

    :param label: the likeliest label of each task; -1 where there is no answer or a tie
    :param confidence: its posterior probability under the model, 0 where there is no answer. A score: the
        model takes workers' mistakes for independent of each other, and they are not.
    :param trusted: one label leads, and there are two answers, or one of a worker whose skill is known
    :param answers_to_flip: how many more answers it would take at least to make another label the likeliest,
        if nine in ten answers say at most so much
    """

    label: NDArray[np.int32]
    confidence: NDArray[np.float64]
    trusted: NDArray[np.bool_]
    answers_to_flip: NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class EarlyModel:
    """The workers' skill so far, to judge items by their newest answers without fitting again.

    :param fitted_to: the answers it was fitted to
    :param gold: per task of theirs the position of its known label, or -1
    """

    fitted_to: Answers
    gold: NDArray[np.int32]
    _skills: Skills
    _known: NDArray[np.bool_]

    @classmethod
    def fit(
        cls, answers: Answers, *, gold: NDArray[np.int32] | None = None, earlier: Earlier | None = None
    ) -> EarlyModel:
        """Fit to all answers of a run.

        :param gold: per task the position of its known label, or -1
        :param earlier: what earlier batches say about the workers
        :raises AnswerError: gold or earlier skill do not fit the answers
        """
        check_gold(answers, gold)
        if earlier is not None:
            earlier.check(answers)
            earlier = _held(earlier)
        n_workers = len(answers.worker_names)
        known = np.full(len(answers.task_names), -1, dtype=np.int32) if gold is None else gold
        kind = MatrixSkills if 0 < len(answers.label_names) <= MANY_CLASSES else CoinSkills
        skills = kind.fit(answers, known, earlier, rounds=ROUNDS)
        seen = np.bincount(answers.worker[known[answers.task] >= 0], minlength=n_workers).astype(np.float64)
        if earlier is not None:
            seen += earlier.right + earlier.wrong
        # The last place is that of workers who gave none of these answers
        return cls(answers, known, skills, np.append(seen >= KNOWN, False))

    @property
    def fitted_on(self) -> int:
        """How many answers it was fitted to, to see when it is time to fit again."""
        return len(self.fitted_to)

    def posterior(self, answers: Answers) -> NDArray[np.float64]:
        """Return how likely each label is from these answers, tasks x labels; for few labels.

        :param answers: the newest answers of any tasks
        :raises ValueError: the answers have other labels than the model
        """
        placed = self._place(answers)
        q = self._skills.posterior(answers, placed)
        gold = self._gold_of(placed.row)
        q[gold >= 0] = 0.0
        q[gold >= 0, gold[gold >= 0]] = 1.0
        return q

    def outlook(self, answers: Answers) -> Outlook:
        """Return what the model says about the tasks of these answers.

        A task whose label is known needs no answer: it has that label, with confidence 1.

        :param answers: the newest answers of any tasks
        :raises ValueError: the answers have other labels than the model
        """
        n_tasks = len(answers.task_names)
        placed = self._place(answers)
        found = self._skills.leaders(answers, placed)
        gold = self._gold_of(placed.row)
        backing = answers.label == found.label[answers.task]
        several = np.bincount(answers.task, minlength=n_tasks) > 1
        known = np.bincount(answers.task[backing & self._known[placed.worker]], minlength=n_tasks)
        return Outlook(
            label=np.where(gold >= 0, gold, found.label).astype(np.int32),
            confidence=np.where(gold >= 0, 1.0, found.confidence),
            trusted=(gold >= 0) | (several & (found.label >= 0)) | (known > 0),
            answers_to_flip=np.where(gold >= 0, np.inf, found.answers_to_flip),
        )

    def _place(self, answers: Answers) -> Placed:
        """Return each answer's worker and each task's position in the model, and which answers it knows."""
        fitted = self.fitted_to
        if answers is fitted:
            known = np.ones(len(answers), dtype=np.bool_)
            return Placed(answers.worker.astype(np.int64), np.arange(len(answers.task_names)), known)
        if tuple(answers.label_names) != tuple(fitted.label_names):
            raise ValueError(
                f"the model has the labels {tuple(fitted.label_names)}, "
                f"and the answers {tuple(answers.label_names)}"
            )
        worker = _look_up(answers.worker_names, self._workers, len(self._workers))[answers.worker]
        row = _look_up(answers.task_names, self._tasks, -1)
        return Placed(worker, row, self._knows(worker, row[answers.task], answers.label))

    def _knows(
        self, worker: NDArray[np.int64], row: NDArray[np.int64], label: NDArray[np.int32]
    ) -> NDArray[np.bool_]:
        """Return which answers the model was fitted to; they stand in its counts."""
        possible = (row >= 0) & (worker < len(self._workers))
        keys = self._keys(row, worker, label)
        at = np.searchsorted(self._sorted_keys, keys)
        found = at < len(self._sorted_keys)
        found[found] = self._sorted_keys[at[found]] == keys[found]
        return possible & found

    def _keys(
        self, row: NDArray[np.int64], worker: NDArray[np.int64], label: NDArray[np.int32]
    ) -> NDArray[np.int64]:
        n_workers, n_labels = len(self.fitted_to.worker_names) + 1, len(self.fitted_to.label_names)
        return (row.astype(np.int64) * n_workers + worker) * n_labels + label

    def _gold_of(self, row: NDArray[np.int64]) -> NDArray[np.int32]:
        gold = np.full(len(row), -1, dtype=np.int32)
        gold[row >= 0] = self.gold[row[row >= 0]]
        return gold

    @cached_property
    def _workers(self) -> dict[str, int]:
        return {name: at for at, name in enumerate(self.fitted_to.worker_names)}

    @cached_property
    def _tasks(self) -> dict[str, int]:
        return {name: at for at, name in enumerate(self.fitted_to.task_names)}

    @cached_property
    def _sorted_keys(self) -> NDArray[np.int64]:
        fitted = self.fitted_to
        return np.sort(self._keys(fitted.task.astype(np.int64), fitted.worker.astype(np.int64), fitted.label))


def _held(earlier: Earlier) -> Earlier:
    """Hold each worker's counts within bounds, in proportion to each other."""
    right, wrong, confusion = earlier.right, earlier.wrong, earlier.confusion
    scale = _ENOUGH / np.maximum(np.maximum(right, wrong), _ENOUGH)
    if confusion is not None:
        confusion = confusion * (_ENOUGH / np.maximum(confusion, _ENOUGH).max(axis=(1, 2), keepdims=True))
    return Earlier(right * scale, wrong * scale, confusion)


def _look_up(names: Sequence[str], positions: dict[str, int], missing: int) -> NDArray[np.int64]:
    return np.fromiter((positions.get(name, missing) for name in names), dtype=np.int64, count=len(names))
