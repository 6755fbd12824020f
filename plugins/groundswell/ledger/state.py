"""The state of a run: the fold of its parts."""

from __future__ import annotations

import json
import math
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


#: Money may come back; a HIT that is gone does not.
_PRECEDENCE = (Outcome.SETTLED, Outcome.GAVE_UP, Outcome.EXPIRED, Outcome.LOST, Outcome.BUDGET)


#: What becomes of a resource, in this order; a task that is cleared may make one of the same name again.
_RESOURCE_STATES = ("intended", "created", "deleted")


def _keep_first(rows: dict[str, dict[str, Any]], key: str, row: Mapping[str, Any]) -> None:
    """Keep the earliest of the rows of one effect: twins and retries may each write one."""
    known = rows.get(key)
    if known is None or _by_time(row) < _by_time(known):
        rows[key] = dict(row)


def _text(row: Mapping[str, Any]) -> str:
    return json.dumps(row, sort_keys=True)


def _by_time(row: Mapping[str, Any]) -> tuple[str, str]:
    return str(row.get("at", "")), _text(row)


def _by_number(row: Mapping[str, Any]) -> tuple[int, str]:
    return int(row.get("number", -1)), _text(row)


def _resource_order(row: Mapping[str, Any]) -> tuple[str, int, str]:
    at, text = _by_time(row)
    return at, _RESOURCE_STATES.index(row["state"]), text


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
        reservations: number of the run's next reservation.
        duplicates: ids of HITs of an item that has another HIT already; there should never be one.
        expired: items whose HIT was taken off the market by hand (its lifetime is another matter).
        deleted: items whose HIT is deleted.
        plan: the plan row of the run's spend, if written.
        approvals: what was allowed, by whom (``what``, ``at``, ``by``, ``limit_cents``), by time.
        withheld: assignment id -> the row of an answer whose payment waits for a review (``reason``).
        rejections: assignment id -> the row of a rejection (``item``, ``worker``, ``feedback``).
        replacements: rejected assignment id -> the row that reserved the seat for another worker's answer.
        bonuses: token -> the row of a bonus (``worker``, ``cents``, ``fee_cents``).
        notices: token -> the row of a message to workers.
        resources: (type, name) -> the latest row of a SageMaker resource; see its ``state``.
        parts: keys of the parts that were taken in.
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
    expired: set[str] = field(default_factory=set)
    deleted: set[str] = field(default_factory=set)
    plan: dict[str, Any] | None = None
    approvals: list[dict[str, Any]] = field(default_factory=list)
    withheld: dict[str, dict[str, Any]] = field(default_factory=dict)
    rejections: dict[str, dict[str, Any]] = field(default_factory=dict)
    bonuses: dict[str, dict[str, Any]] = field(default_factory=dict)
    notices: dict[str, dict[str, Any]] = field(default_factory=dict)
    resources: dict[tuple[str, str], dict[str, Any]] = field(default_factory=dict)
    replacements: dict[str, dict[str, Any]] = field(default_factory=dict)
    reservations: int = 0
    _asked: dict[str, int] = field(default_factory=dict)
    parts: set[str] = field(default_factory=set, compare=False, repr=False)
    _by_item: defaultdict[str, dict[str, None]] = field(default_factory=lambda: defaultdict(dict))
    _rejected: defaultdict[str, set[str]] = field(default_factory=lambda: defaultdict(set))
    _replaced: dict[str, int] = field(default_factory=dict)
    _closings: defaultdict[str, list[dict[str, Any]]] = field(default_factory=lambda: defaultdict(list))

    def add(self, kind: str, row: Mapping[str, Any]) -> None:
        """Take one row of a part into the state."""
        add = getattr(self, f"_add_{kind}", None)
        if add is not None:
            add(row)

    def _add_spend(self, row: Mapping[str, Any]) -> None:
        # A plan is made again when its task is cleared. The first one is what was approved.
        if self.plan is None or _by_time(row) < _by_time(self.plan):
            self.plan = dict(row)

    def _add_intents(self, row: Mapping[str, Any]) -> None:
        known = self.intents.get(row["token"])
        self.intents[row["token"]] = min(known or row["at"], row["at"])

    def _add_hits(self, row: Mapping[str, Any]) -> None:
        item = row["item"]
        known = self.hits.get(item, row)
        first, second = sorted((row, known), key=lambda each: (str(each["hit"]), _text(each)))
        self.hits[item] = dict(first)
        if first["hit"] != second["hit"]:
            self.duplicates.add(second["hit"])
        self._grow(item, row["seats"], row["expires"])
        self._judge(item)

    def _add_answers(self, row: Mapping[str, Any]) -> None:
        both = [row, self.answers.get(row["assignment"], row)]
        # Twins may have read it before and after it was rejected: the label is what the worker said
        both.sort(key=lambda each: (each["label"] is None, _text(each)))
        self.answers[row["assignment"]] = dict(both[0])
        self._by_item[row["item"]][row["assignment"]] = None

    def _add_payments(self, row: Mapping[str, Any]) -> None:
        _keep_first(self.payments, row["assignment"], row)
        self._judge(row["item"])  # a rejection may have been taken back

    def _add_approvals(self, row: Mapping[str, Any]) -> None:
        if row not in self.approvals:
            self.approvals.append(dict(row))
            self.approvals.sort(key=_by_time)

    def _add_withheld(self, row: Mapping[str, Any]) -> None:
        _keep_first(self.withheld, row["assignment"], row)

    def _add_rejections(self, row: Mapping[str, Any]) -> None:
        _keep_first(self.rejections, row["assignment"], row)
        self._rejected[row["item"]].add(row["assignment"])
        self._judge(row["item"])

    def _add_bonuses(self, row: Mapping[str, Any]) -> None:
        _keep_first(self.bonuses, row["token"], row)

    def _add_notices(self, row: Mapping[str, Any]) -> None:
        _keep_first(self.notices, row["token"], row)

    def _add_resources(self, row: Mapping[str, Any]) -> None:
        key = (row["type"], row["name"])
        known = self.resources.get(key)
        if known is None or _resource_order(row) > _resource_order(known):
            self.resources[key] = dict(row)

    def _add_reservations(self, row: Mapping[str, Any]) -> None:
        if "outcome" in row:
            # A closing that no reservation may cross takes a number of their series
            self.reservations = max(self.reservations, _by_number(row)[0] + 1)
            self._add_outcomes(row)
            return
        # Where the money ended and came back, one seat is reserved twice
        known = self.reserved.get(row["token"])
        if known is None or _by_number(row) > _by_number(known):
            self.reserved[row["token"]] = dict(row)
        if "replaces" in row:
            _keep_first(self.replacements, row["replaces"], row)
        item, number = row["item"], _by_number(row)[0]
        self.reservations = max(self.reservations, number + 1)
        self._asked[item] = max(number, self._asked.get(item, -1))
        self._judge(item)

    def _add_extensions(self, row: Mapping[str, Any]) -> None:
        if "replaces" in row:
            self._replaced[row["item"]] = max(row["seats"], self._replaced.get(row["item"], 0))
        self._grow(row["item"], row["seats"], row["expires"])
        self._judge(row["item"])

    def _add_outcomes(self, row: Mapping[str, Any]) -> None:
        if row not in self._closings[row["item"]]:
            self._closings[row["item"]].append(dict(row))
            self._judge(row["item"])

    def _judge(self, item: str) -> None:
        """Say how the item ended by the closings that still hold; open it again where none does."""
        # Twins of a task may differ in what they saw; an agreement once reached is not taken back.
        held = [Outcome(row["outcome"]) for row in self._closings.get(item, ()) if self._holds(item, row)]
        if held:
            self.outcomes[item] = min(held, key=_PRECEDENCE.index)
        else:
            self.outcomes.pop(item, None)

    def _holds(self, item: str, row: Mapping[str, Any]) -> bool:
        """Return whether a closing still stands: an answer that it rests on may have been rejected since."""
        if row["outcome"] == Outcome.LOST:
            return True
        if self.rejected_of(item) > row.get("rejected", 0):
            return False
        if row["outcome"] == Outcome.BUDGET and self._got_money(item, row):
            return False
        # The seat of a rejected answer is opened again, and the item waits for who takes it
        return bool(self._replaced.get(item, 0) <= row.get("seats", math.inf))

    def _got_money(self, item: str, row: Mapping[str, Any]) -> bool:
        """Return whether a seat was reserved or opened after the asking had ended for want of money."""
        reserved = self._asked.get(item, -1) >= row.get("number", 0)
        return bool(reserved or self.seats.get(item, 0) > row.get("seats", math.inf))

    def _add_expirations(self, row: Mapping[str, Any]) -> None:
        self.expired.add(row["item"])

    def _add_deletions(self, row: Mapping[str, Any]) -> None:
        self.deleted.add(row["item"])

    def _grow(self, item: str, seats: int, expires: str) -> None:
        self.seats[item] = max(seats, self.seats.get(item, 0))
        self.expires[item] = max(expires, self.expires.get(item, ""))

    def answers_of(self, item: str) -> list[dict[str, Any]]:
        """Return the answers to an item, by time of submission."""
        rows = [self.answers[assignment] for assignment in self._by_item.get(item, ())]
        return sorted(rows, key=lambda row: (row["submitted"], row["assignment"]))

    def answered(self, item: str) -> int:
        """Return how many answers to an item are known, of whatever kind."""
        return len(self._by_item.get(item, ()))

    def counted(self, item: str) -> list[dict[str, Any]]:
        """Return the answers to an item that count: readable, and not rejected; by time of submission."""
        return [
            row
            for row in self.answers_of(item)
            if row["label"] is not None and not self.is_rejected(row["assignment"])
        ]

    def unpaid(self, item: str) -> list[dict[str, Any]]:
        """Return the answers to an item that are neither paid nor rejected by the run."""
        return [
            row
            for row in self.answers_of(item)
            if row["assignment"] not in self.payments and row["assignment"] not in self.rejections
        ]

    def is_rejected(self, assignment: str) -> bool:
        """Return whether an answer was rejected, and not paid after all: a rejection can be taken back."""
        return assignment in self.rejections and assignment not in self.payments

    def rejected_of(self, item: str) -> int:
        """Return how many answers to an item were rejected; they keep their seats and cost nothing."""
        return sum(assignment not in self.payments for assignment in self._rejected.get(item, ()))

    def closed_before(self, item: str) -> bool:
        """Return whether the asking about an item ended once, even if it was taken up again."""
        return bool(self._closings.get(item))

    def closing(self, item: str, outcome: Outcome) -> dict[str, Any]:
        """Return the row that ends the asking about an item, with what it rests on."""
        rejected = self.rejected_of(item)
        row = {"item": item, "outcome": str(outcome), "seats": self.seats[item], "rejected": rejected}
        # All reservations were read before the money was found to have ended
        return row | ({"number": self.reservations} if outcome is Outcome.BUDGET else {})

    @property
    def spent_cents(self) -> int:
        """What was paid so far, bonuses and fees included, in cents."""
        paid = sum(int(row["cents"]) for row in self.payments.values())
        return paid + sum(int(row["cents"]) + int(row["fee_cents"]) for row in self.bonuses.values())

    @property
    def approved_cents(self) -> int:
        """The highest limit on spending that a person approved, in cents; 0 where nobody was asked."""
        return max((int(row["limit_cents"] or 0) for row in self.approvals), default=0)

    @property
    def month(self) -> str | None:
        """The calendar month (UTC, ``YYYY-MM``) whose budget the run is part of; None before its plan."""
        reserved = [row["month"] for row in self.approvals if row["what"] == "spend" and row.get("month")]
        found = reserved[-1] if reserved else (self.plan or {}).get("month")
        return None if found is None else str(found)

    @property
    def reserved_spend(self) -> bool:
        """Whether the run's spend was approved, by a person or because nobody had to be asked."""
        return any(row["what"] == "spend" for row in self.approvals)

    @property
    def out_of_money(self) -> list[str]:
        """The items that were given up for want of money and whose HITs could still be extended."""
        return [
            item
            for item in self.hits
            if self.outcomes.get(item) is Outcome.BUDGET and item not in self.deleted
        ]

    @property
    def half_opened(self) -> list[str]:
        """The items that got money after they were given up, and whose HIT may not be extended yet."""
        reserved = {
            row["item"]
            for row in self.reserved.values()
            if row["item"] in self.hits and row["seats"] > self.seats[row["item"]]
        }
        return [
            item
            for item in self.open_items
            if item in reserved and any(row["outcome"] == Outcome.BUDGET for row in self._closings[item])
        ]

    @property
    def stopped(self) -> bool:
        """Whether a person has stopped the run's spending: it may neither publish nor extend any more."""
        return any(row["what"] == "stop" for row in self.approvals)

    @property
    def open_items(self) -> list[str]:
        """The published items about which workers are still being asked."""
        return [item for item in self.hits if item not in self.outcomes]

    def count(self, outcome: Outcome) -> int:
        """Return how many items ended so."""
        return sum(1 for each in self.outcomes.values() if each is outcome)
