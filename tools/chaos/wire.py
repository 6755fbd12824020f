"""As much of HTTP/1.1 as the requester API needs: one request after another, bodies with a length."""

from __future__ import annotations

import asyncio
import json
from dataclasses import dataclass, replace
from typing import Any

JSON = "application/x-amz-json-1.1"


@dataclass(frozen=True)
class Request:
    """A request as it came; ``raw`` is what is passed on over a socket, if one is used."""

    raw: bytes
    operation: str
    body: bytes
    headers: tuple[tuple[str, str], ...]

    @property
    def parameters(self) -> dict[str, Any]:
        """The call's parameters."""
        return dict(json.loads(self.body or b"{}"))

    @property
    def reads(self) -> bool:
        """Whether the call changes nothing."""
        return self.operation.startswith(("Get", "List"))


@dataclass(frozen=True)
class Response:
    """A response that can be changed on its way."""

    status: int
    headers: tuple[tuple[str, str], ...]
    body: bytes

    @property
    def document(self) -> dict[str, Any]:
        """The body as data."""
        return dict(json.loads(self.body or b"{}"))

    def with_document(self, document: dict[str, Any]) -> Response:
        """Return the response with another body."""
        return replace(self, body=json.dumps(document).encode())

    def encoded(self, date: str) -> bytes:
        """Return the bytes to send, dated by the world's clock."""
        dropped = {"content-length", "date", "connection"}
        lines = [f"HTTP/1.1 {self.status} X"]
        lines += [f"{name}: {value}" for name, value in self.headers if name.lower() not in dropped]
        lines += [f"content-length: {len(self.body)}", f"date: {date}", "", ""]
        return "\r\n".join(lines).encode("latin-1") + self.body


def refusal(status: int, code: str, message: str, turk_code: str = "") -> Response:
    """Return an error as the service words it."""
    key = "message" if code == "ThrottlingException" else "Message"
    document = {"__type": code, key: message}
    if turk_code:
        document["TurkErrorCode"] = turk_code
    return Response(status, (("content-type", JSON),), json.dumps(document).encode())


async def _read(reader: asyncio.StreamReader) -> tuple[bytes, list[str], bytes] | None:
    """Return head, its lines and the body of one message; None where the connection ended before."""
    try:
        head = await reader.readuntil(b"\r\n\r\n")
        lines = head.decode("latin-1").split("\r\n")
        length = 0
        for line in lines[1:]:
            name, _, value = line.partition(":")
            if name.lower() == "content-length":
                length = int(value)
        return head, lines, await reader.readexactly(length)
    except (asyncio.IncompleteReadError, ConnectionError):
        return None


def _headers(lines: list[str]) -> list[tuple[str, str]]:
    pairs = (line.partition(":") for line in lines[1:] if line)
    return [(name.strip(), value.strip()) for name, _, value in pairs]


async def read_request(reader: asyncio.StreamReader) -> Request | None:
    """Read a request; None where the client is gone."""
    found = await _read(reader)
    if found is None:
        return None
    head, lines, body = found
    headers = tuple(_headers(lines))
    target = {name.lower(): value for name, value in headers}.get("x-amz-target", "")
    return Request(head + body, target.rpartition(".")[2], body, headers)


async def read_response(reader: asyncio.StreamReader) -> Response:
    """Read a response. Raises ConnectionError where there is none."""
    found = await _read(reader)
    if found is None:
        raise ConnectionResetError("the server is gone")
    _, lines, body = found
    return Response(int(lines[0].split()[1]), tuple(_headers(lines)), body)
