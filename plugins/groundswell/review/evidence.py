"""What a worker's answers say about the worker, compared with what others answered."""

from __future__ import annotations

import statistics
from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from groundswell.consolidation.stopping import StoppingRule
from groundswell.ledger import RunState

Row = Mapping[str, Any]


@dataclass(frozen=True)
class Evidence:
    """How one worker answered.

    Attributes:
        worker: the worker's id.
        answers: what the worker submitted.
        unreadable: how many of them cannot be read.
        judged: readable answers to settled items that others answered too.
        agreement: share of the judged answers that most of the others gave as well; None if none is judged.
        by_chance: what the agreement would be if the worker gave the same labels to items at random.
        median_seconds: between accepting and submitting; None without answers.
    """

    worker: str
    answers: int
    unreadable: int
    judged: int
    agreement: float | None
    by_chance: float | None
    median_seconds: int | None

    @property
    def readable(self) -> int:
        """How many answers can be read."""
        return self.answers - self.unreadable


class Answers:
    """The answers of a run by worker, compared item by item.

    :param state: the folded ledger; it may grow, see :meth:`add`.
    :param rule: says where labels alone are clear enough to hold a worker against.
    """

    def __init__(self, state: RunState, rule: StoppingRule) -> None:
        self.state = state
        self.rule = rule
        self._by_worker: defaultdict[str, dict[str, Row]] = defaultdict(dict)
        self.add(state.answers.values())

    def add(self, rows: Iterable[Row]) -> None:
        """Take in answers that were added to the state."""
        for row in rows:
            self._by_worker[row["worker"]][row["assignment"]] = row

    @property
    def workers(self) -> list[str]:
        """Everybody who answered, by id."""
        return sorted(self._by_worker)

    def of(self, worker: str) -> list[Row]:
        """Return a worker's answers, by time of submission."""
        rows = self._by_worker.get(worker, {}).values()
        return sorted(rows, key=lambda row: (row["submitted"], row["assignment"]))

    def others(self, row: Row) -> Counter[str]:
        """Return what the others answered, by label; nothing where the labels are not clear enough.

        The worker's own answer decides neither what the others said nor whom the worker agrees with, or
        everybody would agree with themselves.
        """
        counted = self.state.counted(row["item"])
        labels = [each["label"] for each in counted]
        if not self.rule.agreed(labels):
            return Counter()
        return Counter(each["label"] for each in counted if each["worker"] != row["worker"])

    def agreement(self, row: Row) -> float | None:
        """Return whether an answer agrees with most others: 1 or 0, a part of 1 where they are at odds.

        None where there is nothing to compare with.
        """
        others = self.others(row)
        if row["label"] is None or not others:
            return None
        leaders = _leaders(others)
        return 1 / len(leaders) if row["label"] in leaders else 0.0

    def evidence(self, worker: str) -> Evidence:
        """Return how a worker answered so far."""
        rows = self.of(worker)
        compared = [(row, shared) for row in rows if (shared := self.agreement(row)) is not None]
        return Evidence(
            worker=worker,
            answers=len(rows),
            unreadable=sum(1 for row in rows if row["label"] is None),
            judged=len(compared),
            agreement=sum(shared for _, shared in compared) / len(compared) if compared else None,
            by_chance=self._by_chance([row for row, _ in compared]),
            median_seconds=_median_seconds(rows),
        )

    def _by_chance(self, rows: list[Row]) -> float | None:
        """Return the agreement of the same labels given to these items in any order, as in Cohen's kappa."""
        if not rows:
            return None
        given = Counter(str(row["label"]) for row in rows)
        wanted: defaultdict[str, float] = defaultdict(float)
        for row in rows:
            leaders = _leaders(self.others(row))
            for label in leaders:
                wanted[label] += 1 / len(leaders)
        return sum(count * wanted[label] for label, count in sorted(given.items())) / len(rows) ** 2


def _leaders(labels: Counter[str]) -> list[str]:
    best = max(labels.values())
    return sorted(label for label, votes in labels.items() if votes == best)


def _median_seconds(rows: Iterable[Row]) -> int | None:
    # Rows of older runs lack the time of acceptance
    took = [_moment(row["submitted"]) - _moment(row["accepted"]) for row in rows if row.get("accepted")]
    return round(statistics.median(took)) if took else None


def _moment(text: str) -> float:
    return datetime.fromisoformat(text).timestamp()
