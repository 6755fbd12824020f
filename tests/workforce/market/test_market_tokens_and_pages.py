from __future__ import annotations

import re
from typing import Any

import pytest

from workforce.market import NotImplementedYet, RequestError


def _pages(desk: Any, operation: str, name: str, **params: Any) -> list[list[str]]:
    """All pages as lists of ids, the empty last one included."""
    key = "AssignmentId" if name == "Assignments" else "HITId"
    pages: list[list[str]] = []
    token: str | None = None
    while True:
        page = desk.call(operation, **params, **({"NextToken": token} if token else {}))
        assert page["NumResults"] == len(page[name])
        pages.append([item[key] for item in page[name]])
        token = page.get("NextToken")
        if token is None:
            return pages
        assert 1 <= len(token) <= 255


def test_a_token_makes_one_hit(desk: Any) -> None:
    hit = desk.hit(1, UniqueRequestToken="iris-1")
    balance = desk.balance()
    with pytest.raises(RequestError) as caught:
        desk.hit(1, UniqueRequestToken="iris-1")
    assert str(caught.value) == f'The HIT with ID "{hit}" already exists.'
    assert caught.value.turk_code == "AWS.MechanicalTurk.HitAlreadyExists"
    assert desk.balance() == balance
    assert desk.call("ListHITs")["NumResults"] == 1


def test_a_token_lives_24_hours(desk: Any) -> None:
    first = desk.hit(1, UniqueRequestToken="t", lifetime=200_000)
    desk.clock.advance(24 * 3600 - 1)
    with pytest.raises(RequestError, match=first):
        desk.hit(1, UniqueRequestToken="t")
    desk.clock.advance(1)
    second = desk.hit(1, UniqueRequestToken="t")
    assert second != first
    with pytest.raises(RequestError, match=second):
        desk.hit(1, UniqueRequestToken="t")


def test_old_tokens_are_forgotten(desk: Any) -> None:
    desk.hit(1, UniqueRequestToken="t")
    desk.clock.advance(25 * 3600)
    desk.market.run_timers()
    desk.hit(1, UniqueRequestToken="t")


def test_a_failed_call_leaves_its_token_unused(desk: Any) -> None:
    with pytest.raises(RequestError, match="insufficient funds"):
        desk.hit(1, hit_type=desk.hit_type(reward="99999.00"), UniqueRequestToken="t")
    desk.hit(1, UniqueRequestToken="t")


def test_tokens_belong_to_an_account_and_an_operation(desk: Any) -> None:
    hit = desk.hit(1, UniqueRequestToken="t")
    more = {"HITId": hit, "NumberOfAdditionalAssignments": 1, "UniqueRequestToken": "t"}
    desk.call("CreateAdditionalAssignmentsForHIT", **more)
    desk.market.requester.accounts.ensure_account(
        "111111111111", name="Other", opening_cents=100, mode="ledger"
    )
    desk.account = "111111111111"
    desk.hit(1, UniqueRequestToken="t")
    desk.account = "000000000000"


def test_an_extension_token_is_used_once(desk: Any) -> None:
    hit = desk.hit(1)
    more = {"HITId": hit, "NumberOfAdditionalAssignments": 1, "UniqueRequestToken": "iris-1+1"}
    desk.call("CreateAdditionalAssignmentsForHIT", **more)
    first = str(desk.refused("CreateAdditionalAssignmentsForHIT", **more))
    assert re.search(r"already been processed.*Request ID: [0-9a-f-]{36}", first)
    assert str(desk.refused("CreateAdditionalAssignmentsForHIT", **more)) == first
    assert desk.show(hit)["MaxAssignments"] == 2


def test_identical_types_are_one(desk: Any) -> None:
    base = desk.hit_type(Keywords="a, b")
    assert desk.hit_type(Keywords="a, b", AutoApprovalDelayInSeconds=2_592_000) == base, "the default"
    others = [
        desk.hit_type(),
        desk.hit_type(Keywords="a,b"),
        desk.hit_type(Keywords="a, b", reward="0.06"),
        desk.hit_type(Keywords="a, b", duration=301),
        desk.hit_type(Keywords="a, b", AutoApprovalDelayInSeconds=0),
        desk.hit_type(Keywords="a, b", Title="Other"),
        desk.hit_type(
            Keywords="a, b",
            QualificationRequirements=[
                {"QualificationTypeId": desk.qualification("x"), "Comparator": "Exists"}
            ],
        ),
    ]
    assert len({base, *others}) == 1 + len(others)


def test_ids_look_like_the_originals(desk: Any) -> None:
    shape = desk.show(desk.hit(1))
    for name in ("HITId", "HITTypeId", "HITGroupId"):
        assert re.fullmatch(r"3[A-Z0-9]{29}", shape[name])
    assert shape["HITGroupId"] != shape["HITTypeId"]


def test_hits_are_listed_in_pages_that_end_with_an_empty_one(desk: Any) -> None:
    hits = [desk.hit(1) for _ in range(5)]
    assert _pages(desk, "ListHITs", "HITs", MaxResults=2) == [hits[:2:-1], hits[2:0:-1], hits[:1], []]
    assert _pages(desk, "ListHITs", "HITs") == [hits[::-1], []], "a token also on the last page"


def test_ten_is_the_default_page(desk: Any) -> None:
    for _ in range(12):
        desk.hit(1)
    assert [len(page) for page in _pages(desk, "ListHITs", "HITs")] == [10, 2, 0]


def test_pages_stay_right_while_the_list_changes(desk: Any) -> None:
    hit_type = desk.hit_type()
    hits = [desk.hit(1, lifetime=60, hit_type=hit_type) for _ in range(6)]
    desk.clock.advance(61)
    first = desk.call("ListReviewableHITs", HITTypeId=hit_type, MaxResults=2)
    assert first["HITs"] == [{"HITId": hit} for hit in hits[:2]], "nothing but ids"
    for hit in hits[:3]:
        desk.call("DeleteHIT", HITId=hit)
    rest = desk.call("ListReviewableHITs", HITTypeId=hit_type, MaxResults=9, NextToken=first["NextToken"])
    assert rest["HITs"] == [{"HITId": hit} for hit in hits[3:]]


def test_reviewable_hits_by_status_and_type(desk: Any) -> None:
    one, two = desk.hit_type(), desk.hit_type(reward="0.10")
    first, second, third = (desk.hit(1, lifetime=60, hit_type=t) for t in (one, one, two))
    desk.hit(1, lifetime=600, hit_type=one)
    desk.clock.advance(61)
    desk.call("UpdateHITReviewStatus", HITId=second)
    assert _pages(desk, "ListReviewableHITs", "HITs") == [[first, third], []]
    assert _pages(desk, "ListReviewableHITs", "HITs", HITTypeId=one) == [[first], []]
    assert _pages(desk, "ListReviewableHITs", "HITs", HITTypeId=one, Status="Reviewing") == [[second], []]
    assert _pages(desk, "ListReviewableHITs", "HITs", HITTypeId=two, Status="Reviewing") == [[]]


def test_assignments_by_status_in_the_order_of_submission(desk: Any) -> None:
    hit = desk.hit(5)
    workers = ["AWE", "AWD", "AWC", "AWB"]
    held = [desk.accept(worker, hit) for worker in workers]
    desk.accept("AWF", hit)
    for assignment in reversed(held):
        desk.clock.advance(0.001)
        desk.market.workers.submit(assignment, [("label", "x")])
    order = held[::-1]
    desk.call("ApproveAssignment", AssignmentId=order[0])
    desk.call("RejectAssignment", AssignmentId=order[2], RequesterFeedback="no")
    listed = {"HITId": hit, "MaxResults": 3}
    assert _pages(desk, "ListAssignmentsForHIT", "Assignments", **listed) == [order[:3], order[3:], []]
    for statuses, expected in (
        (["Submitted"], [order[1], order[3]]),
        (["Approved", "Rejected"], [order[0], order[2]]),
    ):
        found = _pages(desk, "ListAssignmentsForHIT", "Assignments", **listed, AssignmentStatuses=statuses)
        assert found == [expected, []]


def test_submissions_of_one_moment_are_each_listed_once(desk: Any) -> None:
    hit = desk.hit(4)
    submitted = {desk.submit(f"AW{number}", hit) for number in range(4)}
    pages = _pages(desk, "ListAssignmentsForHIT", "Assignments", HITId=hit, MaxResults=1)
    assert [len(page) for page in pages] == [1, 1, 1, 1, 0]
    assert {page[0] for page in pages[:-1]} == submitted


@pytest.mark.parametrize("token", ["", "x", "AAAA", "é" * 20, "A" * 64, "=" * 64, "p1:abc"])
def test_a_made_up_token_is_an_error(memory_desk: Any, token: str) -> None:
    assert "NextToken" in str(memory_desk.refused("ListHITs", NextToken=token))


def test_a_token_fits_only_the_list_it_came_from(desk: Any) -> None:
    hit_type = desk.hit_type()
    hit, other = desk.hit(1, hit_type=hit_type), desk.hit(1, hit_type=hit_type)
    for each in (hit, other):
        desk.submit("AWA", each)
    reviewable = desk.call("ListReviewableHITs")["NextToken"]
    assignments = desk.call("ListAssignmentsForHIT", HITId=hit)["NextToken"]
    for operation, params in (
        ("ListHITs", {"NextToken": reviewable}),
        ("ListReviewableHITs", {"NextToken": reviewable, "HITTypeId": hit_type}),
        ("ListReviewableHITs", {"NextToken": reviewable, "Status": "Reviewing"}),
        ("ListAssignmentsForHIT", {"NextToken": assignments, "HITId": other}),
        (
            "ListAssignmentsForHIT",
            {"NextToken": assignments, "HITId": hit, "AssignmentStatuses": ["Approved"]},
        ),
        ("ListHITs", {"NextToken": assignments}),
    ):
        assert "NextToken" in str(desk.refused(operation, **params))
    assert desk.call("ListReviewableHITs", NextToken=reviewable, MaxResults=50) == {
        "NumResults": 0,
        "HITs": [],
    }
    desk.market.requester.accounts.ensure_account(
        "111111111111", name="Other", opening_cents=100, mode="ledger"
    )
    desk.account = "111111111111"
    assert "NextToken" in str(desk.refused("ListReviewableHITs", NextToken=reviewable))
    desk.account = "000000000000"


def test_what_is_not_there_yet_says_so(memory_desk: Any, html_question: str) -> None:
    hit_type = memory_desk.hit_type()
    with pytest.raises(NotImplementedYet, match="ListWorkerBlocks is not implemented yet"):
        memory_desk.call("ListWorkerBlocks")
    params = {"HITTypeId": hit_type, "LifetimeInSeconds": 60}
    with pytest.raises(NotImplementedYet, match="HITLayoutId"):
        memory_desk.call("CreateHITWithHITType", HITLayoutId="3LAYOUT", **params)
    policy = {"PolicyName": "SimplePlurality/2011-09-01"}
    for name in ("HITReviewPolicy", "AssignmentReviewPolicy"):
        with pytest.raises(NotImplementedYet, match=name):
            memory_desk.call("CreateHITWithHITType", Question=html_question, **params, **{name: policy})


def test_calls_are_counted_and_kept(desk: Any, store_url: str) -> None:
    for _ in range(3):
        desk.market.count_call(desk.account, "GetHIT")
    desk.market.count_call(desk.account, "ListHITs")
    desk.market.count_call("111111111111", "ListHITs")
    assert desk.market.counts(desk.account) == {"GetHIT": 3, "ListHITs": 1}
    desk.market.count_call(desk.account, "GetHIT")
    desk.market.run_timers()
    assert desk.market.counts(desk.account) == {"GetHIT": 4, "ListHITs": 1}
    assert desk.market.counts("999999999999") == {}
