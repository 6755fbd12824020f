from __future__ import annotations

from typing import Any

import pytest

A, B, C = "AWA", "AWB", "AWC"


def notify(*workers: str, **more: Any) -> dict[str, Any]:
    return {"WorkerIds": list(workers), "Subject": "About your answer", "MessageText": "Thank you.", **more}


@pytest.fixture
def reviewed(desk: Any) -> Any:
    """The work of A was approved, that of B rejected, that of C only handed in."""
    hit = desk.hit(3)
    desk.call("ApproveAssignment", AssignmentId=desk.submit(A, hit))
    desk.call("RejectAssignment", AssignmentId=desk.submit(B, hit), RequesterFeedback="no")
    desk.submit(C, hit)
    return desk


def test_only_workers_whose_work_was_reviewed_are_told(reviewed: Any) -> None:
    answer = reviewed.call("NotifyWorkers", **notify(A, C, B, "AUNKNOWN"))
    failures = answer["NotifyWorkersFailureStatuses"]
    assert [(each["WorkerId"], each["NotifyWorkersFailureCode"]) for each in failures] == [
        (C, "HardFailure"),
        ("AUNKNOWN", "HardFailure"),
    ]
    assert failures[0]["NotifyWorkersFailureMessage"].endswith("any work of worker AWC.")
    inbox = reviewed.market.inbox
    assert [inbox.unread(worker) for worker in (A, B, C, "AUNKNOWN")] == [1, 1, 0, 0]


def test_work_for_another_requester_does_not_count(reviewed: Any) -> None:
    reviewed.market.requester.accounts.ensure_account("1" * 12, name="O", opening_cents=900, mode="ledger")
    reviewed.account = "1" * 12
    answer = reviewed.call("NotifyWorkers", **notify(A))
    assert [each["WorkerId"] for each in answer["NotifyWorkersFailureStatuses"]] == [A]
    assert reviewed.market.inbox.count(A) == 0
    reviewed.account = "0" * 12


def test_a_message_is_new_until_it_was_shown(reviewed: Any) -> None:
    reviewed.call("NotifyWorkers", **notify(A, A, Subject="First"))
    reviewed.clock.advance(60)
    reviewed.call("NotifyWorkers", **notify(A, B, Subject="Second", MessageText="a < b\n& more"))
    inbox = reviewed.market.inbox
    assert (inbox.count(A), inbox.unread(A)) == (2, 2), "naming a worker twice sends once"
    (newest,) = inbox.read(A, limit=1)
    assert (newest.requester_name, newest.subject, newest.text, newest.unread) == (
        "Iris Lab",
        "Second",
        "a < b\n& more",
        True,
    )
    assert newest.sent_at == reviewed.clock.now()
    assert inbox.unread(A) == 1
    assert [(each.subject, each.unread) for each in inbox.read(A, limit=9)] == [
        ("Second", False),
        ("First", True),
    ]
    assert [each.subject for each in inbox.read(A, limit=9, offset=1)] == ["First"]
    assert (inbox.unread(A), inbox.unread(B)) == (0, 1)


@pytest.mark.parametrize(
    ("change", "field"),
    [
        ({"Subject": "s" * 201}, "Subject"),
        ({"Subject": " "}, "Subject"),
        ({"MessageText": "m" * 4097}, "MessageText"),
        ({"MessageText": ""}, "MessageText"),
        ({"MessageText": "m\x00"}, "MessageText"),
        ({"WorkerIds": []}, "WorkerIds"),
        ({"WorkerIds": [f"AW{number}" for number in range(101)]}, "WorkerIds"),
    ],
)
def test_what_cannot_be_sent_is_named(memory_desk: Any, change: dict[str, Any], field: str) -> None:
    assert str(memory_desk.refused("NotifyWorkers", **(notify(A) | change))).startswith(field)


def test_the_largest_message_goes_to_a_hundred(reviewed: Any) -> None:
    names = [A, *(f"AX{number}" for number in range(99))]
    answer = reviewed.call("NotifyWorkers", **notify(*names, Subject="s" * 200, MessageText="m" * 4096))
    assert len(answer["NotifyWorkersFailureStatuses"]) == 99
    assert len(reviewed.market.inbox.read(A, limit=1)[0].text) == 4096


def test_a_worker_sees_what_was_rejected_why_and_what_was_given(reviewed: Any) -> None:
    history = reviewed.market.history
    assert history.rejected(A, limit=9) == []
    (work,) = history.rejected(B, limit=9)
    assert (work.title, work.requester_name, work.reward_cents, work.feedback) == (
        "Classify images",
        "Iris Lab",
        5,
        "no",
    )
    assert reviewed.market.workers.assignment(B, work.assignment_id).feedback == "no"
    for amount in ("0.10", "0.20"):
        reviewed.call(
            "SendBonus", AssignmentId=work.assignment_id, WorkerId=B, BonusAmount=amount, Reason="Our mistake"
        )
    assert [(bonus.cents, bonus.reason) for bonus in history.bonuses(B, limit=9)] == [
        (20, "Our mistake"),
        (10, "Our mistake"),
    ]
    assert history.bonus_total(B) == (2, 30)
    assert history.bonus_total(A) == (0, 0)
    reviewed.call("ApproveAssignment", AssignmentId=work.assignment_id, OverrideRejection=True)
    assert history.rejected(B, limit=9) == []


def test_rejecting_frees_the_money_and_does_not_reopen_the_hit(desk: Any) -> None:
    hit = desk.hit(2)
    first, second = desk.submit(A, hit), desk.submit(B, hit)
    desk.call("RejectAssignment", AssignmentId=first, RequesterFeedback="no")
    assert desk.balance() == ("9999.94", "0.06")
    assert desk.state(hit) == ("Reviewable", 0, 0, 1)
    assert desk.market.audit(desk.account) == []
    desk.call("CreateAdditionalAssignmentsForHIT", HITId=hit, NumberOfAdditionalAssignments=1)
    assert desk.state(hit) == ("Assignable", 1, 0, 1)
    assert desk.balance() == ("9999.88", "0.12"), "the seat that replaces the rejected one is held anew"
    with pytest.raises(Exception, match="once"):
        desk.accept(A, hit)
    third = desk.submit(C, hit)
    for assignment in (second, third):
        desk.call("ApproveAssignment", AssignmentId=assignment)
    assert desk.balance() == ("9999.88", "0.00")
    assert "status of: Submitted" in str(
        desk.refused("RejectAssignment", AssignmentId=second, RequesterFeedback="no")
    )


def test_a_rejection_can_be_taken_back_for_money_while_the_hit_is_there(desk: Any) -> None:
    hits = [desk.hit(1) for _ in range(2)]
    work = [desk.submit(A, hit) for hit in hits]
    for assignment in work:
        desk.call("RejectAssignment", AssignmentId=assignment, RequesterFeedback="no")
    desk.clock.advance(3601)  # the HITs expire
    assert desk.balance() == ("10000.00", "0.00")
    desk.call("ApproveAssignment", AssignmentId=work[0], OverrideRejection=True)
    assert desk.balance() == ("9999.94", "0.00")
    shown = desk.call("GetAssignment", AssignmentId=work[0])["Assignment"]
    assert shown["AssignmentStatus"] == "Approved"
    assert "RejectionTime" not in shown
    desk.call("DeleteHIT", HITId=hits[1])
    error = desk.refused("ApproveAssignment", AssignmentId=work[1], OverrideRejection=True)
    assert "'Disposed'" in str(error)
    assert desk.balance() == ("9999.94", "0.00")
    earned = desk.market.workers.earnings(A)
    assert (earned.approved, earned.rejected, earned.paid_cents, earned.pending_cents) == (1, 1, 5, 0)
