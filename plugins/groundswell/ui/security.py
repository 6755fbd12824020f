"""Who may see what: Airflow's user behind every address, and the DAGs that this user may read.

A mounted app is open to everybody unless it asks for a user itself. Here the app as a whole does, so that a
new page cannot forget to; what belongs to a batch is shown only to those who may read the batch's DAG.
"""

from __future__ import annotations

import logging
import uuid
from collections.abc import Callable, Collection
from typing import Annotated, Any, cast

from fastapi import Depends, Query, Request
from starlette.datastructures import MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from groundswell.ui import problems
from groundswell.ui.sources import Sources

log = logging.getLogger(__name__)

#: The DAG whose readers see the reports.
METRICS_DAG = "worker_metrics"

# style-src-attr: charts carry their styles as attributes. Images of items may be anywhere on the web
_CONTENT = "; ".join(
    (
        "default-src 'none'",
        "script-src 'self'",
        "style-src 'self'",
        "style-src-attr 'unsafe-inline'",
        "img-src 'self' data: https:",
        "font-src 'self'",
        "connect-src 'self'",
        "form-action 'self'",
        "base-uri 'none'",
        "frame-ancestors 'self'",
    )
)
HEADERS = {
    "Content-Security-Policy": _CONTENT,
    "Cross-Origin-Resource-Policy": "same-origin",
    "Permissions-Policy": "camera=(), geolocation=(), microphone=()",
    "Referrer-Policy": "no-referrer",
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "SAMEORIGIN",
    "Cache-Control": "no-store",
}

# Ids as they stand in addresses. What they may be is decided where they are used; here: no control characters
_ID = r"^[^\x00-\x1f\x7f]+$"
BatchId = Annotated[str, Query(min_length=1, max_length=63, pattern=r"^[A-Za-z0-9][A-Za-z0-9_-]*$")]
DagId = Annotated[str, Query(min_length=1, max_length=250, pattern=_ID)]
RunId = Annotated[str, Query(min_length=1, max_length=250, pattern=_ID)]
#: Any text may be an item's id: a column of a dataset with line breaks, or a whole paragraph.
ItemId = Annotated[str, Query(min_length=1, max_length=10_000)]


def airflow_user() -> Callable[..., Any]:
    """Return Airflow's own dependency: the user of a bearer token or of the session's cookie."""
    from airflow.api_fastapi.core_api.security import get_user

    return cast("Callable[..., Any]", get_user)


def signed_in(authenticate: Callable[..., Any]) -> Callable[..., None]:
    """Return a dependency that lets only users in, and remembers who asks for :func:`readable`."""

    def remember(request: Request, user: Any = Depends(authenticate)) -> None:  # noqa: B008
        request.state.page_user = user

    return remember


def sources_of(request: Request) -> Sources:
    """Return where the app's data comes from. Also a dependency."""
    return cast("Sources", request.app.state.sources)


def readable(request: Request) -> Collection[str]:
    """Return the ids of the DAGs that the user may read. Asks Airflow's auth manager; blocks."""
    return sources_of(request).readable(request.state.page_user)


def require_dag(request: Request, dag_id: str, what: str) -> None:
    """
    Refuse a user who may not read a DAG. Blocks: for ``def`` routes.

    :param what: what the user wanted to see, as a noun ("batch iris").
    :raises PageProblem: 403.
    """
    if dag_id not in readable(request):
        raise problems.Forbidden(what, dag_id)


def reads_metrics(request: Request) -> None:
    """Dependency of the Throughput pages: the user may read the DAG that makes the reports."""
    require_dag(request, METRICS_DAG, "the throughput reports")


class Guard:
    """
    Outermost layer: security headers on every answer, and a page where something breaks unexpectedly.

    Headers that a route sets itself (caching of static files) win.
    """

    def __init__(self, app: ASGIApp) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """See the ASGI specification."""
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        started = False

        async def guarded(message: Message) -> None:
            nonlocal started
            if message["type"] == "http.response.start":
                started = True
                headers = MutableHeaders(scope=message)
                for name, value in HEADERS.items():
                    headers.setdefault(name, value)
            await send(message)

        try:
            await self.app(scope, receive, guarded)
        except Exception:
            if started:
                raise
            reference = uuid.uuid4().hex[:8]
            log.exception("page %s broke, reference %s", scope.get("path"), reference)
            answer = problems.broken(Request(scope), reference)
            await answer(scope, receive, guarded)
