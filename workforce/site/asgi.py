"""The application: all routes lie under /worker, but for the form post at /mturk/externalSubmit."""

from __future__ import annotations

import logging
from collections.abc import Callable

from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.middleware import Middleware
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response
from starlette.routing import Mount, Route
from starlette.staticfiles import StaticFiles

from workforce.market import Market
from workforce.site import lists, questions, sign_in, tasks
from workforce.site.access import signed_in, signed_in_form
from workforce.site.context import STATIC, Site
from workforce.site.headers import SecurityHeaders
from workforce.site.submission import external_submit

Handler = Callable[[Request, Exception], Response]

log = logging.getLogger("workforce.site")

_WORDS = {
    400: ("That request made no sense", "Please go back and try again."),
    404: ("There is nothing here", "The address may be mistyped, or the page is gone."),
    405: ("That does not work here", "Please use the links and buttons of the site."),
}


def site_app(market: Market, *, secret: str, public_url: str | None) -> Starlette:
    """The annotators' site over a market.

    `secret` signs the cookies; keep it between restarts, or everybody is signed out. `public_url` is the
    origin that browsers use (scheme, host, port), needed behind a proxy; without it the request's is used.
    Raises ValueError for an empty secret or a URL with a path.
    """
    site = Site(market, secret=secret, public_url=public_url)
    return Starlette(
        routes=[*_worker_routes(site), *_frame_routes(site)],
        middleware=[Middleware(SecurityHeaders)],
        exception_handlers={HTTPException: _http_problem(site), Exception: _fault(site)},
    )


def _worker_routes(site: Site) -> list[Route | Mount]:
    turn = "/worker/assignments/{assignment_id}"
    return [
        Route("/worker", _home),
        Route("/worker/", _home),
        Route("/worker/sign-in", sign_in.sign_in_page(site), methods=["GET"]),
        Route("/worker/sign-in", sign_in.sign_in(site), methods=["POST"]),
        Route("/worker/sign-out", signed_in_form(site, sign_in.sign_out), methods=["POST"]),
        Route("/worker/hits", signed_in(site, lists.hits), methods=["GET"]),
        Route("/worker/work", signed_in(site, lists.my_work), methods=["GET"]),
        Route("/worker/messages", signed_in(site, lists.messages), methods=["GET"]),
        Route("/worker/hits/{hit_id}", signed_in(site, tasks.preview), methods=["GET"]),
        Route("/worker/hits/{hit_id}/accept", signed_in_form(site, tasks.accept), methods=["POST"]),
        Route(turn, signed_in(site, tasks.work), methods=["GET"]),
        Route(f"{turn}/state", signed_in(site, tasks.state), methods=["GET"]),
        Route(f"{turn}/return", signed_in_form(site, tasks.give_back), methods=["POST"]),
        Mount("/worker/static", StaticFiles(directory=STATIC)),
    ]


def _frame_routes(site: Site) -> list[Route]:
    previewed = signed_in(site, questions.previewed, framed=True)
    accepted = signed_in(site, questions.accepted, framed=True)
    every_method = ["GET", "POST", "PUT", "DELETE", "PATCH"]
    return [
        Route("/worker/question/preview/{hit_id}", previewed, methods=["GET"]),
        Route("/worker/question/{assignment_id}", accepted, methods=["GET"]),
        Route("/mturk/externalSubmit", external_submit(site), methods=every_method),
    ]


def _home(request: Request) -> Response:
    return RedirectResponse("/worker/hits", status_code=303)


def _http_problem(site: Site) -> Handler:
    def handle(request: Request, error: Exception) -> Response:
        status = error.status_code if isinstance(error, HTTPException) else 500
        title, text = _WORDS.get(status, ("That did not work", "Please go back and try again."))
        return site.problem(request, status, title, text)

    return handle


def _fault(site: Site) -> Handler:
    def handle(request: Request, error: Exception) -> Response:
        log.error("%s %s failed", request.method, request.url.path, exc_info=error)
        text = "This is our fault, and it has been logged. Please try again in a minute."
        return site.problem(request, 500, "Something broke", text)

    return handle
