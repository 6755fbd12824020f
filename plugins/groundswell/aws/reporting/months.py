"""Which reports of months are behind their days: a mark below the private URI, made before a day changes.

So the page of a month is written whoever changed the day, and also where the run that did died before it.

::

    stale/<YYYY-MM>.json   {mark}; random, so that a change that came while the page was written is not lost
"""

from __future__ import annotations

import secrets
from datetime import date

from groundswell.aws.reporting.opening import Reports, document, put_document

_FOLDER = "stale/"


def make_stale(reports: Reports, day: date) -> None:
    """Say that the month of a day that is about to be written is behind."""
    put_document(reports.private, _key(day.isoformat()[:7]), {"mark": secrets.token_hex(8)})


def stale_months(reports: Reports) -> list[str]:
    """Return the months that are behind, such as ``2026-11``, in order."""
    return [key.removeprefix(_FOLDER).removesuffix(".json") for key in reports.private.keys(_FOLDER)]


def mark_of(reports: Reports, name: str) -> str | None:
    """Return the mark of a month that is behind, or None."""
    content = document(reports.private, _key(name))
    return None if content is None else str(content["mark"])


def catch_up(reports: Reports, name: str, mark: str) -> bool:
    """Say that a month was written since a mark was read; return False where others were at it meanwhile."""
    alone = mark_of(reports, name) == mark
    if alone:
        reports.private.remove(_key(name))
    return alone


def _key(name: str) -> str:
    return f"{_FOLDER}{name}.json"
