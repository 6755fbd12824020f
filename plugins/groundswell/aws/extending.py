"""Asking one more worker, within the budget and once per seat."""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any

from botocore.exceptions import ClientError

from groundswell.aws.exceptions import turk_code
from groundswell.aws.runs import LabelingRun, now_text
from groundswell.ledger import Outcome, RunState, request_token

log = logging.getLogger(__name__)

#: An extension made when less than this share of the lifetime is left also moves the expiration.
FRESH = 0.5


class Extender:
    """
    Extends the HITs of a run.

    The budget is shared by all twins of the task: who wants to ask takes a numbered reservation with a
    conditional write. Having got number n means having seen all earlier ones, so no two can both believe that
    the last cents are theirs. A reservation is also the intent of its calls.

    :param run: the run.
    :param state: the folded ledger; reservations and extensions are added to it.
    :param cost: reward and fee of one answer, in cents.
    """

    def __init__(self, run: LabelingRun, state: RunState, cost: int) -> None:
        self.run = run
        self.state = state
        self.cost = cost

    def ask(self, items: Sequence[str]) -> dict[str, Outcome]:
        """Ask one more worker about each item; return the items for which there is no money."""
        plans = [self._plan(item) for item in items]
        meant_before = {plan["token"] for plan in plans if plan["token"] in self.state.reserved}
        granted = self._reserve(plans)
        refused = {plan["item"]: Outcome.BUDGET for plan in plans if plan["token"] not in granted}
        rows: list[dict[str, Any]] = []
        try:
            for plan in plans:
                if plan["token"] in granted:
                    row = self._extend(plan, repeated=plan["token"] in meant_before)
                    if row is None:
                        refused[plan["item"]] = Outcome.BUDGET
                    else:
                        rows.append(row)
        finally:
            self.run.ledger.record("extensions", rows, self.state)
        return refused

    def _plan(self, item: str) -> dict[str, Any]:
        seats = max(self.state.seats[item], len(self.state.answers_of(item))) + 1
        token = request_token(self.run.batch.name, self.run.run_id, item, "extend", seats)
        return {"token": token, "purpose": "extend", "item": item, "seats": seats, "at": now_text()}

    def _reserve(self, plans: Sequence[Mapping[str, Any]]) -> set[str]:
        """Return the tokens that the budget allows, reserving those that are new."""
        while True:
            known = self._known_reservations()
            granted = {plan["token"] for plan in plans if plan["token"] in self.state.reserved}
            new = [plan for plan in plans if plan["token"] not in granted]
            room = max(0, (self.run.batch.spend.budget_cents - self.committed_cents()) // self.cost)
            new = [] if self.state.stopped else new[:room]
            if not new:
                return granted
            if self.run.ledger.write("reservations", f"{known:06d}", new):
                for row in new:
                    self.state.add("reservations", row)
                return granted | {plan["token"] for plan in new}
            # A twin was first: look again at what is left

    def _known_reservations(self) -> int:
        """Take in all reservations there are; return the number of the next."""
        # Counted before they are read: one that comes in between makes the conditional write fail
        number = len(list(self.run.store.keys(f"{self.run.ledger.prefix}reservations/")))
        for kind, row in self.run.ledger.rows("approvals", "reservations"):
            self.state.add(kind, row)
        return number

    def committed_cents(self) -> int:
        """Return what the run has paid or may still have to pay for the seats that it opened."""
        answers = 0
        for item, row in self.state.hits.items():
            got = len(self.state.answers_of(item))
            # A seat of a closed item that nobody took can no longer cost anything
            answers += got if item in self.state.outcomes else max(int(row["seats"]), got)
        beyond = {
            (row["item"], row["seats"])
            for row in self.state.reserved.values()
            if row["item"] not in self.state.outcomes
            and row["seats"] > len(self.state.answers_of(row["item"]))
        }
        return self.cost * (answers + len(beyond))

    def _extend(self, plan: Mapping[str, Any], *, repeated: bool) -> dict[str, Any] | None:
        """Open the seat; return the row to record, or None where the account has no money for it."""
        item, seats = plan["item"], plan["seats"]
        hit, mturk = self.state.hits[item]["hit"], self.run.mturk
        try:
            # The life of this token is not documented: where an earlier attempt meant the call, read first
            if not (repeated and mturk.get_hit(hit)["MaxAssignments"] >= seats):
                mturk.add_seats(hit, 1, token=plan["token"])
        except ClientError as error:
            if turk_code(error) != "InsufficientFunds":
                raise
            log.warning("item %r is given up: the account has no money for one more answer", item)
            return None
        expires = self._fresh(item, hit)
        return {"item": item, "hit": hit, "seats": seats, "token": plan["token"], "expires": expires}

    def _fresh(self, item: str, hit: str) -> str:
        """Give a late extension a whole lifetime again; return the expiration that is in force."""
        lifetime = timedelta(seconds=self.run.batch.task.lifetime_seconds)
        now = self.run.mturk.now()
        expires = datetime.fromisoformat(self.state.expires[item])
        if expires - now < lifetime * FRESH:
            expires = (now + lifetime).replace(microsecond=0)
            self.run.mturk.set_expiration(hit, expires)
        return expires.isoformat(timespec="seconds")
