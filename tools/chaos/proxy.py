"""A real HTTP proxy before the workforce, through which calls go wrong as the plan says."""

from __future__ import annotations

import asyncio
import contextlib
from email.utils import format_datetime
from typing import Protocol

from tools.chaos.faults import Fault, FaultPlan
from tools.chaos.lagging import Lag
from tools.chaos.wire import Request, Response, read_request, read_response, refusal
from tools.chaos.world import World

HOST = "127.0.0.1"
_UNABLE = "Amazon Mechanical Turk is temporarily unable to process your request. Try your call again."
#: Seconds that a slow call takes.
_SLOW = (5.0, 300.0)
#: Seconds after which a request may be delivered again.
_LATE = (30.0, 3_600.0)


class Aborted(Exception):
    """The client's connection is to be cut."""


class Upstream(Protocol):
    """The way from the proxy to the workforce."""

    async def call(self, request: Request) -> Response:
        """Pass a request on."""


class FaultProxy:
    """
    Passes requests on to the workforce, or does something else with them.

    One plan, world and lag are in force at a time; they are exchanged between schedules.

    :param target: port of the workforce on the loopback.
    """

    def __init__(self, target: int) -> None:
        self._target = target
        self.port = 0
        self.plan = FaultPlan(0)
        self.world = World()
        self.lag: Lag | None = None
        self._served: dict[tuple[str, bytes], tuple[float, Response]] = {}
        self._copies: list[tuple[float, Request]] = []

    async def start(self) -> asyncio.Server:
        """Listen on a free port of the loopback."""
        server = await asyncio.start_server(self._serve, HOST, 0, limit=1 << 22)
        self.port = int(server.sockets[0].getsockname()[1])
        return server

    def begin(self, plan: FaultPlan, world: World, lag: Lag) -> None:
        """Start a schedule: nothing is remembered of the one before."""
        self.plan, self.world, self.lag = plan, world, lag
        self._served.clear()
        self._copies.clear()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        upstream = _Upstream(self._target)
        try:
            while (request := await read_request(reader)) is not None:
                response = await self.answer(request, upstream)
                writer.write(response.encoded(self.date()))
                await writer.drain()
        except (Aborted, ConnectionError):
            writer.transport.abort()
        except asyncio.CancelledError:
            pass  # the proxy stops
        finally:
            upstream.close()
            with contextlib.suppress(ConnectionError):
                writer.close()

    def date(self) -> str:
        """The world's time as a ``Date`` header."""
        return format_datetime(self.world.now(), usegmt=True)

    async def answer(self, request: Request, upstream: Upstream) -> Response:
        """Answer a request as the plan says. Raises Aborted where the connection is to be cut."""
        self.world.advance(0.2)  # no call takes no time
        await self._deliver_copies(upstream)
        fault = self.plan.next(request.operation)
        if fault is None:
            return self._remember(request, await upstream.call(request))
        if fault in {Fault.STALE, Fault.LAGGING}:
            return await self._old_news(fault, request, upstream)
        self.plan.count(fault)
        return await self._go_wrong(fault, request, upstream)

    async def _go_wrong(self, fault: Fault, request: Request, upstream: Upstream) -> Response:
        match fault:
            case Fault.RESET:
                raise Aborted
            case Fault.THROTTLED:
                return refusal(400, "ThrottlingException", "Rate exceeded")
            case Fault.SERVER_ERROR:
                return refusal(500 if self.plan.calls % 2 else 503, "ServiceFault", _UNABLE)
            case Fault.SLOW:
                self.world.advance(self.plan.uniform(*_SLOW))
        return await self._go_wrong_after(fault, request, upstream, await upstream.call(request))

    async def _go_wrong_after(
        self, fault: Fault, request: Request, upstream: Upstream, response: Response
    ) -> Response:
        match fault:
            case Fault.LOST_RESPONSE:
                raise Aborted
            case Fault.SERVER_ERROR_AFTER:
                return refusal(500, "ServiceFault", _UNABLE)
            case Fault.TWICE:
                await upstream.call(request)
            case Fault.TWICE_SECOND:
                response = await upstream.call(request)
            case Fault.LATE_COPY:
                self._copies.append((self.world.monotonic() + self.plan.uniform(*_LATE), request))
            case Fault.SLOW:
                self.world.advance(self.plan.uniform(*_SLOW))
        return self._remember(request, response)

    async def _deliver_copies(self, upstream: Upstream) -> None:
        """Deliver what is due; at a call, so that a replay of the schedule delivers it at the same moment."""
        now = self.world.monotonic()
        due = [request for at, request in self._copies if at <= now < at + _LATE[1]]
        self._copies = [(at, request) for at, request in self._copies if at > now]
        for request in due:
            await upstream.call(request)

    async def _old_news(self, fault: Fault, request: Request, upstream: Upstream) -> Response:
        """Answer a read with what was true before."""
        now = self.world.monotonic()
        if fault is Fault.STALE:
            at, response = self._served.get((request.operation, request.body), (0.0, None))
            if response is not None and now - at <= self.plan.lag_seconds:
                self.plan.count(fault)
                return response
        elif self.lag is not None and (hidden := self.lag.refused(request)) is not None:
            self.plan.count(fault)
            return hidden
        response = await upstream.call(request)
        if fault is Fault.LAGGING and self.lag is not None and response.status == 200:
            seen = self.lag.seen(request, response)
            if seen is not response:
                self.plan.count(fault)
                return seen
        return self._remember(request, response)

    def _remember(self, request: Request, response: Response) -> Response:
        if request.reads and response.status == 200:
            self._served[request.operation, request.body] = self.world.monotonic(), response
        return response


class _Upstream:
    """A connection to the workforce, made when it is first needed."""

    def __init__(self, port: int) -> None:
        self._port = port
        self._reader: asyncio.StreamReader | None = None
        self._writer: asyncio.StreamWriter | None = None

    async def call(self, request: Request) -> Response:
        if self._reader is None or self._writer is None:
            self._reader, self._writer = await asyncio.open_connection(HOST, self._port, limit=1 << 22)
        try:
            self._writer.write(request.raw)
            return await read_response(self._reader)
        except ConnectionError:
            self.close()  # the server lets go of connections that are idle
            reader, writer = await asyncio.open_connection(HOST, self._port, limit=1 << 22)
            self._reader, self._writer = reader, writer
            writer.write(request.raw)
            return await read_response(reader)

    def close(self) -> None:
        if self._writer is not None:
            self._writer.close()
        self._reader = self._writer = None
