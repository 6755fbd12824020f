"""Answers laid out so that a round of expectation-maximisation is a few passes over arrays.

Every model here scores a task by adding up one row of numbers per answer, the row of the answer's worker and
label, and learns by adding the task's posterior to that row. Those two random accesses per answer are what a
round costs, so the layout is made for them:

* answers are sorted by task once; one ``int32`` code per answer says worker and label;
* tasks are ordered by how many answers they have, and cut into blocks of tasks with equally many. The rows of
  a block's first answers, second answers and so on are gathered and added as whole arrays. The few tasks of
  an uncommon number of answers go through a sparse product;
* the posterior of a block is used at once and not kept, so that besides the codes the memory needed is that
  of the workers' tables.

**The order of answers never shows.** Sums of floating-point numbers depend on their order in the last bits,
and expectation-maximisation can blow up a last bit where two labels stand equal: another order of rows or of
classes would give another label. So every number that is added up is first rounded to a grid coarse enough
for the sum to be exact (:class:`Grid`): the result is the same whatever the order of rows, tasks, workers and
classes and the number of threads, and equal support stays exactly equal.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any, TypeVar

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import _sparsetools

from groundswell.consolidation.classification.streaming import (
    BLOCK,
    Block,
    Expected,
    Grid,
    Precision,
    Stream,
    Table,
)
from groundswell.consolidation.data import Answers

_MOST_CODES = 2**31 - 1

_MANY = 2**18
"""From so many answers on, two threads take less time than one."""

_T = TypeVar("_T")


@dataclass(frozen=True, eq=False)
class Layout:
    """Answers sorted by task, in blocks of tasks with equally many answers.

    :param n_answers: answers per task, in the answers' order of tasks
    :param order: the tasks that have answers, in the layout's order; ``None`` for all in their own order
    :param codes: ``worker * n_labels + label`` of each answer, in the layout's order of tasks
    """

    n_tasks: int
    n_workers: int
    n_labels: int
    n_answers: NDArray[np.int32]
    order: NDArray[np.int32] | None
    codes: NDArray[np.int32]
    blocks: tuple[Block, ...] = field(repr=False)

    @classmethod
    def of(cls, answers: Answers) -> Layout:
        """Lay out answers, in time and memory in proportion to their number.

        :raises ValueError: workers times labels is beyond 2^31; such answers need sparse candidates
        """
        n_tasks, n_labels = len(answers.task_names), len(answers.label_names)
        if len(answers.worker_names) * n_labels > _MOST_CODES:
            raise ValueError(
                f"{len(answers.worker_names)} workers x {n_labels} labels need sparse candidates"
            )
        n_answers = np.bincount(answers.task, minlength=n_tasks).astype(np.int32)
        order = _order(n_answers)
        return cls(
            n_tasks=n_tasks,
            n_workers=len(answers.worker_names),
            n_labels=n_labels,
            n_answers=n_answers,
            order=order,
            codes=_codes(answers, order),
            blocks=tuple(_blocks(n_answers if order is None else n_answers[order])),
        )

    def __len__(self) -> int:
        return len(self.codes)

    @cached_property
    def given(self) -> NDArray[np.float64]:
        """How many answers each worker gave of each label, as one row of workers * labels."""
        return np.bincount(self.codes, minlength=self.n_workers * self.n_labels).astype(np.float64)

    def known(self, gold: NDArray[np.int32] | None) -> NDArray[np.int32] | None:
        """Return gold in the layout's order, or ``None`` where nothing is known."""
        if gold is None or not (gold >= 0).any():
            return None
        return gold if self.order is None else gold[self.order]

    def tasks(self, block: Block) -> slice | NDArray[np.int32]:
        """Return the tasks of a block, as an index into arrays of one entry per task."""
        here = slice(block.start, block.stop)
        return here if self.order is None else self.order[here]

    def begin(
        self,
        shares: Callable[[NDArray[np.float64]], NDArray[np.float64]],
        width: int,
        *,
        known: NDArray[np.int32] | None = None,
        precision: Precision = "exact",
    ) -> Expected:
        """Return the counts of a start from the votes.

        :param shares: from votes (tasks x labels) to a posterior (tasks x ``width`` latent classes)
        :param known: gold in the layout's order
        """
        table = Table.of_votes(self.n_workers, self._grid(self.n_labels, precision))

        def work(blocks: Sequence[Block]) -> Expected:
            stream = self._stream(width, blocks, precision)
            counter = self._stream(self.n_labels, blocks, precision)
            for block in blocks:
                votes = counter.votes(block, table)
                if known is not None:
                    here = known[block.start : block.stop]
                    votes[here >= 0] = 0
                    votes[here >= 0, here[here >= 0]] = 1
                stream.learn(block, stream.rounded(shares(votes)))
            return stream.expected()

        return self._together(work, width)

    def expect(
        self,
        log_weights: NDArray[np.float64],
        log_prior: NDArray[np.float64],
        *,
        known: NDArray[np.int32] | None = None,
        subtypes: int = 1,
        precision: Precision = "exact",
    ) -> Expected:
        """Do one E-step, and add the posteriors up for the next M-step, without keeping them.

        :param log_weights: workers * labels x latent classes: log-probability of the answer, given the class
        :param log_prior: log-probability of each latent class
        :param known: gold in the layout's order
        :param subtypes: latent classes per label
        :param precision: ``single`` takes less time with many answers
        """
        table = Table.of(log_weights, log_prior, self._grid(len(log_prior), precision))

        def work(blocks: Sequence[Block]) -> Expected:
            stream = self._stream(len(log_prior), blocks, precision)
            for block in blocks:
                stream.learn(block, stream.posterior(block, table, known, subtypes))
            return stream.expected()

        return self._together(work, len(log_prior))

    def visit(
        self,
        log_weights: NDArray[np.float64],
        log_prior: NDArray[np.float64],
        visitor: Callable[[slice | NDArray[np.int32], NDArray[Any]], None],
        *,
        known: NDArray[np.int32] | None = None,
        subtypes: int = 1,
        precision: Precision = "exact",
    ) -> None:
        """Hand each block's tasks and their posterior (tasks x latent classes) to a function.

        It is called from several threads, with different tasks each. See :meth:`expect`.
        """
        table = Table.of(log_weights, log_prior, self._grid(len(log_prior), precision))

        def work(blocks: Sequence[Block]) -> None:
            stream = self._stream(len(log_prior), blocks, precision)
            for block in blocks:
                q = stream.full(stream.posterior(block, table, known, subtypes))
                visitor(self.tasks(block), q)

        self._each_part(work)

    def posterior(
        self,
        log_weights: NDArray[np.float64],
        log_prior: NDArray[np.float64],
        *,
        gold: NDArray[np.int32] | None = None,
    ) -> NDArray[np.float64]:
        """Return the posterior, tasks x latent classes; a task without answers has the prior.

        :param log_weights: workers * labels x latent classes
        :param log_prior: one number per latent class
        """
        q = np.tile(prior_of(log_prior), (self.n_tasks, 1))
        self.visit(log_weights, log_prior, q.__setitem__, known=self.known(gold))
        return q

    def counts(self, q: NDArray[np.float64]) -> NDArray[np.float64]:
        """Return how often each worker is expected to have given each label, by latent class.

        :param q: posterior, tasks x latent classes
        :return: workers x label given x latent class
        """

        def work(blocks: Sequence[Block]) -> Expected:
            stream = self._stream(q.shape[1], blocks, "exact")
            for block in blocks:
                stream.learn(block, stream.rounded(q[self.tasks(block)]))
            return stream.expected()

        return self._together(work, q.shape[1]).counts

    def _stream(self, width: int, blocks: Sequence[Block], precision: Precision) -> Stream:
        return Stream(self.codes, self.n_workers, self.n_labels, self._grid(width, precision), blocks)

    def _grid(self, width: int, precision: Precision) -> Grid:
        return Grid.of(width, int(self.n_answers.max(initial=0)), precision)

    def _together(self, work: Callable[[Sequence[Block]], Expected], width: int) -> Expected:
        """Add up what each part of the blocks gives, and make it whole."""
        first, *others = self._each_part(work)
        counts, totals = first.counts, first.totals
        for other in others:
            # Exact sums: the parts and their order do not show
            counts += other.counts
            totals += other.totals
        if width != 2:
            return first
        # Of two classes only the second's were added up
        rest = self.given.reshape(self.n_workers, self.n_labels, 1) - counts
        n_answered = self.blocks[-1].stop if self.blocks else 0
        return Expected(np.concatenate([rest, counts], axis=2), np.append(n_answered - totals, totals))

    def _each_part(self, work: Callable[[Sequence[Block]], _T]) -> list[_T]:
        """Do the work on each part of the blocks: two for many answers, each in a thread of its own.

        numpy and scipy let other threads run while they work on whole arrays.
        """
        parts = self._parts
        if len(parts) == 1:
            return [work(parts[0])]
        with ThreadPoolExecutor(len(parts)) as pool:
            return list(pool.map(work, parts))

    @cached_property
    def _parts(self) -> tuple[Sequence[Block], ...]:
        if len(self) < _MANY:
            return (self.blocks,)
        half = next(at for at, block in enumerate(self.blocks, 1) if 2 * block.last >= len(self))
        return (self.blocks[:half], self.blocks[half:])


def prior_of(log_prior: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return the probabilities of a log-prior that need not be normalised."""
    # Rounded as posteriors are, so that the order of classes does not show here either
    prior = np.rint(np.exp(log_prior - log_prior.max(initial=-np.inf)) * 2.0**40)
    result: NDArray[np.float64] = np.rint(prior / prior.sum() * 2.0**32) / 2.0**32
    return result


def _order(n_answers: NDArray[np.int32]) -> NDArray[np.int32] | None:
    """Return the tasks that have answers, by number of answers and then by position."""
    least, most = int(n_answers.min(initial=_MOST_CODES)), int(n_answers.max(initial=0))
    if 0 < least == most:
        return None
    answered = np.flatnonzero(n_answers).astype(np.int32)
    if len(answered) == 0 or int(n_answers[answered].min()) == most:
        return answered
    # numpy sorts numbers of 16 bits by radix, in linear time
    key = n_answers.astype(np.uint16) if most < 2**16 else n_answers
    by_number = np.argsort(key, kind="stable").astype(np.int32)
    return by_number[len(n_answers) - len(answered) :]


def _codes(answers: Answers, order: NDArray[np.int32] | None) -> NDArray[np.int32]:
    n, n_tasks, n_labels = len(answers), len(answers.task_names), len(answers.label_names)
    worker = answers.worker.astype(np.int32, copy=False)
    if order is None and bool((answers.task[1:] >= answers.task[:-1]).all()):
        codes = worker * np.int32(n_labels)
        codes += answers.label.astype(np.int32, copy=False)
        return codes
    position = answers.task.astype(np.int32, copy=False)
    if order is not None:
        rank = np.zeros(n_tasks, dtype=np.int32)
        rank[order] = np.arange(len(order), dtype=np.int32)
        position = rank[position]
        n_tasks = len(order)
    # A counting sort: linear time, and no index array of 8 bytes an answer
    label = answers.label.astype(np.int8 if n_labels < 2**7 else np.int32)
    start = np.empty(n_tasks + 1, dtype=np.int32)
    codes, sorted_label = np.empty(n, dtype=np.int32), np.empty_like(label)
    _sparsetools.coo_tocsr(
        n_tasks, len(answers.worker_names), n, position, worker, label, start, codes, sorted_label
    )
    codes *= np.int32(n_labels)
    codes += sorted_label
    return codes


_UNCOMMON = 128
"""Fewer tasks than this with the same number of answers share a block with others."""

_MOST_ANSWERS = 2**19
"""Answers of a block of tasks with unequal numbers, at most, unless one task has more."""


def _blocks(degrees: NDArray[np.int32]) -> Iterator[Block]:
    """Cut tasks, sorted by their number of answers, into blocks."""
    task = answer = 0
    waiting: list[tuple[int, int]] = []
    for size, count in _runs(degrees):
        common = count >= _UNCOMMON
        full = sum(d * m for d, m in waiting) + size * count > _MOST_ANSWERS
        if waiting and (common or full):
            yield (block := Block.of_unequal(task, answer, waiting))
            task, answer, waiting = block.stop, block.last, []
        if common:
            yield (block := Block.of_equal(task, answer, size, count))
            task, answer = block.stop, block.last
        else:
            waiting.append((size, count))
    if waiting:
        yield Block.of_unequal(task, answer, waiting)


def _runs(degrees: NDArray[np.int32]) -> Iterator[tuple[int, int]]:
    """Yield (answers per task, number of tasks), a block's worth at most."""
    for size, count in zip(*(a.tolist() for a in np.unique(degrees, return_counts=True)), strict=True):
        worth = min(BLOCK, max(_MOST_ANSWERS // size, 1))
        for start in range(0, count, worth):
            yield size, min(worth, count - start)
