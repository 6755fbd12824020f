"""What a browser may send to the local cloud, from its headers alone."""

from __future__ import annotations

import pytest

from localcloud.guard import is_known_host, refusal
from localcloud.routing import Request, route

HOST = {"host": "127.0.0.1:4566"}
OWN = {**HOST, "origin": "http://127.0.0.1:4566", "sec-fetch-site": "same-origin"}
EVIL = {**HOST, "origin": "https://evil.example", "sec-fetch-site": "cross-site", "sec-fetch-mode": "cors"}
OPAQUE = {**EVIL, "origin": "null"}
LINK = {
    **HOST,
    "sec-fetch-site": "cross-site",
    "sec-fetch-mode": "navigate",
    "sec-fetch-dest": "document",
}
FRAMED = {**LINK, "sec-fetch-dest": "iframe"}
IMAGE = {**HOST, "sec-fetch-site": "cross-site", "sec-fetch-mode": "no-cors", "sec-fetch-dest": "image"}
SIGNED = {"authorization": "AWS4-HMAC-SHA256 Credential=test/20261121/us-east-1/s3/aws4_request, Signature=0"}
TRAIN = {
    "x-amz-target": "SageMaker.CreateTrainingJob",
    "authorization": SIGNED["authorization"].replace("/s3/", "/sagemaker/"),
}
MTURK = {"x-amz-target": "MTurkRequesterServiceV20170117.CreateHIT"}
V4 = "X-Amz-Credential=test%2F20261121%2Fus-east-1%2Fs3%2Faws4_request&X-Amz-Signature=0"
V2 = "AWSAccessKeyId=test&Signature=x&Expires=1"


def refused(method: str, path: str, query: str, headers: dict[str, str]) -> bool:
    request = Request(method, path, query, headers)
    return refusal(request, route(request), frozenset({"localcloud"})) is not None


@pytest.mark.parametrize(
    ("method", "path", "query", "headers"),
    [
        # SDKs, curl and Airflow
        ("PUT", "/b/k", "", {**HOST, **SIGNED}),
        ("POST", "/", "", {**HOST, **TRAIN}),
        ("GET", "/b/k", V4, HOST),
        ("GET", "/health", "", {"host": "localcloud:4567"}),
        # the site itself, and an address that somebody typed
        ("POST", "/worker/sign-in", "", OWN),
        ("GET", "/worker/assignments/A/state", "", {**HOST, "sec-fetch-site": "same-origin"}),
        ("GET", "/worker", "", {**LINK, "sec-fetch-site": "none"}),
        ("POST", "/worker/sign-in", "", {"host": "LOCALHOST:1", "origin": "http://localhost:1"}),
        # links from elsewhere, and out of the sandboxed frame
        ("GET", "/", "", LINK),
        ("GET", "/worker", "", LINK),
        ("GET", "/worker/hits/H", "", LINK),
        ("GET", "/health", "", LINK),
        # what the sandboxed frame itself needs
        ("POST", "/mturk/externalSubmit", "", {**OPAQUE, "sec-fetch-mode": "navigate"}),
        ("GET", "/mturk/externalSubmit", "", FRAMED),
        ("GET", "/worker/question/A", "assignmentId=A", FRAMED),
        ("GET", "/worker/static/site.css", "", {**IMAGE, "sec-fetch-dest": "style"}),
        ("GET", "/b/k.svg", V4, IMAGE),
        ("GET", "/b/k.png", V2, IMAGE),
    ],
)
def test_served(method: str, path: str, query: str, headers: dict[str, str]) -> None:
    assert not refused(method, path, query, headers)


@pytest.mark.parametrize("page", [EVIL, OPAQUE, {**HOST, "sec-fetch-site": "same-site"}, LINK, FRAMED, IMAGE])
@pytest.mark.parametrize(
    ("method", "path", "query", "headers"),
    [
        ("OPTIONS", "/b/k", "", {}),
        ("PUT", "/b/k", "", SIGNED),
        ("PUT", "/b/k", V4, {}),
        ("GET", "/b/k", "", SIGNED),
        ("GET", "/b/k", "", {}),
        ("GET", "/any", "Action=DeleteUser&UserName=a", {}),
        ("GET", "/q/a", f"{V4}&Action=SendMessage", {}),
        ("POST", "/", "", TRAIN),
        ("POST", "/", "", MTURK),
        ("GET", "/worker", "", MTURK),
        ("POST", "/mturk/externalSubmit", "", MTURK),
        ("POST", "/endpoints/iris/invocations", "", TRAIN),
        ("POST", "/2015-03-31/functions/f/invocations", "", {"content-type": "text/plain"}),
        ("POST", "/worker/sign-in", "", {}),
        ("POST", "/worker", "", {"content-type": "multipart/form-data; boundary=x"}),
    ],
)
def test_other_pages_are_refused(
    page: dict[str, str], method: str, path: str, query: str, headers: dict[str, str]
) -> None:
    assert refused(method, path, query, {**page, **headers})


@pytest.mark.parametrize(
    ("path", "query", "headers"),
    [
        ("/worker/hits", "", FRAMED),
        ("/worker/hits", "", EVIL),
        ("/health", "", EVIL),
        ("/b/k", V4, EVIL),
        ("/b/k", V4, {**IMAGE, "origin": "null"}),
        ("/b/k", V4, {**IMAGE, "sec-fetch-dest": "script"}),
        ("/b/k", V4.replace("s3", "iam"), IMAGE),
    ],
)
def test_other_pages_read_nothing(path: str, query: str, headers: dict[str, str]) -> None:
    assert refused("GET", path, query, headers)


@pytest.mark.parametrize("origin", ["http://127.0.0.1:4567", "http://localhost:4566", "null", "", "file://"])
def test_only_the_very_same_origin_is_ours(origin: str) -> None:
    assert refused("POST", "/worker/sign-in", "", {**HOST, "origin": origin})


@pytest.mark.parametrize(
    "host",
    [
        "localhost",
        "LocalHost:4566",
        "127.0.0.1",
        "127.9.8.7:1",
        "[::1]:4566",
        "b.localhost:1",
        "localcloud:4567",
    ],
)
def test_names_of_loopback_and_allowed_ones_are_known(host: str) -> None:
    assert is_known_host(host, {"localcloud"})


@pytest.mark.parametrize(
    "host",
    [
        "",
        "evil.example",
        "127.0.0.1.evil.example",
        "localhost.evil.example:4566",
        "evillocalhost",
        "x.localcloud",
        "10.0.0.1",
        "[::2]",
        "localhost:x",
        "user@localhost",
    ],
)
def test_other_names_are_refused_whatever_is_asked(host: str) -> None:
    assert not is_known_host(host, {"localcloud"})
    assert refused("GET", "/health", "", {"host": host})
    assert refused("PUT", "/b/k", "", {"host": host, **SIGNED})
