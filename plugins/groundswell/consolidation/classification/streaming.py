"""The arithmetic of one round over blocks of tasks: add up rows, normalise, and learn from the result."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import _sparsetools

# _sparsetools are the routines under scipy's sparse arrays: they add to an array that is there, where the
# arrays' own operators would make a new table of all workers for every block.

BLOCK = 2**13
"""Tasks of a block: few enough that its arrays stay in the processor's cache."""

_GATHERED = 32
"""Rows of up to this many bytes are gathered slot by slot; numpy copies 4, 8, 16 and 32 bytes in one go."""

IMPOSSIBLE = -(2.0**10)
"""The log-probability of what cannot be, and the least that any number here is."""


_SHORT = 32
"""A sum of so many log-weights is exact in single precision: they go up to about 10."""

Precision = Literal["single", "exact", "fine"]
"""How finely is calculated; see :meth:`Grid.of`."""


@dataclass(frozen=True, eq=False)
class Block:
    """A range of tasks of a layout.

    :param start: position of the first task, and ``stop`` the one behind the last
    :param first: position of the first answer, and ``last`` the one behind the last
    :param size: answers of each task; 0 where they differ
    :param indptr: first answer of each task, counted from ``first``, and the end
    """

    start: int
    stop: int
    first: int
    last: int
    size: int
    indptr: NDArray[np.int32]

    def __len__(self) -> int:
        return self.stop - self.start

    @classmethod
    def of_equal(cls, start: int, first: int, size: int, tasks: int) -> Block:
        """Make a block of tasks with ``size`` answers each."""
        return cls(start, start + tasks, first, first + size * tasks, size, _equal_ends(size, tasks))

    @classmethod
    def of_unequal(cls, start: int, first: int, runs: Sequence[tuple[int, int]]) -> Block:
        """Make a block of runs of tasks: (answers of each task, number of tasks)."""
        indptr = _ends(runs)
        return cls(start, start + len(indptr) - 1, first, first + int(indptr[-1]), 0, indptr)

    def sizes(self) -> NDArray[np.int32]:
        """Return the number of answers of each task."""
        return np.diff(self.indptr)


@dataclass(frozen=True)
class Grid:
    """How finely numbers are rounded before they are added up, so that sums are exact in any order.

    A double holds 53 bits and a single 24. What the sum of the largest numbers needs before the point is not
    there behind it.

    :param width: number of latent classes
    :param dtype: of scores and of posteriors while they are normalised
    :param weight: log-weights are multiples of 1 / weight
    :param part: exponentials of scores, before they are normalised, are multiples of 1 / part
    :param share: posteriors are multiples of 1 / share
    """

    width: int
    dtype: type[np.floating[Any]]
    weight: float
    part: float
    share: float

    @classmethod
    def of(cls, width: int, most_answers: int, precision: Precision) -> Grid:
        """Return the grid for sums over up to ``most_answers`` answers and ``width`` classes.

        :param precision: ``single`` is for many short sums; with longer ones it is ``exact``. ``fine`` is
            finer than sums can be exact, for methods that depend on very small numbers.
        """
        if precision == "fine":
            return cls(width, np.float64, 2.0**45, 2.0**60, 2.0**60)
        spread = (max(width, 2) - 1).bit_length()
        if precision == "single" and most_answers <= _SHORT:
            return cls(width, np.float32, 2.0**15, 2.0 ** (23 - spread), 2.0**22)
        return cls(width, np.float64, 2.0**36, 2.0 ** (52 - spread), 2.0**32)

    @property
    def binary(self) -> bool:
        """Whether one number per task, the log-odds of the second class, says all."""
        return self.width == 2

    @property
    def padded(self) -> int:
        """Numbers per row of a table: a power of two where rows are gathered."""
        if self.binary:
            return 1
        padded = 1 << (self.width - 1).bit_length()
        return padded if padded * self.itemsize <= _GATHERED else self.width

    @property
    def itemsize(self) -> int:
        """Bytes of a number."""
        return int(np.dtype(self.dtype).itemsize)

    @property
    def gathers(self) -> bool:
        """Whether rows are gathered slot by slot, and not added by a sparse product."""
        return self.padded * self.itemsize <= _GATHERED


@dataclass(frozen=True, eq=False)
class Expected:
    """What an E-step hands to the M-step.

    :param counts: workers x label given x latent class: expected number of answers
    :param totals: expected number of tasks of each latent class
    """

    counts: NDArray[np.float64]
    totals: NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class Table:
    """The rows to add up: one per worker and label."""

    rows: NDArray[Any]
    prior: NDArray[Any]

    @classmethod
    def of(cls, log_weights: NDArray[np.float64], log_prior: NDArray[np.float64], grid: Grid) -> Table:
        """Round log-weights (workers * labels x classes) and a log-prior to the grid."""
        if grid.binary:
            odds = _on_grid(log_weights[:, 1] - log_weights[:, 0], grid.weight)
            prior = _on_grid(log_prior[1:] - log_prior[:1], grid.weight)
            return cls(odds.astype(grid.dtype)[:, np.newaxis], prior.astype(grid.dtype))
        columns = _on_grid(log_weights.T, grid.weight)
        # Only differences between classes matter, and small numbers leave more room for exact sums
        columns -= columns.max(axis=0, initial=IMPOSSIBLE)
        rows = np.zeros((len(log_weights), grid.padded), dtype=grid.dtype)
        rows[:, : grid.width] = columns.T
        prior = _on_grid(log_prior - log_prior.max(initial=-np.inf), grid.weight)
        return cls(rows, prior.astype(grid.dtype))

    @classmethod
    def of_votes(cls, n_workers: int, grid: Grid) -> Table:
        """Return the rows whose sum are the votes: 1 for the label that was given."""
        labels = np.eye(grid.width, dtype=grid.dtype)
        row = np.zeros((grid.width, grid.padded), dtype=grid.dtype)
        row[:, : 1 if grid.binary else grid.width] = labels[:, 1:] if grid.binary else labels
        return cls(np.tile(row, (n_workers, 1)), np.zeros(grid.width, dtype=grid.dtype))


class Stream:
    """One pass over blocks: the buffers that they share, and what was learnt from them so far."""

    def __init__(
        self, codes: NDArray[np.int32], n_workers: int, n_labels: int, grid: Grid, blocks: Sequence[Block]
    ) -> None:
        tasks = max((len(block) for block in blocks), default=0)
        answers = max((block.last - block.first for block in blocks), default=0)
        self.grid = grid
        self._codes = codes
        self._n_labels = n_labels
        self._n_rows = n_workers * n_labels
        self._index = np.empty(tasks, dtype=np.int64)
        self._sum = np.empty((tasks, grid.padded), dtype=grid.dtype)
        self._row = np.empty_like(self._sum)
        self._columns = np.empty((1 if grid.binary else grid.width, tasks), dtype=grid.dtype)
        self._ones = np.ones(answers, dtype=np.float64)
        self._ones_like = self._ones.astype(grid.dtype, copy=False)
        learnt = 1 if grid.binary else grid.width
        self._q = np.empty((tasks, learnt), dtype=np.float64)
        self._counts = np.zeros((self._n_rows, learnt), dtype=np.float64)
        self._totals = np.zeros(learnt, dtype=np.float64)

    def votes(self, block: Block, table: Table) -> NDArray[np.float64]:
        """Return the block's votes, tasks x labels, from a table of :meth:`Table.of_votes`."""
        self._add_up(block, table)
        # One row per label, as posteriors are
        votes = self._sum[: len(block), : len(self._columns)].T.astype(np.float64, order="C")
        if self.grid.binary:
            votes = np.concatenate([block.sizes() - votes, votes])
        return votes.T

    def posterior(
        self, block: Block, table: Table, known: NDArray[np.int32] | None, subtypes: int = 1
    ) -> NDArray[Any]:
        """Return the posterior in multiples of the grid, one row per class; of two classes only the second.

        It is a buffer that the next call overwrites.

        :param known: per position the known label, or -1
        :param subtypes: latent classes per label
        """
        self._add_up(block, table)
        columns = self._columns[:, : len(block)]
        for k in range(len(columns)):
            np.add(self._sum[: len(block), k], table.prior[k], out=columns[k])
        if known is not None:
            self._pin(columns, known[block.start : block.stop], subtypes)
        if self.grid.binary:
            self._sigmoid(columns[0])
        else:
            self._softmax(columns)
        return columns

    def full(self, posterior: NDArray[Any]) -> NDArray[Any]:
        """Return what :meth:`posterior` returned as numbers from 0 to 1, tasks x classes."""
        if self.grid.binary:
            posterior = np.concatenate([self.grid.dtype(self.grid.share) - posterior, posterior])
        result: NDArray[Any] = (posterior / self.grid.dtype(self.grid.share)).T
        return result

    def rounded(self, q: NDArray[np.float64]) -> NDArray[np.float64]:
        """Return a posterior, tasks x classes from 0 to 1, in the form of :meth:`posterior`."""
        return np.rint((q[:, 1:] if self.grid.binary else q).T * self.grid.share)

    def learn(self, block: Block, posterior: NDArray[Any]) -> None:
        """Add the posterior of each task to the counts of the workers and labels of its answers."""
        q = self._q[: len(block)]
        for k in range(len(posterior)):
            q[:, k] = posterior[k]
        codes = self._codes[block.first : block.last]
        shape = (self._n_rows, len(block))
        data = (block.indptr, codes, self._ones[: len(codes)], q.ravel(), self._counts.ravel())
        if self.grid.binary:
            _sparsetools.csc_matvec(*shape, *data)
        else:
            _sparsetools.csc_matvecs(*shape, q.shape[1], *data)
        self._totals += posterior.sum(axis=1, dtype=np.float64)

    def expected(self) -> Expected:
        """Return what was learnt, for once; of two classes, only the second's."""
        shape = (self._n_rows // max(self._n_labels, 1), self._n_labels, len(self._columns))
        self._counts /= self.grid.share
        return Expected(self._counts.reshape(shape), self._totals / self.grid.share)

    def _add_up(self, block: Block, table: Table) -> None:
        """Fill ``_sum`` with the sum of the rows of each task's answers."""
        tasks, total = len(block), self._sum[: len(block)]
        codes = self._codes[block.first : block.last]
        if not (block.size and self.grid.gathers):
            total[:] = 0
            data = (block.indptr, codes, self._ones_like[: len(codes)], table.rows.ravel(), total.ravel())
            if self.grid.padded == 1:
                _sparsetools.csr_matvec(tasks, self._n_rows, *data)
            else:
                _sparsetools.csr_matvecs(tasks, self._n_rows, self.grid.padded, *data)
            return
        slots = codes.reshape(tasks, block.size)
        index, row = self._index[:tasks], self._row[:tasks]
        # As opaque items of a row's size, rows are copied whole
        packed = np.dtype((np.void, self.grid.padded * self.grid.itemsize))
        rows = table.rows.view(packed).ravel()
        for slot in range(block.size):
            index[...] = slots[:, slot]
            target = row if slot else total
            # The codes are in range; "clip" only spares a check of its own pass
            np.take(rows, index, out=target.view(packed).ravel(), mode="clip")
            if slot:
                total += row

    def _pin(self, columns: NDArray[Any], known: NDArray[np.int32], subtypes: int) -> None:
        """Make every class but the known label's impossible."""
        rows = np.flatnonzero(known >= 0)
        if len(rows) == 0:
            return
        label_of_class = np.arange(self.grid.width) // subtypes
        against = np.where(label_of_class[:, np.newaxis] == known[rows], 0.0, IMPOSSIBLE)
        columns[:, rows] += against[1:] - against[:1] if self.grid.binary else against

    def _sigmoid(self, odds: NDArray[Any]) -> None:
        # Of the absolute value: the result for swapped classes is the exact complement
        second_loses = odds < 0
        np.abs(odds, out=odds)
        np.negative(odds, out=odds)
        np.exp(odds, out=odds)
        odds += 1
        np.divide(self.grid.dtype(self.grid.share), odds, out=odds)
        np.rint(odds, out=odds)
        np.subtract(self.grid.dtype(self.grid.share), odds, out=odds, where=second_loses)

    def _softmax(self, columns: NDArray[Any]) -> None:
        columns -= columns.max(axis=0)
        np.exp(columns, out=columns)
        columns *= self.grid.dtype(self.grid.part)
        np.rint(columns, out=columns)
        columns *= self.grid.dtype(self.grid.share) / columns.sum(axis=0)
        np.rint(columns, out=columns)


def _on_grid(numbers: NDArray[np.float64], steps: float) -> NDArray[np.float64]:
    result: NDArray[np.float64] = np.maximum(numbers, IMPOSSIBLE)
    result *= steps
    np.rint(result, out=result)
    result /= steps
    return result


@lru_cache(maxsize=256)
def _equal_ends(size: int, tasks: int) -> NDArray[np.int32]:
    return np.arange(0, size * tasks + 1, size, dtype=np.int32)


def _ends(runs: Sequence[tuple[int, int]]) -> NDArray[np.int32]:
    sizes = np.concatenate([np.full(tasks, size, dtype=np.int64) for size, tasks in runs])
    return np.concatenate([[0], np.cumsum(sizes)]).astype(np.int32)
