from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from workforce.market import Refused

A, B, C, D, E, F = "AWA", "AWB", "AWC", "AWD", "AWE", "AWF"


def test_the_table_of_the_developer_guide(desk: Any) -> None:
    hit = desk.hit(5)
    assert desk.state(hit) == ("Assignable", 5, 0, 0)
    held = {worker: desk.accept(worker, hit) for worker in (A, B, C)}
    assert desk.state(hit) == ("Assignable", 2, 3, 0)
    held |= {worker: desk.accept(worker, hit) for worker in (D, E)}
    for worker in (A, B):
        desk.market.workers.submit(held[worker], [("label", "x")])
    assert desk.state(hit) == ("Unassignable", 0, 3, 0)
    desk.market.workers.give_back(C, held[C])
    assert desk.state(hit) == ("Assignable", 1, 2, 0)
    held[F] = desk.accept(F, hit)
    for worker in (D, E, F):
        desk.market.workers.submit(held[worker], [("label", "x")])
    assert desk.state(hit) == ("Reviewable", 0, 0, 0)
    for worker in (A, B, D):
        desk.call("ApproveAssignment", AssignmentId=held[worker])
    assert desk.state(hit) == ("Reviewable", 0, 0, 3)
    for worker in (E, F):
        desk.call("ApproveAssignment", AssignmentId=held[worker])
    assert desk.state(hit) == ("Reviewable", 0, 0, 5)


def test_expiry_keeps_available_and_waits_for_work_under_way(desk: Any) -> None:
    hit = desk.hit(5, lifetime=60)
    assignment = desk.accept(A, hit)
    desk.clock.advance(60)
    assert desk.state(hit) == ("Unassignable", 4, 1, 0)
    with pytest.raises(Refused) as caught:
        desk.accept(B, hit)
    assert caught.value.reason == "no_seat"
    desk.market.workers.submit(assignment, [("label", "late but in time")])
    assert desk.state(hit) == ("Reviewable", 4, 0, 0)


def test_expiration_is_creation_plus_lifetime_in_whole_seconds(desk: Any) -> None:
    shape = desk.show(desk.hit(1, lifetime=86_400))
    assert shape["CreationTime"] == datetime(2026, 11, 21, 12, 0, 0, tzinfo=UTC)
    assert shape["Expiration"] - shape["CreationTime"] == timedelta(seconds=86_400)


def test_abandoning_frees_the_seat_only_before_expiry(desk: Any) -> None:
    open_hit, closed_hit = desk.hit(1, lifetime=3600), desk.hit(1, lifetime=60)
    first, second = desk.accept(A, open_hit), desk.accept(A, closed_hit)
    desk.clock.advance(299.9)
    assert desk.state(open_hit) == ("Unassignable", 0, 1, 0)
    desk.clock.advance(0.2)
    assert desk.state(open_hit) == ("Assignable", 1, 0, 0)
    assert desk.state(closed_hit) == ("Reviewable", 1, 0, 0)
    for assignment in (first, second):
        assert desk.market.workers.assignment(A, assignment).status == "Abandoned"
        with pytest.raises(Refused, match="time is over"):
            desk.market.workers.submit(assignment, [("label", "x")])
        error = desk.refused("GetAssignment", AssignmentId=assignment)
        assert str(error) == "This operation can be called with a status of: Reviewable,Approved,Rejected"


def test_a_worker_has_one_assignment_of_a_hit_but_may_come_back_after_returning(desk: Any) -> None:
    hit = desk.hit(3)
    returned = desk.accept(A, hit)
    desk.market.workers.give_back(A, returned)
    again = desk.accept(A, hit)
    assert again != returned
    with pytest.raises(Refused) as caught:
        desk.accept(A, hit)
    assert caught.value.reason == "taken"
    desk.market.workers.submit(again, [("label", "x")])
    desk.call("CreateAdditionalAssignmentsForHIT", HITId=hit, NumberOfAdditionalAssignments=1)
    with pytest.raises(Refused) as caught:
        desk.accept(A, hit)
    assert caught.value.reason == "taken"
    assert desk.market.workers.available(A) == []
    desk.market.workers.ensure_worker(B)
    assert [listing.seats_available for listing in desk.market.workers.available(B)] == [3]


def test_nobody_submits_for_another_or_twice(desk: Any) -> None:
    hit = desk.hit(2)
    assignment = desk.accept(A, hit)
    desk.market.workers.ensure_worker(B)
    for attempt in (
        lambda: desk.market.workers.submit(assignment, [], worker_id=B),
        lambda: desk.market.workers.give_back(B, assignment),
        lambda: desk.market.workers.assignment(B, assignment),
    ):
        with pytest.raises(Refused) as caught:
            attempt()
        assert caught.value.reason == "unknown"
    assert desk.market.workers.submit(assignment, []).status == "Submitted"
    with pytest.raises(Refused) as caught:
        desk.market.workers.submit(assignment, [])
    assert caught.value.reason == "closed"
    with pytest.raises(Refused):
        desk.market.workers.give_back(A, assignment)
    assert desk.state(hit) == ("Assignable", 1, 0, 0)


@pytest.mark.parametrize("moment", ["zero", "past", "now"])
def test_expiring_now_stores_now(desk: Any, moment: str) -> None:
    hit = desk.hit(2)
    desk.clock.advance(100)
    when = {"zero": datetime(1970, 1, 1, tzinfo=UTC), "past": desk.at(-50), "now": desk.at(0)}[moment]
    desk.call("UpdateExpirationForHIT", HITId=hit, ExpireAt=when)
    assert desk.state(hit) == ("Reviewable", 2, 0, 0)
    assert desk.show(hit)["Expiration"] == desk.at(0)
    stored = desk.at(0)
    desk.clock.advance(100)
    desk.call("UpdateExpirationForHIT", HITId=hit, ExpireAt=desk.at(-10))
    assert desk.show(hit)["Expiration"] == stored


def test_expiration_can_only_be_extended(desk: Any) -> None:
    hit = desk.hit(2, lifetime=1000)
    for seconds in (500, 1000):
        error = desk.refused("UpdateExpirationForHIT", HITId=hit, ExpireAt=desk.at(seconds))
        assert "ExpireAt" in str(error)
    desk.call("UpdateExpirationForHIT", HITId=hit, ExpireAt=desk.at(2000))
    assert desk.show(hit)["Expiration"] == desk.at(2000)
    desk.clock.advance(2001)
    assert desk.state(hit)[0] == "Reviewable"
    desk.call("UpdateExpirationForHIT", HITId=hit, ExpireAt=desk.at(2))
    assert desk.state(hit)[0] == "Assignable"
    desk.clock.advance(3)
    assert desk.state(hit)[0] == "Reviewable"
    assert "ExpireAt" in str(desk.refused("UpdateExpirationForHIT", HITId=hit, ExpireAt=desk.at(40_000_000)))


def test_the_same_extension_twice_is_an_error(desk: Any) -> None:
    hit = desk.hit(1)
    when = datetime(2026, 12, 2, 8, 5, 9, tzinfo=UTC)
    desk.call("UpdateExpirationForHIT", HITId=hit, ExpireAt=when)
    error = desk.refused("UpdateExpirationForHIT", HITId=hit, ExpireAt=when)
    assert (
        str(error) == f'The idempotency token "{hit}Wed Dec 02 08:05:09 UTC 2026" has already been processed.'
    )


def test_extending_an_expired_hit_needs_time_too(desk: Any) -> None:
    hit = desk.hit(1, lifetime=60)
    desk.submit(A, hit)
    desk.clock.advance(61)
    desk.call("CreateAdditionalAssignmentsForHIT", HITId=hit, NumberOfAdditionalAssignments=2)
    assert desk.state(hit) == ("Reviewable", 2, 0, 0)
    desk.call("UpdateExpirationForHIT", HITId=hit, ExpireAt=desk.at(600))
    assert desk.state(hit) == ("Assignable", 2, 0, 0)


@pytest.mark.parametrize(
    ("seats", "more", "allowed"), [(2, 7, True), (2, 8, False), (10, 5, True), (9, 1, False)]
)
def test_fewer_than_ten_never_become_ten(desk: Any, seats: int, more: int, allowed: bool) -> None:
    hit = desk.hit(seats)
    if allowed:
        desk.call("CreateAdditionalAssignmentsForHIT", HITId=hit, NumberOfAdditionalAssignments=more)
        assert desk.show(hit)["MaxAssignments"] == seats + more
        return
    error = desk.refused("CreateAdditionalAssignmentsForHIT", HITId=hit, NumberOfAdditionalAssignments=more)
    assert error.turk_code == "AWS.MechanicalTurk.InvalidMaximumAssignmentsIncrease"
    assert desk.show(hit)["MaxAssignments"] == seats


def test_the_tier_is_of_creation_even_in_small_steps(desk: Any) -> None:
    hit = desk.hit(8)
    desk.call("CreateAdditionalAssignmentsForHIT", HITId=hit, NumberOfAdditionalAssignments=1)
    error = desk.refused("CreateAdditionalAssignmentsForHIT", HITId=hit, NumberOfAdditionalAssignments=1)
    assert error.turk_code.endswith("InvalidMaximumAssignmentsIncrease")


def test_review_status_is_not_a_toggle_and_ends_with_an_extension(desk: Any) -> None:
    hit = desk.hit(1)
    error = desk.refused("UpdateHITReviewStatus", HITId=hit)
    assert "currently in the state 'Assignable'" in str(error)
    desk.submit(A, hit)
    assert "'Reviewable'" in str(desk.refused("UpdateHITReviewStatus", HITId=hit, Revert=True))
    desk.call("UpdateHITReviewStatus", HITId=hit, Revert=False)
    assert desk.state(hit)[0] == "Reviewing"
    assert "'Reviewing'" in str(desk.refused("UpdateHITReviewStatus", HITId=hit))
    desk.call("UpdateHITReviewStatus", HITId=hit, Revert=True)
    assert desk.state(hit)[0] == "Reviewable"
    desk.call("UpdateHITReviewStatus", HITId=hit)
    desk.call("CreateAdditionalAssignmentsForHIT", HITId=hit, NumberOfAdditionalAssignments=1)
    assert desk.state(hit)[0] == "Assignable"
    desk.submit(B, hit)
    assert desk.state(hit)[0] == "Reviewable"


def test_deleting(desk: Any) -> None:
    hit = desk.hit(2)
    text = (
        "This HIT is currently in the state '{}'.  "
        "This operation can be called with a status of: Reviewing, Reviewable"
    )
    assert str(desk.refused("DeleteHIT", HITId=hit)) == text.format("Assignable")
    assignment = desk.accept(A, hit)
    desk.call("UpdateExpirationForHIT", HITId=hit, ExpireAt=desk.at(-1))
    assert str(desk.refused("DeleteHIT", HITId=hit)) == text.format("Unassignable")
    desk.market.workers.submit(assignment, [("label", "x")])
    assert str(desk.refused("DeleteHIT", HITId=hit)) == text.format("Reviewable")
    desk.call("RejectAssignment", AssignmentId=assignment, RequesterFeedback="no")
    desk.call("UpdateHITReviewStatus", HITId=hit)
    desk.call("DeleteHIT", HITId=hit)
    assert desk.state(hit)[0] == "Disposed"
    assert str(desk.refused("DeleteHIT", HITId=hit)) == text.format("Disposed")
    assert desk.call("ListHITs")["HITs"] == []
    assert desk.call("ListReviewableHITs")["HITs"] == []
    for operation, more in (
        ("CreateAdditionalAssignmentsForHIT", {"NumberOfAdditionalAssignments": 1}),
        ("UpdateExpirationForHIT", {"ExpireAt": desk.at(9)}),
        ("UpdateHITReviewStatus", {}),
    ):
        assert "'Disposed'" in str(desk.refused(operation, HITId=hit, **more))
    error = desk.refused("ApproveAssignment", AssignmentId=assignment, OverrideRejection=True)
    assert "'Disposed'" in str(error)
    desk.market.workers.ensure_worker(B)
    for attempt in (desk.market.workers.listing, desk.market.workers.question):
        with pytest.raises(Refused):
            attempt(hit)


@pytest.mark.parametrize("nonsense", ["", "3NOBODYMADETHIS", "\x00", "\ud800", "a b", "3" * 200])
def test_ids_that_nobody_made(desk: Any, nonsense: str) -> None:
    workers = desk.market.workers
    workers.ensure_worker(A)
    for attempt in (
        lambda: workers.listing(nonsense),
        lambda: workers.question(nonsense),
        lambda: workers.accept(A, nonsense),
        lambda: workers.assignment(A, nonsense),
        lambda: workers.submit(nonsense, []),
        lambda: workers.give_back(A, nonsense),
        lambda: workers.available(nonsense),
        lambda: workers.held(nonsense),
        lambda: workers.earnings(nonsense),
    ):
        with pytest.raises(Refused) as caught:
            attempt()
        assert caught.value.reason == "unknown"
    for operation, field in (("GetHIT", "HITId"), ("GetAssignment", "AssignmentId")):
        desk.refused(operation, **{field: nonsense})
    desk.refused("ListReviewableHITs", HITTypeId=nonsense or "\x00")


def test_reviewing_texts(desk: Any) -> None:
    hit = desk.hit(3)
    submitted = "This operation can be called with a status of: Submitted"
    waiting = desk.accept(A, hit)
    for operation, more in (("ApproveAssignment", {}), ("RejectAssignment", {"RequesterFeedback": "no"})):
        error = desk.refused(operation, AssignmentId=waiting, **more)
        assert str(error) == "This operation can be called with a status of: null"
        assert error.turk_code == "AWS.MechanicalTurk.InvalidAssignmentState"
    approved = desk.submit(B, hit)
    desk.call("ApproveAssignment", AssignmentId=approved, RequesterFeedback="thanks")
    assert str(desk.refused("ApproveAssignment", AssignmentId=approved)) == submitted
    assert str(desk.refused("RejectAssignment", AssignmentId=approved, RequesterFeedback="no")) == submitted
    rejected = desk.submit(C, hit)
    desk.call("RejectAssignment", AssignmentId=rejected, RequesterFeedback="blurry")
    assert str(desk.refused("ApproveAssignment", AssignmentId=rejected)) == submitted
    shape = desk.call("GetAssignment", AssignmentId=rejected)
    assert shape["Assignment"]["RequesterFeedback"] == "blurry"
    assert shape["Assignment"]["RejectionTime"] == desk.at(0)
    assert "ApprovalTime" not in shape["Assignment"]
    assert shape["HIT"]["HITId"] == hit
    assert desk.state(hit) == ("Unassignable", 0, 1, 2), "a rejected assignment keeps its seat"


def test_approval_after_rejection_within_thirty_days(desk: Any) -> None:
    hit = desk.hit(2)
    early, late = desk.submit(A, hit), desk.submit(B, hit)
    for assignment in (early, late):
        desk.call("RejectAssignment", AssignmentId=assignment, RequesterFeedback="no")
    desk.clock.advance(30 * 86_400)
    desk.call("ApproveAssignment", AssignmentId=early, OverrideRejection=True)
    assert desk.call("GetAssignment", AssignmentId=early)["Assignment"]["AssignmentStatus"] == "Approved"
    desk.clock.advance(1)
    error = desk.refused("ApproveAssignment", AssignmentId=late, OverrideRejection=True)
    assert "status of: Submitted" in str(error)


def test_automatic_approval_and_its_time(desk: Any) -> None:
    hit_type = desk.hit_type(AutoApprovalDelayInSeconds=1000)
    hit = desk.hit(1, hit_type=hit_type)
    assignment = desk.submit(A, hit)
    submitted = desk.at(0)
    desk.clock.advance(999)
    assert (
        desk.call("GetAssignment", AssignmentId=assignment)["Assignment"]["AssignmentStatus"] == "Submitted"
    )
    desk.clock.advance(50_000)  # nobody asked for a long time: it happened when it was due all the same
    shape = desk.call("GetAssignment", AssignmentId=assignment)["Assignment"]
    assert shape["AssignmentStatus"] == "Approved"
    assert shape["ApprovalTime"] == shape["AutoApprovalTime"] == submitted + timedelta(seconds=1000)
    assert "status of: Submitted" in str(desk.refused("ApproveAssignment", AssignmentId=assignment))


def test_no_delay_approves_at_submission(desk: Any) -> None:
    hit = desk.hit(1, hit_type=desk.hit_type(AutoApprovalDelayInSeconds=0))
    assignment = desk.accept(A, hit)
    assert desk.market.workers.submit(assignment, [("label", "x")]).status == "Approved"
    assert desk.state(hit) == ("Reviewable", 0, 0, 1)
    assert desk.market.workers.earnings(A).paid_cents == 5


def test_disposal_after_120_days(desk: Any) -> None:
    hit = desk.hit(1, lifetime=60)
    desk.clock.advance(60 + 120 * 86_400 - 1)
    assert desk.state(hit)[0] == "Reviewable"
    desk.clock.advance(2)
    assert desk.state(hit)[0] == "Disposed"


def test_a_sleeping_server_catches_up_in_one_call(desk: Any) -> None:
    unit_type = desk.hit_type(AutoApprovalDelayInSeconds=3600)
    hit = desk.hit(3, lifetime=600, hit_type=unit_type)
    desk.submit(A, hit)
    desk.accept(B, hit)
    desk.clock.advance(400 * 86_400)
    desk.market.run_timers()
    assert desk.state(hit) == ("Disposed", 2, 0, 1)
    assert desk.balance() == ("9999.94", "0.00")


def test_one_account_never_sees_anothers_objects(desk: Any) -> None:
    hit_type = desk.hit_type()
    hit = desk.hit(1, hit_type=hit_type)
    assignment = desk.submit(A, hit)
    desk.market.requester.accounts.ensure_account(
        "111111111111", name="Other", opening_cents=100, mode="ledger"
    )
    desk.account = "111111111111"
    for operation, params in (
        ("GetHIT", {"HITId": hit}),
        ("DeleteHIT", {"HITId": hit}),
        ("ListAssignmentsForHIT", {"HITId": hit}),
        ("UpdateHITReviewStatus", {"HITId": hit}),
        ("UpdateExpirationForHIT", {"HITId": hit, "ExpireAt": desk.at(-1)}),
        ("CreateAdditionalAssignmentsForHIT", {"HITId": hit, "NumberOfAdditionalAssignments": 1}),
        ("GetAssignment", {"AssignmentId": assignment}),
        ("ApproveAssignment", {"AssignmentId": assignment}),
        ("RejectAssignment", {"AssignmentId": assignment, "RequesterFeedback": "no"}),
        ("ListReviewableHITs", {"HITTypeId": hit_type}),
        ("CreateHITWithHITType", {"HITTypeId": hit_type, "LifetimeInSeconds": 60, "Question": "<a/>"}),
    ):
        error = desk.refused(operation, **params)
        assert "does not exist" in str(error) or error.turk_code.endswith("XMLParseError"), operation
    assert desk.call("ListHITs")["NumResults"] == 0
    assert desk.call("ListReviewableHITs")["NumResults"] == 0
    assert desk.hit_type() != hit_type, "equal properties of two accounts are two types"
    desk.account = "222222222222"
    assert "not authorized" in str(desk.refused("GetAccountBalance"))
    desk.account = "000000000000"
    assert desk.state(hit) == ("Reviewable", 0, 0, 0)
