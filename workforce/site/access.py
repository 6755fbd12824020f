"""Doors: pages that need sign-in, and forms that need the session's token."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from urllib.parse import urlencode

from starlette.concurrency import run_in_threadpool
from starlette.datastructures import FormData
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response

from workforce.site import headers
from workforce.site.context import Site
from workforce.site.sessions import Session

Page = Callable[[Site, Request, Session, str], Response]
Action = Callable[[Site, Request, Session, str, FormData], Response]
Endpoint = Callable[[Request], Response]
AsyncEndpoint = Callable[[Request], Awaitable[Response]]

_MAX_FIELDS = 20


def signed_in(site: Site, page: Page, *, framed: bool = False) -> Endpoint:
    """A page for signed-in workers; others are sent to sign in (inside a frame: told to)."""

    def endpoint(request: Request) -> Response:
        session = site.sessions.read(request)
        if session is not None and session.worker_id is not None:
            site.workers.ensure_worker(session.worker_id)  # the database may be newer than the cookie
            return page(site, request, session, session.worker_id)
        if framed:
            policy = headers.MESSAGE_POLICY
            text = "From inside this frame we cannot see who you are. Reload the whole page."
            return site.problem(request, 401, "Please sign in", text, policy=policy, framed=True)
        return to_sign_in(request)

    return endpoint


def signed_in_form(site: Site, action: Action) -> AsyncEndpoint:
    """A form post of a signed-in worker, refused without the session's token."""

    async def endpoint(request: Request) -> Response:
        session = await run_in_threadpool(site.sessions.read, request)
        if session is None or session.worker_id is None:
            text = "You are signed out, so nothing was changed. Sign in and do it again."
            return site.problem(request, 401, "Please sign in", text)
        async with request.form(max_files=0, max_fields=_MAX_FIELDS) as form:
            if not site.sessions.accepts(session, posted(form, "csrf")):
                return forged(site, request)
            return await run_in_threadpool(action, site, request, session, session.worker_id, form)

    return endpoint


def posted(form: FormData, name: str) -> str:
    """A text field of a form; empty when it is missing."""
    value = form.get(name)
    return value if isinstance(value, str) else ""


def forged(site: Site, request: Request) -> Response:
    """The answer to a form without the right token."""
    text = "The form was too old, or was not sent from this site. Nothing was changed; please try again."
    return site.problem(request, 403, "That form could not be accepted", text)


def to_sign_in(request: Request) -> Response:
    """Ask for sign-in, and come back here afterwards."""
    here = request.url.path + (f"?{request.url.query}" if request.url.query else "")
    return RedirectResponse(f"/worker/sign-in?{urlencode({'next': here})}", status_code=303)
