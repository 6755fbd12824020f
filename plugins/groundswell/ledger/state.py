"""The state of a run: the fold of its parts."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any


class Outcome(StrEnum):
    """How the asking about an item ended."""

    SETTLED = "settled"
    GAVE_UP = "gave_up"  # the rule's most answers, and still no agreement
    EXPIRED = "expired"  # the HIT's lifetime ended with seats unfilled
    BUDGET = "budget"  # one more answer would have passed the budget or the balance
    LOST = "lost"  # the HIT is gone from the workforce


_PRECEDENCE = (Outcome.SETTLED, Outcome.GAVE_UP, Outcome.EXPIRED, Outcome.BUDGET, Outcome.LOST)


@dataclass
class RunState:
    """What is known of a run. Adding a row twice, or rows in another order, gives the same state.

    Attributes:
        intents: token -> time (ISO 8601, UTC) at which the call was first intended.
        hits: item id -> the row of its HIT (``hit``, ``hit_type``, ``seats``, ``expires``).
        answers: assignment id -> the row of the answer (``item``, ``worker``, ``label`` or ``problem`` …).
        payments: assignment id -> the row of the payment (``item``, ``cents``).
        seats: item id -> seats (MaxAssignments) that its HIT was given so far.
        expires: item id -> the latest expiration that was set (ISO 8601, UTC).
        outcomes: item id -> how the asking ended.
        reserved: token -> the row of an answer beyond the first ones that the budget was found to allow.
        duplicates: ids of HITs of an item that has another HIT already; there should never be one.
        deleted: items whose HIT is deleted.
        plan: the plan row of the run's spend, if written.
    """

    intents: dict[str, str] = field(default_factory=dict)
    hits: dict[str, dict[str, Any]] = field(default_factory=dict)
    answers: dict[str, dict[str, Any]] = field(default_factory=dict)
    payments: dict[str, dict[str, Any]] = field(default_factory=dict)
    seats: dict[str, int] = field(default_factory=dict)
    expires: dict[str, str] = field(default_factory=dict)
    outcomes: dict[str, Outcome] = field(default_factory=dict)
    reserved: dict[str, dict[str, Any]] = field(default_factory=dict)
    duplicates: set[str] = field(default_factory=set)
    deleted: set[str] = field(default_factory=set)
    plan: dict[str, Any] | None = None
    _by_item: defaultdict[str, dict[str, None]] = field(default_factory=lambda: defaultdict(dict))

    def add(self, kind: str, row: Mapping[str, Any]) -> None:
        """Take one row of a part into the state."""
        add = getattr(self, f"_add_{kind}", None)
        if add is not None:
            add(row)

    def _add_spend(self, row: Mapping[str, Any]) -> None:
        # A plan is made again when its task is cleared. The first one is what was approved.
        if self.plan is None or row["at"] < self.plan["at"]:
            self.plan = dict(row)

    def _add_intents(self, row: Mapping[str, Any]) -> None:
        known = self.intents.get(row["token"])
        self.intents[row["token"]] = min(known or row["at"], row["at"])

    def _add_hits(self, row: Mapping[str, Any]) -> None:
        item = row["item"]
        known = self.hits.get(item, row)
        first, second = sorted((row, known), key=lambda each: str(each["hit"]))
        self.hits[item] = dict(first)
        if first["hit"] != second["hit"]:
            self.duplicates.add(second["hit"])
        self._grow(item, row["seats"], row["expires"])

    def _add_answers(self, row: Mapping[str, Any]) -> None:
        self.answers[row["assignment"]] = dict(row)
        self._by_item[row["item"]][row["assignment"]] = None

    def _add_payments(self, row: Mapping[str, Any]) -> None:
        self.payments[row["assignment"]] = dict(row)

    def _add_reservations(self, row: Mapping[str, Any]) -> None:
        self.reserved[row["token"]] = dict(row)

    def _add_extensions(self, row: Mapping[str, Any]) -> None:
        self._grow(row["item"], row["seats"], row["expires"])

    def _add_outcomes(self, row: Mapping[str, Any]) -> None:
        # Twins of a task may differ in what they saw; an agreement once reached is not taken back.
        found, known = Outcome(row["outcome"]), self.outcomes.get(row["item"], Outcome.LOST)
        self.outcomes[row["item"]] = min(found, known, key=_PRECEDENCE.index)

    def _add_deletions(self, row: Mapping[str, Any]) -> None:
        self.deleted.add(row["item"])

    def _grow(self, item: str, seats: int, expires: str) -> None:
        self.seats[item] = max(seats, self.seats.get(item, 0))
        self.expires[item] = max(expires, self.expires.get(item, ""))

    def answers_of(self, item: str) -> list[dict[str, Any]]:
        """Return the answers to an item, by time of submission."""
        rows = [self.answers[assignment] for assignment in self._by_item.get(item, ())]
        return sorted(rows, key=lambda row: (row["submitted"], row["assignment"]))

    @property
    def spent_cents(self) -> int:
        """What was paid so far, fees included, in cents."""
        return sum(int(row["cents"]) for row in self.payments.values())

    @property
    def open_items(self) -> list[str]:
        """The published items about which workers are still being asked."""
        return [item for item in self.hits if item not in self.outcomes]

    def count(self, outcome: Outcome) -> int:
        """Return how many items ended so."""
        return sum(1 for each in self.outcomes.values() if each is outcome)
