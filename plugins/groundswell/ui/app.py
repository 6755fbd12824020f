"""The app that Airflow mounts."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from fastapi import Depends, FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import RedirectResponse, Response
from starlette.exceptions import HTTPException

from groundswell.ui import problems, security, shell
from groundswell.ui.labelling.item_routes import router as items
from groundswell.ui.labelling.routes import router as labelling
from groundswell.ui.sources import Sources, airflow_sources
from groundswell.ui.throughput.routes import router as throughput


def create_app(sources: Sources | None = None, authenticate: Callable[..., Any] | None = None) -> FastAPI:
    """
    Return the app. Making it is cheap: no page's data, pandas or charts are touched before a page needs them.

    :param sources: where the pages' data comes from; what this Airflow deployment has where none is given.
    :param authenticate: FastAPI dependency that returns the user or raises 401; Airflow's own by default.
    """
    app = FastAPI(
        title="Groundswell",
        docs_url=None,
        redoc_url=None,
        openapi_url=None,
        dependencies=[Depends(security.signed_in(authenticate or security.airflow_user()))],
    )
    app.state.sources = sources or airflow_sources()
    app.add_middleware(security.Guard)
    app.add_exception_handler(HTTPException, problems.on_http_exception)
    app.add_exception_handler(RequestValidationError, problems.on_invalid_address)
    app.add_exception_handler(problems.PageProblem, problems.on_page_problem)
    app.add_api_route("/", _start, methods=["GET"])
    app.add_api_route("/static/{name:path}", _static_file, methods=["GET"])
    app.include_router(labelling, prefix="/labelling")
    app.include_router(items, prefix="/labelling")
    app.include_router(throughput, prefix="/throughput")
    # Last: whatever else is asked for needs a user too, so that nobody can probe without one
    app.add_api_route("/{rest:path}", _nothing_here, methods=["GET"])
    return app


def _start(request: Request) -> Response:
    return RedirectResponse(shell.url(request, "labelling"))


def _static_file(request: Request, name: str) -> Response:
    answer = shell.static_file(request, name)
    if answer is None:
        raise problems.NotFound("file", name)
    return answer


def _nothing_here(rest: str) -> Response:
    raise problems.NotFound("page", rest)
