"""Bonuses, messages and qualifications through an unmodified boto3 client."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

from tests.workforce.contract.contract_server import Served

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


def _cents(amount: str) -> int:
    return round(float(amount) * 100)
