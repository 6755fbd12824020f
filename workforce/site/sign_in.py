"""Sign in by worker id, and sign out."""

from __future__ import annotations

import re

from starlette.concurrency import run_in_threadpool
from starlette.datastructures import FormData
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response

from workforce.market import MarketError
from workforce.site.access import AsyncEndpoint, Endpoint, forged, posted
from workforce.site.context import Site
from workforce.site.sessions import Session

_HOME = "/worker/hits"
_LOCAL_PATH = re.compile(r"/worker(?:/[\w-]+)*(?:\?[\w=&%.~-]*)?", re.ASCII)


def sign_in_page(site: Site) -> Endpoint:
    """The form; gives the browser a session so that the form has a token."""

    def endpoint(request: Request) -> Response:
        session = site.sessions.read(request)
        target = local_path(request.query_params.get("next", ""))
        if session is not None and session.worker_id is not None:
            return RedirectResponse(target, status_code=303)
        if session is not None:
            return _form(site, request, session, target)
        session = site.sessions.fresh()
        response = _form(site, request, session, target)
        site.sessions.write(response, session)
        return response

    return endpoint


def sign_in(site: Site) -> AsyncEndpoint:
    """Takes the form."""

    async def endpoint(request: Request) -> Response:
        session = await run_in_threadpool(site.sessions.read, request)
        async with request.form(max_files=0, max_fields=10) as form:
            if session is None or not site.sessions.accepts(session, posted(form, "csrf")):
                return forged(site, request)
            return await run_in_threadpool(_enter, site, request, session, form)

    return endpoint


def sign_out(site: Site, request: Request, session: Session, worker_id: str, form: FormData) -> Response:
    """End the session, and every other of this worker: a copied cookie is worth nothing after it."""
    site.sessions.end(session)
    response = RedirectResponse("/worker/sign-in", status_code=303)
    site.sessions.clear(response)
    return response


def local_path(path: str) -> str:
    """A path on this site to go to after sign-in; anything else becomes the list of work."""
    return path if _LOCAL_PATH.fullmatch(path) else _HOME


def _enter(site: Site, request: Request, session: Session, form: FormData) -> Response:
    typed = posted(form, "worker_id")
    target = local_path(posted(form, "next"))
    try:
        worker = site.workers.ensure_worker(typed.strip().upper())
    except MarketError:
        return _form(site, request, session, target, typed=typed, wrong=True)
    response = RedirectResponse(target, status_code=303)
    site.sessions.write(response, site.sessions.fresh(worker.worker_id))
    return response


def _form(
    site: Site, request: Request, session: Session, target: str, *, typed: str = "", wrong: bool = False
) -> Response:
    return site.page(
        request,
        "sign_in.html",
        session=session,
        status=422 if wrong else 200,
        next=target,
        typed=typed[:80],
        wrong=wrong,
    )
