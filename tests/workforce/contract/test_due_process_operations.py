"""Bonuses, messages and qualifications through an unmodified boto3 client."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

from tests.workforce.contract.contract_server import Served
from workforce.market import Refused

pytestmark = pytest.mark.contract
ACCOUNT = "000000000000"


def refused(call: Callable[[], Any], client: Any) -> dict[str, Any]:
    """The response of a call that must end in the modelled RequestError."""
    with pytest.raises(client.exceptions.RequestError) as caught:
        call()
    response: dict[str, Any] = caught.value.response
    return response


def test_a_bonus_is_given_once_per_token(served: Served, token: str) -> None:
    client = served.client
    assignment = served.answer(served.create_hit()["HITId"], "ABONUS1", "a")
    before = _cents(client.get_account_balance()["AvailableBalance"])

    def send() -> Any:
        return client.send_bonus(
            WorkerId="ABONUS1",
            AssignmentId=assignment,
            BonusAmount="0.50",
            Reason="For the work that was lost",
            UniqueRequestToken=token,
        )

    def outcome() -> str:
        try:
            send()
        except client.exceptions.RequestError as error:
            return str(error)
        return "paid"

    with ThreadPoolExecutor(2) as pool:
        outcomes = sorted(future.result() for future in [pool.submit(outcome) for _ in range(2)])
    assert outcomes[1] == "paid"
    assert "has already been processed. Request ID: " in outcomes[0]
    assert "has already been processed. Request ID: " in refused(send, client)["Message"]
    assert before - _cents(client.get_account_balance()["AvailableBalance"]) == 60
    (payment,) = client.list_bonus_payments(AssignmentId=assignment)["BonusPayments"]
    assert (payment["WorkerId"], payment["BonusAmount"], payment["Reason"]) == (
        "ABONUS1",
        "0.50",
        "For the work that was lost",
    )
    assert served.market.audit(ACCOUNT) == []


def test_bonuses_of_a_hit_come_in_pages(served: Served) -> None:
    client = served.client
    hit_id = served.create_hit()["HITId"]
    assignment = served.answer(hit_id, "ABONUS2", "a")
    for cents in range(1, 6):
        client.send_bonus(
            WorkerId="ABONUS2", AssignmentId=assignment, BonusAmount=f"0.0{cents}", Reason="more"
        )
    pages = client.get_paginator("list_bonus_payments").paginate(
        HITId=hit_id, PaginationConfig={"PageSize": 2}
    )
    assert [each["BonusAmount"] for page in pages for each in page["BonusPayments"]] == [
        f"0.0{cents}" for cents in range(1, 6)
    ]


def test_a_bonus_needs_money_and_the_right_worker(served: Served) -> None:
    client = served.client
    assignment = served.answer(served.create_hit()["HITId"], "ABONUS3", "a")
    common = {"AssignmentId": assignment, "Reason": "r"}
    response = refused(
        lambda: client.send_bonus(WorkerId="ABONUS3", BonusAmount="99999.00", **common), client
    )
    assert response["TurkErrorCode"] == "AWS.MechanicalTurk.InsufficientFunds"
    response = refused(lambda: client.send_bonus(WorkerId="AOTHER", BonusAmount="0.01", **common), client)
    assert response["Message"].startswith("WorkerId: ")


def test_messages_reach_workers_whose_work_was_reviewed(served: Served) -> None:
    client = served.client
    hit_id = served.create_hit(MaxAssignments=2)["HITId"]
    served.answer(hit_id, "ATOLD", "a")
    client.approve_assignment(AssignmentId=served.answer(hit_id, "AREVIEWED", "a"))
    answer = client.notify_workers(
        Subject="Your answer", MessageText="Thank you.", WorkerIds=["AREVIEWED", "ATOLD", "ANOBODY"]
    )
    failures = answer["NotifyWorkersFailureStatuses"]
    assert [(each["WorkerId"], each["NotifyWorkersFailureCode"]) for each in failures] == [
        ("ATOLD", "HardFailure"),
        ("ANOBODY", "HardFailure"),
    ]
    assert all(each["NotifyWorkersFailureMessage"] for each in failures)
    (message,) = served.market.inbox.read("AREVIEWED", limit=5)
    assert (message.subject, message.text) == ("Your answer", "Thank you.")
    response = refused(
        lambda: client.notify_workers(Subject="s" * 201, MessageText="m", WorkerIds=["AREVIEWED"]), client
    )
    assert response["Message"].startswith("Subject: ")


def test_a_qualification_type_lives_and_dies(served: Served, token: str) -> None:
    client = served.client
    params = {"Name": f"Make-up {token}", "Description": "Redo", "QualificationTypeStatus": "Active"}
    made = client.create_qualification_type(**params, Keywords="redo")["QualificationType"]
    key = {"QualificationTypeId": made["QualificationTypeId"]}
    assert client.get_qualification_type(**key)["QualificationType"] == made
    assert made["CreationTime"].tzinfo is not None
    assert refused(lambda: client.create_qualification_type(**params), client)["Message"].startswith(
        "You have already created a QualificationType with this name."
    )
    listed = client.get_paginator("list_qualification_types").paginate(
        Query=token, MustBeRequestable=True, MustBeOwnedByCaller=True
    )
    assert [each for page in listed for each in page["QualificationTypes"]] == [made]
    changed = client.update_qualification_type(**key, Description="Redo it")["QualificationType"]
    assert changed == made | {"Description": "Redo it"}
    client.delete_qualification_type(**key)
    response = refused(lambda: client.get_qualification_type(**key), client)
    assert response["TurkErrorCode"] == "AWS.MechanicalTurk.QualificationTypeDoesNotExist"


def test_a_make_up_hit_is_done_by_the_one_worker_who_may(served: Served, token: str) -> None:
    client = served.client
    key = {
        "QualificationTypeId": client.create_qualification_type(
            Name=token, Description="Redo", QualificationTypeStatus="Active"
        )["QualificationType"]["QualificationTypeId"]
    }
    hit = served.create_hit(
        Title="Do it again",
        QualificationRequirements=[
            key | {"Comparator": "Exists", "ActionsGuarded": "DiscoverPreviewAndAccept"}
        ],
    )
    with pytest.raises(Refused):
        served.answer(hit["HITId"], "AREDO", "a")
    client.associate_qualification_with_worker(**key, WorkerId="AREDO", IntegerValue=1)
    served.answer(hit["HITId"], "AREDO", "a")
    score = client.get_qualification_score(**key, WorkerId="AREDO")["Qualification"]
    assert (score["IntegerValue"], score["Status"]) == (1, "Granted")
    (hits,) = [
        page["HITs"]
        for page in client.get_paginator("list_hits_for_qualification_type").paginate(**key)
        if page["HITs"]
    ]
    assert [each["HITId"] for each in hits] == [hit["HITId"]]
    client.disassociate_qualification_from_worker(**key, WorkerId="AREDO", Reason="It is done")
    response = refused(lambda: client.get_qualification_score(**key, WorkerId="AREDO"), client)
    assert "operation can be called with a status of: Granted" in response["Message"]
    workers = client.get_paginator("list_workers_with_qualification_type")
    assert [page["Qualifications"] for page in workers.paginate(**key)] == [[]]
    revoked = [each for page in workers.paginate(**key, Status="Revoked") for each in page["Qualifications"]]
    assert [each["WorkerId"] for each in revoked] == ["AREDO"]


def _cents(amount: str) -> int:
    return round(float(amount) * 100)
