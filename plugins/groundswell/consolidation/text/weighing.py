"""Workers weighed by how near their texts are to what the others wrote."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from groundswell.consolidation.agreement import Agreement, similarity_agreement
from groundswell.consolidation.data import Earlier
from groundswell.consolidation.text.data import TextAnswers
from groundswell.consolidation.text.distance import Unit, distances
from groundswell.errors import AnswerError

Ints = NDArray[np.int64]
Floats = NDArray[np.float64]

TINY = 1e-9

_ROUNDS = 3
_DRAWN = 3.0
"""Answers by which a worker's mean distance is drawn to that of all workers."""

_NEAREST = 0.02
"""Least distance that is believed, so that no worker's word is final."""

_MOST_TEXTS = 50
"""Different texts per item that are compared in full; beyond, the rarest are left out of the search."""


@dataclass(frozen=True, eq=False)
class Item:
    """The answers to one task.

    :param task: its position
    :param worker: of each answer
    :param choice: of each answer, position in ``texts``; -1 for a text that is not compared
    :param texts: the different texts
    :param apart: their distances
    """

    task: int
    worker: Ints
    choice: Ints
    texts: tuple[str, ...]
    apart: Floats

    def support(self, weights: Floats) -> Floats:
        """Return per text the workers' weight behind it."""
        given = self.choice >= 0
        return np.bincount(self.choice[given], weights[self.worker[given]], len(self.texts)).astype(
            np.float64
        )

    def medoids(self, weights: Floats) -> Ints:
        """Return the texts with the least weighted sum of distances from all answers; several if equal."""
        total = self.apart @ self.support(weights)
        return np.flatnonzero(total <= total.min() + TINY * max(1.0, float(total.max())))

    def apart_from_others(self, weights: Floats) -> Floats:
        """Return per answer its distance from the medoid of the others' answers (the mean, of several)."""
        support = self.support(weights)
        found = np.full(len(self.choice), np.nan)
        for at in np.flatnonzero(self.choice >= 0):
            mine = self.choice[at]
            others = support.copy()
            others[mine] -= weights[self.worker[at]]
            named = others > TINY
            if named.any():
                total = np.where(named, self.apart @ others, np.inf)
                best = total <= total.min() + TINY * max(1.0, float(total[named].max()))
                found[at] = float(self.apart[mine, best].mean())
        return found


@dataclass(frozen=True, eq=False)
class Weighed:
    """Items ready to be consolidated, and the workers' weights.

    :param items: the tasks that have answers
    :param weights: per worker, above 0
    :param likeness: per worker, summed similarity to the others' medoid
    :param unlikeness: per worker, summed distance from it
    :param crowded: positions of the tasks with more different texts than are compared
    """

    items: tuple[Item, ...]
    weights: Floats
    likeness: Floats
    unlikeness: Floats
    crowded: tuple[int, ...] = field(default=())


def weigh(answers: TextAnswers, unit: Unit, earlier: Earlier | None) -> Weighed:
    """Compare the answers and weigh the workers.

    If a worker's texts are at distances from the right ones that fall off as exp(-distance / scale), the
    likeliest right text is the one with the least sum of distances / scale. So a worker's weight is
    1 / scale: the mean distance of their texts from the medoid of the others' texts, drawn to the crowd's
    by three answers. Three rounds, from equal weights.

    :param earlier: answers of earlier batches that were right and wrong; they count as distances 0 and 1
    :raises AnswerError: ``earlier`` for another number of workers
    """
    n_workers = len(answers.worker_names)
    if earlier is not None and len(earlier.right) != n_workers:
        raise AnswerError(
            f"earlier skill: is for {len(earlier.right)} workers, and the answers have {n_workers}; "
            "give a line to each, with zeros for a worker who is new"
        )
    earlier = earlier or Earlier(np.zeros(n_workers), np.zeros(n_workers))
    items, crowded = _items(answers, unit)
    weights = np.ones(n_workers)
    worker = np.concatenate([item.worker for item in items]) if items else np.zeros(0, np.int64)
    like = unlike = np.zeros(n_workers)
    for _ in range(_ROUNDS):
        apart = np.concatenate([item.apart_from_others(weights) for item in items]) if items else np.zeros(0)
        known = ~np.isnan(apart)
        tries = np.bincount(worker[known], minlength=n_workers)
        unlike = np.bincount(worker[known], apart[known], n_workers) + earlier.wrong
        like = tries + earlier.right + earlier.wrong - unlike
        seen = like + unlike
        usual = float(unlike.sum()) / max(1.0, float(seen.sum()))
        weights = 1 / ((unlike + _DRAWN * usual) / (seen + _DRAWN) + _NEAREST)
    # Only how they compare matters; so a lone worker weighs 1.
    return Weighed(items, weights / weights.mean() if n_workers else weights, like, unlike, crowded)


def agreement_of(answers: TextAnswers, weighed: Weighed, unit: Unit) -> Agreement:
    """Return the agreement of the answers by their similarity, 1 - distance."""
    order = np.lexsort((answers.text, answers.task))
    text, task = answers.text[order], answers.task[order]
    known: dict[tuple[int, int], float] = {}

    def similarity(one: int, other: int) -> float:
        pair = (int(text[one]), int(text[other]))
        if pair[0] == pair[1]:
            return 1.0
        if pair not in known:
            known[pair] = 1 - float(distances([answers.texts[at] for at in pair], unit)[0, 1])
        return known[pair]

    return similarity_agreement(task, similarity, name=f"edit distance in {unit}", most_pairs=1000)


def _items(answers: TextAnswers, unit: Unit) -> tuple[tuple[Item, ...], tuple[int, ...]]:
    order = np.lexsort((answers.worker, answers.text, answers.task))
    task = answers.task[order]
    bounds = np.append(np.flatnonzero(np.diff(task, prepend=-1)), len(order))
    items, crowded = [], []
    for begin, end in zip(bounds[:-1].tolist(), bounds[1:].tolist(), strict=True):
        rows = order[begin:end]
        given = answers.text[rows].astype(np.int64)
        texts, choice, times = np.unique(given, return_inverse=True, return_counts=True)
        choice = choice.astype(np.int64)
        if len(texts) > _MOST_TEXTS:
            crowded.append(int(task[begin]))
            texts, choice = _frequent(answers.texts, texts, choice, times)
        names = tuple(answers.texts[int(at)] for at in texts)
        items.append(
            Item(
                int(task[begin]), answers.worker[rows].astype(np.int64), choice, names, distances(names, unit)
            )
        )
    return tuple(items), tuple(crowded)


def _frequent(names: Sequence[str], texts: Ints, choice: Ints, times: Ints) -> tuple[Ints, Ints]:
    """Keep the texts that were given most often; of equally frequent ones, those of middling length."""
    length = np.array([len(names[int(at)]) for at in texts])
    middling = np.abs(length - np.median(length))
    kept = np.sort(np.lexsort((np.arange(len(texts)), middling, -times))[:_MOST_TEXTS])
    place = np.full(len(texts), -1, dtype=np.int64)
    place[kept] = np.arange(len(kept))
    return texts[kept], place[choice]
