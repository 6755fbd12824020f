"""The whole server as one ASGI application: API, worker site, health."""

from __future__ import annotations

import logging

from starlette.applications import Starlette
from starlette.concurrency import run_in_threadpool
from starlette.middleware import Middleware
from starlette.requests import Request
from starlette.responses import JSONResponse, RedirectResponse, Response
from starlette.routing import BaseRoute, Mount, Route

from workforce.api.asgi import api_endpoint
from workforce.api.sigv4 import KeyRing
from workforce.market import Market
from workforce.site.asgi import site_app
from workforce.slow_clients import BodyDeadline

logger = logging.getLogger(__name__)


def create_app(
    market: Market, keys: KeyRing, *, site_secret: str, public_url: str | None = None
) -> Starlette:
    """Return the application.

    ``POST /`` is the Requester API for the keys' accounts, ``/worker`` the workers' site (sessions
    signed with ``site_secret``; ``public_url`` is its address as browsers see it, if that differs
    from the request's), ``GET /health`` answers 200 while the store does.
    """

    async def to_worker_site(_: Request) -> Response:
        return RedirectResponse("/worker", status_code=307)

    async def health(_: Request) -> Response:
        try:
            await run_in_threadpool(market.counts, "health")
        except Exception:
            logger.exception("the store does not answer")
            return JSONResponse({"status": "the store does not answer"}, status_code=503)
        return JSONResponse({"status": "ok"})

    routes: list[BaseRoute] = [
        Route("/", api_endpoint(market, keys), methods=["POST"]),
        Route("/", to_worker_site, methods=["GET"]),
        Route("/health", health, methods=["GET"]),
        Mount("/", site_app(market, secret=site_secret, public_url=public_url)),
    ]
    return Starlette(routes=routes, middleware=[Middleware(BodyDeadline)])
