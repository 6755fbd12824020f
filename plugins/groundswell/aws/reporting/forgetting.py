"""forget: remove a worker from the reports and from what they are made of, and say what was done.

First the worker's mark is kept, so that nothing collected from now on brings the worker back. Then the inputs
are written anew, then each day that names the worker, old revisions included, then the months. Every step may
be done again. The ledgers of batches keep worker ids: they are records of money.
"""

from __future__ import annotations

import logging
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any

from airflow.sdk.exceptions import AirflowException, AirflowFailException

from groundswell.aws.reporting.inputs import Inputs
from groundswell.aws.reporting.opening import Reports, forgotten_marks, put_forgotten_marks
from groundswell.aws.reporting.publishing import write_month
from groundswell.aws.reporting.reporting import publish_tables, read_tables, write_day
from groundswell.reports.names import FORGOTTEN, PSEUDONYM, pseudonym_of
from groundswell.reports.store import Record

_WHY = "A worker was forgotten"
_READABLE = (".csv", ".html", ".json")  # what a Parquet file says stands in the CSV file beside it

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class _Worker:
    """Who is forgotten: the raw ids that are known, the pseudonym, and the mark that is kept."""

    raw: frozenset[str]
    pseudonym: str
    mark: str


def forget(reports: Reports, who: str, now: datetime) -> dict[str, Any]:
    """
    Forget a worker.

    :param who: a Cognito sub, a worker id of the workforce, or a pseudonym from a report.
    :param now: what the time is.
    :return: what was done: pseudonym, inputs (days whose inputs were written anew), days (whose reports
        were), revisions (old files that were removed), months, name (whether one was kept), ledgers (what
        stays).
    :raises AirflowFailException: it cannot be a worker.
    :raises AirflowException: the worker is named again, by a run at the same time; doing it again helps.
    """
    worker = _find(reports, who.strip())
    marks = forgotten_marks(reports.private)
    if worker.mark not in marks:
        put_forgotten_marks(reports.private, {**marks, worker.mark: now.date().isoformat()})
    reports = Reports(reports.settings)  # with the marks as they are now
    inputs = Inputs.of(reports)
    had_name = any(name in inputs.names() for name in worker.raw)
    inputs.keep_names(date.min)
    again = [day for day in inputs.days() if inputs.forget(day)]
    written, removed = [], 0
    for day in reports.store.days():
        record = reports.store.heal(day)
        named = list(_names(reports, f"days/{day.isoformat()}/", worker.pseudonym))
        if record is None or not named:
            continue
        if any(f"/{record['folder']}" in key for key in named):
            record = _write_anew(reports, inputs, day, record, worker.pseudonym)
            written.append(day)
        else:
            reports.store.heal(day, anew=True)
        removed += reports.store.clear_revisions(day, keep=record["revision"])
    months = _months(reports, worker.pseudonym, written)
    if left := list(_names(reports, "", worker.pseudonym)):
        raise AirflowException(
            f"{left[0]} names the worker again: a run wrote it at the same time; try again"
        )
    result = {
        "pseudonym": worker.pseudonym,
        "inputs": [day.isoformat() for day in again],
        "days": [day.isoformat() for day in written],
        "revisions": removed,
        "months": months,
        "name": had_name,
        "ledgers": "The ledgers of batches keep worker ids: they are records of money.",
    }
    log.info("%s was forgotten: %s", worker.pseudonym, result)
    return result


def _find(reports: Reports, who: str) -> _Worker:
    if not who or who == FORGOTTEN or not who.isprintable():
        raise AirflowFailException(
            f"worker: {who!r} is nobody; give a Cognito sub, a worker id of the workforce, or a pseudonym "
            "such as w-0123456789"
        )
    pseudonyms = reports.pseudonyms
    if PSEUDONYM.fullmatch(who) is None:
        mark = pseudonyms.mark(who)
        return _Worker(frozenset({who}), pseudonym_of(mark), mark)
    raw = frozenset(
        name for name in _raw_ids(Inputs.of(reports)) if pseudonym_of(pseudonyms.mark(name)) == who
    )
    # Where the inputs are gone, the pseudonym is all that there is, and as good to tell the worker by
    return _Worker(raw, who, pseudonyms.mark(min(raw)) if raw else who.removeprefix("w-"))


def _raw_ids(inputs: Inputs) -> set[str]:
    """Return every raw id that is kept."""
    found = set(inputs.names())
    for day in inputs.days():
        found |= inputs.workers(day)
    return found


def _names(reports: Reports, prefix: str, pseudonym: str) -> Iterator[str]:
    """Yield the keys of public files that name a worker."""
    public = reports.store.public
    for key in list(public.keys(prefix)):
        if key.endswith(_READABLE) and pseudonym.encode() in (public.get(key) or b""):
            yield key


def _write_anew(reports: Reports, inputs: Inputs, day: date, record: Record, pseudonym: str) -> Record:
    """Return the record of a revision of a day that does not name the worker any more."""
    from groundswell.reports.redacting import with_forgotten

    if not record["sealed"] and day in set(inputs.days()):
        return write_day(
            reports,
            inputs,
            day,
            provisional=record["provisional"],
            known=record,
            kind="forgotten",
            why=_WHY,
            anew=True,
        ).record
    more: dict[str, Any] = {name: record[name] for name in ("inputs", "sources") if name in record}
    return publish_tables(
        reports,
        day,
        with_forgotten(read_tables(reports.store, day, record), pseudonym),
        provisional=record["provisional"],
        kind="forgotten",
        why=_WHY,
        anew=True,
        more=more,
    ).record


def _months(reports: Reports, pseudonym: str, written: list[date]) -> list[str]:
    months = {day.isoformat()[:7] for day in written}
    months |= {key.split("/")[1] for key in _names(reports, "months/", pseudonym)}
    for month in sorted(months):
        write_month(reports, month)
    return sorted(months)
