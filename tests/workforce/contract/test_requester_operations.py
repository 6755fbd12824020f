"""Every operation through an unmodified boto3 client."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any
from xml.etree import ElementTree

import pytest

from tests.workforce.contract.contract_server import HIT_TYPE, QUESTION, Served

pytestmark = pytest.mark.contract


def test_a_hit_type_is_the_same_for_the_same_properties(served: Served) -> None:
    first = served.client.create_hit_type(**HIT_TYPE)["HITTypeId"]
    assert served.client.create_hit_type(**HIT_TYPE)["HITTypeId"] == first
    assert served.client.create_hit_type(**{**HIT_TYPE, "Reward": "0.06"})["HITTypeId"] != first


def test_create_hit_returns_the_whole_hit(served: Served) -> None:
    before = datetime.now(UTC).replace(microsecond=0)
    hit = served.create_hit(MaxAssignments=2, RequesterAnnotation="item 1")
    assert hit["HITStatus"] == "Assignable"
    assert hit["HITReviewStatus"] == "NotReviewed"
    assert hit["Reward"] == "0.05"
    assert hit["Question"] == QUESTION
    assert hit["MaxAssignments"] == 2
    assert hit["NumberOfAssignmentsAvailable"] == 2
    assert hit["NumberOfAssignmentsPending"] == hit["NumberOfAssignmentsCompleted"] == 0
    assert hit["QualificationRequirements"] == []
    assert hit["RequesterAnnotation"] == "item 1"
    assert hit["AutoApprovalDelayInSeconds"] == 2_592_000
    assert before <= hit["CreationTime"] <= datetime.now(UTC) + timedelta(seconds=1)
    assert hit["Expiration"] - hit["CreationTime"] == timedelta(hours=1)
    assert served.client.get_hit(HITId=hit["HITId"])["HIT"] == hit


def test_create_hit_with_hit_type_takes_the_types_properties(served: Served) -> None:
    hit_type = served.client.create_hit_type(**HIT_TYPE)["HITTypeId"]
    hit = served.client.create_hit_with_hit_type(
        HITTypeId=hit_type, LifetimeInSeconds=600, Question=QUESTION, MaxAssignments=3
    )["HIT"]
    assert hit["HITTypeId"] == hit_type
    assert hit["Title"] == HIT_TYPE["Title"]
    assert hit["MaxAssignments"] == 3


def test_from_submission_to_payment(served: Served) -> None:
    client = served.client
    balance = served.client.get_account_balance()["AvailableBalance"]
    hit_id = served.create_hit(MaxAssignments=2)["HITId"]
    first = served.answer(hit_id, "AWORKER1", "setosa")
    assert client.get_hit(HITId=hit_id)["HIT"]["HITStatus"] == "Assignable"
    second = served.answer(hit_id, "AWORKER2", "virginica & <more>")
    assert client.get_hit(HITId=hit_id)["HIT"]["HITStatus"] == "Reviewable"

    listed = client.list_assignments_for_hit(HITId=hit_id, AssignmentStatuses=["Submitted"])
    assert listed["NumResults"] == 2
    assert [each["AssignmentId"] for each in listed["Assignments"]] == [first, second]
    assert _fields(listed["Assignments"][1]["Answer"]) == {"label": "virginica & <more>"}
    assert listed["Assignments"][0]["WorkerId"] == "AWORKER1"

    client.approve_assignment(AssignmentId=first, RequesterFeedback="Thank you")
    client.reject_assignment(AssignmentId=second, RequesterFeedback="Not this one")
    approved = client.get_assignment(AssignmentId=first)
    assert approved["Assignment"]["AssignmentStatus"] == "Approved"
    assert approved["Assignment"]["RequesterFeedback"] == "Thank you"
    assert approved["HIT"]["HITId"] == hit_id
    assert "RejectionTime" not in approved["Assignment"]
    rejected = client.get_assignment(AssignmentId=second)["Assignment"]
    assert rejected["AssignmentStatus"] == "Rejected"
    assert client.get_hit(HITId=hit_id)["HIT"]["NumberOfAssignmentsCompleted"] == 2
    spent = _cents(balance) - _cents(client.get_account_balance()["AvailableBalance"])
    assert spent == 6  # one reward of 5 cents and a fee of 1


def test_rejected_work_can_be_approved_after_all(served: Served) -> None:
    hit_id = served.create_hit()["HITId"]
    assignment = served.answer(hit_id, "AWORKER1", "a")
    served.client.reject_assignment(AssignmentId=assignment, RequesterFeedback="Sorry")
    served.client.approve_assignment(AssignmentId=assignment, OverrideRejection=True)
    status = served.client.get_assignment(AssignmentId=assignment)["Assignment"]["AssignmentStatus"]
    assert status == "Approved"


def test_one_more_assignment(served: Served, token: str) -> None:
    hit_id = served.create_hit()["HITId"]
    served.answer(hit_id, "AWORKER1", "a")
    served.client.create_additional_assignments_for_hit(
        HITId=hit_id, NumberOfAdditionalAssignments=1, UniqueRequestToken=token
    )
    hit = served.client.get_hit(HITId=hit_id)["HIT"]
    assert hit["HITStatus"] == "Assignable"
    assert (hit["MaxAssignments"], hit["NumberOfAssignmentsAvailable"]) == (2, 1)


def test_expiration_can_be_moved_and_round_trips(served: Served) -> None:
    hit = served.create_hit()
    later = (hit["Expiration"] + timedelta(hours=2)).replace(microsecond=0)
    served.client.update_expiration_for_hit(HITId=hit["HITId"], ExpireAt=later)
    assert served.client.get_hit(HITId=hit["HITId"])["HIT"]["Expiration"] == later
    served.client.update_expiration_for_hit(HITId=hit["HITId"], ExpireAt=0)
    expired = served.client.get_hit(HITId=hit["HITId"])["HIT"]
    assert expired["Expiration"] <= datetime.now(UTC) + timedelta(seconds=1)
    assert expired["HITStatus"] == "Reviewable"


def test_review_flag_and_the_list_of_reviewable_hits(served: Served) -> None:
    hit_type = served.client.create_hit_type(**{**HIT_TYPE, "Title": "Reviewable"})["HITTypeId"]
    hit_id = served.client.create_hit_with_hit_type(
        HITTypeId=hit_type, LifetimeInSeconds=600, Question=QUESTION
    )["HIT"]["HITId"]
    assert served.client.list_reviewable_hits(HITTypeId=hit_type)["HITs"] == []
    served.answer(hit_id, "AWORKER1", "a")
    assert served.client.list_reviewable_hits(HITTypeId=hit_type)["HITs"][0]["HITId"] == hit_id
    served.client.update_hit_review_status(HITId=hit_id, Revert=False)
    assert served.client.list_reviewable_hits(HITTypeId=hit_type)["HITs"] == []
    reviewing = served.client.list_reviewable_hits(HITTypeId=hit_type, Status="Reviewing")
    assert reviewing["HITs"][0]["HITId"] == hit_id
    served.client.update_hit_review_status(HITId=hit_id, Revert=True)
    assert served.client.list_reviewable_hits(HITTypeId=hit_type)["NumResults"] == 1


def test_delete_hit(served: Served) -> None:
    hit_id = served.create_hit()["HITId"]
    assignment = served.answer(hit_id, "AWORKER1", "a")
    served.client.approve_assignment(AssignmentId=assignment)
    served.client.delete_hit(HITId=hit_id)
    pages = served.client.get_paginator("list_hits").paginate(PaginationConfig={"PageSize": 100})
    assert hit_id not in {hit["HITId"] for page in pages for hit in page["HITs"]}


def test_paginators_see_everything_once(served: Served) -> None:
    hit_type = served.client.create_hit_type(**{**HIT_TYPE, "Title": "Pages"})["HITTypeId"]
    made = set()
    for number in range(7):
        hit = served.client.create_hit_with_hit_type(
            HITTypeId=hit_type, LifetimeInSeconds=600, Question=QUESTION, MaxAssignments=3
        )["HIT"]
        made.add(hit["HITId"])
        served.answer(hit["HITId"], f"APAGE{number}", "a")
    one = sorted(made)[0]
    for worker in ("APAGEX", "APAGEY"):
        served.answer(one, worker, "b")
    for hit_id in made:
        served.client.update_expiration_for_hit(HITId=hit_id, ExpireAt=0)

    def seen(operation: str, key: str, inner: str, **parameters: Any) -> list[str]:
        pages = served.client.get_paginator(operation).paginate(
            **parameters, PaginationConfig={"PageSize": 2}
        )
        return [item[inner] for page in pages for item in page[key]]

    reviewable = seen("list_reviewable_hits", "HITs", "HITId", HITTypeId=hit_type)
    assert sorted(reviewable) == sorted(made)
    everything = seen("list_hits", "HITs", "HITId")
    assert made <= set(everything)
    assert len(everything) == len(set(everything))
    assignments = seen("list_assignments_for_hit", "Assignments", "AssignmentId", HITId=one)
    assert len(assignments) == len(set(assignments)) == 3


def test_pages_end_with_an_empty_one_without_a_token(served: Served) -> None:
    hit_id = served.create_hit()["HITId"]
    served.answer(hit_id, "AWORKER1", "a")
    page = served.client.list_assignments_for_hit(HITId=hit_id)
    assert page["NumResults"] == 1
    last = served.client.list_assignments_for_hit(HITId=hit_id, NextToken=page["NextToken"])
    assert last["NumResults"] == 0
    assert last["Assignments"] == []
    assert "NextToken" not in last


def test_accounts_do_not_see_each_other(served: Served) -> None:
    hit_id = served.create_hit()["HITId"]
    other = served.client_of("other")
    assert other.list_hits()["HITs"] == []
    with pytest.raises(other.exceptions.RequestError, match="does not exist"):
        other.get_hit(HITId=hit_id)


def test_the_server_counts_calls(served: Served) -> None:
    before = served.market.counts("000000000000").get("GetAccountBalance", 0)
    served.client.get_account_balance()
    assert served.market.counts("000000000000")["GetAccountBalance"] == before + 1


def test_the_books_balance(served: Served) -> None:
    assert served.market.audit("000000000000") == []


def _cents(amount: str) -> int:
    dollars, _, cents = amount.partition(".")
    return int(dollars) * 100 + int(cents.ljust(2, "0") or 0)


def _fields(answer: str) -> dict[str, str | None]:
    space = "{http://mechanicalturk.amazonaws.com/AWSMechanicalTurkDataSchemas/2005-10-01/QuestionFormAnswers.xsd}"
    root = ElementTree.fromstring(answer)
    return {
        str(each.findtext(f"{space}QuestionIdentifier")): each.findtext(f"{space}FreeText")
        for each in root.iter(f"{space}Answer")
    }
