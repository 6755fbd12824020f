"""Removing who was forgotten, and whose mark is kept, from the inputs, the reports and the months."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date

from airflow.sdk.exceptions import AirflowException

from groundswell.aws.reporting import damage
from groundswell.aws.reporting.day_report import publish_tables, read_tables, settled, write_day
from groundswell.aws.reporting.inputs import Inputs
from groundswell.aws.reporting.month_report import write_months
from groundswell.aws.reporting.months import stale_months
from groundswell.aws.reporting.opening import Reports, forgotten_marks
from groundswell.reports.names import PSEUDONYM, pseudonym_of
from groundswell.reports.store import Published, Record

_WHY = "A worker was forgotten"
_READABLE = (".csv", ".html", ".json")  # what a Parquet file says stands in the CSV file beside it

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Taken:
    """What was removed.

    Attributes:
        inputs: days whose inputs were written anew.
        days: days whose reports were.
        revisions: files of old revisions that were removed.
        months: months whose reports were written anew.
        name: whether a name was kept.
    """

    inputs: frozenset[date]
    days: frozenset[date]
    revisions: int
    months: frozenset[str]
    name: bool

    def __add__(self, other: Taken) -> Taken:
        return Taken(
            self.inputs | other.inputs,
            self.days | other.days,
            self.revisions + other.revisions,
            self.months | other.months,
            self.name or other.name,
        )


def take_out(reports: Reports, pseudonym: str) -> Taken:
    """
    Remove a worker, whose mark is kept, from all inputs and reports.

    :raises AirflowException: the worker is named again, by a run at the same time; doing it again helps.
    """
    reports = Reports(reports.settings)  # with the marks as they are now
    inputs = Inputs.of(reports)
    names = inputs.names()
    inputs.keep_names(date.min)
    again = {day for day in inputs.days() if inputs.forget(day)}
    # Nobody can tell whom what is damaged names
    again |= {day for day in inputs.days() if damage.empty(inputs.store, day)}
    written, removed = set(), 0
    for day in reports.store.days():
        record = reports.store.heal(day)
        named = list(naming(reports, f"days/{day.isoformat()}/", pseudonym))
        if not named:
            continue
        if record is None:
            removed += reports.store.clear_revisions(day)
            continue
        if any(f"/{record['folder']}" in key for key in named):
            record = _write_anew(reports, inputs, day, record, pseudonym)
            written.add(day)
        else:
            reports.store.heal(day, anew=True)
        removed += reports.store.clear_revisions(day, keep=record["revision"])
    named_months = {key.split("/")[1] for key in naming(reports, "months/", pseudonym)}
    months = write_months(reports, named_months | {*stale_months(reports)})
    if left := list(naming(reports, "", pseudonym)):
        raise AirflowException(
            f"{left[0]} names the worker again: a run wrote it at the same time; try again"
        )
    gone = inputs.names().keys() < names.keys()
    return Taken(frozenset(again), frozenset(written), removed, frozenset(months), gone)


def take_out_again(reports: Reports) -> None:
    """Remove who was forgotten and is named all the same, by a task that wrote for long and was killed."""
    gone = {pseudonym_of(mark) for mark in forgotten_marks(reports.private)}
    public, named = reports.store.public, set[str]()
    for key in list(public.keys("")) if gone else ():
        if key.endswith(_READABLE):
            named |= gone & set(PSEUDONYM.findall((public.get(key) or b"").decode(errors="replace")))
    for pseudonym in sorted(named):
        log.warning("%s was forgotten, and is removed again", pseudonym)
        take_out(reports, pseudonym)


def naming(reports: Reports, prefix: str, pseudonym: str) -> Iterator[str]:
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
            kind="forgotten",
            why=_WHY,
            anew=True,
        ).record

    def write(known: Record | None) -> Published:
        latest = known or record
        return publish_tables(
            reports,
            day,
            with_forgotten(read_tables(reports.store, day, latest), pseudonym),
            provisional=latest["provisional"],
            kind="forgotten",
            why=_WHY,
            anew=True,
            follows=latest["revision"],
            more={name: latest[name] for name in ("inputs", "sources") if name in latest},
        )

    return settled(reports, day, write).record
