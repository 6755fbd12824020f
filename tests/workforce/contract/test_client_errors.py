"""What clients see of errors."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, cast

import boto3
import pytest
from botocore.exceptions import ClientError

from tests.workforce.contract.contract_server import HIT_TYPE, QUESTION, Served, boto_client, serve_in_thread
from workforce.api.asgi import api_app
from workforce.api.keys import AccessKey, StaticKeys
from workforce.market import Market, RequestError, ServiceFault

pytestmark = pytest.mark.contract


def refused(client: Any, operation: str, **parameters: Any) -> dict[str, Any]:
    """Return the response of a call that must end in the modelled RequestError."""
    with pytest.raises(client.exceptions.RequestError) as caught:
        getattr(client, operation)(**parameters)
    response: dict[str, Any] = caught.value.response
    assert response["Error"]["Code"] == "RequestError"
    assert response["ResponseMetadata"]["HTTPStatusCode"] == 400
    assert re.search(r" \(\d{13}\)$", response["Message"])
    return response


def test_unknown_hit(served: Served) -> None:
    response = refused(served.client, "get_hit", HITId="3NOSUCHHIT")
    assert response["TurkErrorCode"] == "AWS.MechanicalTurk.HITDoesNotExist"
    assert "does not exist" in response["Message"]


def test_parameters_that_botocore_lets_through(served: Served) -> None:
    response = refused(served.client, "list_hits", MaxResults=101)
    assert response["TurkErrorCode"] == "AWS.MechanicalTurk.InvalidParameterValue"
    assert response["Message"].startswith("1 validation error detected: Value '101' at 'maxResults' failed")
    response = refused(served.client, "create_hit_type", **{**HIT_TYPE, "Reward": "abc"})
    assert "'reward'" in response["Message"]


def test_approving_twice(served: Served) -> None:
    assignment = served.answer(served.create_hit()["HITId"], "AWORKER1", "a")
    served.client.approve_assignment(AssignmentId=assignment)
    response = refused(served.client, "approve_assignment", AssignmentId=assignment)
    assert response["Message"].startswith("This operation can be called with a status of: Submitted (")


def test_deleting_what_is_still_open(served: Served) -> None:
    response = refused(served.client, "delete_hit", HITId=served.create_hit()["HITId"])
    assert "This HIT is currently in the state 'Assignable'.  " in response["Message"]


def test_a_used_token_names_the_hit(served: Served, token: str) -> None:
    hit_id = served.create_hit(UniqueRequestToken=token)["HITId"]
    parameters = {**HIT_TYPE, "LifetimeInSeconds": 3600, "Question": QUESTION, "UniqueRequestToken": token}
    response = refused(served.client, "create_hit", **parameters)
    assert response["TurkErrorCode"] == "AWS.MechanicalTurk.HitAlreadyExists"
    assert f'The HIT with ID "{hit_id}" already exists.' in response["Message"]


def test_ten_assignments_cannot_be_reached_from_below(served: Served) -> None:
    hit_id = served.create_hit(MaxAssignments=9)["HITId"]
    response = refused(
        served.client,
        "create_additional_assignments_for_hit",
        HITId=hit_id,
        NumberOfAdditionalAssignments=1,
    )
    assert response["TurkErrorCode"] == "AWS.MechanicalTurk.InvalidMaximumAssignmentsIncrease"


NOT_YET: list[tuple[str, dict[str, Any]]] = [
    ("list_worker_blocks", {}),
    ("list_qualification_requests", {}),
    (
        "create_qualification_type",
        {"Name": "n", "Description": "d", "QualificationTypeStatus": "Active", "AutoGranted": True},
    ),
]


@pytest.mark.parametrize(("operation", "parameters"), NOT_YET, ids=[name for name, _ in NOT_YET])
def test_not_implemented_yet_says_so(served: Served, operation: str, parameters: dict[str, Any]) -> None:
    assert "not implemented yet" in refused(served.client, operation, **parameters)["Message"]


@pytest.mark.parametrize(
    ("key", "secret", "code"),
    [
        ("test", "wrong", "InvalidSignatureException"),
        ("nobody", "test", "UnrecognizedClientException"),
    ],
)
def test_wrong_credentials(served: Served, key: str, secret: str, code: str) -> None:
    client = boto_client(served.url, access_key=key, secret=secret)
    with pytest.raises(ClientError) as caught:
        client.get_account_balance()
    assert caught.value.response["Error"]["Code"] == code
    assert caught.value.response["Error"]["Message"]


def test_the_endpoint_variable_is_enough(served: Served, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_ENDPOINT_URL_MTURK", served.url)
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "test")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "test")
    client = boto3.session.Session().client("mturk", region_name="us-east-1")
    assert client.get_account_balance()["AvailableBalance"]


@dataclass
class Unsteady:
    """A market of which each call ends as the test has planned."""

    outcomes: list[Exception | dict[str, Any]]
    counted: list[str] = field(default_factory=list)

    @property
    def requester(self) -> Unsteady:
        return self

    def count_call(self, account: str, operation: str) -> None:
        self.counted.append(operation)

    def call(self, operation: str, account: str, params: Mapping[str, Any]) -> dict[str, Any]:
        outcome = self.outcomes.pop(0)
        if isinstance(outcome, Exception):
            raise outcome
        return outcome


def unsteady_call(outcomes: list[Exception | dict[str, Any]], call: Callable[[Any], Any]) -> Unsteady:
    market = Unsteady(outcomes)
    keys = StaticKeys(AccessKey("test", "test", "000000000000"))
    with serve_in_thread(api_app(cast("Market", market), keys)) as url:
        client = boto_client(url, retries={"mode": "standard", "total_max_attempts": 3})
        call(client)
    return market


def test_botocore_tries_again_after_a_service_fault() -> None:
    balance = {"AvailableBalance": "1.00"}

    def call(client: Any) -> None:
        answer = client.get_account_balance()
        assert answer["AvailableBalance"] == "1.00"
        assert answer["ResponseMetadata"]["RetryAttempts"] == 1

    market = unsteady_call([ServiceFault("busy"), balance], call)
    assert len(market.counted) == 2


def test_botocore_does_not_try_again_after_a_request_error() -> None:
    def call(client: Any) -> None:
        with pytest.raises(client.exceptions.RequestError):
            client.get_account_balance()

    market = unsteady_call([RequestError("no"), {}], call)
    assert len(market.counted) == 1


def test_a_lasting_fault_is_a_service_fault_to_the_client() -> None:
    def call(client: Any) -> None:
        with pytest.raises(client.exceptions.ServiceFault):
            client.get_account_balance()

    market = unsteady_call([RuntimeError("secret")] * 3, call)
    assert len(market.counted) == 3
