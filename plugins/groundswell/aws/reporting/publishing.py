"""publish: the reports of the months, retention, and what a run has to tell."""

from __future__ import annotations

import logging
from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, date, datetime, timedelta
from typing import Any

from airflow.sdk.exceptions import AirflowFailException

from groundswell.aws.reporting.month_report import write_months
from groundswell.aws.reporting.months import stale_months
from groundswell.aws.reporting.notes import digest_of, notes
from groundswell.aws.reporting.notifying import TOLD
from groundswell.aws.reporting.opening import Reports, forgotten_marks
from groundswell.aws.reporting.retention import seal
from groundswell.aws.reporting.snapshots import old_readings
from groundswell.aws.reporting.taking_out import take_out_again
from groundswell.aws.reporting.writing import announced

#: What a writer left that died is removed after this time, and who was told by which run is forgotten.
_LEFT_FOR, _TOLD_FOR = timedelta(days=1), timedelta(days=30)
_TOLD_AT_MOST = 10  # of what is wrong

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
    :raises AirflowFailException: none of them was; all else is done.
    :return: day (the newest one), days (those written by this run), revised (those that had counted before),
        failed (those that had to be written and were not), anomalies and totals (of the newest day), report
        (its address), months, sealed, wrong (what :func:`verify` fails for).
    """
    failed = missing(written, wanted)
    wrong = [f"{day} was not written: see its task, or those before it" for day in failed]
    changed = sorted(each["day"] for each in written if each["changed"])
    sealed = seal(reports, now, {date.fromisoformat(each["day"]) for each in written}, wrong)
    months = write_months(reports, {day[:7] for day in changed} | {*stale_months(reports)}, wrong)
    sweep(reports)
    wrong = list(dict.fromkeys(wrong))
    if not written:
        verify({"wrong": wrong})
    newest = max(written, key=lambda each: each["day"])
    return {
        "day": newest["day"],
        "days": changed,
        "revised": [
            each["day"]
            for each in sorted(written, key=lambda each: each["day"])
            if each["changed"] and each["kind"] == "revised"
        ],
        "failed": failed,
        "anomalies": newest["anomalies"],
        "totals": newest["totals"],
        "report": reports.store.public.uri(f"days/{newest['day']}/report.html"),
        "months": months,
        "sealed": [day.isoformat() for day in sealed],
        "wrong": wrong,
    }


def verify(result: Mapping[str, Any]) -> None:
    """
    Fail a run in which a day was not written, or a day or month is damaged.

    That is for a task of its own: a task that fails tells Airflow of no asset, and what was written counts.

    :param result: what :func:`publish` returned.
    :raises AirflowFailException: something is wrong.
    """
    if wrong := result["wrong"]:
        raise AirflowFailException("; ".join(wrong[:_TOLD_AT_MOST] + ["…"] * (len(wrong) > _TOLD_AT_MOST)))


def missing(written: Iterable[Mapping[str, Any]], wanted: Iterable[Mapping[str, Any]]) -> list[str]:
    """Return the days of some entries that are not among those that were written, in order."""
    return sorted({each["day"] for each in wanted} - {each["day"] for each in written})


def sweep(reports: Reports) -> int:
    """Remove what writers left that died a day ago and more; return how many objects they were.

    Names that they wrote of workers who were forgotten meanwhile, and their notes, go after an hour.
    """
    now = datetime.now(UTC)
    before = now - _LEFT_FOR
    removed = reports.store.sweep(before) + reports.private.sweep(before)
    told = list(reports.private.older(TOLD, now - _TOLD_FOR))
    for key in [*told, *old_readings(reports.private, before)]:
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
