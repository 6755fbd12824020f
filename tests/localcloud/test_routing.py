from __future__ import annotations

import pytest

from localcloud.routing import Request, Route, route

HOST = {"host": "127.0.0.1:4566"}


def signed(service: str) -> dict[str, str]:
    scope = f"AKIA/20261121/us-east-1/{service}/aws4_request"
    value = f"AWS4-HMAC-SHA256 Credential={scope}, SignedHeaders=host;x-amz-date, Signature=00"
    return {**HOST, "authorization": value}


def presigned(service: str) -> str:
    scope = f"test%2F20261121%2Fus-east-1%2F{service}%2Faws4_request"
    return f"X-Amz-Algorithm=AWS4-HMAC-SHA256&X-Amz-Credential={scope}"


@pytest.mark.parametrize(
    ("method", "path", "query", "headers", "expected"),
    [
        (
            "POST",
            "/",
            "",
            {**HOST, "x-amz-target": "MTurkRequesterServiceV20170117.CreateHIT"},
            Route.WORKFORCE,
        ),
        ("POST", "/", "", signed("mturk-requester"), Route.WORKFORCE),
        ("POST", "/", "", {**signed("sagemaker"), "x-amz-target": "SageMaker.ListModels"}, Route.SAGEMAKER),
        ("POST", "/", "", {**HOST, "x-amz-target": "SageMaker.ListModels"}, Route.SAGEMAKER),
        ("POST", "/endpoints/iris/invocations", "", signed("sagemaker"), Route.SAGEMAKER),
        ("POST", "/endpoints/iris/invocations", "", HOST, Route.SAGEMAKER),
        ("POST", "/endpoints/iris/async-invocations", "", signed("sagemaker"), Route.NOT_IMPLEMENTED),
        ("POST", "/human-loops", "", signed("sagemaker"), Route.NOT_IMPLEMENTED),
        ("GET", "/human-loops/a", "", signed("sagemaker"), Route.NOT_IMPLEMENTED),
        ("GET", "/worker", "", HOST, Route.WORKFORCE),
        ("GET", "/worker/static/site.css", "", HOST, Route.WORKFORCE),
        ("POST", "/mturk/externalSubmit", "", HOST, Route.WORKFORCE),
        ("GET", "/worker", "", {"host": "localhost:4566"}, Route.WORKFORCE),
        ("GET", "/worker", "", {"host": "[::1]:4566"}, Route.WORKFORCE),
        ("GET", "/", "", HOST, Route.HOME),
        ("GET", "/health", "", HOST, Route.HEALTH),
        # the same paths as names of S3 buckets
        ("GET", "/worker", "list-type=2", signed("s3"), Route.EMULATOR),
        ("GET", "/worker/key", presigned("s3") + "&X-Amz-Signature=00", HOST, Route.EMULATOR),
        ("PUT", "/mturk/externalSubmit", "", signed("s3"), Route.EMULATOR),
        ("GET", "/", "", signed("s3"), Route.EMULATOR),
        ("GET", "/health", "", signed("s3"), Route.EMULATOR),
        ("GET", "/worker", "AWSAccessKeyId=test&Signature=x&Expires=1", HOST, Route.EMULATOR),
        ("GET", "/workers", "", HOST, Route.EMULATOR),
        # any name of ours has the site, but those of S3's virtual hosts and of other services
        ("GET", "/worker", "", {"host": "127.0.0.2:4566"}, Route.WORKFORCE),
        ("GET", "/worker", "", {"host": "localcloud:4567"}, Route.WORKFORCE),
        ("GET", "/health", "", {"host": "groundswell.localhost:4566"}, Route.HEALTH),
        ("GET", "/worker/hits", "", {"host": "groundswell.localhost"}, Route.WORKFORCE),
        ("GET", "/", "", {"host": "bucket.localhost:4566"}, Route.EMULATOR),
        ("GET", "/key", "", {"host": "bucket.localhost:4566"}, Route.EMULATOR),
        ("GET", "/worker", "", {**signed("s3"), "host": "bucket.localhost:4566"}, Route.EMULATOR),
        ("GET", "/worker", "", {"host": "bucket.s3.localhost:4566"}, Route.EMULATOR),
        ("GET", "/health", "", {"host": "a1.execute-api.localhost"}, Route.EMULATOR),
        # a presigned POST has its signature in the form
        ("POST", "/worker", "", {**HOST, "content-type": "multipart/form-data; boundary=x"}, Route.EMULATOR),
        ("POST", "/mturk", "", {**HOST, "content-type": "Multipart/Form-Data; boundary=x"}, Route.EMULATOR),
        (
            "POST",
            "/mturk/externalSubmit",
            "",
            {**HOST, "content-type": "multipart/form-data; boundary=x"},
            Route.WORKFORCE,
        ),
        ("POST", "/", "", signed("iam"), Route.EMULATOR),
        ("POST", "/", "", {**signed("logs"), "x-amz-target": "Logs_20140328.PutLogEvents"}, Route.EMULATOR),
        ("PUT", "/bucket/endpoints/x/invocations", "", signed("s3"), Route.EMULATOR),
        # what would wipe the state behind our back
        ("POST", "/_ministack/reset", "", HOST, Route.FORBIDDEN),
        ("POST", "/_ministack/reset", "", signed("s3"), Route.FORBIDDEN),
    ],
)
def test_route(method: str, path: str, query: str, headers: dict[str, str], expected: Route) -> None:
    assert route(Request(method, path, query, headers)) is expected


def test_service_of_a_presigned_request() -> None:
    assert Request("GET", "/b/k", presigned("s3"), HOST).service == "s3"


def test_service_of_a_broken_scope_is_unknown() -> None:
    headers = {"authorization": "AWS4-HMAC-SHA256 Credential=test/2026/nonsense, Signature=0"}
    assert Request("GET", "/b/k", "", headers).service is None
    assert Request("GET", "/b/k", "X-Amz-Credential=a%2Fb", HOST).service is None


def test_headers_are_read_in_any_case() -> None:
    request = Request.of("POST", "/", b"a=b", [(b"X-Amz-Target", b"SageMaker.ListModels")])
    assert request.target == "SageMaker.ListModels"
    assert request.query == "a=b"
