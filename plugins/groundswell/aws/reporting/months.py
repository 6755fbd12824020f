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


def stale_months(reports: Reports) -> dict[str, str]:
    """Return the months that are behind, such as ``2026-11``, each with its mark."""
    found = {}
    for key in list(reports.private.keys(_FOLDER)):
        if content := document(reports.private, key):
            found[key.removeprefix(_FOLDER).removesuffix(".json")] = str(content["mark"])
    return found


def catch_up(reports: Reports, name: str, mark: str) -> None:
    """Say that a month has been written since a mark was read."""
    if (document(reports.private, _key(name)) or {}).get("mark") == mark:
        reports.private.remove(_key(name))


def _key(name: str) -> str:
    return f"{_FOLDER}{name}.json"
