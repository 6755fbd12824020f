from __future__ import annotations

from typing import Any

import pytest
from sqlalchemy import select, update

from workforce.market import MarketError
from workforce.market.money import dollars, fee_cents, parse_dollars
from workforce.store.tables import accounts, assignments, hits, journal

A, B, C = "AWA", "AWB", "AWC"
NO_FUNDS = (
    "This Requester has insufficient funds in their account to complete this transaction. "
    "Please visit https://requester.mturk.com/prepayments/new to purchase Prepaid HITs."
)


@pytest.mark.parametrize(
    ("reward", "seats", "fee"),
    [
        (5, 1, 1),
        (5, 10, 2),
        (1, 1, 1),
        (0, 1, 1),
        (52, 9, 10),  # 10.4
        (53, 9, 11),  # 10.6
        (12, 9, 2),  # 2.4
        (13, 9, 3),  # 2.6
        (100, 9, 20),
        (100, 10, 40),
        (3, 10, 1),  # 1.2
        (4, 10, 2),  # 1.6
    ],
)
def test_fee(reward: int, seats: int, fee: int) -> None:
    assert fee_cents(reward, seats) == fee


def test_half_a_cent_rounds_up() -> None:
    assert [fee_cents(reward, 9) for reward in (12, 13, 17, 18)] == [2, 3, 3, 4]
    halves = [reward for reward in range(1, 200) if reward * 20 % 100 == 50 or reward * 40 % 100 == 50]
    assert halves == [], "with whole cents a half cannot arise at 20 % and 40 %"


@pytest.mark.parametrize(
    ("text", "cents"),
    [
        ("0.05", 5),
        ("5", 500),
        ("5.", 500),
        ("5.5", 550),
        ("00.10", 10),
        ("0", 0),
        ("1.234", None),
        ("-1", None),
        ("abc", None),
        ("", None),
        (".5", None),
        ("1e3", None),
        ("\N{ARABIC-INDIC DIGIT FIVE}", None),
        ("9" * 400, None),
    ],
)
def test_dollars_on_the_wire(text: str, cents: int | None) -> None:
    assert parse_dollars(text) == cents
    if cents is not None:
        assert parse_dollars(dollars(cents)) == cents


def test_held_at_creation_paid_at_approval(desk: Any) -> None:
    assert desk.balance() == ("10000.00", "0.00")
    hit = desk.hit(2)
    assert desk.balance() == ("9999.88", "0.12")
    first, second = desk.submit(A, hit), desk.submit(B, hit)
    assert desk.balance() == ("9999.88", "0.12")
    desk.call("ApproveAssignment", AssignmentId=first)
    assert desk.balance() == ("9999.88", "0.06")
    desk.call("RejectAssignment", AssignmentId=second, RequesterFeedback="no")
    assert desk.balance() == ("9999.94", "0.00")
    desk.call("ApproveAssignment", AssignmentId=second, OverrideRejection=True)
    assert desk.balance() == ("9999.88", "0.00")
    earned = [desk.market.workers.earnings(worker) for worker in (A, B)]
    assert [(e.submitted, e.approved, e.rejected, e.pending_cents, e.paid_cents) for e in earned] == [
        (1, 1, 0, 0, 5),
        (1, 1, 0, 0, 5),
    ]


def test_the_higher_fee_from_ten_assignments_on(desk: Any) -> None:
    desk.hit(10, hit_type=desk.hit_type(reward="1.00"))
    assert desk.balance() == ("9986.00", "14.00")


def test_expiry_lets_go_of_seats_nobody_took(desk: Any) -> None:
    hit = desk.hit(5, lifetime=60)
    desk.submit(A, hit)
    assignment = desk.accept(B, hit)
    desk.clock.advance(61)
    assert desk.balance() == ("9999.88", "0.12"), "one to review, one under way"
    desk.market.workers.give_back(B, assignment)
    assert desk.balance() == ("9999.94", "0.06")
    desk.call("CreateAdditionalAssignmentsForHIT", HITId=hit, NumberOfAdditionalAssignments=1)
    assert desk.balance() == ("9999.94", "0.06")
    desk.call("UpdateExpirationForHIT", HITId=hit, ExpireAt=desk.at(600))
    assert desk.balance() == ("9999.64", "0.36"), "five free seats and one to review"
    desk.call("UpdateExpirationForHIT", HITId=hit, ExpireAt=desk.at(-1))
    assert desk.balance() == ("9999.94", "0.06")


def test_abandonment_before_expiry_changes_nothing(desk: Any) -> None:
    hit = desk.hit(1)
    desk.accept(A, hit)
    desk.clock.advance(301)
    assert desk.balance() == ("9999.94", "0.06")
    assert desk.state(hit)[0] == "Assignable"


def test_lack_of_funds_changes_nothing(make_desk: Any) -> None:
    desk = make_desk(opening_cents=12)
    hit_type = desk.hit_type()
    error = desk.refused("CreateHIT", **_hit_params(seats=3, token="t"))
    assert (str(error), error.turk_code) == (NO_FUNDS, "AWS.MechanicalTurk.InsufficientFunds")
    assert desk.balance() == ("0.12", "0.00")
    assert desk.call("ListHITs")["NumResults"] == 0
    made = desk.call("CreateHIT", **_hit_params(seats=1, token="t"))["HIT"]
    assert made["HITTypeId"] == hit_type, "identical properties are one type"
    hit = made["HITId"]
    params = {"HITId": hit, "NumberOfAdditionalAssignments": 2, "UniqueRequestToken": "more"}
    assert str(desk.refused("CreateAdditionalAssignmentsForHIT", **params)) == NO_FUNDS
    desk.call("CreateAdditionalAssignmentsForHIT", **(params | {"NumberOfAdditionalAssignments": 1}))
    assert desk.balance() == ("0.00", "0.12")
    first, second = desk.submit(A, hit), desk.submit(B, hit)
    desk.call("RejectAssignment", AssignmentId=first, RequesterFeedback="no")
    desk.call("CreateHIT", **_hit_params(seats=1, token=None))
    assert str(desk.refused("ApproveAssignment", AssignmentId=first, OverrideRejection=True)) == NO_FUNDS
    desk.call("ApproveAssignment", AssignmentId=second)
    assert desk.balance() == ("0.00", "0.06")
    assert desk.market.workers.earnings(A).rejected == 1
    assert desk.market.audit(desk.account) == []


def test_reviving_an_expired_hit_needs_funds(make_desk: Any) -> None:
    desk = make_desk(opening_cents=12)
    hit = desk.hit(2, lifetime=60)
    desk.clock.advance(61)
    other = desk.hit(1)
    assert str(desk.refused("UpdateExpirationForHIT", HITId=hit, ExpireAt=desk.at(900))) == NO_FUNDS
    error = desk.refused("CreateAdditionalAssignmentsForHIT", HITId=hit, NumberOfAdditionalAssignments=2)
    assert str(error) == NO_FUNDS
    assert desk.state(hit) == ("Reviewable", 2, 0, 0)
    desk.call("UpdateExpirationForHIT", HITId=other, ExpireAt=desk.at(-1))
    desk.call("UpdateExpirationForHIT", HITId=hit, ExpireAt=desk.at(900))
    assert desk.balance() == ("0.00", "0.12")
    assert desk.market.audit(desk.account) == []


def test_sandbox_never_lacks_money(make_desk: Any) -> None:
    desk = make_desk(opening_cents=0, mode="sandbox")
    hit = desk.hit(100, hit_type=desk.hit_type(reward="500.00"))
    assignment = desk.submit(A, hit)
    desk.call("ApproveAssignment", AssignmentId=assignment)
    assert desk.call("GetAccountBalance") == {"AvailableBalance": "10000.00", "OnHoldBalance": "0.00"}
    assert desk.market.workers.earnings(A).paid_cents == 50_000
    assert desk.market.audit(desk.account) == []


def test_the_opening_deposit_is_made_once(desk: Any) -> None:
    ensure = desk.market.requester.accounts.ensure_account
    ensure(desk.account, name="Iris Lab", opening_cents=5_000_000, mode="ledger")
    assert desk.balance() == ("10000.00", "0.00")
    with pytest.raises(MarketError, match="exists in ledger mode"):
        ensure(desk.account, name="Iris Lab", opening_cents=0, mode="sandbox")
    with pytest.raises(MarketError, match="negative"):
        ensure("1", name="Other", opening_cents=-1, mode="ledger")


def test_the_journal_tells_the_story_of_each_cent(desk: Any) -> None:
    hit = desk.hit(3, lifetime=60)
    approved, rejected = desk.submit(A, hit), desk.submit(B, hit)
    desk.call("ApproveAssignment", AssignmentId=approved)
    desk.call("RejectAssignment", AssignmentId=rejected, RequesterFeedback="no")
    desk.clock.advance(61)
    desk.market.run_timers()
    with desk.market.store.read() as connection:
        entries = connection.execute(select(journal.c.kind, journal.c.cents).order_by(journal.c.seq)).all()
    assert [tuple(entry) for entry in entries] == [
        ("opening", 1_000_000),
        ("hold", 18),
        ("payment", 5),
        ("fee", 1),
        ("release", 6),
        ("release", 6),
    ]


@pytest.mark.parametrize(
    ("change", "says"),
    [
        (update(accounts).values(available_cents=accounts.c.available_cents + 1), "available is 9999.83"),
        (update(accounts).values(held_cents=accounts.c.held_cents + 1), "held is 0.13"),
        (update(hits).values(submitted=hits.c.submitted + 1), "submitted 2 (counted 1)"),
        (update(hits).values(max_assignments=9), "held is 0.12, but its HITs gives 0.48"),
        (update(journal).where(journal.c.kind == "fee").values(cents=9), "1 fees"),
        (
            update(assignments).where(assignments.c.status == "Approved").values(status="Rejected"),
            "it is Rejected",
        ),
    ],
)
def test_audit_finds_what_does_not_add_up(memory_desk: Any, change: Any, says: str) -> None:
    hit = memory_desk.hit(3)
    memory_desk.call("ApproveAssignment", AssignmentId=memory_desk.submit(A, hit))
    memory_desk.submit(B, hit)
    assert memory_desk.market.audit(memory_desk.account) == []
    with memory_desk.market.store.write() as connection:
        connection.execute(change)
    assert says in "\n".join(memory_desk.market.audit(memory_desk.account))


def _hit_params(*, seats: int, token: str | None) -> dict[str, Any]:
    html = (
        '<HTMLQuestion xmlns="http://mechanicalturk.amazonaws.com/AWSMechanicalTurkDataSchemas/2011-11-11/'
        'HTMLQuestion.xsd"><HTMLContent>x</HTMLContent><FrameHeight>0</FrameHeight></HTMLQuestion>'
    )
    params: dict[str, Any] = {
        "Title": "Classify images",
        "Description": "Name the species",
        "Reward": "0.05",
        "AssignmentDurationInSeconds": 300,
        "LifetimeInSeconds": 3600,
        "MaxAssignments": seats,
        "Question": html,
    }
    return params if token is None else params | {"UniqueRequestToken": token}
