"""What all pages of the site share: the market, the sessions, the templates."""

from __future__ import annotations

from datetime import datetime
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from jinja2 import Environment, FileSystemLoader, StrictUndefined, select_autoescape
from starlette.requests import Request
from starlette.responses import HTMLResponse

from workforce.market import Market
from workforce.market.workers import WorkerService
from workforce.site import headers, wording
from workforce.site.sessions import Session, Sessions

_HERE = Path(__file__).parent
STATIC = _HERE / "static"


class Site:
    """The site over one market; `public_url` is the origin that browsers use, if it is not the request's."""

    def __init__(self, market: Market, *, secret: str, public_url: str | None) -> None:
        self._public_origin = _origin(public_url) if public_url else None
        secure = bool(self._public_origin and self._public_origin.startswith("https:"))
        self.market = market
        self.sessions = Sessions(secret, market.sessions, secure=secure)
        self._templates = Environment(
            loader=FileSystemLoader(_HERE / "templates"),
            autoescape=select_autoescape(default=True, default_for_string=True),
            undefined=StrictUndefined,
            trim_blocks=True,
            lstrip_blocks=True,
        )
        self._templates.filters.update(
            money=wording.money, duration=wording.duration, until=wording.until, day=wording.day
        )

    @property
    def workers(self) -> WorkerService:
        """The workers' side of the market."""
        return self.market.workers

    def now(self) -> datetime:
        """The market's time."""
        return self.market.clock.now()

    def origin(self, request: Request) -> str:
        """Scheme, host and port of this site without a slash at the end, as `turkSubmitTo` wants it."""
        return self._public_origin or str(request.base_url).rstrip("/")

    def page(
        self,
        request: Request,
        template: str,
        *,
        session: Session | None,
        status: int = 200,
        policy: str = headers.SITE_POLICY,
        **values: Any,
    ) -> HTMLResponse:
        """Render a page of the site."""
        worker_id = session.worker_id if session else None
        html = self._templates.get_template(template).render(
            worker_id=worker_id,
            unread=self._unread(worker_id) if worker_id else 0,
            csrf=self.sessions.token(session) if session else "",
            path=request.url.path,
            now=self.now(),
            **values,
        )
        return HTMLResponse(html, status, headers={"Content-Security-Policy": policy})

    def problem(
        self,
        request: Request,
        status: int,
        title: str,
        text: str,
        *,
        detail: str = "",
        policy: str = headers.SITE_POLICY,
        framed: bool = False,
    ) -> HTMLResponse:
        """A friendly page that says what went wrong and where to go on."""
        return self.page(
            request,
            "framed_message.html" if framed else "problem.html",
            session=None if framed else self._session_if_readable(request),
            status=status,
            policy=policy,
            title=title,
            text=text,
            detail=detail,
        )

    def _unread(self, worker_id: str) -> int:
        try:
            return self.market.inbox.unread(worker_id)
        except Exception:  # a page that tells of a fault has this in its navigation too
            return 0

    def _session_if_readable(self, request: Request) -> Session | None:
        try:
            return self.sessions.read(request)
        except Exception:  # this page tells of faults, so the database may well be one of them
            return None


def _origin(url: str) -> str:
    parts = urlsplit(url)
    if parts.scheme not in ("http", "https") or not parts.netloc or parts.path.strip("/"):
        raise ValueError(f"public_url {url!r} must be http(s)://host[:port] without a path; correct it")
    return f"{parts.scheme}://{parts.netloc}"
