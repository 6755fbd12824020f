"""Security headers: what each kind of response may do in a browser."""

from __future__ import annotations

from typing import ClassVar

from starlette.datastructures import MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send

_BASE = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; connect-src 'self'; "
    "form-action 'self'; base-uri 'none'; frame-ancestors 'none'"
)
SITE_POLICY = _BASE
"""Our own pages: nothing from elsewhere, never in a frame."""

QUESTION_POLICY = (
    "sandbox allow-scripts allow-forms allow-popups allow-popups-to-escape-sandbox allow-modals"
    " allow-downloads; frame-ancestors 'self'"
)
"""A requester's page: the sandbox of the header holds even when it is opened outside of our frame."""

MESSAGE_POLICY = (
    "default-src 'none'; style-src 'self'; img-src 'self'; base-uri 'none'; form-action 'none'; "
    "sandbox allow-popups allow-popups-to-escape-sandbox allow-top-navigation-by-user-activation"
)
"""Our answer inside a task's frame: no script, links may lead out of the frame."""


def framing_policy(sources: str) -> str:
    """Our page with a frame in it that may show only the given sources."""
    return f"{_BASE}; frame-src {sources}"


class SecurityHeaders:
    """Adds what every response of the site carries, unless it carries its own."""

    _ALWAYS: ClassVar = {
        "X-Content-Type-Options": "nosniff",
        "Referrer-Policy": "same-origin",
        "Content-Security-Policy": SITE_POLICY,
        "Cache-Control": "no-store",
        "Permissions-Policy": "camera=(), geolocation=(), microphone=(), payment=()",
    }

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass the request on and complete the headers of its response."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return

        async def complete(message: Message) -> None:
            if message["type"] == "http.response.start":
                headers = MutableHeaders(scope=message)
                if scope["path"].startswith("/worker/static/"):
                    headers["Cache-Control"] = "no-cache"  # kept, but asked for again
                for name, value in self._ALWAYS.items():
                    headers.setdefault(name, value)
                if "frame-ancestors 'none'" in headers["Content-Security-Policy"]:
                    headers.setdefault("X-Frame-Options", "DENY")
                    headers.setdefault("Cross-Origin-Opener-Policy", "same-origin")
            await send(message)

        await self._app(scope, receive, complete)
