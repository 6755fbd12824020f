from __future__ import annotations

from typing import Any

import pytest
from sqlalchemy import delete, insert, select, update

from workforce.market.money import bonus_fee_cents
from workforce.store import Store
from workforce.store.tables import accounts, bonuses, journal, workers

A, B = "AWA", "AWB"


def give(assignment: str, worker: str = A, amount: str = "0.50", **more: Any) -> dict[str, Any]:
    reason = {"Reason": "You redid what we had lost"}
    return {"AssignmentId": assignment, "WorkerId": worker, "BonusAmount": amount, **reason, **more}


@pytest.mark.parametrize(
    ("cents", "fee"), [(1, 1), (2, 1), (7, 1), (8, 2), (12, 2), (13, 3), (50, 10), (999, 200)]
)
def test_the_fee_is_twenty_percent_and_at_least_a_cent(cents: int, fee: int) -> None:
    assert bonus_fee_cents(cents) == fee


def test_a_bonus_is_paid_out_of_what_is_available(desk: Any) -> None:
    hit = desk.hit(10)  # the reward's fee is 40 % here, the bonus's is not
    assignment = desk.submit(A, hit)
    assert desk.balance() == ("9999.30", "0.70")
    assert desk.call("SendBonus", **give(assignment)) == {}
    assert desk.balance() == ("9998.70", "0.70")
    earned = desk.market.workers.earnings(A)
    assert (earned.submitted, earned.approved, earned.pending_cents, earned.paid_cents) == (1, 0, 5, 50)
    with desk.market.store.read() as connection:
        found = connection.execute(
            select(journal.c.kind, journal.c.cents).where(journal.c.kind.like("bonus%"))
        ).all()
    assert sorted(tuple(row) for row in found) == [("bonus", 50), ("bonus_fee", 10)]


def test_work_that_was_rejected_or_whose_hit_is_gone_can_have_one(desk: Any) -> None:
    hit = desk.hit(1)
    assignment = desk.submit(A, hit)
    desk.call("RejectAssignment", AssignmentId=assignment, RequesterFeedback="no")
    desk.call("SendBonus", **give(assignment))
    desk.call("DeleteHIT", HITId=hit)
    desk.call("SendBonus", **give(assignment, amount="0.01"))
    listed = desk.call("ListBonusPayments", HITId=hit)
    assert [each["BonusAmount"] for each in listed["BonusPayments"]] == ["0.50", "0.01"]
    assert desk.balance() == ("9999.38", "0.00")


def test_only_the_worker_of_work_handed_in_gets_one(desk: Any) -> None:
    hit = desk.hit(2)
    done, held = desk.submit(A, hit), desk.accept(B, hit)
    error = desk.refused("SendBonus", **give(done, B))
    assert str(error).startswith("WorkerId: worker AWB did not do")
    error = desk.refused("SendBonus", **give(held, B))
    assert error.turk_code == "AWS.MechanicalTurk.InvalidAssignmentState"
    desk.market.workers.give_back(B, held)
    assert "with a status of" in str(desk.refused("SendBonus", **give(held, B)))
    error = desk.refused("SendBonus", **give("3NONE"))
    assert (str(error), error.turk_code) == (
        "Assignment 3NONE does not exist.",
        "AWS.MechanicalTurk.AssignmentDoesNotExist",
    )
    desk.market.requester.accounts.ensure_account("1" * 12, name="O", opening_cents=900, mode="ledger")
    desk.account = "1" * 12
    assert str(desk.refused("SendBonus", **give(done))) == f"Assignment {done} does not exist."
    assert "does not exist" in str(desk.refused("ListBonusPayments", AssignmentId=done))
    assert "does not exist" in str(desk.refused("ListBonusPayments", HITId=hit))
    desk.account = "0" * 12
    assert desk.balance() == ("9999.88", "0.12")


@pytest.mark.parametrize(
    ("change", "field"),
    [
        ({"BonusAmount": "0.00"}, "BonusAmount"),
        ({"BonusAmount": "1.234"}, "BonusAmount"),
        ({"BonusAmount": "1000000.01"}, "BonusAmount"),
        ({"Reason": ""}, "Reason"),
        ({"Reason": " \n"}, "Reason"),
        ({"Reason": "a\x07"}, "Reason"),
        ({"Reason": "a" * 4097}, "Reason"),
        ({"UniqueRequestToken": ""}, "UniqueRequestToken"),
    ],
)
def test_what_is_wrong_is_named(memory_desk: Any, change: dict[str, str], field: str) -> None:
    assignment = memory_desk.submit(A, memory_desk.hit(1))
    assert str(memory_desk.refused("SendBonus", **(give(assignment) | change))).startswith(field)
    assert memory_desk.balance() == ("9999.94", "0.06")


def test_a_token_gives_one_bonus_for_a_day(desk: Any) -> None:
    first, second = desk.submit(A, desk.hit(1)), desk.submit(B, desk.hit(1))
    desk.call("SendBonus", **give(first, UniqueRequestToken="t"))
    errors = {
        str(desk.refused("SendBonus", **give(assignment, worker, UniqueRequestToken="t")))
        for assignment, worker in ((first, A), (second, B))
    }
    assert len(errors) == 1, "the same request id each time"
    assert 'token "t" has already been processed. Request ID: ' in errors.pop()
    assert desk.balance() == ("9999.28", "0.12")
    desk.clock.advance(24 * 3600 - 1)
    desk.refused("SendBonus", **give(first, UniqueRequestToken="t"))
    desk.clock.advance(1)
    desk.call("SendBonus", **give(first, UniqueRequestToken="t"))
    assert desk.call("ListBonusPayments", AssignmentId=first)["NumResults"] == 2


def test_lack_of_funds_leaves_no_trace(make_desk: Any) -> None:
    desk = make_desk(opening_cents=65)
    assignment = desk.submit(A, desk.hit(1))
    error = desk.refused("SendBonus", **give(assignment, UniqueRequestToken="t"))
    assert error.turk_code == "AWS.MechanicalTurk.InsufficientFunds"
    assert desk.balance() == ("0.59", "0.06")
    assert desk.market.workers.earnings(A).paid_cents == 0
    desk.call("SendBonus", **give(assignment, amount="0.49", UniqueRequestToken="t"))
    assert desk.balance() == ("0.00", "0.06")
    assert desk.market.audit(desk.account) == []


def test_a_sandbox_gives_what_it_does_not_have(make_desk: Any) -> None:
    desk = make_desk(opening_cents=0, mode="sandbox")
    hit = desk.hit(1)
    desk.call("SendBonus", **give(desk.submit(A, hit), amount="500"))
    assert desk.market.workers.earnings(A).paid_cents == 50_000
    assert desk.call("ListBonusPayments", HITId=hit)["BonusPayments"][0]["BonusAmount"] == "500.00"
    assert desk.market.audit(desk.account) == []


def test_payments_are_listed_by_hit_or_assignment_in_pages(desk: Any) -> None:
    hit = desk.hit(2)
    first, second = desk.submit(A, hit), desk.submit(B, hit)
    for number in range(1, 4):
        desk.call("SendBonus", **give(first, amount=f"0.0{number}"))
    desk.call("SendBonus", **give(second, B, amount="0.04"))
    seen: list[str] = []
    token: dict[str, str] = {}
    while True:
        page = desk.call("ListBonusPayments", HITId=hit, MaxResults=2, **token)
        seen += [each["BonusAmount"] for each in page["BonusPayments"]]
        if "NextToken" not in page:
            break
        token = {"NextToken": page["NextToken"]}
    assert seen == ["0.01", "0.02", "0.03", "0.04"]
    assert "NextToken" in str(desk.refused("ListBonusPayments", AssignmentId=first, **token))
    (one,) = desk.call("ListBonusPayments", AssignmentId=second)["BonusPayments"]
    assert one == {
        "WorkerId": B,
        "BonusAmount": "0.04",
        "AssignmentId": second,
        "Reason": "You redid what we had lost",
        "GrantTime": desk.at(0),
    }
    for wrong in ({}, {"HITId": hit, "AssignmentId": first}):
        assert "exactly one" in str(desk.refused("ListBonusPayments", **wrong))


@pytest.mark.parametrize(
    ("change", "says"),
    [
        (update(accounts).values(available_cents=accounts.c.available_cents + 1), "available is 9998.95"),
        (delete(journal).where(journal.c.kind == "bonus"), "1 x bonus 0.50 in the bonuses without"),
        (delete(journal).where(journal.c.kind == "bonus_fee"), "1 x bonus_fee 0.10 in the bonuses without"),
        (
            update(journal).where(journal.c.kind == "bonus", journal.c.cents == 50).values(cents=51),
            "1 x bonus 0.51 in the journal",
        ),
        (delete(bonuses).where(bonuses.c.cents == 50), "1 x bonus 0.50 in the journal without"),
        (update(bonuses).where(bonuses.c.cents == 50).values(worker_id=B), "worker AWB does not fit"),
        (update(bonuses).where(bonuses.c.cents == 50).values(fee_cents=20), "a fee of 0.20"),
        (update(bonuses).where(bonuses.c.cents == 3).values(fee_cents=2), "a fee of 0.02"),
        (update(bonuses).values(hit_seq=2), "does not fit"),
        (
            update(workers).values(paid_cents=workers.c.paid_cents + 1),
            "worker AWA: paid 0.59 (worked out 0.58)",
        ),
        (update(workers).values(pending_cents=1), "pending 0.01 (worked out 0.00)"),
    ],
)
def test_audit_finds_bonuses_that_do_not_add_up(memory_desk: Any, change: Any, says: str) -> None:
    assignment = memory_desk.submit(A, memory_desk.hit(1))
    memory_desk.call("ApproveAssignment", AssignmentId=assignment)
    memory_desk.call("SendBonus", **give(assignment))
    memory_desk.call("SendBonus", **give(assignment, amount="0.03"))
    memory_desk.market.workers.ensure_worker(B)
    memory_desk.hit(1, hit_type=memory_desk.hit_type(reward="0.30"))
    assert memory_desk.market.audit(memory_desk.account) == []
    with memory_desk.market.store.write() as connection:
        connection.execute(change)
    assert says in "\n".join(memory_desk.market.audit(memory_desk.account))


def test_audit_finds_a_bonus_booked_twice(memory_desk: Any) -> None:
    memory_desk.call("SendBonus", **give(memory_desk.submit(A, memory_desk.hit(1))))
    with memory_desk.market.store.write() as connection:
        row = connection.execute(select(bonuses)).mappings().one()
        connection.execute(insert(bonuses), {**row, "seq": 2})
    problems = "\n".join(memory_desk.market.audit(memory_desk.account))
    assert "1 x bonus 0.50 in the bonuses without a journal entry" in problems
    assert "worker AWA: paid 0.50 (worked out 1.00)" in problems


def test_a_database_made_before_there_were_bonuses_gets_their_table(desk: Any, store_url: str) -> None:
    assignment = desk.submit(A, desk.hit(1))
    with desk.market.store.write() as connection:
        bonuses.drop(connection)
    Store.open(store_url).close()
    desk.call("SendBonus", **give(assignment))
    assert desk.call("ListBonusPayments", AssignmentId=assignment)["NumResults"] == 1
