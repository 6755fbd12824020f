from __future__ import annotations

import asyncio
import json
import re
import uuid
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any, cast

import httpx
import pytest
from starlette.applications import Starlette

from workforce.api.asgi import MAX_BODY_BYTES, api_app
from workforce.api.keys import StaticKeys
from workforce.market import Market, NotImplementedYet, RequestError, ServiceFault

Call = Callable[..., httpx.Response]


def send(app: Starlette, method: str, path: str = "/", **request: Any) -> httpx.Response:
    async def ask() -> httpx.Response:
        transport = httpx.ASGITransport(app, raise_app_exceptions=False)
        async with httpx.AsyncClient(transport=transport, base_url="http://testserver") as client:
            return await client.request(method, path, **request)

    return asyncio.run(ask())


@pytest.fixture
def call(market: Any, keys: StaticKeys, sign: Callable[..., dict[str, str]]) -> Call:
    app = api_app(cast("Market", market), keys)

    def post(operation: str, body: Any = None, **changes: Any) -> httpx.Response:
        content = body if isinstance(body, bytes) else json.dumps(body or {}).encode()
        target = changes.pop("target", f"MTurkRequesterServiceV20170117.{operation}")
        headers = {"X-Amz-Target": target, "Content-Type": "application/x-amz-json-1.1"}
        return send(app, "POST", content=content, headers=sign(content, headers=headers, **changes))

    return post


def raising(error: Exception) -> Callable[..., dict[str, Any]]:
    def answer(*_: object) -> dict[str, Any]:
        raise error

    return answer


def test_the_market_gets_values_and_the_client_json(market: Any, call: Call) -> None:
    market.answer = lambda *_: {"AvailableBalance": "10000.00"}
    response = call("UpdateExpirationForHIT", {"HITId": "A", "ExpireAt": 0})
    assert market.calls == [
        (
            "UpdateExpirationForHIT",
            "000000000000",
            {"HITId": "A", "ExpireAt": datetime(1970, 1, 1, tzinfo=UTC)},
        )
    ]
    assert response.status_code == 200
    assert response.content == b"{}"
    assert call("GetAccountBalance").content == b'{"AvailableBalance":"10000.00"}'


def test_headers_are_those_of_aws(call: Call) -> None:
    first, second = call("GetAccountBalance"), call("GetAccountBalance", target="Nope.Nope")
    for response in (first, second):
        assert response.headers["content-type"] == "application/x-amz-json-1.1"
        uuid.UUID(response.headers["x-amzn-requestid"])
    assert first.headers["x-amzn-requestid"] != second.headers["x-amzn-requestid"]


def test_request_error_is_in_the_shape_that_clients_parse(market: Any, call: Call) -> None:
    market.answer = raising(RequestError("Hit Z does not exist.", "AWS.MechanicalTurk.HITDoesNotExist"))
    response = call("GetHIT", {"HITId": "Z"})
    body = response.json()
    assert response.status_code == 400
    assert set(body) == {"__type", "Message", "TurkErrorCode"}
    assert body["__type"] == "RequestError"
    assert body["TurkErrorCode"] == "AWS.MechanicalTurk.HITDoesNotExist"
    assert re.fullmatch(r"Hit Z does not exist\. \(\d{13}\)", body["Message"])


def test_not_implemented_is_a_request_error_that_says_so(market: Any, call: Call) -> None:
    market.answer = raising(NotImplementedYet("SendBonus"))
    document = {"WorkerId": "A1", "BonusAmount": "1", "AssignmentId": "A", "Reason": "r"}
    body = call("SendBonus", document).json()
    assert body["__type"] == "RequestError"
    assert "SendBonus is not implemented yet" in body["Message"]


def test_service_fault_is_a_500(market: Any, call: Call) -> None:
    market.answer = raising(ServiceFault("busy"))
    response = call("GetAccountBalance")
    assert response.status_code == 500
    assert response.json()["__type"] == "ServiceFault"


def test_the_unexpected_is_logged_and_not_told(
    market: Any, call: Call, caplog: pytest.LogCaptureFixture
) -> None:
    market.answer = raising(RuntimeError("password=hunter2"))
    response = call("GetAccountBalance")
    assert response.status_code == 500
    assert response.json()["__type"] == "ServiceFault"
    assert "hunter2" not in response.text
    assert "hunter2" in caplog.text
    assert response.headers["x-amzn-requestid"] in caplog.text


@pytest.mark.parametrize(
    "document",
    [{}, {"HITId": "lower"}, {"HITId": 5}, {"HITId": ["A"]}],
    ids=["missing", "bad", "type", "list"],
)
def test_a_bad_parameter_is_a_request_error(market: Any, call: Call, document: Any) -> None:
    body = call("GetHIT", document).json()
    assert body["__type"] == "RequestError"
    assert body["TurkErrorCode"] == "AWS.MechanicalTurk.InvalidParameterValue"
    assert "'hITId'" in body["Message"]
    assert market.calls == []


@pytest.mark.parametrize("content", [b"{", b"[]", b"null", b"\xff"])
def test_a_body_that_is_no_object_is_a_serialization_exception(call: Call, content: bytes) -> None:
    response = call("GetHIT", content)
    assert response.status_code == 400
    assert response.json()["__type"] == "SerializationException"


def test_unknown_operation(market: Any, call: Call) -> None:
    body = call("", target="MTurkRequesterServiceV20170117.Nope").json()
    assert body["__type"] == "UnknownOperationException"
    assert market.counted == []


def test_every_authenticated_call_is_counted_also_a_refused_one(market: Any, call: Call) -> None:
    call("GetHIT", {})
    call("GetAccountBalance")
    call("GetAccountBalance", key=("test", "wrong"))
    assert market.counted == [("000000000000", "GetHIT"), ("000000000000", "GetAccountBalance")]


def test_accounts_are_told_apart_by_key(market: Any, call: Call) -> None:
    call("GetAccountBalance", key=("AKIDOTHER", "s3cret"))
    assert market.calls[0][1] == "111111111111"


def test_unsigned_calls_reach_nothing(market: Any, keys: StaticKeys) -> None:
    app = api_app(cast("Market", market), keys)
    response = send(app, "POST", content=b"{}", headers={"X-Amz-Target": "x"})
    assert response.status_code == 400
    assert response.json()["__type"] == "MissingAuthenticationTokenException"
    assert market.calls == market.counted == []


def test_bodies_have_a_limit(market: Any, call: Call) -> None:
    response = call("CreateHIT", b" " * (MAX_BODY_BYTES + 1))
    assert response.status_code == 413
    assert response.json()["__type"] == "RequestEntityTooLargeException"
    assert call("GetAccountBalance", b"{}" + b" " * (MAX_BODY_BYTES - 2)).status_code == 200


def test_only_post(market: Any, keys: StaticKeys) -> None:
    app = api_app(cast("Market", market), keys)
    assert send(app, "GET").status_code == 405
    assert send(app, "POST", "/other").status_code == 404


@pytest.mark.parametrize("first", [True, False])
def test_a_second_target_is_refused_wherever_it_stands(
    market: Any, keys: StaticKeys, sign: Callable[..., dict[str, str]], first: bool
) -> None:
    prefix = "MTurkRequesterServiceV20170117"
    signed = list(sign(b"{}", headers={"X-Amz-Target": f"{prefix}.GetAccountBalance"}).items())
    added = ("x-amz-target", f"{prefix}.ListHITs")
    headers = [added, *signed] if first else [*signed, added]
    response = send(api_app(cast("Market", market), keys), "POST", content=b"{}", headers=headers)
    assert (response.status_code, response.json()["__type"]) == (400, "IncompleteSignatureException")
    assert "x-amz-target" in response.text
    assert market.calls == []
