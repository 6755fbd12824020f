"""Passes requests on to the emulator, streaming both ways.

The path, the query, the ``Host`` header and the body reach the emulator as the client sent them: a
presigned URL is signed over the first three, and S3 keys may look like anything.
"""

from __future__ import annotations

import logging
from collections.abc import AsyncIterator, Callable, Iterable

import aiohttp
from starlette.types import Message, Receive, Scope, Send
from yarl import URL

from localcloud.errors import Answer, Protocol, error_answer, protocol_of
from localcloud.routing import Request

HOP_BY_HOP = frozenset(
    {
        b"connection",
        b"expect",  # answered by our own server, when the body is first asked for
        b"keep-alive",
        b"proxy-authenticate",
        b"proxy-authorization",
        b"proxy-connection",
        b"te",
        b"trailer",
        b"transfer-encoding",
        b"upgrade",
    }
)
BODILESS = frozenset({204, 304})
IDLE_CONNECTION_S = 60
CHUNK_BYTES = 256 * 1024
_CONFINED = ((b"content-security-policy", b"sandbox"), (b"x-content-type-options", b"nosniff"))
_UNSUPPORTED = b'{"error": "Unsupported service: '
_AUTO_HEADERS = ("Accept", "Accept-Encoding", "Content-Type", "User-Agent")

log = logging.getLogger("localcloud.proxy")


class ClientGone(Exception):
    """The client closed the connection before its request was complete."""


class Proxy:
    """Streams requests to whatever address ``upstream`` returns; None means that it is down."""

    def __init__(self, upstream: Callable[[], tuple[str, int] | None]) -> None:
        self._upstream = upstream
        self._session: aiohttp.ClientSession | None = None

    async def start(self) -> None:
        """Open the connection pool; needs the running event loop."""
        connector = aiohttp.TCPConnector(
            limit=0,  # as many as clients hold towards us; the emulator is one process on this machine
            keepalive_timeout=IDLE_CONNECTION_S,
            use_dns_cache=False,
        )
        self._session = aiohttp.ClientSession(
            connector=connector,
            auto_decompress=False,
            cookie_jar=aiohttp.DummyCookieJar(),
            timeout=aiohttp.ClientTimeout(total=None, sock_connect=5),  # the client decides how long it waits
            skip_auto_headers=_AUTO_HEADERS,
            read_bufsize=CHUNK_BYTES,
        )

    async def close(self) -> None:
        """Close the pool."""
        if self._session:
            await self._session.close()

    async def __call__(self, request: Request, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer ``request`` with what the emulator answers, or with a 503 that SDKs retry."""
        address = self._upstream()
        if address is None or self._session is None:
            await send_answer(unavailable(request), send)
            return
        started = _Started(send)
        try:
            await self._exchange(address, request, scope, receive, started)
        except ClientGone:
            return
        except aiohttp.ClientError as error:
            if (
                started.begun
            ):  # too late for an error response: break the connection, so that the client notices
                raise
            log.warning("the emulator did not answer %s %s: %r", request.method, request.path, error)
            await send_answer(unavailable(request), send)

    async def _exchange(
        self, address: tuple[str, int], request: Request, scope: Scope, receive: Receive, send: Send
    ) -> None:
        assert self._session is not None  # noqa: S101 - checked by the caller
        response = await self._session.request(
            request.method,
            upstream_url(address, scope),
            headers=upstream_headers(scope),
            data=_body(receive) if has_body(request) else None,
            allow_redirects=False,
        )
        async with response:
            refusal = await _unsupported_service(request, response)
            if refusal:
                await send_answer(refusal, send)
                return
            headers = response_headers(request, response.raw_headers)
            await send({"type": "http.response.start", "status": response.status, "headers": headers})
            if request.method != "HEAD" and response.status not in BODILESS:
                async for chunk in response.content.iter_any():
                    await send({"type": "http.response.body", "body": chunk, "more_body": True})
            await send({"type": "http.response.body", "body": b""})


class _Started:
    """A ``send`` that remembers whether the response has begun."""

    def __init__(self, send: Send) -> None:
        self._send = send
        self.begun = False

    async def __call__(self, message: Message) -> None:
        self.begun = True
        await self._send(message)


async def send_answer(answer: Answer, send: Send) -> None:
    """Send a complete response."""
    await send({"type": "http.response.start", "status": answer.status, "headers": list(answer.headers)})
    await send({"type": "http.response.body", "body": answer.body})


def unavailable(request: Request) -> Answer:
    """Build the answer for the time while the emulator is starting or has died."""
    message = "The AWS emulator behind this endpoint is not running at the moment; try again in a second."
    extra = {
        "retry-after": "1",
        "connection": "close",
    }  # an unread body must not be taken for the next request
    return error_answer(request, 503, "ServiceUnavailable", message, extra)


def upstream_url(address: tuple[str, int], scope: Scope) -> URL:
    """Return where to send a request, its path and query byte for byte as the client sent them."""
    path = scope["raw_path"].partition(b"?")[0].decode("latin-1") or "/"
    query = scope["query_string"].decode("latin-1")
    return URL.build(
        scheme="http", host=address[0], port=address[1], path=path, query_string=query, encoded=True
    )


def upstream_headers(scope: Scope) -> list[tuple[str, str]]:
    """Return the client's headers without those that concern its connection to us."""
    named = {
        token.strip().lower()
        for name, value in scope["headers"]
        if name == b"connection"
        for token in value.split(b",")
    }
    dropped = HOP_BY_HOP | named
    return [(n.decode("latin-1"), v.decode("latin-1")) for n, v in scope["headers"] if n not in dropped]


def response_headers(request: Request, upstream: Iterable[tuple[bytes, bytes]]) -> list[tuple[bytes, bytes]]:
    """Return the emulator's headers for the client: no grants to web pages, no objects that run as ours.

    An SDK signs in a header. What does not may be a browser, and an object that it opens shares
    its origin with the workers' site: the sandbox gives it an origin of its own, without scripts.
    """
    own = () if request.header("authorization") else _CONFINED
    dropped = HOP_BY_HOP | {name for name, _ in own}
    lower = [(name.lower(), value) for name, value in upstream]
    kept = [(n, v) for n, v in lower if n not in dropped and not n.startswith(b"access-control-")]
    return [*kept, *own]


def has_body(request: Request) -> bool:
    """Tell whether the request announces a body."""
    return bool(request.header("transfer-encoding")) or request.header("content-length") not in ("", "0")


async def _body(receive: Receive) -> AsyncIterator[bytes]:
    while True:
        message = await receive()
        if message["type"] == "http.disconnect":
            raise ClientGone
        if message.get("body"):
            yield message["body"]
        if not message.get("more_body"):
            return


async def _unsupported_service(request: Request, response: aiohttp.ClientResponse) -> Answer | None:
    """Give a type to the emulator's answer for a service that it does not have; None for any other."""
    if response.status != 400 or (response.content_length or 0) > 200:
        return None
    head = await response.content.read(200)
    if not head.startswith(_UNSUPPORTED):
        response.content.unread_data(head)
        return None
    return not_implemented(
        request, f"The service {request.service or 'of this request'} is not part of this local cloud."
    )


def not_implemented(request: Request, message: str) -> Answer:
    """Build the answer for a service or an operation that nothing here implements."""
    code = "InvalidAction" if protocol_of(request) is Protocol.QUERY else "UnknownOperationException"
    status = 501 if protocol_of(request) is Protocol.S3 else 400
    return error_answer(
        request, status, "NotImplemented" if status == 501 else code, message, {"connection": "close"}
    )
