"""A guard against class collapse: the way in which models of workers end far below a vote.

A model explains answers by classes and by workers' mistakes, and some answers are explained best by having no
such class at all: whoever named it was wrong, all of them, every time. The likelihood likes it, and a class
that a third of the answers name can vanish from the result. No known label is needed to see it. Items on
which class k leads the vote are mostly of class k, whatever is wrong with single workers; so of the lead that
k has on them, in answers, the model should leave k a good part::

    kept_k = sum over items i that k wins of lead_i * q_i[k]  /  sum over the same of lead_i

Comparing a class's share of the result with its share of the answers is not enough: a rare class gets many
answers by mistake, and is rightly smaller in the result. Mistakes do not lead, so they hardly count here.

A class may lose all of its lead where less than half of it is right on items whose label is known: there the
vote is known to be mistaken.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import scipy.sparse as sp
from numpy.typing import NDArray

from groundswell.consolidation.data import Answers
from groundswell.consolidation.findings import LISTED, Finding
from groundswell.consolidation.tally import Tally

KEPT = 1 / 4
"""A class has collapsed that keeps less of its lead."""

LEAST_LEAD = 5
"""Less lead than this, in answers over all items, is too little to tell."""

_STEPS = 2.0**20
"""Posteriors are rounded to this, so that sums are exact and the order of items never shows."""


@dataclass(frozen=True)
class Collapse:
    """A class that a model took from most of the items on which it leads the vote.

    :param label: position of the class
    :param won: items on which it leads, of two answers at least
    :param kept: the share of its lead that the model left it
    :param items: the items where most of it was lost, largest lead first, the first few
    """

    label: int
    won: int
    kept: float
    items: tuple[int, ...]


class Guard:
    """The vote on the items that show a collapse: two answers or more, a winner, and no known label."""

    def __init__(self, tally: Tally, gold: NDArray[np.int32]) -> None:
        """Make a guard.

        :param gold: per task the position of its known label, or -1
        """
        voted = (tally.winner >= 0) & (tally.n_answers > 1)
        self._limit = KEPT * _trusted(tally, voted & (gold >= 0), gold)
        self._task = np.flatnonzero(voted & (gold < 0))
        self._winner = tally.winner[self._task]
        self._lead = tally.lead[self._task].astype(np.float64)
        size = tally.n_labels
        self._won = np.bincount(self._winner, minlength=size)
        self._leads = np.bincount(self._winner, weights=self._lead, minlength=size)

    def collapses(self, posterior: Any) -> tuple[Collapse, ...]:
        """Return the classes that collapsed, by position.

        :param posterior: tasks x labels, dense or ``scipy.sparse.csr_array``
        """
        q = np.rint(_picked(posterior, self._task, self._winner) * _STEPS) / _STEPS
        kept = np.bincount(self._winner, weights=self._lead * q, minlength=len(self._leads))
        gone = (self._leads >= LEAST_LEAD) & (kept < self._limit * self._leads)
        return tuple(self._describe(int(k), kept[k], q) for k in np.flatnonzero(gone))

    def _describe(self, k: int, kept: float, q: NDArray[np.float64]) -> Collapse:
        lost = np.flatnonzero((self._winner == k) & (q < 0.5))
        # A lexsort is stable, so that equal items stand in the order of the tasks
        worst = lost[np.lexsort((q[lost], -self._lead[lost]))[:LISTED]]
        return Collapse(k, int(self._won[k]), float(kept / self._leads[k]), tuple(self._task[worst].tolist()))


def told(method: str, collapse: Collapse, answers: Answers) -> Finding:
    """Return the finding that a member was left out because of a class."""
    name = answers.label_names[collapse.label]
    return Finding(
        kind="class_collapse",
        text=(
            f"the method {method} was left out of the average, because it takes the label {name!r} from "
            f"most of the {collapse.won} items on which it won the vote ({collapse.kept:.0%} of its lead is "
            "left); look at the listed items, and explain this label better if workers take others for it"
        ),
        severity="note",
        items=tuple(answers.task_names[task] for task in collapse.items),
    )


def _trusted(tally: Tally, judged: NDArray[np.bool_], gold: NDArray[np.int32]) -> NDArray[np.bool_]:
    """Return whether the leads of each class can be trusted, as far as known labels say."""
    at = np.flatnonzero(judged)
    winner, lead = tally.winner[at], tally.lead[at].astype(np.float64)
    total = np.bincount(winner, weights=lead, minlength=tally.n_labels)
    right = np.bincount(winner, weights=lead * (gold[at] == winner), minlength=tally.n_labels)
    return ~((total >= LEAST_LEAD) & (right < 0.5 * total))


def _picked(posterior: Any, row: NDArray[Any], column: NDArray[Any]) -> NDArray[np.float64]:
    """Return ``posterior[row, column]``, one number per pair."""
    if not len(row):
        return np.zeros(0)
    if sp.issparse(posterior):
        return np.asarray(posterior[row, column], dtype=np.float64).ravel()
    return np.asarray(posterior[row, column], dtype=np.float64)
