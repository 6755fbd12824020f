from __future__ import annotations

import pytest
from botocore import parsers
from botocore.model import OperationModel
from botocore.session import get_session

from localcloud.errors import Protocol, error_answer, protocol_of
from localcloud.routing import Request

SIGNED = "AWS4-HMAC-SHA256 Credential=test/20261121/us-east-1/{}/aws4_request, Signature=0"
FORM = "application/x-www-form-urlencoded; charset=utf-8"


def request(service: str, method: str = "POST", **headers: str) -> Request:
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    return Request(method, "/", "", {"authorization": SIGNED.format(service), **named})


CASES = [
    (
        "logs",
        "DescribeLogGroups",
        request("logs", x_amz_target="Logs_20140328.DescribeLogGroups"),
        Protocol.JSON,
    ),
    ("iam", "GetRole", request("iam", content_type=FORM), Protocol.QUERY),
    ("s3", "GetObject", request("s3", "GET"), Protocol.S3),
    ("cloudwatch", "PutMetricData", request("monitoring", smithy_protocol="rpc-v2-cbor"), Protocol.CBOR),
    ("lambda", "ListFunctions", request("lambda", "GET"), Protocol.JSON),
    ("sagemaker-runtime", "InvokeEndpoint", request("sagemaker", content_type="text/csv"), Protocol.JSON),
]


def operation_model(service: str, operation: str) -> OperationModel:
    return get_session().get_service_model(service).operation_model(operation)


@pytest.mark.parametrize(("service", "operation", "asked", "protocol"), CASES)
def test_botocore_reads_code_and_message(
    service: str, operation: str, asked: Request, protocol: Protocol
) -> None:
    answer = error_answer(asked, 503, "ServiceUnavailable", 'down, for "a" <moment> & more')
    model = operation_model(service, operation)
    wire = {
        Protocol.CBOR: "smithy-rpc-v2-cbor",
        Protocol.JSON: {"logs": "json"}.get(service, "rest-json"),
        Protocol.QUERY: "query",
        Protocol.S3: "rest-xml",
    }[protocol]
    parser = parsers.create_parser(wire)
    headers = {name.decode(): value.decode() for name, value in answer.headers}
    parsed = parser.parse(
        {"status_code": answer.status, "headers": headers, "body": answer.body}, model.output_shape
    )
    assert protocol_of(asked) is protocol
    assert parsed["Error"]["Code"] == "ServiceUnavailable"
    assert parsed["Error"]["Message"] == 'down, for "a" <moment> & more'
    assert parsed["ResponseMetadata"]["HTTPStatusCode"] == 503


def test_head_has_no_body_but_its_length() -> None:
    answer = error_answer(request("s3", "HEAD"), 503, "ServiceUnavailable", "down")
    assert answer.body == b""
    assert int(dict(answer.headers)[b"content-length"]) > 0


def test_long_messages_fit_cbor() -> None:
    asked = request("monitoring", smithy_protocol="rpc-v2-cbor")
    answer = error_answer(asked, 500, "InternalFailure", "x" * 300)
    parser = parsers.create_parser("smithy-rpc-v2-cbor")
    headers = {name.decode(): value.decode() for name, value in answer.headers}
    shape = operation_model("cloudwatch", "PutMetricData").output_shape
    parsed = parser.parse({"status_code": 500, "headers": headers, "body": answer.body}, shape)
    assert parsed["Error"]["Message"] == "x" * 300
