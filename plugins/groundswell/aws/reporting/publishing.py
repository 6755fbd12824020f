"""publish: the reports of the months, retention, and what a run has to tell."""

from __future__ import annotations

import logging
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import UTC, date, datetime, timedelta
from typing import TYPE_CHECKING, Any

from airflow.sdk.exceptions import AirflowFailException

from groundswell.aws.reporting.inputs import Inputs
from groundswell.aws.reporting.months import catch_up, mark_of, stale_months
from groundswell.aws.reporting.notifying import TOLD
from groundswell.aws.reporting.opening import Reports, document, forgotten_marks, put_document
from groundswell.aws.reporting.reporting import publish_tables, read_tables
from groundswell.aws.reporting.writing import announced, digest_of, notes
from groundswell.errors import ReportError
from groundswell.reports.days import days
from groundswell.reports.store import Record

if TYPE_CHECKING:
    import pandas as pd

_RETENTION = "retention.json"
INPUTS, WORKERS = "inputs", "workers"
#: What a writer left that died is removed after this time, and who was told by which run is forgotten.
_LEFT_FOR, _TOLD_FOR = timedelta(days=1), timedelta(days=30)
_TOLD_AT_MOST = 10  # of what is wrong
#: What comes of files that are gone or damaged: of one day or month, which holds up no other one.
_DAMAGE = (ReportError, KeyError, TypeError, ValueError)

log = logging.getLogger(__name__)


@announced
def publish(
    reports: Reports,
    written: Sequence[Mapping[str, Any]],
    now: datetime,
    *,
    wanted: Sequence[Mapping[str, Any]] = (),
) -> dict[str, Any]:
    """
    Finish a run: write the months anew whose days changed, by this run or by one that died before it wrote
    them; remove what is too old, and what dead writers left; and sum up.

    :param written: what :func:`groundswell.aws.reporting.reporting.report_day` returned for each day.
    :param now: what the time is.
    :param wanted: the entries of the days that had to be written.
    :raises AirflowFailException: some of them were not, or a day or month is damaged; all else is done.
    :return: day (the newest one), days (those written by this run), revised (those that had counted before),
        anomalies and totals (of the newest day), report (its address), months, sealed.
    """
    wrong = [f"{day} was not written: see its task, or those before it" for day in missing(written, wanted)]
    changed = sorted(each["day"] for each in written if each["changed"])
    sealed = seal(reports, now, {date.fromisoformat(each["day"]) for each in written}, wrong)
    months = write_months(reports, {day[:7] for day in changed} | {*stale_months(reports)}, wrong)
    sweep(reports)
    if wrong:
        told = list(dict.fromkeys(wrong))
        raise AirflowFailException("; ".join(told[:_TOLD_AT_MOST] + ["…"] * (len(told) > _TOLD_AT_MOST)))
    newest = max(written, key=lambda each: each["day"])
    return {
        "day": newest["day"],
        "days": changed,
        "revised": [
            each["day"]
            for each in sorted(written, key=lambda each: each["day"])
            if each["changed"] and each["kind"] == "revised"
        ],
        "anomalies": newest["anomalies"],
        "totals": newest["totals"],
        "report": reports.store.public.uri(f"days/{newest['day']}/report.html"),
        "months": months,
        "sealed": [day.isoformat() for day in sealed],
    }


def missing(written: Iterable[Mapping[str, Any]], wanted: Iterable[Mapping[str, Any]]) -> list[str]:
    """Return the days of some entries that are not among those that were written, in order."""
    return sorted({each["day"] for each in wanted} - {each["day"] for each in written})


@contextmanager
def _passed_over(what: object, wrong: list[str] | None) -> Iterator[None]:
    """Note what is damaged about a day or month and go on; where nobody notes it, raise it."""
    try:
        yield
    except _DAMAGE as error:
        if wrong is None:
            raise
        log.exception("%s is damaged", what)
        wrong.append(f"{what} is damaged: {error!r}; restore the file from a backup or version")


def write_month(reports: Reports, name: str) -> bool:
    """
    Write the report of a month from its days; return whether it changed.

    :param name: such as ``2026-11``.
    """
    from groundswell.reports.html.render import render_period
    from groundswell.reports.period import Period

    first = date.fromisoformat(f"{name}-01")
    last = (first + timedelta(days=31)).replace(day=1) - timedelta(days=1)
    store = reports.store
    records = {day: record for day in days(first, last) if (record := store.current(day))}
    if not records:
        return False
    body = render_period(
        Period([_workers(reports, day) for day in records]),
        first.strftime("%B %Y"),
        first,
        min(last, max(records)),
        settings=reports.settings,
        records=list(records.values()),
        anomalies=_all_of(reports, records, "anomalies"),
        sources=_all_of(reports, records, "sources"),
        problems=_all_of(reports, records, "problems"),
    ).encode()
    key = f"months/{name}/report.html"
    if store.public.get(key) == body:
        return False
    store.public.put(key, body)
    return True


def write_months(reports: Reports, names: Collection[str], wrong: list[str] | None = None) -> list[str]:
    """Write the reports of some months, which are behind no longer; return their names in order.

    :param wrong: takes what is damaged, where the other months are to be written all the same.
    """
    written = []
    for name in sorted(names):
        with _passed_over(name, wrong):
            while True:
                mark = mark_of(reports, name)  # before its days are read
                write_month(reports, name)
                if mark is None or catch_up(reports, name, mark):
                    break
            written.append(name)
    return written


def sweep(reports: Reports) -> int:
    """Remove what writers left that died a day ago and more; return how many objects they were.

    Names that they wrote of workers who were forgotten meanwhile, and their notes, go after an hour.
    """
    from groundswell.aws.reporting.forgetting import take_out_again

    now = datetime.now(UTC)
    before = now - _LEFT_FOR
    removed = reports.store.sweep(before) + reports.private.sweep(before)
    for key in list(reports.private.older(TOLD, now - _TOLD_FOR)):
        reports.private.remove(key)
        removed += 1
    known = notes(reports)
    dead = [note for note in known if note.is_dead]
    if any(note.knows != digest_of(forgotten_marks(reports.private)) for note in dead):
        take_out_again(reports)
    for note in dead:
        reports.private.remove(note.key)
        removed += 1
    # Somebody who writes may take files that are there for the own ones
    if not any(not note.is_dead and note.what != publish.__name__ for note in known):
        for key in list(reports.store.leftovers(before)):
            reports.store.remove(key)
            removed += 1
    if removed:
        log.info("%d objects that dead writers left were removed", removed)
    return removed


def reopen(reports: Reports, day: date) -> None:
    """Let the next :func:`seal` look at a day that is about to be written, whoever calls it."""
    done = (document(reports.private, _RETENTION) or {}).get(WORKERS)
    if done is not None and day.isoformat() < done:
        put_document(reports.private, _RETENTION, {WORKERS: day.isoformat()})


def _workers(reports: Reports, day: date) -> pd.DataFrame:
    """Return the workers table of a day, or what stands for it where workers are no longer told apart."""
    from groundswell.reports.redacting import by_team_and_job

    try:
        return reports.store.table(day, "workers")
    except ReportError:
        return by_team_and_job(reports.store.table(day, "summary"))


def _all_of(reports: Reports, some: Iterable[date], name: str) -> pd.DataFrame:
    import pandas as pd

    return pd.concat([reports.store.table(day, name) for day in some], ignore_index=True)


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
    old = [day for day in reports.store.days() if day < end and (day >= done or day in written)]
    for day in old:
        with _passed_over(day, wrong):
            sealed |= {day} if _seal_workers(reports, day) else set()
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
        with _passed_over(day, wrong):
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


def _publish_sealed(reports: Reports, day: date, record: Record, sealed: str) -> Record:
    from groundswell.reports.redacting import without_workers

    tables = read_tables(reports.store, day, record)
    return publish_tables(
        reports,
        day,
        without_workers(tables) if sealed == WORKERS else tables,
        without=("workers",) if sealed == WORKERS else (),
        provisional=record["provisional"],
        kind="sealed",
        why=_WHY[sealed],
        sealed=sealed,
        more={name: record[name] for name in ("inputs", "sources") if name in record},
    ).record


_WHY = {
    INPUTS: "Events and raw ids were removed for their age; the day cannot be computed again",
    WORKERS: "What tells workers apart was removed for its age",
}
