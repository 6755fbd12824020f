from __future__ import annotations

import hashlib
import hmac
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from workforce.api.keys import AccessKey, StaticKeys
from workforce.api.sigv4 import Identity, SignatureProblem, credential_scope, single_headers, verify

Sign = Callable[..., dict[str, str]]
BODY = b'{"HITId":"A"}'
TARGET = {
    "X-Amz-Target": "MTurkRequesterServiceV20170117.GetHIT",
    "Content-Type": "application/x-amz-json-1.1",
}


def check(keys: StaticKeys, headers: dict[str, str], **changes: Any) -> Identity:
    request: dict[str, Any] = {
        "method": "POST",
        "path": "/",
        "query": "",
        "headers": headers,
        "body": BODY,
        "keys": keys,
        "services": {"mturk-requester"},
        "now": datetime.now(UTC),
    }
    return verify(**{**request, **changes})


def refusal(keys: StaticKeys, headers: dict[str, str], **changes: Any) -> SignatureProblem:
    with pytest.raises(SignatureProblem) as caught:
        check(keys, headers, **changes)
    assert caught.value.status == 400
    return caught.value


def test_a_signed_request_is_who_it_says(keys: StaticKeys, sign: Sign) -> None:
    assert check(keys, sign(BODY, headers=TARGET)) == Identity(
        access_key="test", account="000000000000", region="us-east-1", service="mturk-requester"
    )
    other = check(keys, sign(BODY, headers=TARGET, key=("AKIDOTHER", "s3cret")))
    assert other.account == "111111111111"


def by_hand(secret: str, moment: datetime, *, date_header: str | None = None) -> dict[str, str]:
    """Sign without botocore, step by step as AWS's guide has it."""
    stamp, day = moment.strftime("%Y%m%dT%H%M%SZ"), moment.strftime("%Y%m%d")
    date_name = "date" if date_header else "x-amz-date"
    headers = {
        "content-type": "application/x-amz-json-1.1",
        date_name: date_header or stamp,
        "host": "example:1",
        "x-amz-target": TARGET["X-Amz-Target"],
    }
    names = ";".join(sorted(headers))
    lines = "".join(f"{name}:{headers[name]}\n" for name in sorted(headers))
    canonical = f"POST\n/\n\n{lines}\n{names}\n{hashlib.sha256(BODY).hexdigest()}"
    scope = f"{day}/us-east-1/mturk-requester/aws4_request"
    to_sign = f"AWS4-HMAC-SHA256\n{stamp}\n{scope}\n{hashlib.sha256(canonical.encode()).hexdigest()}"
    key = f"AWS4{secret}".encode()
    for part in scope.split("/"):
        key = hmac.new(key, part.encode(), hashlib.sha256).digest()
    signature = hmac.new(key, to_sign.encode(), hashlib.sha256).hexdigest()
    credential = f"AWS4-HMAC-SHA256 Credential=test/{scope},SignedHeaders={names},Signature={signature}"
    return {**headers, "authorization": credential}


def test_signed_by_hand(keys: StaticKeys, now: datetime) -> None:
    assert check(keys, by_hand("test", now)).access_key == "test"
    refusal(keys, by_hand("tset", now))


def test_a_date_header_will_do(keys: StaticKeys, now: datetime) -> None:
    http_date = format_datetime(now.replace(microsecond=0), usegmt=True)
    assert check(keys, by_hand("test", now, date_header=http_date)).access_key == "test"


@pytest.mark.parametrize(
    "change",
    [
        {"body": b'{"HITId":"B"}'},
        {"body": b""},
        {"path": "/x"},
        {"query": "a=b"},
        {"method": "PUT"},
        {"path": "/#"},
        {"query": "a#b"},
        {"path": "/ \n"},
        {"path": ""},
    ],
)
def test_a_changed_request_is_refused(keys: StaticKeys, sign: Sign, change: dict[str, Any]) -> None:
    assert refusal(keys, sign(BODY, headers=TARGET), **change).code == "InvalidSignatureException"


@pytest.mark.parametrize("name", ["X-Amz-Target", "Content-Type", "Host"])
def test_a_changed_header_is_refused(keys: StaticKeys, sign: Sign, name: str) -> None:
    headers = {**sign(BODY, headers=TARGET), name: "other"}
    assert refusal(keys, headers).code == "InvalidSignatureException"


def test_a_wrong_secret_is_refused(keys: StaticKeys, sign: Sign) -> None:
    problem = refusal(keys, sign(BODY, key=("test", "wrong")))
    assert problem.code == "InvalidSignatureException"
    assert "does not match" in problem.message


def test_an_unknown_key_is_refused(keys: StaticKeys, sign: Sign) -> None:
    assert refusal(keys, sign(BODY, key=("AKIDNOBODY", "x"))).code == "UnrecognizedClientException"


def test_no_signature(keys: StaticKeys) -> None:
    assert refusal(keys, dict(TARGET)).code == "MissingAuthenticationTokenException"


def test_another_service_is_refused(keys: StaticKeys, sign: Sign) -> None:
    problem = refusal(keys, sign(BODY, service="sagemaker"))
    assert problem.code == "InvalidSignatureException"
    assert "'mturk-requester'" in problem.message


@pytest.mark.parametrize(
    "authorization",
    [
        "Basic dGVzdDp0ZXN0",
        "AWS4-HMAC-SHA256",
        "AWS4-HMAC-SHA256 Credential=test",
        "AWS4-HMAC-SHA256 Credential=test, SignedHeaders=host, Signature=00",
        "AWS4-HMAC-SHA256 Credential=a/20261121/r/s/aws4_request, SignedHeaders=, Signature=00",
        "AWS4-HMAC-SHA256 Credential=a/20261121/r/s/aws4_request, SignedHeaders=host;gone, Signature=00",
        "AWS4-HMAC-SHA256 Credential=a/20261121/r/s/aws4_request, SignedHeaders=x-amz-date, Signature=00",
        "AWS4-HMAC-SHA256 Credential=a/20261121/r/s/aws4_other, SignedHeaders=host, Signature=00",
    ],
)
def test_incomplete_signatures(keys: StaticKeys, sign: Sign, authorization: str) -> None:
    headers = {**sign(BODY), "Authorization": authorization}
    assert refusal(keys, headers).code == "IncompleteSignatureException"


def test_amz_headers_must_be_signed(keys: StaticKeys, sign: Sign) -> None:
    problem = refusal(keys, {**sign(BODY), "X-Amz-Target": "added later"})
    assert problem.code == "IncompleteSignatureException"
    assert "x-amz-target" in problem.message


def test_a_request_without_a_time_is_refused(keys: StaticKeys, sign: Sign) -> None:
    headers = sign(BODY)
    headers["Authorization"] = headers["Authorization"].replace(";x-amz-date", "")
    del headers["X-Amz-Date"]
    assert refusal(keys, headers).code == "IncompleteSignatureException"
    assert refusal(keys, {**headers, "Date": "soon"}).code == "IncompleteSignatureException"


@pytest.mark.parametrize(("minutes", "text"), [(16, "Signature expired"), (-16, "not yet current")])
def test_the_time_must_be_near(keys: StaticKeys, sign: Sign, now: datetime, minutes: int, text: str) -> None:
    headers = sign(BODY)
    assert check(keys, headers, now=now + timedelta(minutes=minutes * 14 / 16))
    problem = refusal(keys, headers, now=now + timedelta(minutes=minutes))
    assert problem.code == "InvalidSignatureException"
    assert text in problem.message


def test_the_scope_is_of_the_same_day(keys: StaticKeys, sign: Sign, now: datetime) -> None:
    headers = sign(BODY)
    yesterday = (now - timedelta(days=1)).strftime("%Y%m%d")
    headers["Authorization"] = headers["Authorization"].replace(headers["X-Amz-Date"][:8], yesterday)
    assert "Credential scope" in refusal(keys, headers).message


def test_the_payload_hash_header_is_checked_against_the_body(keys: StaticKeys, sign: Sign) -> None:
    good = sign(BODY, headers={"X-Amz-Content-SHA256": hashlib.sha256(BODY).hexdigest()})
    assert check(keys, good)
    refusal(keys, good, body=b"{}")
    refusal(keys, sign(BODY, headers={"X-Amz-Content-SHA256": "UNSIGNED-PAYLOAD"}))


def test_escaped_paths_and_queries(keys: StaticKeys, sign: Sign) -> None:
    url = "http://testserver/endpoints/a%20b/invocations?z=1&a=%2F"
    headers = sign(BODY, url=url, service="sagemaker")
    where = {"path": "/endpoints/a%20b/invocations", "query": "z=1&a=%2F", "services": {"sagemaker"}}
    assert check(keys, headers, **where).service == "sagemaker"
    refusal(keys, headers, **{**where, "path": "/endpoints/a b/invocations"})


def test_scope_can_be_read_before_it_is_verified(sign: Sign) -> None:
    assert credential_scope(sign(BODY)) == ("us-east-1", "mturk-requester")
    assert credential_scope({}) is None
    assert credential_scope({"Authorization": "nonsense"}) is None


def test_secrets_are_not_printed() -> None:
    assert "s3cret" not in repr(AccessKey("A", "s3cret", "1"))


def raw(headers: dict[str, str]) -> list[tuple[bytes, bytes]]:
    return [(name.encode(), value.encode()) for name, value in headers.items()]


@pytest.mark.parametrize(
    "name",
    [
        "Authorization",
        "HOST",
        "Content-Type",
        "date",
        "X-Amz-Date",
        "x-amz-target",
        "x-amz-anything",
        "x-signed",
    ],
)
@pytest.mark.parametrize("at", [0, 99])
def test_what_a_signature_rests_on_comes_once(sign: Sign, name: str, at: int) -> None:
    headers = raw(sign(BODY, headers={**TARGET, "X-Signed": "1"}))
    present = any(given.lower() == name.lower().encode() for given, _ in headers)
    for _ in range(1 if present else 2):
        headers.insert(at, (name.encode(), b"v"))
    with pytest.raises(
        SignatureProblem, match=f"'{name.lower()}' is in the request more than once"
    ) as caught:
        single_headers(headers)
    assert caught.value.code == "IncompleteSignatureException"


def test_other_headers_may_come_again(keys: StaticKeys, sign: Sign) -> None:
    headers = [(b"Via", b"a"), *raw(sign(BODY, headers=TARGET)), (b"via", b"b")]
    given = single_headers(headers)
    assert given["via"] == "a,b"
    assert check(keys, given).access_key == "test"


def test_two_spellings_of_one_name_are_a_repetition(keys: StaticKeys, sign: Sign) -> None:
    headers = {"x-amz-target": "MTurkRequesterServiceV20170117.ListHITs", **sign(BODY, headers=TARGET)}
    assert refusal(keys, headers).code == "IncompleteSignatureException"


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    st.text(max_size=80),
    st.dictionaries(st.sampled_from(["host", "x-amz-date", "date", "x-amz-target"]), st.text(max_size=20)),
)
def test_nothing_sent_raises_anything_else(keys: StaticKeys, text: str, headers: dict[str, str]) -> None:
    scope = datetime.now(UTC).strftime("%Y%m%d") + "/us-east-1/mturk-requester/aws4_request"
    for authorization in (
        text,
        f"AWS4-HMAC-SHA256 {text}",
        f"AWS4-HMAC-SHA256 Credential=test/{scope}, SignedHeaders={';'.join(headers)}, Signature={text}",
    ):
        refusal(keys, {**headers, "authorization": authorization})
