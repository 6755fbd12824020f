"""The wire without sockets: a client's signed request goes through the proxy into the server, in one thread.

Client, proxy and server are the same as over HTTP, and so is every byte between them; only the operating
system is left out, which costs several times what the rest of a call does.
"""

from __future__ import annotations

import io
from collections.abc import AsyncIterator, Awaitable, Coroutine, Iterator, MutableMapping
from typing import Any

from aiobotocore.awsrequest import AioAWSResponse
from botocore.awsrequest import AWSResponse, HeadersDict
from botocore.exceptions import ConnectionClosedError
from starlette.types import ASGIApp

from tools.chaos.proxy import Aborted, FaultProxy
from tools.chaos.wire import Request, Response


class AsgiUpstream:
    """The server as the proxy reaches it, without a connection."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def call(self, request: Request) -> Response:
        """Let the application answer."""
        body = [{"type": "http.request", "body": request.body, "more_body": False}]
        status, headers, parts = 0, list[tuple[str, str]](), list[bytes]()

        async def receive() -> MutableMapping[str, Any]:
            return body.pop() if body else {"type": "http.disconnect"}

        async def send(message: MutableMapping[str, Any]) -> None:
            nonlocal status, headers
            if message["type"] == "http.response.start":
                status = message["status"]
                headers = [(key.decode(), value.decode()) for key, value in message["headers"]]
            else:
                parts.append(message.get("body", b""))

        await self._app(_scope(request), receive, send)
        return Response(status, tuple(headers), b"".join(parts))


def _scope(request: Request) -> dict[str, Any]:
    return {
        "type": "http",
        "asgi": {"version": "3.0"},
        "http_version": "1.1",
        "method": "POST",
        "scheme": "http",
        "path": "/",
        "raw_path": b"/",
        "root_path": "",
        "query_string": b"",
        "headers": [(key.lower().encode(), value.encode()) for key, value in request.headers],
        "client": ("127.0.0.1", 1),
        "server": ("127.0.0.1", 1),
        "state": {},
    }


class DirectWire:
    """
    Event handlers for botocore's ``before-send``, with which a client needs no network.

    :param proxy: what every request goes through.
    :param app: the server.
    """

    def __init__(self, proxy: FaultProxy, app: ASGIApp) -> None:
        self._proxy = proxy
        self._upstream = AsgiUpstream(app)
        self.on = True

    def send(self, request: Any, **_: Any) -> AWSResponse | None:
        """Answer a request of a boto3 client; None lets it use the network."""
        return self._answer(request, AWSResponse, _Raw) if self.on else None

    async def asend(self, request: Any, **_: Any) -> AioAWSResponse | None:
        """Answer a request of an aiobotocore client; None lets it use the network."""
        return self._answer(request, AioAWSResponse, _AsyncRaw) if self.on else None

    def _answer(self, sent: Any, kind: Any, raw: Any) -> Any:
        headers = tuple((key, _text(value)) for key, value in sent.headers.items())
        # urllib3 adds it, and it is part of what was signed
        host = sent.url.split("/")[2]
        body = sent.body.encode() if isinstance(sent.body, str) else bytes(sent.body)
        target = {key.lower(): value for key, value in headers}["x-amz-target"]
        request = Request(b"", target.rpartition(".")[2], body, (*headers, ("Host", host)))
        try:
            response = at_once(self._proxy.answer(request, self._upstream))
        except Aborted as error:
            raise ConnectionClosedError(endpoint_url=sent.url) from error
        fields = HeadersDict((*response.headers, ("date", self._proxy.date())))
        return kind(sent.url, response.status, fields, raw(response.body))


def _text(value: str | bytes) -> str:
    return value.decode() if isinstance(value, bytes) else value


class _Raw(io.BytesIO):
    """A body as urllib3 has it."""

    def stream(self, **_: Any) -> Iterator[bytes]:
        yield self.read()


class _AsyncRaw:
    """A body as aiohttp has it."""

    def __init__(self, body: bytes) -> None:
        self._body = body

    async def read(self) -> bytes:
        return self._body

    async def iter_any(self) -> AsyncIterator[bytes]:
        yield self._body


def at_once(work: Coroutine[Any, Any, Any]) -> Any:
    """Run a coroutine that waits for nothing. Raises RuntimeError where it would wait."""
    try:
        work.send(None)
    except StopIteration as end:
        return end.value
    work.close()
    raise RuntimeError("something on the way waits for the network")


class InlineThreads:
    """Stands in for anyio's ``to_thread``: does the work at once while the wire is direct."""

    def __init__(self, wire: DirectWire, threads: Any) -> None:
        self._wire = wire
        self._threads = threads

    def run_sync(self, work: Any, *arguments: Any, **options: Any) -> Awaitable[Any]:
        """See ``anyio.to_thread.run_sync``."""
        if not self._wire.on:
            result: Awaitable[Any] = self._threads.run_sync(work, *arguments, **options)
            return result
        return _done(work, *arguments)


async def _done(work: Any, *arguments: Any) -> Any:
    return work(*arguments)
