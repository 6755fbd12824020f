"""A time limit for sending a request's body, so that nobody holds the server by sending slowly."""

from __future__ import annotations

import asyncio

from starlette.responses import PlainTextResponse
from starlette.types import ASGIApp, Message, Receive, Scope, Send

BODY_SECONDS = 30.0


class BodyDeadline:
    """Answers 408 and closes the connection when a body is not complete after so many seconds.

    The application below sees a client that has gone. How long headers take is not seen here; that limit,
    and one for slow readers, belong to a reverse proxy.
    """

    def __init__(self, app: ASGIApp, seconds: float = BODY_SECONDS) -> None:
        self._app = app
        self._seconds = seconds

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass the request on with the time limit on its body."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        body = _Body(receive, asyncio.get_running_loop().time() + self._seconds)
        begun = False

        async def send_in_time(message: Message) -> None:
            nonlocal begun
            if not body.late:  # what it says to a client that it takes for gone is not for anybody
                begun = begun or message["type"] == "http.response.start"
                await send(message)

        try:
            await self._app(scope, body.receive, send_in_time)
        except Exception:
            if not body.late:
                raise
        if body.late and not begun:
            text = f"The body of the request did not arrive within {self._seconds:g} seconds."
            answer = PlainTextResponse(text, 408, headers={"Connection": "close"})
            await answer(scope, receive, send)


class _Body:
    def __init__(self, receive: Receive, deadline: float) -> None:
        self._receive = receive
        self._deadline = deadline
        self._complete = False
        self.late = False

    async def receive(self) -> Message:
        if self._complete:
            return await self._receive()
        try:
            async with asyncio.timeout_at(self._deadline):
                message = await self._receive()
        except TimeoutError:
            self._complete = self.late = True
            return {"type": "http.disconnect"}
        self._complete = message["type"] != "http.request" or not message.get("more_body", False)
        return message
