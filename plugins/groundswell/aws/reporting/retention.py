"""What is older than the settings keep it goes: raw inputs first, later all that tells workers apart."""

from __future__ import annotations

import logging
from collections.abc import Collection, Iterator
from datetime import date, datetime, timedelta

from groundswell.aws.reporting.day_report import (
    TREND_DAYS,
    draws_workers,
    publish_tables,
    read_tables,
    settled,
)
from groundswell.aws.reporting.inputs import Inputs
from groundswell.aws.reporting.month_report import passed_over, write_months
from groundswell.aws.reporting.opening import Reports, document, put_document
from groundswell.reports.store import PAGE, Published, Record

_RETENTION = "retention.json"
INPUTS, WORKERS = "inputs", "workers"
_WHY = {
    INPUTS: "Events and raw ids were removed for their age; the day cannot be computed again",
    WORKERS: "What tells workers apart was removed for its age",
}
_WHY_ALONE = "What the page told of workers on the days before was removed for its age"

log = logging.getLogger(__name__)


def reopen(reports: Reports, day: date) -> None:
    """Let the next :func:`seal` look at a day that is about to be written, whoever calls it."""
    done = (document(reports.private, _RETENTION) or {}).get(WORKERS)
    if done is not None and day.isoformat() < done:
        put_document(reports.private, _RETENTION, {WORKERS: day.isoformat()})


def seal(
    reports: Reports, now: datetime, written: Collection[date] = (), wrong: list[str] | None = None
) -> list[date]:
    """
    Remove personal data that is older than the settings keep it; return the days that changed by it.

    A day is marked before anything of it is removed, so that nothing is computed from what is left of it.

    :param written: days that were written since the last call; other old days need no second look.
    :param wrong: takes what is damaged, where all else is to be removed all the same.
    """
    settings = reports.settings
    today, before = settings.day_of(now), len(wrong or ())
    sealed = set(_seal_inputs(reports, today - settings.retention.inputs, wrong))
    end = today - settings.retention.workers
    done = date.fromisoformat((document(reports.private, _RETENTION) or {}).get(WORKERS, "0001-01-01"))
    there = reports.store.days()
    old = [day for day in there if day < end and (day >= done or day in written)]
    for day in old:
        with passed_over(day, wrong):
            sealed |= {day} if _seal_workers(reports, day) else set()
    for day in there:
        # Of the days before it that its page draws, the first is too old now
        if end <= day < end + timedelta(days=TREND_DAYS) and day != there[0]:
            with passed_over(day, wrong):
                _draw_alone(reports, day)
    write_months(reports, {day.isoformat()[:7] for day in old}, wrong)
    # Only now, so that whatever died before is done again
    if len(wrong or ()) == before:
        put_document(reports.private, _RETENTION, {WORKERS: max(end, done).isoformat()})
    return sorted(sealed)


def _seal_inputs(reports: Reports, end: date, wrong: list[str] | None) -> Iterator[date]:
    inputs = Inputs.of(reports)
    inputs.keep_names(end)
    for day in inputs.days():
        if day >= end:
            continue
        with passed_over(day, wrong):
            record = reports.store.heal(day)
            if record and not record["sealed"]:
                _publish_sealed(reports, day, record, INPUTS)
                yield day
            log.info("%s: %d inputs were removed for their age", day, inputs.remove(day))


def _seal_workers(reports: Reports, day: date) -> bool:
    """Return whether the day was sealed now."""
    store = reports.store
    record = store.heal(day)
    if record is None:
        return False
    new = bool(record["sealed"] != WORKERS)
    if new:
        record = _publish_sealed(reports, day, record, WORKERS)
    removed = store.clear_revisions(day, keep=record["revision"])
    log.info("%s tells workers no longer apart; %d files of old revisions were removed", day, removed)
    return new


def _draw_alone(reports: Reports, day: date) -> None:
    """Write a day's page anew where it tells workers apart on the days before; the day itself stays."""
    store = reports.store
    record = store.heal(day)
    if not record or record["sealed"] == WORKERS:
        return
    if draws_workers(reports.settings, record):
        record = _publish_sealed(reports, day, record, record["sealed"], why=_WHY_ALONE)
    store.clear_revisions(day, keep=record["revision"], file=PAGE)


def _publish_sealed(
    reports: Reports, day: date, record: Record, sealed: str | None, *, why: str = ""
) -> Record:
    from groundswell.reports.redacting import without_workers

    def write(known: Record | None) -> Published:
        latest = known or record
        if latest["sealed"] == WORKERS or (latest["sealed"] == sealed and not why):  # by a twin
            return Published(latest["revision"], False, latest)
        tables = read_tables(reports.store, day, latest)
        return publish_tables(
            reports,
            day,
            without_workers(tables) if sealed == WORKERS else tables,
            without=("workers",) if sealed == WORKERS else (),
            provisional=latest["provisional"],
            kind="sealed",
            why=why or _WHY[str(sealed)],
            sealed=sealed,
            anew=bool(why),
            follows=latest["revision"],
            more={name: latest[name] for name in ("inputs", "sources") if name in latest},
        )

    return settled(reports, day, write).record
