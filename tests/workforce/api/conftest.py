from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

import pytest
from botocore.auth import SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials

from workforce.api.keys import AccessKey, StaticKeys


@pytest.fixture
def keys() -> StaticKeys:
    return StaticKeys(
        AccessKey("test", "test", "000000000000"), AccessKey("AKIDOTHER", "s3cret", "111111111111")
    )


@dataclass
class FakeMarket:
    """Answers what the test says and remembers what it was asked."""

    answer: Callable[[str, str, Mapping[str, Any]], dict[str, Any]] = lambda *_: {}
    calls: list[tuple[str, str, Mapping[str, Any]]] = field(default_factory=list)
    counted: list[tuple[str, str]] = field(default_factory=list)

    @property
    def requester(self) -> FakeMarket:
        return self

    def call(self, operation: str, account: str, params: Mapping[str, Any]) -> dict[str, Any]:
        self.calls.append((operation, account, params))
        return self.answer(operation, account, params)

    def count_call(self, account: str, operation: str) -> None:
        self.counted.append((account, operation))


@pytest.fixture
def market() -> FakeMarket:
    return FakeMarket()


@pytest.fixture
def sign() -> Callable[..., dict[str, str]]:
    """Sign a request with botocore; returns all its headers."""

    def signed(
        body: bytes,
        *,
        headers: Mapping[str, str] | None = None,
        method: str = "POST",
        url: str = "http://testserver/",
        key: tuple[str, str] = ("test", "test"),
        service: str = "mturk-requester",
    ) -> dict[str, str]:
        request = AWSRequest(method=method, url=url, data=body, headers=dict(headers or {}))
        SigV4Auth(Credentials(*key), service, "us-east-1").add_auth(request)
        return {"Host": url.split("/")[2], **dict(request.headers.items())}

    return signed


@pytest.fixture
def now() -> datetime:
    return datetime.now(UTC)
