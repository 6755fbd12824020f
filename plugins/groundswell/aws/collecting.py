"""One wave: fetch the answers of reviewable HITs, record, pay, and ask one more worker where it is needed."""

from __future__ import annotations

import logging
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

from groundswell.answers.labels import label_of
from groundswell.answers.question_form import parse_answer
from groundswell.aws.pages import LABEL_FIELD
from groundswell.aws.runs import LabelingRun, now_text
from groundswell.batches.planning import plan_spend
from groundswell.consolidation.stopping import Decision, StoppingRule, rule_from
from groundswell.errors import AnswerError
from groundswell.ledger import Outcome, RunState, request_token

log = logging.getLogger(__name__)

#: An extension made when less than this share of the lifetime is left also moves the expiration.
FRESH = 0.5


@dataclass
class Progress:
    """Where a run stands, for logs, the progress document and the summary. Money in cents."""

    items: int
    settled: int
    answers: int
    quarantined: int
    extended: int
    given_up: int
    open: int
    spent_cents: int

    @classmethod
    def of(cls, state: RunState) -> Progress:
        """Return the progress that a folded ledger shows."""
        settled = state.count(Outcome.SETTLED)
        first = {item: row["seats"] for item, row in state.hits.items()}
        return cls(
            items=len(state.hits),
            settled=settled,
            answers=len(state.answers),
            quarantined=sum(1 for row in state.answers.values() if row["label"] is None),
            extended=sum(1 for item, seats in state.seats.items() if seats > first[item]),
            given_up=len(state.outcomes) - settled,
            open=len(state.open_items),
            spent_cents=state.spent_cents,
        )

    def line(self, budget_cents: int) -> str:
        """Return one line for the task's log."""
        return (
            f"settled {self.settled}/{self.items} items, {self.open} open, {self.given_up} given up, "
            f"{self.answers} answers ({self.quarantined} unreadable), "
            f"spent ${self.spent_cents / 100:.2f} of ${budget_cents / 100:.2f}"
        )


@dataclass
class Wave:
    """
    The reviewable HITs that one pass deals with.

    Every step may be repeated, also by a twin of the task at the same time: parts are named by content,
    approvals look at the status, extensions carry a token of (item, seat number).

    :param run: the run.
    :param state: the folded ledger; kept up to date as the wave goes on.
    """

    run: LabelingRun
    state: RunState
    foreign: set[str] = field(default_factory=set)

    def __post_init__(self) -> None:
        batch = self.run.batch
        self.rule: StoppingRule = rule_from(batch.redundancy.model_dump())
        self.cost = plan_spend(batch, 1).answer_cents
        self._item_of = {row["hit"]: item for item, row in self.state.hits.items()}

    def take(self, reviewable: Iterable[str]) -> int:
        """
        Deal with these HITs; return how many of them brought something new.

        A HIT that is not in the run's ledger is never touched; its id is kept in ``foreign``.
        """
        items = self._ours(reviewable)
        fetched = {item: self.run.mturk.assignments(self.state.hits[item]["hit"]) for item in items}
        self._record(fetched)
        self._pay(fetched)
        outcomes: dict[str, Outcome] = {}
        unsettled: list[str] = []
        for item, assignments in fetched.items():
            verdict = self._decide(item, len(assignments))
            if isinstance(verdict, Outcome):
                outcomes[item] = verdict
            elif verdict is Decision.ASK:
                unsettled.append(item)
        outcomes |= self._ask(unsettled)
        self._close(outcomes)
        return len(outcomes.keys() | set(unsettled))

    def take_late(self, item: str) -> None:
        """Record and pay answers that came after the item's outcome; the outcome stands."""
        fetched = {item: self.run.mturk.assignments(self.state.hits[item]["hit"])}
        self._record(fetched)
        self._pay(fetched)

    def _ours(self, reviewable: Iterable[str]) -> list[str]:
        items = []
        for hit in reviewable:
            item = self._item_of.get(hit)
            if item is None:
                self.foreign.add(hit)
            elif item in self.state.outcomes:
                self.run.mturk.mark_reviewing(hit)  # its flag was lost with an earlier attempt
            else:
                items.append(item)
        return items

    def _add(self, kind: str, rows: list[dict[str, Any]]) -> None:
        self.run.ledger.append(kind, rows)
        for row in rows:
            self.state.add(kind, row)

    def _record(self, fetched: Mapping[str, list[dict[str, Any]]]) -> None:
        """Record every answer before anything is done about it. The record is also the intent to pay."""
        rows = [
            self.answer_row(item, assignment)
            for item, assignments in fetched.items()
            for assignment in assignments
            if assignment["AssignmentId"] not in self.state.answers
        ]
        self._add("answers", rows)

    def answer_row(self, item: str, assignment: Mapping[str, Any]) -> dict[str, Any]:
        """Return the ledger's row of an assignment: a label, or the problem of one that cannot be read."""
        label, problem = None, None
        try:
            fields = parse_answer(assignment["Answer"])
            label = label_of(fields, LABEL_FIELD, self.run.batch.task.labels)
        except AnswerError as error:
            problem = str(error)
            log.warning("quarantined assignment %s of %r: %s", assignment["AssignmentId"], item, problem)
        return {
            "assignment": assignment["AssignmentId"],
            "item": item,
            "worker": assignment["WorkerId"],
            "accepted": assignment["AcceptTime"].astimezone(UTC).isoformat(timespec="seconds"),
            "submitted": assignment["SubmitTime"].astimezone(UTC).isoformat(timespec="seconds"),
            "label": label,
            "problem": problem,
            "answer": assignment["Answer"],
        }

    def _pay(self, fetched: Mapping[str, list[dict[str, Any]]]) -> None:
        """Approve what is submitted; record as paid what is approved, by us or by an earlier attempt."""
        rows: list[dict[str, Any]] = []
        try:
            for item, assignments in fetched.items():
                for assignment in assignments:
                    row = self.pay(item, assignment)
                    if row is not None:
                        rows.append(row)
        finally:
            self._add("payments", rows)

    def pay(self, item: str, assignment: Mapping[str, Any]) -> dict[str, Any] | None:
        """Approve an assignment that waits for it; return the payment's row unless it is recorded."""
        identifier, status = assignment["AssignmentId"], assignment["AssignmentStatus"]
        if status == "Submitted":
            self.run.mturk.approve(identifier)
        elif status != "Approved":
            return None  # rejected by somebody else: nothing was paid
        if identifier in self.state.payments:
            return None
        return {"assignment": identifier, "item": item, "cents": self.cost}

    def _decide(self, item: str, seen: int) -> Outcome | Decision | None:
        """Return the item's outcome, ASK where one more worker is wanted, None where to look again later."""
        labels = [row["label"] for row in self.state.answers_of(item) if row["label"] is not None]
        seats = max(self.state.seats[item], seen)
        decision = self.rule.decide(labels, seats)
        if decision is Decision.SETTLED:
            return Outcome.SETTLED
        if seen < seats:
            # Reviewable with seats unfilled: the lifetime is over, unless the list of answers lags behind
            expired = self.run.mturk.get_hit(self.state.hits[item]["hit"])["Expiration"] <= datetime.now(UTC)
            return Outcome.EXPIRED if expired else None
        if decision is Decision.GIVE_UP:
            return Outcome.GAVE_UP
        return Decision.ASK

    def _ask(self, items: Iterable[str]) -> dict[str, Outcome]:
        """Ask one more worker about each item; return the outcome of those for which the budget is spent."""
        now = now_text()
        plans, refused, committed = [], {}, self.cost * sum(self.state.seats.values())
        for item in items:
            if committed + self.cost > self.run.batch.spend.budget_cents:
                refused[item] = Outcome.BUDGET
                continue
            committed += self.cost
            ordinal = max(self.state.seats[item], len(self.state.answers_of(item))) + 1
            token = request_token(self.run.batch.name, self.run.run_id, item, "extend", ordinal)
            plans.append({"token": token, "purpose": "extend", "item": item, "seats": ordinal, "at": now})
        repeated = {plan["token"] for plan in plans if plan["token"] in self.state.intents}
        self._add("intents", [plan for plan in plans if plan["token"] not in repeated])
        rows: list[dict[str, Any]] = []
        try:
            for plan in plans:
                rows.append(self._extend(plan, repeated=plan["token"] in repeated))
        finally:
            self._add("extensions", rows)
        return refused

    def _extend(self, plan: Mapping[str, Any], *, repeated: bool) -> dict[str, Any]:
        item, seats = plan["item"], plan["seats"]
        hit, mturk = self.state.hits[item]["hit"], self.run.mturk
        # The life of this token is not documented: where an earlier attempt meant the call, read first
        if not (repeated and mturk.get_hit(hit)["MaxAssignments"] >= seats):
            mturk.add_seats(hit, 1, token=plan["token"])
        expires = self._fresh(item, hit)
        return {"item": item, "hit": hit, "seats": seats, "token": plan["token"], "expires": expires}

    def _fresh(self, item: str, hit: str) -> str:
        """Give a late extension a whole lifetime again; return the expiration that is in force."""
        lifetime = timedelta(seconds=self.run.batch.task.lifetime_seconds)
        now = datetime.now(UTC)
        expires = datetime.fromisoformat(self.state.expires[item])
        if expires - now < lifetime * FRESH:
            expires = (now + lifetime).replace(microsecond=0)
            self.run.mturk.set_expiration(hit, expires)
        return expires.isoformat(timespec="seconds")

    def _close(self, outcomes: Mapping[str, Outcome]) -> None:
        """Record outcomes, then flag the HITs, so that the list of reviewable HITs holds only new work."""
        self._add("outcomes", [{"item": item, "outcome": str(value)} for item, value in outcomes.items()])
        for item in outcomes:
            self.run.mturk.mark_reviewing(self.state.hits[item]["hit"])
