from __future__ import annotations

from typing import Any

import pytest

from workforce.market import NotImplementedYet, Refused

A, B = "AWA", "AWB"
NEW = {"Description": "Redo lost work", "QualificationTypeStatus": "Active"}
TAKEN = (
    "You have already created a QualificationType with this name. A QualificationType's name must be unique "
    "among all of the QualificationTypes created by the same user."
)


def need(type_id: str, comparator: str = "Exists", *values: int, **more: Any) -> dict[str, Any]:
    integers = {"IntegerValues": list(values)} if values else {}
    return {"QualificationTypeId": type_id, "Comparator": comparator, **integers, **more}


def guarded(desk: Any, *requirements: dict[str, Any]) -> str:
    return str(desk.hit(1, hit_type=desk.hit_type(QualificationRequirements=list(requirements))))


def offered(desk: Any, worker: str) -> set[str]:
    desk.market.workers.ensure_worker(worker)
    return {listing.hit_id for listing in desk.market.workers.available(worker)}


def names(page: dict[str, Any]) -> list[str]:
    return [each["Name"] for each in page["QualificationTypes"]]


def pages(desk: Any, operation: str, name: str, **params: Any) -> list[Any]:
    found: list[Any] = []
    token: dict[str, str] = {}
    while True:
        page = desk.call(operation, MaxResults=2, **params, **token)
        found += page[name]
        if "NextToken" not in page:
            return found
        token = {"NextToken": page["NextToken"]}


def test_a_type_is_made_shown_changed_and_deleted(desk: Any) -> None:
    made = desk.call("CreateQualificationType", Name="Make-up 1", Keywords="redo", **NEW)
    shape = made["QualificationType"]
    assert shape | {"QualificationTypeId": "", "CreationTime": ""} == {
        "QualificationTypeId": "",
        "CreationTime": "",
        "Name": "Make-up 1",
        "Keywords": "redo",
        "IsRequestable": True,
        "AutoGranted": False,
        **NEW,
    }
    key = {"QualificationTypeId": shape["QualificationTypeId"]}
    assert desk.call("GetQualificationType", **key) == made
    error = desk.refused("CreateQualificationType", Name="Make-up 1", **NEW)
    assert (str(error), error.turk_code) == (TAKEN, "AWS.MechanicalTurk.QualificationTypeAlreadyExists")
    changes = {"Description": "Other", "QualificationTypeStatus": "Inactive", "RetryDelayInSeconds": 60}
    assert desk.call("UpdateQualificationType", **key, **changes)["QualificationType"] == shape | changes
    assert desk.call("UpdateQualificationType", **key)["QualificationType"] == shape | changes
    assert desk.call("DeleteQualificationType", **key) == {}
    error = desk.refused("DeleteQualificationType", **key)
    assert (str(error), error.turk_code) == (
        "This operation can be called with a status of: Active,Inactive",
        "AWS.MechanicalTurk.InvalidQualificationTypeState",
    )
    error = desk.refused("GetQualificationType", **key)
    assert error.turk_code == "AWS.MechanicalTurk.QualificationTypeDoesNotExist"
    assert "does not exist" in str(error)
    again = desk.call("CreateQualificationType", Name="Make-up 1", **NEW)["QualificationType"]
    assert again["QualificationTypeId"] != key["QualificationTypeId"]


@pytest.mark.parametrize(
    ("change", "field"),
    [
        ({"Name": ""}, "Name"),
        ({"Name": "n" * 201}, "Name"),
        ({"Description": "d" * 2001}, "Description"),
        ({"Keywords": "k" * 1001}, "Keywords"),
        ({"QualificationTypeStatus": "Sleeping"}, "QualificationTypeStatus"),
        ({"QualificationTypeStatus": None}, "QualificationTypeStatus"),
        ({"RetryDelayInSeconds": -1}, "RetryDelayInSeconds"),
    ],
)
def test_what_makes_no_type_is_named(memory_desk: Any, change: dict[str, Any], field: str) -> None:
    error = memory_desk.refused("CreateQualificationType", **({"Name": "n", **NEW} | change))
    assert str(error).startswith(field)


@pytest.mark.parametrize(
    "option", [{"Test": "<x/>", "TestDurationInSeconds": 60}, {"AnswerKey": "<x/>"}, {"AutoGranted": True}]
)
def test_tests_and_automatic_grants_say_that_they_are_not_there(memory_desk: Any, option: Any) -> None:
    with pytest.raises(NotImplementedYet, match="not implemented yet"):
        memory_desk.call("CreateQualificationType", Name="n", **NEW, **option)
    for operation in ("ListQualificationRequests", "AcceptQualificationRequest"):
        with pytest.raises(NotImplementedYet):
            memory_desk.call(operation)


def test_types_are_searched_in_pages(desk: Any) -> None:
    for number in range(3):
        desk.qualification(f"Make-up {number}")
    desk.call("CreateQualificationType", Name="50% of IRIS", Keywords="FLOWERS", **NEW)
    asleep = {"QualificationTypeId": desk.qualification("Asleep")}
    desk.call("UpdateQualificationType", **asleep, QualificationTypeStatus="Inactive")
    find = {"MustBeRequestable": False, "MustBeOwnedByCaller": True}
    own = ["Make-up 0", "Make-up 1", "Make-up 2", "50% of IRIS", "Asleep"]
    found = pages(desk, "ListQualificationTypes", "QualificationTypes", **find)
    assert [each["Name"] for each in found] == own
    everything = pages(desk, "ListQualificationTypes", "QualificationTypes", MustBeRequestable=False)
    assert [each["Name"] for each in everything][:5] == own
    assert len(everything) == 11, "and six of the system"
    assert names(desk.call("ListQualificationTypes", MustBeRequestable=True)) == own[:4]
    assert names(desk.call("ListQualificationTypes", Query="iris flowers", **find)) == ["50% of IRIS"]
    assert names(desk.call("ListQualificationTypes", Query="%", **find)) == ["50% of IRIS"]
    assert names(desk.call("ListQualificationTypes", Query="locale", MustBeRequestable=False)) == [
        "Worker_Locale"
    ]
    desk.market.requester.accounts.ensure_account("1" * 12, name="O", opening_cents=900, mode="ledger")
    desk.account = "1" * 12
    assert names(desk.call("ListQualificationTypes", **find)) == []
    for operation in ("GetQualificationType", "UpdateQualificationType", "DeleteQualificationType"):
        assert "does not exist" in str(desk.refused(operation, **asleep))
    desk.account = "0" * 12


def test_a_qualification_is_granted_changed_and_revoked(desk: Any) -> None:
    type_id = desk.qualification("Make-up")
    key = {"QualificationTypeId": type_id, "WorkerId": A}
    error = desk.refused("GetQualificationScore", **key)
    assert error.turk_code == "AWS.MechanicalTurk.QualificationDoesNotExist"
    assert "does not exist" in str(error)
    assert "does not exist" in str(desk.refused("DisassociateQualificationFromWorker", **key))
    desk.grant(type_id, A, 3)
    granted_at = desk.at(0)
    desk.clock.advance(60)
    desk.grant(type_id, A, 5)
    found = desk.call("GetQualificationScore", **key)["Qualification"]
    assert found == key | {"IntegerValue": 5, "GrantTime": granted_at, "Status": "Granted"}
    assert desk.call("DisassociateQualificationFromWorker", **key, Reason="It is done") == {}
    for operation in ("GetQualificationScore", "DisassociateQualificationFromWorker"):
        error = desk.refused(operation, **key)
        assert str(error).endswith("operation can be called with a status of: Granted")
        assert error.turk_code == "AWS.MechanicalTurk.InvalidQualificationState"
    desk.call("AssociateQualificationWithWorker", **key)
    found = desk.call("GetQualificationScore", **key)["Qualification"]
    assert (found["IntegerValue"], found["GrantTime"]) == (1, desk.at(0))
    assert [message.subject for message in desk.market.inbox.read(A, limit=9)] == [
        'You now have the qualification "Make-up"',
        'You no longer have the qualification "Make-up"',
        'You now have the qualification "Make-up"',
    ]


def test_a_grant_can_be_silent(memory_desk: Any) -> None:
    memory_desk.grant(memory_desk.qualification("quiet"), A, SendNotification=False)
    assert memory_desk.market.inbox.count(A) == 0


def test_only_the_owner_of_a_type_grants_it(memory_desk: Any) -> None:
    params = {"QualificationTypeId": "00000000000000000040", "WorkerId": A}
    for operation in ("AssociateQualificationWithWorker", "GetQualificationScore"):
        assert "does not exist" in str(memory_desk.refused(operation, **params))
    params["QualificationTypeId"] = memory_desk.qualification("mine")
    wide = {"IntegerValue": 2**31}
    error = memory_desk.refused("AssociateQualificationWithWorker", **params, **wide)
    assert str(error).startswith("IntegerValue")
    memory_desk.call("DeleteQualificationType", QualificationTypeId=params["QualificationTypeId"])
    assert "does not exist" in str(memory_desk.refused("AssociateQualificationWithWorker", **params))


def test_who_has_it_is_listed_in_pages(desk: Any) -> None:
    type_id = desk.qualification("Make-up")
    for number in range(5):
        desk.grant(type_id, f"AW{number}", number)
    desk.call("DisassociateQualificationFromWorker", QualificationTypeId=type_id, WorkerId="AW1")
    params = {"QualificationTypeId": type_id}
    found = pages(desk, "ListWorkersWithQualificationType", "Qualifications", **params)
    assert [(each["WorkerId"], each["IntegerValue"]) for each in found] == [
        ("AW0", 0),
        ("AW2", 2),
        ("AW3", 3),
        ("AW4", 4),
    ]
    (revoked,) = pages(desk, "ListWorkersWithQualificationType", "Qualifications", **params, Status="Revoked")
    assert (revoked["WorkerId"], revoked["Status"]) == ("AW1", "Revoked")
    bad = desk.refused("ListWorkersWithQualificationType", **params, Status="Lost")
    assert str(bad).startswith("Status")


def test_a_make_up_hit_is_for_its_worker_alone(desk: Any) -> None:
    type_id = desk.qualification("Make-up")
    hit = guarded(desk, need(type_id, ActionsGuarded="DiscoverPreviewAndAccept"))
    desk.grant(type_id, A)
    for worker in (A, B):
        desk.market.workers.ensure_worker(worker)
    workers = desk.market.workers
    assert [listing.hit_id for listing in workers.discover(B)] == []
    assert not workers.may(B, hit, "preview")
    with pytest.raises(Refused) as caught:
        workers.accept(B, hit)
    assert caught.value.reason == "not_qualified"
    assert [listing.qualified for listing in workers.discover(A)] == [True]
    assert workers.accept(A, hit).status == "Accepted"


def test_a_revoked_qualification_counts_no_more(desk: Any) -> None:
    type_id = desk.qualification("Make-up")
    needs, excludes = guarded(desk, need(type_id)), guarded(desk, need(type_id, "DoesNotExist"))
    assert offered(desk, A) == {excludes}
    desk.grant(type_id, A)
    assert offered(desk, A) == {needs}
    desk.call("DisassociateQualificationFromWorker", QualificationTypeId=type_id, WorkerId=A)
    assert offered(desk, A) == {excludes}
    with pytest.raises(Refused):
        desk.market.workers.accept(A, needs)


@pytest.mark.parametrize(
    ("comparator", "values", "meet"),
    [
        ("Exists", (), {"low", "high"}),
        ("DoesNotExist", (), {"none"}),
        ("LessThan", (9,), {"low"}),
        ("LessThanOrEqualTo", (1,), {"low"}),
        ("GreaterThan", (1,), {"high"}),
        ("GreaterThanOrEqualTo", (9,), {"high"}),
        ("EqualTo", (9,), {"high"}),
        ("NotEqualTo", (9,), {"low"}),
        ("In", (1, 2), {"low"}),
        ("NotIn", (1, 2), {"high"}),
    ],
)
def test_each_comparator_holds_at_accept_and_in_the_list(
    memory_desk: Any, comparator: str, values: tuple[int, ...], meet: set[str]
) -> None:
    desk = memory_desk
    type_id = desk.qualification("Level")
    workers = {"none": "AWNONE", "low": "AWLOW", "high": "AWHIGH"}
    desk.grant(type_id, workers["low"], 1)
    desk.grant(type_id, workers["high"], 9)
    hit_type = desk.hit_type(QualificationRequirements=[need(type_id, comparator, *values)])
    hit = desk.hit(3, hit_type=hit_type)
    assert {name for name, worker in workers.items() if hit in offered(desk, worker)} == meet
    for name, worker in workers.items():
        if name in meet:
            desk.market.workers.accept(worker, hit)
            continue
        with pytest.raises(Refused) as caught:
            desk.market.workers.accept(worker, hit)
        assert caught.value.reason == "not_qualified"


def test_hits_of_a_type_are_listed(desk: Any) -> None:
    first, other = desk.qualification("One"), desk.qualification("Two")
    hits = [guarded(desk, need(first)) for _ in range(3)]
    both = guarded(desk, need(first, "GreaterThan", 1), need(other))
    desk.hit()
    found = pages(desk, "ListHITsForQualificationType", "HITs", QualificationTypeId=first)
    assert [hit["HITId"] for hit in found] == [both, *reversed(hits)]
    found = pages(desk, "ListHITsForQualificationType", "HITs", QualificationTypeId=other)
    assert [hit["HITId"] for hit in found] == [both]
    desk.call("UpdateExpirationForHIT", HITId=both, ExpireAt=desk.at(-1))
    desk.call("DeleteHIT", HITId=both)
    assert pages(desk, "ListHITsForQualificationType", "HITs", QualificationTypeId=other) == []
    system = desk.call("ListHITsForQualificationType", QualificationTypeId="00000000000000000040")
    assert system["HITs"] == []
    assert "does not exist" in str(
        desk.refused("ListHITsForQualificationType", QualificationTypeId="3NOSUCHTYPE")
    )


def test_hits_need_types_that_are_there_and_active(desk: Any) -> None:
    type_id = desk.qualification("Make-up")
    key = {"QualificationTypeId": type_id}
    hit_type = desk.hit_type(QualificationRequirements=[need(type_id)])
    hit = desk.hit(1, hit_type=hit_type, UniqueRequestToken="t")
    desk.call("UpdateQualificationType", **key, QualificationTypeStatus="Inactive")
    with pytest.raises(Exception, match="status of: Active"):
        desk.hit(1, hit_type=hit_type)
    desk.call("DeleteQualificationType", **key)
    for again in (lambda: desk.hit(1, hit_type=hit_type), lambda: guarded(desk, need(type_id))):
        with pytest.raises(Exception, match=f"QualificationType {type_id} does not exist"):
            again()
    with pytest.raises(Exception, match=f'The HIT with ID "{hit}" already exists'):
        desk.hit(1, hit_type=hit_type, UniqueRequestToken="t")
    with pytest.raises(Exception, match="3NOSUCHTYPE does not exist"):
        guarded(desk, need("3NOSUCHTYPE", "DoesNotExist"))
    guarded(desk, need("2ARFPLSP75KLA8M8DH1HTEQVJT3SY6"), need("000000000000000000S0", "LessThan", 5))


def test_deleting_a_type_leaves_the_guard_of_its_hits(desk: Any) -> None:
    type_id = desk.qualification("Make-up")
    hit = guarded(desk, need(type_id))
    desk.grant(type_id, A)
    desk.call("DeleteQualificationType", QualificationTypeId=type_id)
    assert offered(desk, B) == set()
    assert offered(desk, A) == {hit}
