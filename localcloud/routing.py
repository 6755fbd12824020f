"""Decides which service a request is for, from its head alone (the body streams by unread).

A request of an SDK is signed, and the credential scope of its signature names the service
("Elements of an AWS API request signature", AWS IAM User Guide). What is not signed and asks for the
annotators' site is a browser. So a bucket called "worker" is reached by signed requests, and
the site's /worker by unsigned ones.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from enum import Enum
from functools import cached_property
from urllib.parse import parse_qs, parse_qsl

MTURK_TARGET = "MTurkRequesterServiceV20170117."
SAGEMAKER_TARGET = "SageMaker."
_SCOPE = re.compile(r"Credential=[^,]*?/\d{8}/[^/,]+/([^/,]+)/aws4_request")
_INVOCATION = re.compile(r"/endpoints/[^/]+/invocations")
_SITE = re.compile(r"/(worker|mturk)(/.*)?")
_BUCKET_NAME = re.compile(r"[^.]+\.localhost\.?(:\d+)?", re.IGNORECASE)
_SERVICE_NAME = re.compile(r".+\.[^.]+\.localhost\.?(:\d+)?|s3\.localhost\.?(:\d+)?", re.IGNORECASE)
_EMULATOR_ADMIN = frozenset({"/_ministack/reset", "/_ministack/config"})


class Route(Enum):
    """Who answers."""

    HEALTH = "health"
    HOME = "home"
    WORKFORCE = "workforce"
    SAGEMAKER = "sagemaker"
    NOT_IMPLEMENTED = "not implemented"
    FORBIDDEN = "forbidden"
    EMULATOR = "emulator"


@dataclass(frozen=True)
class Request:
    """The head of an HTTP request; header names are in lower case."""

    method: str
    path: str
    query: str
    headers: Mapping[str, str]

    @classmethod
    def of(cls, method: str, path: str, query: bytes, headers: Iterable[tuple[bytes, bytes]]) -> Request:
        """Build it from the parts of an ASGI scope."""
        decoded = {name.decode("latin-1").lower(): value.decode("latin-1") for name, value in headers}
        return cls(method, path, query.decode("latin-1"), decoded)

    def header(self, name: str) -> str:
        """Return a header's value, empty when it is absent."""
        return self.headers.get(name, "")

    @property
    def target(self) -> str:
        """The operation of a JSON protocol request, such as ``SageMaker.ListModels``."""
        return self.header("x-amz-target")

    @property
    def signed(self) -> bool:
        """Whether it carries any AWS signature, in a header or (presigned) in the query."""
        if self.header("authorization").startswith("AWS"):
            return True
        return any(
            name in self.query for name in ("X-Amz-Signature=", "X-Amz-Credential=", "AWSAccessKeyId=")
        )

    @cached_property
    def service(self) -> str | None:
        """The service in the credential scope of the signature, None without one."""
        match = _SCOPE.search(self.header("authorization"))
        if match:
            return match.group(1)
        if "X-Amz-Credential=" in self.query:
            parts = parse_qs(self.query).get("X-Amz-Credential", [""])[0].split("/")
            return parts[3] if len(parts) == 5 else None
        return None

    @cached_property
    def parameters(self) -> dict[str, list[str]]:
        """The query's parameters, their names in lower case."""
        found: dict[str, list[str]] = {}
        for name, value in parse_qsl(self.query, keep_blank_values=True):
            found.setdefault(name.lower(), []).append(value)
        return found

    @property
    def presigned_for_s3(self) -> bool:
        """Whether it is signed in the query alone, for S3: version 4, or version 2, which only S3 has."""
        if self.header("authorization"):
            return False
        return self.service == "s3" or {"awsaccesskeyid", "signature", "expires"} <= self.parameters.keys()


def route(request: Request) -> Route:
    """Choose who answers ``request``, whose ``Host`` is one of ours."""
    if request.target.startswith(MTURK_TARGET) or request.service == "mturk-requester":
        return Route.WORKFORCE
    if request.target.startswith(SAGEMAKER_TARGET) or request.service == "sagemaker":
        return _sagemaker(request)
    if request.path in _EMULATOR_ADMIN:
        return Route.FORBIDDEN
    if not request.signed and not _SERVICE_NAME.fullmatch(request.header("host")):
        return _browser(request)
    return Route.EMULATOR


def _sagemaker(request: Request) -> Route:
    """Split the services that all sign as "sagemaker"; A2I (/human-loops) and others are not there yet."""
    if request.target or _INVOCATION.fullmatch(request.path):
        return Route.SAGEMAKER
    return Route.NOT_IMPLEMENTED


def _browser(request: Request) -> Route:
    if _is_post_to_bucket(request):
        return Route.EMULATOR
    if _SITE.fullmatch(request.path):
        return Route.WORKFORCE
    if _INVOCATION.fullmatch(request.path):
        return Route.SAGEMAKER  # unsigned: it answers with the proper refusal
    if request.method in ("GET", "HEAD"):
        if request.path == "/" and _BUCKET_NAME.fullmatch(request.header("host")):
            return Route.EMULATOR  # the list of a bucket
        return {"/": Route.HOME, "/health": Route.HEALTH}.get(request.path, Route.EMULATOR)
    return Route.EMULATOR


def _is_post_to_bucket(request: Request) -> bool:
    """Tell whether it is a presigned POST (signed in the form) to a bucket that is named like the site."""
    multipart = request.header("content-type").lower().startswith("multipart/form-data")
    return request.method == "POST" and multipart and request.path in ("/worker", "/mturk")
