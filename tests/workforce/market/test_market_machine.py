"""Random lives of HITs against an oracle that knows only the formula of the states and one of the money."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from workforce.clock import ManualClock
from workforce.market import Market, MarketError
from workforce.store import Store

START = datetime(2026, 11, 21, 12, 0, 0, 250_000, tzinfo=UTC)
ACCOUNT = "000000000000"
OPENING = 400
WORKERS = [f"AW{number}" for number in range(4)]
DURATION, AUTO_APPROVAL = 300, 1500
HTML = (
    '<HTMLQuestion xmlns="http://mechanicalturk.amazonaws.com/AWSMechanicalTurkDataSchemas/2011-11-11/'
    'HTMLQuestion.xsd"><HTMLContent>x</HTMLContent><FrameHeight>0</FrameHeight></HTMLQuestion>'
)
USED = ("Accepted", "Submitted", "Approved", "Rejected")


def bonus_fee(cents: int) -> int:
    return max(1, round(cents * 0.2))


@dataclass
class OracleWork:
    id: str
    worker: str
    deadline: datetime
    state: str = "Accepted"
    approve_at: datetime | None = None
    bonuses: list[int] = field(default_factory=list)

    def pass_time(self, now: datetime) -> None:
        if self.state == "Accepted" and now >= self.deadline:
            self.state = "Abandoned"
        if self.state == "Submitted" and self.approve_at is not None and now >= self.approve_at:
            self.state = "Approved"


@dataclass
class OracleHit:
    id: str
    reward: int
    cost: int
    created_seats: int
    seats: int
    expiration: datetime
    work: list[OracleWork] = field(default_factory=list)
    flagged: bool = False
    deleted: bool = False
    extensions: set[datetime] = field(default_factory=set)

    def count(self, *states: str) -> int:
        return sum(work.state in states for work in self.work)

    @property
    def free(self) -> int:
        return self.seats - self.count(*USED)

    def status(self, now: datetime) -> str:
        if self.deleted:
            return "Disposed"
        closed = now >= self.expiration or self.free == 0
        if closed and not self.count("Accepted"):
            return "Reviewing" if self.flagged else "Reviewable"
        return "Unassignable" if closed else "Assignable"

    def held(self, now: datetime) -> int:
        free = 0 if now >= self.expiration else self.free
        return self.cost * (self.count("Accepted", "Submitted") + free)


class MarketMachine(RuleBasedStateMachine):
    def __init__(self) -> None:
        super().__init__()
        self.clock = ManualClock(START)
        self.store = Store.open("sqlite://")
        self.market = Market(self.store, clock=self.clock)
        self.market.requester.accounts.ensure_account(ACCOUNT, name="L", opening_cents=OPENING, mode="ledger")
        for worker in WORKERS:
            self.market.workers.ensure_worker(worker)
        self.hits: list[OracleHit] = []
        self.tokens: set[str] = set()  # all younger than a day: the clock moves by minutes

    def teardown(self) -> None:
        self.store.close()

    @property
    def now(self) -> datetime:
        return self.clock.now()

    @property
    def funds(self) -> int:
        paid = sum(hit.cost * hit.count("Approved") for hit in self.hits)
        given = sum(cents + bonus_fee(cents) for _, work in self.everything for cents in work.bonuses)
        return OPENING - paid - given - sum(hit.held(self.now) for hit in self.hits)

    @property
    def everything(self) -> list[tuple[OracleHit, OracleWork]]:
        return [(hit, work) for hit in self.hits for work in hit.work]

    def call(self, operation: str, **params: Any) -> dict[str, Any]:
        return self.market.requester.call(operation, ACCOUNT, params)

    def attempt(self, allowed: bool, action: Callable[[], Any]) -> Any:
        if allowed:
            return action()
        with pytest.raises(MarketError):
            action()
        return None

    def work(self, index: int) -> tuple[OracleHit, OracleWork] | None:
        return self.everything[index % len(self.everything)] if self.everything else None

    def hit(self, index: int) -> OracleHit:
        return self.hits[index % len(self.hits)]

    @rule(
        seats=st.sampled_from([1, 2, 3, 9, 10]),
        lifetime=st.sampled_from([60, 400, 3000]),
        reward=st.sampled_from([1, 5, 13]),
    )
    def create(self, seats: int, lifetime: int, reward: int) -> None:
        cost = reward + max(1, round(reward * (0.4 if seats >= 10 else 0.2)))
        made = self.attempt(
            cost * seats <= self.funds,
            lambda: self.call(
                "CreateHIT",
                Title="t",
                Description="d",
                Reward=f"0.{reward:02}",
                AssignmentDurationInSeconds=DURATION,
                AutoApprovalDelayInSeconds=AUTO_APPROVAL,
                LifetimeInSeconds=lifetime,
                MaxAssignments=seats,
                Question=HTML,
            ),
        )
        if made:
            expiration = self.now.replace(microsecond=0) + timedelta(seconds=lifetime)
            self.hits.append(OracleHit(made["HIT"]["HITId"], reward, cost, seats, seats, expiration))

    @precondition(lambda self: self.hits)
    @rule(index=st.integers(0, 9), worker=st.sampled_from(WORKERS))
    def accept(self, index: int, worker: str) -> None:
        hit = self.hit(index)
        had = any(work.worker == worker and work.state in USED for work in hit.work)
        allowed = hit.status(self.now) == "Assignable" and not had
        offered = {listing.hit_id for listing in self.market.workers.available(worker)}
        assert (hit.id in offered) is allowed
        view = self.attempt(allowed, lambda: self.market.workers.accept(worker, hit.id))
        if view:
            hit.work.append(OracleWork(view.assignment_id, worker, self.now + timedelta(seconds=DURATION)))

    @rule(index=st.integers(0, 40), hand_in=st.sampled_from([True, True, False]))
    def finish(self, index: int, hand_in: bool) -> None:
        found = self.work(index)
        if found is None:
            return
        work = found[1]
        allowed = work.state == "Accepted"
        if not hand_in:
            self.attempt(allowed, lambda: self.market.workers.give_back(work.worker, work.id))
        else:
            self.attempt(allowed, lambda: self.market.workers.submit(work.id, [("label", "x")]))
        if allowed:
            work.state = "Submitted" if hand_in else "Returned"
            work.approve_at = self.now + timedelta(seconds=AUTO_APPROVAL)

    @rule(index=st.integers(0, 40), verdict=st.sampled_from(["approve", "reject", "override"]))
    def review(self, index: int, verdict: str) -> None:
        found = self.work(index)
        if found is None:
            return
        hit, work = found
        allowed = work.state == "Submitted"
        if verdict == "override" and work.state == "Rejected":
            allowed = not hit.deleted and hit.cost <= self.funds
        operation = "RejectAssignment" if verdict == "reject" else "ApproveAssignment"
        more: dict[str, Any] = {"RequesterFeedback": "no"} if verdict == "reject" else {}
        if verdict == "override":
            more = {"OverrideRejection": True}
        self.attempt(allowed, lambda: self.call(operation, AssignmentId=work.id, **more))
        if allowed:
            work.state = "Rejected" if verdict == "reject" else "Approved"

    @rule(
        index=st.integers(0, 40),
        cents=st.sampled_from([1, 7, 13, 60]),
        token=st.sampled_from(["t1", "t2", None]),
        to=st.sampled_from([*WORKERS, None, None, None, None]),
    )
    def bonus(self, index: int, cents: int, token: str | None, to: str | None) -> None:
        found = self.work(index)
        if found is None:
            return
        work = found[1]
        allowed = work.state in ("Submitted", "Approved", "Rejected") and to in (None, work.worker)
        allowed = allowed and cents + bonus_fee(cents) <= self.funds and token not in self.tokens
        more = {"WorkerId": to or work.worker, "BonusAmount": f"0.{cents:02}", "Reason": "thanks"}
        more |= {"UniqueRequestToken": token} if token else {}
        self.attempt(allowed, lambda: self.call("SendBonus", AssignmentId=work.id, **more))
        if allowed:
            work.bonuses.append(cents)
            self.tokens |= {token} if token else set()
        listed = self.call("ListBonusPayments", AssignmentId=work.id, MaxResults=100)["BonusPayments"]
        assert [payment["BonusAmount"] for payment in listed] == [f"0.{given:02}" for given in work.bonuses]

    @precondition(lambda self: self.hits)
    @rule(index=st.integers(0, 9), seats=st.integers(1, 3))
    def extend(self, index: int, seats: int) -> None:
        hit = self.hit(index)
        crosses = hit.created_seats < 10 <= hit.seats + seats
        allowed = not hit.deleted and not crosses and hit.cost * seats <= self.funds
        more = {"HITId": hit.id, "NumberOfAdditionalAssignments": seats}
        self.attempt(allowed, lambda: self.call("CreateAdditionalAssignmentsForHIT", **more))
        if allowed:
            hit.seats += seats

    @precondition(lambda self: self.hits)
    @rule(index=st.integers(0, 9), seconds=st.sampled_from([-4000, 0, 30, 500, 5000]))
    def update_expiration(self, index: int, seconds: int) -> None:
        hit = self.hit(index)
        when = (self.now + timedelta(seconds=seconds)).replace(microsecond=0)
        if when <= self.now:
            allowed, target = not hit.deleted, min(hit.expiration, self.now.replace(microsecond=0))
        else:
            reopened = hit.cost * hit.free if self.now >= hit.expiration else 0
            allowed = not hit.deleted and when > hit.expiration and reopened <= self.funds
            allowed, target = allowed and when not in hit.extensions, when
        self.attempt(allowed, lambda: self.call("UpdateExpirationForHIT", HITId=hit.id, ExpireAt=when))
        if allowed:
            hit.expiration = target
            if when > self.now:
                hit.extensions.add(when)

    @precondition(lambda self: self.hits)
    @rule(index=st.integers(0, 9), revert=st.booleans())
    def flag(self, index: int, revert: bool) -> None:
        hit = self.hit(index)
        allowed = hit.status(self.now) == ("Reviewing" if revert else "Reviewable")
        self.attempt(allowed, lambda: self.call("UpdateHITReviewStatus", HITId=hit.id, Revert=revert))
        if allowed:
            hit.flagged = not revert

    @precondition(lambda self: self.hits)
    @rule(index=st.integers(0, 9))
    def delete(self, index: int) -> None:
        hit = self.hit(index)
        finished = hit.status(self.now) in ("Reviewable", "Reviewing") and not hit.count("Submitted")
        self.attempt(finished, lambda: self.call("DeleteHIT", HITId=hit.id))
        hit.deleted = hit.deleted or finished

    @rule(seconds=st.sampled_from([1, 29.75, 61, 299, 1000]))
    def pass_time(self, seconds: float) -> None:
        self.clock.advance(seconds)
        for hit in self.hits:
            for work in hit.work:
                work.pass_time(self.now)

    @invariant()
    def hits_are_as_the_formula_says(self) -> None:
        for hit in self.hits:
            if hit.status(self.now) not in ("Reviewable", "Reviewing"):
                hit.flagged = False
            shape = self.call("GetHIT", HITId=hit.id)["HIT"]
            assert shape["HITStatus"] == hit.status(self.now)
            assert shape["NumberOfAssignmentsAvailable"] == hit.free >= 0
            assert shape["NumberOfAssignmentsPending"] == hit.count("Accepted") >= 0
            assert shape["NumberOfAssignmentsCompleted"] == hit.count("Approved", "Rejected")
            assert shape["Expiration"] == hit.expiration

    @invariant()
    def money_adds_up(self) -> None:
        held = sum(hit.held(self.now) for hit in self.hits)
        shape = self.call("GetAccountBalance")
        expected = {"AvailableBalance": self.funds, "OnHoldBalance": held}
        assert shape == {name: f"{cents // 100}.{cents % 100:02}" for name, cents in expected.items()}
        assert self.funds >= 0
        assert self.market.audit(ACCOUNT) == []

    @invariant()
    def workers_are_paid(self) -> None:
        for worker in WORKERS:
            mine = [(hit, work) for hit in self.hits for work in hit.work if work.worker == worker]
            earned = self.market.workers.earnings(worker)
            rewards = sum(hit.reward for hit, work in mine if work.state == "Approved")
            assert earned.paid_cents == rewards + sum(sum(work.bonuses) for _, work in mine)
            assert earned.pending_cents == sum(hit.reward for hit, work in mine if work.state == "Submitted")
            held = {view.assignment_id for view in self.market.workers.held(worker)}
            assert held == {work.id for _, work in mine if work.state == "Accepted"}


TestMarketMachine = MarketMachine.TestCase
TestMarketMachine.settings = settings(
    max_examples=25,
    stateful_step_count=40,
    deadline=None,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.filter_too_much],
)
