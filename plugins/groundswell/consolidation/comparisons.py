"""The data contract of pairwise comparison: "this one is better" in, a ranking out."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from groundswell.consolidation.agreement import Agreement
from groundswell.consolidation.findings import Finding
from groundswell.consolidation.naming import check_positions, check_row_names, positions, unique_names
from groundswell.errors import AnswerError

LEFT, TIE, RIGHT = 1, 0, -1


@dataclass(frozen=True, eq=False)
class Comparisons:
    """Answers that compare two items.

    :param left: position in ``item_names`` of the item that stood on the left of each comparison
    :param right: position of the one on the right
    :param worker: position in ``worker_names``
    :param outcome: 1 if the left one won, -1 if the right one, 0 if the worker called it a tie
    :param item_names: the items, those that were never compared included
    :param worker_names: the workers
    :raises AnswerError: arrays that contradict, an item compared with itself, an outcome that is none
    """

    left: NDArray[np.int32]
    right: NDArray[np.int32]
    worker: NDArray[np.int32]
    outcome: NDArray[np.int8]
    item_names: Sequence[str]
    worker_names: Sequence[str]

    def __post_init__(self) -> None:
        count = len(self.left)
        check_positions("left", self.left, len(self.item_names), count)
        check_positions("right", self.right, len(self.item_names), count)
        check_positions("worker", self.worker, len(self.worker_names), count)
        if np.shape(self.outcome) != (count,) or not np.isin(self.outcome, (LEFT, TIE, RIGHT)).all():
            raise AnswerError(
                "comparisons: an outcome is not 1 (left), 0 (tie) or -1 (right); give one to each"
            )
        same = np.flatnonzero(self.left == self.right)
        if len(same):
            item = self.item_names[int(self.left[same[0]])]
            raise AnswerError(f"item {item!r}: is compared with itself; leave this comparison out")

    def __len__(self) -> int:
        return len(self.left)

    @classmethod
    def from_rows(
        cls, rows: Iterable[tuple[str, str, str, str | None]], *, items: Sequence[str] | None = None
    ) -> Comparisons:
        """Build from ``(worker, left, right, winner)`` rows; the winner is ``None`` for a tie.

        The same row twice counts once. A worker who compared the same two items again counts again if sides
        were swapped or the winner was another one.

        :param rows: the comparisons, in any order
        :param items: the items, to fix their order and to keep those never compared; otherwise those of the
            rows, sorted
        :raises AnswerError: a winner that is neither of the two, an item compared with itself or unknown, or
            an item or worker without a name
        """
        item_names = None if items is None else unique_names("items", items)
        known = None if item_names is None else positions(item_names)
        distinct = {_checked_row(row, known) for row in rows}
        answers = sorted(distinct, key=lambda row: (row[1], row[2], row[0], row[3]))
        if item_names is None:
            item_names = tuple(sorted({name for _, left, right, _ in answers for name in (left, right)}))
        worker_names = tuple(sorted({row[0] for row in answers}))
        item_at, worker_at = positions(item_names), positions(worker_names)
        return cls(
            left=np.array([item_at[row[1]] for row in answers], dtype=np.int32),
            right=np.array([item_at[row[2]] for row in answers], dtype=np.int32),
            worker=np.array([worker_at[row[0]] for row in answers], dtype=np.int32),
            outcome=np.array([row[3] for row in answers], dtype=np.int8),
            item_names=item_names,
            worker_names=worker_names,
        )


@dataclass(frozen=True, eq=False)
class Ranking:
    """The items in order.

    :param score: per item its place on the logit scale: P(i beats j) = 1 / (1 + exp(score_j - score_i)); 0 is
        the average, and what is known of an item that was never compared
    :param score_low: lower end of its central 90 % interval
    :param score_high: upper end of its central 90 % interval
    :param rank: 1 for the best; items with equal scores share a rank, and the next rank counts them
        (1, 2, 2, 4); -1 for an item that was never compared
    :param tied: shares its rank
    :param confidence: a score from 0 to 1 that the item stands in the right order to its neighbours in the
        ranking: the lower of the two chances; 0 for an item that was never compared, or has no neighbour
    :param worker_skill: per worker the probability that an answer agrees with the better item; NaN where
        nothing is known. Ties say nothing.
    :param skill_low: lower end of its central 90 % interval
    :param skill_high: upper end of its central 90 % interval
    :param n_answers: comparisons per item
    :param agreement: of answers to the same two items, whichever stood on the left
    :param method: the name of the method
    :param confidence_is: always ``score`` here
    :param findings: what is odd about the answers or the result, for people
    :param item_names: the items
    """

    score: NDArray[np.float64]
    score_low: NDArray[np.float64]
    score_high: NDArray[np.float64]
    rank: NDArray[np.int32]
    tied: NDArray[np.bool_]
    confidence: NDArray[np.float64]
    worker_skill: NDArray[np.float64]
    skill_low: NDArray[np.float64]
    skill_high: NDArray[np.float64]
    n_answers: NDArray[np.int32]
    agreement: Agreement
    method: str
    item_names: Sequence[str]
    confidence_is: Literal["score", "probability"] = "score"
    findings: tuple[Finding, ...] = ()

    def ordered(self) -> tuple[tuple[str, ...], ...]:
        """Return the names by rank, the best first; those that share a rank stand together."""
        ranks = np.unique(self.rank[self.rank > 0])
        return tuple(
            tuple(self.item_names[int(i)] for i in np.flatnonzero(self.rank == rank)) for rank in ranks
        )


def _checked_row(
    row: tuple[str, str, str, str | None], known: dict[str, int] | None
) -> tuple[str, str, str, int]:
    worker, left, right, winner = row
    for item in (left, right):
        check_row_names(item, worker)
        if known is not None and item not in known:
            raise AnswerError(
                f"item {item!r}: worker {worker!r} compared an item that is not in the list of items; "
                "leave this comparison out, or add the item"
            )
    if left == right:
        raise AnswerError(
            f"item {left!r}: worker {worker!r} compared it with itself; leave this comparison out"
        )
    if winner is not None and winner not in (left, right):
        raise AnswerError(
            f"items {left!r} and {right!r}: worker {worker!r} chose {winner!r}, which is neither; "
            "give one of the two, or None for a tie"
        )
    return worker, left, right, TIE if winner is None else LEFT if winner == left else RIGHT
