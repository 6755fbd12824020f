"""Addresses of the Throughput page: the page, its parts, days and their files, and what is made for a view.

Everything here needs a user who may read the DAG ``worker_metrics``. A route is a plain function: it runs in
a thread, and may wait for the store.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import date
from typing import Annotated, Any

from fastapi import APIRouter, Depends, Request
from fastapi.responses import Response
from markupsafe import Markup

from groundswell.errors import GroundswellError
from groundswell.reports.html import formats
from groundswell.ui import problems, security, shell
from groundswell.ui.throughput import downloads, exports, parts
from groundswell.ui.throughput.checks import revisions, state_of
from groundswell.ui.throughput.filters import DATES, BadFilterError, Filters
from groundswell.ui.throughput.listings import Asked
from groundswell.ui.throughput.reading import UnreachableError
from groundswell.ui.throughput.service import Service, service_of

_POLICY = "Content-Security-Policy"

router = APIRouter(dependencies=[Depends(security.reads_metrics)])

UseService = Annotated[Service, Depends(service_of)]


@contextmanager
def _explaining(service: Service | None = None) -> Iterator[None]:
    """Turn what can go wrong into a page that says it, and what to do.

    :raises PageProblem: 400 for what the address says, 502 for the store, 500 for the settings
    """
    try:
        yield
    except BadFilterError as error:
        raise problems.PageProblem(
            400,
            f"“{error.field}” in the address cannot be used",
            f"{error}.",
            "Correct it, or clear the filters.",
        ) from None
    except UnreachableError as error:
        raise _unreachable(service, error) from error
    except GroundswellError as error:
        raise problems.PageProblem(
            500,
            "The reports are not set up",
            str(error),
            "Correct the settings file; this page reads it again by itself.",
        ) from error


def _unreachable(service: Service | None, error: UnreachableError) -> problems.PageProblem:
    place, connection = "the store of the reports", "the connection in the settings"
    if service is not None:
        settings = service.settings()
        place, connection = settings.uri, f"the connection “{settings.connections.aws}”"
    return problems.PageProblem(
        502,
        "The reports cannot be read",
        f"{place}: {error}.",
        f"Check that the store is there, and {connection} in Airflow: endpoint, region, keys that may list "
        "and read it. This page tries again by itself.",
    )


def asked_of(request: Request) -> Asked:
    """Return what the address asks for. A dependency.

    :raises PageProblem: something in it cannot be meant (400); the text names the field
    """
    with _explaining():
        asked = Asked(Filters.read(request.query_params), request.query_params)
        asked.check()
        return asked


UseAsked = Annotated[Asked, Depends(asked_of)]


@router.get("")
def page(request: Request, service: UseService, asked: UseAsked) -> Response:
    """Show the page. Its parts come later, unless the browser runs no script."""
    context = _form(asked)
    context["plain"] = shell.url(request, f"throughput{asked.query(script='no')}")
    if not asked.whole:
        return shell.page(request, "throughput/page.html", **context, choices=_chosen(asked))
    with _explaining(service):
        view = parts.view_of(service, asked)
        made = {name: part(view) for name, part in parts.PARTS.items()}
        html = [Markup(_part(request, name, made[name])) for name in made]  # noqa: S704 - templates escape
    return shell.page(
        request,
        "throughput/page.html",
        **context,
        parts=html,
        choices=made["summary"].get("choices", _chosen(asked)),
    )


def _form(asked: Asked) -> dict[str, Any]:
    filters = asked.filters
    values = {
        "range": filters.preset or DATES,
        "from": str(filters.first or ""),
        "to": str(filters.last or ""),
    }
    values |= {name: getattr(filters, name) for name in ("source", "team", "job", "worker")}
    return {"values": values, "whole": asked.whole, **parts.FORM}


def _chosen(asked: Asked) -> Mapping[str, list[str]]:
    return {
        name: [value] if (value := getattr(asked.filters, name)) else [] for name in ("team", "job", "worker")
    }


def _part(request: Request, name: str, context: Mapping[str, Any]) -> str:
    template = shell.templates.get_template(f"throughput/{name}.html")
    return template.render(request=request, airflow=shell.airflow_root(request), **context)


@router.get("/parts/{name}")
def part(request: Request, name: str, service: UseService, asked: UseAsked) -> Response:
    """Show a part of the page."""
    if name not in parts.PARTS:
        raise problems.NotFound("part", name)
    try:
        with _explaining(service):
            context = parts.PARTS[name](parts.view_of(service, asked))
    except problems.PageProblem as problem:
        if name == parts.FIRST:
            raise
        return shell.page(request, "throughput/quiet.html", status=problem.status)  # the first part says why
    return shell.Page(_part(request, name, context))


@router.get("/charts.css")
def charts_css() -> Response:
    """Serve the style sheet of the charts, which the reports share."""
    from groundswell.reports.html import charts

    return Response(charts.css(), media_type="text/css", headers={"Cache-Control": "private, max-age=3600"})


@router.get("/view.csv")
def view_csv(service: UseService, asked: UseAsked) -> Response:
    """Save the rows that pass the filters."""
    with _explaining(service):
        view = parts.view_of(service, asked)
        body, name = exports.rows_csv(view)
    return downloads.answer(body, "view.csv", name, download=True)


@router.get("/period.html")
def period_html(request: Request, service: UseService, asked: UseAsked) -> Response:
    """Show the report of the range, or save it."""
    with _explaining(service):
        view = parts.view_of(service, asked)
        body, name = exports.period_html(view)
    return downloads.answer(body, "period.html", name, download=_saving(request))


@router.get("/period")
def period(request: Request, service: UseService, asked: UseAsked) -> Response:
    """Show the report of the range inside a page."""
    with _explaining(service):
        view = parts.view_of(service, asked)
        if view.span is None:
            raise problems.NotFound("report", "", "Make a report first: run the DAG worker_metrics.")
        title = parts.range_text(view.span)
    return _framing(
        shell.page(request, "throughput/period.html", title=title, query=view.asked.filters.query())
    )


@router.get("/days/{day}")
def day_page(request: Request, day: str, service: UseService) -> Response:
    """Show a day: its report, files and history."""
    asked = downloads.day_of(day)
    with _explaining(service):
        days = service.reader().days()
        record = service.reader().record(asked)
    if record is None:
        raise problems.NotFound("report", day, "Choose a day from the list of the Throughput page.")
    state, kind = state_of(record)
    there = record.get("files", ())
    context: dict[str, Any] = {
        "title": parts.day_text(asked),
        "day": day,
        "record": record,
        "state": state,
        "kind": kind,
        "tables": downloads.listed(there),
        "report": downloads.REPORT in there,
        "history": revisions(record),
        **_beside(asked, days),
    }
    return _framing(shell.page(request, "throughput/day.html", **context))


def _beside(day: date, days: Sequence[date]) -> dict[str, Any]:
    """Return the days with a report before and after a day, and what they are called."""
    beside = {
        "earlier": max((each for each in days if each < day), default=None),
        "later": min((each for each in days if each > day), default=None),
    }
    return {**beside, **{f"{way}_text": formats.day(each) for way, each in beside.items() if each}}


def _framing(response: Response) -> Response:
    """Let a page hold a report in a frame."""
    response.headers[_POLICY] = f"{security.HEADERS[_POLICY]}; frame-src 'self'"
    return response


@router.get("/days/{day}/{name}")
def day_file(request: Request, day: str, name: str, service: UseService) -> Response:
    """Show the report of a day, or save a file of it; ``?revision=2`` for an earlier one."""
    asked, file = downloads.day_of(day), downloads.file_of(name)
    revision = downloads.revision_of(request.query_params.get("revision", ""))
    with _explaining(service):
        body = service.reader().body(asked, file, revision)
    if body is None:
        raise problems.NotFound(
            "file", f"{day}/{name}", "The day has no report, or this file of it was removed."
        )
    stem, _, ending = file.partition(".")
    saved_as = f"{day}-{stem}{f'-revision-{revision}' if revision else ''}.{ending}"
    return downloads.answer(body, file, saved_as, download=_saving(request))


def _saving(request: Request) -> bool:
    return request.query_params.get("download") == "yes"
