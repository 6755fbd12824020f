"""The one endpoint: sends every request to the service that it is for, and starts and stops them all."""

from __future__ import annotations

import asyncio
import json
import logging
from collections.abc import Awaitable, Callable, Iterable
from typing import Protocol

from starlette.types import ASGIApp, Receive, Scope, Send

from localcloud.emulator import Emulator
from localcloud.errors import Answer, error_answer
from localcloud.guard import refusal
from localcloud.proxy import Proxy, not_implemented, send_answer
from localcloud.routing import Request, Route, route

log = logging.getLogger("localcloud.front")

Handler = Callable[[Request, Scope, Receive, Send], Awaitable[None]]


class Service(Protocol):
    """A service that runs in this process; `start` and `stop` may block and run in a thread."""

    app: ASGIApp | None
    """Set by `start`; None means that it is not ready."""

    def start(self) -> None:
        """Get ready, `app` included."""

    def stop(self) -> None:
        """Let go of everything, quickly."""


class Front:
    """The ASGI application.

    The workforce starts at once; SageMaker calls S3 and Logs through the front itself, so it
    starts when the emulator answers.
    """

    def __init__(
        self, emulator: Emulator, workforce: Service, sagemaker: Service, allowed_hosts: Iterable[str] = ()
    ) -> None:
        """``allowed_hosts`` are names besides those of loopback by which clients may call."""
        self._allowed_hosts = frozenset(name.lower() for name in allowed_hosts)
        self._emulator = emulator
        self._services = {"workforce": workforce, "sagemaker": sagemaker}
        self._proxy = Proxy(lambda: emulator.address)
        self._problems: dict[str, str] = {}
        self.on_failure: Callable[[], None] = lambda: None
        """Called when a service cannot be started; `problems` says why."""
        self._starting: asyncio.Task[None] | None = None
        self._handlers: dict[Route, Handler] = {
            Route.HEALTH: self._health,
            Route.HOME: self._home,
            Route.WORKFORCE: self._in_process("workforce"),
            Route.SAGEMAKER: self._in_process("sagemaker"),
            Route.NOT_IMPLEMENTED: self._not_implemented,
            Route.FORBIDDEN: self._forbidden,
            Route.EMULATOR: self._proxy,
        }

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Handle one ASGI connection."""
        if scope["type"] == "http":
            request = Request.of(scope["method"], scope["path"], scope["query_string"], scope["headers"])
            chosen = route(request)
            problem = refusal(request, chosen, self._allowed_hosts)
            if problem:
                await send_answer(error_answer(request, 403, "AccessDenied", problem, _CLOSE), send)
                return
            await self._handlers[chosen](request, scope, receive, send)
        elif scope["type"] == "lifespan":
            await self._lifespan(receive, send)
        else:
            await send({"type": "websocket.close", "code": 1008})

    async def start(self) -> None:
        """Begin to start everything and return at once: `/health` tells when it is done."""
        await self._proxy.start()
        self._emulator.start()
        self._starting = asyncio.create_task(self._start_services())

    async def stop(self) -> None:
        """Stop everything: first who causes work, the emulator last."""
        if self._starting:
            self._starting.cancel()
            await asyncio.gather(self._starting, return_exceptions=True)
        for name, service in self._services.items():
            try:
                await asyncio.to_thread(service.stop)
            except Exception:
                log.exception("%s did not stop well", name)
        await self._proxy.close()
        await self._emulator.stop()

    async def _start_services(self) -> None:
        await self._start_service("workforce")
        await self._emulator.wait_ready()
        await self._start_service("sagemaker")

    async def _start_service(self, name: str) -> None:
        try:
            await asyncio.to_thread(self._services[name].start)
        except Exception as error:
            self._problems[name] = f"failed: {error}"
            log.info("%s could not be started", name, exc_info=True)
            self.on_failure()

    @property
    def problems(self) -> list[str]:
        """The services that could not be started, and why, a line each."""
        return [f"{name} {problem}" for name, problem in self._problems.items()]

    def _statuses(self) -> dict[str, str]:
        statuses = {"emulator": self._emulator.state}
        for name, service in self._services.items():
            statuses[name] = self._problems.get(name) or ("ready" if service.app else "starting")
        return statuses

    async def _health(self, request: Request, scope: Scope, receive: Receive, send: Send) -> None:
        statuses = self._statuses()
        ready = all(status == "ready" for status in statuses.values())
        body = json.dumps({"status": "ok" if ready else "not ready", "services": statuses}).encode()
        headers = ((b"content-type", b"application/json"), (b"content-length", str(len(body)).encode()))
        await send_answer(
            Answer(200 if ready else 503, headers, b"" if request.method == "HEAD" else body), send
        )

    async def _home(self, request: Request, scope: Scope, receive: Receive, send: Send) -> None:
        await send_answer(Answer(307, ((b"location", b"/worker"), (b"content-length", b"0")), b""), send)

    def _in_process(self, name: str) -> Handler:
        service = self._services[name]

        async def handle(request: Request, scope: Scope, receive: Receive, send: Send) -> None:
            if service.app:
                await service.app(scope, receive, send)
                return
            problem = self._problems.get(name, "is starting; try again in a second")
            await send_answer(
                error_answer(request, 503, "ServiceUnavailable", f"{name} {problem}", _CLOSE), send
            )

        return handle

    async def _not_implemented(self, request: Request, scope: Scope, receive: Receive, send: Send) -> None:
        message = f"{request.method} {request.path} is not implemented by this local cloud yet."
        await send_answer(not_implemented(request, message), send)

    async def _forbidden(self, request: Request, scope: Scope, receive: Receive, send: Send) -> None:
        message = f"{request.path} would bypass what this local cloud keeps; it is not served."
        await send_answer(error_answer(request, 403, "AccessDenied", message, _CLOSE), send)

    async def _lifespan(self, receive: Receive, send: Send) -> None:
        while True:
            message = await receive()
            if message["type"] == "lifespan.startup":
                await self.start()
                await send({"type": "lifespan.startup.complete"})
            else:
                await self.stop()
                await send({"type": "lifespan.shutdown.complete"})
                return


_CLOSE = {"connection": "close"}
