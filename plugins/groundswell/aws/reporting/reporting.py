"""report_day: the report of one day, written where its inputs changed; and of which days to see that."""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from datetime import date, datetime
from typing import Any

from groundswell.aws.reporting.damage import DamagedInput
from groundswell.aws.reporting.day_report import write_day
from groundswell.aws.reporting.inputs import Inputs
from groundswell.aws.reporting.mending import mended
from groundswell.aws.reporting.opening import Reports
from groundswell.aws.reporting.retention import reopen
from groundswell.aws.reporting.writing import announced
from groundswell.reports.store import Published

log = logging.getLogger(__name__)


def days_to_write(reports: Reports, entries: Sequence[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """
    Return those days of a window that have to be looked at, in order: all that are due, and of those that
    runs of batches may have changed the ones of which the ledgers say something else than in their report.

    :param entries: the window, as :meth:`groundswell.aws.reporting.window.Window.as_xcom`, once its inputs
        were collected.
    :return: some of them; the last one is always there, since a run tells of its newest day.
    """
    inputs = Inputs.of(reports)
    *others, last = (dict(entry) for entry in entries)
    found = [entry for entry in others if not entry.get("extra") or _has_new_data(reports, inputs, entry)]
    log.info("%d of %d days have to be written, or are due", len(found) + 1, len(entries))
    return [*found, last]


def _has_new_data(reports: Reports, inputs: Inputs, entry: Mapping[str, Any]) -> bool:
    day = date.fromisoformat(entry["day"])
    before = (reports.store.current(day) or {}).get("inputs") or {}
    try:
        return any(before.get(name) != digest for name, digest in inputs.digests(day).items())
    except DamagedInput as error:
        log.warning("%s", error)
        return True


@announced
def report_day(reports: Reports, entry: Mapping[str, Any]) -> dict[str, Any]:
    """
    Write a day's report where its inputs changed since; return what is current now.

    :param entry: ``day`` and ``provisional``, as :meth:`groundswell.aws.reporting.window.Window.as_xcom`.
    :return: day, revision, kind, changed (by this run), provisional, anomalies and totals.
    :raises DamagedInput: something that was kept of the day is damaged, and its source does not tell it.
    """
    return _result(mended(reports, entry, lambda: _write(reports, entry)), entry)


def _write(reports: Reports, entry: Mapping[str, Any]) -> Published:
    day, provisional = date.fromisoformat(entry["day"]), bool(entry["provisional"])
    inputs = Inputs.of(reports)
    known = reports.store.heal(day)
    if known and known["sealed"]:
        log.info("%s: its inputs were removed for their age; the report stays", day)
        return Published(known["revision"], False, known)
    # By a task that had looked who was forgotten before somebody was
    if inputs.forget(day):
        log.warning("%s: events of a worker who was forgotten meanwhile were taken out", day)
    reopen(reports, day)  # should the run die before its retention
    published = write_day(reports, inputs, day, provisional=provisional)
    log.info("%s: revision %d %s", day, published.revision, "is new" if published.changed else "stays")
    return published


def _result(published: Published, entry: Mapping[str, Any]) -> dict[str, Any]:
    record = published.record
    # Also where an earlier try of the task wrote it
    began = datetime.fromisoformat(entry["now"]).replace(microsecond=0)
    return {
        "day": record["day"],
        "revision": published.revision,
        "kind": record["kind"],
        "changed": published.changed or datetime.fromisoformat(record["written"]) >= began,
        "provisional": record["provisional"],
        "anomalies": record.get("anomalies", 0),
        "totals": record["totals"],
    }
