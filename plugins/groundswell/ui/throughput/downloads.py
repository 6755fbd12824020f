"""Files of the reports and how they are served: by known names only, and never as pages of this origin."""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping
from datetime import date

from fastapi.responses import Response

from groundswell.ui import problems

#: What a day has, and what it is; tables come as CSV and as Parquet.
REPORT = "report.html"
TABLES: Mapping[str, str] = {
    "workers": "Every measure by source, team, job, task type and worker; Parquet with histograms of times",
    "summary": "Every measure added up by source, team, job, task type and worker",
    "sources": "Events of the log against metrics",
    "anomalies": "What stands out",
    "problems": "What could not be used, counted",
}
_FORMATS = ("csv", "parquet")
FILES = (REPORT, *(f"{table}.{ending}" for table in TABLES for ending in _FORMATS))
_TYPES = {
    "html": "text/html; charset=utf-8",
    "csv": "text/csv; charset=utf-8; header=present",
    "parquet": "application/vnd.apache.parquet",
}
#: A report is a document of its own: whatever is in it can run nothing, load nothing, and reach nothing here.
_SANDBOX = "; ".join(
    (
        "sandbox",
        "default-src 'none'",
        "style-src 'unsafe-inline'",
        "img-src data:",
        "font-src data:",
        "base-uri 'none'",
        "form-action 'none'",
        "frame-ancestors 'self'",
    )
)
_DAY = re.compile(r"\d{4}-\d{2}-\d{2}")
_REVISION = re.compile(r"[1-9]\d{0,5}")


def day_of(text: str) -> date:
    """Return the day of an address.

    :raises PageProblem: it is none (400)
    """
    if _DAY.fullmatch(text):
        try:
            return date.fromisoformat(text)
        except ValueError:
            pass
    raise problems.PageProblem(
        400, "Not a day", "day: is not a day; write it as 2026-11-21.", "Choose a day from the list."
    )


def file_of(name: str) -> str:
    """Return the name of a file of a day.

    :raises PageProblem: there is no such file (404)
    """
    if name not in FILES:
        raise problems.NotFound("file", name, f"The files of a day are {', '.join(FILES)}.")
    return name


def revision_of(text: str) -> int | None:
    """Return the number of a revision, None for the latest.

    :raises PageProblem: it is none (400)
    """
    if not text:
        return None
    if not _REVISION.fullmatch(text) or not text.isascii():
        raise problems.PageProblem(
            400, "Not a revision", "revision: is not the number of a revision, such as 2."
        )
    return int(text)


def answer(body: bytes, name: str, saved_as: str, *, download: bool) -> Response:
    """Return a file with headers that keep it from being anything else.

    :param name: tells its type by its ending
    :param saved_as: what a browser calls it on disk: letters, digits, dots, hyphens
    :param download: offer to save it rather than show it; only reports are ever shown
    """
    ending = name.rpartition(".")[2]
    shown = "inline" if ending == "html" and not download else "attachment"
    headers = {
        "Content-Disposition": f'{shown}; filename="{saved_as}"',
        "Content-Security-Policy": _SANDBOX,
        "X-Content-Type-Options": "nosniff",
        "Cache-Control": "no-store",
    }
    return Response(body, media_type=_TYPES[ending], headers=headers)


def listed(there: Collection[str]) -> list[tuple[str, str, list[str]]]:
    """Return the tables of a day: name, what it is, and those of its files that are there."""
    files = {table: [f"{table}.{ending}" for ending in _FORMATS] for table in TABLES}
    found = [
        (table, what, [file for file in files[table] if file in there]) for table, what in TABLES.items()
    ]
    return [each for each in found if each[2]]
