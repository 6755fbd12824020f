"""The proxy against an upstream that records what arrives byte for byte."""

from __future__ import annotations

import asyncio
import http.client
import io
import socket
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import psutil
import pytest
from starlette.types import ASGIApp

from localcloud.emulator import Emulator
from localcloud.front import Front
from localcloud.server import bind, make_server

OK = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"


class Upstream:
    """A server of raw bytes: keeps each request, and answers with ``answer``."""

    def __init__(self) -> None:
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.answer = OK
        self.heads: list[bytes] = []
        self.bodies: list[bytes] = []
        self.received = 0
        self.closed = threading.Event()
        threading.Thread(target=self._serve, daemon=True).start()

    def _serve(self) -> None:
        while True:
            try:
                connection, _ = self.listener.accept()
            except OSError:
                return
            threading.Thread(target=self._talk, args=(connection,), daemon=True).start()

    def _talk(self, connection: socket.socket) -> None:
        with connection, connection.makefile("rb") as stream:
            while head := self._head(stream):
                self.heads.append(head)
                self.bodies.append(self._body(head, stream))
                connection.sendall(self.answer)
                if b"Content-Length" not in self.answer:
                    break
        self.closed.set()

    def _head(self, stream: io.BufferedReader) -> bytes:
        head = b""
        while line := stream.readline().rstrip(b"\r\n"):
            head += line + b"\n"
        return head

    def _body(self, head: bytes, stream: io.BufferedReader) -> bytes:
        fields = dict(line.lower().split(b": ", 1) for line in head.splitlines()[1:])
        left, kept = int(fields.get(b"content-length", 0)), b""
        while left:
            piece = stream.read1(min(left, 1 << 20))
            if not piece:
                return kept + b"<cut off>"
            left -= len(piece)
            self.received += len(piece)
            kept = (kept + piece)[:1000]
        return kept


class NoService:
    app: ASGIApp | None = None

    def start(self) -> None:
        """Nothing to start."""

    def stop(self) -> None:
        """Nothing to stop."""


class FakeEmulator(Emulator):
    def __init__(self, address: tuple[str, int] | None) -> None:
        self.address = address
        self.state = "ready" if address else "restarting"

    def start(self) -> None:
        """It runs."""

    async def wait_ready(self) -> None:
        await asyncio.Event().wait()

    async def stop(self) -> None:
        """It is not ours."""


@contextmanager
def serving(address: tuple[str, int] | None) -> Iterator[tuple[str, int]]:
    listener = bind("127.0.0.1", 0)
    server = make_server(Front(FakeEmulator(address), NoService(), NoService()))
    thread = threading.Thread(target=server.run, kwargs={"sockets": [listener]})
    thread.start()
    try:
        yield listener.getsockname()
    finally:
        server.should_exit = True
        thread.join(15)
        listener.close()


@pytest.fixture
def upstream() -> Iterator[Upstream]:
    server = Upstream()
    yield server
    server.listener.close()


@pytest.fixture
def front(upstream: Upstream) -> Iterator[tuple[str, int]]:
    with serving(upstream.listener.getsockname()) as address:
        yield address


def exchange(address: tuple[str, int], request: bytes, until: bytes | None = None) -> bytes:
    """Send raw bytes and read until the end or until ``until`` has come."""
    with socket.create_connection(address, timeout=10) as connection:
        connection.sendall(request)
        answer = b""
        while until is None or until not in answer:
            piece = connection.recv(65536)
            if not piece:
                break
            answer += piece
        return answer


def wait_for(done: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 10
    while not done():
        assert time.monotonic() < deadline
        time.sleep(0.01)


def test_request_head_arrives_unchanged(front: tuple[str, int], upstream: Upstream) -> None:
    exchange(
        front,
        b"GET /b/a%2Fb%20c/../d//e?uploads&X=%2B+ HTTP/1.1\r\nHost: bucket.s3.localhost:99\r\n"
        b"X-Amz-Meta-A: 1\r\nAuthorization: AWS4-HMAC-SHA256 x\r\n"
        b"Connection: close, X-Private\r\nX-Private: 1\r\nTE: trailers\r\n\r\n",
    )
    first, *fields = upstream.heads[0].decode().splitlines()
    assert first == "GET /b/a%2Fb%20c/../d//e?uploads&X=%2B+ HTTP/1.1"
    assert sorted(field.lower() for field in fields) == [
        "authorization: aws4-hmac-sha256 x",
        "host: bucket.s3.localhost:99",
        "x-amz-meta-a: 1",
    ]


def test_response_arrives_without_connection_headers(front: tuple[str, int], upstream: Upstream) -> None:
    upstream.answer = (
        b"HTTP/1.1 200 OK\r\nContent-Length: 3\r\nKeep-Alive: 5\r\nContent-Encoding: gzip\r\n"
        b'ETag: "e"\r\nSet-Cookie: a=1\r\nSet-Cookie: b=2\r\n\r\n\x1f\x8b\x08'
    )
    answer = exchange(front, b"GET /b/k HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n")
    head, _, body = answer.lower().partition(b"\r\n\r\n")
    assert body == b"\x1f\x8b\x08", "an encoded body must not be decoded on the way"
    assert b"keep-alive" not in head
    assert head.count(b"set-cookie") == 2
    assert b'etag: "e"' in head


CONFINED = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nAccess-Control-Allow-Origin: *\r\n"


def test_emulator_grants_nothing_to_web_pages(front: tuple[str, int], upstream: Upstream) -> None:
    upstream.answer = CONFINED + b"access-control-allow-headers: *\r\nX-Kept: 1\r\n\r\nok"
    answer = exchange(front, b"OPTIONS /b/k HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n").lower()
    assert b"access-control" not in answer
    assert b"x-kept: 1" in answer


def test_what_a_browser_may_open_is_sandboxed(front: tuple[str, int], upstream: Upstream) -> None:
    upstream.answer = CONFINED + b"Content-Security-Policy: script-src *\r\n\r\nok"
    get = b"GET /b/k?X-Amz-Signature=1 HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n"
    head = exchange(front, get + b"\r\n").lower()
    assert head.count(b"content-security-policy: sandbox\r\n") == 1
    assert b"script-src" not in head
    assert b"x-content-type-options: nosniff" in head
    signed = exchange(front, get + b"Authorization: AWS4-HMAC-SHA256 x\r\n\r\n").lower()
    assert b"sandbox" not in signed
    assert b"content-security-policy: script-src *" in signed


def test_head_keeps_its_content_length(front: tuple[str, int], upstream: Upstream) -> None:
    upstream.answer = b"HTTP/1.1 200 OK\r\nContent-Length: 12345\r\n\r\n"
    answer = exchange(front, b"HEAD /b/k HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n").lower()
    assert b"content-length: 12345" in answer
    assert answer.endswith(b"\r\n\r\n")


@pytest.mark.parametrize("status", [b"204 No Content", b"304 Not Modified"])
def test_bodiless_statuses_leave_the_connection_usable(
    front: tuple[str, int], upstream: Upstream, status: bytes
) -> None:
    upstream.answer = b"HTTP/1.1 " + status + b"\r\nContent-Length: 0\r\n\r\n"
    connection = http.client.HTTPConnection(*front, timeout=10)
    for _ in range(2):
        connection.request("GET", "/b/k")
        response = connection.getresponse()
        assert (response.status, response.read()) == (int(status[:3]), b"")
    connection.close()


def test_100_continue_is_sent_when_the_body_is_wanted(front: tuple[str, int], upstream: Upstream) -> None:
    with socket.create_connection(front, timeout=10) as connection:
        connection.sendall(
            b"PUT /b/k HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n"
            b"Content-Length: 5\r\nExpect: 100-continue\r\n\r\n"
        )
        assert connection.recv(100) == b"HTTP/1.1 100 Continue\r\n\r\n"
        connection.sendall(b"hello")
        assert b"200 OK" in connection.recv(1000)
    assert upstream.bodies == [b"hello"]
    assert b"xpect" not in upstream.heads[0]


def test_large_upload_is_not_held_in_memory(front: tuple[str, int], upstream: Upstream) -> None:
    """The upstream here keeps 1,000 bytes, so what grows would be the proxy."""
    size, piece = 300 * 2**20, b"x" * 2**20
    before = psutil.Process().memory_info().rss
    connection = http.client.HTTPConnection(*front, timeout=60)
    connection.putrequest("PUT", "/b/k")
    connection.putheader("Content-Length", str(size))
    connection.endheaders()
    highest = before
    for _ in range(size // len(piece)):
        connection.send(piece)
        highest = max(highest, psutil.Process().memory_info().rss)
    assert connection.getresponse().read() == b"ok"
    connection.close()
    assert upstream.received == size
    assert highest - before < 40 * 2**20


def test_cut_off_upload_is_cut_off_upstream_too(front: tuple[str, int], upstream: Upstream) -> None:
    """An object that arrived in part must not be stored."""
    with socket.create_connection(front, timeout=10) as connection:
        connection.sendall(b"PUT /b/k HTTP/1.1\r\nHost: localhost\r\nContent-Length: 100\r\n\r\nhalf")
        wait_for(lambda: upstream.received == 4)
    wait_for(upstream.closed.is_set)
    assert upstream.bodies == [b"half<cut off>"]


def test_upstream_that_dies_within_a_response_breaks_ours(front: tuple[str, int], upstream: Upstream) -> None:
    upstream.answer = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n"
    connection = http.client.HTTPConnection(*front, timeout=10)
    connection.request("GET", "/b/k")
    with pytest.raises((http.client.IncompleteRead, ConnectionError)):
        connection.getresponse().read()
    connection.close()


def test_upstream_that_dies_before_its_response_is_a_503(front: tuple[str, int], upstream: Upstream) -> None:
    upstream.answer = b""
    answer = exchange(front, b"POST /b/k HTTP/1.1\r\nHost: localhost\r\nContent-Length: 1\r\n\r\nx")
    assert answer.startswith(b"HTTP/1.1 503")
    assert b"<Code>ServiceUnavailable</Code>" in answer


def test_upstream_that_is_down_is_a_503_at_once() -> None:
    with serving(None) as address:
        answer = exchange(address, b"PUT /b/k HTTP/1.1\r\nHost: localhost\r\nContent-Length: 100\r\n\r\n")
    assert answer.startswith(b"HTTP/1.1 503")
    assert b"retry-after: 1" in answer.lower()


def test_response_is_streamed_as_it_comes(front: tuple[str, int], upstream: Upstream) -> None:
    upstream.answer = b"HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nfirst"  # and the rest never comes
    answer = exchange(front, b"GET /b/k HTTP/1.1\r\nHost: localhost\r\n\r\n", until=b"first")
    assert answer.endswith(b"first")


def test_not_ready_services_are_a_typed_503() -> None:
    target = b"X-Amz-Target: SageMaker.ListModels\r\nContent-Length: 0\r\n"
    with serving(None) as address:
        answer = exchange(address, b"POST / HTTP/1.1\r\nHost: localhost\r\n" + target + b"\r\n")
        health = exchange(address, b"GET /health HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n")
    assert answer.startswith(b"HTTP/1.1 503")
    assert b'"__type": "ServiceUnavailable"' in answer
    assert health.startswith(b"HTTP/1.1 503")
    assert b'"workforce": "starting"' in health
